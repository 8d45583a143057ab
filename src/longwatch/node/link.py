"""Our own Unix sockets: one process answers requests and pushes frames, others ask. docs/design/socket.md is the protocol.

A socket is 0600 in a 0700 folder: whoever may open it may do everything. Both ends cap what they hold for a neighbour that
does not read: a request's answer always goes out, a push is refused (and counted by whoever pushes) once
`PUSH_LIMIT_BYTES` wait.
"""

from __future__ import annotations

from longwatch.base import log  # noqa: F401 - first, in verbs too, which all come by here: see there

# isort: split
import asyncio
import contextlib
import hashlib
import itertools
import os
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol, cast

import structlog

from longwatch.base.errors import LongwatchError, UsageError
from longwatch.base.tasks import Tasks
from longwatch.wire.frames import Decoder, Frame, check_hello, encode, hello

PUSH_LIMIT_BYTES = 4 << 20
MAX_PATH_BYTES = 100  # sun_path holds 108 with its terminating zero
RECONNECT_S = (0.05, 0.1, 0.2, 0.5, 1.0)
_log = structlog.get_logger(__name__)

Handler = Callable[["Peer", str, dict[str, Any]], Awaitable[dict[str, Any]]]
"""Answers one request: the peer that asks, its type, its fields. Raises LongwatchError for people."""


_SHORT = Path("/tmp")  # noqa: S108 - where a socket's path stays short; `_check_ours` guards what is made in it


def socket_path(data: Path, name: str) -> Path:
    """Where the socket `name` ("recorder", "server") of a data folder lies.

    `run/NAME.sock` in it, or, where that path is too long for a socket, a folder of our own under /tmp: every process of a
    post must find the same one, whatever its TMPDIR says, and a TMPDIR may be too long as well.
    """
    path = data.absolute() / "run" / f"{name}.sock"
    if len(os.fsencode(path)) <= MAX_PATH_BYTES:
        return path
    digest = hashlib.sha256(os.fsencode(data.absolute())).hexdigest()[:16]
    return _SHORT / f"longwatch-{os.getuid()}-{digest}" / f"{name}.sock"


def _check_ours(folder: Path) -> None:
    """Anybody may make a folder in /tmp: one that is not ours alone is not used. Raises OSError."""
    if not folder.is_relative_to(_SHORT) or folder.name == "run":
        return
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise PermissionError(f"{folder} belongs to somebody else, or others may enter it")


def _error_of(problem: dict[str, Any]) -> LongwatchError:
    """The neighbour's error as it was raised there: its exit code tells wrong use, whatever its version, from what failed."""
    code = problem.get("exit_code", 1)
    kind = UsageError if code == UsageError.exit_code else LongwatchError
    error = kind(str(problem.get("what", "")), why=str(problem.get("why", "")), remedy=str(problem.get("remedy", "")))
    if isinstance(code, int):
        error.exit_code = code
    return error


class Ledger(Protocol):
    """Whoever takes entries, and alarms, which are entries too: the link to the recorder, at a hub its own; or the archive itself."""

    async def request(self, kind: str, /, *, timeout_s: float = 10.0, **fields: Any) -> dict[str, Any]: ...


