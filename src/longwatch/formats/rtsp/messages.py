"""RTSP messages (RFC 2326, sections 4 to 7): bytes to requests and answers and back.

Sizes are capped: 255 header lines of 2 KB, bodies of 128 KB. What cannot be a message raises RtspError and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

MAX_HEADERS = 255
MAX_LINE_BYTES = 2048
MAX_HEAD_BYTES = 64 << 10
MAX_BODY_BYTES = 128 << 10
MAX_MESSAGE_BYTES = MAX_HEAD_BYTES + MAX_BODY_BYTES

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
"""Dropped from what comes in, CR with them: session ids, nonces and names go out again, into requests and onto pages."""


class RtspError(ValueError):
    """What came is not RTSP, or beyond the limits. The connection cannot go on."""


class Headers:
    """Header lines in their order; names compare without case."""

    __slots__ = ("lines",)

    def __init__(self, lines: Sequence[tuple[str, str]] = ()) -> None:
        self.lines = list(lines)

    def get(self, name: str) -> str:
        """The last value under this name, "" where there is none."""
        lowered = name.lower()
        return next((value for key, value in reversed(self.lines) if key.lower() == lowered), "")

    def all(self, name: str) -> list[str]:
        """Every value under this name, in order."""
        lowered = name.lower()
        return [value for key, value in self.lines if key.lower() == lowered]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self.lines == other.lines

    __hash__ = None  # type: ignore[assignment]  # mutable, so never a key

    def __repr__(self) -> str:
        return f"Headers({[(k, '***' if 'auth' in k.lower() else v) for k, v in self.lines]})"


@dataclass(frozen=True, slots=True)
class Request:
    """A request, ours or (rarely) the camera's."""

    method: str
    uri: str
    headers: Headers
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Response:
    """An answer. cseq: None where the camera left it out or wrote no number."""

    status: int
    reason: str
    headers: Headers
    body: bytes = field(default=b"", repr=False)

    @property
    def cseq(self) -> int | None:
        return decimal(self.headers.get("CSeq"))


Message = Request | Response


def decimal(text: str) -> int | None:
    """A number of at most nine ASCII digits, else None."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None


def encode(message: Message) -> bytes:
    """The bytes of a message. Content-Length is added where there is a body. Control characters cannot get in."""
    if isinstance(message, Request):
        lines = [f"{message.method} {message.uri} RTSP/1.0"]
    else:
        lines = [f"RTSP/1.0 {message.status} {message.reason}"]
    lines += [f"{name}: {value}" for name, value in message.headers.lines]
    if message.body:
        lines.append(f"Content-Length: {len(message.body)}")
    for line in lines:
        if any(c in line for c in "\r\n\0"):
            raise RtspError("a line break inside a header line")
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "replace") + message.body


def decode(buffer: bytes | bytearray | memoryview, start: int, end: int) -> tuple[Message, int] | None:
    """The message that begins at `start`, and where it ends; None while it is not whole.

    `buffer[start]` is neither `$` nor a line break. Lines may end in LF alone. Raises RtspError.
    """
    head_end = _head_end(buffer, start, end)
    if head_end is None:
        return None
    text = bytes(buffer[start:head_end]).decode("utf-8", "replace")
    lines = _CONTROLS.sub("", text).rstrip("\n").split("\n")
    if len(lines) - 1 > MAX_HEADERS:
        raise RtspError(f"{len(lines) - 1} header lines, beyond the limit of {MAX_HEADERS}")
    if max(map(len, lines)) > MAX_LINE_BYTES:
        raise RtspError(f"a header line beyond the limit of {MAX_LINE_BYTES} bytes")
    headers = _headers(lines[1:])
    body_end = head_end + _content_length(headers)
    if body_end > end:
        return None
    return _start_line(lines[0], headers, bytes(buffer[head_end:body_end])), body_end


def _head_end(buffer: bytes | bytearray | memoryview, start: int, end: int) -> int | None:
    window = bytes(buffer[start : min(end, start + MAX_HEAD_BYTES)])
    line_end = window.find(b"\n")
    first = window if line_end < 0 else window[:line_end]
    if len(first) > MAX_LINE_BYTES or not _plausible(first, whole=line_end >= 0):
        raise RtspError(f"what came is not RTSP: {_shown(first)}")
    ends = [at + len(mark) for mark in (b"\r\n\r\n", b"\n\n") if (at := window.find(mark)) >= 0]
    if ends:
        return start + min(ends)
    if len(window) >= MAX_HEAD_BYTES:
        raise RtspError(f"a message head beyond the limit of {MAX_HEAD_BYTES} bytes")
    return None


def _plausible(first: bytes, *, whole: bool) -> bool:
    """Whether a first line, perhaps not whole yet, can be one of RTSP: cheap, and early on garbage without any line."""
    answer = b"RTSP/1.0 "
    if first[: len(answer)] == answer[: len(first)]:
        return True
    word = first.split(b" ", 1)[0]
    if not word or len(word) > 24 or not all(65 <= c <= 90 or c == 95 for c in word):
        return False
    return first.rstrip().endswith(b" RTSP/1.0") if whole else True


def _shown(data: bytes) -> str:
    text = data[:40].decode("ascii", "replace")
    shown = "".join(c if c.isprintable() and c.isascii() else "." for c in text)
    return f"it speaks HTTP ({shown!r})" if data.startswith(b"HTTP/") else repr(shown)


def _headers(lines: list[str]) -> Headers:
    found: list[tuple[str, str]] = []
    for line in lines:
        if line[:1] in {" ", "\t"} and found:  # a folded line (RFC 2326, 15)
            name, value = found[-1]
            found[-1] = (name, f"{value} {line.strip()}"[:MAX_LINE_BYTES])
            continue
        name, colon, value = line.partition(":")
        if colon and name.strip():
            found.append((name.strip(), value.strip()))
    return Headers(found)


def _content_length(headers: Headers) -> int:
    lengths = {value.strip().rstrip(";") for value in headers.all("Content-Length")} - {""}
    if not lengths:
        return 0
    length = decimal(lengths.pop())
    if lengths or length is None:
        raise RtspError("a Content-Length that is no number, or two of them")
    if length > MAX_BODY_BYTES:
        raise RtspError(f"a body of {length} bytes, beyond the limit of {MAX_BODY_BYTES}")
    return length


def _start_line(line: str, headers: Headers, body: bytes) -> Message:
    words = line.split(None, 2)
    if words and words[0].startswith("RTSP/"):
        status = decimal(words[1]) if len(words) > 1 else None
        if status is None or not 100 <= status <= 999:
            raise RtspError(f"an answer without a status: {_shown(line.encode())}")
        return Response(status, words[2].strip() if len(words) > 2 else "", headers, body)
    if len(words) != 3:
        raise RtspError(f"what came is not RTSP: {_shown(line.encode())}")
    return Request(words[0], words[1], headers, body)
