"""A link that is made thin, mute and cut while it is used; and the page that does it."""

from __future__ import annotations

import asyncio
import json
from typing import Self

import pytest

from longwatch.simulate.link_switch import STATES, LinkSwitch
from longwatch.simulate.thin_link import Conditions, SimulatedLink

SHORT_S = 0.3


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(4096):
        writer.write(piece)
    writer.close()


class Ends:
    """An echo behind a link."""

    async def __aenter__(self) -> Self:
        self.server = await asyncio.start_server(_echo, "127.0.0.1", 0)
        self.link = await SimulatedLink(("127.0.0.1", self.server.sockets[0].getsockname()[1])).__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.link.__aexit__()
        self.server.close()

    async def dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.link.port)


async def _there_and_back(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes) -> bytes:
    writer.write(data)
    async with asyncio.timeout(60):
        return await reader.readexactly(len(data))


def test_what_goes_in_comes_out_unchanged_and_is_counted() -> None:
    async def run() -> None:
        async with Ends() as ends:
            reader, writer = await ends.dial()
            data = bytes(range(256)) * 100
            assert await _there_and_back(reader, writer, data) == data
            assert ends.link.carried == (len(data), len(data))
            writer.close()

    asyncio.run(run())


def test_a_thin_link_takes_its_time() -> None:
    async def run() -> None:
        async with Ends() as ends:
            ends.link.set(Conditions(bits_a_second=80_000))
            reader, writer = await ends.dial()
            began = asyncio.get_running_loop().time()
            await _there_and_back(reader, writer, bytes(5_000))  # 40,000 bits each way
            assert asyncio.get_running_loop().time() - began > 0.49
            writer.close()

    asyncio.run(run())


def test_mute_nothing_passes_and_what_was_sent_arrives_later() -> None:
    async def run() -> None:
        async with Ends() as ends:
            reader, writer = await ends.dial()
            await _there_and_back(reader, writer, b"before")
            ends.link.set(Conditions(mute=True))
            writer.write(b"after")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(SHORT_S):
                    await reader.read(1)
            ends.link.set(Conditions())
            async with asyncio.timeout(60):
                assert await reader.readexactly(5) == b"after"
            writer.close()

    asyncio.run(run())


def test_cut_connections_end_at_once_and_none_begins_until_it_is_back() -> None:
    async def run() -> None:
        async with Ends() as ends:
            reader, writer = await ends.dial()
            await _there_and_back(reader, writer, b"before")
            ends.link.set(Conditions(cut=True))
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await _there_and_back(reader, writer, b"x")
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await _there_and_back(*await ends.dial(), b"x")
            ends.link.set(Conditions())
            again = await ends.dial()
            assert await _there_and_back(*again, b"again") == b"again"
            again[1].close()

    asyncio.run(run())


async def _ask(port: int, text: str) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(text.encode())
    async with asyncio.timeout(60):
        answer = (await reader.read()).decode()
    writer.close()
    return answer


def test_the_page_switches_its_links_and_nobody_elses_page_does() -> None:
    async def run() -> None:
        link = SimulatedLink(("127.0.0.1", 9))
        async with LinkSwitch({"north": ("North <ridge>", link)}) as page:
            host = f"Host: {page.address}\r\n"
            shown = await _ask(page.port, f"GET / HTTP/1.1\r\n{host}\r\n")
            assert "North &lt;ridge&gt;" in shown
            assert "<script" not in shown
            assert (
                await _ask(page.port, f"POST /links/north/cut HTTP/1.1\r\n{host}Sec-Fetch-Site: same-origin\r\n\r\n")
            ).startswith("HTTP/1.1 303")
            assert link.conditions == STATES["cut"][1]
            told = json.loads((await _ask(page.port, f"GET /links HTTP/1.1\r\n{host}\r\n")).partition("\r\n\r\n")[2])
            assert told["north"]["state"] == "cut"
            for refused in (
                f"POST /links/north/open HTTP/1.1\r\n{host}Sec-Fetch-Site: cross-site\r\n\r\n",
                "POST /links/north/open HTTP/1.1\r\nHost: evil.example\r\n\r\n",
            ):
                assert (await _ask(page.port, refused)).startswith("HTTP/1.1 403")
            assert (await _ask(page.port, f"POST /links/south/open HTTP/1.1\r\n{host}\r\n\r\n")).startswith(
                "HTTP/1.1 404"
            )
            assert link.conditions == STATES["cut"][1]

    asyncio.run(run())
