"""Messages on real ways: a mail server, a webhook's receiver, a browser behind its push service; and what becomes of them when those are away."""

from __future__ import annotations

import asyncio
import base64
import json
import stat
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import http_ece
import pytest
import sqlalchemy as sa
from tests.support.receivers import HttpReceiver, Mailbox, PushedBrowser, signed, vapid_claims
from tests.support.wait import until

from longwatch.accounting.alarm_words import sentence
from longwatch.base.clock import ManualClock, SystemClock
from longwatch.base.secrets import scrub
from longwatch.notify import ChannelOptions, Happening, Options, Phase, Recipient, Rule
from longwatch.notify.desk import Desk
from longwatch.notify.letter import Enclose, Enclosure, Letter
from longwatch.notify.options import PUSH
from longwatch.notify.push_key import key_at, public_text
from longwatch.notify.sending import Sender
from longwatch.notify.store import Draft, NotifyStore
from longwatch.notify.webhook import Webhook
from longwatch.server_db import ServerDb
from longwatch.server_db.schema import notify_deliveries, users

pytestmark = pytest.mark.slow
SECRET = "a-secret-of-a-receiver"
HOUR_US = 3_600_000_000
JPEG, MP4 = b"\xff\xd8 a picture", b"....ftyp a film"


def options(*channels: ChannelOptions, to: tuple[str, ...], most: int = 100) -> Options:
    every = (ChannelOptions(PUSH, PUSH), *channels)
    rule = Rule("all", to, group_us=0, most=most)
    return Options(
        "ridge", "North ridge", address="https://ridge.lan", contact="post@example.org", channels=every,
        recipients=tuple(Recipient(one.name, (one.name,)) for one in every), rules=(rule,), cameras=(("gate", "Gate"),),
    )  # fmt: skip


def happening(number: int, camera: str = "gate") -> Happening:
    now_us = time.time_ns() // 1000
    link = f"camera/{camera}/2026-01-01T00:00:00Z"
    return Happening(
        f"alarm/{number}", ("disk", "alarm"), Phase.BEGAN, now_us, now_us, camera, (), f"Happening {number}.", link=link
    )


def desk_of(folder: Path, db: ServerDb, given: Options) -> Desk:
    return Desk(db, folder / "push-key.pem", given, SystemClock(), sentence)


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[ServerDb]:
    one = ServerDb(tmp_path / "server.db")
    yield one
    one.close()


