"""The words of the settings: sizes, durations, days, addresses. Each reader raises `Wrong`, which says what is right."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from longwatch.base.ids import is_slug
from longwatch.config.problems import Wrong
from longwatch.model import areas

_SIZE_UNITS = {
    "": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "TIB": 1 << 40,
}  # fmt: skip
_DURATION_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SIZE_PATTERN = r"^(\d+(\.\d+)?\s*([KMGT]i?B|B)|0)$"
DURATION_PATTERN = r"^\d+(\.\d+)?\s*[smhdw]$"


def size_bytes(value: object) -> int:
    """`500GB`, `1.5TiB`. A bare number but 0 is refused: `max_size: 500` was meant as GB, and as bytes it removes everything."""
    match = re.fullmatch(r"(\d{1,15}(?:\.\d{1,6})?)\s*([A-Za-z]*)", str(value).strip())
    factor = _SIZE_UNITS.get(match[2].upper()) if match else None
    if match is None or factor is None or isinstance(value, bool):
        raise Wrong(f"{value!r} is not a size", "write it as 500GB, 750MB or 2TiB")
    if not match[2] and float(match[1]) > 0:
        raise Wrong(f"{value!r} has no unit", f"write it as {match[1]}GB, or {match[1]}MB")
    return round(float(match[1]) * factor)


def duration_s(value: object) -> int:
    """`14d`, `36h`, `2w`, `90s`."""
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,6})?)\s*([smhdw])", str(value).strip())
    if match is None:
        raise Wrong(f"{value!r} is not a duration", "write it as 14d, 36h, 2w or 90m")
    return round(float(match[1]) * _DURATION_UNITS[match[2]])


@dataclass(frozen=True, slots=True)
class KeepFree:
    """What is to stay free on each volume: a fraction of it, or bytes."""

    fraction: float | None = 0.05
    size_bytes: int | None = None


def keep_free(value: object) -> KeepFree:
    """`5%`, or a size."""
    if isinstance(value, KeepFree):
        return value
    match = re.fullmatch(r"(\d{1,3}(?:\.\d{1,3})?)\s*%", str(value).strip())
    if match is None:
        return KeepFree(None, size_bytes(value))
    percent = float(match[1])
    if percent > 90:
        raise Wrong(f"{value} leaves nothing to record on", "write a share up to 90%, as 5%, or a size, as 20GB")
    return KeepFree(percent / 100)


def share(value: object) -> float:
    """A share, as `20%`, from 1 % to 100 %."""
    if isinstance(value, float):
        return value
    match = re.fullmatch(r"(\d{1,3}(?:\.\d{1,3})?)\s*%", str(value).strip())
    if match is None or not 1 <= float(match[1]) <= 100:
        raise Wrong(f"{value!r} is not a share", "write it as 20%, from 1% to 100%")
    return float(match[1]) / 100


def slug(value: str) -> str:
    """An id."""
    if not is_slug(value):
        raise Wrong(f"{value!r} cannot be an id", "use a-z, 0-9 and -, at most 40, not - at the ends")
    return value


def timezone(value: str) -> str:
    """An IANA name that this machine knows."""
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Wrong(f"{value!r} is not a time zone", "write it as Europe/Oslo or UTC") from None
    return value


_NO_LABEL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Controls, other ends of lines, what turns the direction of all that follows, and halves of characters, which no answer or message could carry."""


def label(value: str) -> str:
    """A name for people."""
    if not value.strip() or len(value) > 100 or _NO_LABEL.search(value):
        raise Wrong("a name is text of 1 to 100 characters in one line")
    return value.strip()


def days(value: object) -> tuple[int, ...]:
    """`mon-fri`, `sat`, `mon,wed`, `daily`, or a list of these; 0 is Monday."""
    parts = value if isinstance(value, list) else str(value).split(",")
    found: set[int] = set()
    for part in parts:
        first, dash, last = str(part).strip().lower().partition("-")
        if first == "daily" and not dash:
            found.update(range(7))
            continue
        if first not in DAYS or (dash and last not in DAYS):
            raise Wrong(f"{part!r} is not a day", "write mon-fri, sat, [mon, wed] or daily")
        start, end = DAYS.index(first), DAYS.index(last or first)
        found.update(day % 7 for day in range(start, end + 1 + (7 if end < start else 0)))
    return tuple(sorted(found))


def minute(value: object) -> int:
    """`06:00`, up to `24:00`; minutes of the local day."""
    match = re.fullmatch(r"(\d{1,2}):(\d\d)", str(value))
    total = int(match[1]) * 60 + int(match[2]) if match and int(match[2]) < 60 else -1
    if not 0 <= total <= 1440 or isinstance(value, int | float):
        raise Wrong(f"{value!r} is not a time of day", "write it as '06:00', in quotes")
    return total


def polygon(value: object) -> tuple[areas.Point, ...]:
    """`[[0.1, 0.1], [0.4, 0.1], [0.4, 0.5]]`: points in parts of the picture's width and height."""
    remedy = "write it as [[0.1, 0.1], [0.4, 0.1], [0.4, 0.5]]"
    if not isinstance(value, list | tuple):
        raise Wrong("a polygon is a list of points", remedy)
    points = []
    for point in value:
        pair = list(point) if isinstance(point, list | tuple) else []
        if len(pair) != 2 or any(isinstance(v, bool) or not isinstance(v, int | float) for v in pair):
            raise Wrong("a point is two numbers, [x, y]", remedy)
        points.append((round(float(pair[0]), areas.DECIMALS), round(float(pair[1]), areas.DECIMALS)))
    wrong = areas.wrong_with(points)
    if wrong:
        raise Wrong(wrong, remedy)
    return tuple(points)


@dataclass(frozen=True, slots=True)
class Listen:
    """Where a server listens."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def listen(value: object) -> Listen:
    """`HOST:PORT`, `[::1]:PORT`."""
    if isinstance(value, Listen):
        return value
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([\w.-]+)):(\d{1,5})", str(value).strip())
    if match is None or int(match[3]) > 65535:
        raise Wrong(f"{value!r} is not an address to listen on", "write it as 127.0.0.1:8460 or [::1]:8460")
    return Listen(match[1] or match[2], int(match[3]))


def network(value: object) -> str:
    """A CIDR."""
    try:
        return str(ipaddress.ip_network(str(value), strict=False))
    except ValueError:
        raise Wrong(f"{value!r} is not a network", "write it as 10.0.0.0/8 or 192.0.2.7/32") from None
