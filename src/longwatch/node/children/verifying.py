"""Proves a data folder and tells it line by line: `python -m longwatch.node.children.verifying DATA [VOLUME ...]`, of low priority.

One JSON object a line on standard output: `{"part", "done", "of"}` as it goes, and at the end `{"verdict": ...}` or `{"failed": ...}`.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from longwatch.archive.verifying import verify_folder
from longwatch.base.errors import LongwatchError
from longwatch.base.rfc3339 import format_us
from longwatch.ledger.findings import Finding, Verdict

_EVERY_S = 0.5
_MOST_FINDINGS = 200
_NICE = 10
"""A ninth of what a busy recorder gets of a processor. At 19 it is a seventieth, and on a post that is always busy it would not end."""


def main(words: list[str]) -> int:
    """The exit code: 0 whatever the verdict says, 1 where there is none."""
    os.nice(_NICE)
    data, *more = [Path(word) for word in words]
    try:
        verdict = verify_folder(data, more=more, progress=_Progress().tell)
    except (LongwatchError, OSError) as error:
        _say({"failed": str(error)})
        return 1
    _say({"verdict": _told(verdict)})
    return 0


class _Progress:
    def __init__(self) -> None:
        self._said = 0.0

    def tell(self, part: str, done: int, of: int) -> None:
        """At most twice a second."""
        now = time.monotonic()
        if now - self._said >= _EVERY_S or done == of:
            self._said = now
            _say({"part": part, "done": done, "of": of})


def _told(verdict: Verdict) -> dict[str, Any]:
    worst = [*verdict.blamed, *verdict.said][:_MOST_FINDINGS]
    return {
        "ok": verdict.ok,
        "summary": verdict.summary,
        "fingerprint": verdict.key,
        "size": verdict.size,
        "findings": [_finding(finding) for finding in worst],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    said = asdict(finding)
    return {
        "kind": str(finding.kind),
        "failed": finding.kind.blames,
        "what": said["what"],
        "detail": said["detail"],
        "camera": said["camera"] or None,
        "stream": said["stream"] or None,
        "from": None if finding.from_us is None else format_us(finding.from_us),
        "to": None if finding.to_us is None else format_us(finding.to_us),
    }


def _say(said: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
