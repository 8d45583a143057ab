"""Receivers that mean no good: they hang, drip, redirect, answer without an end, or say nothing at all. One costs its own channel's time, and nothing else."""

from __future__ import annotations

import asyncio
import logging
import resource
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.support.receivers import HttpReceiver, Mailbox
from tests.support.wait import until

from longwatch.base.clock import ManualClock, SystemClock
from longwatch.base.errors import LongwatchError
from longwatch.base.tasks import ended
from longwatch.model.events import Event, EventChange
from longwatch.model.events import Phase as EventPhase
from longwatch.notify import ChannelOptions, Options, Recipient, Rule
from longwatch.notify.apprise_channel import AppriseChannel
from longwatch.notify.desk import Desk
from longwatch.notify.feeds import Wrong
from longwatch.notify.letter import Letter, SendingError
from longwatch.notify.mqtt import MOST_EVENTS, MOST_PACKET_BYTES, Bridge, Seldom
from longwatch.notify.mqtt_topics import CameraFacts, PostFacts
from longwatch.notify.options import MqttOptions
from longwatch.notify.sending import Sender
from longwatch.notify.store import Draft, NotifyStore
from longwatch.notify.webhook import Webhook, after_s
from longwatch.server_db import ServerDb

pytestmark = pytest.mark.slow
SECRET = "a-secret-of-a-receiver"
LIMIT_S = 1.0
"""Of an attempt, in place of a minute."""
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[ServerDb]:
    one = ServerDb(tmp_path / "server.db")
    yield one
    one.close()


