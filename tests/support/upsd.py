"""A small upsd (the network protocol of NUT, docs/net-protocol.txt): one UPS whose variables a test sets, and what can go wrong."""

from __future__ import annotations

import asyncio
from typing import Self


class SimulatedUpsd:
    """At 127.0.0.1:port, a UPS called `ups`. fault: "" or `stale`, `hang`, `garbage`, `close`, `half`."""

    def __init__(self, **variables: str) -> None:
        self.variables = {"ups.status": "OL", "battery.charge": "100", "battery.runtime": "3600"} | variables
        self.fault = ""
        self.port = 0
        self.lines: list[str] = []
        self.connections = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen, at the same port as before."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """As a machine that is switched off."""
        if self._server is not None:
            self._server.close()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self._server.wait_closed()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            while line := (await reader.readline()).decode().strip():
                self.lines.append(line)
                if self.fault == "close":
                    break
                if self.fault != "hang":
                    writer.write(self._answer(line))
                    await writer.drain()
                if self.fault == "half":
                    break
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    def _answer(self, line: str) -> bytes:
        words = line.split(" ")
        if self.fault == "garbage":
            return b"\xff\xfe\x00\n"
        if words[0] in {"USERNAME", "PASSWORD"}:
            return b"OK\n"
        if words[:2] != ["LIST", "VAR"] or words[2] != "ups":
            return b"ERR UNKNOWN-UPS\n"
        if self.fault == "stale":
            return b"ERR DATA-STALE\n"
        rows = "".join(f'VAR ups {name} "{value}"\n' for name, value in self.variables.items())
        whole = f"BEGIN LIST VAR ups\n{rows}END LIST VAR ups\n"
        return (whole[: len(whole) // 2] if self.fault == "half" else whole).encode()
