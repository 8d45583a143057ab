"""What a rule finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Issue:
    """rule: its name. subject: a camera's stream, a volume, or "". why and remedy are for people."""

    rule: str
    subject: str
    what: str
    why: str = ""
    remedy: str = ""
    camera: str | None = None