@asynccontextmanager
async def talking(talk: Talk) -> AsyncIterator[int]:
    """A server that talks so; its port."""
    alive: set[asyncio.Task[None]] = set()

    async def met(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        alive.add(task)
        try:
            await talk(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            alive.discard(task)
            writer.close()

    server = await asyncio.start_server(met, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in alive:
            task.cancel()


async def nothing(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


def saying(first: bytes, again: bytes, pause_s: float = 0.0) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(first)
        while True:
            writer.write(again)
            await writer.drain()
            await asyncio.sleep(pause_s)  # the pace of a drip; 0 lets others run

    return talk


OK = b"HTTP/1.1 200 OK\r\n"
HANGS: dict[str, Talk] = {
    "it says nothing": nothing,
    "it drips a header": saying(OK + b"x: ", b"y", 0.05),
    "its headers never end": saying(OK, b"x-header: " + b"y" * 900 + b"\r\n"),
    "it says that more is to come, for ever": saying(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    "it speaks no HTTP": saying(b"SSH-2.0-whatever\r\n", b"\0" * 1000),
}


def draft(store: NotifyStore, channel: str, clock: SystemClock | ManualClock) -> None:
    now_us = clock.wall_us()
    store.keep(
        [
            Draft(
                f"k-{channel}",
                "rule",
                "ada",
                "new",
                "title",
                "body",
                "",
                True,
                1,
                0,
                now_us,
                (),
                (),
                ((channel, "", "en"),),
            )
        ],
        {},
    )


@pytest.mark.parametrize("how", HANGS)
async def test_an_attempt_has_an_end(how: str, db: ServerDb) -> None:
    clock = SystemClock()
    async with talking(HANGS[how]) as port:
        sender = Sender(
            "hook", Webhook(f"http://127.0.0.1:{port}/", SECRET, lambda: "ridge", clock), db, clock, limit_s=LIMIT_S
        )
        draft(NotifyStore(db), "hook", clock)
        began, before_kb = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert not await sender.run_once()
        assert time.monotonic() - began < 60  # the test's own machine may be busy; it would be for ever
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 100 << 10
        assert sender.pulse.failing == 1
        assert sender.pulse.problem
        assert NotifyStore(db).counts()["hook"].waiting == 1, "it is tried again"
        await sender.aclose()


async def test_of_an_answer_without_an_end_the_status_is_read_and_no_more(db: ServerDb) -> None:
    clock = SystemClock()
    endless = saying(OK + b"transfer-encoding: chunked\r\n\r\n", b"8000\r\n" + b"x" * 0x8000 + b"\r\n")
    async with talking(endless) as port:
        sender = Sender("hook", Webhook(f"http://127.0.0.1:{port}/", SECRET, lambda: "ridge", clock), db, clock)
        draft(NotifyStore(db), "hook", clock)
        before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert await sender.run_once()
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 100 << 10
        assert sender.pulse.sent == 1
        await sender.aclose()


async def test_no_redirect_is_followed_wherever_it_leads(db: ServerDb) -> None:
    clock = SystemClock()
    with HttpReceiver() as inner, HttpReceiver() as outer:
        for status in (301, 302, 303, 307, 308):
            outer.answer = lambda _headers, _body, status=status: (status, {"location": f"{inner.address}/admin"})  # type: ignore[misc]
            with pytest.raises(SendingError, match="no redirect is followed"):
                await Webhook(outer.address, SECRET, lambda: "ridge", clock).send(letter())
        assert inner.seen == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_apprise_follows_no_redirect_either_but_where_the_address_says_so(status: int) -> None:
    """It would ask, or tell, whatever the receiver names: this machine's own services too."""
    with HttpReceiver() as inner, HttpReceiver() as outer:
        outer.answer = lambda _headers, _body: (status, {"location": f"{inner.address}/admin"})
        way = "json" + outer.address.removeprefix("http")
        with pytest.raises(SendingError):
            await AppriseChannel(way).send(letter())
        assert (len(outer.seen), inner.seen) == (1, [])
        await AppriseChannel(f"{way}/?redirect=yes").send(letter())
        assert len(inner.seen) == 1


def letter(title: str = "title", body: str = "body") -> Letter:
    return Letter(1, "k", "c", "", title, body, "https://ridge.lan/#/x", True, 0, {"cameras": []})


@pytest.mark.parametrize(
    "header",
    [
        "Wed, 21 Oct 2026 07:28:00 +9999999299",
        "Wed, 21 Oct 99999 07:28:00 GMT",
        "9" * 400,
        "²",
        "-5",
        "1e5",
        "nan",
        "\x00",
    ],
)
def test_whatever_it_wishes_to_wait_for_is_a_number(header: str) -> None:
    from datetime import UTC, datetime

    assert after_s(header, datetime(2026, 1, 1, tzinfo=UTC)) == 0.0


async def test_a_mail_server_that_stalls_costs_its_own_channel_alone(tmp_path: Path, db: ServerDb) -> None:
    """It greets letter by letter, so that no read of its ever times out. Others are told meanwhile."""
    with HttpReceiver() as receiver:
        async with talking(saying(b"", b"2", 0.2)) as port:
            mail = ChannelOptions(
                "mail", "apprise", f"mailto://127.0.0.1:{port}?mode=insecure&from=post@example.org&to=ada@example.org"
            )
            hook = ChannelOptions("hook", "webhook", receiver.address, SECRET)
            given = Options(
                "ridge", "Ridge", channels=(mail, hook), recipients=(Recipient("mail", ("mail",)), Recipient("hook", ("hook",))),
                rules=(Rule("all", ("mail", "hook"), group_us=0),),
            )  # fmt: skip
            clock = SystemClock()
            desk = Desk(db, tmp_path / "key", given, clock, lambda alarm: str(alarm.kind))
            await desk.start()
            now_us = clock.wall_us()
            desk._conditions._since = {"mains/": now_us - 60_000_000}
            desk.look_at_conditions([Wrong("mains/", ("power",), "The mains are off.")])
            await until(lambda: receiver.taken)
            await desk.aclose()
            channel = AppriseChannel(mail.url)
            sender = Sender("mail", channel, db, clock, limit_s=LIMIT_S)
            await sender.run_once()
            assert (sender.pulse.failing, sender.pulse.problem) == (1, f"no answer within {LIMIT_S:.0f} s")
            with pytest.raises(SendingError, match="has not ended yet"):
                await channel.send(letter())
            await channel.aclose()


def test_a_mail_server_that_stalls_keeps_no_process_from_ending(tmp_path: Path) -> None:
    """A thread that waits for it would be waited for at the end of the program."""
    program = """
        import asyncio, sys, socket, threading, time
        sys.path.insert(0, sys.argv[1])
        from longwatch.notify.apprise_channel import AppriseChannel
        from tests.real.notify.test_hostile import letter

        listening = socket.create_server(("127.0.0.1", 0))

        def drip():
            met, _ = listening.accept()
            while True:
                met.sendall(b"2")
                time.sleep(0.2)

        threading.Thread(target=drip, daemon=True).start()
        port = listening.getsockname()[1]

        async def main():
            channel = AppriseChannel(f"mailto://127.0.0.1:{port}?mode=insecure&from=post@example.org&to=ada@example.org")
            try:
                async with asyncio.timeout(1):
                    await channel.send(letter())
            except TimeoutError:
                pass
            await channel.aclose()
            print("closed", flush=True)

        asyncio.run(main())
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(Path(__file__).parents[3])],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "closed\n"), done.stderr


@pytest.mark.parametrize("form", ["", "&format=html", "&format=markdown"])
async def test_what_a_name_holds_is_text_in_a_mail(form: str) -> None:
    mailbox = Mailbox()
    server = await asyncio.get_running_loop().create_server(mailbox.protocol, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    channel = AppriseChannel(f"mailto://127.0.0.1:{port}?mode=insecure&from=post@example.org&to=ada@example.org{form}")
    await channel.send(
        letter(
            'Ridge: Motion at <b>x</b> "&',
            "Something moves at <img src=http://elsewhere/x.png> &amp; <a href=javascript:x>.",
        )
    )
    await channel.aclose()
    server.close()
    (mail,) = mailbox.mails
    assert str(mail["subject"]) == 'Ridge: Motion at <b>x</b> "&'
    for part in mail.walk():
        text = str(part.get_payload(decode=True).decode()) if part.get_content_maintype() == "text" else ""  # type: ignore[union-attr]  # bytes
        if part.get_content_type() == "text/html":
            assert "<img" not in text
            assert "<a" not in text
        elif text:
            assert "<img src=http://elsewhere/x.png>" in text


class Post:
    """What a bridge asks of the rest of the server."""

    async def facts(self) -> PostFacts:
        return PostFacts("ridge", "Ridge <b>", cameras=(CameraFacts("gate", "Gate\u00a0<i>"),))

    async def record(self, camera: str, *, on: bool) -> None:
        raise AssertionError(f"nobody may switch {camera} to {on}")

    async def picture(self, _event: str) -> bytes | None:
        return None


WELCOME = b"\x20\x02\x00\x00"  # CONNACK, accepted (MQTT 3.1.1, 3.2)


async def welcomed_and_dropped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(10)
    writer.write(WELCOME)
    await writer.drain()


async def welcomed_and_left_alone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await welcomed_and_dropped(reader, writer)
    while await reader.read(1 << 16):
        pass


BROKERS: dict[str, Talk] = {
    "it says nothing": nothing,
    "it welcomes and drops": welcomed_and_dropped,
    "it welcomes and never answers again": welcomed_and_left_alone,
    "it speaks no MQTT": saying(b"SSH-2.0-whatever\r\n", b"\xff" * 1000),
    "it sends without an end": saying(WELCOME, b"\x30\x08\x00\x01ahello" * 100),
}


@pytest.mark.parametrize("how", BROKERS)
async def test_a_broker_that_means_no_good_is_given_up_and_said(how: str) -> None:
    """And what happened meanwhile is said to the next one, bounded."""
    async with talking(BROKERS[how]) as port:
        bridge = Bridge(MqttOptions("127.0.0.1", port, commands=True), Post(), SystemClock(), patience_s=LIMIT_S)
        for number in range(MOST_EVENTS + 50):
            bridge.take(
                EventChange(EventPhase.NEW, Event(f"e{number}", "gate", "motion", 1_800_000_000_000_000 + number))
            )
        with pytest.raises(LongwatchError, match="cannot be spoken to"):
            async with asyncio.timeout(100):
                await bridge.run_once()
        assert len(bridge._events) <= MOST_EVENTS
        assert bridge.pulse.dropped >= 50
        await bridge.aclose()


def remaining(size: int) -> bytes:
    """MQTT 3.1.1, 2.2.3."""
    digits = b""
    while True:
        size, digit = divmod(size, 128)
        digits += bytes([digit | (0x80 if size else 0)])
        if not size:
            return digits


@pytest.mark.parametrize("size", [MOST_PACKET_BYTES + 1, 1 << 20, (1 << 28) - 1])
async def test_a_packet_that_is_too_large_is_not_gathered(size: int) -> None:
    """The library would keep 256 MiB of it before it looked at what it is."""
    whole = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        topic = b"\x00\x14homeassistant/status"
        writer.write(WELCOME + b"\x30" + remaining(size) + topic)
        left = size - len(topic)
        while left:
            writer.write(bytes(min(left, 1 << 20)))
            left -= min(left, 1 << 20)
            await writer.drain()
        whole.set()
        while await reader.read(1 << 16):
            pass

    async with talking(talk) as port:
        bridge = Bridge(MqttOptions("127.0.0.1", port), Post(), SystemClock(), patience_s=60.0)
        task = asyncio.ensure_future(bridge.run_once())
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        async with asyncio.timeout(100):
            await whole.wait()
        assert not task.done(), "and it costs no connection: anybody at the broker may have sent it"
        await ended([task])
        await bridge.aclose()
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kib < 48 << 10, f"{grown_kib} KiB for a packet of {size} bytes"


MALFORMED = {
    "nothing in it": b"\x30\x00", "a topic that is longer": b"\x30\x04\xff\xffab", "no text as topic": b"\x30\x05\x00\x03\xff\xfe\xfd", "no topic": b"\x30\x02\x00\x00",
    "quality 3": b"\x36\x07\x00\x01a\x00\x01on", "no number": b"\x32\x03\x00\x01a", "a length without an end": b"\x30\xff\xff\xff\xff\x7f",
    "an answer to nothing": b"\x40\x02\x33\x33", "half an answer": b"\x40\x01\x33", "half a subscription": b"\x90\x01\x00",
    "what only clients send": b"\x10\x02ab", "no such thing": b"\x00\x00", "another welcome": WELCOME, "farewell": b"\xe0\x00", "version 5": b"\xf0\x02ab",
}  # fmt: skip


@pytest.mark.parametrize("packet", MALFORMED.values(), ids=MALFORMED)
async def test_whatever_a_broker_sends_the_next_one_is_heard(packet: bytes) -> None:
    """No packet ends the task, or leaves it hanging on a connection over which nothing goes."""
    came: list[int] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(1)
        await reader.read(10)
        writer.write(WELCOME + packet * 50)
        while await reader.read(1 << 16):
            pass

    async with talking(talk) as port:
        bridge = Bridge(MqttOptions("127.0.0.1", port), Post(), SystemClock(), patience_s=LIMIT_S)
        task = asyncio.ensure_future(bridge.run())
        await until(lambda: len(came) >= 2, "it comes again", seconds=60)
        assert not task.done()
        await ended([task])
        await bridge.aclose()


async def test_who_stops_a_post_does_not_wait_for_a_broker_that_answers_nothing() -> None:
    """The library parts from it with an error of its own, and the cancellation is lost in that: the bridge had gone on for ever."""
    silent = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await welcomed_and_dropped(reader, writer)
        silent.set()
        await asyncio.Event().wait()  # nothing more is read, either

    async with talking(talk) as port:
        bridge = Bridge(MqttOptions("127.0.0.1", port), Post(), SystemClock(), patience_s=600.0)
        task = asyncio.ensure_future(bridge.run())
        await silent.wait()
        task.cancel()  # once, as asyncio.run does it at its end
        await asyncio.wait({task}, timeout=60)
        assert task.cancelled()


def test_a_broker_that_makes_the_library_complain_fills_no_log() -> None:
    seldom, lines = Seldom(), 0
    for second in range(300):
        for n in range(100):
            record = logging.makeLogRecord(
                {"created": 1_800_000_000 + second + n / 100, "msg": "x", "exc_info": (ValueError, ValueError(), None)}
            )
            lines += seldom.filter(record)
            assert record.exc_info is None
    assert lines == 50, "ten a minute"
