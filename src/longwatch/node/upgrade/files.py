"""Where upgrades lie in a data folder, and how `upgrade.json` is read and written. Of the standard library alone.

Two write it, never at one time: whoever does holds `upgrades/lock` from reading to writing. The server switches and keeps; the supervisor goes back.
Written anew, flushed, renamed, the folder flushed: a power cut leaves the old one or the new one.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from longwatch.node.upgrade.state import Release, State, is_name, parse, text, without

_MOST_BYTES = 1 << 20


class Places:
    """Of one data folder: the first volume."""

    def __init__(self, data: Path) -> None:
        self.state = data / "upgrade.json"
        self.releases = data / "releases"
        self.folder = data / "upgrades"
        self.order = self.folder / "order.json"
        self.bundles = self.folder / "bundles"
        self.spool = self.folder / "spool"
        self.tried = self.folder / "tried"
        self.before = self.folder / "before"
        """Copies of the databases, as they were before the switch."""

    def python(self, release: Release) -> Path:
        """The interpreter of a release."""
        assert is_name(release.name)
        return self.releases / release.name / "bin" / "python"

    def marker(self, name: str) -> Path:
        """There once an environment is whole, and on the disk."""
        return self.releases / name / "longwatch-release.json"


def read_state(data: Path, base: str) -> State:
    """The state; that of a post that was never upgraded where there is none. Raises ValueError for one that cannot be understood, OSError where it
    cannot be read.
    """
    try:
        with Places(data).state.open("rb") as file:
            return parse(file.read(_MOST_BYTES))
    except FileNotFoundError:
        return State(base)


def change(data: Path, base: str, step: Callable[[State], State]) -> State:
    """One step, durable when this returns; the state after it. A state that cannot be understood is as none, and is kept beside. Raises OSError."""
    with _alone(data):
        try:
            before = read_state(data, base)
        except ValueError:
            place = Places(data).state
            place.replace(place.with_name(f"{place.name}.unreadable"))
            before = State(base)
        after = step(before)
        if after != before:
            write_durably(Places(data).state, text(after))
        return after


def write_durably(path: Path, content: bytes) -> None:
    """Write new (0600), flush, rename, flush the folder. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.fresh")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    flush_folder(path.parent)


def flush_folder(folder: Path) -> None:
    """Make the names in it durable. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def current(data: Path, base: str) -> Release | None:
    """What is started there now; None is what was installed by hand: nothing else was ever put in, it cannot be read, or another version was put
    in by hand since, which is then meant.
    """
    with contextlib.suppress(OSError, ValueError):
        state = read_state(data, base)
        if state.base == base and state.current is not None and can_start(Places(data).python(state.current)):
            return state.current
    return None


def can_start(python: Path) -> bool:
    """Whether an environment is there, and ours: what another user could have put there is started by nobody, least of all by root."""
    try:
        owned = all(path.stat().st_uid in {os.geteuid(), 0} for path in (python.parent.parent, python.parent))
    except OSError:
        return False
    return owned and os.access(python, os.X_OK)


def gone_back_from(data: Path) -> str:
    """Why the version that runs is being gone back from; "" where it is not."""
    with contextlib.suppress(OSError, ValueError):
        trial = read_state(data, "").trial
        return "" if trial is None else trial.returning
    return ""


def settle_base(state: State, base: str) -> State:
    """Another version was put in by hand since: that one is meant, and no release goes before it."""
    if state.base == base:
        return state
    return replace(without(state, f"version {base} was installed by hand"), base=base)


@contextlib.contextmanager
def _alone(data: Path) -> Iterator[None]:
    folder = Places(data).folder
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
