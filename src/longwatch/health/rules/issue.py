"""What a rule finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Issue:
    """rule: its name. subject: a camera's stream, a volume, or "". why and remedy are for people. blocks: it keeps the post from
    recording as planned; what does not is a remark: to be seen to, but no reason to call the post out of order.
    """

    rule: str
    subject: str
    what: str
    why: str = ""
    remedy: str = ""
    camera: str | None = None
    blocks: bool = True
