"""`longwatch upgrade BUNDLE` and `upgrade status`: what the server's socket answers, and what a verb asks of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from longwatch.accounting.reasons import reason_of
from longwatch.accounts import POST, Who, at_the_post
from longwatch.base.errors import UsageError
from longwatch.node.server.commands import ask_running
from longwatch.node.upgrade.upgrading import Upgrading

_PATIENCE_S = 600.0
"""A bundle is read twice, and copied."""
Command = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


def upgrade_commands(upgrading: Upgrading) -> dict[str, Command]:
    """For the server's socket."""

    async def take(fields: dict[str, Any]) -> dict[str, Any]:
        """Request `upgrade {path, reason, by}`. Raises LongwatchError."""
        reason = reason_of(fields.get("reason"), needed=True)
        person = Who(POST, user=str(fields.get("by", ""))).person(reason)
        order = await upgrading.take(Path(str(fields.get("path", ""))), person)
        return {"entry": order.entry, "version": order.version, "was": order.was}

    return {"upgrade": take}


def install(data: Path, bundle: Path, reason: str) -> dict[str, Any]:
    """Order it of the server that runs. Raises LongwatchError. Not for use on an event loop."""
    fields = {"path": str(bundle.absolute()), "reason": reason, "by": at_the_post().user}
    answer = asyncio.run(ask_running(data, "upgrade", fields, _PATIENCE_S))
    if answer is None:
        raise UsageError(
            "no server runs on this data folder", why="a new version is tried beside what runs",
            remedy="start it with `longwatch run`; or upgrade the package while nothing runs",
        )  # fmt: skip
    return answer
