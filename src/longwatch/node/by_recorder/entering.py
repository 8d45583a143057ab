"""Entries that a verb makes: by the running recorder, which alone writes; where none runs, here, under the data folder's lock."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from longwatch.accounts import Accounts
from longwatch.base.clock import SystemClock
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.base.ids import boot_id
from longwatch.node.link import LinkClient, socket_path

if TYPE_CHECKING:  # see `recorder_or_folder`
    from longwatch.archive import Archive

_log = structlog.get_logger(__name__)


class _Here:
    """Answers as a recorder would, what is about people and about what a hub confirmed."""

    def __init__(self, archive: Archive) -> None:
        from longwatch.node.recorder.people import People

        self._archive = archive
        self._people = People(archive, SystemClock())

    async def request(self, kind: str, /, *, timeout_s: float = 10.0, **fields: Any) -> dict[str, Any]:
        del timeout_s
        if kind == "confirm":
            from longwatch.archive.confirming import read as read_confirmed

            return {"marked": await self._archive.confirm(read_confirmed(fields.get("segments")))}
        return await self._people.commands[kind](fields)


@contextlib.asynccontextmanager
async def recorder_or_folder(volumes: Sequence[Path], fresh: str = "") -> AsyncIterator[LinkClient | _Here]:
    """Whoever takes entries now: the recorder that runs, else this process, with the folder's lock. Raises LongwatchError.

    fresh: the id of the post; then a folder that is new is made.
    """
    if not fresh and not (volumes[0] / "volume.json").exists():
        raise UsageError(f"{volumes[0]} holds no recordings", remedy="has `longwatch run` run with these settings?")
    client = LinkClient(socket_path(volumes[0], "recorder"), "verb")
    try:
        await client.connect()
    except LongwatchError:
        from longwatch.archive import Archive, Options  # who writes to an archive: mostly the recorder is there

        archive, report = await Archive.open(
            volumes, Options(post=fresh) if fresh else Options(), SystemClock(), boot_id()
        )
        try:
            yield _Here(archive)
        finally:
            await archive.close(orderly=report.orderly_stop)
        return
    try:
        yield client
    finally:
        await client.aclose()


async def hand_over(accounts: Accounts, data: Path, volumes: Sequence[Path]) -> None:
    """What the outbox holds. volumes: () where the folder is not to be opened here. Where nobody can take it, it stays: the server hands
    it over when it runs.
    """
    if not (data / "volume.json").exists() or (await accounts.journal.waiting())[0] == 0:
        return
    client = LinkClient(socket_path(data, "recorder"), "verb")
    try:
        try:
            await client.connect()
            await accounts.journal.deliver(client)
        except LongwatchError:
            if not volumes:
                raise
            async with recorder_or_folder(volumes) as taker:
                await accounts.journal.deliver(taker)
    except LongwatchError as error:
        _log.debug("entries about people wait for the server", reason=str(error))
    finally:
        await client.aclose()
