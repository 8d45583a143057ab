"""How long to leave a camera alone after a failure. Pure: values in, seconds out."""

from __future__ import annotations

from collections.abc import Callable

from longwatch.ingest.outcome import Outcome
from longwatch.model.sessions import Fault

_QUICK = (0.3, 1.0, 2.0, 2.4)
"""A port that does not answer is tried at least every 2.4 s: with the time of a connect, less than the 3 s promised."""
_PATIENT = (0.5, 1.0, 2.0, 4.0, 8.0)
"""The port answers, and the camera does not do what it should."""
_LOGIN = (1.0, 60.0, 120.0, 240.0, 480.0, 900.0)
"""Cameras lock accounts: once more, then after a minute, doubling to a quarter of an hour."""
_STEPS = {Fault.UNREACHABLE: _QUICK, Fault.DISCONNECTED: _QUICK, Fault.LOGIN_REFUSED: _LOGIN}


class Backoff:
    """Counts failures in a row. failures: since a session last worked."""

    def __init__(self, chance: Callable[[], float]) -> None:
        """chance: numbers in [0, 1), for jitter, so that a hundred cameras behind one switch do not come back at once."""
        self._chance = chance
        self._fault: Fault | None = None
        self._step = 0
        self.failures = 0

    def after(self, outcome: Outcome, spent_s: float = 0.0) -> float:
        """Seconds until the next attempt. spent_s: what this one took; where connecting timed out, that time counts, so
        that a host which is down gets a SYN often enough to be found within 3 s of its return.
        """
        if outcome.streamed:
            self.reset()
        steps = _STEPS.get(outcome.fault, _PATIENT) if outcome.fault is not None else _QUICK
        self._step = self._step + 1 if outcome.fault is self._fault else 0
        self._fault = outcome.fault
        self.failures += 1
        wait_s = steps[min(self._step, len(steps) - 1)]
        if outcome.fault is Fault.LOGIN_REFUSED:
            return wait_s
        if outcome.retry_after_s is not None:
            wait_s = max(wait_s, outcome.retry_after_s)
        if outcome.retry_after_s is not None:
            return wait_s + self._chance()
        wait_s *= 1.0 - 0.25 * self._chance()
        return max(_QUICK[0], wait_s - spent_s) if outcome.fault is Fault.UNREACHABLE else wait_s

    def reset(self) -> None:
        """The camera works, or somebody asked to try now."""
        self._fault = None
        self._step = 0
        self.failures = 0
