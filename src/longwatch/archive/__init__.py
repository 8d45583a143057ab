"""The only room that touches a post's media, index and ledger: volumes, segment files, SQLite, recovery, retention, check.

Comes in: `ops` (what the recorder wants to be durable), one batch per volume and tick. Promises: what a `TickResult`
acknowledges is never lost (docs/design/segment-lifecycle.md, numbered steps); no media is deleted in an error path.
One writer: the recorder process, through `Archive`; everyone else reads through `ArchiveReader`, read-only.
"""
