-- The index on SQLite, version 4: when studies have become complete, and who is still to be told.

-- When no object of the study had come for so long that it counts as complete; NULL: objects have come since. UTC, as
-- instance.received_at. Of studies that were there before, and are no news to anybody, it is their last reception.
ALTER TABLE study ADD COLUMN stable_at TEXT CHECK (stable_at GLOB '????-??-??T??:??:??.??????Z');

UPDATE study SET stable_at = (
    SELECT max(received_at) FROM series JOIN instance USING (series_key) WHERE series.study_key = study.study_key);

-- Also for the few that are not stable.
CREATE INDEX study_by_stable_at ON study (stable_at);

-- Who is still to be told that a study is stable. Of a study that has changed since, or is no more, a row means nothing
-- and goes away by itself: registration does not look here.
CREATE TABLE notice (
    study_key                       INTEGER NOT NULL,
    means                           TEXT NOT NULL,          -- 'command' or 'post'
    stable_at                       TEXT NOT NULL,          -- of the study, when this was written
    due                             TEXT NOT NULL,          -- not before; while a process is at it: when others take it for dead
    PRIMARY KEY (study_key, means)
) WITHOUT ROWID;

CREATE INDEX notice_by_due ON notice (means, due);
