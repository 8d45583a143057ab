"""RFC 3339 in UTC with `Z` and up to microseconds, to and from microseconds since 1970."""

from __future__ import annotations

import datetime as dt
import re

from longwatch.base.errors import UsageError

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_FORM = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")
_US = dt.timedelta(microseconds=1)


def format_us(wall_us: int) -> str:
    """Write microseconds since 1970 as RFC 3339; a fraction only where there is one."""
    moment = _EPOCH + dt.timedelta(microseconds=wall_us)
    text = moment.strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
    return f"{text}.{moment.microsecond:06d}Z" if moment.microsecond else f"{text}Z"


def parse_us(text: str) -> int:
    """Read RFC 3339 into microseconds since 1970. Digits beyond microseconds are cut.

    Raises UsageError, which says what would have been right.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise UsageError(f"{text!r} is not a time", remedy="write it as 2026-01-31T06:00:00Z (RFC 3339)")
    whole = text
    if match[1] and len(match[1]) > 7:
        whole = text.replace(match[1], match[1][:7])
    try:
        moment = dt.datetime.fromisoformat(whole.upper())
    except ValueError as error:
        raise UsageError(f"{text!r} is not a time: {error}", remedy="write it as 2026-01-31T06:00:00Z") from error
    return (moment - _EPOCH) // _US
