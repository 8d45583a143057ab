"""What a camera may say before its packets: descriptions, messages, challenges, whole conversations.

Each target takes any bytes and raises nothing but AssertionError where a promise is broken; the parser's own error is the
promised answer to nonsense.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from longwatch.base import secrets
from longwatch.base.errors import UsageError
from longwatch.formats.rtsp import (
    Client,
    Command,
    Demultiplexer,
    Described,
    Ended,
    Login,
    RtspError,
    Send,
    SetUp,
    Transport,
)
from longwatch.formats.rtsp.auth import Authenticator, challenges, strongest
from longwatch.formats.rtsp.messages import MAX_MESSAGE_BYTES
from longwatch.formats.rtsp.transport import parse_rtp_info, parse_session, parse_transport
from longwatch.formats.sdp import SdpError, base_url, parse, resolve_control
from longwatch.ingest import CameraUrl

_LOGIN = Login("admin", "fuzz-password")


def sdp(data: bytes) -> None:
    try:
        told = parse(data)
    except SdpError:
        return
    assert told.media
    for media in told.media:
        assert media.clock_rate > 0
        assert media.channels > 0
        assert 0 <= media.payload_type <= 127
        url = resolve_control(base_url("rtsp://cam/live", told.control), media.control)
        assert url.lower().startswith(("rtsp://", "rtsps://"))
        assert not any(c in url for c in "\r\n \t\0")


def interleaved(data: bytes) -> None:
    """In one piece and in small ones: the same packets come out, or the same error."""
    assert _split(data, len(data) or 1) == _split(data, 7)


def _split(data: bytes, piece: int) -> tuple[list[bytes], list[str], int, bool]:
    demux = Demultiplexer()
    lane = demux.open(0)
    packets: list[bytes] = []
    messages: list[str] = []
    kept = b""
    for start in range(0, len(data), piece):
        buffer = kept + data[start : start + piece]
        at = 0
        try:
            while True:
                at, message = demux.split(buffer, at, len(buffer))
                assert 0 <= at <= len(buffer)
                packets += [buffer[s:e] for s, e in lane]
                lane.clear()
                if message is None:
                    break
                messages.append(repr(message))
        except RtspError:
            packets += [buffer[s:e] for s, e in lane]
            return packets, messages, demux.strays, True
        kept = buffer[at:]
        assert len(kept) <= MAX_MESSAGE_BYTES + 4 + piece
    return packets, messages, demux.strays, False


def headers(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    transport = parse_transport(text)
    assert transport.channels is None or 0 <= min(transport.channels) <= max(transport.channels) <= 255
    assert parse_session(text)[1] > 0
    assert len(parse_rtp_info(text)) <= 32
    offer = strongest(challenges([text, text[1:]]))
    if offer is not None:
        assert "fuzz-password" not in Authenticator(offer, _LOGIN, "c").header("PLAY", "rtsp://cam/")


def conversation(data: bytes) -> None:
    """A client that takes every byte for an answer: it ends by itself, and never says the password or another host."""
    client = Client("rtsp://cam/live", _LOGIN, cnonce="c", unfinished="old")
    demux = Demultiplexer()
    demux.open(0)
    open_commands = client.start(0)
    at = 0
    with contextlib.suppress(RtspError):
        for round_number in range(200):
            for command in _answers(client, open_commands, round_number):
                if isinstance(command, Send):
                    assert b"fuzz-password" not in command.data
                    assert command.data.endswith(b"\r\n\r\n")
                    assert command.data.count(b"\r\n\r\n") == 1
            at, message = demux.split(data, at, len(data))
            if message is None:
                open_commands = client.tick(round_number * 11_000_000) + client.stray_packets(round_number)
                if not open_commands:
                    break
                continue
            open_commands = client.received(message, round_number * 1000)
    assert len(client.close(0)) <= 1


def _answers(client: Client, commands: list[Command], now_us: int) -> Iterator[Command]:
    for command in commands:
        yield command
        if isinstance(command, Described):
            tracks = [SetUp(i, Transport(channels=(2 * i, 2 * i + 1))) for i in range(len(command.description.media))]
            yield from client.set_up(tracks, now_us)
        elif isinstance(command, Ended):
            return


def camera_url(data: bytes) -> None:
    """No password of the URL shows; the million passwords of a campaign are forgotten again."""
    try:
        url = CameraUrl.parse("rtsp://" + data.decode("utf-8", "replace"))
        assert url.host
        assert 0 < url.port < 65536
        assert not any(c in url.request_url for c in "\r\n \t\0")
        assert len(url.password) < 6 or url.password not in str(url)
    except UsageError:
        return
    finally:
        secrets._known.clear()
        secrets._registered.clear()
        secrets._ordered = None


TARGETS: dict[str, Callable[[bytes], None]] = {
    "sdp": sdp,
    "rtsp-interleaved": interleaved,
    "rtsp-headers": headers,
    "rtsp-conversation": conversation,
    "camera-url": camera_url,
}
