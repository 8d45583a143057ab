"""Cameras that do the wrong thing, each a tiny server on loopback: what the sink and the status then say."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import random
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from tests.support.measured import within
from tests.support.ports import free_port
from tests.support.scripted_camera import AUDIO_SDP, VIDEO_SDP, ScriptedCamera, Visit, idr, inter, rtp
from tests.support.sinks import RememberingSink
from tests.support.wait import until

from longwatch.base.clock import Clock, ManualClock, SystemClock
from longwatch.base.tasks import Tasks
from longwatch.ingest import CameraUrl, Options, RtspSource
from longwatch.model.sessions import Activity, Fault

pytestmark = pytest.mark.slow

QUICK = Options(
    answer_timeout_s=0.4, silent_s=0.4, audio_only_s=0.4, unusable_s=0.6, frozen_s=0.3, reconnect_frozen_s=600
)
PATIENT = Options(answer_timeout_s=60, silent_s=60, audio_only_s=60, unusable_s=60, frozen_s=60)
"""Where it is not about time: a machine that is busy may hold up a camera for half a second."""


@asynccontextmanager
async def recording(
    url: str, options: Options = QUICK, clock: Clock | None = None
) -> AsyncIterator[tuple[RememberingSink, RtspSource]]:
    sink = RememberingSink()
    source = RtspSource(CameraUrl.parse(url), options, clock or SystemClock())
    tasks = Tasks("test")
    tasks.start("source", source.run(sink))
    try:
        yield sink, source
    finally:
        await tasks.aclose()
        assert not sink.open, "cancelled, and the session was left open"
        assert sink.now.activity is Activity.STOPPED


async def once(camera: ScriptedCamera, options: Options = QUICK) -> RememberingSink:
    sink = RememberingSink()
    await RtspSource(CameraUrl.parse(camera.url), options, SystemClock()).run_once(sink)
    return sink


async def send_pictures(visit: Visit, count: int, channel: int = 0) -> None:
    chance = random.Random(count)
    for i in range(count):
        payload = idr(chance.randbytes(900)) if i % 5 == 0 else inter(chance.randbytes(600))
        visit.packet(channel, rtp(i, i * 3600, payload))
        await visit.writer.drain()
        await asyncio.sleep(0.01)


async def test_refused_ports_are_tried_for_ever_but_not_often() -> None:
    clock = ManualClock()
    async with recording(f"rtsp://127.0.0.1:{free_port()}/x", clock=clock) as (sink, _):
        for attempts in range(1, 12):
            await until(lambda n=attempts: len(sink.faults) == n)
            assert sink.now.fault is Fault.UNREACHABLE
            assert sink.now.detail.endswith("connection refused")
            assert sink.now.attempt == attempts
            assert sink.now.next_attempt_boot_us is not None
            wait_us = sink.now.next_attempt_boot_us - clock.boottime_us()
            assert 0 < wait_us <= 2_400_000
            assert attempts < 4 or wait_us >= 1_800_000
            await clock.advance(wait_us / 1e6 + 0.001)


async def test_a_camera_that_comes_late_is_recorded_within_three_seconds_of_its_port() -> None:
    port = free_port()

    async def script(visit: Visit) -> None:
        if await visit.play():
            await send_pictures(visit, 500)

    async with recording(f"rtsp://127.0.0.1:{port}/x") as (sink, _):
        await until(lambda: len(sink.faults) >= 3)
        camera = ScriptedCamera(script)
        camera.port = port
        async with camera:
            with within(3):
                await until(lambda: sink.video)
            assert sink.now.activity is Activity.STREAMING
            assert sink.now.fault is None
            assert sink.now.attempt == 0


async def test_a_refused_login_is_tried_once_more_and_then_seldom() -> None:
    async def script(visit: Visit) -> None:
        while (asked := await visit.hear()) is not None:
            visit.say(asked, "401 Unauthorized", 'WWW-Authenticate: Digest realm="r", nonce="n"')

    clock = ManualClock()
    async with ScriptedCamera(script) as camera:
        url = camera.url.replace("rtsp://", "rtsp://admin:wrong-one@")
        async with recording(url, clock=clock) as (sink, source):
            for attempt, wait_s in enumerate([1, 60, 120, 240, 480, 900, 900], 1):
                await until(lambda n=attempt: len(sink.faults) == n)
                assert sink.now.fault is Fault.LOGIN_REFUSED
                assert sink.now.next_attempt_boot_us == clock.boottime_us() + wait_s * 1_000_000
                await clock.advance(wait_s - 0.5)
                assert len(camera.visits) == attempt
                if attempt < 7:
                    await clock.advance(0.6)
            source.try_now()
            await until(lambda: len(sink.faults) == 8)
            assert sink.now.next_attempt_boot_us == clock.boottime_us() + 1_000_000  # counted from the beginning
            assert all(len(visit.asked) == 2 for visit in camera.visits)  # the challenge, and one answer to it
            assert not any("wrong-one" in status.detail for status in sink.statuses)


async def test_redirects_are_not_followed_and_nobody_else_hears_of_the_password() -> None:
    async def listening(visit: Visit) -> None:
        await visit.hear()

    async with ScriptedCamera(listening) as second:

        async def script(visit: Visit) -> None:
            while (asked := await visit.hear()) is not None:
                if asked.method == "DESCRIBE":
                    visit.say(asked, "302 Moved Temporarily", f"Location: rtsp://user:pass@127.0.0.1:{second.port}/")
                else:
                    visit.say(asked)

        async with ScriptedCamera(script) as first:
            sink = await once(first)
            assert sink.now.fault is Fault.REFUSED
            assert "redirect" in sink.now.detail
        assert second.visits == []


async def test_controls_of_another_origin_stay_on_this_connection() -> None:
    async def listening(visit: Visit) -> None:
        await visit.hear()

    async with ScriptedCamera(listening) as second:

        async def script(visit: Visit) -> None:
            if await visit.play(VIDEO_SDP.replace("control:v", f"control:rtsp://127.0.0.1:{second.port}/v")):
                await send_pictures(visit, 3)

        async with ScriptedCamera(script) as first:
            sink = await once(first)
            assert len(sink.video) > 0
        assert second.visits == []


@pytest.mark.parametrize(
    "data", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00" * 100, b"SSH-2.0-x\r\n", bytes(range(256)) * 64]
)
async def test_garbage(data: bytes) -> None:
    async def script(visit: Visit) -> None:
        await visit.hear()
        visit.writer.write(data)
        await visit.hear()

    async with ScriptedCamera(script) as camera:
        sink = await once(camera, PATIENT)
        assert sink.now.fault is Fault.PROTOCOL_ERROR
        assert "not RTSP" in sink.now.detail


async def test_garbage_in_the_middle_of_a_session() -> None:
    async def script(visit: Visit) -> None:
        await visit.play()
        await send_pictures(visit, 10)
        visit.writer.write(b"\x80\x60 no header here")
        await visit.hear()

    async with ScriptedCamera(script) as camera:
        sink = await once(camera, PATIENT)
        assert sink.sessions[0][0] is Fault.PROTOCOL_ERROR
        assert len(sink.video) >= 9


async def test_a_camera_that_hangs_up_before_it_plays() -> None:
    async def script(visit: Visit) -> None:
        await visit.hear()

    async with ScriptedCamera(script) as camera:
        sink = await once(camera, PATIENT)
        assert (sink.now.fault, sink.sessions) == (Fault.PROTOCOL_ERROR, [])
        assert "before it played" in sink.now.detail


async def test_a_camera_that_never_answers() -> None:
    async def script(visit: Visit) -> None:
        while await visit.hear() is not None:
            pass

    async with ScriptedCamera(script) as camera:
        sink = await once(camera)
        assert sink.now.fault is Fault.TIMED_OUT
        assert "OPTIONS" in sink.now.detail


async def test_connected_and_silent_and_torn_down() -> None:
    async def script(visit: Visit) -> None:
        await visit.play()
        while await visit.hear() is not None:
            pass

    async with ScriptedCamera(script) as camera:
        sink = await once(camera)
        assert (sink.now.fault, sink.now.detail) == (Fault.SILENT, "connected, and no packet for 0.4 s")
        await until(lambda: camera.visits[0].asked[-1].method == "TEARDOWN")


async def test_a_fault_of_our_own_ends_an_attempt_and_not_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    from longwatch.formats.rtp import TrackReceiver

    async def script(visit: Visit) -> None:
        await visit.play()
        await send_pictures(visit, 500)

    def broken(self: object) -> None:
        raise ZeroDivisionError

    async with ScriptedCamera(script) as camera, recording(camera.url) as (sink, _):
        await until(lambda: sink.video)
        with monkeypatch.context() as patched:
            for kind in [TrackReceiver, *TrackReceiver.__subclasses__()]:
                if "flush" in vars(kind):
                    patched.setattr(kind, "flush", broken)
            for writer in list(camera._writers):
                writer.transport.abort()
            await until(lambda: sink.faults)
        assert sink.faults == [Fault.UNUSABLE]
        assert sink.sessions[0][0] is Fault.DISCONNECTED
        await until(lambda: sink.opened_count == 2)


async def test_a_camera_by_name() -> None:
    async def script(visit: Visit) -> None:
        await visit.play()
        await send_pictures(visit, 3)

    async with ScriptedCamera(script) as camera:
        sink = RememberingSink()
        url = CameraUrl.parse(camera.url.replace("127.0.0.1", "localhost"))
        await RtspSource(url, QUICK, SystemClock()).run_once(sink)
        assert len(sink.video) > 0


async def test_a_name_that_is_none() -> None:
    sink = RememberingSink()
    url = CameraUrl.parse("rtsp://no-such-camera.invalid/x")
    await RtspSource(url, replace(QUICK, connect_timeout_s=5), SystemClock()).run_once(sink)
    assert sink.now.fault is Fault.UNREACHABLE


async def test_packets_before_the_answer_to_play() -> None:
    async def script(visit: Visit) -> None:
        while (asked := await visit.hear()) is not None:
            if asked.method == "PLAY":
                for i in range(3):
                    visit.packet(0, rtp(i, i * 3600, idr(bytes([i]) * 900)))
                visit.writer.write(b"\r\n")
                visit.say(asked, "200 OK", "RTP-Info: url=x;seq=0;rtptime=0;")
                visit.packet(0, rtp(3, 3 * 3600, idr(b"z" * 900)))
                await asyncio.sleep(0.1)
                return
            if asked.method == "SETUP":
                visit.say(asked, "200 OK", "Session: s", f"Transport: {asked.headers['transport']};ssrc= zz")
            else:
                visit.say(asked, body=VIDEO_SDP if asked.method == "DESCRIBE" else "")

    async with ScriptedCamera(script) as camera:
        sink = await once(camera, PATIENT)
        assert [sample.dts - sink.video[0].dts for sample in sink.video] == [0, 3600, 7200, 10800]
        assert sink.losses == []


async def test_udp_that_a_firewall_keeps_out_says_what_to_try() -> None:
    async def script(visit: Visit) -> None:
        await visit.play()
        await visit.hear()

    async with ScriptedCamera(script) as camera:
        sink = await once(camera, replace(QUICK, transport="udp"))
        assert sink.now.fault is Fault.SILENT
        assert "try the transport tcp" in sink.now.detail


async def test_since_when_spans_the_attempts_of_one_trouble() -> None:
    clock = ManualClock()
    async with recording(f"rtsp://127.0.0.1:{free_port()}/x", clock=clock) as (sink, _):
        await until(lambda: len(sink.faults) == 1)
        began_us = sink.now.since_boot_us
        await clock.advance(30)
        await until(lambda: len(sink.faults) > 5)
        assert sink.now.since_boot_us == began_us


async def test_audio_alone() -> None:
    async def script(visit: Visit) -> None:
        await visit.play(VIDEO_SDP + AUDIO_SDP)
        for i in range(200):
            visit.packet(2, rtp(i, i * 160, b"\xff" * 160, payload_type=0))
            await asyncio.sleep(0.01)

    async with ScriptedCamera(script) as camera:
        sink = await once(camera)
        assert sink.now.fault is Fault.AUDIO_ONLY
        assert sink.sessions == []  # without a picture there never was a session to record


async def test_audio_is_not_even_asked_for_when_it_is_off() -> None:
    async def script(visit: Visit) -> None:
        await visit.play(VIDEO_SDP + AUDIO_SDP)
        await send_pictures(visit, 5)

    async with ScriptedCamera(script) as camera:
        await once(camera, replace(QUICK, audio=False))
        await once(camera)
        setups = [[asked.uri for asked in visit.asked if asked.method == "SETUP"] for visit in camera.visits]
        assert [len(uris) for uris in setups] == [1, 2]


async def test_pictures_that_cannot_be_stored() -> None:
    async def script(visit: Visit) -> None:
        await visit.play()
        for i in range(300):
            visit.packet(0, rtp(i, i * 3600, inter(b"x" * 500)))  # never a sync picture
            await asyncio.sleep(0.01)

    async with ScriptedCamera(script) as camera:
        sink = await once(camera)
        assert sink.now.fault is Fault.UNUSABLE
        assert "sync sample" in sink.now.detail


async def test_a_frozen_picture_and_its_thaw() -> None:
    thaw = asyncio.Event()

    async def script(visit: Visit) -> None:
        await visit.play()
        still = random.Random(5).randbytes(1200)
        for i in range(1000):
            noise = random.Random(i).randbytes(1200) if thaw.is_set() else still
            visit.packet(0, rtp(i, i * 3600, idr(noise)))
            await asyncio.sleep(0.02)

    async with ScriptedCamera(script) as camera, recording(camera.url) as (sink, _):
        await until(lambda: sink.sessions)
        assert sink.sessions[0][0] is Fault.FROZEN
        assert (sink.now.activity, sink.now.fault) == (Activity.WAITING, Fault.FROZEN)
        thaw.set()
        await until(lambda: sink.open)
        assert (sink.now.activity, sink.now.fault) == (Activity.STREAMING, None)
        assert len(camera.visits) == 1  # on the same connection


async def test_a_picture_frozen_for_long_is_reconnected_and_held_until_it_moves() -> None:
    thaw = asyncio.Event()

    async def script(visit: Visit) -> None:
        await visit.play()
        still = random.Random(6).randbytes(1200)
        for i in range(1000):
            noise = random.Random(i).randbytes(1200) if thaw.is_set() else still
            visit.packet(0, rtp(i, i * 3600, idr(noise)))
            await asyncio.sleep(0.02)

    options = replace(QUICK, reconnect_frozen_s=0.3)
    async with ScriptedCamera(script) as camera, recording(camera.url, options) as (sink, _):
        await until(lambda: len(camera.visits) >= 3)
        assert len(sink.sessions) == 1  # the new connections bring the same picture: no new session for that
        assert set(sink.faults) == {Fault.FROZEN}
        thaw.set()
        await until(lambda: sink.open)
        assert sink.now.fault is None


async def test_no_video_at_all() -> None:
    async def script(visit: Visit) -> None:
        await visit.play(AUDIO_SDP)

    async with ScriptedCamera(script) as camera:
        sink = await once(camera, PATIENT)
        assert sink.now.fault is Fault.REFUSED
        assert "audio PCMU" in sink.now.detail


async def test_a_stale_session_is_torn_down_and_left_alone_for_a_moment() -> None:
    stale = asyncio.Event()

    async def script(visit: Visit) -> None:
        if stale.is_set():
            visit.packet(0, b"\x80" * 500)  # live555: the packets of the session before, to whoever connects next
            while await visit.hear() is not None:
                pass
            return
        await visit.play()
        await send_pictures(visit, 5)
        stale.set()
        visit.writer.transport.abort()

    clock = ManualClock()
    async with ScriptedCamera(script) as camera, recording(camera.url, clock=clock) as (sink, _):
        await until(lambda: sink.faults == [Fault.DISCONNECTED])
        await clock.advance(1)
        await until(lambda: sink.faults == [Fault.DISCONNECTED, Fault.REFUSED])
        assert "older session" in sink.now.detail
        await until(
            lambda: any(a.method == "TEARDOWN" and a.headers["session"] == "s1" for a in camera.visits[1].asked)
        )
        assert sink.now.next_attempt_boot_us is not None
        assert 2_000_000 <= sink.now.next_attempt_boot_us - sink.now.since_boot_us <= 3_000_000
        await clock.advance(3.1)
        await until(lambda: len(sink.faults) == 3)  # nothing left to tear down: now it is waited out
        assert sink.now.next_attempt_boot_us is not None
        assert sink.now.next_attempt_boot_us - sink.now.since_boot_us >= 65_000_000


async def test_too_many_viewers_waits_as_told() -> None:
    async def script(visit: Visit) -> None:
        while (asked := await visit.hear()) is not None:
            visit.say(asked, "453 Not Enough Bandwidth")

    clock = ManualClock()
    async with ScriptedCamera(script) as camera, recording(camera.url, clock=clock) as (sink, _):
        await until(lambda: sink.faults == [Fault.REFUSED])
        assert sink.now.next_attempt_boot_us is not None
        assert sink.now.next_attempt_boot_us - clock.boottime_us() >= 10_000_000


async def test_large_reads_blank_lines_and_packets_cut_anywhere() -> None:
    async def script(visit: Visit) -> None:
        await visit.play()
        await send_pictures(visit, 1)
        chance = random.Random(9)
        parts = []
        for i in range(1, 1000):
            data = rtp(i, i * 3600, inter(chance.randbytes(chance.randrange(1, 3000))))
            parts.append(b"\r\n" * (i % 50 == 0) + b"$\x00" + len(data).to_bytes(2, "big") + data)
        stream, at = memoryview(b"".join(parts)), 0
        while at < len(stream):
            size = chance.choice((1, 3, 1000, 300_000))
            visit.writer.write(stream[at : at + size])
            await visit.writer.drain()
            at += size
        await asyncio.sleep(0.3)

    async with ScriptedCamera(script) as camera:
        sink = await once(camera, PATIENT)
        assert sink.losses == []
        assert len(sink.video) in {999, 1000}


def self_signed() -> ssl.SSLContext:
    """A server's context with a certificate of its own making."""
    import datetime as dt
    import tempfile

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "camera")])
    start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=36500))
        .sign(key, hashes.SHA256())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        file.write(certificate.public_bytes(serialization.Encoding.PEM))
        file.write(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        file.flush()
        context.load_cert_chain(file.name)
    return context


async def test_rtsps_records_and_checks_the_certificate_unless_told_not_to() -> None:
    async def script(visit: Visit) -> None:
        await visit.play()
        await send_pictures(visit, 10)

    async with ScriptedCamera(script, tls=self_signed()) as camera:
        refused = await once(camera, replace(QUICK, answer_timeout_s=5))
        assert refused.now.fault is Fault.REFUSED
        assert "not trusted" in refused.now.detail
        assert camera.visits == []
        taken = await once(camera, replace(QUICK, verify_certificate=False, answer_timeout_s=5, silent_s=5))
        assert len(taken.video) >= 9
        assert taken.sessions[0][0] is Fault.DISCONNECTED


async def test_no_tls_where_tls_was_asked_for() -> None:
    async def script(visit: Visit) -> None:
        await visit.reader.read(10)
        visit.writer.write(b"RTSP/1.0 400 Bad Request\r\n\r\n")

    async with ScriptedCamera(script) as camera:
        sink = RememberingSink()
        url = CameraUrl.parse(camera.url.replace("rtsp:", "rtsps:"))
        await RtspSource(url, replace(QUICK, answer_timeout_s=5), SystemClock()).run_once(sink)
        assert sink.now.fault is Fault.PROTOCOL_ERROR
        assert "TLS" in sink.now.detail


async def test_a_port_that_does_not_go_on_with_tls() -> None:
    async def script(visit: Visit) -> None:
        await asyncio.sleep(60)

    async with ScriptedCamera(script) as camera:
        sink = RememberingSink()
        url = CameraUrl.parse(camera.url.replace("rtsp:", "rtsps:"))
        await RtspSource(url, QUICK, SystemClock()).run_once(sink)
        assert sink.now.fault is Fault.TIMED_OUT


async def test_a_host_that_swallows_what_is_sent_is_unreachable_and_asked_again_soon() -> None:
    """A listener whose queue is full drops SYNs, as a host that is down does."""
    with socket.socket() as listener, contextlib.ExitStack() as queue:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            sock = queue.enter_context(socket.socket())
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
        url = f"rtsp://127.0.0.1:{listener.getsockname()[1]}/x"
        async with recording(url, replace(QUICK, connect_timeout_s=0.5)) as (sink, _):
            await until(lambda: len(sink.faults) >= 3)
            assert set(sink.faults) == {Fault.UNREACHABLE}
            assert sink.now.detail.endswith("does not answer")


async def test_a_camera_that_hangs_does_not_hold_up_the_others() -> None:
    async def hanging(visit: Visit) -> None:
        await asyncio.sleep(60)

    async def working(visit: Visit) -> None:
        await visit.play()
        await send_pictures(visit, 30)

    async with (
        ScriptedCamera(hanging) as bad,
        ScriptedCamera(working) as good,
        recording(bad.url, replace(QUICK, answer_timeout_s=30)),
        recording(good.url) as (sink, _),
    ):
        await until(lambda: len(sink.video) > 10, seconds=25)  # less than the other is waited for


def levels(count: int) -> list[bytes]:
    """Parameter sets that all differ: the level of an SPS."""
    sps = base64.b64decode("Z0LAHtoCgPaEAAADAAQAAAMAoPFi6g==")
    return [sps[:3] + bytes([10 + n % 40]) + sps[4:] for n in range(count)]


async def test_parameter_sets_that_change_with_each_picture_end_the_session() -> None:
    async def script(visit: Visit) -> None:
        if await visit.play():
            for n, sps in enumerate(levels(300)):
                for k, nal in enumerate((sps, b"\x68\xce\x0f\xc8", idr(str(n).encode() * 200))):
                    visit.packet(0, rtp(3 * n + k, n * 3600, nal, marker=k == 2))
            await visit.writer.drain()
            await visit.hear()

    async with ScriptedCamera(script) as camera:
        sink = await once(camera)
    assert sink.now.fault is Fault.UNUSABLE
    assert sink.now.detail == "the camera changes its parameters over and over"
    assert 20 <= len(sink.video) <= 40


async def test_a_camera_that_ends_every_session_at_once_gets_a_session_every_five_seconds() -> None:
    async def script(visit: Visit) -> None:
        if await visit.play():
            visit.packet(0, rtp(0, 0, idr(b"x" * 200)))
            await visit.writer.drain()

    clock = ManualClock()
    async with ScriptedCamera(script) as camera, recording(camera.url, clock=clock) as (sink, _):
        waits = []
        for sessions in range(1, 40):
            await until(lambda n=sessions: len(sink.faults) == n)
            assert sink.now.next_attempt_boot_us is not None
            waits.append((sink.now.next_attempt_boot_us - clock.boottime_us()) / 1e6)
            await clock.advance(waits[-1] + 0.001)
        assert sink.opened_count >= 39
    assert max(waits[:20]) < 1, "a link that breaks is tried at once"
    assert min(waits[-3:]) > 3, "and one that does nothing but break, every five seconds"
