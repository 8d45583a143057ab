"""Upgrades of a whole post, with real processes: versions that are good and versions that are not, killed at every step, power cut at every step.

    python -m tests.rig.upgrade_campaign FOLDER [CASE ...]

Each case ends with the post recording, the version that should run running, and a ledger and an account that are whole. `test_upgrades.py` runs those
that an ordinary test run has time for.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.rig.clock_shim import HostClock
from tests.support import release_case
from tests.support.post import Post
from tests.support.wait import until_now

import longwatch
from longwatch.node.server.commands import ask
from longwatch.node.upgrade.files import Places, read_state
from longwatch.node.upgrade.order import Stage
from longwatch.node.upgrade.upgrading import described
from longwatch.trust.release import key_of, new_key

VERSION = "9.0.0"
_PATIENCE_S = 600.0
_MIGRATION = "CREATE TABLE of_a_newer_version (x INTEGER);\n"


@dataclass(frozen=True)
class Case:
    """changed: files of the new version that are other than in this tree. forms: what its bundle says. kill: at these stages, once each: `server` by
    SIGKILL, or `all` three as a power cut; `fill`: its disk is filled until the upgrade is over. disk: size of a disk of its own (a tmpfs; needs root). outcome: how it
    has to end. why: a word of what is told.
    """

    outcome: str
    why: str = ""
    changed: Mapping[str, str] = field(default_factory=dict)
    forms: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    kill: Mapping[str, str] = field(default_factory=dict)
    trial: str = "2m"
    disk: str = ""


_SLEEPS = """
import argparse, fcntl, os, signal, sys, time
from pathlib import Path
def main():
    time.sleep(3600)  # a program that is there and does nothing
if __name__ == "__main__":
    main()
"""
"""A recorder that starts, does nothing and does not end."""
_DIES = 'def main() -> int: ...\nif __name__ == "__main__":\n    raise SystemExit("it dies")\n'

CASES: dict[str, Case] = {
    "good": Case("kept"),
    "does not import": Case("refused", "broken", {"node/link.py": 'raise ImportError("broken")\n'}),
    "dies at start": Case("returned", "ended 3 times", {"node/recorder/__main__.py": _DIES}, trial="10m"),
    "records nothing": Case("returned", "", {"node/recorder/__main__.py": _SLEEPS}, trial="25s"),
    "server dies": Case("returned", "ended 3 times", {"node/server/__main__.py": _DIES}, trial="10m"),
    "newer index, records nothing": Case(
        "returned",
        "",
        {"archive/migrations/9999.sql": _MIGRATION},
        {"index": {"reads": 1, "writes": 99}},
        trial="1m",
    ),
    "killed while it is verified": Case("kept", kill={"verifying": "server"}),
    "killed while it is installed": Case("kept", kill={"installing": "server"}),
    "killed while it is tried": Case("kept", kill={"trying": "server"}),
    "killed at the switch": Case("kept", kill={"switching": "server"}),
    "killed on trial": Case("kept", kill={"trial": "server"}),
    "power cut while it is installed": Case("kept", kill={"installing": "all"}),
    "power cut while it is tried": Case("kept", kill={"trying": "all"}),
    "power cut at the switch": Case("kept", kill={"switching": "all"}),
    "power cut on trial": Case("kept", kill={"trial": "all"}),
    "clock of 1970": Case("kept"),
    "no room for it": Case("refused", "not enough room", disk="300m"),
    "a disk that fills while it is installed": Case("refused", "", kill={"installing": "fill"}, disk="1400m"),
}
OF_1970 = "clock of 1970"
CHAIN = "one after another, and back to the one before"


def number_of_migrations() -> int:
    """Of the index, in this tree."""
    return len(list((release_case.ROOT / "archive" / "migrations").glob("*.sql")))


def migrated(changed: Mapping[str, str], recorder: str | None) -> dict[str, str]:
    """A version whose index has one migration more, and whose recorder ends right after it brought the index up."""
    text = (release_case.ROOT / "archive" / "schema.sql").read_text()
    name = f"archive/migrations/{number_of_migrations() + 1:04d}_newer.sql"
    made = {key: value for key, value in changed.items() if "9999" not in key} | {
        name: _MIGRATION,
        "archive/schema.sql": text + _MIGRATION,
    }
    if recorder is not None:
        made["node/recorder/__main__.py"] = recorder
    return made


_BRINGS_UP_AND_SLEEPS = """
import argparse, time
from pathlib import Path
from longwatch.archive import Archive, Options
from longwatch.base.clock import SystemClock
from longwatch.base.ids import boot_id
import asyncio, json, subprocess, sys
async def main(config):
    said = json.loads(subprocess.run([sys.executable, "-P", "-m", "longwatch.config", "resolve", config], capture_output=True, check=True).stdout)
    archive, _ = await Archive.open([Path(v) for v in said["volumes"]], Options(post="ridge"), SystemClock(), boot_id())
    await asyncio.sleep(3600)  # it holds the archive and records nothing
