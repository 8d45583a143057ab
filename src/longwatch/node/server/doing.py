"""What the server's socket is asked about people, done: by the server, and by a verb that holds `server.lock` while none runs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from longwatch.accounts import COMMANDS, POST, Accounts, Recorder, Who, erase, subject_of
from longwatch.base.errors import UsageError
from longwatch.events import EventStore
from longwatch.exports import ExportStore
from longwatch.node.by_recorder.entering import hand_over, recorder_or_folder

__all__ = ["COMMANDS", "checked", "do", "erased"]


async def checked(accounts: Accounts, kind: str, fields: dict[str, Any]) -> dict[str, Any]:
    """One of COMMANDS. Raises LongwatchError."""
    try:
        return await COMMANDS[kind](accounts, fields)
    except KeyError as error:
        raise UsageError(f"{kind} lacks the field {error}") from error


async def erased(accounts: Accounts, recorder: Recorder, fields: dict[str, Any]) -> dict[str, Any]:
    """`subject`, or the name of a `user`; `reason`; `by`: who types. Raises LongwatchError."""
    subject = fields.get("subject")
    if subject is None:
        subject = await subject_of(accounts, "user", str(fields.get("user", "")))
    who = Who(POST, user=str(fields.get("by", "")))
    return await erase(accounts, recorder, int(subject), who, str(fields.get("reason", "")))


async def do(data: Path, kind: str, fields: dict[str, Any], volumes: Sequence[Path]) -> dict[str, Any]:
    """Without a server; the caller holds its lock. See `commands.ask`. Raises LongwatchError."""
    accounts = Accounts(data)
    try:
        if kind == "erase":
            accounts.on_erasure.append(partial(accounts.db.call, ExportStore(accounts.db).forget))
            accounts.on_erasure.append(partial(accounts.db.call, EventStore(accounts.db).forget))
            async with recorder_or_folder(volumes) as recorder:
                return await erased(accounts, recorder, fields)
        answer = await checked(accounts, kind, fields)
        await hand_over(accounts, data, volumes)
        return answer
    finally:
        await accounts.aclose()
