"""What an entry may be about. The bodies are listed in docs/ref/ledger-format.md; a test proves the two equal."""

from __future__ import annotations

from collections.abc import Mapping

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
STORAGE_FAILED = "storage_failed"  # the archive, of a failing tick
STORAGE_FULL = "storage_full"  # the archive, of a failing tick
STORAGE_READMITTED = "storage_readmitted"  # the archive
GAP_OPENED = "gap_opened"  # the archive, with the row
GAP_REFINED = "gap_refined"  # the archive, with the row
GAP_CLOSED = "gap_closed"  # the archive, with the row


def sealed(
    key: StreamKey, boot: str, run: int, sequence: int, root: bytes, fragments: int, durable_bytes: int,
    wall_start_us: int, wall_end_us: int, provenance: str, *, recovered: bool = False, damaged: bool = False,
) -> dict[str, object]:  # fmt: skip
    """The body of `segment_sealed`: the RFC 6962 root of its leaves, their count, and the length they cover."""
    return {
        "boot": boot, "camera": key.camera, "damaged": damaged, "durable_bytes": durable_bytes,
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
