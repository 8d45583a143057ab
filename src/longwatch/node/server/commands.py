"""What verbs ask of the server over run/server.sock, and how a verb does it itself while no server runs.

A verb that finds a server needs a socket and nothing else: what keeps accounts (`doing`) is imported by the server, and where none runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from longwatch.base.errors import LongwatchError, UsageError
from longwatch.base.process import who_types
from longwatch.node.link import Handler, LinkClient, Peer, socket_path

if TYPE_CHECKING:  # see the module
    from longwatch.accounts import Accounts, Recorder
    from longwatch.server_db import DataLock

Command = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


def handler(
    accounts: Accounts, reload: Callable[[], None], recorder: Recorder | None = None, more: Mapping[str, Command] | None = None
) -> Handler:  # fmt: skip
    """Answers the server's socket: the commands of `accounts`, `erase`, `ping` and `reload`; and `more`: of joining, and of a hub."""
    from longwatch.node.server import doing as server_doing

    async def answer(_peer: Peer, kind: str, fields: dict[str, Any]) -> dict[str, Any]:
        if kind in server_doing.COMMANDS:
            return await server_doing.checked(accounts, kind, fields)
        if kind == "erase" and recorder is not None:
            return await server_doing.erased(accounts, recorder, fields)
        if more is not None and kind in more:
            return await more[kind](fields)
        if kind == "ping":
            return {}
        if kind == "reload":
            reload()
            return {}
        raise UsageError(f"the server knows no {kind[:40]!r}", remedy="upgrade the older of the two programs")

    return answer


def ask(data: Path, kind: str, /, volumes: Sequence[Path] = (), **fields: Any) -> dict[str, Any]:
    """Ask the server that runs on this data folder, or do it under `server.lock` where none does.

    Where no server runs, what the ledger is to be told of it is handed to the recorder, or entered here under the folder's lock;
    where neither can be, it waits for the next start of the server.

    volumes: of the folder, so that it can be opened here. data: the first volume; made (0700) where it is not there yet. Raises LongwatchError. Not for use on an event loop.
    """
    return asyncio.run(_ask(data, kind, fields, volumes))


def ask_if_running(data: Path, kind: str, /, **fields: Any) -> dict[str, Any] | None:
    """As `ask`, of a server that runs; None where none does. Raises LongwatchError. Not for use on an event loop."""
    return asyncio.run(ask_running(data, kind, {"by": who_types(), **fields}))


async def _ask(data: Path, kind: str, fields: dict[str, Any], volumes: Sequence[Path]) -> dict[str, Any]:
    fields = {"by": who_types(), **fields}
    answer = await ask_running(data, kind, fields)
    if answer is not None:
        return answer
    from longwatch.node.server.doing import do

    with take_lock(data):
        return await do(data, kind, fields, volumes)


def take_lock(data: Path) -> DataLock:
    """Make the data folder (0700) where it is not there, and take its `server.lock`. Raises LongwatchError."""
    from longwatch.server_db import DataLock

    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        return DataLock(data / "server.lock")
    except OSError as error:
        raise LongwatchError(
            f"the data folder {data} cannot be used", why=error.strerror or "", remedy="run it as the user that owns it"
        ) from error


async def ask_running(data: Path, kind: str, fields: dict[str, Any], timeout_s: float = 10.0) -> dict[str, Any] | None:
    """None where no server answers. One that is just starting or ending holds the lock: then `_ask` says so."""
    client = LinkClient(socket_path(data, "server"), "verb")
    try:
        await client.connect()
    except LongwatchError:
        return None
    try:
        return await client.request(kind, timeout_s=timeout_s, **fields)
    finally:
        await client.aclose()
