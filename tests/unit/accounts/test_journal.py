"""The outbox: durable, in order, each exactly once, bounded; and what the accounts put into it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import re
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
import sqlalchemy as sa
from tests.support.accounts import made_up_to, open_accounts
from tests.support.wait import until

from longwatch.accounts import STRANGER, Accounts, Look, Role, ThrottledError, Who, at_the_post
from longwatch.accounts.outbox import Outbox
from longwatch.accounts.who import MOST_AGENT, clean
from longwatch.base import secrets
from longwatch.base.clock import ManualClock
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.ledger import canonical, kinds

PASSWORD = "correct horse battery"
ADA = Who(10, user="ada", address="10.0.0.1", agent="Firefox")


class Recorder:
    """Takes entries as the real one: once for each key. fails: how the next requests go ("" is well)."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []
        self.keys: dict[str, int] = {}
        self.fails: list[str] = []
        self.refuses = ""
        self.requests = 0

    async def request(self, kind: str, /, *, timeout_s: float = 10.0, **fields: Any) -> dict[str, Any]:
        assert kind == "entries"
        self.requests += 1
        how = self.fails.pop(0) if self.fails else ""
        if how == "away":
            raise LongwatchError("nobody answers")
        if self.refuses and any(item["kind"] == self.refuses for item in fields["items"]):
            raise UsageError("not of this kind")
        for item in fields["items"]:
            if item["key"] not in self.keys:
                self.keys[item["key"]] = len(self.entries)
                self.entries.append(item)
        if how == "answer lost":
            raise LongwatchError("the neighbour is gone")
        return {"seqs": [self.keys[item["key"]] for item in fields["items"]]}

    def kinds(self) -> list[str]:
        return [item["kind"] for item in self.entries]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def accounts(tmp_path: Path, clock: ManualClock):
    opened = open_accounts(tmp_path, clock)
    yield opened
    await opened.aclose()


async def say(accounts: Accounts, n: int) -> None:
    await accounts.journal.say(kinds.LOGOUT, {"n": n}, ADA)


async def test_what_waits_outlives_the_server_and_comes_in_order(tmp_path: Path, clock: ManualClock) -> None:
    first = open_accounts(tmp_path, clock)
    for n in range(120):
        await say(first, n)
    away = Recorder()
    away.fails = ["away"]
    with pytest.raises(LongwatchError):
        await first.journal.deliver(away)
    assert first.journal.away
    await first.aclose()
    second, recorder = open_accounts(tmp_path, clock), Recorder()
    for n in range(120, 130):
        await say(second, n)
    assert await second.journal.deliver(recorder) == 130
    assert [item["body"]["n"] for item in recorder.entries] == list(range(130))
    assert await second.journal.waiting() == (0, 0)
    assert await second.journal.deliver(recorder) == 0
    await second.aclose()


@pytest.mark.slow
async def test_each_is_entered_exactly_once_whatever_is_lost(tmp_path: Path, clock: ManualClock) -> None:
    """Answers lost, recorder away, server begun anew at any moment: in order, none twice, none lost."""
    for seed in range(3):
        random.seed(seed)
        recorder, folder = Recorder(), tmp_path / str(seed)
        folder.mkdir()
        accounts = open_accounts(folder, clock)
        said = 0
        for _ in range(20):
            for _ in range(random.randrange(12)):
                await say(accounts, said)
                said += 1
            recorder.fails = random.choices(["", "away", "answer lost"], k=3)
            try:
                await accounts.journal.deliver(recorder)
            except LongwatchError:
                if random.random() < 0.5:
                    await accounts.aclose()
                    accounts = open_accounts(folder, clock)
        recorder.fails = []
        await accounts.journal.deliver(recorder)
        await accounts.aclose()
        assert [item["body"]["n"] for item in recorder.entries] == list(range(said))


async def test_one_that_is_refused_for_good_does_not_hold_up_the_others(accounts: Accounts) -> None:
    recorder = Recorder()
    recorder.refuses = kinds.LOGIN
    await say(accounts, 0)
    await accounts.journal.say(kinds.LOGIN, {}, ADA)
    await say(accounts, 1)
    await accounts.journal.deliver(recorder)
    assert recorder.kinds() == [kinds.LOGOUT] * 2
    assert await accounts.journal.waiting() == (0, 1)
    await say(accounts, 2)  # and that it was dropped is said
    await accounts.journal.deliver(recorder)
    dropped = recorder.entries[2]
    assert (dropped["kind"], dropped["body"]["count"], dropped["person"]["subject"]) == (kinds.ENTRIES_DROPPED, 1, 0)


