"""What an entry may be about. The bodies are listed in docs/ref/ledger-format.md; a test proves the two equal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from longwatch.model.sessions import StreamKey

START = "recorder_started"  # the recorder; carries the last heartbeat and what recovery found
STOP = "recorder_stopped"  # the recorder; an orderly end
SETTINGS = "settings_applied"  # the recorder; cameras added, changed, removed
SETTINGS_REFUSED = "settings_refused"  # the recorder; the old ones stay
CLOCK_STEP = "clock_step"  # the recorder
CLOCK_UNSTEADY = "clock_unsteady"  # the recorder
RETENTION_APPROVED = "retention_approved"  # the recorder; an operator vouched for the clock
TASK_DIED = "task_died"  # the recorder
SEGMENT_SEALED = "segment_sealed"  # the archive, with the seal
SEGMENTS_RECOVERED = "segments_recovered"  # the archive, at opening
SEGMENTS_REMOVED = "segments_removed"  # the archive, by retention
INDEX_REBUILT = "index_rebuilt"  # the archive, at opening
STREAM_SET_UP = "stream_set_up"  # the archive, once a stream
LOG_BEGUN = "log_begun"  # the archive, when a signed log begins
LEDGER_RESTORED = "ledger_restored"  # the archive, at opening
STORAGE_FAILED = "storage_failed"  # the archive, of a failing tick
STORAGE_FULL = "storage_full"  # the archive, of a failing tick
STORAGE_READMITTED = "storage_readmitted"  # the archive
GAP_OPENED = "gap_opened"  # the archive, with the row
GAP_REFINED = "gap_refined"  # the archive, with the row
GAP_CLOSED = "gap_closed"  # the archive, with the row
PAUSED = "paused"  # the archive, with the row: a person pauses a camera
RESUMED = "resumed"  # the archive, with the row
ALARM_RAISED = "alarm_raised"  # the archive, with the row
ALARM_REFINED = "alarm_refined"  # the archive, with the row
ALARM_REPEATED = "alarm_repeated"  # the archive, with the row
ALARM_ENDED = "alarm_ended"  # the archive, with the row
ALARM_ACKNOWLEDGED = "alarm_acknowledged"  # the archive, with the row: by a person
HOLD_PLACED = "hold_placed"  # the archive, with the row: a person protects footage from removal
HOLD_ENDED = "hold_ended"  # the archive, with the row: by a person, by its own end, or by the law
HOLD_WARNED = "hold_warned"  # the archive, with the row: max_age is going to take from a hold
HOLD_OVERRULED = "hold_overruled"  # the archive, before it goes: footage of a hold is removed all the same
TIME_CORRECTED = "time_corrected"  # the archive, with the rows: runs are placed anew
REPORT_MADE = "report_made"  # who makes a report: its files by their hashes
COMMAND_GIVEN = "command_given"  # a hub, before it is told; about a person
COMMAND_WITHDRAWN = "command_withdrawn"  # a hub; about a person
COMMAND_TAKEN = "command_taken"  # the server of a post, before it takes effect; about a person at its hub
COMMAND_RETURNED = (
    "command_returned"  # the server of a post: the hub was out of reach after a change, and the old settings are back
)
UPGRADE_ORDERED = "upgrade_ordered"  # the server of a post, before anything of it is done; about a person
UPGRADE_SWITCHED = "upgrade_switched"  # the server of a post, before anything is started from the new version
UPGRADE_ENDED = "upgrade_ended"  # the server of a post: kept, returned or refused, and why
RELEASE_ADDED = "release_added"  # a hub: a bundle that may be sent to posts; about a person
RELEASE_REMOVED = "release_removed"  # a hub; about a person
ROLLOUT_ORDERED = "rollout_ordered"  # a hub, before any post is told; about a person
ROLLOUT_STOPPED = "rollout_stopped"  # a hub: by a person, or by itself once a post went back
STATEMENT_MADE = "statement_made"  # a hub: what is left of a post, its files by their hashes; about a person
POWER_CHANGED = "power_changed"  # the recorder: what the UPS says of the mains
PORT_CHANGED = "port_changed"  # the recorder: what a switch, relay or meter says of a camera's power
STOP_ASKED = "stop_asked"  # the recorder: a person stops the post
EXPORT_BEGUN = "export_begun"  # who exports, before anything is read
EXPORT_MADE = "export_made"  # who exports: what the evidence package or the file holds
EXPORT_TAKEN = "export_taken"  # the server; a person fetches a file that was exported
EXPORT_DELETED = "export_deleted"  # the server; an export's files are removed, by a person or by age
LOGIN = "login"  # the server; about a person
LOGIN_REFUSED = "login_refused"  # the server; about a person, one entry a minute and address
LOGOUT = "logout"  # the server; about a person
ACCOUNT_CHANGED = "account_changed"  # the server or a verb; about a person
VIEWING = "viewing"  # the server; about a person
AUDIT_READ = "audit_read"  # the server or a verb; about a person
ENTRIES_DROPPED = "entries_dropped"  # the server; what found no room while the recorder was away
PERSONAL_ERASED = "personal_erased"  # the archive, in the transaction that erases
HUB_JOINED = "hub_joined"  # a post, or a hub below another; about a person
HUB_LEFT = "hub_left"  # a post, or a hub below another; about a person
POST_INVITED = "post_invited"  # a hub; about a person
POST_JOINED = "post_joined"  # a hub: a code was used; about somebody who did not sign in
POST_RENEWED = "post_renewed"  # a hub: a newer certificate for a site; about somebody who did not sign in
POST_REVOKED = "post_revoked"  # a hub; about a person
FOOTAGE_ASKED = "footage_asked"  # the server of a post: what a person at its hub wants there, and what is sent
REQUEST_MADE = "request_made"  # the server of a hub; a person wants a stretch here
REQUEST_WITHDRAWN = "request_withdrawn"  # the server of a hub; about a person
COURIER_BEGUN = "courier_begun"  # a verb at a post, before anything is written to a disk; about a person
COURIER_PACKED = "courier_packed"  # a verb at a post: what lies on the disk; about a person
COURIER_CONFIRMED = "courier_confirmed"  # a verb at a post: the hub's receipt came back; about a person
COURIER_UNPACKED = "courier_unpacked"  # a verb at a hub: what was taken from a disk; about a person
CHECKPOINT_STAMPED = "checkpoint_stamped"  # the recorder, once the stamp is durable


def sealed(
    key: StreamKey, boot: str, run: int, sequence: int, root: bytes, fragments: int, durable_bytes: int,
    wall_start_us: int, wall_end_us: int, provenance: str, *, closing: bytes, recovered: bool = False, damaged: bool = False,
) -> dict[str, object]:  # fmt: skip
    """The body of `segment_sealed`: the RFC 6962 root of its leaves, their count, and the length they cover. closing: SHA-256 of
    the closing box, so that the sample index and every other word of it is proven without reading the media.
    """
    return {
        "boot": boot, "camera": key.camera, "closing": closing.hex(), "damaged": damaged, "durable_bytes": durable_bytes,
        "fragments": fragments, "provenance": provenance, "recovered": recovered, "root": root.hex(), "run": run,
        "sequence": sequence, "stream": key.stream, "wall_end_us": wall_end_us, "wall_start_us": wall_start_us,
    }  # fmt: skip


def gap_opened(key: StreamKey, gap: int, from_us: int, cause: str, evidence: Mapping[str, object]) -> dict[str, object]:
    """The body of `gap_opened`. gap: the row's id, which the later entries name."""
    return {
        "camera": key.camera, "cause": cause, "evidence": dict(evidence), "from_us": from_us, "gap": gap,
        "stream": key.stream,
    }  # fmt: skip


