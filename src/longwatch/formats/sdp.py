"""SDP (RFC 4566), read as tolerantly as real cameras need: the media of a DESCRIBE answer.

What a recorder does not need is not looked at, so that a missing origin line, trailing spaces or a timing line that is
no timing (FLIR) cannot stop a recording. A `m=` line that cannot be read (TP-Link: `m=application/TP-LINK RTP/AVP
smart/1/90000`) costs that medium alone. The only error is `SdpError`: too large, or without any medium.
"""

from __future__ import annotations

from dataclasses import dataclass, field

MAX_BODY_BYTES = 128 << 10
_MAX_LINES = 2048
_MAX_MEDIA = 32
_MAX_PAYLOAD_TYPES = 64
_MAX_FMTP_BYTES = 16 << 10

# RFC 3551, tables 4 and 5: payload type to encoding, clock rate, channels.
_STATIC = {
    0: ("PCMU", 8000, 1),
    3: ("GSM", 8000, 1),
    4: ("G723", 8000, 1),
    5: ("DVI4", 8000, 1),
    6: ("DVI4", 16000, 1),
    8: ("PCMA", 8000, 1),
    9: ("G722", 8000, 1),
    10: ("L16", 44100, 2),
    11: ("L16", 44100, 1),
    14: ("MPA", 90000, 1),
    18: ("G729", 8000, 1),
    26: ("JPEG", 90000, 1),
    32: ("MPV", 90000, 1),
    33: ("MP2T", 90000, 1),
}
_DIRECTIONS = frozenset({"sendonly", "recvonly", "sendrecv", "inactive"})


class SdpError(ValueError):
    """The description cannot be used."""


@dataclass(frozen=True, slots=True)
class Media:
    """One `m=` section, as far as a recorder needs it.

    kind: video, audio, application or whatever stood there. encoding: the rtpmap name in upper case (from the static table
    of RFC 3551 where there is no rtpmap), "" where unknown. clock_rate: Hz; channels: 1 unless said. fmtp: keys in
    lower case. control: as written, to be resolved against the base. sendonly etc. in direction.
    """

    kind: str
    payload_type: int
    encoding: str
    clock_rate: int
    channels: int = 1
    fmtp: dict[str, str] = field(default_factory=dict)
    control: str = ""
    direction: str = ""
    payload_types: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Description:
    """A whole session. control: of the session (`*` or "" for the base itself). unread: media that made no sense."""

    media: tuple[Media, ...]
    name: str = ""
    tool: str = ""
    control: str = ""
    unread: tuple[str, ...] = ()


class _Section:
    """One `m=` line and the attributes that follow it, before they are understood."""

    def __init__(self, line: str) -> None:
        self.line = line
        self.attributes: list[tuple[str, str]] = []


def parse(body: bytes) -> Description:
    """Read a description. Raises SdpError where it is too large or names no medium that can be read."""
    if len(body) > MAX_BODY_BYTES:
        raise SdpError(f"the SDP has {len(body)} bytes, beyond the limit of {MAX_BODY_BYTES}")
    lines = body.decode("utf-8", "replace").replace("\r", "\n").split("\n")
    if len(lines) > 2 * _MAX_LINES:
        raise SdpError(f"the SDP has {len(lines)} lines, beyond the limit")
    session, sections, name = _sort(lines)
    media: list[Media] = []
    unread: list[str] = []
    for section in sections:
        read = _media(section)
        if read is None:
            unread.append(section.line[:80])
        else:
            media.append(read)
    if not media:
        raise SdpError("the SDP names no medium that can be read")
    return Description(tuple(media), name, _last(session, "tool"), _last(session, "control"), tuple(unread))


def _sort(lines: list[str]) -> tuple[list[tuple[str, str]], list[_Section], str]:
    session: list[tuple[str, str]] = []
    sections: list[_Section] = []
    name = ""
    for raw in lines:
        line = raw.strip(" \t\0")
        if not line.isprintable():  # names of media reach terminals, logs and the ledger
            line = "".join(c for c in line if c.isprintable() or c == "\t")
        kind, equals, value = line.partition("=")
        kind = kind.strip().lower()
        value = value.strip()
        if not equals:
            continue
        if kind == "m":
            if len(sections) == _MAX_MEDIA:
                raise SdpError(f"the SDP has more than {_MAX_MEDIA} media")
            sections.append(_Section(value))
        elif kind == "a":
            key, _, rest = value.partition(":")
            (sections[-1].attributes if sections else session).append((key.strip().lower(), rest.strip()))
        elif kind == "s" and not sections:
            name = value[:200]
    return session, sections, name


def _last(attributes: list[tuple[str, str]], key: str) -> str:
    return next((value for name, value in reversed(attributes) if name == key), "")


