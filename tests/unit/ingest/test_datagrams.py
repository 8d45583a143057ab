import asyncio
import socket

import pytest
from tests.support.wait import until

from longwatch.base.clock import SystemClock
from longwatch.ingest import datagrams
from longwatch.ingest.datagrams import open_pair


async def test_only_the_camera_is_heard() -> None:
    """127.0.0.2 is somebody else."""
    pair = await open_pair(SystemClock(), "127.0.0.1", "127.0.0.1")
    heard: list[tuple[str, bytes]] = []
    pair.listen(
        lambda buffer, spans, _: heard.append(("rtp", bytes(buffer[spans[0][0] : spans[0][1]]))),
        lambda buffer, spans, _: heard.append(("rtcp", bytes(buffer[spans[0][0] : spans[0][1]]))),
    )
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as camera,
    ):
        stranger.bind(("127.0.0.2", 0))
        camera.bind(("127.0.0.1", 0))
        stranger.sendto(b"evil", ("127.0.0.1", pair.ports[0]))
        camera.sendto(b"picture", ("127.0.0.1", pair.ports[0]))
        camera.sendto(b"report", ("127.0.0.1", pair.ports[1]))
        await until(lambda: len(heard) == 2 and pair.foreign == 1)
    assert sorted(heard) == [("rtcp", b"report"), ("rtp", b"picture")]
    pair.close()


async def test_pairs_are_even_and_odd_and_given_back() -> None:
    pairs = [await open_pair(SystemClock(), "127.0.0.1", "127.0.0.1") for _ in range(5)]
    for pair in pairs:
        assert pair.ports[0] % 2 == 0
        assert pair.ports[1] == pair.ports[0] + 1
        pair.close()
    await asyncio.sleep(0.01)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
        again.bind(("127.0.0.1", pairs[0].ports[0]))


async def test_reports_go_to_the_camera() -> None:
    pair = await open_pair(SystemClock(), "127.0.0.1", "127.0.0.1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as camera:
        camera.bind(("127.0.0.1", 0))
        camera.setblocking(False)
        pair.send_report(b"nowhere yet")
        pair.report_to("127.0.0.1", camera.getsockname()[1])
        pair.send_report(b"rr")
        assert await asyncio.wait_for(asyncio.get_running_loop().sock_recv(camera, 100), 60) == b"rr"
    pair.close()


async def test_a_burst_is_handed_on_together_and_nothing_is_left_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = await open_pair(SystemClock(), "127.0.0.1", "127.0.0.1")
    batches: list[list[bytes]] = []
    pair.listen(lambda buffer, spans, _: batches.append([bytes(buffer[s:e]) for s, e in spans]), lambda *_: None)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as camera:
        camera.bind(("127.0.0.1", 0))
        for i in range(40):
            camera.sendto(b"%d" % i, ("127.0.0.1", pair.ports[0]))
        await until(lambda: sum(map(len, batches)) == 40)
        assert [data for batch in batches for data in batch] == [b"%d" % i for i in range(40)]
        assert len(batches) < 20
        monkeypatch.setattr(datagrams, "BEAT_S", 600)  # the next beat does not come between two looks
        camera.sendto(b"last", ("127.0.0.1", pair.ports[0]))
        await until(lambda: pair.waiting)
        pair.close()
        assert batches[-1] == [b"last"]
