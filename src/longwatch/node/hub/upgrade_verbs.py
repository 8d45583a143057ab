"""What `longwatch hub upgrade` asks of a hub, of its server that runs or of the folder alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from longwatch.accounting.reasons import reason_of
from longwatch.accounts import POST, Who
from longwatch.base.errors import UsageError
from longwatch.base.rfc3339 import format_us
from longwatch.fleet.releases import ReleaseRow
from longwatch.node.hub.upgrades import UpgradeDesk

Verb = Callable[[Mapping[str, Any]], Any]


def verbs_of(desk: UpgradeDesk) -> dict[str, Verb]:
    """`hub_upgrade_add`, `_list`, `_posts`, `_order`, `_stop`, `_remove`. release: a version, or the begin of a hash."""

    async def add(fields: Mapping[str, Any]) -> dict[str, Any]:
        path = Path(str(fields.get("path", "")))
        if not await asyncio.to_thread(path.is_file):
            raise UsageError(f"there is no file {path}", remedy="name a bundle that `longwatch upgrade pack` made")
        return _said(await desk.add(path, _by(fields), reason_of(fields.get("reason"), needed=False)))

    async def listed(_: Mapping[str, Any]) -> dict[str, Any]:
        rollouts = [
            {"id": row.id, "version": row.version, "state": row.state, "why": row.why, "by": row.by, "reason": row.reason,
             "ordered": format_us(row.created_us), "posts": stages}
            for row, stages in await desk.rollouts()
        ]  # fmt: skip
        return {"releases": [_said(row) for row in await desk.releases()], "rollouts": rollouts}

    async def posts(fields: Mapping[str, Any]) -> dict[str, Any]:
        row = await _named(desk, fields)
        return {"release": _said(row), "items": await desk.posts(row.sha256.hex())}

    async def order(fields: Mapping[str, Any]) -> dict[str, Any]:
        row, posts = await _named(desk, fields), fields.get("posts")
        if not isinstance(posts, list) or not all(isinstance(post, str) for post in posts):
            raise UsageError("name the posts, each once")
        made = await desk.roll(row.sha256.hex(), posts, _by(fields), reason_of(fields.get("reason")))
        return {"rollout": made.id, "version": made.version, "posts": posts}

    async def stop(fields: Mapping[str, Any]) -> dict[str, Any]:
        number = fields.get("rollout")
        made = await desk.stop(number if type(number) is int else 0, _by(fields), reason_of(fields.get("reason")))
        return {"rollout": made.id, "state": made.state}

    async def remove(fields: Mapping[str, Any]) -> dict[str, Any]:
        row = await _named(desk, fields)
        await desk.remove(row.sha256.hex(), _by(fields), reason_of(fields.get("reason")))
        return _said(row)

    return {
        "hub_upgrade_add": add, "hub_upgrade_list": listed, "hub_upgrade_posts": posts, "hub_upgrade_order": order, "hub_upgrade_stop": stop,
        "hub_upgrade_remove": remove,
    }  # fmt: skip


def _by(fields: Mapping[str, Any]) -> Who:
    """Whoever reaches the socket owns the data, and says who types."""
    return Who(POST, user=str(fields.get("by", "")))


async def _named(desk: UpgradeDesk, fields: Mapping[str, Any]) -> ReleaseRow:
    """The one that a person means. Raises UsageError where there is none, or more than one."""
    name = str(fields.get("release", ""))
    found = [
        row
        for row in await desk.releases()
        if row.version == name or (len(name) >= 8 and row.sha256.hex().startswith(name))
    ]
    if len(found) != 1:
        what = f"there is no release {name[:64]!r} here" if not found else f"{len(found)} bundles here are {name}"
        raise UsageError(what, remedy="see `longwatch hub upgrade list`; the begin of a hash names one bundle")
    return found[0]


def _said(row: ReleaseRow) -> dict[str, Any]:
    return {
        "version": row.version, "sha256": row.sha256.hex(), "size": row.size, "signers": list(row.signers), "by": row.by,
        "added": format_us(row.added_us),
    }  # fmt: skip
