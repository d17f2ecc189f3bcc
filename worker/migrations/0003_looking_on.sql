-- Where many accounts are created, those among which a lost one may be are looked through over several runs.

-- up to when they were; null: from where it most likely is
ALTER TABLE attempts ADD COLUMN looked_to INTEGER;