def _media(section: _Section) -> Media | None:
    words = section.line.split()
    if len(words) < 4:
        return None
    types = tuple(t for t in map(_payload_type, words[3 : 3 + _MAX_PAYLOAD_TYPES]) if t is not None)
    if not types:
        return None
    maps = _rtpmaps(section.attributes)
    payload_type, (encoding, clock_rate, channels) = _choose(words[0].lower(), types, maps)
    direction = next((name for name, _ in section.attributes if name in _DIRECTIONS), "")
    return Media(
        kind=words[0].lower(),
        payload_type=payload_type,
        encoding=encoding,
        clock_rate=clock_rate,
        channels=channels,
        fmtp=_fmtp(section.attributes, payload_type),
        control=_last(section.attributes, "control"),
        direction=direction,
        payload_types=types,
    )


def _payload_type(word: str) -> int | None:
    if not (word.isascii() and word.isdigit() and len(word) <= 3):
        return None
    number = int(word)
    return number if number <= 127 else None


def _rtpmaps(attributes: list[tuple[str, str]]) -> dict[int, tuple[str, int, int]]:
    maps = {}
    for name, value in attributes:
        if name != "rtpmap":
            continue
        number, _, rest = value.partition(" ")
        payload_type = _payload_type(number)
        parts = [part.strip() for part in rest.split("/")]
        if payload_type is None or not parts[0]:
            continue
        rate = _positive(parts[1]) if len(parts) > 1 else None
        channels = _positive(parts[2]) if len(parts) > 2 else None
        maps[payload_type] = (parts[0].upper()[:64], rate or 0, min(channels or 1, 255))
    return maps


def _positive(word: str) -> int | None:
    return int(word) if word.isascii() and word.isdigit() and 0 < len(word) <= 9 else None


def _choose(
    kind: str, types: tuple[int, ...], maps: dict[int, tuple[str, int, int]]
) -> tuple[int, tuple[str, int, int]]:
    """The first payload type that means something; where none does, a lone rtpmap under another number (seen: the
    number in the `m=` line and the one of the rtpmap differ).
    """
    for payload_type in types:
        known = maps.get(payload_type) or _STATIC.get(payload_type)
        if known is not None:
            return payload_type, _with_rate(kind, known)
    if len(maps) == 1:
        return types[0], _with_rate(kind, next(iter(maps.values())))
    return types[0], ("", 90000 if kind == "video" else 8000, 1)


def _with_rate(kind: str, known: tuple[str, int, int]) -> tuple[str, int, int]:
    encoding, rate, channels = known
    return encoding, rate or (8000 if kind == "audio" else 90000), channels


def _fmtp(attributes: list[tuple[str, str]], payload_type: int) -> dict[str, str]:
    lines = []
    for name, value in attributes:
        if name == "fmtp" and len(value) <= _MAX_FMTP_BYTES:
            number, _, rest = value.partition(" ")
            lines.append((_payload_type(number), rest))
    mine = [rest for number, rest in lines if number == payload_type]
    if not mine and len(lines) == 1:
        mine = [lines[0][1]]  # a lone fmtp under another number can only mean this one
    parameters: dict[str, str] = {}
    for rest in mine:
        for part in rest.split(";"):
            key, _, value = part.strip().partition("=")
            if key.strip():
                parameters[key.strip().lower()] = value.strip()
    return parameters


def base_url(request_url: str, content_base: str = "", content_location: str = "") -> str:
    """The base of RFC 2326, C.1.1: Content-Base, then Content-Location, then what was asked for.

    A base without a scheme (Anjvision: `Content-Base: 10.0.0.5:554/live/`) gets one; one that starts with `/` is of the
    asked host; a trailing `;` goes; one of another scheme is not believed. Credentials in it are cut out.
    """
    scheme = request_url.partition("://")[0]
    for offered in (content_base, content_location):
        text = offered.strip().rstrip(";").strip()
        if not text or any(c.isspace() or not c.isprintable() for c in text):
            continue
        if text.startswith("//"):
            text = f"{scheme}:{text}"
        elif text.startswith("/"):
            text = _origin(request_url) + text
        elif "://" not in text.partition("?")[0]:
            text = f"{scheme}://{text}"
        if text.partition("://")[0].lower() in {"rtsp", "rtsps"} and text.partition("://")[2]:
            return _without_login(text)
    return _without_login(request_url)


def resolve_control(base: str, control: str) -> str:
    """The URI of a track. An absolute control stands for itself; `*` and nothing are the base; all else is put behind
    the base as it stands, query and all, since that is what cameras mean and what every client does (RFC 3986
    resolution would cut the last part off: Dahua, whose base ends in `?channel=1&subtype=0`).
    """
    text = "".join(c for c in control if c.isprintable() and not c.isspace())
    if text.lower() in {"", "*", "rtsp://", "rtsps://"}:
        return base
    if text.lower().startswith(("rtsp://", "rtsps://")):
        return _without_login(text)
    if base.endswith("/") and text.startswith("/"):
        return base + text[1:]
    if base.endswith("/") or text.startswith(("/", "?")):
        return base + text
    return f"{base}/{text}"


def _origin(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"


def _without_login(url: str) -> str:
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}"
