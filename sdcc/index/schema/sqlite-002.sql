-- The index on SQLite, version 2: files that are never registered again.

-- Files whose rows are no more, or never were to be. What stands here is refused, so that a process that was held
-- up in the middle of a registration changes nothing when it goes on after all. Kept for 30 days.
CREATE TABLE gone (
    path                            TEXT PRIMARY KEY,
    successor                       TEXT,                   -- the file that took its place; NULL: it was given up
    since                           TEXT NOT NULL           -- UTC, of fixed width, as instance.received_at
        DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) WITHOUT ROWID;

CREATE INDEX gone_by_since ON gone (since);
