"""What a post's new settings would be, judged at its hub: the loader in a child, and the recorder's own way of comparing. docs/design/command.md."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from longwatch.accounting.settings_change import cameras_of, change, flatten
from longwatch.web.settings_desk import ask_child

_TURNS = asyncio.Semaphore(2)


async def check_afar(text: str, before: str, post: str) -> dict[str, Any]:
    """{ok, problems, difference, unknown}, as the check of a post's own page answers. text, before: with stand-ins. Raises LongwatchError."""
    said = await _ask_child({"text": text, "before": before, "post": post})
    if said["problems"]:
        return {"ok": False, "problems": said["problems"], "difference": None, "unknown": None}
    if said["before"] is None:
        why = "the settings that it has now are wrong as they stand"
        return {"ok": True, "problems": [], "difference": None, "unknown": why}
    difference = await asyncio.to_thread(_difference, said["before"], said["resolved"])
    return {"ok": True, "problems": [], "difference": difference, "unknown": None}


def _difference(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    salt = os.urandom(16)
    secrets = {*map(str, before.pop("secrets", [])), *map(str, after.pop("secrets", []))}
    old, new = flatten(before, secrets, salt), flatten(after, secrets, salt)
    found = change(old, new)
    were, are = cameras_of(old.flat), cameras_of(new.flat)
    return {
        "added": sorted(are - were), "removed": sorted(were - are), "changed": sorted(found.cameras() & are & were),
        "interrupted": sorted(found.interrupted() & are & were), "restart_needed": found.at_next_start(), "reduces": list(found.reduces),
        "values": found.told(),
    }  # fmt: skip


async def _ask_child(asked: dict[str, str]) -> dict[str, Any]:
    async with _TURNS:
        return await ask_child(asked, "try-afar")
