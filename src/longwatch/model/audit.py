"""What the audit asks and what it finds: entries about people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Question:
    """What of the audit is asked for. None: not narrowed. after: (at_us, seq) of the last one had already. newest: from the end on.

    own_subject, private_kinds: where `own_subject` is given, entries of these kinds are shown of this person alone. subject: of this
    person alone.
    """

    from_us: int
    to_us: int
    camera: str | None = None
    cameras: frozenset[str] | None = None
    kinds: Sequence[str] | None = None
    subject: int | None = None
    own_subject: int | None = None
    private_kinds: Sequence[str] = ()
    after: tuple[int, int] | None = None
    limit: int = 100
    newest: bool = False


@dataclass(frozen=True, slots=True)
class Mention:
    """One entry about a person. text: what may be erased, as JSON; None where it was."""

    seq: int
    at_us: int
    subject: int
    kind: str
    body: dict[str, Any]
    text: str | None = field(repr=False)