class Peer(asyncio.Protocol):
    """One neighbour at the answering end. Owner of its state: the loop it lives on."""

    def __init__(self, server: LinkServer) -> None:
        self._server = server
        self._decoder = Decoder()
        self._transport: asyncio.Transport | None = None
        self._greeted = False
        self.role = ""
        self.on_gone: list[Callable[[], None]] = []

    @property
    def waiting_bytes(self) -> int:
        """What was sent and not yet taken by the neighbour."""
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    def push(self, data: bytes) -> bool:
        """Send encoded frames; False, and nothing is sent, where the neighbour does not keep up or is gone."""
        transport = self._transport
        if transport is None or transport.is_closing() or transport.get_write_buffer_size() > PUSH_LIMIT_BYTES:
            return False
        transport.write(data)
        return True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transports are no subclasses of it
        self._server.peers.add(self)
        self._transport.write(hello(self._server.role))

    def connection_lost(self, exc: Exception | None) -> None:
        _log.debug("a neighbour went", role=self.role, reason=str(exc))
        self._transport = None
        self._server.peers.discard(self)
        for callback in self.on_gone:
            callback()
        self.on_gone.clear()

    def data_received(self, data: bytes) -> None:
        try:
            for frame in self._decoder.feed(data):
                if not self._greeted:
                    check_hello(frame)
                    self.role = str(frame.header.get("role", ""))
                    self._greeted = True
                elif "id" in frame.header:
                    self._server.answer(self, frame)
        except LongwatchError as error:
            _log.warning("a neighbour was cut off", socket=str(self._server.path), reason=str(error))
            self.close()

    def reply(self, header: dict[str, Any]) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(encode(header))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class LinkServer:
    """Listens on a Unix socket and answers requests by `handler`, each in a task of its own."""

    def __init__(self, path: Path, role: str, handler: Handler) -> None:
        self.path = path
        self.role = role
        self.peers: set[Peer] = set()
        self._handler = handler
        self._tasks = Tasks(f"link-{role}")
        self._listening: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen. Raises LongwatchError where another process already answers here, or the folder cannot be used."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _check_ours(self.path.parent)
            await self._remove_stale()
            previous = os.umask(0o177)
            try:
                self._listening = await asyncio.get_running_loop().create_unix_server(
                    lambda: Peer(self), str(self.path)
                )
            finally:
                os.umask(previous)
        except OSError as error:
            raise LongwatchError(f"the socket {self.path} cannot be opened", why=str(error)) from error

    async def _remove_stale(self) -> None:
        if not self.path.exists():
            return
        try:
            _, writer = await asyncio.open_unix_connection(str(self.path))
        except OSError:
            self.path.unlink(missing_ok=True)
            return
        writer.close()
        raise LongwatchError(
            f"another {self.role} already answers at {self.path}",
            remedy="stop it first; one data folder has one of each",
        )

    def answer(self, peer: Peer, frame: Frame) -> None:
        """Start answering one request."""
        self._tasks.start(frame.type, self._answer(peer, frame))

    async def _answer(self, peer: Peer, frame: Frame) -> None:
        fields = {key: value for key, value in frame.header.items() if key not in {"type", "id"}}
        answer: dict[str, Any] = {"type": "answer", "id": frame.header["id"]}
        try:
            answer["result"] = await self._handler(peer, frame.type, fields)
        except LongwatchError as error:
            answer["error"] = {
                "what": error.what, "why": error.why, "remedy": error.remedy, "exit_code": error.exit_code,
            }  # fmt: skip
        except Exception as error:  # noqa: BLE001 - boundary: a bad request must not end the process that records
            _log.exception("a request failed", request=frame.type)
            answer["error"] = {"what": f"the {self.role} failed at {frame.type}", "why": repr(error), "remedy": "see its log", "exit_code": 1}  # fmt: skip
        peer.reply(answer)

    async def aclose(self) -> None:
        """Listen no more, part from every neighbour, remove the socket."""
        if self._listening is not None:
            self._listening.close()
        for peer in list(self.peers):
            peer.close()
        await self._tasks.aclose()
        if self._listening is not None:
            self.path.unlink(missing_ok=True)