if __name__ == "__main__":
    asyncio.run(main(sys.argv[-1]))
"""


class Upgraded:
    """A post, a bundle of a case, and what becomes of both."""

    def __init__(self, folder: Path, cameras: dict[str, str], case: Case) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        key = new_key(folder / "key")
        changed = dict(case.changed)
        if any("9999" in name for name in changed):
            changed = migrated(changed, _BRINGS_UP_AND_SLEEPS)
        self.case = case
        self.bundle = release_case.bundle(folder / "bundle", key, VERSION, changed, forms=case.forms)
        self.post = Post(folder, cameras, release_case.settings_of(key, case.trial))
        self._kills = dict(case.kill)
        self._filler = self.post.data / "filler"
        if case.disk:
            self.post.data.mkdir()
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={case.disk}", "tmpfs", self.post.data], check=True)

    @contextlib.contextmanager
    def running(self) -> Iterator[Post]:
        """Recording; stopped in the end, whatever comes."""
        try:
            self.start()
            until_now(lambda: self.post.recorded_until("gate"), "it is recorded", _PATIENCE_S)
            yield self.post
        finally:
            self.post.stop()

    def close(self) -> None:
        """Its disk goes, and all on it."""
        if self.case.disk:
            subprocess.run(["umount", "-l", self.post.data], check=True)

    def start(self) -> None:
        """As the post does, on a machine that may be busy with much else."""
        with contextlib.suppress(AssertionError):
            self.post.start()
            return
        until_now(self.post.answers, "the server answers", _PATIENCE_S)
        self.post.token = self.post.token or ask(self.post.data, "token_add", name="test", role="admin")["token"]

    def order(self) -> None:
        """By hand, as a person does. To verify takes less time than the verb needs to say that it is ordered: who is to be killed there is, as soon as the order stands."""
        words = [
            sys.executable,
            "-m",
            "longwatch.cli",
            "upgrade",
            str(self.bundle),
            "--reason",
            "a rig",
            "--config",
            str(self.post.config),
        ]
        kind = self._kills.pop(str(Stage.VERIFYING), "")
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as verb:
            if kind:
                written = Places(self.post.data).order
                until_now(lambda: written.exists() or verb.poll() is not None, "the order stands")
                self._kill(kind)
            said, _ = verb.communicate(timeout=600)
        assert verb.returncode == 0 or kind, said
        if kind:
            assert self.told()["stage"] == Stage.VERIFYING, "it was killed too late to be killed while it is verified"

    def told(self) -> dict[str, Any]:
        return described(self.post.data)["upgrade"] or {"stage": "", "why": ""}

    def end(self, seconds: float = 600.0) -> dict[str, Any]:
        """Kills as the case says, until it is over."""

        def over() -> dict[str, Any] | None:
            said = self.told()
            kind = self._kills.pop(said["stage"], "")
            if kind:
                self._kill(kind)
            return said if said["stage"] in {"kept", "returned", "refused"} and not self._kills else None

        try:
            return until_now(over, "the upgrade is over", seconds)
        finally:
            self._filler.unlink(missing_ok=True)

    def _fill(self) -> None:
        with self._filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"x" * (1 << 20))

    def _kill(self, kind: str) -> None:
        if kind == "fill":
            self._fill()
            return
        pids = [self.post.server_pid]
        if kind == "all":
            assert self.post.supervisor is not None
            self.post.supervisor.kill()
            self.post.supervisor.wait()
            pids.append(self.post.recorder_pid)
        for pid in pids:
            if pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        if kind == "all":
            until_now(lambda: self.post.server_pid is None and self.post.recorder_pid is None, "they are gone")
            self.start()

    def prove(self) -> list[str]:
        """What is wrong in the end; [] where nothing is."""
        wrong = []
        said, state = self.told(), read_state(self.post.data, longwatch.__version__)
        if said["stage"] != self.case.outcome or self.case.why not in said["why"]:
            wrong.append(f"it ended as {said}")
        release = state.current.name if state.current is not None else ""
        if bool(release) is not (self.case.outcome == "kept") or state.trial is not None:
            wrong.append(f"upgrade.json says {state}")
        until_now(self.post.answers, "the server answers", _PATIENCE_S)
        before = until_now(lambda: self.post.recorded_until("gate"), "it is recorded", _PATIENCE_S)
        until_now(lambda: self.post.recorded_until("gate") > before, "it is recorded on", _PATIENCE_S)
        for pid in (self.post.recorder_pid, self.post.server_pid):
            runs = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode()
            if (str(Places(self.post.data).releases) in runs) is not bool(release):
                wrong.append(f"process {pid} runs {runs}")
        return wrong + self._account()

    def _account(self) -> list[str]:
        kinds = [entry["kind"] for entry in entries(self.post) if entry["kind"].startswith("upgrade_")]
        wrong = []
        if kinds[:1] != ["upgrade_ordered"] or kinds[-1:] != ["upgrade_ended"] or kinds.count("upgrade_ordered") != 1:
            wrong.append(f"the ledger says {kinds}")
        until = self.post.recorded_until("gate")
        items = self.post.get("/api/v1/gaps", **{"from": f"{until[:10]}T00:00:00Z", "to": until}).json()["items"]
        self.gaps = [(gap["cause"], gap["from"], gap["to"]) for gap in items if gap["cause"] != "never_recorded"]
        return wrong


def entries(post: Post) -> list[dict[str, Any]]:
    """Of the ledger, in the index as it is now."""
    with contextlib.closing(sqlite3.connect(f"file:{post.data}/index.db?mode=ro", uri=True)) as db:
        return [json.loads(raw) for (raw,) in db.execute("SELECT entry FROM ledger ORDER BY seq")]


def verify(post: Post) -> str:
    """`longwatch verify` over the folder; "" where all is well."""
    done = subprocess.run(
        [sys.executable, "-m", "longwatch.cli", "verify", str(post.data)], capture_output=True, text=True, check=False, timeout=600
    )  # fmt: skip
    return "" if done.returncode == 0 else done.stdout + done.stderr


def run(folder: Path, name: str, camera: str, say: Callable[[str], None] = print) -> list[str]:
    """One case; what is wrong."""
    upgraded = Upgraded(folder, {"gate": camera}, CASES[name])
    began = time.monotonic()
    try:
        with upgraded.running():
            upgraded.order()
            said = upgraded.end()
            wrong = upgraded.prove()
        problem = verify(upgraded.post)
    finally:
        upgraded.close()
    wrong += [problem] if problem else []
    say(
        f"{name}: {said['stage']} ({said['why'] or '-'}) after {time.monotonic() - began:.0f} s; gaps {upgraded.gaps}; {wrong or 'well'}"
    )
    return wrong


@contextlib.contextmanager
def set_to_1970(folder: Path) -> Iterator[None]:
    """What is started in the block has the clock of a host without a battery."""
    clock = HostClock(folder)
    clock.set(60.0 - time.time(), synchronised=False)
    os.environ.update(clock.environment)
    try:
        yield
    finally:
        for name in clock.environment:
            del os.environ[name]


def run_chain(folder: Path, camera: str, say: Callable[[str], None] = print) -> list[str]:
    """Two upgrades that are kept, each from the release before, and a third that goes back to the second."""
    upgraded = Upgraded(folder, {"gate": camera}, Case("kept"))
    key = key_of(folder / "key")
    wrong = []
    with upgraded.running() as post:
        for version, changed, stage in (
            ("9.0.0", {}, "kept"),
            ("9.1.0", {}, "kept"),
            ("9.2.0", {"node/recorder/__main__.py": _DIES}, "returned"),
        ):
            upgraded.bundle = release_case.bundle(folder / version, key, version, changed)
            upgraded.order()
            said = until_now(
                lambda version=version: (
                    said
                    if (said := upgraded.told())["version"] == version
                    and said["stage"] in {"kept", "returned", "refused"}
                    else None
                ),
                version,
                900,
            )
            say(f"{version}: {said['stage']} ({said['why'] or '-'})")
            wrong += [] if said["stage"] == stage else [f"{version} ended as {said}"]
        state = read_state(post.data, "")
        if state.current is None or state.current.version != "9.1.0":
            wrong.append(f"it runs {state.current}")
        until_now(post.answers, "the server answers")
        before = until_now(lambda: post.recorded_until("gate"))
        until_now(lambda: post.recorded_until("gate") > before, "it is recorded on")
    say(f"{CHAIN}: {wrong or 'well'}")
    return wrong


def main(words: list[str]) -> int:
    """The number of cases that went wrong."""
    from tests.e2e.post import Cameras

    from longwatch.simulate.camera import LOT, SimulatedCamera

    cameras = Cameras()
    url = cameras.add("gate", lambda: SimulatedCamera(LOT)).url
    failed = 0
    try:
        for number, name in enumerate(words[1:] or [*CASES, CHAIN]):
            folder = Path(words[0]) / str(number)
            with set_to_1970(folder / "c") if name == OF_1970 else contextlib.nullcontext():
                try:
                    failed += bool(run_chain(folder, url) if name == CHAIN else run(folder, name, url))
                except AssertionError as error:
                    failed += 1
                    print(f"{name}: {error}")
    finally:
        cameras.close()
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