async def test_too_many_the_oldest_are_kept_and_the_rest_is_counted_and_told(
    accounts: Accounts, clock: ManualClock
) -> None:
    outbox: Outbox = accounts.store.outbox
    outbox._most, outbox._for_acts = 20, 5
    for n in range(40):
        clock.tick(1000)
        await say(accounts, n)
    assert await accounts.journal.waiting() == (15, 25)
    for n in range(5):  # rights may still be changed: room is kept for that
        await accounts.add_token(f"t{n}", Role.VIEWER)
    with pytest.raises(LongwatchError, match="cannot be entered"):
        await accounts.add_token("one too many", Role.VIEWER)
    assert len(await accounts.listed()) == 5  # not made, since it could not be told
    recorder = Recorder()
    await accounts.journal.deliver(recorder)
    await say(accounts, 99)
    await accounts.journal.deliver(recorder)
    told = recorder.entries
    assert [item["body"].get("n") for item in told[:15]] == list(range(15))
    assert [item["kind"] for item in told[15:]] == [kinds.ACCOUNT_CHANGED] * 5 + [kinds.ENTRIES_DROPPED, kinds.LOGOUT]
    assert told[20]["body"]["count"] == 25
    assert told[20]["body"]["to_us"] - told[20]["body"]["from_us"] == 24_000


