-- Where the sandbox was reached when the account was created: an event shows the registration_uri that the API showed then. Of
-- the accounts that are there already nobody knows.
ALTER TABLE accounts ADD COLUMN origin TEXT NOT NULL DEFAULT '';

-- What there is to tell of accounts, in the order in which it happened.
CREATE TABLE events (
  seq INTEGER PRIMARY KEY,
  -- By chance and by the sandbox's clock, neither of which triggers know: nothing until the event is taken up.
  id TEXT,
  created_at TEXT,
  key TEXT NOT NULL,
  -- The account at that time: its row, as JSON.
  account TEXT NOT NULL,
  origin TEXT NOT NULL,
  -- When it is to be sent next: '' before it is taken up, NULL where it is not to be sent any more.
  due_at TEXT DEFAULT '',
  -- Whether it is held back until another was sent ('yes'), or has been ('was').
  held TEXT CHECK (held IN ('yes', 'was'))
) STRICT;

CREATE INDEX events_due ON events (due_at, seq) WHERE due_at IS NOT NULL;

-- In the transaction that settles the account: one is not without the other.
CREATE TRIGGER accounts_settled AFTER UPDATE OF status ON accounts
WHEN OLD.status = 'pending' AND NEW.status IN ('successful', 'failed', 'expired')
BEGIN
  INSERT INTO events (key, account, origin) VALUES (
    CASE NEW.status WHEN 'expired' THEN 'linked_account.expire' ELSE 'linked_account.complete' END,
    json_object(
      'id', NEW.id,
      'type', NEW.type,
      'return_uri', NEW.return_uri,
      'metadata', NEW.metadata,
      'status', NEW.status,
      'last_digits', NEW.last_digits,
      'failure_code', NEW.failure_code,
      'failure_message', NEW.failure_message,
      'registered_at', NEW.registered_at,
      'expires_at', NEW.expires_at,
      'created_at', NEW.created_at
    ),
    NEW.origin
  );
END;

-- Each attempt to send an event. Without status and error it is under way, or the sandbox was stopped before there was an answer.
CREATE TABLE deliveries (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL GENERATED ALWAYS AS ('whdl_test_' || printf('%019d', seq)) VIRTUAL,
  event INTEGER NOT NULL REFERENCES events (seq) ON DELETE CASCADE,
  uri TEXT NOT NULL,
  -- The answer's HTTP status.
  status INTEGER,
  -- Why there was no answer.
  error TEXT,
  created_at TEXT NOT NULL
) STRICT;

CREATE INDEX deliveries_event ON deliveries (event);

-- Where events go, in one row, once that was said at run time: it wins over WEBHOOK_URL. NULL: nowhere.
CREATE TABLE webhook (
  id INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
  url TEXT
) STRICT;

-- The secrets that took over from WEBHOOK_SECRET, the newest last, in Base64. They are made at run time and have to outlast it, and
-- this database is all that the sandbox can write to.
CREATE TABLE webhook_secrets (
  seq INTEGER PRIMARY KEY,
  secret TEXT NOT NULL,
  created_at TEXT NOT NULL
) STRICT;
