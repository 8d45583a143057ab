"""Posts, their logs, the index made of them, objects, and what people ask."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None
BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")
PARTITIONED = ("entries", "segments", "spans", "gaps", "gone", "held", "objects", "pieces", "mentions", "wide_days")
PARTS = 16


def upgrade() -> None:
    op.create_table(
        "alarms",
        sa.Column("id", BIG, nullable=False),
        sa.Column("post", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("era", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("camera", sa.Text(), nullable=False),
        sa.Column("raised_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ended_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("acknowledged_seq", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("acknowledged_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("repeats", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("post", "era", "number"),
    )
    op.create_table(
        "commands",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("post", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("signed", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("changed_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("commands_open", "commands", ["post", "state"], unique=False)
    op.create_table(
        "contacts",
        sa.Column("id", BIG, nullable=False),
        sa.Column("post", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("from_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("seen_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("to_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("address", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("contacts_by_post", "contacts", ["post", "from_us"], unique=False)
    op.create_table(
        "entries",
        sa.Column("post", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("era", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("log", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("entry", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("post", "era", "log", "seq"),
        postgresql_partition_by="HASH (post)",
    )
    op.create_table(
        "evidence",
        sa.Column("id", BIG, nullable=False),
        sa.Column("post", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("era", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("doubt", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("entry", sa.LargeBinary(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("told", sa.Integer(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "gaps",
        sa.Column("post", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("stream", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("from_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("era", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("to_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("opened_seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("post", "stream", "from_us", "era", "id"),
        postgresql_partition_by="HASH (post)",
    )
    op.create_index("gaps_by_entry", "gaps", ["stream", "opened_seq"], unique=False)
    op.create_index("gaps_by_id", "gaps", ["post", "era", "id"], unique=False)
    op.create_index(
        "gaps_long",
        "gaps",
        ["stream", "from_us"],
        unique=False,
        sqlite_where=sa.text("to_us IS NULL OR to_us - from_us > 86400000000"),
        postgresql_where=sa.text("to_us IS NULL OR to_us - from_us > 86400000000"),
    )
    op.create_table(
        "gone",
        sa.Column("post", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("stream", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("from_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("run", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("first", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("to_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("last", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("confirmed", sa.Integer(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("post", "stream", "from_us", "run", "first"),
        postgresql_partition_by="HASH (post)",
    )
    op.create_index("gone_by_run", "gone", ["run", "first"], unique=False)
    op.create_index(
        "gone_long",
        "gone",
        ["stream", "from_us"],
        unique=False,
        sqlite_where=sa.text("to_us - from_us > 86400000000"),
        postgresql_where=sa.text("to_us - from_us > 86400000000"),
    )
    op.create_table(
        "held",
        sa.Column("post", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("stream", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("from_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("run", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("to_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("post", "stream", "from_us", "run"),
        postgresql_partition_by="HASH (post)",
    )
    op.create_index("held_by_run", "held", ["run", "from_us"], unique=False)
    op.create_index(
        "held_long",
        "held",
        ["stream", "from_us"],
        unique=False,
        sqlite_where=sa.text("to_us - from_us > 86400000000"),
        postgresql_where=sa.text("to_us - from_us > 86400000000"),
    )
    op.create_table(
        "holds",
        sa.Column("id", BIG, nullable=False),
        sa.Column("post", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("era", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("parts", sa.Text(), nullable=False),
        sa.Column("from_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("to_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("until_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("authority", sa.Text(), nullable=False),
        sa.Column("placed_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ended_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("ended_why", sa.Text(), nullable=False),
        sa.Column("ended_seq", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("warned_days", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("overruled", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("post", "era", "number"),
    )
    op.create_table(
        "invites",
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("post", sa.Text(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("expires_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("used_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sha256"),
    )
    op.create_table(
        "logs",
        sa.Column("post", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("era", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("verified", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("peaks", sa.LargeBinary(), nullable=False),
        sa.Column("applied", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("base", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("base_size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("cosigned", sa.Text(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("post", "era", "number"),
    )
    op.create_table(
        "mentions",
        sa.Column("post", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("era", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("subject", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("camera", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("post", "era", "seq"),
        postgresql_partition_by="HASH (post)",
    )
    op.create_index("mentions_by_time", "mentions", ["at_us"], unique=False)
    op.create_table(
        "objects",
        sa.Column("post", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("camera", sa.Text(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("confirmed_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("post", "sha256", "ref"),
        postgresql_partition_by="HASH (post)",
    )
    op.create_index("objects_by_hash", "objects", ["sha256"], unique=False)
    op.create_index("objects_by_ref", "objects", ["post", "ref"], unique=False)
    op.create_index("objects_by_time", "objects", ["post", "kind", "camera", "at_us"], unique=False)
    op.create_table(
        "pauses",
        sa.Column("post", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("camera", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("since_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("until_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("post", "camera"),
    )
    op.create_table(
        "pieces",
        sa.Column("post", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("run", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sequence", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("first", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("last", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("stream", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("from_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("post", "run", "sequence", "first"),
        postgresql_partition_by="HASH (post)",
    )
    op.create_index("pieces_by_age", "pieces", ["from_us"], unique=False)
    op.create_index("pieces_by_stream", "pieces", ["stream", "from_us"], unique=False)
    op.create_table(
        "posts",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("via", sa.Text(), nullable=False),
        sa.Column("era", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("enrolled_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("revoked_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("revoked_why", sa.Text(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("status_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.Column("told_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("id"),
    )
    op.create_table(
        "removals",
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("sha256"),
    )
    op.create_table(
        "requests",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("post", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("camera", sa.Text(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("from_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("to_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("done_bytes", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("eta_s", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("created_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("changed_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("requests_open", "requests", ["post", "state"], unique=False)
    op.create_table(
        "runs",
        sa.Column("id", BIG, nullable=False),
        sa.Column("post", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("boot", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("stream", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("shift_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("provenance", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("post", "boot", "number"),
    )
    op.create_table(
        "segments",
        sa.Column("post", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("run", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sequence", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("stream", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("flags", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("provenance", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("closing", sa.LargeBinary(), nullable=False),
        sa.Column("fragments", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("durable_bytes", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("from_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("to_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("gone", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("header_bytes", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("start_90k", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("end_90k", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("closing_here", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("leaves_here", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("bytes_here", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("post", "run", "sequence"),
        postgresql_partition_by="HASH (post)",
    )
    op.create_index("segments_by_stream", "segments", ["stream", "from_us"], unique=False)
    op.create_index(
        "segments_here",
        "segments",
        ["stream", "from_us"],
        unique=False,
        sqlite_where=sa.text("closing_here > 0"),
        postgresql_where=sa.text("closing_here > 0"),
    )
    op.create_table(
        "spans",
        sa.Column("post", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("stream", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("from_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("run", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("to_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("reach_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("provenance", sa.Integer(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("post", "stream", "from_us", "run"),
        postgresql_partition_by="HASH (post)",
    )
    op.create_index("spans_by_end", "spans", ["stream", "to_us"], unique=False)
    op.create_index("spans_by_run", "spans", ["run", "from_us"], unique=False)
    op.create_index(
        "spans_long",
        "spans",
        ["stream", "from_us"],
        unique=False,
        sqlite_where=sa.text("reach_us - from_us > 86400000000"),
        postgresql_where=sa.text("reach_us - from_us > 86400000000"),
    )
    op.create_table(
        "streams",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("post", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("camera", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("set_up_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("until_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("open_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("sealed_seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("longest_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("first_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("last_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("segments_here", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("bytes_here", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("post", "camera", "name"),
    )
    op.create_table(
        "wide_days",
        sa.Column("post", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("stream", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("pieces", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("post", "day", "stream"),
        postgresql_partition_by="HASH (post)",
    )
    op.create_index("wide_days_by_day", "wide_days", ["day", "stream"], unique=False)
    if op.get_bind().dialect.name == "postgresql":
        for table in PARTITIONED:
            for part in range(PARTS):
                op.execute(
                    f"CREATE TABLE {table}_{part:02d} PARTITION OF {table} FOR VALUES WITH (MODULUS {PARTS}, REMAINDER {part})"
                )
