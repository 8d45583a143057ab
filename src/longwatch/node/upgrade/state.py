"""`upgrade.json`: from which environment the processes of a post are started, and the trial of a new one. docs/design/upgrades.md.

Pure, and of the standard library alone: the supervisor reads it too. What is told here is what survives a power cut. A state is never changed: each
step gives the next one, and a step that does not fit the state it is asked of gives that state back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

FORMAT = 1
INTERFACE = 1
"""Between the supervisor and what it starts: `python -m longwatch.node.ROLE --config FILE`, the variables and exit codes below, `upgrade.json`, and
`python -m longwatch.node.upgrade_back` of the environment that is gone back to. A bundle says which one its programs speak.
"""
SPOKEN = "LONGWATCH_SUPERVISOR"
"""In the environment of a role: INTERFACE of the supervisor that started it. Without one there are no upgrades."""
RELEASE = "LONGWATCH_RELEASE"
"""In the environment of a role: the name of the release that it is started from; "" is what was installed by hand."""
BASE = "LONGWATCH_BASE"
"""In the environment of a role: version of the supervisor, which is that of what was installed by hand."""
AGAIN = 77
"""What a role ends with that is to be started again at once, from whatever environment the state names then."""
MOST_DEATHS = 3
"""So many ends within a minute of their start, of one process or several, are enough to go back."""
MOST_BOOTS = 3
"""So many starts of the host within one trial are: a version that brings the machine down would else be tried for ever."""
_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+]{0,63}-[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class Release:
    """An environment in `releases/`. name: VERSION-SHA8, its folder."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Trial:
    """order: who asked for it, as `order` numbers it. was: what is gone back to; None is what was installed by hand. boot, until_us: the
    boot, and its CLOCK_BOOTTIME, by which it must be kept. hub: whether the hub must be reached. cameras: those that recorded before. returning:
    why it is being gone back from; "" where it is not.
    """

    order: str
    was: Release | None
    boot: str
    until_us: int
    length_us: int
    hub: bool
    cameras: tuple[str, ...]
    boots: int = 1
    deaths: int = 0
    returning: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """How the last trial ended: kept, or returned and why. told: whether its entry is in the ledger."""

    order: str
    version: str
    kept: bool
    why: str = ""
    told: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """base: version of what was installed by hand when this was written. current: what is started; None is that."""

    base: str
    current: Release | None = None
    trial: Trial | None = None
    ended: Ended | None = None


def is_name(text: str) -> bool:
    """Whether it may name a folder in `releases/`."""
    return _NAME.fullmatch(text) is not None and ".." not in text


# -- steps


def switched(
    state: State, to: Release, order: str, *, boot: str, now_us: int, length_us: int, hub: bool, cameras: tuple[str, ...]
) -> State:  # fmt: skip
    """From now on `to` is started, on trial."""
    if state.trial is not None or (state.ended is not None and not state.ended.told):
        return state
    trial = Trial(order, state.current, boot, now_us + length_us, length_us, hub, cameras)
    return replace(state, current=to, trial=trial, ended=None)


def seen(state: State, boot: str, now_us: int) -> State:
    """A look at the clocks: after a boot the whole time again, counted from here; when it is over, back."""
    trial = state.trial
    if trial is None or trial.returning:
        return state
    if trial.boot != boot:
        trial = replace(trial, boot=boot, until_us=now_us + trial.length_us, boots=trial.boots + 1)
        if trial.boots > MOST_BOOTS:
            trial = replace(trial, returning=f"the host was started {MOST_BOOTS} times, and it was not kept")
        return replace(state, trial=trial)
    if now_us >= trial.until_us:
        return back(state, "it was not kept within its trial")
    return state


def died(state: State, release: str, what: str) -> State:
    """One of its processes ended soon after its start."""
    trial = state.trial
    if trial is None or trial.returning or state.current is None or state.current.name != release:
        return state
    state = replace(state, trial=replace(trial, deaths=trial.deaths + 1))
    return (
        back(state, f"it ended {MOST_DEATHS} times soon after its start; last {what}")
        if trial.deaths + 1 >= MOST_DEATHS
        else state
    )


def back(state: State, why: str) -> State:
    """It is to be gone back from, for this reason."""
    if state.trial is None or state.trial.returning:
        return state
    return replace(state, trial=replace(state.trial, returning=why[:500] or "no reason"))


def returned(state: State) -> State:
    """The old one is started from now on."""
    trial = state.trial
    if trial is None or not trial.returning or state.current is None:
        return state
    ended = Ended(trial.order, state.current.version, kept=False, why=trial.returning)
    return State(state.base, trial.was, None, ended)


def kept(state: State, order: str) -> State:
    """It stands for good. Not where it is being gone back from already."""
    trial = state.trial
    if trial is None or trial.returning or trial.order != order or state.current is None:
        return state
    return State(state.base, state.current, None, Ended(order, state.current.version, kept=True))


def told(state: State) -> State:
    """Its end is in the ledger."""
    return state if state.ended is None else replace(state, ended=replace(state.ended, told=True))


def without(state: State, why: str) -> State:
    """What was installed by hand is started from now on: another version of that was put in, or the release cannot be started at all."""
    trial, ended = state.trial, state.ended
    if trial is not None and state.current is not None:
        ended = Ended(trial.order, state.current.version, kept=False, why=why[:500])
    return State(state.base, None, None, ended)


# -- text


def text(state: State) -> bytes:
    """As it is kept."""
    return json.dumps({"format": FORMAT, **asdict(state)}, sort_keys=True, indent=1).encode() + b"\n"


def parse(raw: bytes) -> State:
    """Raises ValueError for what is none, or of a newer format."""
    try:
        said = json.loads(raw)
        if said["format"] != FORMAT:
            raise ValueError(f"a format {said['format']!r} of upgrade.json is not known here")
        return State(_str(said["base"]), _release(said["current"]), _trial(said["trial"]), _ended(said["ended"]))
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"upgrade.json is not one: {error!r}") from None


def _str(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _whole(value: object) -> int:
    if type(value) is not int:
        raise TypeError(f"{value!r} is no whole number")
    return value


def _release(said: Mapping[str, Any] | None) -> Release | None:
    if said is None:
        return None
    release = Release(_str(said["name"]), _str(said["version"]))
    if not is_name(release.name):
        raise ValueError(f"{release.name!r} names no release")
    return release


def _trial(said: Mapping[str, Any] | None) -> Trial | None:
    if said is None:
        return None
    return Trial(
        _str(said["order"]), _release(said["was"]), _str(said["boot"]), _whole(said["until_us"]), _whole(said["length_us"]),
        said["hub"] is True, tuple(_str(camera) for camera in said["cameras"]), _whole(said["boots"]), _whole(said["deaths"]),
        _str(said["returning"]),
    )  # fmt: skip


def _ended(said: Mapping[str, Any] | None) -> Ended | None:
    if said is None:
        return None
    return Ended(
        _str(said["order"]), _str(said["version"]), said["kept"] is True, _str(said["why"]), said["told"] is True
    )
