-- What a search looks through: the id and the values of metadata in lower case, one a line; U+FFFD stands for what would end a line.
ALTER TABLE accounts ADD COLUMN search_text TEXT NOT NULL DEFAULT '';

-- Of the accounts that are there already. SQLite knows the case of ASCII only: in other scripts these are found as they are written.
UPDATE accounts SET search_text = lower(id || ifnull((
  SELECT group_concat(char(10) || replace(replace(value, char(13), char(65533)), char(10), char(65533)), '') FROM (
    SELECT CASE WHEN type IN ('true', 'false', 'null') THEN type ELSE value END AS value FROM json_each(accounts.metadata)
  )
), ''));

-- By creation, as lists and results are ordered; those of the same second by id, which rises with time.
CREATE INDEX accounts_created ON accounts (created_at, id);
CREATE INDEX accounts_status ON accounts (status, created_at, id);
CREATE INDEX accounts_type ON accounts (type, created_at, id);
-- Those whose time may be over.
CREATE INDEX accounts_pending ON accounts (status, expires_at) WHERE status = 'pending';
