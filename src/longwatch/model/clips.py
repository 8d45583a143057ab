"""The short clip of an event: which stretch of the footage shows it. No copy is kept: it is footage, and goes when that goes. Pure."""

from __future__ import annotations

from longwatch.model.events import Event

AROUND_US = 5_000_000
"""Shown before its begin and after its end."""
LONGEST_US = 30_000_000


def clip_of(event: Event) -> tuple[int, int]:
    """From five seconds before it to five after, at most half a minute: of what lasts longer its begin, or, where it is seen best later, the half
    minute around that. Of what goes on: up to when it was last seen, as far as that is known. The end may lie ahead: no more is played than there is.
    """
    from_us = event.from_us - AROUND_US
    end_us = max(event.last_us, event.from_us) if event.to_us is None else event.to_us
    to_us = end_us + AROUND_US
    if to_us - from_us <= LONGEST_US:
        return from_us, to_us
    if event.best_us > from_us + LONGEST_US - AROUND_US:
        from_us = min(event.best_us - LONGEST_US // 2, to_us - LONGEST_US)
    return from_us, from_us + LONGEST_US
