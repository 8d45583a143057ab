"""From which environment the supervisor starts what it starts, and when it goes back to the one before. docs/design/upgrades.md.

Of the standard library alone. The supervisor itself is always of what was installed by hand: it is what is left when a release is no good. Its word is
`upgrade.json`; while that cannot be written (a full disk) what follows is kept in memory, and written when it can be.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import longwatch
from longwatch.node.upgrade import state as upgrade_state
from longwatch.node.upgrade.files import Places, can_start, change, read_state, settle_base
from longwatch.node.upgrade.state import AGAIN, BASE, INTERFACE, MOST_DEATHS, RELEASE, SPOKEN, Release, State

SOUND_AFTER_S = 60.0
"""What ended sooner died at its start."""
_PROBE_S = 60.0
_PROBE = (
    "import runpy; [runpy.run_module(f'longwatch.node.{role}', run_name='tried') for role in ('recorder', 'server')]"
)
"""Loads what `-m` would run, however a release lays it out, and runs none of it."""
_NOT_OURS = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP")
"""Would bring modules of what was installed by hand into a release."""


def boot_id() -> str:
    """Of this start of the host."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip().replace("-", "")


def boottime_us() -> int:
    """CLOCK_BOOTTIME: no clock of the host has to be right."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


@dataclass(frozen=True, slots=True)
class Crossing:
    """From one environment to another, while nothing runs: `command` makes the databases fit, then `step` is taken. why: for the log."""

    command: list[str]
    environment: dict[str, str]
    step: Callable[[State], State]
    why: str


class Releases:
    """Of one data folder. Owner of `upgrade.json` beside the server that switches."""

    def __init__(self, data: Path, config: Path, say: Callable[[str], None], base: str = longwatch.__version__) -> None:
        self._data = data
        self._config = config
        self._say = say
        self._base = base
        self._places = Places(data)
        self._unwritten = False
        self._said = ""
        self._state = State(base)
        self._deaths = 0  # in a row, of a release that is on no trial
        self._broken = ""  # name of a release that cannot be loaded any more

    # -- what is started

    def command(self, role: str) -> tuple[list[str], dict[str, str], str]:
        """What starts a role now, in which environment, and the name of its release."""
        release = self._state.current
        name = "" if release is None else release.name
        environment = self._environment(release) | {
            SPOKEN: str(INTERFACE), BASE: self._base, RELEASE: name,
        }  # fmt: skip
        return (
            [*self._python(release), "-m", f"longwatch.node.{role}", "--config", str(self._config)],
            environment,
            name,
        )

    def _python(self, release: Release | None) -> list[str]:
        return [sys.executable] if release is None else [str(self._places.python(release)), "-P"]

    def _environment(self, release: Release | None) -> dict[str, str]:
        away = ("NOTIFY_SOCKET", *(_NOT_OURS if release is not None else ()))
        return {name: value for name, value in os.environ.items() if name not in away}

    # -- what is seen

    def look(self) -> Crossing | None:
        """Read the state and the clocks. Gives what has to be done before anything may be started."""
        if self._unwritten:
            self._take(lambda state: state)
        else:
            self._read()
        state = self._state
        if state.base != self._base:
            if state.current is None and state.trial is None:
                self._take(lambda state: settle_base(state, self._base))
                return None
            return self._crossing(
                None, lambda state: settle_base(state, self._base), f"version {self._base} was installed by hand"
            )
        after = upgrade_state.seen(state, boot_id(), boottime_us())
        if state.current is not None and (self._broken == state.current.name or not self._is_there(state.current)):
            gone = "its environment is not there, or of no use any more"
            if after.trial is None:
                return self._crossing(None, lambda state: upgrade_state.without(state, gone), gone)
            after = upgrade_state.back(after, gone)
        if after != state:
            self._take(lambda state: _if_same(state, self._state, after))
        trial = self._state.trial
        if trial is None or not trial.returning:
            return None
        was = trial.was if trial.was is not None and self._is_there(trial.was) else None
        return self._crossing(was, upgrade_state.returned, trial.returning)

    def _read(self) -> None:
        try:
            self._state = read_state(self._data, self._base)
            self._said = ""
        except ValueError as error:
            self._say(f"upgrade.json cannot be understood, and what was installed is started: {error}")
            self._take(lambda state: state)  # which puts it aside
        except OSError as error:  # what was read last stands
            if str(error) != self._said:
                self._say(f"upgrade.json cannot be read: {error}")
            self._said = str(error)

    def _crossing(self, to: Release | None, step: Callable[[State], State], why: str) -> Crossing:
        command = [*self._python(to), "-m", "longwatch.node.upgrade_back", str(self._data)]
        return Crossing(command, self._environment(to), step, why)

    def crossed(self, crossing: Crossing) -> None:
        """Its command has ended."""
        self._take(crossing.step)
        self._deaths = 0

    def ended(self, release: str, ran_s: float, status: int | None, words: str) -> None:
        """A role of this release ended, and nobody had asked it to."""
        if status == AGAIN:
            return
        if ran_s >= SOUND_AFTER_S:
            self._deaths = 0
            return
        self._deaths += 1
        if self._state.trial is not None:
            self._take(lambda state: upgrade_state.died(state, release, words))
        elif self._state.current is not None and self._deaths >= MOST_DEATHS and self._deaths % MOST_DEATHS == 0:
            self._probe(self._state.current)

    def _probe(self, release: Release) -> None:
        """A release that was kept, and ends at every start: whether it can be loaded at all. The host's Python may be another one by now."""
        try:
            done = subprocess.run(
                [*self._python(release), "-c", _PROBE], env=self._environment(release), timeout=_PROBE_S, check=False,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return  # it may be the disk, and says nothing of the release
        except OSError:
            self._broken = release.name
            return
        if done.returncode:
            self._broken = release.name

    def _is_there(self, release: Release) -> bool:
        return can_start(self._places.python(release))

    def _take(self, step: Callable[[State], State]) -> None:
        """A step, written; where it cannot be, it holds in memory until it can."""
        try:
            memory = self._state
            self._state = change(self._data, self._base, (lambda _: step(memory)) if self._unwritten else step)
            self._unwritten = False
        except OSError as error:
            if not self._unwritten:
                self._say(f"upgrade.json cannot be written: {error}")
            self._state = step(self._state)
            self._unwritten = True


def _if_same(now: State, before: State, after: State) -> State:
    """What was concluded from `before`, unless another wrote meanwhile: then the next look concludes anew."""
    return after if now == before else now
