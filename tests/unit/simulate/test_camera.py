"""A simulated camera on a real socket: what it says, what it sends, and every fault it has."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import struct
import time

import pytest

from longwatch.base.errors import UsageError
from longwatch.simulate.camera import LOT, ROOM, SimulatedCamera


class Client:
    """The least RTSP client that can look: requests, and RTP packets as (sequence, timestamp, marker, payload)."""

    def __init__(self, camera: SimulatedCamera, stream: str = "main") -> None:
        self.url = camera.url_of(stream, login=False)
        self.camera = camera
        self.cseq = 0
        self.packets: dict[int, list[tuple[int, int, bool, bytes]]] = {}
        self.reports: dict[int, list[bytes]] = {}
        self.ended = False
        self.noise = 0

    async def __aenter__(self):
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.camera.port)
        return self

    async def __aexit__(self, *_):
        self.writer.close()

    async def ask(self, method: str, url: str | None = None, **headers: str):
        self.cseq += 1
        lines = [f"{method} {url or self.url} RTSP/1.0", f"CSeq: {self.cseq}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.writer.write("\r\n".join([*lines, "", ""]).encode())
        while True:
            first = await self.reader.readexactly(1)
            if first == b"$":
                await self.packet()
                continue
            head = first + await self.reader.readuntil(b"\r\n\r\n")
            status, *rest = head.decode().strip().split("\r\n")
            found = dict(line.split(": ", 1) for line in rest)
            body = await self.reader.readexactly(int(found.get("Content-Length", 0)))
            return int(status.split(" ")[1]), found, body.decode()

    async def packet(self) -> int:
        channel, size = struct.unpack(">BH", await self.reader.readexactly(3))
        data = await self.reader.readexactly(size)
        if channel % 2:
            self.reports.setdefault(channel, []).append(data)
        else:
            second, sequence, timestamp = struct.unpack(">xBHI", data[:8])
            self.packets.setdefault(channel, []).append((sequence, timestamp, second >= 0x80, data[12:]))
        return channel

    async def play(self, tracks: int = 1):
        session = ""
        for track in range(tracks):
            channels = f"RTP/AVP/TCP;unicast;interleaved={2 * track}-{2 * track + 1}"
            more = {"Session": session} if session else {}
            code, headers, _ = await self.ask("SETUP", f"{self.url}/trackID={track}", Transport=channels, **more)
            assert code == 200
            session = headers["Session"].split(";")[0]
        code, headers, _ = await self.ask("PLAY", Session=session)
        assert code == 200
        return session, headers

    async def watch(self, seconds: float) -> None:
        """Take in what comes for so long, or until the camera ends it."""
        with contextlib.suppress(TimeoutError, asyncio.TimeoutError):
            async with asyncio.timeout(seconds):
                try:
                    while first := await self.reader.read(1):
                        if first == b"$":
                            await self.packet()
                        else:
                            self.noise += 1
                except (OSError, asyncio.IncompleteReadError):
                    pass
                self.ended = True

    async def until(self, done, seconds: float = 5.0) -> None:
        end = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < end, "it did not come in time"
            await self.watch(0.05)

    def units(self, channel: int = 0) -> list[int]:
        """Timestamps of whole units."""
        return [timestamp for _, timestamp, marker, _ in self.packets.get(channel, []) if marker]


def steps(times: list[int]) -> set[int]:
    return {(b - a) & 0xFFFFFFFF for a, b in itertools.pairwise(times)}


async def test_a_whole_conversation():
    async with SimulatedCamera(LOT) as camera, Client(camera) as client:
        code, headers, _ = await client.ask("OPTIONS")
        assert code == 200
        assert "GET_PARAMETER" in headers["Public"]
        code, headers, sdp = await client.ask("DESCRIBE", Accept="application/sdp")
        assert (code, headers["Content-Type"]) == (200, "application/sdp")
        assert "a=rtpmap:96 H264/90000" in sdp
        assert "a=rtpmap:97 MPEG4-GENERIC/48000/2" in sdp
        session, headers = await client.play(2)
        await client.until(lambda: len(client.units(0)) >= 4 and len(client.units(2)) >= 10)
        assert steps(client.units(0)) == {7200}
        assert steps(client.units(2)) == {1024}
        sequences = [sequence for sequence, _, _, _ in client.packets[0]]
        assert sequences == [(sequences[0] + n) & 0xFFFF for n in range(len(sequences))]
        assert f"seq={sequences[0]}" in headers["RTP-Info"]
        assert f"rtptime={client.packets[0][0][1]}" in headers["RTP-Info"]
        assert [p[3][0] & 31 for p in client.packets[0][:3]] == [7, 8, 28]  # SPS, PPS, then the IDR in fragments
        for method in ("GET_PARAMETER", "SET_PARAMETER", "TEARDOWN"):
            code, *_ = await client.ask(method, Session=session)
            assert code == 200
        assert await client.reader.read() == b""


async def test_sender_reports_carry_the_cameras_clock():
    async with SimulatedCamera(LOT, clock_offset_s=-3600) as camera, Client(camera) as client:
        await client.play()
        await client.until(lambda: 1 in client.reports and client.units())
        _, _, _, _, seconds, _, timestamp = struct.unpack(">BBHIIII", client.reports[1][0][:20])
        assert abs(seconds - 2_208_988_800 - (time.time() - 3600)) < 2
        assert abs(((timestamp - client.units()[0] + 2**31) & 0xFFFFFFFF) - 2**31) < 90_000


@pytest.mark.parametrize("method", ["SETUP", "PLAY", "PAUSE", "TEARDOWN"])
async def test_what_is_wrong_is_refused(method):
    async with SimulatedCamera(LOT) as camera, Client(camera) as client:
        code, *_ = await client.ask(method, Session="1")
        assert code in {404, 454}
        code, *_ = await client.ask("SETUP", f"{client.url}/trackID=0", Transport="RAW/RAW/UDP")
        assert code == 461
        code, headers, _ = await client.ask("RECORD")
        assert (code, "OPTIONS" in headers["Allow"]) == (405, True)


async def test_streams_have_paths_and_one_file_has_any():
    async with SimulatedCamera({"main": LOT, "sub": ROOM}) as camera:
        async with Client(camera, "sub") as client:
            assert "MPEG4" not in (await client.ask("DESCRIBE"))[2]
        async with Client(camera, "other") as client:
            assert (await client.ask("DESCRIBE"))[0] == 404
    async with SimulatedCamera(LOT) as camera, Client(camera, "cam/realmonitor?channel=1") as client:
        assert (await client.ask("DESCRIBE"))[0] == 200


async def test_a_login_is_asked_for():
    async with SimulatedCamera(LOT, user="u", password="p", login="basic") as camera, Client(camera) as client:
        code, headers, _ = await client.ask("DESCRIBE")
        assert (code, headers["WWW-Authenticate"]) == (401, 'Basic realm="Simulated camera"')
        assert (await client.ask("DESCRIBE", Authorization="Basic dTpw"))[0] == 200
        assert (await client.ask("DESCRIBE", Authorization="Basic dTpx"))[0] == 401
        assert camera.refused_logins == 1
        camera.inject("password", "new")
    assert camera.password == "new"


async def test_many_clients_at_once():
    async with SimulatedCamera(ROOM) as camera, Client(camera) as one, Client(camera) as two:
        await one.play()
        await two.play()
        await asyncio.gather(one.until(lambda: len(one.units()) > 5), two.until(lambda: len(two.units()) > 5))


async def test_gone_and_back_at_the_same_port():
    camera = SimulatedCamera(ROOM)
    await camera.start()
    port = camera.port
    async with Client(camera) as client:
        await client.play()
        await client.until(client.units)
        await camera.stop()
        await client.watch(2)
        assert client.ended
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    await camera.start()
    async with Client(camera) as client:
        await client.play()
        await client.until(client.units)
    await camera.close()
    assert camera.port == port


async def playing(camera: SimulatedCamera, client: Client, tracks: int = 1) -> None:
    await client.play(tracks)
    await client.until(client.units)


async def test_stall_falls_silent_and_still_answers():
    async with SimulatedCamera(ROOM) as camera, Client(camera) as client:
        await playing(camera, client)
        camera.inject("stall", 60)
        await client.watch(0.2)
        before = len(client.packets[0])
        await client.watch(0.5)
        assert len(client.packets[0]) == before
        assert (await client.ask("OPTIONS"))[0] == 200
        camera.inject("mend")
        await client.until(lambda: len(client.packets[0]) > before)


async def test_hang_answers_nothing():
    async with SimulatedCamera(ROOM) as camera, Client(camera) as client:
        await playing(camera, client)
        camera.inject("hang")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.ask("OPTIONS"), 0.4)


async def test_audio_only():
    async with SimulatedCamera(LOT) as camera, Client(camera) as client:
        await playing(camera, client, 2)
        camera.inject("audio-only")
        await client.watch(0.1)
        video, audio = len(client.packets[0]), len(client.packets[2])
        await client.watch(0.5)
        assert len(client.packets[0]) == video
        assert len(client.packets[2]) > audio
    async with SimulatedCamera(ROOM) as camera:
        with pytest.raises(UsageError, match="no audio"):
            camera.inject("audio-only")


async def test_freeze_sends_the_same_picture():
    async with SimulatedCamera(ROOM) as camera, Client(camera) as client:
        await playing(camera, client)
        camera.inject("freeze")
        await client.watch(0.2)
        client.packets.clear()
        await client.until(lambda: len(client.units()) >= 4)
        by_time: dict[int, list[bytes]] = {}
        for _, timestamp, _, payload in client.packets[0]:
            by_time.setdefault(timestamp, []).append(payload)
        pictures = [
            b"".join(part for part in parts if part[0] & 31 in {5, 28}) for parts in list(by_time.values())[1:-1]
        ]
        assert len(set(pictures)) == 1


async def test_a_frozen_picture_stays_the_same_beyond_the_next_sync_unit():
    async with SimulatedCamera(ROOM) as camera, Client(camera) as client:
        await playing(camera, client)
        camera.inject("freeze")
        await client.watch(0.2)
        client.packets.clear()
        group = sum(not unit.sync for unit in camera.clip("main").video.units[:10]) + 1
        await client.until(lambda: len(client.units()) >= group + 6)
        by_time: dict[int, bytes] = {}
        for _, timestamp, _, payload in client.packets[0]:
            if payload[0] & 31 in {5, 28}:
                by_time[timestamp] = by_time.get(timestamp, b"") + payload
        assert len(set(list(by_time.values())[1:-1])) == 1


@pytest.mark.parametrize(("name", "wanted"), [("jump", 60), ("back", -60)])
async def test_timestamps_jump(name, wanted):
    async with SimulatedCamera(LOT) as camera, Client(camera) as client:
        await playing(camera, client)
        camera.inject(name, 60)
        before = len(client.units())
        await client.until(lambda: len(client.units()) >= before + 3)
        assert steps(client.units()) == {7200, (7200 + wanted * 90_000) & 0xFFFFFFFF}


async def test_timestamps_wrap():
    async with SimulatedCamera(LOT) as camera, Client(camera) as client:
        camera.inject("wrap", 0.3)
        await playing(camera, client)
        await client.until(lambda: len(client.units()) >= 8)
        times = client.units()
        assert min(times) < 90_000
        assert max(times) > 2**32 - 90_000
        assert steps(times) == {7200}


async def test_parameters_change_in_mid_stream():
    async with SimulatedCamera(LOT) as camera, Client(camera) as client:
        await playing(camera, client)
        sets = {p[3] for p in client.packets[0] if p[3][0] & 31 == 7}
        camera.inject("parameters")
        await client.until(lambda: {p[3] for p in client.packets[0] if p[3][0] & 31 == 7} != sets)


async def test_loss_and_lose_and_swap():
    async with SimulatedCamera(LOT, seed=1) as camera, Client(camera) as client:
        await playing(camera, client)
        camera.inject("lose", 3)
        await client.watch(0.5)
        numbers = [p[0] for p in client.packets[0]]
        assert (numbers[-1] - numbers[0]) % 65536 + 1 - len(numbers) == 3
        camera.inject("loss", 100, 60)
        await client.watch(0.1)
        before = len(client.packets[0])
        await client.watch(0.3)
        assert len(client.packets[0]) == before
        camera.inject("mend")
        camera.inject("swap", 100)
        client.packets.clear()
        await client.until(lambda: len(client.packets.get(0, [])) > 40, 10)
        numbers = [p[0] for p in client.packets[0]]
        assert any(a > b for a, b in itertools.pairwise(numbers))


@pytest.mark.parametrize(
    ("fault", "code", "header"),
    [
        (("refuse", 453), 453, ""),
        (("refuse", 503, 60), 503, "Retry-After"),
        (("redirect", "rtsp://192.0.2.9/x"), 302, "Location"),
    ],
)
async def test_sessions_end_and_the_camera_refuses(fault, code, header):
    async with SimulatedCamera(ROOM) as camera:
        async with Client(camera) as client:
            await playing(camera, client)
            camera.inject(*fault)
            await client.watch(2)
            assert client.ended
        async with Client(camera) as client:
            answered, headers, _ = await client.ask("DESCRIBE")
            assert answered == code
            assert not header or header in headers


async def test_garbage_and_bye():
    async with SimulatedCamera(ROOM) as camera, Client(camera) as client:
        await playing(camera, client)
        camera.inject("bye")
        await client.watch(2)
        assert client.ended
        assert client.reports[1][-1][1] == 203
    async with SimulatedCamera(ROOM) as camera, Client(camera) as client:
        await client.play()
        camera.inject("garbage", 64)
        assert len(await client.reader.readexactly(64)) == 64


async def test_late_and_drop_close_the_port_for_a_while():
    async with SimulatedCamera(ROOM, faults=["late:0.3"]) as camera:
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", camera.port)
        end = time.monotonic() + 5
        while True:
            with contextlib.suppress(ConnectionRefusedError):
                (await asyncio.open_connection("127.0.0.1", camera.port))[1].close()
                break
            assert time.monotonic() < end
            await asyncio.sleep(0.02)
        async with Client(camera) as client:
            await playing(camera, client)
            camera.inject("drop", 0)
            await client.watch(2)
            assert client.ended


async def test_a_port_that_is_taken_is_named():
    async with SimulatedCamera(ROOM) as camera:
        with pytest.raises(UsageError, match=str(camera.port)):
            await SimulatedCamera(ROOM, port=camera.port).start()


async def test_a_client_that_says_nothing_is_cut_off():
    async with SimulatedCamera(ROOM, timeout_s=-5) as camera, Client(camera) as client:
        await client.watch(3)
        assert client.ended
