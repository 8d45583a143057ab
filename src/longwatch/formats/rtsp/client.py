"""An RTSP 1.0 client (RFC 2326) without I/O: events in, commands out.

The conversation: OPTIONS, DESCRIBE (always before SETUP: Hikvision answers 454 otherwise), one SETUP after the other,
PLAY, then keep-alives at half the session's time-out, never more often than every 5 s, and TEARDOWN. Answers are matched
by CSeq; an answer without one belongs to the oldest open request; one that nobody waits for is passed over. Redirects are
refused: nothing here can name another origin, so credentials cannot go there. Times are CLOCK_BOOTTIME in microseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from longwatch.formats.rtsp.auth import Authenticator, Login, challenges, strongest
from longwatch.formats.rtsp.commands import Command, Described, End, Ended, Playing, Send, TrackReady
from longwatch.formats.rtsp.messages import Headers, Message, Request, Response, decimal, encode
from longwatch.formats.rtsp.transport import Transport, parse_rtp_info, parse_session, parse_transport
from longwatch.formats.sdp import Description, SdpError, base_url, parse, resolve_control

USER_AGENT = "Longwatch"
STALE_SESSION_S = 65.0
"""live555 drops a dead session after 60 s; a little more makes sure."""
_BUSY_S = 10.0
_SHORTEST_KEEP_ALIVE_S = 5.0
_MAX_LOGINS_PER_REQUEST = 3
_MAX_OPEN_REQUESTS = 16


@dataclass(slots=True)
class _Open:
    """A request that was sent and not yet answered. media: of a SETUP, its index in the description."""

    method: str
    uri: str
    headers: list[tuple[str, str]]
    sent_us: int
    logins: int = 0
    media: int = -1
    keep_alive: bool = False
    auth: Authenticator | None = None


@dataclass(frozen=True, slots=True)
class SetUp:
    """One track to set up. media: index into the description's media."""

    media: int
    transport: Transport


@dataclass(slots=True)
class _State:
    cseq: int = 0
    session: str = ""
    timeout_s: int = 60
    public: frozenset[str] = frozenset()
    server: str = ""
    open: dict[int, _Open] = field(default_factory=dict)
    to_set_up: list[SetUp] = field(default_factory=list)
    next_keep_alive_us: int | None = None
    set_up: bool = False
    playing: bool = False
    over: bool = False


