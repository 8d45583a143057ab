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
-- landed after all, and is then not written twice).
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

-- What retention removed: still recorded, no longer held. One row per stretch of one run, by sequence, merged.
CREATE TABLE gone_span (
    stream_id INTEGER NOT NULL,
    from_us INTEGER NOT NULL,
    run_id INTEGER NOT NULL REFERENCES run,
    to_us INTEGER NOT NULL,
    first_sequence INTEGER NOT NULL,
    last_sequence INTEGER NOT NULL,
    confirmed INTEGER NOT NULL,
    PRIMARY KEY (stream_id, from_us, run_id, first_sequence)
) STRICT, WITHOUT ROWID;
CREATE INDEX gone_span_long ON gone_span (stream_id, from_us) WHERE to_us - from_us > 86400000000;
CREATE INDEX gone_span_by_run ON gone_span (run_id, first_sequence);

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
