import random
import struct

import pytest

from longwatch.formats.rtsp import Demultiplexer, Response, RtspError


def packet(channel: int, data: bytes) -> bytes:
    return b"$" + bytes([channel]) + struct.pack(">H", len(data)) + data


def answer(cseq: int, body: bytes = b"") -> bytes:
    length = f"Content-Length: {len(body)}\r\n".encode() if body else b""
    return b"RTSP/1.0 200 OK\r\nCSeq: %d\r\n%s\r\n" % (cseq, length) + body


def test_many_packets_of_two_tracks_in_one_read() -> None:
    demux = Demultiplexer()
    video, audio = demux.open(0), demux.open(2)
    data = packet(0, b"v1") + packet(0, b"v2") + packet(2, b"a1") + packet(0, b"") + packet(2, b"a2" * 700)
    assert demux.split(bytearray(data), 0, len(data)) == (len(data), None)
    assert [data[s:e] for s, e in video] == [b"v1", b"v2", b""]
    assert [data[s:e] for s, e in audio] == [b"a1", b"a2" * 700]


def test_it_stops_at_a_message_so_that_channels_can_be_opened_in_time() -> None:
    demux = Demultiplexer()
    data = answer(3) + packet(0, b"first")
    at, message = demux.split(data, 0, len(data))
    assert isinstance(message, Response)
    assert message.cseq == 3
    lane = demux.open(0)
    assert demux.split(data, at, len(data)) == (len(data), None)
    assert [data[s:e] for s, e in lane] == [b"first"]
    assert demux.strays == 0


def test_blank_lines_before_packets_and_messages() -> None:
    demux = Demultiplexer()
    lane = demux.open(0)
    data = b"\r\n" + packet(0, b"x") + b"\r\n\r\n" + packet(0, b"y") + b"\n" + answer(1) + b"\r\n"
    at, message = demux.split(data, 0, len(data))
    assert isinstance(message, Response)
    assert demux.split(data, at, len(data)) == (len(data), None)
    assert [data[s:e] for s, e in lane] == [b"x", b"y"]


def test_packets_nobody_asked_for_are_counted() -> None:
    demux = Demultiplexer()
    lane = demux.open(0)
    data = packet(7, b"stale") + packet(0, b"ours") + packet(7, b"stale") + packet(9, b"")
    assert demux.split(data, 0, len(data)) == (len(data), None)
    assert demux.strays == 3
    assert [data[s:e] for s, e in lane] == [b"ours"]


def test_garbage_between_packets() -> None:
    demux = Demultiplexer()
    demux.open(0)
    data = packet(0, b"x") + b"\x80\x60garbage"
    with pytest.raises(RtspError, match="not RTSP"):
        demux.split(data, 0, len(data))


def test_channels_that_do_not_exist() -> None:
    with pytest.raises(RtspError):
        Demultiplexer().open(256)


@pytest.mark.parametrize("seed", range(20))
def test_however_the_bytes_are_cut_the_same_comes_out(seed: int) -> None:
    chance = random.Random(seed)
    expected: list[object] = []
    stream = b""
    for i in range(60):
        what = chance.random()
        if what < 0.15:
            body = bytes(chance.randrange(256) for _ in range(chance.randrange(40)))
            stream += b"\r\n" * chance.randrange(3) + answer(i, body)
            expected.append((i, body))
        else:
            channel, data = chance.choice((0, 1, 5)), bytes(chance.randrange(256) for _ in range(chance.randrange(300)))
            stream += packet(channel, data)
            expected.append((channel, data) if channel != 5 else "stray")
    seen, strays = read_in_pieces(stream, chance)
    assert seen == [what for what in expected if what != "stray"]
    assert strays == expected.count("stray")


def read_in_pieces(stream: bytes, chance: random.Random) -> tuple[list[object], int]:
    """As a connection does it: a tail that is not whole stays for the next read."""
    demux = Demultiplexer()
    lanes = {0: demux.open(0), 1: demux.open(1)}
    seen: list[object] = []
    kept = b""
    while stream:
        size = chance.choice((1, 2, 3, 5, 17, 120))
        buffer, stream = kept + stream[:size], stream[size:]
        at = 0
        while True:
            at, message = demux.split(buffer, at, len(buffer))
            found = sorted((span, channel) for channel, lane in lanes.items() for span in lane)
            seen += [(channel, buffer[s:e]) for (s, e), channel in found]
            for lane in lanes.values():
                lane.clear()
            if message is None:
                break
            assert isinstance(message, Response)
            seen.append((message.cseq, message.body))
        kept = buffer[at:]
    assert kept == b""
    return seen, demux.strays
