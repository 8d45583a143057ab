"""What the page promises in seconds, measured so that it is the page that is judged and not what else the machine does.

A bound is held against the best of a few looks, by clocks that the page itself reads, and is stretched as far as a fixed piece of
work is stretched at that moment by whoever else wants the processor. On a quiet machine that is next to nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from playwright.sync_api import Page

LOOKS = 3
QUIET_MS = 24.0
"""What the work below takes on a quiet machine of today: on one that is slow as a whole, its shortest is slow too."""

# The same piece of work, forty times, the first ten to warm up; [the shortest, the mean], in milliseconds.
_WORK = """() => {
  const took = []
  let kept = 0
  for (let n = 0; n < 40; n++) {
    const began = performance.now()
    for (let i = 0; i < 4e6; i++) kept = (kept * 31 + i) | 0
    if (n >= 10) took.push(performance.now() - began)
  }
  window.kept = kept
  return [Math.min(...took), took.reduce((sum, each) => sum + each) / took.length]
}"""
# Notes when the first of what a selector names is there, and how late the page's own clock ticked meanwhile.
_NOTE = """(selector) => {
  const noted = { at: 0, late: 0 }
  window.noted = noted
  let before = performance.now()
  const tick = setInterval(() => {
    const now = performance.now()
    noted.late = Math.max(noted.late, now - before - 25)
    before = now
    if (!document.querySelector(selector)) return
    noted.at = Date.now()
    clearInterval(tick)
  }, 25)
}"""


def stretch(page: Page) -> float:
    """How many times longer than alone, or than on a quiet machine, the same work takes now: 1 where nobody else wants the processor."""
    least, mean = page.evaluate(_WORK)
    return max(1.0, mean / min(max(least, 0.1), QUIET_MS))


def seconds_until(page: Page, selector: str, act: Callable[[], None]) -> float:
    """From the end of an act to the moment when the page has what the selector names, by the page's clock, which is this machine's.
    How late the page's clock ticked is taken off: that much it was not let run at all.
    """
    page.evaluate(_NOTE, selector)
    act()
    done = time.time()
    page.wait_for_function("() => window.noted.at > 0")
    noted = page.evaluate("() => window.noted")
    return max(0.0, noted["at"] / 1000 - done - noted["late"] / 1000)


def holds(what: str, page: Page, look: Callable[[], float], most: float) -> None:
    """That the best of some looks is within the bound; what was seen is printed, and said where it fails."""
    seen: list[str] = []
    for _ in range(LOOKS):
        before = stretch(page)
        took = look()
        factor = max(before, stretch(page))
        seen.append(f"{took:.2f} (work stretched {factor:.1f} times)")
        if took < most * factor:
            print(f"{what}: {', '.join(seen)}; at most {most:g}")
            return
    raise AssertionError(f"{what}: {', '.join(seen)}; at most {most:g}")
