-- The index of a data folder: index.db on its first volume. SQLite in WAL mode, synchronous=FULL.
-- One writer: the recorder's index thread (archive/index.py). Everyone else opens it mode=ro.
-- A new folder gets this file; an older one gets the numbered files of migrations/. A test proves that both end alike.
--
-- Times: `_us` is microseconds since 1970 UTC, as placed; `_boot_us` is CLOCK_BOOTTIME; `_90k` is media time of the run's
-- video in 1/90000 s. Spans are half-open. A day is 86400000000 us: rows that are longer stand in a partial index of their
-- own, so that a question about a window reads the rows that begin in it, one day before it, and those few. Nothing here
-- is ever scanned whole on the way to an answer, whatever the age of the archive.

-- Single values: data_id; longest_segment_us (the longest segment ever opened: how far before a window a segment that
-- reaches into it may begin); next_gap; commits (how many transactions of ticks there were: a commit that failed may have
-- landed after all, and is then not written twice); mains (seq of the newest entry power_changed).
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value ANY NOT NULL
) STRICT, WITHOUT ROWID;

-- The disks of this folder, by the identity in their volume.json. path: where it was seen last.
CREATE TABLE volume (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    path TEXT NOT NULL
) STRICT;

CREATE TABLE camera (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- set_up_us: when this stream was first in the settings; before it the timeline says never_recorded. NULL: known from
-- its media alone (an index rebuilt from files).
CREATE TABLE stream (
    id INTEGER PRIMARY KEY,
    camera TEXT NOT NULL,
    name TEXT NOT NULL,
    set_up_us INTEGER,
    UNIQUE (camera, name)
) STRICT;

CREATE TABLE boot (
    id INTEGER PRIMARY KEY,
    boot TEXT NOT NULL UNIQUE
) STRICT;

-- An unbroken session. (boot, number) is its identity; numbers are never used twice in one archive.
CREATE TABLE run (
    id INTEGER PRIMARY KEY,
    boot_id INTEGER NOT NULL REFERENCES boot,
    number INTEGER NOT NULL,
    stream_id INTEGER NOT NULL REFERENCES stream,
    start_boot_us INTEGER,
    end_boot_us INTEGER,
    detail TEXT NOT NULL DEFAULT '',
    UNIQUE (number, boot_id)
) STRICT;
-- Recovery asks for the runs that a cut left open, and for nothing else.
CREATE INDEX run_unended ON run (stream_id) WHERE end_boot_us IS NULL;

-- Where a run stands on the wall. Append-only: a correction is a new row.
CREATE TABLE placement (
    id INTEGER PRIMARY KEY,
    run_id INTEGER NOT NULL REFERENCES run,
    at_90k INTEGER NOT NULL,
    wall_us INTEGER NOT NULL,
    rate_ppb INTEGER NOT NULL,
    provenance INTEGER NOT NULL,
    reason TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX placement_by_run ON placement (run_id, at_90k);

-- One file of fragments. Narrow on purpose: ten million of them must stay fast. No path: it follows from camera, stream,
-- boot, run, sequence and wall_start_us (archive/names.py). Hashes stand in fragment_table.
-- flags: 1 sealed, 2 damaged, 4 recovered, 8 unverified (rebuilt from files), 16 abandoned (its disk failed under it;
-- sealed once the disk is verified again).
-- durable_bytes: up to the end of the last acknowledged fragment. file_bytes: the whole file, closing box included.
-- confirmed: a hub holds it, by hash.
CREATE TABLE segment (
    id INTEGER PRIMARY KEY,
    stream_id INTEGER NOT NULL REFERENCES stream,
    run_id INTEGER NOT NULL REFERENCES run,
    sequence INTEGER NOT NULL,
    volume_id INTEGER NOT NULL REFERENCES volume,
    flags INTEGER NOT NULL,
    provenance INTEGER NOT NULL,
    confirmed INTEGER NOT NULL DEFAULT 0,
    fragments INTEGER NOT NULL,
    header_bytes INTEGER NOT NULL,
    durable_bytes INTEGER NOT NULL,
    file_bytes INTEGER NOT NULL,
    start_90k INTEGER NOT NULL,
    duration_90k INTEGER NOT NULL,
    wall_start_us INTEGER NOT NULL,
    wall_duration_us INTEGER NOT NULL
) STRICT;
CREATE INDEX segment_by_stream ON segment (stream_id, wall_start_us);
CREATE UNIQUE INDEX segment_by_run ON segment (run_id, sequence);
-- Retention: of one volume, what a hub holds before what it does not, oldest first.
CREATE INDEX segment_by_age ON segment (volume_id, confirmed DESC, wall_start_us);

-- The fragments of a sealed segment (archive/fragment_table.py) and the root of its leaves: header, then each fragment.
CREATE TABLE fragment_table (
    segment_id INTEGER PRIMARY KEY REFERENCES segment,
    root BLOB NOT NULL,
    fragments BLOB NOT NULL
) STRICT;

-- The same of a segment that is being written, overwritten each tick. A row here that no recorder owns is what recovery
-- mends: nothing else of the media is read at a start.
CREATE TABLE open_segment (
    segment_id INTEGER PRIMARY KEY REFERENCES segment,
    header_sha256 BLOB NOT NULL,
    fragments BLOB NOT NULL
) STRICT;

-- What each volume holds of each stream; kept with every change of a segment, so that retention never sums.
CREATE TABLE holding (
    stream_id INTEGER NOT NULL,
    volume_id INTEGER NOT NULL,
    segments INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (stream_id, volume_id)
) STRICT, WITHOUT ROWID;

-- Segments marked for removal: mark row, unlink, flush directory, drop row. A start finishes what a cut left marked.
CREATE TABLE removal (
    segment_id INTEGER PRIMARY KEY REFERENCES segment,
    why TEXT NOT NULL
) STRICT;

-- What was recorded. Retention takes nothing from here: what is gone is said by gone_span.
CREATE TABLE recorded_span (
    stream_id INTEGER NOT NULL,
    from_us INTEGER NOT NULL,
    run_id INTEGER NOT NULL REFERENCES run,
    to_us INTEGER NOT NULL,
    provenance INTEGER NOT NULL,
    PRIMARY KEY (stream_id, from_us, run_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX recorded_span_long ON recorded_span (stream_id, from_us) WHERE to_us - from_us > 86400000000;
-- By end, with all that a timeline takes of a row: what reaches into a day, of all streams, stands side by side. A tick moves the ends of the
-- spans that grow, which are all in a page or two.
CREATE INDEX recorded_span_by_end ON recorded_span (to_us, from_us, provenance);

-- Why there is nothing. to_us is NULL while the gap is open. evidence: JSON.
CREATE TABLE gap (
    id INTEGER NOT NULL,
    stream_id INTEGER NOT NULL,
    from_us INTEGER NOT NULL,
    to_us INTEGER,
    cause TEXT NOT NULL,
    evidence TEXT NOT NULL,
    PRIMARY KEY (stream_id, from_us, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX gap_long ON gap (stream_id, from_us) WHERE to_us IS NULL OR to_us - from_us > 86400000000;
CREATE INDEX gap_by_end ON gap (to_us, from_us, cause, evidence);

-- What was removed. One row per stretch of one run and one fate, by sequence, merged. fate: 0 still recorded, no longer held; 1 the same,
-- and a hub held it; 2 discarded: of a camera that records by events, looked at, and nothing was seen. That is a gap, `not_scheduled`.
CREATE TABLE gone_span (
    stream_id INTEGER NOT NULL,
    from_us INTEGER NOT NULL,
    run_id INTEGER NOT NULL REFERENCES run,
    to_us INTEGER NOT NULL,
    first_sequence INTEGER NOT NULL,
    last_sequence INTEGER NOT NULL,
    fate INTEGER NOT NULL,
    PRIMARY KEY (stream_id, from_us, run_id, first_sequence)
) STRICT, WITHOUT ROWID;
CREATE INDEX gone_span_long ON gone_span (stream_id, from_us) WHERE to_us - from_us > 86400000000;
CREATE INDEX gone_span_by_end ON gone_span (to_us, from_us, fate);
CREATE INDEX gone_span_by_run ON gone_span (run_id, first_sequence);
CREATE INDEX gone_span_discarded ON gone_span (stream_id, from_us) WHERE fate = 2;

-- The append-only log. leaf: SHA-256(0x00 || entry); entry: canonical JSON (docs/ref/ledger-format.md). Written in the
-- transaction of what it speaks of, numbered from 0 without a hole, and never changed.
CREATE TABLE ledger (
    seq INTEGER PRIMARY KEY,
    leaf BLOB NOT NULL,
    entry BLOB NOT NULL
) STRICT;

-- The recorder lived and had accounted for everything up to here. One row, overwritten. orderly: it stopped by itself.
CREATE TABLE heartbeat (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    boot TEXT NOT NULL,
    boot_us INTEGER NOT NULL,
    wall_us INTEGER NOT NULL,
    accounted_until_us INTEGER NOT NULL,
    orderly INTEGER NOT NULL
) STRICT;

-- The log of this folder: one row. number: of its folder, ledger/NUMBER; it rises where a log could not be kept and another was
-- begun. signed_size, signed_root, checkpoint: the largest head ever signed; nothing smaller and nothing else is signed
-- after it. key: the raw Ed25519 public key it is signed with.
CREATE TABLE log (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    number INTEGER NOT NULL,
    origin TEXT NOT NULL,
    key BLOB NOT NULL,
    signed_size INTEGER NOT NULL,
    signed_root BLOB NOT NULL,
    checkpoint TEXT NOT NULL
) STRICT;

-- Clear text and salt behind the commitments of entries about people. Erased by age and on demand: the row goes, the entry
-- stays. subject: a number for the person; 0 is the command line of the post.
CREATE TABLE personal (
    seq INTEGER PRIMARY KEY,
    subject INTEGER NOT NULL,
    wall_us INTEGER NOT NULL,
    salt BLOB NOT NULL,
    text TEXT NOT NULL
) STRICT;
CREATE INDEX personal_by_age ON personal (wall_us);
CREATE INDEX personal_by_subject ON personal (subject, seq);

-- Which entries speak of a person: one row per entry with `person`, kept after its text is erased. at_us: when it happened,
-- as its body says, else when it was written. camera: '' where it is about none. The audit is a range of these.
CREATE TABLE mention (
    seq INTEGER PRIMARY KEY,
    at_us INTEGER NOT NULL,
    subject INTEGER NOT NULL,
    kind TEXT NOT NULL,
    camera TEXT NOT NULL
) STRICT;
CREATE INDEX mention_by_time ON mention (at_us, seq, subject, kind, camera);
CREATE INDEX mention_by_subject ON mention (subject, at_us, seq, kind, camera);

-- The keys of the entries that were taken last from elsewhere (the server's outbox), written with them: one that is handed over
-- again, because its answer was lost, is not entered twice.
CREATE TABLE receipt (
    key TEXT PRIMARY KEY,
    seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX receipt_by_seq ON receipt (seq);

-- Cameras that an operator paused. until_us: NULL is until resumed. kind: paused_by_operator or privacy_pause.
-- seq: the entry that says who and why.
CREATE TABLE pause (
    camera TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    since_us INTEGER NOT NULL,
    until_us INTEGER,
    seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What was raised, until it is over and dealt with. ended_us: what was wrong is over; NULL while it lasts.
-- acknowledged_seq: the entry that says who and why; NULL until then. repeats: how often it was said again.
-- body: JSON, as the entry `alarm_raised` has it.
CREATE TABLE alarm (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    camera TEXT NOT NULL,
    raised_us INTEGER NOT NULL,
    ended_us INTEGER,
    acknowledged_seq INTEGER,
    repeats INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX alarm_open ON alarm (id) WHERE ended_us IS NULL;
CREATE INDEX alarm_unacknowledged ON alarm (id) WHERE acknowledged_seq IS NULL;
CREATE INDEX alarm_by_time ON alarm (raised_us);

-- Segments that a correction of time placed elsewhere than their file's name says: wall_us is what the name was made of.
CREATE TABLE named (
    segment_id INTEGER PRIMARY KEY REFERENCES segment,
    wall_us INTEGER NOT NULL
) STRICT;

-- Where the host's clock began to be followed anew: a start of the recorder, a step, a clock that became unsteady. seq: the entry
-- that says so. offset_us: wall time minus CLOCK_BOOTTIME as believed from boot_us on. first_gap: the number of the next gap.
-- start: with a start of the recorder. shift_us: by how much corrections have moved what this clock told.
CREATE TABLE clock (
    seq INTEGER PRIMARY KEY,
    boot_id INTEGER NOT NULL REFERENCES boot,
    boot_us INTEGER NOT NULL,
    offset_us INTEGER NOT NULL,
    provenance INTEGER NOT NULL,
    first_gap INTEGER NOT NULL,
    start INTEGER NOT NULL,
    shift_us INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX clock_by_boot ON clock (boot_id, boot_us);

-- A day (UTC, since 1970) of a stream for wide views, packed (timeline/wide.py): what of it is not held footage. Made from the rows
-- above by the recorder once the day is accounted for (archive/wide_days.py), and nothing but what they say: the triggers drop the
-- row with every change of what it was made from, whoever makes it. A day without a row is read from the rows themselves.
-- By day first: a month of all cameras is one range.
CREATE TABLE wide_day (
    day INTEGER NOT NULL,
    stream_id INTEGER NOT NULL REFERENCES stream,
    pieces BLOB NOT NULL,
    PRIMARY KEY (day, stream_id)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER wide_day_span_new AFTER INSERT ON recorded_span BEGIN
    DELETE FROM wide_day WHERE day BETWEEN NEW.from_us / 86400000000 AND NEW.to_us / 86400000000 AND stream_id = NEW.stream_id;
END;
CREATE TRIGGER wide_day_span_old AFTER DELETE ON recorded_span BEGIN
    DELETE FROM wide_day WHERE day BETWEEN OLD.from_us / 86400000000 AND OLD.to_us / 86400000000 AND stream_id = OLD.stream_id;
END;
-- A span that only grows, as with every tick, leaves the days before its end alone. To look first is quicker than to delete nothing.
CREATE TRIGGER wide_day_span_end AFTER UPDATE ON recorded_span
WHEN OLD.from_us = NEW.from_us AND OLD.run_id = NEW.run_id AND OLD.provenance = NEW.provenance AND OLD.stream_id = NEW.stream_id
    AND EXISTS (SELECT 1 FROM wide_day WHERE stream_id = NEW.stream_id
        AND day BETWEEN min(OLD.to_us, NEW.to_us) / 86400000000 AND max(OLD.to_us, NEW.to_us) / 86400000000) BEGIN
    DELETE FROM wide_day WHERE day BETWEEN min(OLD.to_us, NEW.to_us) / 86400000000 AND max(OLD.to_us, NEW.to_us) / 86400000000
        AND stream_id = NEW.stream_id;
END;
CREATE TRIGGER wide_day_span_other AFTER UPDATE ON recorded_span
WHEN OLD.from_us <> NEW.from_us OR OLD.run_id <> NEW.run_id OR OLD.provenance <> NEW.provenance OR OLD.stream_id <> NEW.stream_id BEGIN
    DELETE FROM wide_day WHERE day BETWEEN min(OLD.from_us, NEW.from_us) / 86400000000 AND max(OLD.to_us, NEW.to_us) / 86400000000
        AND stream_id IN (OLD.stream_id, NEW.stream_id);
END;

-- An open gap reaches as far as time does.
CREATE TRIGGER wide_day_gap_new AFTER INSERT ON gap BEGIN
    DELETE FROM wide_day WHERE day BETWEEN NEW.from_us / 86400000000 AND coalesce(NEW.to_us, 9000000000000000000) / 86400000000
        AND stream_id = NEW.stream_id;
END;
CREATE TRIGGER wide_day_gap_old AFTER DELETE ON gap BEGIN
    DELETE FROM wide_day WHERE day BETWEEN OLD.from_us / 86400000000 AND coalesce(OLD.to_us, 9000000000000000000) / 86400000000
        AND stream_id = OLD.stream_id;
END;
CREATE TRIGGER wide_day_gap_end AFTER UPDATE ON gap
WHEN OLD.from_us = NEW.from_us AND OLD.cause = NEW.cause AND OLD.stream_id = NEW.stream_id AND OLD.to_us IS NOT NEW.to_us BEGIN
    DELETE FROM wide_day WHERE day BETWEEN
        min(coalesce(OLD.to_us, 9000000000000000000), coalesce(NEW.to_us, 9000000000000000000)) / 86400000000 AND
        max(coalesce(OLD.to_us, 9000000000000000000), coalesce(NEW.to_us, 9000000000000000000)) / 86400000000
        AND stream_id = NEW.stream_id;
END;
CREATE TRIGGER wide_day_gap_other AFTER UPDATE ON gap
WHEN OLD.from_us <> NEW.from_us OR OLD.cause <> NEW.cause OR OLD.stream_id <> NEW.stream_id BEGIN
    DELETE FROM wide_day WHERE day BETWEEN min(OLD.from_us, NEW.from_us) / 86400000000 AND
        max(coalesce(OLD.to_us, 9000000000000000000), coalesce(NEW.to_us, 9000000000000000000)) / 86400000000
        AND stream_id IN (OLD.stream_id, NEW.stream_id);
END;

CREATE TRIGGER wide_day_gone_new AFTER INSERT ON gone_span BEGIN
    DELETE FROM wide_day WHERE day BETWEEN NEW.from_us / 86400000000 AND NEW.to_us / 86400000000 AND stream_id = NEW.stream_id;
END;
CREATE TRIGGER wide_day_gone_old AFTER DELETE ON gone_span BEGIN
    DELETE FROM wide_day WHERE day BETWEEN OLD.from_us / 86400000000 AND OLD.to_us / 86400000000 AND stream_id = OLD.stream_id;
END;
-- What is gone grows at its end with every removal: the days before that end say what they said.
CREATE TRIGGER wide_day_gone_end AFTER UPDATE ON gone_span
WHEN OLD.from_us = NEW.from_us AND OLD.run_id = NEW.run_id AND OLD.fate = NEW.fate AND OLD.stream_id = NEW.stream_id BEGIN
    DELETE FROM wide_day WHERE day BETWEEN min(OLD.to_us, NEW.to_us) / 86400000000 AND max(OLD.to_us, NEW.to_us) / 86400000000
        AND stream_id = NEW.stream_id;
END;
CREATE TRIGGER wide_day_gone_other AFTER UPDATE ON gone_span
WHEN OLD.from_us <> NEW.from_us OR OLD.run_id <> NEW.run_id OR OLD.fate <> NEW.fate OR OLD.stream_id <> NEW.stream_id OR EXISTS (
    SELECT 1 FROM gone_span WHERE stream_id = NEW.stream_id AND from_us = NEW.from_us AND run_id = NEW.run_id
        AND first_sequence <> NEW.first_sequence) BEGIN
    DELETE FROM wide_day WHERE day BETWEEN min(OLD.from_us, NEW.from_us) / 86400000000 AND max(OLD.to_us, NEW.to_us) / 86400000000
        AND stream_id IN (OLD.stream_id, NEW.stream_id);
END;

-- Before it was set up it never recorded; after, it is unknown.
CREATE TRIGGER wide_day_set_up AFTER UPDATE OF set_up_us ON stream WHEN OLD.set_up_us IS NOT NEW.set_up_us BEGIN
    DELETE FROM wide_day WHERE stream_id = NEW.id;
END;

-- The same day as an exact tiling (timeline/days.py), for timelines of many streams at once. Made with the row above, and dropped with it.
CREATE TABLE tile_day (
    day INTEGER NOT NULL,
    stream_id INTEGER NOT NULL REFERENCES stream,
    tiles BLOB NOT NULL,
    PRIMARY KEY (day, stream_id)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER tile_day_dropped AFTER DELETE ON wide_day BEGIN
    DELETE FROM tile_day WHERE day = OLD.day AND stream_id = OLD.stream_id;
END;
-- A wide view does not tell why in full, nor of which row.
CREATE TRIGGER tile_day_evidence AFTER UPDATE ON gap WHEN OLD.evidence <> NEW.evidence OR OLD.id <> NEW.id BEGIN
    DELETE FROM tile_day WHERE day BETWEEN min(OLD.from_us, NEW.from_us) / 86400000000 AND
        max(coalesce(OLD.to_us, 9000000000000000000), coalesce(NEW.to_us, 9000000000000000000)) / 86400000000
        AND stream_id IN (OLD.stream_id, NEW.stream_id);
END;
-- Which of two runs is shown, and what it is called.
CREATE TRIGGER tile_day_run AFTER UPDATE OF number, stream_id ON run WHEN OLD.number <> NEW.number OR OLD.stream_id <> NEW.stream_id BEGIN
    DELETE FROM wide_day WHERE stream_id IN (OLD.stream_id, NEW.stream_id);
END;

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
