-- Stretches of footage that somebody protects from removal (docs/design/holds.md). A row is never removed. id: never used twice.
-- until_us: its own end, authority: who ordered it ('' nobody); with both it also stands against max_age. seq: the entry that
-- says who and why. ended_us, ended_why, ended_seq: NULL while it stands. warned_days: the last warning that max_age will end it.
-- overruled: by what footage of it was taken all the same, words with a space between them.
CREATE TABLE hold (
    id INTEGER PRIMARY KEY,
    from_us INTEGER NOT NULL,
    to_us INTEGER NOT NULL,
    until_us INTEGER,
    authority TEXT NOT NULL,
    placed_us INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    ended_us INTEGER,
    ended_why TEXT,
    ended_seq INTEGER,
    warned_days INTEGER NOT NULL DEFAULT 0,
    overruled TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX hold_standing ON hold (id) WHERE ended_us IS NULL;

-- Of what a hold speaks. stream: '' is every stream of the camera.
CREATE TABLE hold_part (
    hold_id INTEGER NOT NULL REFERENCES hold,
    camera TEXT NOT NULL,
    stream TEXT NOT NULL,
    PRIMARY KEY (hold_id, camera, stream)
) STRICT, WITHOUT ROWID;
