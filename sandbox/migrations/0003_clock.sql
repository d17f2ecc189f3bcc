-- How the sandbox's clock goes, in one row: milliseconds ahead of the machine's, and where it stands, if it does.
CREATE TABLE clock (
  id INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
  ahead INTEGER NOT NULL,
  stands_at INTEGER
) STRICT;
