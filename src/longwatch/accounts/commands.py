"""What a verb may ask of the accounts: over the server's socket, or by itself while it holds `server.lock`.

Each takes the fields of the request and answers with a JSON object. The socket is 0600: whoever reaches it owns the data.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from longwatch.accounts.accounts import Accounts
from longwatch.accounts.roles import Role
from longwatch.base.errors import UsageError

Command = Callable[[Accounts, dict[str, Any]], Awaitable[dict[str, Any]]]


def _role(fields: dict[str, Any]) -> Role:
    try:
        return Role(fields.get("role", ""))
    except ValueError as error:
        raise UsageError(f"{fields.get('role')!r} is no role", remedy="choose one of " + ", ".join(Role)) from error


def _cameras(fields: dict[str, Any]) -> frozenset[str] | None:
    listed = fields.get("cameras")
    return None if listed is None else frozenset(str(camera) for camera in listed)


async def _user_add(accounts: Accounts, fields: dict[str, Any]) -> dict[str, Any]:
    row = await accounts.add_user(str(fields["name"]), str(fields["password"]), _role(fields), _cameras(fields))
    return {"name": row.name, "role": row.role}


async def _user_password(accounts: Accounts, fields: dict[str, Any]) -> dict[str, Any]:
    await accounts.set_password(str(fields["name"]), str(fields["password"]))
    return {"name": fields["name"]}


async def _user_remove(accounts: Accounts, fields: dict[str, Any]) -> dict[str, Any]:
    await accounts.remove("user", str(fields["name"]))
    return {"name": fields["name"]}


async def _token_add(accounts: Accounts, fields: dict[str, Any]) -> dict[str, Any]:
    token = await accounts.add_token(str(fields["name"]), _role(fields), _cameras(fields))
    return {"name": fields["name"], "token": token}


async def _token_remove(accounts: Accounts, fields: dict[str, Any]) -> dict[str, Any]:
    await accounts.remove("token", str(fields["name"]))
    return {"name": fields["name"]}


async def _listed(accounts: Accounts, _fields: dict[str, Any]) -> dict[str, Any]:
    return {"items": await accounts.listed()}


COMMANDS: dict[str, Command] = {
    "user_add": _user_add,
    "user_password": _user_password,
    "user_remove": _user_remove,
    "token_add": _token_add,
    "token_remove": _token_remove,
    "accounts": _listed,
}
