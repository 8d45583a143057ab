"""Verbs: over the socket while a server runs, under its lock while none does."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.support.accounts import open_accounts

from longwatch.accounts import Role
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.node.link import LinkServer, socket_path
from longwatch.node.server.commands import ask, handler
from longwatch.server_db import DataLock


async def test_a_running_server_does_it_and_knows_it_at_once(tmp_path: Path) -> None:
    with DataLock(tmp_path / "server.lock"):
        accounts = open_accounts(tmp_path)
        reloads: list[bool] = []
        link = LinkServer(socket_path(tmp_path, "server"), "server", handler(accounts, lambda: reloads.append(True)))
        await link.start()
        try:
            fields = {"name": "ada", "password": "correct horse battery", "role": "operator"}
            added = await asyncio.to_thread(ask, tmp_path, "user_add", **fields)
            assert added == {"name": "ada", "role": "operator"}
            _, principal = await accounts.login("ada", "correct horse battery", "10.0.0.1")
            assert principal.role is Role.OPERATOR
            token = (await asyncio.to_thread(ask, tmp_path, "token_add", name="t", role="viewer"))["token"]
            assert (await accounts.by_token(token)).name == "t"
            await asyncio.to_thread(ask, tmp_path, "token_remove", name="t")
            assert await accounts.by_token(token) is None
            assert await asyncio.to_thread(ask, tmp_path, "ping") == {}
            await asyncio.to_thread(ask, tmp_path, "reload")
            assert reloads == [True]
            with pytest.raises(LongwatchError, match="already") as refused:
                await asyncio.to_thread(ask, tmp_path, "user_add", **fields)
            assert refused.value.exit_code == 2
            with pytest.raises(LongwatchError, match="is no role"):
                await asyncio.to_thread(ask, tmp_path, "token_add", name="x", role="emperor")
            with pytest.raises(LongwatchError, match="lacks the field"):
                await asyncio.to_thread(ask, tmp_path, "user_add", role="viewer")
            with pytest.raises(LongwatchError, match="knows no"):
                await asyncio.to_thread(ask, tmp_path, "format_disk")
        finally:
            await link.aclose()
            await accounts.aclose()


def test_without_a_server_the_verb_does_it_itself(tmp_path: Path) -> None:
    data = tmp_path / "new" / "data"
    token = ask(data, "token_add", name="t", role="viewer", cameras=["gate"])["token"]
    assert token.startswith("lw_")
    assert ask(data, "accounts")["items"] == [
        {
            "kind": "token",
            "name": "t",
            "role": "viewer",
            "cameras": ["gate"],
            "subject": 10,
            "disabled": False,
            "expires_us": None,
        }
    ]
    with pytest.raises(UsageError):
        ask(data, "token_add", name="t", role="viewer")


def test_a_server_that_does_not_answer_keeps_its_data_to_itself(tmp_path: Path) -> None:
    with DataLock(tmp_path / "server.lock"), pytest.raises(LongwatchError, match="another server"):
        ask(tmp_path, "accounts")
