"""What a check found, as the recorder tells it and as a verb does that makes one itself."""

from __future__ import annotations

from typing import Any

from longwatch.archive import CheckReport


def told(report: CheckReport) -> dict[str, Any]:
    """A report as JSON can carry it."""
    return {
        "ok": report.ok,
        "mode": report.mode.value,
        "segments": report.segments,
        "bytes": report.bytes,
        "entries": report.entries,
        "verified": report.verified,
        "findings": [
            {"kind": f.kind, "what": f.what, "detail": f.detail, "camera": f.camera, "mended": f.mended}
            for f in report.findings
        ],
        "by": "check",
    }
