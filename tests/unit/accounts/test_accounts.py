"""Users, sessions and tokens over a real database."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
from pathlib import Path

import pytest
from tests.support.accounts import cheap_hasher, open_accounts

from longwatch.accounts import (
    Accounts,
    Administration,
    NotLetInError,
    Options,
    OwnAccount,
    Right,
    Role,
    ThrottledError,
    Who,
)
from longwatch.accounts.limits import place_of
from longwatch.accounts.passwords import MOST_WAITING, BusyError, Hasher
from longwatch.accounts.sessions import MOST_OF_ONE
from longwatch.base.clock import ManualClock
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.server_db import DataLock

PASSWORD = "correct horse battery"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def accounts(tmp_path: Path, clock: ManualClock):
    opened = open_accounts(tmp_path, clock)
    yield opened
    await opened.aclose()


async def test_a_login_gives_a_session_that_is_known_and_ends_with_logout(accounts: Accounts) -> None:
    await accounts.add_user("ada", PASSWORD, Role.OPERATOR)
    assert await accounts.login("ada", "wrong password", "10.0.0.1") is None
    assert await accounts.login("bob", PASSWORD, "10.0.0.1") is None
    token, principal = await accounts.login("ada", PASSWORD, "10.0.0.1")
    assert (principal.name, principal.role) == ("ada", Role.OPERATOR)
    assert await accounts.by_session(token) == principal
    assert await accounts.by_session(token + "x") is None
    assert await accounts.by_token(token) is None
    await accounts.logout(principal)
    assert await accounts.by_session(token) is None
    assert await accounts.still(principal) is None


async def test_a_session_ends_by_itself_however_much_it_is_used(accounts: Accounts, clock: ManualClock) -> None:
    await accounts.add_user("ada", PASSWORD, Role.VIEWER)
    token, principal = await accounts.login("ada", PASSWORD, "10.0.0.1")
    half_day_us = 43_200_000_000
    for _ in range(Options().session_s * 1_000_000 // half_day_us - 1):
        clock.tick(half_day_us)
        assert await accounts.by_session(token) is not None
    clock.tick(half_day_us - 1)
    assert await accounts.by_session(token) is not None
    clock.tick(1)
    assert await accounts.by_session(token) is None
    assert await accounts.still(principal) is None


async def test_a_session_ends_after_a_day_without_use(tmp_path: Path, clock: ManualClock) -> None:
    """Also where the server was started in between, and knows of its last use from the file alone."""
    first = open_accounts(tmp_path, clock)
    row = await first.add_user("ada", PASSWORD, Role.VIEWER)
    used, _ = await first.login("ada", PASSWORD, "10.0.0.1")
    unused, forgotten = await first.login("ada", PASSWORD, "10.0.0.2")
    clock.tick(80_000_000_000)
    assert await first.by_session(used) is not None
    clock.tick(6_400_000_000)
    assert await first.by_session(unused) is None
    assert await first.still(forgotten) is None
    assert await first.by_session(used) is not None
    assert [each.address for each in first.sessions.listed(row.id, clock.wall_us())] == ["10.0.0.1"]
    await first.aclose()
    clock.tick(70_000_000_000)
    second = open_accounts(tmp_path, clock)
    assert await second.by_session(used) is not None  # it was used 76,400 s ago
    assert await second.by_session(unused) is None
    clock.tick(86_400_000_000)
    assert await second.by_session(used) is None
    await second.aclose()


async def test_a_clock_that_is_set_back_ends_no_session(accounts: Accounts, clock: ManualClock) -> None:
    await accounts.add_user("ada", PASSWORD, Role.VIEWER)
    token, _ = await accounts.login("ada", PASSWORD, "10.0.0.1")
    clock.step_wall(-3 * 86_400_000_000)
    assert await accounts.by_session(token) is not None
    clock.tick(86_000_000_000)
    assert await accounts.by_session(token) is not None


async def test_what_is_over_does_not_lie_about(accounts: Accounts, clock: ManualClock) -> None:
    """Nor do more logins of one than anybody can have."""
    row = await accounts.add_user("ada", PASSWORD, Role.VIEWER)
    first, _ = await accounts.login("ada", PASSWORD, "10.0.0.1")
    for _ in range(MOST_OF_ONE):
        clock.tick(1)
        last, _ = await accounts.login("ada", PASSWORD, "10.0.0.1")
    assert await accounts.by_session(first) is None
    assert await accounts.by_session(last) is not None
    assert len(accounts.sessions.listed(row.id, clock.wall_us())) == MOST_OF_ONE
    clock.tick((Options().session_s + 1) * 1_000_000)
    task = asyncio.ensure_future(accounts.run())
    try:
        await asyncio.sleep(0)  # it begins
        await accounts.db.call(int)  # behind what it asked of the same thread
    finally:
        task.cancel()
    with accounts.db.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM sessions").scalar() == 0


async def test_tokens_outlive_the_process_and_end_when_removed(tmp_path: Path) -> None:
    first = open_accounts(tmp_path)
    token = await first.add_token("grafana", Role.VIEWER, frozenset({"gate"}))
    await first.aclose()
    accounts = open_accounts(tmp_path)
    principal = await accounts.by_token(token)
    assert principal is not None
    assert principal.may(Right.VIEW, "gate")
    assert not principal.may(Right.VIEW, "yard")
    assert principal.may(Right.VIEW)
    assert not principal.may(Right.OPERATE, "gate")
    revoked: list[bool] = []
    accounts.on_revoked(lambda: revoked.append(True))
    await accounts.remove("token", "grafana")
    assert await accounts.by_token(token) is None
    assert revoked == [True]
    await accounts.aclose()


async def test_nothing_secret_is_kept_in_clear(accounts: Accounts, tmp_path: Path) -> None:
    await accounts.add_user("ada", PASSWORD, Role.ADMIN)
    token = await accounts.add_token("script", Role.ADMIN)
    session, _ = await accounts.login("ada", PASSWORD, "10.0.0.1")
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    for secret in (PASSWORD, token, token.removeprefix("lw_"), session):
        assert secret.encode() not in kept
    assert b"$argon2id$" in kept
    assert stat.S_IMODE((tmp_path / "server.db").stat().st_mode) == 0o600


@pytest.mark.slow
async def test_changing_a_password_ends_the_sessions(accounts: Accounts) -> None:
    await accounts.add_user("ada", PASSWORD, Role.VIEWER)
    token, _ = await accounts.login("ada", PASSWORD, "10.0.0.1")
    await accounts.set_password("ada", "another good one")
    assert await accounts.by_session(token) is None
    assert await accounts.login("ada", PASSWORD, "10.0.0.1") is None
    assert await accounts.login("ada", "another good one", "10.0.0.1") is not None


@pytest.mark.parametrize("change", ["password", "disabled"])
async def test_nobody_comes_in_by_what_is_changed_while_it_is_compared(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    user = await accounts.add_user("ada", PASSWORD, Role.VIEWER)
    compared = Hasher.matches

    async def slowly(hasher: Hasher, password: str, stored: str | None) -> bool:
        right = await compared(hasher, password, stored)
        if change == "password":
            await accounts.set_password("ada", "another good one")
        else:
            await Administration(accounts).set_disabled(user.subject, Who(0), "gone", disabled=True)
        return right

    monkeypatch.setattr(Hasher, "matches", slowly)
    with pytest.raises(NotLetInError, match="changed just now"):
        await accounts.login("ada", PASSWORD, "10.0.0.1")
    assert await accounts.db.call(accounts.sessions.listed, user.id, 0) == []


def test_addresses_that_one_can_have_at_will_count_as_one() -> None:
    one = "2001:db8:1:2::"
    assert {place_of(f"{one}{n:x}") for n in range(1, 500)} == {place_of("2001:db8:1:2:ffff:1:2:3")}
    assert place_of("2001:db8:1:3::1") != place_of(f"{one}1")
    assert place_of("::ffff:10.0.0.7") == place_of("10.0.0.7") == "10.0.0.7"
    assert place_of("10.0.0.8") != place_of("10.0.0.7")
    assert place_of("fe80::1%eth0") != place_of("fe80::2%eth0")
    assert place_of("") == ""
    assert place_of("testclient") == "testclient"


async def test_wrong_passwords_are_limited_over_a_whole_network_of_ipv6(accounts: Accounts) -> None:
    for n in range(10):
        assert await accounts.login(f"nobody {n}", "wrong password", f"2001:db8::{n + 1:x}") is None
    with pytest.raises(ThrottledError):
        await accounts.login("nobody", "wrong password", "2001:db8::ffff")


async def test_removing_a_user_ends_the_sessions(accounts: Accounts) -> None:
    await accounts.add_user("ada", PASSWORD, Role.VIEWER)
    token, principal = await accounts.login("ada", PASSWORD, "10.0.0.1")
    assert await accounts.by_session(token) is not None
    await accounts.remove("user", "ada")
    assert await accounts.by_session(token) is None
    assert await accounts.still(principal) is None
    assert await accounts.owner_subject("user:ada", "gate") is None


@pytest.mark.parametrize("name", ["", " ", "a" * 81, "line\nbreak", " ada"])
async def test_names_that_cannot_be(accounts: Accounts, name: str) -> None:
    with pytest.raises(UsageError):
        await accounts.add_user(name, PASSWORD, Role.VIEWER)


async def test_wrong_use_is_said(accounts: Accounts) -> None:
    with pytest.raises(UsageError, match="too short"):
        await accounts.add_user("ada", "1234567", Role.VIEWER)
    await accounts.add_user("ada", PASSWORD, Role.VIEWER)
    with pytest.raises(UsageError, match="already"):
        await accounts.add_user("ada", PASSWORD, Role.VIEWER)
    with pytest.raises(UsageError, match="no token"):
        await accounts.remove("token", "ada")
    with pytest.raises(UsageError, match="no user"):
        await accounts.set_password("eve", PASSWORD)


async def test_wrong_passwords_are_limited_by_address_and_right_ones_are_not(
    accounts: Accounts, clock: ManualClock
) -> None:
    await accounts.add_user("ada", PASSWORD, Role.VIEWER)
    for _ in range(30):
        assert await accounts.login("ada", PASSWORD, "10.0.0.1") is not None
    for _ in range(10):
        assert await accounts.login("ada", "wrong password", "10.0.0.1") is None
    with pytest.raises(ThrottledError) as refused:
        await accounts.login("ada", PASSWORD, "10.0.0.1")
    assert 0 < refused.value.after_s <= 6
    assert await accounts.login("ada", PASSWORD, "10.0.0.2") is not None
    clock.tick(6_000_000)
    assert await accounts.login("ada", PASSWORD, "10.0.0.1") is not None


async def test_wrong_passwords_are_limited_by_name_over_all_addresses(accounts: Accounts) -> None:
    await accounts.add_user("ada", PASSWORD, Role.VIEWER)
    for n in range(40):
        assert await accounts.login("ada", "wrong password", f"10.0.{n}.1") is None
    with pytest.raises(ThrottledError):
        await accounts.login("ada", PASSWORD, "10.1.0.1")


async def test_wrong_passkeys_and_codes_from_everywhere_keep_nobody_else_out(accounts: Accounts) -> None:
    own = OwnAccount(accounts)
    for n in range(100):
        assert await own.with_code("ABCDE-ABCDE-ABCDE-ABCDE", PASSWORD, f"10.0.{n}.1", "") is None
    row = await accounts.add_user("ada", PASSWORD, Role.VIEWER)
    code, _ = await Administration(accounts).reset(row.subject, Who(0))
    assert await own.with_code(code, "another good one", "10.1.0.1", "") is not None
    for _ in range(10):
        assert await own.with_code("ABCDE", PASSWORD, "10.2.0.1", "") is None
    with pytest.raises(ThrottledError):
        await own.with_code("ABCDE", PASSWORD, "10.2.0.1", "")


async def test_set_up_with_the_code_and_never_again(accounts: Accounts, tmp_path: Path) -> None:
    code = accounts.offer_set_up()
    path = tmp_path / "setup-code"
    assert path.read_text().strip() == code
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not accounts.is_set_up
    assert await accounts.set_up("WRONG", "ada", PASSWORD, "10.0.0.1") is None
    with pytest.raises(UsageError):
        await accounts.set_up(code, "ada", "short", "10.0.0.1")
    assert not accounts.is_set_up
    _, principal = await accounts.set_up(code.lower().replace("-", " "), "ada", PASSWORD, "10.0.0.1")
    assert principal.role is Role.ADMIN
    assert accounts.is_set_up
    assert not path.exists()
    with pytest.raises(UsageError, match="already"):
        await accounts.set_up(code, "eve", PASSWORD, "10.0.0.1")


async def test_the_set_up_code_is_kept_over_a_restart_and_goes_with_the_first_token(tmp_path: Path) -> None:
    accounts = open_accounts(tmp_path)
    code = accounts.offer_set_up()
    await accounts.aclose()
    accounts = open_accounts(tmp_path)
    assert accounts.offer_set_up() == code
    await accounts.add_token("script", Role.ADMIN)
    assert accounts.is_set_up
    assert not (tmp_path / "setup-code").exists()
    await accounts.aclose()


async def test_a_link_in_place_of_the_set_up_code_is_not_followed(accounts: Accounts, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("A" * 40)
    (tmp_path / "setup-code").symlink_to(outside)
    code = accounts.offer_set_up()
    assert code != "A" * 40
    assert outside.read_text() == "A" * 40
    assert not (tmp_path / "setup-code").is_symlink()


async def test_two_set_ups_at_once_make_one_account(accounts: Accounts) -> None:
    code = accounts.offer_set_up()
    tries = (accounts.set_up(code, name, PASSWORD, "10.0.0.1") for name in ("ada", "eve"))
    done = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(result, tuple) for result in done) == 1
    assert sum(isinstance(result, UsageError) for result in done) == 1
    assert len(await accounts.listed()) == 1


def test_only_one_process_has_the_lock(tmp_path: Path) -> None:
    with DataLock(tmp_path / "server.lock"), pytest.raises(LongwatchError, match="another server"):
        DataLock(tmp_path / "server.lock")
    DataLock(tmp_path / "server.lock").release()


def test_a_newer_database_is_refused_and_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "server.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        database.execute("INSERT INTO alembic_version VALUES ('9999')")
    before = path.read_bytes()
    with pytest.raises(LongwatchError, match=r"server\.db cannot be opened"):
        open_accounts(tmp_path)
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT name FROM sqlite_master").fetchall() == [("alembic_version",)]
    assert len(path.read_bytes()) == len(before)


async def test_at_most_two_passwords_are_hashed_at_once_and_few_wait() -> None:
    hasher = cheap_hasher()
    at_once = most = 0
    gate = asyncio.Event()
    slow = Hasher(hasher._argon)

    async def counted() -> bool:
        return await slow.matches("x" * 10, None)

    real = slow._verify
    loop = asyncio.get_running_loop()

    def verify(password: str, stored: str | None) -> bool:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        asyncio.run_coroutine_threadsafe(gate.wait(), loop).result(10)
        at_once -= 1
        return real(password, stored)

    slow._verify = verify
    tries = [asyncio.ensure_future(counted()) for _ in range(MOST_WAITING)]
    while at_once < 2:
        await asyncio.sleep(0)
    with pytest.raises(BusyError):
        await slow.matches("x" * 10, None)
    gate.set()
    assert not any(await asyncio.gather(*tries))
    assert most == 2


def test_the_real_hash_is_argon2id_with_64_mib() -> None:
    parameters = Hasher()._argon
    assert (parameters.memory_cost, parameters.time_cost, parameters.type.name) == (64 << 10, 3, "ID")
    assert os.cpu_count()
