"""The Transport, Session and RTP-Info headers (RFC 2326, 12.39, 12.37, 12.33), as cameras write them."""

from __future__ import annotations

from dataclasses import dataclass

from longwatch.formats.rtsp.messages import decimal

DEFAULT_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Transport:
    """Where a track's packets go. channels: of RTP and RTCP on the connection, None for UDP. client_ports,
    server_ports: (RTP, RTCP); None where unsaid. ssrc: None where unsaid or unreadable: nobody may rely on it.
    """

    channels: tuple[int, int] | None = None
    client_ports: tuple[int, int] | None = None
    server_ports: tuple[int, int] | None = None
    ssrc: int | None = None

    def request(self) -> str:
        """The header of a SETUP request."""
        if self.channels is not None:
            return f"RTP/AVP/TCP;unicast;interleaved={self.channels[0]}-{self.channels[1]}"
        assert self.client_ports is not None
        return f"RTP/AVP;unicast;client_port={self.client_ports[0]}-{self.client_ports[1]}"


def parse_transport(value: str) -> Transport:
    """The header of an answer. Parts that make no sense are left out (Tapo: `ssrc= 5f2d`, with a blank)."""
    parameters = _parameters(value.split(",", maxsplit=1)[0])
    return Transport(
        channels=_pair(parameters.get("interleaved", ""), 255),
        client_ports=_pair(parameters.get("client_port", ""), 65535),
        server_ports=_pair(parameters.get("server_port", ""), 65535),
        ssrc=_hex32(parameters.get("ssrc", "")),
    )


def _parameters(value: str) -> dict[str, str]:
    found = {}
    for part in value.split(";"):
        key, _, text = part.partition("=")
        if key.strip():
            found[key.strip().lower()] = text.strip().strip('"')
    return found


def _pair(text: str, highest: int) -> tuple[int, int] | None:
    low, dash, high = text.partition("-")
    first = decimal(low)
    second = decimal(high) if dash else None
    if first is None or first > highest:
        return None
    if second is None or second > highest:
        second = min(first + 1, highest)
    return first, second


def _hex32(text: str) -> int | None:
    digits = text.strip().removeprefix("0x")
    if not 0 < len(digits) <= 8 or any(c not in "0123456789abcdefABCDEF" for c in digits):
        return None
    return int(digits, 16)


def parse_session(value: str) -> tuple[str, int]:
    """The session's id, and its time-out in seconds (60 where unsaid or senseless)."""
    identity, _, rest = value.partition(";")
    timeout = decimal(_parameters(rest).get("timeout", ""))
    return identity.strip()[:256], min(timeout, 86400) if timeout else DEFAULT_TIMEOUT_S


@dataclass(frozen=True, slots=True)
class TrackStart:
    """What RTP-Info says of one track. sequence, rtp_time: None where unsaid. A sequence of 0 or 1 means nothing
    (Hikvision and Tapo write it whatever they send), so it is left out.
    """

    url: str
    sequence: int | None
    rtp_time: int | None


def parse_rtp_info(value: str) -> list[TrackStart]:
    """The tracks of an RTP-Info header; a trailing `;` or `,` is no error."""
    starts = []
    for part in value.split(",")[:32]:
        parameters = _parameters(part)
        sequence = decimal(parameters.get("seq", ""))
        rtp_time = _number32(parameters.get("rtptime", ""))
        if sequence is not None and (sequence in {0, 1} or sequence > 0xFFFF):
            sequence = None
        if "url" in parameters:
            starts.append(TrackStart(parameters["url"], sequence, rtp_time))
    return starts


def _number32(text: str) -> int | None:
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        return None
    number = int(text)
    return number if number <= 0xFFFFFFFF else None
