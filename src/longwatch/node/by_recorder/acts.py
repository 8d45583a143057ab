"""Acts from the command line: by the running recorder, which alone writes; where none runs, here, under the data folder's lock.

What is written here takes effect at the next start. Only `stop` makes no sense then. What a recorder is made of is imported where none runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from longwatch.base.clock import SystemClock
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.base.ids import boot_id
from longwatch.node.link import LinkClient, socket_path
from longwatch.node.supervisor.process import lock_holder

if TYPE_CHECKING:  # see the module
    from longwatch.archive import Archive
    from longwatch.model.causes import Pause
    from longwatch.node.recorder.acts import RecorderActs

_PATIENCE_S = 30.0
_ENDS_WITHIN_S = 10.0
Alone = Callable[["Archive", "RecorderActs"], Awaitable[dict[str, Any]]]


def act(volumes: Sequence[Path], post: str, kind: str, cameras: frozenset[str], **fields: Any) -> dict[str, Any]:
    """`acknowledge`, `pause` or `resume`. post, cameras: the ids of the settings. Answers as the request of that name does, with `by`.

    Raises LongwatchError. Not for use on an event loop.
    """

    async def alone(_: Archive, acts: RecorderActs) -> dict[str, Any]:
        return await acts.commands[kind](fields)

    return asyncio.run(_asked(volumes, post, kind, cameras, fields, alone))


def hold(volumes: Sequence[Path], post: str, kind: str, **fields: Any) -> dict[str, Any]:
    """`hold_place` or `hold_end`. Answers as the request of that name does, with `by`. Raises LongwatchError."""

    async def alone(archive: Archive, acts: RecorderActs) -> dict[str, Any]:
        from longwatch.node.recorder.holds import RecorderHolds

        clock = SystemClock()
        return await RecorderHolds(archive, clock, clock.wall_us, acts).commands[kind](fields)

    return asyncio.run(_asked(volumes, post, kind, frozenset(), fields, alone))


def apply_settings(volumes: Sequence[Path], post: str, config: Path, **fields: Any) -> dict[str, Any]:
    """`settings_apply`. Where no recorder runs the change is entered, and the next start finds nothing changed."""

    async def alone(archive: Archive, acts: RecorderActs) -> dict[str, Any]:
        from longwatch.node.recorder.options import resolve
        from longwatch.node.recorder.settings import Asked, RecorderSettings

        options = await resolve(config)
        if options.problems:
            raise UsageError("; ".join(options.problems), remedy="see `longwatch settings check`")
        settings = RecorderSettings(archive, acts)
        settings.read()
        return await settings.apply(options, Asked.of(fields))

    return asyncio.run(_asked(volumes, post, "settings_apply", frozenset(), fields, alone))


async def _asked(
    volumes: Sequence[Path], post: str, kind: str, cameras: frozenset[str], fields: dict[str, Any], alone: Alone
) -> dict[str, Any]:
    client = LinkClient(socket_path(volumes[0], "recorder"), "verb")
    try:
        await client.connect()
    except LongwatchError:
        return {**await _alone(volumes, post, cameras, alone), "by": "verb"}
    try:
        return {**await client.request(kind, timeout_s=_PATIENCE_S, **fields), "by": "recorder"}
    finally:
        await client.aclose()


async def _alone(volumes: Sequence[Path], post: str, cameras: frozenset[str], what: Alone) -> dict[str, Any]:
    """Opening the archive recovers what a cut left open; how the recorder ended stays as it was."""
    if not (volumes[0] / "volume.json").exists():
        raise UsageError(f"{volumes[0]} holds no recordings", remedy="has `longwatch run` run with these settings?")
    from longwatch.archive import Archive, Options
    from longwatch.node.recorder.acts import RecorderActs

    clock = SystemClock()
    archive, report = await Archive.open(volumes, Options(post=post), clock, boot_id())
    try:
        acts = RecorderActs(archive, clock, clock.wall_us, lambda: cameras, _at_the_next_start)
        await acts.load(report)
        return await what(archive, acts)
    finally:
        await archive.close(orderly=report.orderly_stop)


async def _at_the_next_start(_camera: str, _pause: Pause | None) -> None:
    return


def stop(volumes: Sequence[Path], config: Path, **fields: Any) -> dict[str, Any]:
    """`stop`: the entry, then the orderly end of recorder, server and supervisor. Returns when they have ended: {"seq", "ended"}.

    Raises LongwatchError where nothing runs, or something does not end.
    """
    return asyncio.run(_stop(volumes, config.absolute(), fields))


async def _stop(volumes: Sequence[Path], config: Path, fields: dict[str, Any]) -> dict[str, Any]:
    client = LinkClient(socket_path(volumes[0], "recorder"), "verb")
    await client.connect()
    recorder, supervisor = _hold(lock_holder(volumes[0] / "lock")), _hold(lock_holder(config))
    try:
        answer = await client.request("stop", timeout_s=_PATIENCE_S, **fields)
        await client.aclose()
        if recorder is not None and not await asyncio.to_thread(_ended, recorder, _ENDS_WITHIN_S):
            raise LongwatchError(
                "the recorder has not ended yet", why=f"waited {_ENDS_WITHIN_S:g} s", remedy="see its log"
            )
        if supervisor is not None and not await asyncio.to_thread(_ended, supervisor, 1.0):
            _ask_to_end(supervisor)  # it did not start this recorder, or is of an older version
            if not await asyncio.to_thread(_ended, supervisor, _ENDS_WITHIN_S):
                raise LongwatchError("`longwatch run` has not ended yet", remedy="see its log")
        return {**answer, "ended": True}
    finally:
        for descriptor in (recorder, supervisor):
            if descriptor is not None:
                os.close(descriptor)


def _hold(pid: int | None) -> int | None:
    """A descriptor that stands for the process, so that another with its number is never meant."""
    try:
        return None if pid is None else os.pidfd_open(pid)
    except OSError:
        return None


def _ended(descriptor: int, within_s: float) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    deadline = time.monotonic() + within_s
    return bool(poll.poll(max(0.0, deadline - time.monotonic()) * 1000))


def _ask_to_end(descriptor: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        signal.pidfd_send_signal(descriptor, signal.SIGTERM)
