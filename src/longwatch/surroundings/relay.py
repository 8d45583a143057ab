"""A relay or a meter that answers in JSON: Shelly (Gen1 `/relay/0`, `/meter/0`; Gen2 `/rpc/Switch.GetStatus?id=0`), Tasmota (`/cm?cmnd=Power`)."""

from __future__ import annotations

import math
from typing import Any

from longwatch.model.surroundings import Power
from longwatch.surroundings.device import DeviceError, Feed
from longwatch.surroundings.http_get import get_json
from longwatch.surroundings.options import HttpAddress, Meter, Relay


class _JsonDevice:
    """What both share. Owner of its state: the watch's loop."""

    def __init__(self, camera: str, kind: str, address: HttpAddress, key: str) -> None:
        self.by = f"{kind} {address.host} of {camera}"
        self._address = address
        self._key = key
        self._feed = Feed()

    def by_of(self, camera: str) -> str:  # noqa: ARG002 - it feeds one camera
        """Who says it."""
        return self.by

    def feed(self, camera: str) -> Feed:  # noqa: ARG002 - it feeds one camera
        """What it said last."""
        return self._feed

    def forget(self) -> None:
        """Nobody knows any more."""
        self._feed = Feed()

    def close(self) -> None:
        """Nothing is held between questions."""

    async def run_once(self) -> None:
        """Ask once. Raises DeviceError."""
        self._feed = self.read(field_of(await get_json(self._address), self._key, self.by))

    def read(self, value: Any) -> Feed:
        """What the value means. Raises DeviceError."""
        raise DeviceError(f"{self.by} has no meaning", why=repr(value)[:50])


class RelayDevice(_JsonDevice):
    """A relay: its camera has power while the field is what the settings say."""

    def __init__(self, camera: str, relay: Relay) -> None:
        super().__init__(camera, "relay", relay.address, relay.key)
        self._on = relay.on

    def read(self, value: Any) -> Feed:
        """Any scalar is an answer; text is compared without regard to case."""
        if isinstance(value, str) and isinstance(self._on, str):
            on = value.casefold() == self._on.casefold()
        elif isinstance(value, bool | int | float):
            on = value == self._on
        elif value is None or isinstance(value, dict | list):
            raise DeviceError(f"{self.by} did not say", why=f"{self._key} is no single value")
        else:
            on = False
        return Feed(
            Power.ON if on else Power.OFF, detail="the relay is on" if on else "the relay is off", ordered=not on
        )


class MeterDevice(_JsonDevice):
    """A meter: its camera has power while it draws more than so many watts."""

    def __init__(self, camera: str, meter: Meter) -> None:
        super().__init__(camera, "meter", meter.address, meter.key)
        self._above = meter.watts_above

    def read(self, value: Any) -> Feed:
        """A number, or text that is one."""
        try:
            watts = float(value)
        except (TypeError, ValueError):
            raise DeviceError(f"{self.by} did not say", why=f"{self._key} is no number") from None
        if isinstance(value, bool) or not math.isfinite(watts):
            raise DeviceError(f"{self.by} did not say", why=f"{self._key} is no number")
        return Feed(Power.ON if watts > self._above else Power.OFF, detail=f"{watts:.1f} W")


def field_of(said: Any, key: str, by: str) -> Any:
    """The value at `key`: dots lead inwards, numbers into lists. Raises DeviceError."""
    value = said
    for part in key.split("."):
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isascii() and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            raise DeviceError(f"{by} did not say", why=f"there is no {key} in its answer")
    return value
