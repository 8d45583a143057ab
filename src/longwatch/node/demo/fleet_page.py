"""How long it takes from a head's leaving a post to the page: asked of the hub's own HTTP API, as a page asks. docs/design/scale.md.

Of all heads some are followed, taken by chance: the list of posts until it counts them, or the timeline of a camera until it reaches its last seal.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Sequence

import httpx

from longwatch.base.rfc3339 import format_us, parse_us
from longwatch.base.tasks import Tasks
from longwatch.node.demo.fleet_posts import SimulatedPost

EVERY_S = 0.1
GIVEN_UP_S = 60.0
_MOST_TOGETHER = 12


class PageWatch:
    """base: http://HOST:PORT of the hub. token: of somebody who may see all cameras. seen_s: what was measured; missed: what was never shown. cut: how often a link
    was cut before. looking: as long as it is, heads are followed.
    """

    def __init__(self, base: str, token: str, *, a_second: float = 4.0, seed: int = 1) -> None:
        self.seen_s: dict[str, list[float]] = {"posts": [], "timeline": []}
        self.missed: list[str] = []
        self.failed = self.cut = 0
        self.looking = True
        self._client = httpx.AsyncClient(
            base_url=base, headers={"Authorization": f"Bearer {token}"}, timeout=GIVEN_UP_S, verify=False  # noqa: S501 - its own hub, self-signed, on this machine
        )  # fmt: skip
        self._every_s = 1 / a_second
        self._draw = random.Random(seed)  # noqa: S311 - a sample
        self._turn = itertools.cycle(self.seen_s)
        self._next_s = 0.0
        self._following = 0
        self._tasks = Tasks("page")

    def on_head(self, post: SimulatedPost, size: int) -> None:
        """A head left a post."""
        now_s = time.monotonic()
        if not self.looking or now_s < self._next_s or self._following >= _MOST_TOGETHER:
            return
        self._next_s = now_s + self._every_s * (0.5 + self._draw.random())
        what = next(self._turn)
        if what == "timeline" and post.sealed is not None:
            camera, at_us = post.sealed
            self._tasks.start("follow", self._follow(post, what, _Reaches(f"{post.id}.{camera}", at_us), now_s))
        elif what == "posts":
            self._tasks.start("follow", self._follow(post, what, _Counts(post.id, size), now_s))

    async def _follow(self, post: SimulatedPost, what: str, wanted: _Counts | _Reaches, began_s: float) -> None:
        self._following += 1
        connection = post.dialled
        try:
            while time.monotonic() - began_s < GIVEN_UP_S:
                if post.dialled != connection or not post.connected:
                    self.cut += 1  # what was on its way never arrived, and goes again
                    return
                try:
                    answer = await self._client.get(wanted.path, params=wanted.params)
                    if answer.status_code == 200 and wanted.is_shown(answer):
                        self.seen_s[what].append(time.monotonic() - began_s)
                        return
                except httpx.HTTPError:
                    self.failed += 1
                await asyncio.sleep(EVERY_S)
            self.missed.append(wanted.path)
        finally:
            self._following -= 1

    async def aclose(self) -> None:
        """Ask no more."""
        await self._tasks.aclose()
        await self._client.aclose()


class _Counts:
    """The list of posts says that so many entries of one are verified."""

    def __init__(self, post: str, size: int) -> None:
        self.path = f"/api/v1/posts/{post}"
        self.params: dict[str, str] = {}
        self._size = size

    def is_shown(self, answer: httpx.Response) -> bool:
        head = answer.json().get("checkpoint") or {}
        return int(head.get("size") or 0) >= self._size


class _Reaches:
    """The timeline of a camera is accounted for up to then."""

    def __init__(self, camera: str, at_us: int) -> None:
        self.path = f"/api/v1/cameras/{camera}/timeline"
        self.params = {"from": format_us(at_us - 60_000_000), "to": format_us(at_us)}
        self._at_us = at_us

    def is_shown(self, answer: httpx.Response) -> bool:
        until = answer.json().get("accounted_until")
        return until is not None and parse_us(until) >= self._at_us


def percentile(values: Sequence[float], share: float) -> float | None:
    """Of what was measured; None of nothing."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else None
