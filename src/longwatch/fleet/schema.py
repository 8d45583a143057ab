"""The tables of a hub's fleet, the same in SQLite and PostgreSQL. A migration in `migrations/versions` makes each; a test holds them equal.

Times: `_us` is microseconds since 1970 UTC. Spans are half-open. Everything that grows begins its key with `post` (posts.number): in
PostgreSQL those tables are partitioned by its hash, so that a thousand posts are many small tables rather than a few large ones.
What is not an `_us`, a count or a name is bytes as they came: entries, notes, hashes.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.schema import SchemaItem

DAY_US = 86_400_000_000
metadata = sa.MetaData()
Big = sa.BigInteger().with_variant(sa.Integer, "sqlite")
"""64 bits in both: SQLite counts up by itself only in a column that is called INTEGER."""

PARTITIONED = (
    "entries", "segments", "spans", "gaps", "gone", "held", "objects", "pieces", "mentions", "wide_days", "events",
)  # fmt: skip


def _bytes(name: str, *, null: bool = False) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary, nullable=null)


def _big(name: str, *, key: bool = False, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, primary_key=key, nullable=null, autoincrement=False)


def _int(name: str, *, key: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, primary_key=key, nullable=False, autoincrement=False)


def _text(name: str, *, key: bool = False, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=key, nullable=null)


def _table(name: str, *columns: SchemaItem) -> sa.Table:
    if name in PARTITIONED:
        return sa.Table(name, metadata, *columns, postgresql_partition_by="HASH (post)")
    return sa.Table(name, metadata, *columns)


# Enrolled posts. serial: of the certificate that is good now. origin, key: of the log as enrolled. via: JSON, hubs between it and us. era:
# rises where the post was enrolled anew with another data folder: its numbers begin again. site, status: JSON as told last. settings: JSON,
# key to value, as its entries add up. told_us: clock of its last
# verified entry.
posts = _table(
    "posts",
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    _text("name"), _text("serial"), _text("origin"), _bytes("key"), _text("via"), _int("era"), _big("enrolled_us"),
    _big("revoked_us", null=True), _text("revoked_why"), _text("site"), _text("status"), _big("status_us", null=True),
    _text("settings"), _big("told_us"),
)  # fmt: skip

# Logs of posts, never merged. size: entries held (the cursor). verified: covered by a head that fitted; peaks: the tree there, one hash for
# each bit of `verified`. applied: entries that the index is made of. base, base_size: entries [0, base_size) are those of the log `base`.
# note: the newest head that fitted; cosigned: with our signature.
logs = _table(
    "logs", _int("post", key=True), _int("era", key=True), _int("number", key=True), _text("origin"), _bytes("key"), _big("size"),
    _big("verified"), _bytes("peaks"), _big("applied"), _int("base"), _big("base_size"), _text("note"), _text("cosigned"), _big("at_us"),
)  # fmt: skip

# Entries as their canonical bytes. log: the one they came with first.
entries = _table(
    "entries", _int("post", key=True), _int("era", key=True), _int("log", key=True), _big("seq", key=True), _bytes("entry")
)  # fmt: skip

# What a post sent and did not fit (answers.Doubt), as it came. told: it stands in the hub's own ledger.
evidence = _table(
    "evidence", sa.Column("id", Big, primary_key=True), _int("post"), _int("era"), _int("number"), _text("doubt"), _text("why"),
    _text("note"), _bytes("entry"), _big("at_us"), _int("told"),
)  # fmt: skip

# until_us: up to here everything of it was told; open_us: where the first gap begins that is open. sealed_seq: of its last seal: gaps that were told since lie within the next. longest_us: its
# longest segment. first_us, last_us: begin of the first footage and end of the last that was ever told. segments_here, bytes_here: of what
# is held here.
streams = _table(
    "streams",
    sa.Column("id", sa.Integer, primary_key=True),
    _int("post"), _text("camera"), _text("name"), _big("set_up_us", null=True), _big("until_us"), _big("open_us", null=True), _big("sealed_seq"), _big("longest_us"),
    _big("first_us", null=True), _big("last_us", null=True), _big("segments_here"), _big("bytes_here"),
    sa.UniqueConstraint("post", "camera", "name"),
)  # fmt: skip

# shift_us: by how much corrections moved it. provenance: as corrected; NULL as sealed.
runs = _table(
    "runs",
    sa.Column("id", Big, primary_key=True),
    _int("post"), _text("boot"), _big("number"), _int("stream"), _big("shift_us"), sa.Column("provenance", sa.Integer),
    sa.UniqueConstraint("post", "boot", "number"),
)  # fmt: skip

# Sealed segments. root, closing: as sealed (closing: SHA-256 of the closing box, empty where the entry has none). from_us, to_us: as placed
# now. flags: 2 damaged, 4 recovered. gone: the post removed it. What only its closing box and header tell is NULL until they are here.
# closing_here: the closing box is here. leaves_here, bytes_here: header and fragments that are here.
segments = _table(
    "segments", _int("post", key=True), _big("run", key=True), _int("sequence", key=True), _int("stream"), _big("seq"), _int("flags"),
    _int("provenance"), _bytes("root"), _bytes("closing"), _big("fragments"), _big("durable_bytes"), _big("from_us"), _big("to_us"),
    _int("gone"), _big("header_bytes", null=True), _big("start_90k", null=True), _big("end_90k", null=True), _int("closing_here"),
    _int("leaves_here"), _big("bytes_here"),
    sa.Index("segments_by_stream", "stream", "from_us"),
    sa.Index("segments_here", "stream", "from_us", sqlite_where=sa.text("closing_here > 0"), postgresql_where=sa.text("closing_here > 0")),
)  # fmt: skip

# What was recorded. to_us: as the seals say; reach_us: up to the gap or run that follows within three seconds (the last sample covers it).
spans = _table(
    "spans", _int("post", key=True), _int("stream", key=True), _big("from_us", key=True), _big("run", key=True), _big("to_us"),
    _big("reach_us"), _int("provenance"),
    sa.Index("spans_by_end", "stream", "to_us"),
    sa.Index("spans_by_run", "run", "from_us"),
    sa.Index("spans_long", "stream", "from_us", sqlite_where=sa.text(f"reach_us - from_us > {DAY_US}"), postgresql_where=sa.text(f"reach_us - from_us > {DAY_US}")),
)  # fmt: skip

# Why there is nothing. id: as the post numbers them. to_us: NULL while open. evidence: JSON.
gaps = _table(
    "gaps", _int("post", key=True), _int("stream", key=True), _big("from_us", key=True), _int("era", key=True), _big("id", key=True),
    _big("to_us", null=True), _text("cause"), _text("evidence"), _big("opened_seq"),
    sa.Index("gaps_by_id", "post", "era", "id"),
    sa.Index("gaps_by_entry", "stream", "opened_seq"),
    sa.Index("gaps_long", "stream", "from_us", sqlite_where=sa.text(f"to_us IS NULL OR to_us - from_us > {DAY_US}"), postgresql_where=sa.text(f"to_us IS NULL OR to_us - from_us > {DAY_US}")),
)  # fmt: skip

# What the post removed: one row for a stretch of one run and one fate (model.stores.Fate), by sequence, merged.
gone = _table(
    "gone", _int("post", key=True), _int("stream", key=True), _big("from_us", key=True), _big("run", key=True), _int("first", key=True),
    _big("to_us"), _int("last"), _int("fate"),
    sa.Index("gone_by_run", "run", "first"),
    sa.Index("gone_long", "stream", "from_us", sqlite_where=sa.text(f"to_us - from_us > {DAY_US}"), postgresql_where=sa.text(f"to_us - from_us > {DAY_US}")),
)  # fmt: skip

# What is held here: one row for a stretch of one run, merged.
held = _table(
    "held", _int("post", key=True), _int("stream", key=True), _big("from_us", key=True), _big("run", key=True), _big("to_us"),
    sa.Index("held_by_run", "run", "from_us"),
    sa.Index("held_long", "stream", "from_us", sqlite_where=sa.text(f"to_us - from_us > {DAY_US}"), postgresql_where=sa.text(f"to_us - from_us > {DAY_US}")),
)  # fmt: skip

# Objects that are here: durable in the store under their hash. A row is the confirmation. ref: what it is here as (objects.ref_of): two cameras
# may send the same black picture. at_us: of pictures.
objects = _table(
    "objects", _int("post", key=True), sa.Column("sha256", sa.LargeBinary, primary_key=True), _text("ref", key=True), _text("kind"), _big("size"), _text("camera"),
    _text("stream"), _big("at_us"), _big("confirmed_us"),
    sa.Index("objects_by_hash", "sha256"),
    sa.Index("objects_by_ref", "post", "ref"),
    sa.Index("objects_by_time", "post", "kind", "camera", "at_us"),
)  # fmt: skip

# Consecutive leaves [first..last] of a segment that are here: leaf 0 is its header, leaf n its n-th fragment. from_us: where it stands, for
# retention.
pieces = _table(
    "pieces", _int("post", key=True), _big("run", key=True), _int("sequence", key=True), _int("first", key=True), _int("last"),
    _bytes("sha256"), _big("size"), _int("stream"), _big("from_us"),
    sa.Index("pieces_by_age", "from_us"),
    sa.Index("pieces_by_stream", "stream", "from_us"),
)  # fmt: skip

# Objects without a row that may still be in the store: what retention took, until it is deleted there.
removals = _table("removals", sa.Column("sha256", sa.LargeBinary, primary_key=True), _big("at_us"))

# Alarms of posts, as their entries tell them; number: as the post numbers them.
alarms = _table(
    "alarms",
    sa.Column("id", Big, primary_key=True),
    _int("post"), _int("era"), _big("number"), _text("kind"), _text("camera"), _big("raised_us"), _big("ended_us", null=True),
    _big("acknowledged_seq", null=True), _big("acknowledged_us", null=True), _big("repeats"), _text("body"),
    sa.UniqueConstraint("post", "era", "number"),
)  # fmt: skip

# Holds that stand at posts. parts: JSON, [[camera, stream]]; stream "" is all of them.
holds = _table(
    "holds",
    sa.Column("id", Big, primary_key=True),
    _int("post"), _int("era"), _big("number"), _text("parts"), _big("from_us"), _big("to_us"), _big("until_us", null=True),
    _text("authority"), _big("placed_us"), _big("seq"), _big("ended_us", null=True), _text("ended_why"), _big("ended_seq", null=True),
    _big("warned_days"), _text("overruled"),
    sa.UniqueConstraint("post", "era", "number"),
)  # fmt: skip

# Cameras that an operator paused at the post.
pauses = _table(
    "pauses", _int("post", key=True), _text("camera", key=True), _text("kind"), _big("since_us"), _big("until_us", null=True), _big("seq")
)  # fmt: skip

# Which entries speak of a person, by the post's number for that person: no clear text of anybody comes to a hub.
mentions = _table(
    "mentions", _int("post", key=True), _int("era", key=True), _big("seq", key=True), _int("log"), _big("at_us"), _big("subject"),
    _text("kind"), _text("camera"),
    sa.Index("mentions_by_time", "at_us"),
)  # fmt: skip

# A day (UTC, since 1970) of a stream for wide views, packed (timeline/wide.py). Nothing but what the rows above say; it goes with any
# change of them, and a day without a row is read from them.
wide_days = _table(
    "wide_days", _int("post", key=True), _int("day", key=True), _int("stream", key=True), _bytes("pieces"),
    sa.Index("wide_days_by_day", "day", "stream"),
)  # fmt: skip

# What posts saw, as they told it last. id, camera, twin: with the post's id and a dot before them, as they are called here. pictured_us: the moment that the post's picture of it
# shows, -1 for none ever, NULL for none yet; whether that picture is here `objects` says. told_reviewed_us: somebody at the post marked it; reviewed_*: somebody here
# did; reviewed_by is clear text, gone with an erasure. asked_us: when somebody here asked for its picture, -1 where the post has none any more. rev: of its last
# change here, by post; first_rev: of the one it came with.
events = _table(
    "events", _int("post", key=True), _text("id", key=True), _text("camera"), _text("kind"), _int("level"),
    _big("from_us"), _big("to_us", null=True), _big("last_us"), sa.Column("score", sa.Float, nullable=False), _text("zones"), _big("best_us"),
    _text("best_box"), _big("count"), _text("detail"), _text("twin"), _big("pictured_us", null=True), _big("told_reviewed_us", null=True),
    _big("reviewed_us", null=True), _big("reviewed_subject", null=True), _text("reviewed_by"), _big("asked_us", null=True), _big("rev"),
    _big("first_rev"),
    sa.Index("events_by_time", "from_us", "id"),
    sa.Index("events_by_camera", "camera", "from_us"),
    sa.Index("events_by_rev", "post", "rev"),
    sa.Index("events_asked", "post", sqlite_where=sa.text("asked_us > 0"), postgresql_where=sa.text("asked_us > 0")),
)  # fmt: skip

# How far the events of a post have come here (`model.uplink.Position`: life, rev), and which lives were before, JSON. newest: the last `events.rev` of it.
event_feeds = _table("event_feeds", _int("post", key=True), _big("life"), _big("rev"), _text("lives"), _big("newest"))

requests = _table(
    "requests",
    sa.Column("id", sa.Integer, primary_key=True),
    _int("post"), _text("camera"), _text("stream"), _big("from_us"), _big("to_us"), _text("by"), _text("reason"), _text("state"),
    _big("bytes"), _big("done_bytes"), _big("eta_s", null=True), _big("created_us"), _big("changed_us"),
    sa.Index("requests_open", "post", "state"),
)  # fmt: skip

# signed: as it goes over the link; empty until it is signed.
commands = _table(
    "commands",
    sa.Column("id", sa.Integer, primary_key=True),
    _int("post"), _text("kind"), _text("body"), _text("by"), _text("reason"), _bytes("signed"), _text("state"), _text("answer"),
    _big("created_us"), _big("changed_us"),
    sa.Index("commands_open", "post", "state"),
)  # fmt: skip

# Bundles that this hub was given, by the hash of the whole file. manifest: their bundle.json. signers: JSON, ids of keys.
releases = _table(
    "releases", sa.Column("sha256", sa.LargeBinary, primary_key=True), _text("version"), _big("size"), _text("manifest"), _text("signers"),
    _text("by"), _big("added_us"),
)  # fmt: skip

# A release on its way to posts. posts: JSON, [[id, number of its command or null]], in order. subject: of whoever ordered it.
rollouts = _table(
    "rollouts",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("sha256", sa.LargeBinary, nullable=False),
    _text("version"), _big("subject"), _text("by"), _text("reason"), _text("state"), _text("why"), _text("posts"), _big("created_us"),
    _big("changed_us"),
)  # fmt: skip

# Connections of posts. id rises: it is the fence by which an older one is told from the one that counts. process: which of the hub's holds it.
contacts = _table(
    "contacts",
    sa.Column("id", Big, primary_key=True),
    _int("post"), _big("from_us"), _big("seen_us"), _big("to_us", null=True), _text("address"),
    sa.Column("process", sa.Text, nullable=False, server_default=""),
    sa.Index("contacts_by_post", "post", "from_us"),
)  # fmt: skip

# One-time codes. sha256: of the secret. post: an id, enrolled or not yet.
invites = _table(
    "invites", sa.Column("sha256", sa.LargeBinary, primary_key=True), _text("post"), _big("created_us"), _big("expires_us"),
    _big("used_us", null=True), _text("by"),
)  # fmt: skip

# Certificates of sites. serial: in hex. post: an id, enrolled or revoked. key_sha256: of the public key asked for. used_us: of its first
# connection; those before it are retired then.
certificates = _table(
    "certificates", _text("serial", key=True), _text("post"), _bytes("key_sha256"), _text("pem"), _big("issued_us"), _big("expires_us"),
    _big("used_us", null=True), _big("retired_us", null=True),
    sa.Index("certificates_by_post", "post"),
)  # fmt: skip

# Processes of this hub. folder: of its data, so that no two take one name. life: rises with every start. ended_us: it said that it ends.
processes = _table(
    "processes", _text("name", key=True), _text("folder"), _big("life"), _text("address"), _text("version"), _big("started_us"),
    _big("seen_us"), _big("ended_us", null=True),
)  # fmt: skip
