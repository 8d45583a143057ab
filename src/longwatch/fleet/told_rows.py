"""What `telling` keeps in memory of rows that it may still change."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Stream:
    """A row of `streams`. gaps: numbers of those that were told since its last seal. open: of those that are open."""

    id: int
    set_up_us: int | None
    until_us: int
    sealed_seq: int
    longest_us: int
    first_us: int | None
    last_us: int | None
    gaps: list[int] = field(default_factory=list)
    open: set[int] = field(default_factory=set)


@dataclass(slots=True)
class Run:
    """A row of `runs`. has_gone: some of it was removed."""

    id: int
    stream: int
    shift_us: int
    provenance: int | None
    has_gone: bool


@dataclass(slots=True)
class Span:
    """A row of `spans`."""

    stream: int
    from_us: int
    run: int
    to_us: int
    provenance: int


@dataclass(slots=True)
class Gap:
    """A row of `gaps`. never_was: the footage came after all, and the row goes."""

    id: int
    stream: int
    from_us: int
    to_us: int | None
    cause: str
    evidence: str
    opened_seq: int
    never_was: bool = False

    @property
    def placed(self) -> bool:
        """A correction of time put it there, long after: it says nothing of how far the post has come."""
        return any(f'"{word}":' in self.evidence for word in ("moved_from", "split_from", "corrected_by"))
