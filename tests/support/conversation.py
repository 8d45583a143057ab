"""A conversation with a camera, as a transcript: what we say is compared word by word, and everything must be looked at."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from longwatch.formats.rtsp import Client, Command, Demultiplexer, Login, Send, SetUp


def wire(text: str, body: str = "") -> bytes:
    """A message as it goes over the wire, from a readable text; Content-Length is added for a body."""
    lines = textwrap.dedent(text).strip().splitlines()
    data = body.encode()
    if data:
        lines.append(f"Content-Length: {len(data)}")
    return "\r\n".join([*lines, "", ""]).encode() + data


class Conversation:
    """Drives a `Client`. Every step fails where commands of the step before were not looked at."""

    def __init__(self, url: str = "rtsp://cam/live", login: Login | None = None, unfinished: str = "") -> None:
        self.client = Client(url, login, cnonce="c0ffee", unfinished=unfinished)
        self.now_us = 1_000_000
        self.demux = Demultiplexer()
        self._open: list[Command] = []

    def start(self) -> None:
        self._step(self.client.start(self.now_us))

    def set_up(self, *tracks: SetUp) -> None:
        self._step(self.client.set_up(tracks, self.now_us))

    def close(self) -> None:
        self._step(self.client.close(self.now_us))

    def stray_packets(self) -> None:
        self._step(self.client.stray_packets(self.now_us))

    def after(self, seconds: float) -> None:
        self.now_us += int(seconds * 1e6)
        self._step(self.client.tick(self.now_us))

    def camera(self, text: str, body: str = "") -> None:
        """The camera says this."""
        data = wire(text, body)
        at, message = self.demux.split(data, 0, len(data))
        assert message is not None, "the text is no whole message"
        assert at == len(data), "more than one message in the text"
        self._step(self.client.received(message, self.now_us))

    def us(self, text: str) -> None:
        """We said this next, word by word (our name apart, which must be there)."""
        command = self._next()
        assert isinstance(command, Send), f"we did not say anything, but {command}"
        said = command.data.decode().replace("\r\n", "\n").strip()
        assert "User-Agent: Longwatch\n" in f"{said}\n" or said.startswith("RTSP/")
        assert (
            said.replace("User-Agent: Longwatch\n", "").removesuffix("\nUser-Agent: Longwatch")
            == textwrap.dedent(text).strip()
        )

    def expect(self, kind: type[Command]) -> Command:
        """The next command is of this kind; returns it."""
        command = self._next()
        assert isinstance(command, kind), command
        return command

    def expect_login(self) -> str:
        """We said something, with credentials; returns it."""
        command = self._next()
        assert isinstance(command, Send), command
        assert b"\r\nAuthorization: " in command.data
        return command.data.decode()

    def silence(self) -> None:
        """Nothing more is asked."""
        assert self._open == []

    def _next(self) -> Command:
        assert self._open, "nothing more was said"
        return self._open.pop(0)

    def _step(self, commands: Sequence[Command]) -> None:
        assert not self._open, f"nobody looked at {self._open}"
        self._open = list(commands)

    def over(self) -> None:
        """The end of the test: everything was looked at."""
        assert not self._open, f"nobody looked at {self._open}"
