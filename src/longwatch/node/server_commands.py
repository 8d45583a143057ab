"""What verbs ask of the server over run/server.sock, and how a verb does it itself while no server runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from longwatch.accounts import COMMANDS, Accounts, DataLock
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.node.link import Handler, LinkClient, Peer, socket_path


def handler(accounts: Accounts, reload: Callable[[], None]) -> Handler:
    """Answers the server's socket: the commands of `accounts`, `ping` and `reload`."""

    async def answer(_peer: Peer, kind: str, fields: dict[str, Any]) -> dict[str, Any]:
        if kind in COMMANDS:
            return await _checked(accounts, kind, fields)
        if kind == "ping":
            return {}
        if kind == "reload":
            reload()
            return {}
        raise UsageError(f"the server knows no {kind[:40]!r}", remedy="upgrade the older of the two programs")

    return answer


async def _checked(accounts: Accounts, kind: str, fields: dict[str, Any]) -> dict[str, Any]:
    try:
        return await COMMANDS[kind](accounts, fields)
    except KeyError as error:
        raise UsageError(f"{kind} lacks the field {error}") from error


def ask(data: Path, kind: str, **fields: Any) -> dict[str, Any]:
    """Ask the server that runs on this data folder, or do it under `server.lock` where none does.

    data: the first volume; made (0700) where it is not there yet. Raises LongwatchError. Not for use on an event loop.
    """
    return asyncio.run(_ask(data, kind, fields))


async def _ask(data: Path, kind: str, fields: dict[str, Any]) -> dict[str, Any]:
    answer = await _ask_running(data, kind, fields)
    if answer is not None:
        return answer
    with take_lock(data):
        accounts = Accounts(data)
        try:
            return await _checked(accounts, kind, fields)
        finally:
            await accounts.aclose()


def take_lock(data: Path) -> DataLock:
    """Make the data folder (0700) where it is not there, and take its `server.lock`. Raises LongwatchError."""
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        return DataLock(data / "server.lock")
    except OSError as error:
        raise LongwatchError(
            f"the data folder {data} cannot be used", why=error.strerror or "", remedy="run it as the user that owns it"
        ) from error


async def _ask_running(data: Path, kind: str, fields: dict[str, Any]) -> dict[str, Any] | None:
    """None where no server answers. One that is just starting or ending holds the lock: then `_ask` says so."""
    client = LinkClient(socket_path(data, "server"), "verb")
    try:
        await client.connect()
    except LongwatchError:
        return None
    try:
        return await client.request(kind, **fields)
    finally:
        await client.aclose()