class Client:
    """One session with one camera. Every method returns the commands to carry out, in order.

    url: without credentials; it is what stands in the requests. cnonce: fresh and random, for Digest. unfinished: the id
    of a session that an earlier connection to this camera could not tear down; it is torn down when the camera shows
    that it still keeps it.
    """

    def __init__(
        self, url: str, login: Login | None, *, cnonce: str, timeout_us: int = 10_000_000, unfinished: str = ""
    ) -> None:
        self._url = url
        self._login = login
        self._cnonce = cnonce
        self._timeout_us = timeout_us
        self._unfinished = unfinished
        self._s = _State()
        self._auth: Authenticator | None = None
        self._auth_proved = False
        self._base = url
        self._aggregate = url
        self._description: Description | None = None

    @property
    def session(self) -> str:
        """The id of the session to tear down; "" where there is none."""
        return self._s.session

    @property
    def server(self) -> str:
        """The Server header, as told."""
        return self._s.server

    def start(self, now_us: int) -> list[Command]:
        """The connection stands."""
        return [self._request("OPTIONS", self._url, now_us)]

    def received(self, message: Message, now_us: int) -> list[Command]:
        """A whole message came in."""
        if self._s.over:
            return []
        if isinstance(message, Request):
            return self._asked(message)
        return self._answered(message, now_us)

    def set_up(self, tracks: Sequence[SetUp], now_us: int) -> list[Command]:
        """The answer to `Described`: set these tracks up and play. Never empty."""
        self._s.to_set_up = list(tracks)
        return [self._next_set_up(now_us)]

    def stray_packets(self, now_us: int) -> list[Command]:
        """Packets came on channels that nobody set up, before our own SETUP: a session that an earlier connection left
        behind (live555 keeps writing to a reused descriptor). They would be taken for ours, so: tear it down where its
        id is known, and leave.
        """
        if self._s.set_up or self._s.over:
            return []
        commands: list[Command] = []
        wait_s = STALE_SESSION_S
        if self._unfinished:
            commands.append(self._request("TEARDOWN", self._url, now_us, [("Session", self._unfinished)]))
            self._unfinished = ""
            wait_s = 2.0
        ended = self._end(
            End.STALE_SESSION, "the camera still sends the packets of an older session", retry_after_s=wait_s
        )
        return [*commands, *ended]

    def tick(self, now_us: int) -> list[Command]:
        """Time has passed: keep-alives fall due, and answers are given up on."""
        s = self._s
        if s.over:
            return []
        for cseq, request in list(s.open.items()):
            if now_us - request.sent_us < self._timeout_us:
                continue
            if not request.keep_alive:
                seconds = self._timeout_us / 1e6
                return self._end(End.TIMED_OUT, f"the camera did not answer {request.method} within {seconds:.0f} s")
            del s.open[cseq]  # some cameras never answer a keep-alive; their packets speak for them
        if s.next_keep_alive_us is not None and now_us >= s.next_keep_alive_us:
            s.next_keep_alive_us = now_us + self._keep_alive_us()
            return [self._keep_alive(now_us)]
        return []

    def close(self, now_us: int) -> list[Command]:
        """We end it: TEARDOWN, where there is a session."""
        if self._s.over or not self._s.session:
            self._s.over = True
            return []
        command = self._request("TEARDOWN", self._aggregate, now_us)
        self._s.over = True
        return [command]

    # What we send

    def _request(
        self,
        method: str,
        uri: str,
        now_us: int,
        headers: Sequence[tuple[str, str]] = (),
        *,
        media: int = -1,
        keep_alive: bool = False,
    ) -> Send:
        return self._send(_Open(method, uri, list(headers), now_us, media=media, keep_alive=keep_alive))

    def _send(self, request: _Open) -> Send:
        s = self._s
        s.cseq += 1
        lines = [("CSeq", str(s.cseq)), ("User-Agent", USER_AGENT)]
        request.auth = self._auth
        if self._auth is not None:
            lines.append(("Authorization", self._auth.header(request.method, request.uri)))
        if s.session and not any(name == "Session" for name, _ in request.headers):
            lines.append(("Session", s.session))
        s.open[s.cseq] = request
        while len(s.open) > _MAX_OPEN_REQUESTS:
            del s.open[min(s.open)]
        return Send(encode(Request(request.method, request.uri, Headers([*lines, *request.headers]))))

    def _next_set_up(self, now_us: int) -> Send:
        track = self._s.to_set_up.pop(0)
        assert self._description is not None
        uri = resolve_control(self._base, self._description.media[track.media].control)
        return self._request("SETUP", uri, now_us, [("Transport", track.transport.request())], media=track.media)

    def _play(self, now_us: int, *, ranged: bool = True) -> Send:
        headers = [("Range", "npt=0.000-")] if ranged else []
        return self._request("PLAY", self._aggregate, now_us, headers)

    def _keep_alive(self, now_us: int) -> Send:
        method = next((m for m in ("GET_PARAMETER", "SET_PARAMETER") if m in self._s.public), "OPTIONS")
        return self._request(method, self._aggregate, now_us, keep_alive=True)

    def _keep_alive_us(self) -> int:
        return int(max(self._s.timeout_s / 2, _SHORTEST_KEEP_ALIVE_S) * 1e6)

    # What comes back

    def _asked(self, request: Request) -> list[Command]:
        cseq = request.headers.get("CSeq")
        known = request.method in {"OPTIONS", "GET_PARAMETER", "SET_PARAMETER", "ANNOUNCE"}
        if request.method in {"REDIRECT", "TEARDOWN"}:
            does = "sends us elsewhere, where we do not go" if request.method == "REDIRECT" else "tore the session down"
            return self._end(End.REFUSED if request.method == "REDIRECT" else End.ENDED_BY_CAMERA, f"the camera {does}")
        status, reason = (200, "OK") if known else (501, "Not Implemented")
        return [Send(encode(Response(status, reason, Headers([("CSeq", cseq)] if cseq else []))))]

    def _answered(self, response: Response, now_us: int) -> list[Command]:
        s = self._s
        if response.status < 200:
            return []
        cseq = response.cseq
        if cseq is None and s.open:
            cseq = min(s.open)
        request = s.open.pop(cseq, None) if cseq is not None else None
        if request is None:
            return []
        s.server = _shown(response.headers.get("Server"), 100) or s.server
        if response.status == 401:
            return self._unauthorized(request, response, now_us)
        if request.auth is not None and response.status < 400:
            self._auth_proved = True
        if request.keep_alive:
            return self._kept_alive(request, response)
        if request.method == "OPTIONS":
            return self._options(response, now_us)
        if 300 <= response.status < 400:
            return self._end(End.REFUSED, "the camera redirects elsewhere, and redirects are not followed", response)
        if response.status >= 400:
            return self._refused(request, response, now_us)
        if request.method == "DESCRIBE":
            return self._described(response)
        if request.method == "SETUP":
            return self._was_set_up(request, response, now_us)
        if request.method == "PLAY":
            return self._plays(response, now_us)
        return []

    def _options(self, response: Response, now_us: int) -> list[Command]:
        """Whatever the answer: a camera that refuses OPTIONS may still play."""
        words = ",".join(response.headers.all("Public")).replace(";", ",").split(",")
        self._s.public = frozenset(word.strip().upper() for word in words if word.strip())
        if 300 <= response.status < 400:
            return self._end(End.REFUSED, "the camera redirects elsewhere, and redirects are not followed", response)
        return [self._request("DESCRIBE", self._url, now_us, [("Accept", "application/sdp")])]

    def _described(self, response: Response) -> list[Command]:
        """Whatever the Content-Type says, or whether there is one: the body decides."""
        try:
            description = parse(response.body)
        except SdpError as error:
            return self._end(End.PROTOCOL_ERROR, str(error), response)
        self._description = description
        h = response.headers
        self._base = base_url(self._url, h.get("Content-Base"), h.get("Content-Location"))
        self._aggregate = resolve_control(self._base, description.control)
        return [Described(description, self._s.server)]

    def _was_set_up(self, request: _Open, response: Response, now_us: int) -> list[Command]:
        session, timeout_s = parse_session(response.headers.get("Session"))
        if session:  # the latest one counts: some cameras make a new one with each SETUP
            self._s.session, self._s.timeout_s = session, timeout_s
        if not self._s.session:
            return self._end(End.PROTOCOL_ERROR, "the camera named no session in its answer to SETUP", response)
        self._s.set_up = True
        ready = TrackReady(request.media, parse_transport(response.headers.get("Transport")))
        return [ready, self._next_set_up(now_us) if self._s.to_set_up else self._play(now_us)]

    def _plays(self, response: Response, now_us: int) -> list[Command]:
        s = self._s
        session, timeout_s = parse_session(response.headers.get("Session"))
        if session and "timeout" in response.headers.get("Session").lower():
            s.timeout_s = timeout_s
        s.playing = True
        every_us = self._keep_alive_us()
        s.next_keep_alive_us = now_us + every_us
        return [Playing(s.session, every_us / 1e6, tuple(parse_rtp_info(response.headers.get("RTP-Info"))))]

    def _kept_alive(self, request: _Open, response: Response) -> list[Command]:
        if response.status == 454:
            return self._end(End.ENDED_BY_CAMERA, "the camera no longer knows our session", response)
        if response.status in {404, 405, 451, 501, 551}:
            self._s.public -= {request.method}  # it said Public and does not do it
        return []

    def _unauthorized(self, request: _Open, response: Response, now_us: int) -> list[Command]:
        if self._login is None:
            return self._end(End.LOGIN_REFUSED, "the camera asks for a login, and none is set", response)
        offer = strongest(challenges(response.headers.all("WWW-Authenticate")))
        if offer is None:
            return self._end(End.LOGIN_REFUSED, "the camera asks for a login in a way we do not know", response)
        used = request.auth
        if self._auth is not None and self._auth.challenge.scheme == "digest" and offer.scheme == "basic":
            # Whoever answers in the middle of a session would get the password in the clear.
            if request.keep_alive:
                return []
            return self._end(End.LOGIN_REFUSED, "the camera asked for Digest first, and now for Basic", response)
        aged = used is not None and offer.nonce != used.challenge.nonce and (offer.stale or self._auth_proved)
        if (used is not None and not aged) or request.logins >= _MAX_LOGINS_PER_REQUEST:
            if request.keep_alive:
                return []
            return self._end(End.LOGIN_REFUSED, "the camera refuses this user and password", response)
        self._auth = Authenticator(offer, self._login, self._cnonce)
        request.logins += 1
        request.sent_us = now_us
        return [self._send(request)]

    def _refused(self, request: _Open, response: Response, now_us: int) -> list[Command]:
        status = response.status
        if request.method == "PLAY" and status == 457 and any(name == "Range" for name, _ in request.headers):
            return [self._play(now_us, ranged=False)]
        if status == 403:
            return self._end(End.LOGIN_REFUSED, f"the camera forbids {request.method} to this user", response)
        said = f"the camera answered {request.method} with {status} {_MEANING.get(status) or _shown(response.reason, 60)}".rstrip()
        if status == 461:
            said += "; try the other transport"
        if status not in {453, 454, 503}:
            return self._end(End.REFUSED, said, response)
        commands: list[Command] = []
        if self._unfinished:
            commands.append(self._request("TEARDOWN", self._url, now_us, [("Session", self._unfinished)]))
            self._unfinished = ""
        wait_s = decimal(response.headers.get("Retry-After"))
        return [*commands, *self._end(End.REFUSED, said, response, min(wait_s, 120) if wait_s else _BUSY_S)]

    def _end(
        self, end: End, detail: str, response: Response | None = None, retry_after_s: float | None = None
    ) -> list[Command]:
        self._s.over = True
        return [Ended(end, detail, response.status if response else None, retry_after_s)]


_MEANING = {
    404: "(it has no such stream; look at the path of the URL)",
    453: "(not enough bandwidth: too many viewers)",
    454: "(session not found)",
    461: "(unsupported transport)",
    503: "(too busy)",
}


def _shown(text: str, length: int) -> str:
    """What a camera says of itself ends up on terminals and pages: printable, and short."""
    return "".join(c for c in text[:length] if c.isprintable())