class LinkClient(asyncio.Protocol):
    """The asking end. `run` keeps it connected for ever; `connect` makes one connection for a verb.

    Pushed frames go to `on_push` callbacks in order, on the loop; `on_connect` callbacks run after each (re)connect, which is where
    subscriptions are made anew.
    """

    def __init__(self, path: Path, role: str) -> None:
        self.path = path
        self.role = role
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._push: list[Callable[[Frame], None]] = []
        self._connect: list[Callable[[], None]] = []
        self._transport: asyncio.Transport | None = None
        self._decoder = Decoder()
        self._greeted: asyncio.Future[None] | None = None
        self._lost = asyncio.Event()

    @property
    def is_connected(self) -> bool:
        """Whether a neighbour that understands us is there."""
        return self._transport is not None and self._greeted is not None and self._greeted.done()

    def on_push(self, callback: Callable[[Frame], None]) -> None:
        """Hand every pushed frame to `callback`."""
        self._push.append(callback)

    def on_connect(self, callback: Callable[[], None]) -> None:
        """Call `callback` after each connection is made."""
        self._connect.append(callback)

    async def connect(self) -> None:
        """One connection. Raises LongwatchError where nobody answers or the versions do not fit."""
        loop = asyncio.get_running_loop()
        self._decoder = Decoder()
        self._greeted = loop.create_future()
        self._lost.clear()
        try:
            _check_ours(self.path.parent)
            await loop.create_unix_connection(lambda: self, str(self.path))
            async with asyncio.timeout(5):
                await asyncio.shield(self._greeted)
        except (OSError, TimeoutError) as error:
            await self.aclose()
            raise LongwatchError(
                f"nobody answers at {self.path}",
                why=error.strerror or str(error) or "no greeting",
                remedy="is `longwatch run` running?",
            ) from error
        for callback in self._connect:
            callback()

    async def run(self) -> None:
        """Connected for ever, with back-off up to a second. Ends by cancellation."""
        attempt = 0
        try:
            while True:
                try:
                    await self.connect()
                except LongwatchError as error:
                    _log.debug("not connected", socket=str(self.path), reason=str(error))
                    await asyncio.sleep(RECONNECT_S[min(attempt, len(RECONNECT_S) - 1)])
                    attempt += 1
                    continue
                attempt = 0
                await self._lost.wait()
        finally:
            await self.aclose()

    async def request(self, kind: str, /, *, timeout_s: float = 10.0, **fields: Any) -> dict[str, Any]:
        """Ask, and wait for the answer. Raises UsageError where the neighbour calls it wrong use, LongwatchError: what else
        failed there, or that it is away.
        """
        if self._transport is None or not self.is_connected:
            raise LongwatchError(f"nobody answers at {self.path}", remedy="is `longwatch run` running?")
        number = next(self._ids)
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            self._transport.write(encode({**fields, "type": kind, "id": number}))
            async with asyncio.timeout(timeout_s):
                header = await future
        except TimeoutError as error:
            raise LongwatchError(f"no answer to {kind} within {timeout_s:g} s", why=f"at {self.path}") from error
        finally:
            self._waiting.pop(number, None)
        problem = header.get("error")
        if isinstance(problem, dict):
            raise _error_of(problem)
        result = header.get("result")
        return result if isinstance(result, dict) else {}

    async def aclose(self) -> None:
        """Part."""
        if self._transport is not None:
            self._transport.close()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self._lost.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transports are no subclasses of it
        self._transport.write(hello(self.role))

    def data_received(self, data: bytes) -> None:
        try:
            for frame in self._decoder.feed(data):
                self._take(frame)
        except LongwatchError as error:
            _log.warning("the neighbour was cut off", socket=str(self.path), reason=str(error))
            if self._greeted is not None and not self._greeted.done():
                self._greeted.set_exception(error)
            if self._transport is not None:
                self._transport.close()

    def _take(self, frame: Frame) -> None:
        assert self._greeted is not None
        if not self._greeted.done():
            check_hello(frame)
            self._greeted.set_result(None)
        elif frame.type == "answer":
            future = self._waiting.get(frame.header.get("id", 0))
            if future is not None and not future.done():
                future.set_result(frame.header)
        else:
            for callback in self._push:
                callback(frame)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._lost.set()
        lost = LongwatchError(f"the neighbour at {self.path} is gone", why=str(exc) if exc is not None else "")
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(lost)
        if self._greeted is not None and not self._greeted.done():
            self._greeted.set_exception(ConnectionResetError("closed before the greeting"))