async def test_a_disk_that_is_full_turns_nobody_away_and_what_was_not_kept_is_told(
    accounts: Accounts, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox, recorder = accounts.store.outbox, Recorder()
    real = {name: getattr(outbox, name) for name in ("put", "put_all", "hold")}

    def full(_said: object) -> bool:
        raise sa.exc.OperationalError("INSERT", {}, sqlite3.OperationalError("database or disk is full"))

    for name in real:
        monkeypatch.setattr(outbox, name, full)
    for n in range(3):
        await say(accounts, n)
        clock.tick(1000)
    assert await accounts.login("ada", "wrong", "10.0.0.1") is None
    await accounts.journal.deliver(recorder)
    assert recorder.entries == []
    for name, function in real.items():
        monkeypatch.setattr(outbox, name, function)
    await say(accounts, 3)
    await accounts.journal.deliver(recorder)
    dropped, after = recorder.entries
    assert (dropped["kind"], dropped["body"]["count"], after["body"]["n"]) == (kinds.ENTRIES_DROPPED, 4, 3)


async def test_a_database_that_fails_does_not_end_the_delivery(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taken by the recorder, not struck out here: it is handed over again, and entered once."""
    recorder, outbox = Recorder(), accounts.store.outbox
    real, failed = outbox.done, []

    def fails_once(numbers: list[int]) -> None:
        if not failed:
            failed.append(True)
            raise sa.exc.OperationalError("DELETE", {}, sqlite3.OperationalError("disk I/O error"))
        real(numbers)

    monkeypatch.setattr(outbox, "done", fails_once)
    delivering = asyncio.create_task(accounts.journal.run(recorder))
    await say(accounts, 1)
    await until(lambda: recorder.requests >= 2)
    while (await accounts.journal.waiting())[0]:
        await asyncio.sleep(0.01)
    assert recorder.kinds() == [kinds.LOGOUT]
    assert not delivering.done()
    delivering.cancel()


async def test_an_error_of_ours_does_not_end_the_delivery(accounts: Accounts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("longwatch.accounts.journal._AWAY_S", (0.01,))
    recorder, outbox = Recorder(), accounts.store.outbox
    real, failed = outbox.oldest, []

    def fails_once(limit: int) -> list:
        if not failed:
            failed.append(True)
            raise ZeroDivisionError
        return real(limit)

    monkeypatch.setattr(outbox, "oldest", fails_once)
    delivering = asyncio.create_task(accounts.journal.run(recorder))
    await say(accounts, 1)
    await until(lambda: recorder.kinds() == [kinds.LOGOUT])
    assert failed
    delivering.cancel()


async def test_logins_are_entered(accounts: Accounts, clock: ManualClock) -> None:
    recorder = Recorder()
    user = await accounts.add_user("ada", PASSWORD, Role.OPERATOR, frozenset({"gate"}))
    _, principal = await accounts.login("ada", PASSWORD, "10.0.0.1", "Firefox")
    assert principal.subject == user.subject == 10
    await accounts.logout(principal, "10.0.0.1", "Firefox")
    await accounts.login("ada", PASSWORD, "10.0.0.2")
    await accounts.set_password("ada", "another good one")
    await accounts.remove("user", "ada", Who(77, user="root of all"))
    await accounts.journal.deliver(recorder)
    added, login, logout, _, changed, removed = recorder.entries
    account = {"kind": "user", "subject": 10}
    assert added["body"] == {
        "what": "added", "account": {**account, "role": "operator", "cameras": ["gate"]}, "sessions_ended": 0,
        "by": "command_line", "at_us": clock.wall_us(),
    }  # fmt: skip
    assert added["person"] == at_the_post().person()
    assert (login["kind"], login["body"]["by"], logout["kind"]) == (kinds.LOGIN, "password", kinds.LOGOUT)
    assert login["person"] == {"subject": 10, "text": '{"address":"10.0.0.1","agent":"Firefox","user":"ada"}'}
    assert (changed["body"]["what"], changed["body"]["sessions_ended"]) == ("password", 1)
    assert (removed["body"]["what"], removed["body"]["by"], removed["person"]["subject"]) == ("removed", "api", 77)
    bodies = json.dumps([item["body"] for item in recorder.entries])
    assert not re.search(r"\bada\b", bodies), "a hash may hold these letters by chance"


async def test_subjects_are_never_used_twice(accounts: Accounts) -> None:
    """Rows of users and tokens are: SQLite gives the number of a removed row again."""
    seen = []
    for _ in range(3):
        seen.append((await accounts.add_user("ada", PASSWORD, Role.VIEWER)).subject)
        seen.append((await accounts.by_token(await accounts.add_token("t", Role.VIEWER))).subject)
        await accounts.remove("user", "ada")
        await accounts.remove("token", "t")
    assert seen == list(range(10, 16))


async def test_wrong_passwords_are_one_entry_a_minute(accounts: Accounts, clock: ManualClock) -> None:
    recorder = Recorder()
    await accounts.add_user("ada", PASSWORD, Role.VIEWER)
    for _ in range(10):
        assert await accounts.login("ada", "wrong password", "10.0.0.9", "hydra") is None
    for _ in range(5):
        with pytest.raises(ThrottledError):
            await accounts.login("ada", PASSWORD, "10.0.0.9", "hydra")
    await accounts.journal.deliver(recorder)
    assert recorder.kinds() == [kinds.ACCOUNT_CHANGED]  # the minute is not over
    clock.tick(61_000_000)
    await accounts.journal.settle()
    await accounts.journal.deliver(recorder)
    refused = recorder.entries[1]
    assert (refused["kind"], refused["body"]["tries"], refused["body"]["throttled"]) == (kinds.LOGIN_REFUSED, 10, 5)
    assert refused["person"]["subject"] == 10


async def test_a_cut_in_the_minute_costs_the_count_and_not_the_fact(tmp_path: Path, clock: ManualClock) -> None:
    accounts, recorder = open_accounts(tmp_path, clock), Recorder()
    for _ in range(3):
        await accounts.login("nobody", "hunter22-as-a-name", "10.0.0.9")
    again = open_accounts(tmp_path, clock)  # as after a cut: the first was never closed
    await again.journal.deliver(recorder)
    [refused] = recorder.entries
    assert (refused["body"]["tries"], refused["person"]["subject"]) == (1, STRANGER)
    await again.aclose()
    accounts.db.close()


async def test_the_set_up_code_is_entered_and_so_is_a_wrong_one(accounts: Accounts) -> None:
    recorder = Recorder()
    code = accounts.offer_set_up()
    assert await accounts.set_up("WRONG", "ada", PASSWORD, "10.0.0.1", "Firefox") is None
    await accounts.set_up(code, "ada", PASSWORD, "10.0.0.1", "Firefox")
    await accounts.journal.settle(ends=True)
    await accounts.journal.deliver(recorder)
    refused, added, login = recorder.entries
    assert (refused["kind"], added["body"]["by"], login["body"]["by"]) == (
        kinds.LOGIN_REFUSED,
        "setup_code",
        "setup_code",
    )
    assert added["person"] == login["person"] == {
        "subject": 10, "text": '{"address":"10.0.0.1","agent":"Firefox","user":"ada"}',
    }  # fmt: skip
    assert code not in json.dumps(recorder.entries)


async def test_the_end_of_the_server_says_what_still_waits(tmp_path: Path, clock: ManualClock) -> None:
    accounts, recorder = open_accounts(tmp_path, clock), Recorder()
    await accounts.journal.live_begins(ADA, "gate", "main")
    clock.tick(5_000_000)
    await accounts.journal.looked(ADA, "gate", Look("main", "recorded", 1, 2))
    await accounts.aclose()
    again = open_accounts(tmp_path, clock)
    await again.journal.deliver(recorder)
    assert recorder.kinds() == [kinds.VIEWING] * 2
    await again.aclose()


@pytest.mark.slow
async def test_nothing_handed_over_and_nobody_removed_is_left_in_the_file(tmp_path: Path, accounts: Accounts) -> None:
    await accounts.add_user("CANARYNAME", PASSWORD, Role.VIEWER)
    for n in range(300):
        await accounts.journal.say(
            kinds.LOGOUT, {}, Who(10, user="CANARYNAME", address=f"CANARY-10.0.0.{n}", agent="x" * n)
        )
    await accounts.journal.deliver(Recorder())
    await accounts.remove("user", "CANARYNAME")
    await accounts.journal.deliver(Recorder())
    await accounts.purge()
    assert not [file.name for file in tmp_path.iterdir() if b"CANARY" in file.read_bytes()]


async def test_a_database_of_before_is_brought_up(tmp_path: Path) -> None:
    """Users and tokens of the first version get their numbers; sessions stay."""
    made_up_to(tmp_path / "server.db", "0001")
    with sqlite3.connect(tmp_path / "server.db") as db:
        db.execute("INSERT INTO users (name, password, role, created_us) VALUES ('ada', 'x', 'viewer', 5)")
        values = (hashlib.sha256(b"lw_t").digest(),)
        db.execute("INSERT INTO tokens (name, sha256, role, created_us) VALUES ('t', ?, 'admin', 5)", values)
        over_us = 2_000_000_000_000_000
        db.execute("INSERT INTO sessions VALUES (?, 1, 7, ?)", (hashlib.sha256(b"cookie").digest(), over_us))
    db.close()
    cookie, token = "cookie", "lw_t"
    accounts = open_accounts(tmp_path)
    assert (await accounts.by_session(cookie)).subject == 10
    assert (await accounts.by_token(token)).subject == 11
    await accounts.aclose()


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Mozilla/5.0 (X11)", "Mozilla/5.0 (X11)"),
        ("a\r\nX-Injected: 1\x00\x1b[31m", "a X-Injected: 1 [31m"),
        ("x" * 1_000_000, "x" * MOST_AGENT),
        ("bad \ud800 surrogate", "bad ? surrogate"),
        ("right\u202eleft \u200bz", "right left z"),
    ],
)
def test_what_a_client_says_of_itself_is_one_short_line(text: str, kept: str) -> None:
    assert clean(text, MOST_AGENT) == kept
    said = Who(10, agent=text, user=text, address=text).text(text)
    assert len(said.encode()) < 4096
    assert canonical(json.loads(said)).decode() == said


def test_known_secrets_are_masked_in_what_people_type() -> None:
    secrets.register("canary-secret-of-a-camera")
    said = Who(10, agent="curl canary-secret-of-a-camera").text("the password is canary-secret-of-a-camera")
    assert "canary" not in said


@pytest.mark.slow
def test_no_shape_of_a_secret_gets_into_what_is_kept_of_a_person() -> None:
    """Figure 16, for entries: 10,000 URLs with a canary in them, as program, address, name and reason."""
    random.seed(16)
    letters = "abcXYZ019@:/?#%&=+ \"'\\{}<>|^~é€"
    canaries = ["CANARY" + "".join(random.choices(letters, k=random.randrange(4, 14))) + "END" for _ in range(50)]
    for canary in canaries:
        secrets.register(canary)
    for n in range(10_000):
        canary = random.choice(canaries)
        shape = random.choice([canary, quote(canary, safe=""), quote(canary), quote_plus(canary)])
        url = f"{random.choice(['rtsp', 'http', 'RTSPS'])}://user:{shape}@10.0.0.{n % 256}/{shape}?pw={shape}#{shape}"
        padded = (
            random.choice(["", "\r\n", "x" * random.randrange(300), "\u202e"]) + url + random.choice(["", "\x00", " "])
        )
        said = Who(10, user=padded, token=padded, address=padded, agent=padded).text(padded)
        for value in json.loads(said).values():
            assert canary not in value
            assert shape not in value, (shape, value)


async def test_a_rehearsal_leaves_nothing_behind(accounts: Accounts) -> None:
    before = await accounts.journal.waiting()
    await accounts.journal.rehearse()
    assert await accounts.journal.waiting() == before
    await say(accounts, 1)
    assert (await accounts.journal.waiting())[0] == before[0] + 1
