"""Thermal stills that were recorded beside a camera's video: found by time, and read in a child process with limits. docs/design/thermal.md."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from longwatch.base.errors import LongwatchError
from longwatch.base.rfc3339 import format_us
from longwatch.formats.media import Codec
from longwatch.model.heat import HeatPart, HeatRead, HeatScale
from longwatch.model.sessions import StreamKey
from longwatch.model.stores import SegmentSource
from longwatch.pictures import SlotsFullError, plain_environment
from longwatch.playback.heat_wire import LENGTHS, MOST_LEVELS, MOST_SAID, MOST_STILL, packed
from longwatch.playback.selection import NoVideoError
from longwatch.playback.tables import TableCache

_SECONDS_A_STILL = 5.0
_SECONDS_TO_START = 60.0
_IDLE_SECONDS = 120.0
_MOST_WAITING = 32
_REST_TIMES = 10
_MOST_BUSY_SECONDS = 500.0
"""After so much work a child is replaced: its processor time is limited, and a still that came then would be blamed for it."""


@dataclass(frozen=True, slots=True)
class HeatStill:
    """levels: rows of 16 bits, little endian; empty where they were not wanted. Degrees Celsius are level x gain + offset; gain None: values without a scale."""

    width: int
    height: int
    gain: float | None
    offset: float
    reads: tuple[HeatRead, ...]
    levels: bytes = field(repr=False)


class HeatStills:
    """Reads stills through one child, started when one is first wanted and ended after two idle minutes. Owner of the child.

    One that dies or takes longer than five seconds is killed, and its camera's stills rest for ten times as long as it took. What is read for alarms (without its
    picture) waits for one at most that somebody looks at, however many ask.
    """

    def __init__(self, cache: TableCache | None = None, *, seconds_a_still: float = _SECONDS_A_STILL) -> None:
        self._cache = cache or TableCache()
        self._seconds = seconds_a_still
        self._child: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._lookers = asyncio.Lock()
        self._busy_s = 0.0
        self._left: asyncio.subprocess.Process | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._waiting = 0
        self._resting: dict[str, float] = {}

    def find(self, source: SegmentSource, camera: str, at_us: int, back_us: int) -> tuple[int, bytes]:
        """Wall time and bytes of the last still at or before that moment, at most `back_us` before it. Blocks. Raises NoVideoError where there is none."""
        key = StreamKey(camera, "main")
        for row in reversed(source.segments(key, at_us - back_us, at_us + 1)):
            table = self._cache.table(source, row)
            for track in table.tracks:
                if track is None or track.format.codec is not Codec.THERMAL_STILL:
                    continue
                media = table.media_time(at_us + 1, track.format.timescale)
                n = max((n for n in range(track.count) if track.pts[n] < media), default=None)
                if n is not None and table.wall_us(track.pts[n], track.format.timescale) >= at_us - back_us:
                    data = source.read(row, track.offset(n), track.sizes[n])
                    return table.wall_us(track.pts[n], track.format.timescale), data
        raise NoVideoError(
            f"no thermal still of {camera} at {format_us(at_us)}",
            why=f"none was recorded in the {back_us // 60_000_000} minutes before",
        )

    async def read(
        self, camera: str, data: bytes, scale: HeatScale, parts: Sequence[HeatPart], *, picture: bool = True
    ) -> HeatStill:
        """What was measured. Raises LongwatchError where the file cannot be read, and SlotsFullError where too many wait."""
        if len(data) > MOST_STILL:
            raise LongwatchError(f"a still of {len(data)} bytes is too large to be read")
        said = {
            "gain": scale.gain, "offset": scale.offset, "picture": picture,
            "parts": [[part.name, [list(point) for point in part.points]] for part in parts],
        }  # fmt: skip
        if not picture:
            return await self._in_turn(camera, packed(said, data))
        if self._waiting >= _MOST_WAITING:
            raise SlotsFullError(
                "too many thermal stills are asked for at once",
                why=f"{_MOST_WAITING} wait",
                remedy="try again in a moment",
            )
        self._waiting += 1
        try:
            async with self._lookers:
                return await self._in_turn(camera, packed(said, data))
        finally:
            self._waiting -= 1

    async def _in_turn(self, camera: str, request: bytes) -> HeatStill:
        async with self._turn:
            if asyncio.get_running_loop().time() < self._resting.get(camera, 0.0):
                raise LongwatchError(
                    "the still could not be read",
                    why="stills of this camera take too long",
                    remedy="try again later",
                )
            return await self._asked(camera, request)

    async def _asked(self, camera: str, request: bytes) -> HeatStill:
        try:
            child = await self._running()
            began = asyncio.get_running_loop().time()
            async with asyncio.timeout(self._seconds):
                told, levels = await _ask(child, request)
            self._busy_s += asyncio.get_running_loop().time() - began
        except (OSError, ValueError, asyncio.IncompleteReadError) as error:
            await self._stop()
            self._resting[camera] = asyncio.get_running_loop().time() + _REST_TIMES * self._seconds
            raise LongwatchError("the still could not be read", why=f"its reader ended: {error!r}") from error
        except asyncio.CancelledError:
            await self._stop()
            raise
        self._resting.pop(camera, None)
        self._rest()
        if "error" in told:
            raise LongwatchError("the still could not be read", why=str(told["error"]))
        reads = tuple(HeatRead(name, high, low, mean, (x, y)) for name, high, low, mean, (x, y) in told["reads"])
        return HeatStill(told["width"], told["height"], told["gain"], told["offset"], reads, levels)

    async def _running(self) -> asyncio.subprocess.Process:
        if self._idle is not None:
            self._idle.cancel()
        if self._busy_s > _MOST_BUSY_SECONDS:
            await self._stop()
        if self._child is None or self._child.returncode is not None:
            self._busy_s = 0.0
            self._child = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "longwatch.playback.heat_child",
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
                env=plain_environment(),
            )  # fmt: skip
            async with asyncio.timeout(_SECONDS_TO_START):
                await _answer(self._child)
        return self._child

    def _rest(self) -> None:
        if self._child is not None and self._child.stdin is not None:
            self._idle = asyncio.get_running_loop().call_later(_IDLE_SECONDS, self._leave)

    def _leave(self) -> None:
        """The child has nothing to do and may end. A still that comes in this very moment gets another one."""
        if self._child is not None and self._child.stdin is not None:
            self._child.stdin.close()
        self._left, self._child = self._child, None

    async def _stop(self) -> None:
        child, self._child = self._child, None
        left, self._left = self._left, None
        if self._idle is not None:
            self._idle.cancel()
        for each in (child, left):
            if each is not None:
                with contextlib.suppress(ProcessLookupError):
                    each.kill()
                await each.wait()

    async def aclose(self) -> None:
        """End the child."""
        async with self._turn:
            await self._stop()


async def _ask(child: asyncio.subprocess.Process, request: bytes) -> tuple[dict[str, Any], bytes]:
    assert child.stdin is not None
    child.stdin.write(request)
    await child.stdin.drain()
    return await _answer(child)


async def _answer(child: asyncio.subprocess.Process) -> tuple[dict[str, Any], bytes]:
    assert child.stdout is not None
    said_bytes, level_bytes = LENGTHS.unpack(await child.stdout.readexactly(LENGTHS.size))
    if said_bytes > MOST_SAID or level_bytes > MOST_LEVELS:
        raise OSError(f"an answer of {said_bytes}+{level_bytes} bytes")
    said = json.loads(await child.stdout.readexactly(said_bytes))
    return said, await child.stdout.readexactly(level_bytes)
