-- What "Account" adds: the signed log, text behind commitments, pauses, alarms, and corrections of time.

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
