"""Spans and cursors of a request."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

from fastapi import Query

from longwatch.base.errors import UsageError
from longwatch.base.rfc3339 import format_us, parse_us

_EXAMPLE = "2026-01-31T06:00:00Z"
From = Annotated[str, Query(alias="from", description="RFC 3339", json_schema_extra={"format": "date-time"})]
To = Annotated[str, Query(alias="to", description="RFC 3339", json_schema_extra={"format": "date-time"})]
_LATEST_US = parse_us("9000-01-01T00:00:00Z")


def moment_us(text: str) -> int:
    """One moment, between 1970 and 9000. Raises UsageError."""
    try:
        at_us = parse_us(text)
    except OverflowError as error:
        raise UsageError(f"{text[:80]!r} is not a time", remedy=f"write it as {_EXAMPLE}") from error
    if not 0 <= at_us < _LATEST_US:
        raise UsageError(f"{text[:80]!r} is not a time of this archive", remedy=f"write it as {_EXAMPLE}")
    return at_us


def span_us(from_: str, to: str) -> tuple[int, int]:
    """A half-open span. Raises UsageError (422) for a time that is none, and where from >= to."""
    from_us, to_us = moment_us(from_), moment_us(to)
    if from_us >= to_us:
        raise UsageError("from is not before to", why=f"{from_} .. {to}", remedy="swap them")
    return from_us, to_us


def cursor_of(*parts: int | str) -> str:
    """Where the next page begins: opaque to the client."""
    return base64.urlsafe_b64encode("|".join(map(str, parts)).encode()).rstrip(b"=").decode("ascii")


def read_cursor(text: str) -> list[str]:
    """The parts of a cursor. Raises UsageError for one that was not made here."""
    try:
        return base64.urlsafe_b64decode(text.encode("ascii") + b"==").decode("utf-8").split("|")
    except (ValueError, binascii.Error) as error:
        raise UsageError("the cursor is none of ours", remedy="use `next` of the answer before, unchanged") from error


def written(wall_us: int | None) -> str | None:
    """RFC 3339, or null."""
    return None if wall_us is None else format_us(wall_us)
