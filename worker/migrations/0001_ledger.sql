-- Times are milliseconds since 1970-01-01T00:00:00Z. No table holds a citizen id, a token or a link_state in the clear.

-- One row per create that was begun: written before Omise is called.
CREATE TABLE attempts (
  id TEXT PRIMARY KEY NOT NULL,
  owner TEXT NOT NULL,
  idempotency_key TEXT NOT NULL,
  -- HMAC of the request, since it covers the citizen id
  fingerprint TEXT NOT NULL,
  type TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('in_flight', 'unknown', 'linked')),
  -- in flight, in doubt, or its link is pending
  open INTEGER NOT NULL CHECK (open IN (0, 1)),
  -- open, and not replaced by a newer attempt
  current INTEGER NOT NULL CHECK (current IN (0, 1) AND current <= open),
  link TEXT,
  created_at INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX attempts_key ON attempts (owner, idempotency_key);
CREATE UNIQUE INDEX attempts_current ON attempts (owner, type) WHERE current = 1;
CREATE INDEX attempts_open ON attempts (owner) WHERE open = 1;

CREATE TABLE links (
  id TEXT PRIMARY KEY NOT NULL,
  owner TEXT NOT NULL,
  attempt TEXT NOT NULL,
  status TEXT NOT NULL,
  -- the newest reading, as answered to the owner
  account TEXT NOT NULL,
  -- when that reading began
  read_at INTEGER NOT NULL,
  -- SHA-256 of link_state
  link_state_hash TEXT NOT NULL,
  confirmed_at INTEGER,
  created_at INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX links_link_state ON links (link_state_hash);
CREATE INDEX links_attempt ON links (attempt);