def gap_refined(gap: int, cause: str, evidence: Mapping[str, object]) -> dict[str, object]:
    """The body of `gap_refined`: the cause as it is known now."""
    return {"cause": cause, "evidence": dict(evidence), "gap": gap}


def gap_closed(gap: int, to_us: int, *, never_was: bool = False) -> dict[str, object]:
    """The body of `gap_closed`. never_was: the footage came after all, and the row went."""
    return {"gap": gap, "never_was": never_was, "to_us": to_us}


def hold_placed(
    hold: int, cameras: Sequence[str], streams: Sequence[str], from_us: int, to_us: int, *,
    until_us: int | None, authority: str, placed_us: int,
) -> dict[str, object]:  # fmt: skip
    """The body of `hold_placed`. hold: the row's id, which later entries name. streams: empty for all. authority: "" for none."""
    return {
        "authority": authority, "cameras": list(cameras), "from_us": from_us, "hold": hold, "placed_us": placed_us,
        "streams": list(streams), "to_us": to_us, "until_us": until_us,
    }  # fmt: skip


def export_begun(
    key: StreamKey, from_us: int, to_us: int, *, evidence: bool, every_us: int | None = None
) -> dict[str, object]:
    """The body of `export_begun`: a stretch is going to leave the post. evidence: as an evidence package. every_us: as a time-lapse, one
    picture so often; the key is left out else.
    """
    body: dict[str, object] = {
        "camera": key.camera, "evidence": evidence, "from_us": from_us, "stream": key.stream, "to_us": to_us,
    }  # fmt: skip
    return body if every_us is None else {**body, "every_us": every_us}


def export_file(key: StreamKey, from_us: int, to_us: int, sha256: str, begun: int) -> dict[str, object]:
    """The body of `export_made` for an mp4. sha256: of the whole file, in hex. begun: number of its `export_begun`."""
    return {
        "begun": begun, "camera": key.camera, "file_sha256": sha256, "from_us": from_us, "stream": key.stream, "to_us": to_us,
    }  # fmt: skip


def export_made(key: StreamKey, from_us: int, to_us: int, manifest: bytes, begun: int) -> dict[str, object]:
    """The body of `export_made`. manifest: SHA-256 of the package's manifest.json. begun: number of its `export_begun`."""
    return {
        "begun": begun, "camera": key.camera, "from_us": from_us, "manifest_sha256": manifest.hex(), "stream": key.stream,
        "to_us": to_us,
    }  # fmt: skip
