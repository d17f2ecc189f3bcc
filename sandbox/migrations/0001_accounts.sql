-- Times are text as Omise writes them, YYYY-MM-DDThh:mm:ssZ: their order is that of time. The account holder's identity number is
-- kept nowhere.
CREATE TABLE accounts (
  id TEXT PRIMARY KEY NOT NULL,
  type TEXT NOT NULL,
  return_uri TEXT NOT NULL,
  -- JSON
  metadata TEXT NOT NULL,
  status TEXT NOT NULL,
  last_digits TEXT,
  failure_code TEXT,
  failure_message TEXT,
  registered_at TEXT,
  expires_at TEXT NOT NULL,
  created_at TEXT NOT NULL
) STRICT;
