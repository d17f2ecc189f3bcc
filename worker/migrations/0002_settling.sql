-- Listing, settling what was left in doubt, webhooks and audit.
--
-- SQLite cannot change a CHECK or add a column that is NOT NULL and has no default: tables are made anew and filled.

CREATE TABLE attempts_new (
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
  -- when the cron last looked what became of it
  looked_at INTEGER NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

INSERT INTO attempts_new (id, owner, idempotency_key, fingerprint, type, state, open, current, link, link_state_hash, looked_at, created_at)
SELECT id, owner, idempotency_key, fingerprint, type, state, open, current, link,
  -- the hash of an orphan's link_state was not kept: its return confirms nothing
  coalesce((SELECT link_state_hash FROM links WHERE links.attempt = attempts.id), 'lost:' || id),
  0, created_at
FROM attempts;

DROP TABLE attempts;
ALTER TABLE attempts_new RENAME TO attempts;

CREATE UNIQUE INDEX attempts_key ON attempts (owner, idempotency_key);
CREATE UNIQUE INDEX attempts_current ON attempts (owner, type) WHERE current = 1;
CREATE INDEX attempts_open ON attempts (owner) WHERE open = 1;
CREATE INDEX attempts_unsettled ON attempts (created_at) WHERE state <> 'linked' OR open = 1;
CREATE INDEX attempts_created ON attempts (created_at);

CREATE TABLE links_new (
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

INSERT INTO links_new (id, owner, attempt, type, status, account, read_at, link_state_hash, confirmed_at, created_at)
SELECT id, owner, attempt, account ->> '$.type', status, account, read_at, link_state_hash, confirmed_at,
  coalesce(unixepoch(account ->> '$.created_at') * 1000, created_at)
FROM links;

DROP TABLE links;
ALTER TABLE links_new RENAME TO links;

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
  -- the token's subject; null for Omise's webhooks and the cron
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
