-- The tables of the peers that keep their ledger in D1: one database for all customers. Times are milliseconds since 1970.

CREATE TABLE attempts (
  id TEXT PRIMARY KEY NOT NULL,
  owner TEXT NOT NULL,
  idempotency_key TEXT NOT NULL,
  -- HMAC of the request, since it covers the citizen id
  fingerprint TEXT NOT NULL,
  type TEXT NOT NULL,
  -- abandoned: not found at Omise after the quiet period
  state TEXT NOT NULL CHECK (state IN ('in_flight', 'unknown', 'abandoned', 'linked')),
  -- in flight, in doubt, or its link is pending
  open INTEGER NOT NULL CHECK (open IN (0, 1)),
  -- open, and not replaced by a newer attempt
  current INTEGER NOT NULL CHECK (current IN (0, 1) AND current <= open),
  link TEXT,
  -- SHA-256 of the link_state that return_uri carries; here too, so that an orphan can be adopted with it
  link_state_hash TEXT NOT NULL,
  -- when a scheduled job last looked what became of it
  looked_at INTEGER NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX attempts_key ON attempts (owner, idempotency_key);
CREATE UNIQUE INDEX attempts_current ON attempts (owner, type) WHERE current = 1;
CREATE INDEX attempts_owner ON attempts (owner, created_at);
CREATE INDEX attempts_unsettled ON attempts (created_at) WHERE state <> 'linked' OR open = 1;
CREATE INDEX attempts_created ON attempts (created_at);

CREATE TABLE links (
  id TEXT PRIMARY KEY NOT NULL,
  owner TEXT NOT NULL,
  attempt TEXT NOT NULL,
  type TEXT NOT NULL,
  status TEXT NOT NULL,
  -- the newest reading, as answered to the owner
  account TEXT NOT NULL,
  -- when that reading began
  read_at INTEGER NOT NULL,
  link_state_hash TEXT NOT NULL,
  confirmed_at INTEGER,
  -- as Omise says: lists are ordered by it
  created_at INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX links_link_state ON links (link_state_hash);
CREATE INDEX links_owner ON links (owner, created_at, id);

-- Webhook events that were dealt with.
CREATE TABLE events (
  id TEXT PRIMARY KEY NOT NULL,
  seen_at INTEGER NOT NULL
) STRICT;

CREATE INDEX events_seen ON events (seen_at);

-- What was done, by whom, and what was refused. Rows are only ever added.
CREATE TABLE audit (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL,
  request_id TEXT NOT NULL,
  -- the token's subject; null for Omise's webhooks and a scheduled job
  actor TEXT,
  action TEXT NOT NULL,
  link TEXT,
  outcome TEXT NOT NULL
) STRICT;

CREATE INDEX audit_at ON audit (at, id);

CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN
  SELECT raise(ABORT, 'audit is append-only');
END;

CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit BEGIN
  SELECT raise(ABORT, 'audit is append-only');
END;
