"""Whether a version on trial has shown that it is good. Pure; docs/design/upgrades.md has the rule.

It is good while its recorder runs, every camera that recorded before records again or is absent for a cause that no version of this program could
have, one of them at least records where any did, and the hub was reached where it must be. It is kept once that held without a break for a fifth of
the trial, at most three minutes: what fails soon after its start has then failed. What has not recorded as it should for a third of the trial is given
up then: footage is worth more than patience. For the hub it has the whole of it: a link may be down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from longwatch.model.causes import Cause
from longwatch.node.upgrade.state import Trial

LONGEST_PROOF_US = 180_000_000
NO_HUB = "the hub was not reached"
_BY_PLAN = frozenset(
    {Cause.NOT_SCHEDULED, Cause.POWER_PLAN, Cause.PAUSED_BY_OPERATOR, Cause.PRIVACY_PAUSE, Cause.CAMERA_SWITCHED_OFF}
)
_OF_THE_CAMERA = _BY_PLAN | {Cause.CAMERA_UNREACHABLE}
"""Unreachable is believed of one camera while another records: a version that reaches none at all would say the same."""


@dataclass(frozen=True, slots=True)
class Seen:
    """recorder: the release that the recorder runs from; None where it does not answer. streams: as its `status` says. cameras: of the settings now.
    reached: whether the hub was, since this version began.
    """

    recorder: str | None
    streams: Sequence[Mapping[str, Any]]
    cameras: frozenset[str]
    reached: bool


def recording(streams: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The cameras of which the main stream is being recorded."""
    return tuple(sorted({str(each["camera"]) for each in streams if each["stream"] == "main" and each["recording"]}))


def missing(trial: Trial, release: str, seen: Seen) -> str:
    """What is missing to be good, in words; "" where nothing is."""
    if seen.recorder is None:
        return "the recorder does not answer"
    if seen.recorder != release:
        return "the recorder has not been started from it yet"
    mains = {str(each["camera"]): each for each in seen.streams if each["stream"] == "main"}
    wanted = [camera for camera in trial.cameras if camera in seen.cameras]
    forgotten = [camera for camera in wanted if camera not in mains]
    if forgotten:
        return f"the recorder does not know {', '.join(forgotten[:5])}"
    absent = [camera for camera in wanted if not mains[camera]["recording"]]
    unplanned = [camera for camera in absent if not _is(mains[camera], _BY_PLAN)]
    ours = [camera for camera in unplanned if not _is(mains[camera], _OF_THE_CAMERA)]
    if ours:
        return f"not recorded again: {', '.join(ours[:5])}"
    if unplanned and not recording(seen.streams):
        return f"no camera is recorded, and {', '.join(unplanned[:5])} cannot be reached"
    if trial.hub and not seen.reached:
        return NO_HUB
    return ""


def _is(stream: Mapping[str, Any], causes: frozenset[Cause]) -> bool:
    return (
        not stream.get("planned", True)
        or stream.get("pause") is not None
        or stream.get("cause") in {str(cause) for cause in causes}
    )


class Proof:
    """For how long it has been good, or not, by CLOCK_BOOTTIME."""

    def __init__(self, length_us: int) -> None:
        self._needed_us = min(length_us // 5, LONGEST_PROOF_US)
        self._borne_us = length_us // 3
        self._good_since_us: int | None = None
        self._bad_since_us: int | None = None

    def done(self, now_us: int, lacks: str) -> bool:
        """Whether it is kept now. lacks: what `missing` says at this moment."""
        self._good_since_us = _since(self._good_since_us, now_us, not lacks)
        self._bad_since_us = _since(self._bad_since_us, now_us, lacks not in {"", NO_HUB})
        return self._good_since_us is not None and now_us - self._good_since_us >= self._needed_us

    def hopeless(self, now_us: int) -> bool:
        """Whether it has not recorded as it should for long enough."""
        return self._bad_since_us is not None and now_us - self._bad_since_us >= self._borne_us


def _since(since_us: int | None, now_us: int, holds: bool) -> int | None:
    if not holds:
        return None
    return now_us if since_us is None else since_us
