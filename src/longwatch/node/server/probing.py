"""Trying a camera for the API: a child parses what comes from it, another decodes its first picture."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

from longwatch.base.errors import LongwatchError, UsageError
from longwatch.formats.media import Codec, Kind, TrackFormat
from longwatch.node.server.masked_places import leads_to
from longwatch.pictures import plain_environment
from longwatch.playback import Stills

_START_S = 60.0
"""For a child to be there: on a slow machine that takes longer than trying a camera, and says nothing of the camera."""
_PATIENCE_S = 10.0
_AT_ONCE = 2
_WIDTH = 960


class Probing:
    """At most two at once; each ends within ten seconds from when its child is there. Owner of its children: the server's loop."""

    def __init__(self, stills: Stills, masked: Callable[[], Sequence[str]] = tuple) -> None:
        """masked: URLs of cameras with masks, whose pictures are never shown as they come."""
        self._stills = stills
        self._masked = masked
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def probe(self, url: str, transport: str, *, verify_certificate: bool) -> dict[str, Any]:
        """What the camera sends (web.models_settings.Probed). url: with its login. Raises LongwatchError."""
        async with self._room:
            said = await self._ask({"url": url, "transport": transport, "verify_certificate": verify_certificate})
        error = said.get("error")
        if isinstance(error, dict):
            raise UsageError(error["what"], why=error["why"], remedy=error["remedy"])
        sample = said.pop("sample", None)
        if sample is not None and await asyncio.to_thread(leads_to, url, self._masked()):
            sample = None
            says = "a camera at this address has masks: its picture is not shown as it comes"
            said["findings"] = [*said["findings"], {"code": "masked", "level": "note", "says": says, "values": {}}]
        said["picture"] = await self._picture(sample) if isinstance(sample, dict) else None
        return said

    async def _ask(self, asked: dict[str, Any]) -> dict[str, Any]:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "longwatch.node.children.probe",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
            env=plain_environment(),
        )  # fmt: skip
        try:
            await _is_there(child)
            async with asyncio.timeout(_PATIENCE_S):
                out, _ = await child.communicate(json.dumps(asked).encode())
            said: dict[str, Any] = json.loads(out)
        except TimeoutError:
            return _too_slow(asked)
        except ValueError as error:
            raise LongwatchError("the camera could not be tried", why=f"exit {child.returncode}") from error
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        return said

    async def _picture(self, sample: dict[str, str]) -> str | None:
        entry, data = base64.b64decode(sample["entry"]), base64.b64decode(sample["data"])
        format_ = TrackFormat(Kind.VIDEO, Codec(sample["codec"]), 90_000, entry, "")
        try:
            jpeg = await self._stills.decoded(format_, data, _WIDTH)
        except LongwatchError:
            return None
        return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()


async def _is_there(child: asyncio.subprocess.Process) -> None:
    """It says a line of its own before it is asked anything. Raises LongwatchError."""
    assert child.stdout is not None
    try:
        async with asyncio.timeout(_START_S):
            await child.stdout.readline()
    except TimeoutError as error:
        raise LongwatchError(
            "the camera could not be tried", why=f"this machine is too busy: what tries it was not there after {_START_S:g} s",
            remedy="try it again",
        ) from error  # fmt: skip


def _too_slow(asked: dict[str, Any]) -> dict[str, Any]:
    """Still trickling after all that time."""
    says = f"no picture within {_PATIENCE_S:g} s"
    return {
        "url": asked["url"].partition("://")[0] + "://" + asked["url"].rpartition("@")[2].partition("/")[0],
        "transport": asked["transport"], "ok": False, "fault": "timed_out", "detail": says, "server": "", "offered": [],
        "first_picture_s": None, "measured_s": 0.0, "clock_offset_s": None, "bytes_per_day": None, "tracks": [],
        "findings": [{"code": "timed_out", "level": "bad", "says": says, "values": {"detail": says}}], "sample": None,
    }  # fmt: skip
