"""What can go wrong with a camera on request, and the words for it.

`NAME[:ARG[,ARG]]@SECONDS`, as `longwatch simulate camera --fault` takes it: `stall:10@5` falls silent five seconds
after the start, for ten seconds. Without `@` it happens at once; without a duration it stays.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from longwatch.base.errors import UsageError

FAULTS = {
    "drop": "[SECONDS] ends every connection; the port stays closed that long (0)",
    "stall": "[SECONDS] sends no packet, and still answers requests",
    "hang": "[SECONDS] sends nothing and answers nothing",
    "audio-only": "[SECONDS] sends audio and no video",
    "freeze": "[SECONDS] sends the same picture again and again",
    "jump": "[SECONDS] RTP timestamps jump ahead (60)",
    "back": "[SECONDS] RTP timestamps go back (60)",
    "wrap": "[SECONDS] RTP timestamps of later sessions pass 2^32 that long after PLAY (5)",
    "clock": "SECONDS the camera's clock is set, as its sender reports say",
    "parameters": "[FILE] goes on with another file: new parameter sets in mid-stream",
    "loss": "PERCENT[,SECONDS] loses packets at random",
    "lose": "[COUNT] loses the next packets of video (1)",
    "swap": "PERCENT[,SECONDS] sends packets in the wrong order",
    "late": "SECONDS answers only from then on",
    "refuse": "[CODE[,SECONDS]] ends the sessions and answers 453, 503, 404 or another code (453)",
    "redirect": "URL ends the sessions and answers 302 with that place",
    "garbage": "[BYTES] writes that many bytes that are not RTSP (4096)",
    "password": "NEW ends the sessions and takes only the new password",
    "heat": "CELSIUS what a thermal camera (`--celsius`) measures from then on (20)",
    "bye": "says BYE by RTCP and closes, as a camera that restarts",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault asked for. at_s: seconds after the camera's start."""

    name: str
    args: tuple[str, ...] = ()
    at_s: float = 0.0

    def number(self, index: int, default: float) -> float:
        """An argument as a number. Raises UsageError where it is none."""
        if index >= len(self.args) or not self.args[index]:
            return default
        try:
            value = float(self.args[index])
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise UsageError(
                f"{self.args[index]!r} is not a number in fault {self.name}", remedy=f"{self.name}:{FAULTS[self.name]}"
            )
        return value


def parse(text: str) -> Fault:
    """Read `NAME[:ARGS][@SECONDS]`. Raises UsageError, which names the faults there are."""
    body, at, when = text.rpartition("@") if "@" in text else (text, "", "")
    name, _, args = body.partition(":")
    if name not in FAULTS:
        raise UsageError(f"there is no fault {name!r}", remedy=f"one of {', '.join(FAULTS)}")
    split = (args,) if name in {"redirect", "parameters", "password"} else tuple(args.split(","))
    fault = Fault(name, split if args else ())
    if not at:
        return fault
    try:
        at_s = float(when)
    except ValueError:
        at_s = -1.0
    if not 0 <= at_s < 1e9:
        raise UsageError(f"{when!r} in {text!r} is no number of seconds", remedy="write it as stall:10@5")
    return Fault(name, fault.args, at_s)


@dataclass(slots=True)
class Condition:
    """How a camera is just now. Owner of the state: `SimulatedCamera`; its sessions read it before each unit.

    Times `..._until_us` are CLOCK_BOOTTIME; infinity is for ever.
    """

    stalled_until_us: float = 0
    hung_until_us: float = 0
    audio_only_until_us: float = 0
    frozen_until_us: float = 0
    skew_s: float = 0
    wrap_after_s: float | None = None
    loss: float = 0
    loss_until_us: float = 0
    lose_packets: int = 0
    swap: float = 0
    swap_until_us: float = 0
    refuse_code: int = 0
    refuse_until_us: float = 0
    redirect_to: str = ""

    def mend(self) -> None:
        """A camera in order again, in place; its RTP timestamps stay where they are."""
        fresh = Condition(skew_s=self.skew_s, wrap_after_s=self.wrap_after_s)
        for name in self.__slots__:
            setattr(self, name, getattr(fresh, name))
