"""The socket that is read on a beat, with a real pair of sockets."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator

import pytest
from tests.support.wait import until

from longwatch.base.clock import SystemClock
from longwatch.formats.rtsp import Message, RtspError
from longwatch.ingest.arena import ReadArena, arena_of
from longwatch.ingest.connection import MAX_UNSENT_BYTES, Connection
from longwatch.ingest.polling import CALM_BEATS, PolledSocket, Poller, poller_of


class Listener:
    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.errors: list[RtspError] = []
        self.ends: list[Exception | None] = []
        self.stray_calls = 0

    def message(self, message: Message) -> None:
        self.messages.append(message)

    def strays(self) -> None:
        self.stray_calls += 1

    def broken(self, error: RtspError) -> None:
        self.errors.append(error)

    def closed(self, error: Exception | None) -> None:
        self.ends.append(error)


class Pair:
    def __init__(self) -> None:
        self.ours, self.camera = socket.socketpair()
        self.ours.setblocking(False)
        self.camera.setblocking(False)
        self.listener = Listener()
        self.connection = Connection(arena_of(asyncio.get_running_loop()), SystemClock(), self.listener)
        self.polled = PolledSocket(self.ours, self.connection)
        self.connection.attach(self.polled)
        self.packets: list[bytes] = []

    def handler(self, buffer: bytes | bytearray, spans: list[tuple[int, int]], arrival_us: int) -> None:
        self.packets += [bytes(buffer[start:end]) for start, end in spans]


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    made = Pair()
    yield made
    made.connection.close()
    made.camera.close()


def packet(channel: int, data: bytes) -> bytes:
    return b"$" + bytes([channel]) + len(data).to_bytes(2, "big") + data


async def test_before_and_after_settling_everything_arrives_in_order(pair: Pair) -> None:
    pair.connection.open(0, pair.handler)
    for i in range(20):
        pair.camera.send(packet(0, b"%d" % i)[:3])
        await asyncio.sleep(0)
        pair.camera.send(packet(0, b"%d" % i)[3:])
        if i == 10:
            pair.connection.settle()
    await until(lambda: len(pair.packets) == 20)
    assert pair.packets == [b"%d" % i for i in range(20)]


async def test_the_end_and_errors_reach_the_listener_once(pair: Pair) -> None:
    pair.connection.settle()
    pair.camera.close()
    await until(lambda: pair.listener.ends == [None])
    await asyncio.sleep(0.05)
    assert pair.listener.ends == [None]
    assert not pair.connection.write(b"x")


async def test_a_camera_that_does_not_read_cannot_make_us_hoard(pair: Pair) -> None:
    sent = 0
    while pair.connection.write(b"x" * 10_000):
        sent += 10_000
        assert sent < 10_000_000
    assert pair.polled.get_write_buffer_size() <= MAX_UNSENT_BYTES + 10_000
    got = 0
    while got < sent:  # and what we took on is sent, in full, once it reads again
        try:
            got += len(pair.camera.recv(1 << 20))
        except BlockingIOError:
            await asyncio.sleep(0.001)
    assert pair.polled.get_write_buffer_size() == 0


async def test_a_bug_in_a_handler_ends_its_own_session_alone(pair: Pair) -> None:
    def broken(buffer: object, spans: object, arrival_us: int) -> None:
        raise ZeroDivisionError

    other = Pair()
    other.connection.open(0, other.handler)
    other.connection.settle()
    pair.connection.open(0, broken)
    pair.connection.settle()
    pair.camera.send(packet(0, b"x"))
    await until(lambda: pair.listener.ends)
    assert isinstance(pair.listener.ends[0], ZeroDivisionError)
    other.camera.send(packet(0, b"y"))
    await until(lambda: other.packets == [b"y"])
    other.connection.close()
    other.camera.close()


async def test_strays_and_garbage_are_told(pair: Pair) -> None:
    pair.camera.send(packet(4, b"stale"))
    await until(lambda: pair.listener.stray_calls == 1)
    pair.camera.send(b"\x00garbage")
    await until(lambda: len(pair.listener.errors) == 1)


async def test_packets_that_came_whole_before_garbage_are_handed_on_though_one_reading_brought_both(pair: Pair) -> None:
    pair.connection.open(0, pair.handler)
    pair.camera.send(packet(0, b"first") + packet(0, b"last") + b"\x80\x60 no header")
    await until(lambda: len(pair.listener.errors) == 1)
    assert pair.packets == [b"first", b"last"]


async def test_a_channel_is_given_once(pair: Pair) -> None:
    pair.connection.open(0, pair.handler)
    with pytest.raises(RtspError, match="two tracks"):
        pair.connection.open(0, pair.handler)


async def test_one_buffer_for_all_connections_of_a_loop() -> None:
    loop = asyncio.get_running_loop()
    assert type(loop).__module__.startswith("uvloop")  # conftest.py
    assert arena_of(loop) is arena_of(loop)
    assert isinstance(arena_of(loop), ReadArena)


async def test_two_connections_with_unfinished_packets_do_not_mix() -> None:
    pairs = [Pair() for _ in range(3)]
    whole = [packet(0, bytes([65 + i]) * 5000) for i in range(3)]
    for made in pairs:
        made.connection.open(0, made.handler)
    for cut in range(0, 5004, 417):
        for made, data in zip(pairs, whole, strict=True):
            made.camera.send(data[cut : cut + 417])
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    for i, made in enumerate(pairs):
        await until(lambda made=made: made.packets)
        assert made.packets == [bytes([65 + i]) * 5000]
        made.connection.close()
        made.camera.close()


class Dear(asyncio.BufferedProtocol):
    """Takes 5 us of the thread's time for each byte."""

    def __init__(self) -> None:
        self.room = memoryview(bytearray(256 << 10))
        self.reads: list[int] = []

    def get_buffer(self, sizehint: int) -> memoryview:
        return self.room

    def buffer_updated(self, nbytes: int) -> None:
        self.reads.append(nbytes)
        until_ns = time.thread_time_ns() + nbytes * 5_000
        while time.thread_time_ns() < until_ns:
            pass


