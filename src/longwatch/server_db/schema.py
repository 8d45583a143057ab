"""The tables of `server.db`. A migration in `migrations/versions` makes each of them; a test holds the two equal."""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()

# cameras: JSON list of camera ids that are allowed; NULL means all. password: argon2id with its parameters; "" where the user has
# none. disabled: lets nobody in, and keeps the account. passkey_only: the password opens nothing. handle: WebAuthn's user handle, 32 random bytes.
users = sa.Table(
    "users",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(80), nullable=False, unique=True),
    sa.Column("password", sa.String(300), nullable=False),
    sa.Column("role", sa.String(20), nullable=False),
    sa.Column("cameras", sa.JSON(none_as_null=True)),
    sa.Column("created_us", sa.BigInteger, nullable=False),
    sa.Column("disabled", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("passkey_only", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("handle", sa.LargeBinary(64)),
)

tokens = sa.Table(
    "tokens",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(80), nullable=False, unique=True),
    sa.Column("sha256", sa.LargeBinary(32), nullable=False, unique=True),  # of the bearer token
    sa.Column("role", sa.String(20), nullable=False),
    sa.Column("cameras", sa.JSON(none_as_null=True)),
    sa.Column("created_us", sa.BigInteger, nullable=False),
    sa.Column("expires_us", sa.BigInteger),
)

# by: how its user signed in. seen_us: about when it was last used. address, agent: clear text about a person, shown to that person
# alone; it goes with the session, and with an erasure.
sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("sha256", sa.LargeBinary(32), primary_key=True),  # of the cookie's token
    sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("created_us", sa.BigInteger, nullable=False),
    sa.Column("expires_us", sa.BigInteger, nullable=False),
    sa.Column("seen_us", sa.BigInteger, nullable=False, server_default=sa.text("0")),
    sa.Column("by", sa.String(20), nullable=False, server_default=sa.text("'password'")),
    sa.Column("address", sa.String(60), nullable=False, server_default=sa.text("''")),
    sa.Column("agent", sa.String(160), nullable=False, server_default=sa.text("''")),
)

# WebAuthn credentials. host: the relying party's id that it was made for. synced: it may be on more devices than one.
passkeys = sa.Table(
    "passkeys",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("credential", sa.LargeBinary(1023), nullable=False, unique=True),
    sa.Column("public_key", sa.LargeBinary(2048), nullable=False),
    sa.Column("sign_count", sa.BigInteger, nullable=False),
    sa.Column("name", sa.String(80), nullable=False),
    sa.Column("host", sa.String(253), nullable=False),
    sa.Column("synced", sa.Boolean, nullable=False),
    sa.Column("transports", sa.JSON(none_as_null=True)),
    sa.Column("created_us", sa.BigInteger, nullable=False),
    sa.Column("used_us", sa.BigInteger),
)

# Who somebody is at an OpenID Connect provider: by issuer and subject, never by e-mail. provisioned: the provider made the user.
identities = sa.Table(
    "identities",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("issuer", sa.String(500), nullable=False),
    sa.Column("sub", sa.String(255), nullable=False),
    sa.Column("provisioned", sa.Boolean, nullable=False),
    sa.Column("created_us", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("issuer", "sub"),
)

# One-time codes with which a user sets a password: at most one each.
codes = sa.Table(
    "codes",
    metadata,
    sa.Column("sha256", sa.LargeBinary(32), primary_key=True),
    sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False, unique=True),
    sa.Column("expires_us", sa.BigInteger, nullable=False),
)

