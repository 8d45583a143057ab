"""RTSP requests as a camera reads them (RFC 2326), and its answers. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field

_REASONS = {
    200: "OK", 302: "Moved Temporarily", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
    405: "Method Not Allowed", 453: "Not Enough Bandwidth", 454: "Session Not Found", 455: "Method Not Valid in This State",
    461: "Unsupported Transport", 500: "Internal Server Error", 503: "Service Unavailable",
}  # fmt: skip
_MAX_HEADER_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class Request:
    """One request. headers: names in lower case."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Interleaved:
    """A packet that the client sent on an interleaved channel (RFC 2326, 10.12): its receiver reports."""

    channel: int
    data: bytes = field(repr=False)


class RequestReader:
    """Bytes in; requests and interleaved packets out. Raises ValueError on what is neither."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Request | Interleaved]:
        self._buffer += data
        items: list[Request | Interleaved] = []
        while (item := self._next()) is not None:
            items.append(item)
        return items

    def _next(self) -> Request | Interleaved | None:
        buffer = self._buffer
        while buffer[:2] == b"\r\n":
            del buffer[:2]
        if buffer[:1] == b"$":
            end = 4 + int.from_bytes(buffer[2:4], "big")
            if len(buffer) < max(end, 4):
                return None
            packet = Interleaved(buffer[1], bytes(buffer[4:end]))
            del buffer[:end]
            return packet
        head_end = buffer.find(b"\r\n\r\n")
        if head_end < 0:
            if len(buffer) > _MAX_HEADER_BYTES:
                raise ValueError("a request without an end")
            return None
        lines = bytes(buffer[:head_end]).decode("utf-8", "replace").split("\r\n")
        words = lines[0].split(" ")
        if len(words) != 3 or not words[2].startswith("RTSP/"):
            raise ValueError(f"not a request: {lines[0][:80]!r}")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        length = int(headers.get("content-length") or 0)
        if not 0 <= length <= _MAX_HEADER_BYTES:
            raise ValueError(f"a request with a body of {length} bytes")
        end = head_end + 4 + length
        if len(buffer) < end:
            return None
        request = Request(words[0], words[1], headers, bytes(buffer[head_end + 4 : end]))
        del buffer[:end]
        return request


def answer(code: int, cseq: str, headers: list[tuple[str, str]] | None = None, body: bytes = b"") -> bytes:
    """One response, as bytes."""
    lines = [f"RTSP/1.0 {code} {_REASONS.get(code, 'Refused')}", f"CSeq: {cseq}", "Server: Longwatch simulated camera"]
    lines += [f"{name}: {value}" for name, value in headers or []]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def transport_options(header: str) -> list[tuple[str, dict[str, str]]]:
    """The alternatives of a Transport header (RFC 2326, 12.39), in order: profile and parameters."""
    options = []
    for alternative in header.split(","):
        profile, *parameters = [part.strip() for part in alternative.split(";")]
        pairs = (parameter.partition("=") for parameter in parameters)
        options.append((profile.upper(), {name.lower(): value for name, _, value in pairs}))
    return options
