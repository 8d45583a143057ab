"""The sockets between our processes: requests, errors, pushes, and neighbours that hang, lie or go."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from longwatch.base.errors import LongwatchError, UsageError
from longwatch.node.link import MAX_PATH_BYTES, PUSH_LIMIT_BYTES, LinkClient, LinkServer, Peer, socket_path
from longwatch.wire.frames import Frame, encode


async def handle(peer: Peer, kind: str, fields: dict[str, Any]) -> dict[str, Any]:
    if kind == "wrong":
        raise UsageError("no such camera", why="it is not in the settings", remedy="look at `settings check`")
    if kind == "bug":
        raise ZeroDivisionError
    if kind == "push":
        for n in range(int(fields["count"])):
            peer.push(encode({"type": "live_sample", "n": n}, b"x"))
    return {"kind": kind, **fields}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[LinkServer]:
    link = LinkServer(tmp_path / "run/recorder.sock", "recorder", handle)
    await link.start()
    yield link
    await link.aclose()


async def test_a_request_is_answered_and_a_push_comes_in_order(server: LinkServer) -> None:
    client = LinkClient(server.path, "verb")
    got: list[Frame] = []
    client.on_push(got.append)
    await client.connect()
    assert await client.request("ping", a=1) == {"kind": "ping", "a": 1}
    await client.request("push", count=3)
    assert [(frame.header["n"], frame.body) for frame in got] == [(0, b"x"), (1, b"x"), (2, b"x")]
    await client.aclose()
    assert not client.is_connected


async def test_an_error_for_people_crosses_whole(server: LinkServer) -> None:
    client = LinkClient(server.path, "verb")
    await client.connect()
    with pytest.raises(UsageError) as caught:  # wrong use there is wrong use here: 422, not 503; exit code 2
        await client.request("wrong")
    error = caught.value
    assert (error.what, error.why, error.remedy, error.exit_code) == (
        "no such camera", "it is not in the settings", "look at `settings check`", 2,
    )  # fmt: skip
    with pytest.raises(LongwatchError, match="failed at bug") as failed:
        await client.request("bug")
    assert not isinstance(failed.value, UsageError)
    assert await client.request("ping")
    await client.aclose()


async def test_only_its_owner_may_open_the_socket(server: LinkServer) -> None:
    assert server.path.stat().st_mode & 0o777 == 0o600
    assert server.path.parent.stat().st_mode & 0o777 == 0o700


async def test_a_second_server_is_refused_and_a_dead_ones_socket_replaced(server: LinkServer, tmp_path: Path) -> None:
    with pytest.raises(LongwatchError, match="already answers"):
        await LinkServer(server.path, "recorder", handle).start()
    await server.aclose()
    stale = await asyncio.get_running_loop().create_unix_server(asyncio.Protocol, str(server.path))
    stale.close()
    assert server.path.exists()
    again = LinkServer(server.path, "recorder", handle)
    await again.start()
    await again.aclose()
    assert not server.path.exists()


async def test_nobody_there(tmp_path: Path) -> None:
    client = LinkClient(tmp_path / "none.sock", "verb")
    with pytest.raises(LongwatchError, match="nobody answers"):
        await client.connect()
    with pytest.raises(LongwatchError, match="nobody answers"):
        await client.request("ping")


async def test_it_connects_again_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "run/recorder.sock"
    client = LinkClient(path, "server")
    connects = asyncio.Queue[None]()
    client.on_connect(lambda: connects.put_nowait(None))
    running = asyncio.create_task(client.run())
    for _ in range(2):
        server = LinkServer(path, "recorder", handle)
        await server.start()
        await asyncio.wait_for(connects.get(), 60)
        assert await client.request("ping") == {"kind": "ping"}
        await server.aclose()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_who_is_ended_in_the_moment_of_an_answer_is_ended(server: LinkServer) -> None:
    """`asyncio.wait_for` of Python 3.11 returns the answer instead, and a loop that asks goes on for ever."""
    client = LinkClient(server.path, "verb")
    await client.connect()
    asking, take = asyncio.create_task(client.request("ping")), client.data_received

    def answered(data: bytes) -> None:
        take(data)
        asking.cancel()

    client.data_received = answered
    await asyncio.wait([asking], timeout=60)
    assert asking.cancelled()
    await client.aclose()


async def test_a_request_fails_when_the_neighbour_goes(tmp_path: Path) -> None:
    async def never(peer: Peer, kind: str, fields: dict[str, Any]) -> dict[str, Any]:
        peer.close()
        await asyncio.Event().wait()
        return {}

    server = LinkServer(tmp_path / "r.sock", "recorder", never)
    await server.start()
    client = LinkClient(server.path, "verb")
    await client.connect()
    with pytest.raises(LongwatchError, match="gone"):
        await client.request("ping")
    await server.aclose()


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        encode({"type": "hello", "version": [9, 0]}),
        encode({"type": "ping", "id": 1}),
    ],
)
async def test_a_neighbour_that_speaks_otherwise_is_cut_off(server: LinkServer, said: bytes) -> None:
    reader, writer = await asyncio.open_unix_connection(str(server.path))
    writer.write(said)
    rest = await asyncio.wait_for(reader.read(), 60)
    assert b"hello" in rest
    assert b"result" not in rest
    writer.close()


async def test_pushes_to_a_neighbour_that_does_not_read_are_refused_and_bounded(server: LinkServer) -> None:
    _, writer = await asyncio.open_unix_connection(str(server.path))
    while not server.peers:
        await asyncio.sleep(0)
    peer = next(iter(server.peers))
    chunk = encode({"type": "live_sample"}, bytes(1 << 20))
    sent = 0
    while peer.push(chunk):
        sent += 1
        assert sent < 100
    assert peer.waiting_bytes <= PUSH_LIMIT_BYTES + len(chunk)
    gone: list[bool] = []
    peer.on_gone.append(lambda: gone.append(True))
    writer.transport.abort()
    while not gone:
        await asyncio.sleep(0)
    assert not peer.push(chunk)


def test_a_path_too_long_for_a_socket_is_replaced_by_a_short_one_of_its_own(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 60) / ("y" * 60)
    assert socket_path(Path("/data"), "recorder") == Path("/data/run/recorder.sock")
    short = socket_path(deep, "recorder")
    assert len(str(short)) <= MAX_PATH_BYTES
    assert short == socket_path(deep, "recorder") != socket_path(deep, "server")
    assert short != socket_path(deep / "z", "recorder")


def test_the_short_path_does_not_depend_on_the_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("x" * 120)
    before = socket_path(deep, "server")
    monkeypatch.setenv("TMPDIR", str(deep))
    monkeypatch.setattr("tempfile.tempdir", None)
    assert socket_path(deep, "server") == before
    assert len(str(before)) <= MAX_PATH_BYTES


async def test_a_folder_that_others_may_enter_is_not_used(tmp_path: Path) -> None:
    path = socket_path(tmp_path / ("x" * 120), "recorder")
    path.parent.mkdir(mode=0o700)
    try:
        path.parent.chmod(0o755)
        link = LinkServer(path, "recorder", handle)
        with pytest.raises(LongwatchError, match="others may enter"):
            await link.start()
        with pytest.raises(LongwatchError, match="others may enter"):
            await LinkClient(path, "verb").connect()
    finally:
        path.parent.rmdir()
