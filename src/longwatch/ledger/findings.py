"""What a verification found: one type for data directories and evidence packages.

A `Finding` that blames is something that is not as it was written. One that does not is a word on what cannot be judged here, or on
what is in order and worth knowing (an unsealed end, an erased name, a volume that is elsewhere, a restored index).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field


class Kind(enum.StrEnum):
    """How something is not as it was written; below, what is only said."""

    REMOVED = "removed"  # it was written and is not there, and no entry says that it was removed
    CHANGED = "changed"  # it is there with other content
    REORDERED = "reordered"  # it is there in another's place
    INSERTED = "inserted"  # nothing ever wrote it
    TRUNCATED = "truncated"  # the end of what was signed is missing
    ROLLED_BACK = "rolled_back"  # an earlier checkpoint knows more
    FORKED = "forked"  # an earlier checkpoint knows otherwise
    WRONG_KEY = "wrong_key"  # signed by another key than the one that was asked for

    UNSEALED = "unsealed"  # written after the newest checkpoint: nothing protects it yet
    ERASED = "erased"  # personal text that was erased, its commitment stays
    EXPIRED = "expired"  # removed by retention, an entry says so
    NOT_HERE = "not_here"  # on a volume, or in a part, that was not given
    RESTORED = "restored"  # the index was lost and came back, or another log began

    @property
    def blames(self) -> bool:
        """Whether it makes a verification fail."""
        return self in _BLAMES


_BLAMES = frozenset(list(Kind)[:8])


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing. what: a file, an entry, a row. camera, stream: "" where it concerns none. from_us, to_us: the seconds of that camera
    that it concerns, None where there are none. detail: for people, what was expected and what is there.
    """

    kind: Kind
    what: str
    detail: str
    camera: str = ""
    stream: str = ""
    from_us: int | None = None
    to_us: int | None = None


@dataclass(slots=True)
class Verdict:
    """All of it. findings: those that blame first. key: fingerprint of the key it is consistent with, "" where there is none.
    key_given: the key came from outside, so the origin is shown. origin, size, root: of the newest checkpoint that holds.
    """

    findings: list[Finding] = field(default_factory=list)
    key: str = ""
    key_given: bool = False
    origin: str = ""
    size: int = 0
    root: bytes = b""
    entries: int = 0
    segments: int = 0
    bytes: int = 0

    @property
    def ok(self) -> bool:
        """Nothing is blamed."""
        return not any(finding.kind.blames for finding in self.findings)

    @property
    def blamed(self) -> list[Finding]:
        """What fails."""
        return [finding for finding in self.findings if finding.kind.blames]

    @property
    def said(self) -> list[Finding]:
        """What is only said."""
        return [finding for finding in self.findings if not finding.kind.blames]

    @property
    def summary(self) -> str:
        """One line for people."""
        if not self.ok:
            return f"failed: {len(self.blamed)} finding{'s' if len(self.blamed) > 1 else ''}"
        if self.key_given:
            return f"whole, and signed by the key {self.key}"
        return f"consistent with the key found inside ({self.key}), origin not shown"
