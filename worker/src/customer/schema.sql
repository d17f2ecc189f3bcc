-- A customer's tables, made by the first write. Times are milliseconds since 1970-01-01T00:00:00Z. No table holds an identity number, a
-- token or a link_state in the clear.

CREATE TABLE meta (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  version INTEGER NOT NULL,
  -- the session's subject: whose tables these are
  subject TEXT NOT NULL,
  -- what the audit log calls the customer
  pseudonym TEXT NOT NULL,
  -- random: entries of tables that were made again are other entries
  incarnation TEXT NOT NULL,
  -- the last row of `audit` that is in the audit log
  delivered INTEGER NOT NULL
) STRICT;

-- One row per create that was begun: written before Omise is called. Its states are in attempt.rs.
CREATE TABLE attempts (
  id TEXT PRIMARY KEY NOT NULL,
  -- null once Omise has refused: the key is free
  idempotency_key TEXT UNIQUE,
  -- HMAC of the request, since it covers the identity number
  fingerprint TEXT NOT NULL,
  type TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('asked', 'refused', 'linked', 'abandoned')),
  -- asked, or its link is pending; and not replaced by a newer attempt
  current INTEGER NOT NULL CHECK (current IN (0, 1)),
  link TEXT,
  -- SHA-256 of the link_state that return_uri carries
  link_state_hash TEXT NOT NULL,
  -- when Omise's list is looked through for it; null: never again
  look_at INTEGER,
  -- where the look goes on, in JSON; null: from where the account most likely is
  look_from TEXT,
  created_at INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX attempts_current ON attempts (type) WHERE current = 1;
CREATE INDEX attempts_look ON attempts (look_at) WHERE look_at IS NOT NULL;
CREATE INDEX attempts_created ON attempts (created_at);

CREATE TABLE links (
  id TEXT PRIMARY KEY NOT NULL,
  attempt TEXT NOT NULL,
  type TEXT NOT NULL,
  status TEXT NOT NULL,
  -- the newest reading, as answered to the owner
  account TEXT NOT NULL,
  -- when that reading began
  read_at INTEGER NOT NULL,
  link_state_hash TEXT NOT NULL,
  confirmed_at INTEGER,
  -- the row of `audit` with the intent to delete it, until its outcome is known
  deleting INTEGER,
  -- when the alarm is to read it; null: never
  due_at INTEGER,
  -- the first such time: what fails is tried for a day from then on
  due_since INTEGER,
  -- as Omise says: lists are ordered by it
  created_at INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX links_link_state ON links (link_state_hash);
CREATE INDEX links_created ON links (created_at, id);
CREATE INDEX links_due ON links (due_at) WHERE due_at IS NOT NULL;

-- Webhook events that were dealt with.
CREATE TABLE events (
  id TEXT PRIMARY KEY NOT NULL,
  seen_at INTEGER NOT NULL
) STRICT;

CREATE INDEX events_seen ON events (seen_at);

-- What was done, by whom, and what was refused. Rows are only ever added.
CREATE TABLE audit (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL,
  request_id TEXT NOT NULL,
  -- the token's subject; null for Omise's webhooks and the alarm
  actor TEXT,
  action TEXT NOT NULL,
  link TEXT,
  outcome TEXT NOT NULL
) STRICT;

CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN
  SELECT raise(ABORT, 'audit is append-only');
END;

CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit BEGIN
  SELECT raise(ABORT, 'audit is append-only');
END;
