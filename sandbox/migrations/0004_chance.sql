-- How many draws of the seed's were taken for each kind of thing: none comes twice, whatever restarts in between.
CREATE TABLE chance (
  thing TEXT PRIMARY KEY NOT NULL,
  drawn INTEGER NOT NULL
) STRICT;
