"""Erasing the clear text of one person: what still waits here is handed over first, so that nothing of it comes later."""

from __future__ import annotations

from typing import Any

from longwatch.accounts.accounts import Accounts
from longwatch.accounts.journal import Recorder
from longwatch.accounts.who import Who
from longwatch.base.errors import UsageError


async def erase(accounts: Accounts, recorder: Recorder, subject: int, who: Who, reason: str) -> dict[str, Any]:
    """Names, addresses and reasons behind this subject's entries go, from the index, its files and the outbox; the entries stay.

    Returns {"count", "seq", "gone_from_file", "left_behind"}. Raises UsageError without a reason, LongwatchError where the
    recorder is away: then nothing is erased.
    """
    if not reason.strip():
        raise UsageError("erasing asks for a reason", remedy="say who asked for it, and by which right")
    await accounts.journal.settle(all_that_waits=True)
    await accounts.journal.deliver(recorder)
    answer = await recorder.request("erase", timeout_s=60.0, subject=subject, person=who.person(reason))
    await accounts.db.call(accounts.sessions.forget_words, subject)
    for forget in accounts.on_erasure:
        await forget(subject)
    await accounts.purge()
    return answer


async def subject_of(accounts: Accounts, noun: str, name: str) -> int:
    """The number of a "user" or "token" that is there. Raises UsageError."""
    for row in await accounts.listed():
        if (row["kind"], row["name"]) == (noun, name):
            return int(row["subject"])
    raise UsageError(
        f"there is no {noun} {name!r}", remedy="of one that was removed, give the number that `longwatch audit` shows"
    )
