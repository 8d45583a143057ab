"""One outage, told to people of several languages by mail, webhook and browser: each reads it in their own, with their own time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from email.header import decode_header, make_header
from email.message import Message
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.support.receivers import HttpReceiver, Mailbox, PushedBrowser
from tests.support.wait import until

from longwatch.accounting.alarm_words import said_of
from longwatch.base.clock import ManualClock, SystemClock
from longwatch.model.alarms import Alarm, AlarmKind
from longwatch.notify import ChannelOptions, Options, Recipient, Rule
from longwatch.notify.desk import Desk
from longwatch.notify.options import PUSH
from longwatch.notify.store import NotifyStore
from longwatch.server_db import ServerDb
from longwatch.server_db.schema import preferences, users

pytestmark = pytest.mark.slow
SECRET = "a-secret-of-a-receiver"
NOON_US = 1_767_268_800_000_000  # 2026-01-01T12:00:00Z
SILENT = Alarm(7, AlarmKind.CAMERA_SILENT, "gate", NOON_US, None, 0, {"cause": "camera_unreachable"})


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[ServerDb]:
    one = ServerDb(tmp_path / "server.db")
    yield one
    one.close()


def options(channels: tuple[ChannelOptions, ...], people: tuple[Recipient, ...]) -> Options:
    return Options(
        "ridge", "North ridge", "Europe/Oslo", channels=(ChannelOptions(PUSH, PUSH), *channels), recipients=people,
        rules=(Rule("all", tuple(one.name for one in people), group_us=0),), cameras=(("gate", "Gate"),),
    )  # fmt: skip


def account(db: ServerDb, number: int, language: object) -> None:
    with db.engine.begin() as connection:
        row = {
            "id": number,
            "name": f"user-{number}",
            "password": "",
            "role": "viewer",
            "cameras": None,
            "created_us": 0,
        }
        connection.execute(sa.insert(users).values(**row))
        if language is not None:
            look = {"user_id": number, "name": "look", "value": json.dumps({"theme": "dark", "language": language})}
            connection.execute(sa.insert(preferences).values(**look))


def text_of(mail: Message) -> str:
    parts = [part for part in mail.walk() if part.get_content_maintype() == "text"]
    return "\n".join(part.get_payload(decode=True).decode("utf-8") for part in parts)  # type: ignore[union-attr]  # bytes


async def test_a_mail_is_french_and_a_webhook_swahili_each_in_its_readers_time(tmp_path: Path, db: ServerDb) -> None:
    mailbox = Mailbox()
    server = await asyncio.get_running_loop().create_server(mailbox.protocol, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    mail = ChannelOptions(
        "mail", "apprise", f"mailto://127.0.0.1:{port}?mode=insecure&from=post@example.org&to=ada@example.org"
    )
    account(db, 1, "sw")
    with HttpReceiver() as receiver:
        hook = ChannelOptions("hook", "webhook", f"{receiver.address}/hook", SECRET)
        people = (
            Recipient("ada", ("mail",), language="fr", timezone="America/Cayenne"),
            Recipient("juma", ("hook",), user="user-1", timezone="Africa/Nairobi"),
        )
        desk = Desk(
            db, tmp_path / "key", options((mail, hook), people), SystemClock(), lambda alarm: said_of(alarm, "Gate")
        )
        await desk.start()
        desk.look_at_alarms([SILENT])
        await until(lambda: mailbox.mails and receiver.taken)
        await until(lambda: all(pulse.sent for name, pulse in desk.pulses().items() if name != PUSH))
        await desk.aclose()
        ((_, body),) = receiver.taken
    server.close()
    (one,) = mailbox.mails
    assert str(make_header(decode_header(one["subject"]))) == "North ridge: Pas d'enregistrement à Gate"
    assert "01 janv. 09:00:00  La caméra Gate n’envoie pas de vidéo : elle est injoignable." in text_of(one)
    told = json.loads(body)["data"]
    assert told["language"] == "sw"
    assert told["title"] == "North ridge: Hairekodi, Gate"
    assert told["body"] == "01 Jan 15:00:00  Kamera Gate haitumi video: haifikiki."


async def test_each_browser_reads_what_its_user_chose_or_what_it_speaks(tmp_path: Path, db: ServerDb) -> None:
    """Five browsers of one rule: chosen, spoken, spoken but chosen otherwise, nothing known, and a preference that holds nonsense."""
    with HttpReceiver() as service:
        given = replace(options((), (Recipient(PUSH, (PUSH,)),)), push_services=(service.address,), language="es")
        desk = Desk(db, tmp_path / "key", given, SystemClock(), lambda alarm: said_of(alarm, "Gate"))
        kept = ((1, "fr", ""), (2, None, "sw"), (3, "en", "fr"), (4, None, ""), (5, {"not": ["a"]}, "fr"))
        browsers = {number: PushedBrowser(f"{service.address}/{number}") for number, _, _ in kept}
        for number, chosen, spoken in kept:
            account(db, number, chosen)
            one = browsers[number]
            await db.call(desk.browsers.add, number, one.endpoint, one.p256dh, one.auth, "a browser", 0, spoken)
        await desk.start()
        desk.look_at_alarms([SILENT])
        await until(lambda: len(service.taken) == len(kept))
        await desk.aclose()
        told = {
            int(path[1:]): browsers[int(path[1:])].read(body)["title"]
            for path, (_, body) in zip(service.seen, service.taken, strict=True)
        }
    assert told == {
        1: "North ridge: Pas d'enregistrement à Gate",
        2: "North ridge: Hairekodi, Gate",
        3: "North ridge: Not recording at Gate",
        4: "North ridge: No se graba en Gate",
        5: "North ridge: Pas d'enregistrement à Gate",
    }


async def test_what_waited_is_summarised_in_the_readers_language(tmp_path: Path, db: ServerDb) -> None:
    clock, store = ManualClock(), NotifyStore(db)
    given = options(
        (ChannelOptions("hook", "webhook", "http://127.0.0.1:9", SECRET),),
        (Recipient("ada", ("hook",), language="fr"),),
    )
    desk = Desk(db, tmp_path / "key", given, clock, lambda alarm: said_of(alarm, "Gate"))
    for number in range(1, 6):
        desk.look_at_alarms([replace(SILENT, id=n) for n in range(number, 0, -1)])
        await desk.turn()
        clock.tick(1_000_000)
    clock.tick(2 * 3_600_000_000)
    assert store.summarise("hook", clock.wall_us()) == 5
    (letter,) = store.next("hook", clock.wall_us())
    assert letter.title == "5 messages qui n’avaient pas pu être remis"
    assert letter.body.split("\n") == ["North ridge: Pas d'enregistrement à Gate"] * 5
    assert letter.facts["language"] == "fr"


async def test_state_of_a_version_that_kept_sentences_goes_on(tmp_path: Path, db: ServerDb) -> None:
    """Before this version `says` was English text."""
    given = options(
        (ChannelOptions("hook", "webhook", "http://127.0.0.1:9", SECRET),),
        (Recipient("ada", ("hook",), language="fr"),),
    )
    clock = ManualClock()
    desk = Desk(db, tmp_path / "key", given, clock, lambda alarm: said_of(alarm, "Gate"))
    desk.look_at_alarms([SILENT])
    saved = desk._rules.saved()
    saved["groups"][0][2]["items"][0]["says"] = "Camera Gate sends no video: it cannot be reached."
    saved["threads"][0][2]["says"] = "Camera Gate sends no video: it cannot be reached."
    desk._rules.restore(json.loads(json.dumps(saved)))
    await desk.turn()
    (letter,) = NotifyStore(db).next("hook", clock.wall_us())
    assert letter.title == "North ridge: Pas d'enregistrement à Gate"
    assert letter.body.endswith("Camera Gate sends no video: it cannot be reached.")