async def test_a_mail_and_a_webhook_arrive(tmp_path: Path, db: ServerDb) -> None:
    mailbox = Mailbox()
    server = await asyncio.get_running_loop().create_server(mailbox.protocol, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    mail = ChannelOptions(
        "mail", "apprise", f"mailto://127.0.0.1:{port}?mode=insecure&from=post@example.org&to=ada@example.org"
    )
    with HttpReceiver() as receiver:
        hook = ChannelOptions("hook", "webhook", f"{receiver.address}/hook?token=hidden", SECRET)
        desk = desk_of(tmp_path, db, options(mail, hook, to=("mail", "hook")))
        await desk.start()
        desk.take(happening(1))
        desk.take(happening(2))
        await until(lambda: mailbox.mails and receiver.taken)
        await until(lambda: all(pulse.sent for name, pulse in desk.pulses().items() if name != PUSH))
        await desk.aclose()
        ((headers, body),) = receiver.taken
    server.close()
    (one,) = mailbox.mails
    assert one["subject"] == "North ridge: Disk at Gate, and 1 more"
    text = str(one)
    assert "Happening 1." in text
    assert "https://ridge.lan/#/camera/gate/" in text
    told = json.loads(body)
    assert signed(SECRET, headers, body)
    assert not signed(SECRET, headers, body + b" ")
    assert not signed(SECRET + "x", headers, body)
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 300
    assert (told["data"]["key"], told["data"]["post"], told["data"]["count"]) == (headers["webhook-id"], "ridge", 2)
    rows = await desk.listed(None, 10)
    assert [way["attempts"] for row in rows for way in row["deliveries"]] != []


def enclosing(asked: list[str]) -> Enclose:
    """As the server's, with pictures of its own."""

    async def enclose(letter: Letter, attach: str) -> tuple[Enclosure, ...]:
        asked.append(attach)
        picture = Enclosure("e1", "gate", "main", "picture", "gate-1.jpg", "image/jpeg", 1_000_000, 1_000_000, JPEG)
        clip = Enclosure("e1", "gate", "main", "clip", "gate-1.mp4", "video/mp4", 1_000_000, 9_000_000, MP4)
        return (picture, clip) if attach == "clip" else (picture,)

    return enclose


def moved(number: int) -> Happening:
    now_us = time.time_ns() // 1000
    return Happening(
        f"event/e{number}", ("motion", "event"), Phase.BEGAN, now_us, now_us, "gate", (), "It moves.", link="events"
    )


async def test_a_mail_carries_the_picture_and_a_webhook_the_film_too(tmp_path: Path, db: ServerDb) -> None:
    mailbox = Mailbox()
    server = await asyncio.get_running_loop().create_server(mailbox.protocol, "127.0.0.1", 0)
    url = f"mailto://127.0.0.1:{server.sockets[0].getsockname()[1]}?mode=insecure&from=post@example.org&to=ada@example.org"
    mail = ChannelOptions("mail", "apprise", url, attach="picture")
    asked: list[str] = []
    with HttpReceiver() as receiver:
        hook = ChannelOptions("hook", "webhook", f"{receiver.address}/hook", SECRET, attach="clip")
        plain = ChannelOptions("plain", "webhook", f"{receiver.address}/plain", SECRET)
        desk = desk_of(tmp_path, db, options(mail, hook, plain, to=("mail", "hook", "plain")))
        desk.enclose = enclosing(asked)
        await desk.start()
        desk.take(moved(1))
        await until(lambda: mailbox.mails and len(receiver.taken) == 2)
        desk.take(happening(2))  # an alarm has none
        await until(lambda: len(mailbox.mails) == 2 and len(receiver.taken) == 4)
        await desk.aclose()
        told = {body["data"]["key"]: body["data"] for _, text in receiver.taken for body in [json.loads(text)]}
        assert all(signed(SECRET, headers, body) for headers, body in receiver.taken)
    server.close()
    assert sorted(asked) == ["clip", "picture"]
    attached = [part for part in mailbox.mails[0].walk() if part.get_filename()]
    assert [(one.get_filename(), one.get_content_type(), one.get_payload(decode=True)) for one in attached] == [
        ("gate-1.jpg", "image/jpeg", JPEG)
    ]
    assert "It moves." in str(mailbox.mails[0])
    assert not [part for part in mailbox.mails[1].walk() if part.get_filename()]
    of_event = {data["to"]: data for data in told.values() if data["about"] == ["event/e1"]}
    place = "https://ridge.lan/api/v1/events/e1"
    assert of_event["hook"]["events"] == [{"id": "e1", "picture": f"{place}/picture.jpg", "clip": f"{place}/clip.mp4"}]
    carried = [(one["kind"], one["type"], base64.b64decode(one["data"])) for one in of_event["hook"]["enclosed"]]
    assert carried == [("picture", "image/jpeg", JPEG), ("clip", "video/mp4", MP4)]
    assert of_event["plain"]["enclosed"] == []


async def test_who_refuses_pictures_gets_the_words(tmp_path: Path, db: ServerDb) -> None:
    """A message is not given up because of what goes with it: from the third attempt on it goes without."""
    asked: list[str] = []
    clock = ManualClock(wall_us=time.time_ns() // 1000)
    with HttpReceiver() as receiver:
        carried: list[int] = []

        def answer(_headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str]]:
            carried.append(len(json.loads(body)["data"]["enclosed"]))
            return (413 if carried[-1] else 204), {}

        receiver.answer = answer
        webhook = Webhook(receiver.address, SECRET, lambda: "ridge", clock)
        made = enclosing(asked)
        sender = Sender("hook", webhook, db, clock, enclose=lambda letter: made(letter, "picture"))
        draft = Draft(
            "k-1",
            "r",
            "hook",
            "new",
            "t",
            "b",
            "",
            False,
            1,
            0,
            clock.wall_us(),
            ("event/e1",),
            ("gate",),
            (("hook", "", "en"),),
        )
        await db.call(NotifyStore(db).keep, [draft], {})
        for _ in range(3):
            await sender.run_once()
            clock.tick(HOUR_US)
        await sender.aclose()
    assert carried == [1, 1, 0]
    assert asked == ["picture", "picture"]
    assert (sender.pulse.sent, sender.pulse.failing) == (1, 0)


async def test_web_push_is_encrypted_for_one_browser_and_signed_for_its_service(tmp_path: Path, db: ServerDb) -> None:
    with HttpReceiver() as service:
        given = replace(options(to=(PUSH,)), push_services=(service.address,))
        desk = desk_of(tmp_path, db, given)
        browsers = [PushedBrowser(f"{service.address}/{n}") for n in range(3)]
        with db.engine.begin() as connection:
            for number, cameras in ((1, None), (2, ["gate"]), (3, ["yard"])):
                row = {
                    "id": number,
                    "name": f"user-{number}",
                    "password": "",
                    "role": "viewer",
                    "cameras": cameras,
                    "created_us": 0,
                }
                connection.execute(sa.insert(users).values(**row))
        for number, browser in enumerate(browsers, 1):
            await db.call(desk.browsers.add, number, browser.endpoint, browser.p256dh, browser.auth, "a browser", 0)
        await desk.start()
        desk.take(happening(1))
        await until(lambda: len(service.taken) == 2)  # the third may not see the camera
        assert sorted(service.seen) == ["/0", "/1"]
        by_path = dict(zip(service.seen, service.taken, strict=True))
        for n in (0, 1):
            headers, body = by_path[f"/{n}"]
            told = browsers[n].read(body)
            assert told["title"] == "North ridge: Disk at Gate"
            assert told["link"].startswith("/camera/gate/")
            with pytest.raises(http_ece.ECEException):  # not for any other
                browsers[2].read(body)
            assert b"Happening" not in body
            claims = vapid_claims(headers["authorization"], _public(tmp_path))
            assert (claims["aud"], claims["sub"]) == (service.address, "mailto:post@example.org")
            assert int(headers["ttl"]) > 0
        service.answer = lambda _headers, _body: (410, {})
        desk.take(happening(2))
        await until(lambda: desk.browsers.count() == 1)  # those that are gone are forgotten
        await desk.aclose()
    assert stat.S_IMODE((tmp_path / "push-key.pem").stat().st_mode) == 0o600


def _public(folder: Path) -> str:
    return public_text(key_at(folder / "push-key.pem"))


async def test_a_restart_in_the_midst_of_the_queue_loses_nothing_and_keeps_keys(tmp_path: Path) -> None:
    """The receiver takes a message and the server is ended before it knows: it comes again, under the same key."""
    with HttpReceiver() as receiver:
        given = options(ChannelOptions("hook", "webhook", receiver.address, SECRET), to=("hook",))
        attempts: list[str] = []

        def flaky(headers: dict[str, str], _body: bytes) -> tuple[int, dict[str, str]]:
            attempts.append(headers["webhook-id"])
            return (204 if len(attempts) % 3 else 503), {"retry-after": "0"}

        receiver.answer = flaky
        for life in range(6):
            db = ServerDb(tmp_path / "server.db")
            desk = desk_of(tmp_path, db, given)
            await desk.start()
            for number in range(5):
                desk.take(happening(life * 5 + number, camera=f"camera-{number}"))
                await desk.turn()
            await until(lambda: len(attempts) > life)  # noqa: B023  it is awaited in this turn of the loop
            for channel in desk.pulses():
                await desk.kick(channel)
            await desk.aclose()  # in the midst
            db.close()
        receiver.answer = lambda _headers, _body: (204, {})
        db = ServerDb(tmp_path / "server.db")
        desk = desk_of(tmp_path, db, given)
        await desk.start()
        await desk.kick("hook")
        await until(lambda: _told(receiver) == {f"Happening {number}." for number in range(30)})
        await desk.aclose()
        rows = await desk.listed(None, 100)
        db.close()
    assert len({row["key"] for row in rows}) == len(rows)
    assert {headers["webhook-id"] for headers, _ in receiver.taken} == {row["key"] for row in rows}


def _told(receiver: HttpReceiver) -> set[str]:
    lines = [line for _, body in receiver.taken for line in json.loads(body)["data"]["body"].split("\n")]
    return {line.split("  ", 1)[-1] for line in lines}


async def test_a_receiver_that_was_away_for_a_week_hears_one_summary(tmp_path: Path, db: ServerDb) -> None:
    """Virtual time, a real receiver on the port that was closed meanwhile."""
    clock = ManualClock()
    with HttpReceiver() as receiver:
        address, port = receiver.address, receiver.port
    given = options(ChannelOptions("hook", "webhook", address, SECRET), to=("hook",), most=3)
    desk = Desk(db, tmp_path / "key", given, clock, sentence)
    sender = Sender("hook", Webhook(address, SECRET, lambda: "ridge", clock), db, clock)
    store, began = NotifyStore(db), 0
    for hour in range(0, 7 * 24 - 4, 4):
        for _ in range(4):
            began += 1
            desk.take(happening(began))
        await desk.turn()
        await sender.run_once()
        clock.tick(4 * HOUR_US)
        assert len(store.next("hook", clock.wall_us(), 1000)) <= 6, hour
    assert sender.pulse.dead
    assert "cannot be reached" in sender.pulse.problem
    with HttpReceiver(port) as receiver:
        while await sender.run_once():
            pass
        heard = [json.loads(body)["data"] for _, body in receiver.taken]
    await sender.aclose()
    assert not sender.pulse.dead
    assert len(heard) <= 5
    assert sum(one["count"] for one in heard) == began
    assert any(one["why"] == "summary" for one in heard)


async def test_ten_thousand_events_are_few_deliveries(tmp_path: Path, db: ServerDb) -> None:
    with HttpReceiver() as receiver:
        given = options(ChannelOptions("hook", "webhook", receiver.address, SECRET), to=("hook",), most=5)
        desk = desk_of(tmp_path, db, given)
        await desk.start()
        for number in range(10_000):
            desk.take(happening(number, camera=f"camera-{number % 100}"))
            if number % 500 == 0:
                await desk.turn()
        await desk.turn()
        await until(lambda: len(receiver.taken) == 5)
        await desk.aclose()
    with db.engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(notify_deliveries)).scalar_one() == 5
    assert desk.held_back()["all"] >= 15


async def test_no_redirect_is_followed_and_no_secret_is_said(tmp_path: Path, db: ServerDb) -> None:
    with HttpReceiver() as elsewhere, HttpReceiver() as receiver:
        receiver.answer = lambda _headers, _body: (307, {"location": f"{elsewhere.address}/stolen"})
        token = "tokentokentoken123456"
        hook = ChannelOptions("hook", "webhook", f"{receiver.address}/{token}", SECRET)
        mail = ChannelOptions(
            "mail", "apprise", f"mailto://ada:{token}@127.0.0.1:{elsewhere.port}?mode=insecure&to=a@example.org"
        )
        desk = desk_of(tmp_path, db, options(hook, mail, to=("hook", "mail")))
        await desk.start()
        desk.take(happening(1))
        await until(lambda: all(pulse.failing for name, pulse in desk.pulses().items() if name != PUSH))
        problems = [way["problem"] for row in await desk.listed(None, 5) for way in row["deliveries"]]
        await desk.aclose()
    assert elsewhere.seen == []
    assert any("no redirect is followed" in problem for problem in problems)
    assert token not in "".join(problems)
    assert token not in repr(desk.options)
    assert scrub(token) != token
