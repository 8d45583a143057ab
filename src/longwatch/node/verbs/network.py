"""What verbs of the network do: by the server that runs, or here, under `server.lock`, while none does."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from longwatch.accounts import at_the_post
from longwatch.base.clock import SystemClock
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.base.secrets import register
from longwatch.config import Settings
from longwatch.node.by_recorder.entering import recorder_or_folder
from longwatch.node.hub import part as hub
from longwatch.node.hub.upgrade_verbs import verbs_of
from longwatch.node.hub.upgrades import UpgradeDesk
from longwatch.node.issuing.statements import make_statement
from longwatch.node.link import Ledger
from longwatch.node.post import joining
from longwatch.node.server.commands import ask_running, take_lock
from longwatch.trust import parse_code

_PATIENCE_S = 240.0
Command = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


def ask_hub(settings: Settings, kind: str, fields: dict[str, Any]) -> dict[str, Any]:
    """`hub_invite`, `hub_posts`, `hub_revoke`, or one of `hub.upgrade_verbs`. Raises LongwatchError. Not for use on an event loop."""
    hub.check_is_hub(settings)
    answer, _ = asyncio.run(_asked(settings, kind, fields, lambda ledger: _at_the_desk(settings, ledger, kind, fields)))
    return answer


def state(settings: Settings, post: str, out: Path, reason: str) -> dict[str, Any]:
    """`longwatch hub statement`: {"file", "entry"}. Beside a server that runs, or alone. Raises LongwatchError. Not for use on an event loop."""
    hub.check_is_hub(settings)
    if out.suffix.lower() != ".zip":
        raise UsageError(f"{out} is no statement's name", remedy="end it with .zip")
    if not reason.strip():
        raise UsageError("this asks for a reason", remedy="say why, in one line")
    clock = SystemClock()
    authority, fleet, _ = hub.open_fleet(settings, clock, "spool-statement")
    try:
        package, entry = asyncio.run(
            make_statement(
                fleet, post, {"id": settings.post.id, "name": settings.post.name}, authority.cosigner.public, settings.volumes, clock,
                at_the_post().person(reason),
            )
        )  # fmt: skip
    finally:
        fleet.db.close()
    try:
        fresh = out.with_name(f".{out.name}.{os.getpid()}")
        fresh.write_bytes(package)
        fresh.replace(out)
    except OSError as error:
        raise LongwatchError(
            f"the statement could not be written to {out}", why=error.strerror or str(error), remedy="its entry stands; make another"
        ) from error  # fmt: skip
    return {"file": str(out), "entry": entry}


def ask_to_join(settings: Settings, code: str, reason: str, *, leave: bool) -> dict[str, Any]:
    """{"hub", "post", "running"}: whether a server runs, which has dialled in by now. Raises LongwatchError. Not for use on an event loop."""
    register(parse_code(code).secret.hex())
    fields = {"code": code, "reason": reason, "leave": leave}
    answer, running = asyncio.run(
        _asked(settings, "join", fields, lambda ledger: _joining(settings, ledger, "join", fields))
    )
    return {**answer, "running": running}


def ask_to_leave(settings: Settings, reason: str) -> dict[str, Any]:
    """{"left": id of the hub}. Raises LongwatchError. Not for use on an event loop."""
    fields = {"reason": reason}
    answer, _ = asyncio.run(
        _asked(settings, "leave", fields, lambda ledger: _joining(settings, ledger, "leave", fields))
    )
    return answer


async def _asked(
    settings: Settings, kind: str, fields: dict[str, Any], alone: Callable[[Ledger], Awaitable[dict[str, Any]]]
) -> tuple[dict[str, Any], bool]:
    """The answer, and whether a server gave it."""
    data = settings.volumes[0]
    fields["by"] = at_the_post().user
    answer = await ask_running(data, kind, fields, _PATIENCE_S)
    if answer is not None:
        return answer, True
    with take_lock(data):
        async with recorder_or_folder(settings.volumes, fresh=settings.post.id) as ledger:
            return await alone(ledger), False


async def _at_the_desk(settings: Settings, ledger: Ledger, kind: str, fields: dict[str, Any]) -> dict[str, Any]:
    desk = await asyncio.to_thread(hub.open_desk, settings, ledger, SystemClock())
    try:
        upgrades = UpgradeDesk(desk.fleet, settings.volumes[0] / hub.FOLDER, ledger, SystemClock())
        found: dict[str, Any] = await {**hub.commands_of(desk), **verbs_of(upgrades)}[kind](fields)
        return found
    finally:
        await asyncio.to_thread(desk.fleet.db.close)


async def _joining(settings: Settings, ledger: Ledger, kind: str, fields: dict[str, Any]) -> dict[str, Any]:
    site = joining.joiner_of(settings)
    return await joining.commands_of(joining.Joining(lambda: site, ledger, SystemClock()))[kind](fields)
