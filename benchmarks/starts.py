"""What it costs to start each process of the product: processor seconds, wall seconds and resident memory, medians.

A post on a battery is started several times a day and has to record at once; a verb is typed by a person who waits. Processor time is the process's
own and that of the children it waited for, as the kernel accounts them. The folder is one that a post has run on before. In the same run, as floors:
the interpreter alone, and an interpreter that imports FastAPI and SQLAlchemy, which any server of this kind does.

    python -m benchmarks start [RUNS]
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.post import CLI, free_port, write_settings
from benchmarks.processes import children

_CHILDREN = {
    "longwatch.node.watch.watcher": "looking, begins",
    "longwatch.node.watch.look_child": "looking, at pictures",
    "longwatch.pictures.still_child": "a still, strips",
    "longwatch.node.children.probe": "trying a camera",
    "longwatch.node.children.export": "an export",
    "longwatch.node.children.masking": "painting over",
    "longwatch.node.children.verifying": "a verification",
}
_PASSWORD = b"a long and quiet password\n"


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one start. cpu_s: with the children it waited for."""

    cpu_s: float
    wall_s: float
    rss_mb: float


def ended(command: Sequence[str], given: bytes = b"") -> Cost:
    """A process that ends by itself. Raises RuntimeError where it failed."""
    began = time.monotonic()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said)
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(given)
            process.stdin.close()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise RuntimeError(f"{command} ended with {process.returncode}: {said.read()[-500:]!r}")
    return Cost(used.ru_utime + used.ru_stime, time.monotonic() - began, used.ru_maxrss / 1024)


def so_far(pid: int, began: float) -> Cost:
    """A process that runs. Its threads to the nanosecond; children that ended, to the kernel's tick."""
    own_ns = sum(int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir())
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    waited_s = (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")
    rss_kb = next(
        int(line.split()[1])
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("VmRSS")
    )
    return Cost(own_ns / 1e9 + waited_s, time.monotonic() - began, rss_kb / 1024)


@contextlib.contextmanager
def supervised(config: Path) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """`longwatch run` and what it starts, until the block ends."""
    began = time.monotonic()
    process = subprocess.Popen([*CLI, "run", "--config", str(config)], stderr=subprocess.PIPE)
    try:
        yield process, began
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def one_post(config: Path) -> dict[str, Cost]:
    """Its three processes, each when it says that it is up; the supervisor once both are."""
    up = {"recording": "recorder", "server is up": "server"}
    found: dict[str, Cost] = {}
    with supervised(config) as (supervisor, began):
        assert supervisor.stderr is not None
        while up:
            line = supervisor.stderr.readline()
            if not line:
                raise RuntimeError("the post ended")
            with contextlib.suppress(ValueError):
                role = up.pop(str(json.loads(line).get("event")), None)
                if role is not None:
                    found[role] = so_far(_pid_of(supervisor.pid, role), began)
        found["longwatch run, the supervisor"] = so_far(supervisor.pid, began)
    return found


def _pid_of(supervisor: int, role: str) -> int:
    for pid in children(supervisor):
        with contextlib.suppress(OSError):
            if f"longwatch.node.{role}".encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
                return pid
    raise RuntimeError(f"there is no {role}")


def median(process: str, until: str, costs: Sequence[Cost]) -> dict[str, object]:
    """A row of the table."""
    return {
        "process": process, "until": until,
        "processor, s": f"{statistics.median(cost.cpu_s for cost in costs):.2f}",
        "wall, s": f"{statistics.median(cost.wall_s for cost in costs):.2f}",
        "memory, MB": f"{statistics.median(cost.rss_mb for cost in costs):.0f}",
        "runs": len(costs),
    }  # fmt: skip


def _imports(modules: str) -> list[str]:
    return [sys.executable, "-c", f"import {modules}"]


def verbs(config: Path, runs: int, when: str) -> list[dict[str, object]]:
    """Calls of the command line, with this post as it is."""
    settings = ["--config", str(config)]
    numbers = iter(range(10_000))

    def user() -> Cost:
        words = [
            "user",
            "add",
            f"{when.replace(' ', '-')}-{next(numbers)}",
            "--role",
            "viewer",
            "--password-stdin",
            *settings,
        ]
        return ended([*CLI, *words], _PASSWORD)

    return [
        median("longwatch user list", when, [ended([*CLI, "user", "list", *settings]) for _ in range(runs)]),
        median("longwatch user add, argon2 in it", when, [user() for _ in range(runs)]),
        median("longwatch gaps", when, [ended([*CLI, "gaps", *settings]) for _ in range(runs)]),
    ]


def run(runs: int = 10) -> list[dict[str, object]]:
    """The table."""
    rows = [
        median("python", "it ends", [ended(_imports("sys")) for _ in range(runs)]),
        median(
            "python, FastAPI, SQLAlchemy", "imported", [ended(_imports("fastapi, sqlalchemy")) for _ in range(runs)]
        ),
    ]
    with tempfile.TemporaryDirectory(prefix="longwatch-starts-") as folder:
        config = write_settings(Path(folder), ["rtsp://127.0.0.1:1/a", "rtsp://127.0.0.1:1/b"], port=free_port())
        rows.append(median("longwatch --help", "it ends", [ended([*CLI, "--help"]) for _ in range(runs)]))
        check = [*CLI, "settings", "check", "--config", str(config)]
        rows.append(median("longwatch settings check", "it ends", [ended(check) for _ in range(runs)]))
        rows.append(median("longwatch user add, argon2 in it", "on a new folder", [ended([*CLI, "user", "add", "first", "--role", "admin", "--password-stdin", "--config", str(config)], _PASSWORD)]))  # fmt: skip
        one_post(config)
        posts = [one_post(config) for _ in range(runs)]
        for role, until in (
            ("longwatch run, the supervisor", "both are up"),
            ("recorder", "recording"),
            ("server", "it is up"),
        ):
            rows.append(median(role, until, [post[role] for post in posts]))
        rows += verbs(config, runs, "no server runs")
        with supervised(config) as (supervisor, _):
            assert supervisor.stderr is not None
            while b"server is up" not in supervisor.stderr.readline():
                pass
            rows += verbs(config, runs, "a server runs")
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as those that look are started
    for module, what in _CHILDREN.items():
        rows.append(median(f"child: {what}", "imported", [ended(_imports(module)) for _ in range(runs)]))
    return rows
