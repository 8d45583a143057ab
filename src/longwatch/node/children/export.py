"""The child that makes one file of an export: `python -m longwatch.node.children.export`.

It reads its order, one line of JSON, from standard input, and answers in lines of JSON: `{"progress": [step, done, of]}`, at last `{"made":
{...}}` or `{"problem": {what, why, remedy}}`. The same functions as `longwatch export` do the work. It takes what processor and disk
others leave (nice, idle I/O), reads no faster than it is told, and ends with whoever started it.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from longwatch.base import log
from longwatch.base.clock import SystemClock
from longwatch.base.errors import LongwatchError
from longwatch.evidence import Post, Proving, Source
from longwatch.model.sessions import StreamKey
from longwatch.node.issuing.exporting import export_evidence, export_lapse, export_video, sha256_of
from longwatch.playback import NoVideoError

_PR_SET_PDEATHSIG = 1
_SYS_IOPRIO_SET = {"x86_64": 251, "aarch64": 30, "armv7l": 314, "riscv64": 30}
_IDLE = 3 << 13
_SAY_S = 0.25
_NICE = 15


def step_aside() -> None:
    """Others go first. What the kernel does not know is left as it is."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    with contextlib.suppress(OSError):
        os.nice(_NICE)
    number = _SYS_IOPRIO_SET.get(os.uname().machine)
    if number is not None:
        libc.syscall(number, 1, 0, _IDLE)


def teller(bytes_a_second: int) -> Callable[[str, int, int], None]:
    """Says how far it is, a few times a second; and waits where bytes went faster than they may."""
    began: dict[str, float] = {}
    last = 0.0

    def told(step: str, done: int, of: int) -> None:
        nonlocal last
        now = time.monotonic()
        first = began.setdefault(step, now)
        if now - last >= _SAY_S or done == of:
            last = now
            say({"progress": [step, done, of]})
        if step == "video" and bytes_a_second:
            time.sleep(max(0.0, min(1.0, first + done / bytes_a_second - now)))

    return told


def say(answer: dict[str, Any]) -> None:
    """One line."""
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def make(order: dict[str, Any]) -> dict[str, Any]:
    """The file, and what is to be known of it. Raises LongwatchError."""
    volumes, key = [Path(path) for path in order["volumes"]], StreamKey(*order["key"])
    from_us, to_us, out = int(order["from_us"]), int(order["to_us"]), Path(order["out"])
    person, progress = order["person"], teller(int(order["rate"]))
    source = _source(order.get("fleet"), volumes)
    if order["kind"] == "evidence":
        post = Post(*order["post"])
        prove = _prover(order.get("fleet"), key, post.id, volumes)
        package = export_evidence(
            volumes, key, from_us, to_us, out, person, post=post, clock=SystemClock(), progress=progress, source=source, prove=prove
        )  # fmt: skip
        progress("check", 1, 1)
        totals = package.manifest["totals"]
        about = {
            "entry": package.seq, "manifest_sha256": package.manifest_sha256, "key": package.fingerprint, "origin": package.origin,
            "recorded_us": totals["recorded_us"], "gap_us": totals["gap_us"], "warnings": list(package.warnings),
        }  # fmt: skip
        return _made(package.size, package.from_us, package.to_us, sha256_of(out), about)
    if order["kind"] == "timelapse":
        written = export_lapse(
            volumes, key, from_us, to_us, int(order["every_us"]), out, person, progress=progress, source=source
        )
    else:
        written = export_video(volumes, key, from_us, to_us, out, person, progress=progress, source=source)
    gaps = [list(gap) for gap in written.gaps]
    about = {"entry": written.seq, "gaps": gaps[:200], "gap_us": sum(b - a for a, b, _ in written.gaps), "pictures": written.pictures}  # fmt: skip
    return _made(written.size, written.from_us, written.to_us, written.sha256, about)


def _source(told: dict[str, Any] | None, volumes: list[Path]) -> Callable[[], Source] | None:
    """At a hub, what it holds of its posts; its database is known to this process alone then."""
    if told is None:
        return None
    from longwatch.node.issuing.hub_exporting import HubSource

    return lambda: HubSource(told, volumes)


def _prover(
    told: dict[str, Any] | None, key: StreamKey, hub: str, volumes: list[Path]
) -> Callable[[Source], Proving] | None:
    """At a hub, what shows that the footage is what its post recorded."""
    if told is None:
        return None
    from longwatch.node.issuing.hub_exporting import HubProof, HubSource

    def of(source: Source) -> Proving:
        assert isinstance(source, HubSource)
        return HubProof(source, key, hub, volumes)

    return of


def _made(size: int, from_us: int, to_us: int, sha256: str, about: dict[str, Any]) -> dict[str, Any]:
    return {"size": size, "from_us": from_us, "to_us": to_us, "sha256": sha256, "about": about}


def main() -> int:
    """Exit code 0 where it answered, whatever it said."""
    os.umask(0o077)
    step_aside()
    log.configure(json=True)
    order = json.loads(sys.stdin.readline())
    try:
        say({"made": make(order)})
    except NoVideoError:
        say({"made": None})
    except LongwatchError as error:
        say({"problem": {"what": error.what, "why": error.why, "remedy": error.remedy}})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
