"""Where a camera is, and who we are to it. URLs are data: `rtsp` and `rtsps` only."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

from longwatch.base import secrets
from longwatch.base.errors import UsageError

_MAX_BYTES = 4096
_HOST = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%a-z]+\]|[A-Za-z0-9._~-]+)(?::(?P<port>\d{1,5}))?")
_SECRET_PARAMETER = re.compile(r"((?:^|[?&/;_])(?:password|passwd|pwd|pass|psw|token)=)([^&;#/]*)", re.IGNORECASE)
_PORTS = {"rtsp": 554, "rtsps": 322}
_EXAMPLE = "write it as rtsp://user:password@10.0.0.5:554/stream1"


@dataclass(frozen=True, slots=True)
class CameraUrl:
    """A parsed camera URL. path: with its query, as it stands in requests. Password, and password-like parameters of
    the path, are registered with `base.secrets` and never show in `str` or `repr`.
    """

    scheme: str
    host: str
    port: int
    path: str = field(repr=False)
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        secrets.register_login(self.user, self.password)
        for match in _SECRET_PARAMETER.finditer(self.path):
            secrets.register(match[2])

    @classmethod
    def parse(cls, text: str) -> CameraUrl:
        """Read a URL. A user or password may hold any character; `@`, `/`, `?`, `#` and `%` are safest percent-encoded, and
        are understood as they stand wherever only one reading is a host. Raises UsageError, which shows no secret.
        """
        scheme, mark, rest = text.strip().partition("://")
        scheme = scheme.lower()
        if not mark or scheme not in _PORTS:
            named = (
                f"{scheme}: is no scheme of cameras" if mark and scheme.isalnum() else "the camera URL has no scheme"
            )
            raise UsageError(named, why="only rtsp and rtsps are taken", remedy=_EXAMPLE)
        if len(text) > _MAX_BYTES:
            raise UsageError(f"the camera URL has more than {_MAX_BYTES} characters", remedy=_EXAMPLE)
        login, host, port, path = _split(rest)
        if any(c.isspace() or not c.isprintable() for c in path):
            raise UsageError(
                "the path of the camera URL holds a blank or control character", remedy="write a blank as %20"
            )
        user, colon, password = login.partition(":")
        return cls(scheme, host, port or _PORTS[scheme], path, unquote(user), unquote(password) if colon else "")

    @property
    def origin(self) -> str:
        """Scheme, host and port: what may show anywhere."""
        return f"{self.scheme}://{self.host if ':' not in self.host else f'[{self.host}]'}:{self.port}"

    @property
    def request_url(self) -> str:
        """What stands in requests: without user and password."""
        return self.origin + self.path

    def __str__(self) -> str:
        login = (
            f"{quote(self.user, safe='')}:***@"
            if self.password
            else f"{quote(self.user, safe='')}@"
            if self.user
            else ""
        )
        path = _SECRET_PARAMETER.sub(r"\1***", self.path)
        return secrets.scrub(f"{self.scheme}://{login}{self.origin.partition('://')[2]}{path}")


def _split(rest: str) -> tuple[str, str, int, str]:
    """Login, host, port, path. The standard reading comes first; where that leaves no host, the login ends at the first
    `@` behind which a host stands (a password with `/`, `?` or `@` in it, unencoded).
    """
    end = next((i for i, c in enumerate(rest) if c in "/?#"), len(rest))
    standard = rest.rfind("@", 0, end)
    found = _host_at(rest, standard + 1)
    if found is not None:
        return rest[: max(standard, 0)], *found
    for i, c in enumerate(rest):
        if c == "@" and i > standard and (found := _host_at(rest, i + 1)) is not None:
            return rest[:i], *found
    raise UsageError("the camera URL names no host, or a port that is none", remedy=_EXAMPLE)


def _host_at(rest: str, start: int) -> tuple[str, int, str] | None:
    match = _HOST.match(rest, start)
    if match is None or (match.end() < len(rest) and rest[match.end()] not in "/?#"):
        return None
    port = int(match["port"]) if match["port"] else 0
    if port > 65535 or (match["port"] and port == 0):
        return None
    return unquote(match["host"].strip("[]")).lower(), port, rest[match.end() :].partition("#")[0]
