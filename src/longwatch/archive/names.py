"""Names of segment files. Ours, never the user's: made of slugs, numbers and a time, and read back from them.

media/<camera>/<stream>/<YYYY-MM-DD>/<YYYY-MM-DDTHH-MM-SS.mmmZ>_<boot8>-<run>-<sequence>.mp4: the time is for people, the
identity is boot, run and sequence.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

from longwatch.base.errors import LongwatchError
from longwatch.base.ids import is_slug
from longwatch.model.sessions import StreamKey

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_LATEST_US = 253_402_300_799_000_000  # the last second of the year 9999
_NAME = re.compile(r"(\d{4}-\d\d-\d\d)T\d\d-\d\d-\d\d\.\d{3}Z_([0-9a-f]{8})-(\d{1,18})-(\d{1,18})\.mp4", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


@dataclass(frozen=True, slots=True)
class ParsedName:
    """What a file's name says. boot8: the first eight hex digits of the boot id."""

    date: str
    boot8: str
    run: int
    sequence: int


def date_of(wall_us: int) -> str:
    """The folder of a moment: its UTC date. A time outside of 1970..9999 is put at the nearer end."""
    return _moment(wall_us).strftime("%Y-%m-%d")


def _moment(wall_us: int) -> dt.datetime:
    return _EPOCH + dt.timedelta(microseconds=min(max(wall_us, 0), _LATEST_US))


def stream_folder(key: StreamKey) -> str:
    """media/<camera>/<stream>. Raises LongwatchError where a part is not a slug: nothing else becomes a path."""
    for part in key:
        if not is_slug(part):
            raise LongwatchError(f"{part!r} cannot be the name of a folder", why="ids are a-z, 0-9 and -, at most 40")
    return f"media/{key.camera}/{key.stream}"


def segment_path(key: StreamKey, boot: str, run: int, sequence: int, wall_start_us: int) -> str:
    """The file's path within its volume."""
    moment = _moment(wall_start_us)
    time = moment.strftime("%Y-%m-%dT%H-%M-%S") + f".{moment.microsecond // 1000:03d}Z"
    return f"{stream_folder(key)}/{time[:10]}/{time}_{boot[:8]}-{run}-{sequence}.mp4"


def parse_name(name: str) -> ParsedName | None:
    """The reverse, from the last part of a path; None where it is no segment's name."""
    match = _NAME.fullmatch(name)
    return None if match is None else ParsedName(match[1], match[2], int(match[3]), int(match[4]))


def is_date(name: str) -> bool:
    """Whether a folder's name is a date of ours."""
    return _DATE.fullmatch(name) is not None