# What a user likes, as the console writes it: JSON of at most 64 KiB for each name.
preferences = sa.Table(
    "preferences",
    metadata,
    sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

# Keys of this server alone, such as the one that signs URLs.
keys = sa.Table(
    "keys",
    metadata,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("value", sa.LargeBinary(64), nullable=False),
)

# The number by which the ledger knows an account; never used twice. It goes with the account.
subjects = sa.Table(
    "subjects",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("kind", sa.String(5), nullable=False),  # user or token
    sa.Column("account", sa.Integer, nullable=False),
    sa.UniqueConstraint("kind", "account"),
    sqlite_autoincrement=True,
)

# Entries about people that the recorder does not have yet. held: not to be delivered before its minute is over.
outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("kind", sa.String(40), nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("subject", sa.Integer, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("held", sa.Boolean, nullable=False),
    sqlite_autoincrement=True,
)

# dropped, dropped_from_us, dropped_to_us: what found no room in the outbox, until that is told.
counters = sa.Table(
    "counters",
    metadata,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
)

# What people had exported. by, who, reason: clear text about a person, gone with an erasure. files: JSON, as `exports.ExportedFile`.
exports = sa.Table(
    "exports",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("cameras", sa.JSON, nullable=False),
    sa.Column("stream", sa.String(40), nullable=False),
    sa.Column("from_us", sa.BigInteger, nullable=False),
    sa.Column("to_us", sa.BigInteger, nullable=False),
    sa.Column("every_us", sa.BigInteger),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("subject", sa.BigInteger, nullable=False),
    sa.Column("by", sa.String(80), nullable=False),
    sa.Column("who", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("created_us", sa.BigInteger, nullable=False),
    sa.Column("started_us", sa.BigInteger),
    sa.Column("ended_us", sa.BigInteger),
    sa.Column("bytes_estimated", sa.BigInteger, nullable=False),
    sa.Column("files", sa.JSON, nullable=False),
    sa.Column("problem", sa.JSON(none_as_null=True)),
    sa.Column("why_gone", sa.String(20), nullable=False),
    sqlite_autoincrement=True,
)

# Objects that wait for the hub, by the SHA-256 of their bytes. rank: of its class (`model.uplink.Class`). order: within it. request: the hub's
# number of a person's request, 0 for none. info: JSON, as `ObjectInfo.as_json`. Written by `replication.outbox` alone.
uplink_objects = sa.Table(
    "uplink_objects",
    metadata,
    sa.Column("sha256", sa.LargeBinary(32), primary_key=True),
    sa.Column("rank", sa.Integer, nullable=False),
    sa.Column("order", sa.BigInteger, nullable=False),
    sa.Column("request", sa.BigInteger, nullable=False),
    sa.Column("info", sa.Text, nullable=False),
)

# Stretches of footage that go to a hub: asked for there (request: its number there), or around an alarm or a gap (request 0). rank: the class
# (model.uplink.Class). next_us: up to here its segments were handed to the uplink. state: queued, sent (all was handed over), gone, withdrawn.
stretches = sa.Table(
    "stretches",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("rank", sa.Integer, nullable=False),
    sa.Column("request", sa.BigInteger, nullable=False),
    sa.Column("camera", sa.String(40), nullable=False),
    sa.Column("stream", sa.String(40), nullable=False),
    sa.Column("from_us", sa.BigInteger, nullable=False),
    sa.Column("to_us", sa.BigInteger, nullable=False),
    sa.Column("next_us", sa.BigInteger, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("asked_us", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("rank", "request", "camera", "stream", "from_us", "to_us"),
    sqlite_autoincrement=True,
)

# How far what is sent by itself has come: `bulk` the number of a segment in the index; `alarms`, `gaps` numbers of theirs; `strips/CAMERA` a moment.
feeds = sa.Table(
    "feeds",
    metadata,
    sa.Column("name", sa.String(100), primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
)

# What was seen (`model.events.Event`). level: `model.event_levels`. zones, best_box: JSON. pictured_us: the moment that its stored picture shows, -1 where none can
# be made, NULL while it is still to be. reviewed_by: clear text about a person, gone with an erasure. rev: of its last change that a hub is to hear of; rises
# over all of them (`event_lives`). rev_last_us: its `last_us` then. sent_us: the moment that the picture shows that went to a hub, or is not to go. Written by
# `events.store` and `events.outgoing` alone.
UNPICTURED = "(pictured_us IS NULL OR (pictured_us != best_us AND pictured_us >= 0 AND to_us IS NOT NULL))"
"""Of `events`: a picture is to be made, or a better one. Asked for in these very words, for SQLite to find the index."""
events = sa.Table(
    "events",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("camera", sa.String(40), nullable=False),
    sa.Column("kind", sa.String(40), nullable=False),
    sa.Column("level", sa.Integer, nullable=False),
    sa.Column("from_us", sa.BigInteger, nullable=False),
    sa.Column("to_us", sa.BigInteger),
    sa.Column("last_us", sa.BigInteger, nullable=False),
    sa.Column("score", sa.Float, nullable=False),
    sa.Column("zones", sa.Text, nullable=False),
    sa.Column("best_us", sa.BigInteger, nullable=False),
    sa.Column("best_box", sa.Text, nullable=False),
    sa.Column("count", sa.BigInteger, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("twin", sa.String(40), nullable=False),
    sa.Column("pictured_us", sa.BigInteger),
    sa.Column("reviewed_us", sa.BigInteger),
    sa.Column("reviewed_subject", sa.BigInteger),
    sa.Column("reviewed_by", sa.String(80), nullable=False),
    sa.Column("rev", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("rev_last_us", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("sent_us", sa.BigInteger),
    sa.Index("ix_events_rev", "rev"),
    sa.Index(
        "ix_events_unsent",
        "from_us",
        sqlite_where=sa.text("pictured_us >= 0 AND (sent_us IS NULL OR sent_us != pictured_us)"),
    ),
    sa.Index("ix_events_unpictured", "from_us", sqlite_where=sa.text(UNPICTURED)),
    sa.Index("ix_events_from", "from_us", "id"),
    sa.Index("ix_events_camera", "camera", "from_us"),
    sa.Index("ix_events_kind", "kind", "from_us"),
)

# Who gave the numbers `events.rev`: from `first_rev` on it was this life of the server's, a number chosen by chance at its start (`model.uplink.Position`). post: at a
# hub, whose events it tells the hub above; "" is this site's own. A number of the past that stands beside another life here was given by a table that is gone.
event_lives = sa.Table(
    "event_lives",
    metadata,
    sa.Column("post", sa.String(40), primary_key=True),
    sa.Column("life", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("first_rev", sa.BigInteger, nullable=False),
)

# Messages to people (docs/design/notify.md). key: for ever the same, by which receivers know a repetition. threads: JSON list of what it speaks
# of; cameras: JSON list of ids. settled_us, settled_by: when somebody acknowledged it, by the number of the account.
notify_messages = sa.Table(
    "notify_messages",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("key", sa.String(200), nullable=False, unique=True),
    sa.Column("rule", sa.String(40), nullable=False),
    sa.Column("recipient", sa.String(80), nullable=False),
    sa.Column("why", sa.String(20), nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("link", sa.Text, nullable=False),
    sa.Column("grave", sa.Boolean, nullable=False),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("held", sa.Integer, nullable=False),
    sa.Column("made_us", sa.BigInteger, nullable=False, index=True),
    sa.Column("threads", sa.JSON, nullable=False),
    sa.Column("cameras", sa.JSON, nullable=False),
    sa.Column("settled_us", sa.BigInteger),
    sa.Column("settled_by", sa.BigInteger),
    sa.Column("told", sa.JSON),
    sqlite_autoincrement=True,
)

# One message by one channel to one target ("" where the channel has one). language: that it is written in; where the message's `told` has no
# words in it ([title, body] by language), its own title and body are. state: waiting, sent, failed (given up), summarised (told in a later
# message). next_us: not before. problem: of the last attempt.
notify_deliveries = sa.Table(
    "notify_deliveries",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column(
        "message", sa.Integer, sa.ForeignKey("notify_messages.id", ondelete="CASCADE"), nullable=False, index=True
    ),
    sa.Column("channel", sa.String(40), nullable=False),
    sa.Column("target", sa.String(40), nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("made_us", sa.BigInteger, nullable=False),
    sa.Column("next_us", sa.BigInteger, nullable=False),
    sa.Column("ended_us", sa.BigInteger),
    sa.Column("problem", sa.Text, nullable=False),
    sa.Column("language", sa.String(8), nullable=False, server_default=sa.text("''")),
    sa.Index("notify_waiting", "channel", "state", "next_us"),
    sqlite_autoincrement=True,
)

# Each attempt at a delivery, the last of many: outcome is sent, again or failed.
notify_attempts = sa.Table(
    "notify_attempts",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column(
        "delivery", sa.Integer, sa.ForeignKey("notify_deliveries.id", ondelete="CASCADE"), nullable=False, index=True
    ),
    sa.Column("at_us", sa.BigInteger, nullable=False),
    sa.Column("took_ms", sa.Integer, nullable=False),
    sa.Column("outcome", sa.String(20), nullable=False),
    sa.Column("problem", sa.Text, nullable=False),
)

# Where rules and feeds stand, as JSON: `rules`, `alarms`, `conditions`.
notify_state = sa.Table(
    "notify_state",
    metadata,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

# Browsers for which a user switched web push on. endpoint, p256dh, auth: as the browser gave them (RFC 8030, 8291). language: that it asked for
# pages in; "" where it was not known.
push_browsers = sa.Table(
    "push_browsers",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("endpoint", sa.String(1000), nullable=False, unique=True),
    sa.Column("p256dh", sa.String(100), nullable=False),
    sa.Column("auth", sa.String(40), nullable=False),
    sa.Column("agent", sa.String(160), nullable=False),
    sa.Column("created_us", sa.BigInteger, nullable=False),
    sa.Column("used_us", sa.BigInteger),
    sa.Column("language", sa.String(8), nullable=False, server_default=sa.text("''")),
    sqlite_autoincrement=True,
)
