-- What was answered to each Idempotency-Key; as long as it is not answered, status and body are null. Of the request only a keyed hash
-- is kept, since it may hold the account holder's identity number.
CREATE TABLE idempotency_keys (
  key TEXT PRIMARY KEY NOT NULL,
  fingerprint TEXT NOT NULL,
  status INTEGER,
  body TEXT,
  expires_at TEXT NOT NULL
) STRICT;