@pytest.mark.slow
async def test_what_is_dear_to_take_apart_is_read_in_small_pieces() -> None:
    ours, camera = socket.socketpair()
    ours.setblocking(False)
    camera.setblocking(False)
    camera.send(bytes(100_000))
    dear = Dear()
    polled = PolledSocket(ours, dear)
    polled.read()
    assert len(dear.reads) == 1, "the share of one beat was used up"
    first = dear.reads[0]
    camera.send(bytes(16_000))
    for _ in range(5):
        polled.read()
    polled.close()
    camera.close()
    assert first > 20_000
    assert 3000 < max(dear.reads[1:]) <= 8192


async def test_what_is_cheap_is_read_as_fast_as_ever(pair: Pair) -> None:
    pair.connection.open(0, pair.handler)
    data = packet(0, bytes(1396)) * 100
    for _ in range(20):
        pair.camera.send(data)
        pair.polled.read()
    assert len(pair.packets) == 2000


class Counted(asyncio.BufferedProtocol):
    """Counts how often its socket is read, and what came."""

    def __init__(self) -> None:
        self.room = memoryview(bytearray(1 << 20))
        self.reads = 0
        self.received = 0

    def get_buffer(self, sizehint: int) -> memoryview:
        self.reads += 1
        return self.room

    def buffer_updated(self, nbytes: int) -> None:
        self.received += nbytes


class Counting:
    """A settled socket, and the camera's end of it."""

    def __init__(self) -> None:
        ours, self.camera = socket.socketpair()
        ours.setblocking(False)
        self.protocol = Counted()
        self.polled = PolledSocket(ours, self.protocol)
        self.polled.settle()

    def close(self) -> None:
        self.polled.close()
        self.camera.close()


async def test_what_nobody_watches_is_read_on_every_fourth_beat_and_what_is_watched_on_each() -> None:
    calm, watched = Counting(), Counting()
    watched.polled.hurry(True)
    await until(lambda: calm.protocol.reads >= 3)
    reads = calm.protocol.reads
    assert (reads - 1) * CALM_BEATS <= watched.protocol.reads <= (reads + 1) * CALM_BEATS
    watched.polled.hurry(False)
    before = watched.protocol.reads, calm.protocol.reads
    await until(lambda: watched.protocol.reads >= before[0] + 3)
    assert abs((watched.protocol.reads - before[0]) - (calm.protocol.reads - before[1])) <= 1
    calm.close()
    watched.close()


async def test_sockets_have_their_turns_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once: list[int] = []
    beat = Poller._beat

    def counted(poller: Poller, ahead: int) -> None:
        before = poller.reads
        beat(poller, ahead)
        at_once.append(poller.reads - before)

    monkeypatch.setattr(Poller, "_beat", counted)
    several = [Counting() for _ in range(CALM_BEATS)]
    await until(lambda: len(at_once) >= 3 * CALM_BEATS)
    assert set(at_once) == {1}
    for each in several:
        each.close()


async def test_a_socket_that_brings_much_is_read_again_on_the_next_beat() -> None:
    much = Counting()
    much.camera.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    much.camera.send(bytes(120_000))
    much.polled.read()
    assert much.protocol.received == 120_000
    assert much.polled.brought_plenty()
    much.camera.send(bytes(1000))
    much.polled.read()
    assert not much.polled.brought_plenty()
    much.close()
    assert not much.polled.brought_plenty()


async def test_without_a_socket_there_is_no_beat() -> None:
    one = Counting()
    await until(lambda: one.protocol.reads >= 1)
    one.close()
    poller = poller_of(asyncio.get_running_loop())
    before = poller.reads
    await asyncio.sleep(0.2)
    assert poller.reads == before
