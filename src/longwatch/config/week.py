"""Parts of the week, as schedules and windows are written."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

from longwatch.config import values
from longwatch.config.section import Section

Days = Annotated[
    tuple[int, ...],
    BeforeValidator(values.days),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
Minute = Annotated[
    int, BeforeValidator(values.minute), WithJsonSchema({"type": "string", "pattern": r"^\d{1,2}:\d\d$"})
]


class Window(Section):
    """A part of the week, in local time. Where `to` is not after `from`, it ends on the next day."""

    days: Days = Field(default=tuple(range(7)), description="`mon-fri`, `sat`, `[mon, wed]` or `daily` (the default).")
    from_: Minute = Field(alias="from", description="'HH:MM', in quotes.")
    to: Minute = Field(description="'HH:MM', up to '24:00'.")
