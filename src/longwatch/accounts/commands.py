"""What a verb may ask of the accounts: over the server's socket, or by itself while it holds `server.lock`.

Each takes the fields of the request and answers with a JSON object. The socket is 0600: whoever reaches it owns the data.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from longwatch.accounts.accounts import Accounts
from longwatch.accounts.administration import Administration
from longwatch.accounts.roles import Role
from longwatch.accounts.who import POST, Who
from longwatch.base.errors import UsageError
from longwatch.base.rfc3339 import format_us

Command = Callable[[Accounts, dict[str, Any]], Awaitable[dict[str, Any]]]


def _role(fields: dict[str, Any]) -> Role:
    try:
        return Role(fields.get("role", ""))
    except ValueError as error:
        raise UsageError(f"{fields.get('role')!r} is no role", remedy="choose one of " + ", ".join(Role)) from error


def _by(fields: dict[str, Any]) -> Who:
    """Whoever reaches the socket owns the data, and says who types."""
    return Who(POST, user=str(fields.get("by", "")))


def _reason(fields: dict[str, Any]) -> str:
    return str(fields.get("reason") or "")


async def _subject(accounts: Accounts, noun: str, fields: dict[str, Any]) -> int:
    """Of the account of that name. Raises UsageError."""
    for row in await accounts.listed():
        if (row["kind"], row["name"]) == (noun, fields["name"]):
            return int(row["subject"])
    raise UsageError(f"there is no {noun} {fields['name']!r}", remedy=f"see `longwatch {noun} list`")


def _cameras(fields: dict[str, Any]) -> frozenset[str] | None:
    listed = fields.get("cameras")
    return None if listed is None else frozenset(str(camera) for camera in listed)


async def _user_add(accounts: Accounts, fields: dict[str, Any]) -> dict[str, Any]:
    row = await accounts.add_user(
        str(fields["name"]), str(fields["password"]), _role(fields), _cameras(fields), _by(fields)
    )
    return {"name": row.name, "role": row.role}


async def _user_password(accounts: Accounts, fields: dict[str, Any]) -> dict[str, Any]:
    await accounts.set_password(str(fields["name"]), str(fields["password"]), _by(fields))
    return {"name": fields["name"]}


async def _user_remove(accounts: Accounts, fields: dict[str, Any]) -> dict[str, Any]:
    subject = await _subject(accounts, "user", fields)
    await Administration(accounts).remove("user", subject, _by(fields), _reason(fields))
    return {"name": fields["name"]}


async def _user_rights(accounts: Accounts, fields: dict[str, Any]) -> dict[str, Any]:
    subject, role = await _subject(accounts, "user", fields), _role(fields)
    await Administration(accounts).set_rights(subject, role, _cameras(fields), _by(fields), _reason(fields))
    return {"name": fields["name"], "role": role}


async def _user_disabled(accounts: Accounts, fields: dict[str, Any]) -> dict[str, Any]:
    subject, disabled = await _subject(accounts, "user", fields), bool(fields["disabled"])
    await Administration(accounts).set_disabled(subject, _by(fields), _reason(fields), disabled=disabled)
    return {"name": fields["name"], "disabled": disabled}


async def _user_code(accounts: Accounts, fields: dict[str, Any]) -> dict[str, Any]:
    subject = await _subject(accounts, "user", fields)
    code, until_us = await Administration(accounts).reset(subject, _by(fields), _reason(fields))
    return {"name": fields["name"], "code": code, "until": format_us(until_us)}


async def _token_add(accounts: Accounts, fields: dict[str, Any]) -> dict[str, Any]:
    days = fields.get("days")
    expires_us = None if days is None else accounts.clock.wall_us() + int(days) * 86_400_000_000
    token = await accounts.add_token(str(fields["name"]), _role(fields), _cameras(fields), _by(fields), expires_us)
    return {"name": fields["name"], "token": token}


async def _token_remove(accounts: Accounts, fields: dict[str, Any]) -> dict[str, Any]:
    subject = await _subject(accounts, "token", fields)
    await Administration(accounts).remove("token", subject, _by(fields), _reason(fields))
    return {"name": fields["name"]}


async def _listed(accounts: Accounts, _fields: dict[str, Any]) -> dict[str, Any]:
    return {"items": await accounts.listed()}


COMMANDS: dict[str, Command] = {
    "user_add": _user_add,
    "user_password": _user_password,
    "user_remove": _user_remove,
    "user_rights": _user_rights,
    "user_disabled": _user_disabled,
    "user_code": _user_code,
    "token_add": _token_add,
    "token_remove": _token_remove,
    "accounts": _listed,
}
