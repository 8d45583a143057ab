"""Which posts of a hub are silent, why, and since when that is an alarm. docs/design/silence.md; the judging itself is `model.silence`.

Looks every few seconds at what the fleet's database and this process know, shows it with the list of posts, and tells the hub's own recorder, which raises.
A hub that was off accuses nobody: the time a post is given begins when this process began to listen. Owner of the state: the event loop; of the last words: `_words`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog

from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError
from longwatch.base.rfc3339 import format_us
from longwatch.fleet import Fleet
from longwatch.fleet.standing import PostNow
from longwatch.model.silence import Judged, Known, PowerWindow, Stop, judge
from longwatch.node.hub.above import told_of
from longwatch.node.last_words import LAST_ENTRIES, last_words
from longwatch.node.link import Ledger

_log = structlog.get_logger(__name__)
TELL_EVERY_S = 5.0
_MOST_WORDS = 4096
_MOST_REFUSED = 1024
_MOST_WINDOWS = 64
_SAID = frozenset({Stop.ASKED, Stop.HOST, Stop.SIGNAL})


class HubSilence:
    """allowed_s: how long a post may be silent, by its id."""

    def __init__(self, fleet: Fleet, clock: Clock, allowed_s: Callable[[str], int]) -> None:
        self._fleet = fleet
        self._clock = clock
        self._allowed_s = allowed_s
        self._listening_us = clock.wall_us()
        self._looked_boot_us = clock.boottime_us()
        self._words: OrderedDict[tuple[str, int, int], tuple[Stop, int | None]] = OrderedDict()
        self._refused: OrderedDict[str, tuple[int, str]] = OrderedDict()

    def listening(self) -> None:
        """From now on posts can be in touch."""
        self._listening_us = self._clock.wall_us()

    def refused(self, site: str, why: str) -> None:
        """A certificate of this site was shown, and is not good."""
        self._refused.pop(site, None)
        self._refused[site] = self._clock.wall_us(), why
        while len(self._refused) > _MOST_REFUSED:
            self._refused.popitem(last=False)

    def look(self, posts: Mapping[str, PostNow], connected: Callable[[PostNow], bool]) -> dict[str, Judged]:
        """Of all that joined and are not in touch. Blocks where last words are read. Raises LongwatchError."""
        now_us = self._clock.wall_us()
        boot_us = self._clock.boottime_us()
        if boot_us - self._looked_boot_us > 60_000_000:  # this machine slept, or stood still: nobody could be in touch
            self._listening_us = now_us
        self._looked_boot_us = boot_us
        found = {}
        for name, post in posts.items():
            if post.row.revoked_us is None and not connected(post):
                found[name] = judge(self._known(post, posts, connected), now_us)
        return found

    def _known(self, post: PostNow, posts: Mapping[str, PostNow], connected: Callable[[PostNow], bool]) -> Known:
        row, power = post.row, post.row.status.get("power")
        mains, battery = (power.get("mains"), power.get("battery_percent")) if isinstance(power, dict) else (None, None)
        below = told_of(row)
        spoke_us = (row.status_us or 0) if below is None else (below.heard_us or 0)
        heard_us = max(at for at in (row.enrolled_us, spoke_us, post.contact.seen_us if post.contact else 0))
        at_us, why = self._refused.get(row.id, (0, ""))
        through = next((hub for hub in row.via if hub in posts and not connected(posts[hub])), "")
        stop, stop_us = self._last_words(post)
        if stop is Stop.NONE:
            stop, stop_us = said_stop(row.status)
        timezone = row.site.get("timezone")
        return Known(
            heard_us, self._listening_us, self._allowed_s(row.id) * 1_000_000,
            timezone if isinstance(timezone, str) else "UTC", windows_of(row.site.get("power_windows")),
            mains if isinstance(mains, str) else "", battery if type(battery) is int and 0 <= battery <= 100 else None, stop, stop_us,
            why if at_us > heard_us else "", through,
        )  # fmt: skip

    def _last_words(self, post: PostNow) -> tuple[Stop, int | None]:
        """What the end of its ledger says of how it ended; read again only where it grew."""
        if post.head is None:
            return Stop.NONE, None
        key = post.row.id, post.head.number, post.head.size
        if key not in self._words:
            entries = self._fleet.entries(post.row.id, key[1], max(0, key[2] - LAST_ENTRIES), key[2])
            self._words[key] = last_words(entries)
            while len(self._words) > _MOST_WORDS:
                self._words.popitem(last=False)
        return self._words[key]


def said_stop(status: Mapping[str, Any]) -> tuple[Stop, int | None]:
    """What it said last of all, before its entries could come."""
    said = status.get("stopping")
    why, wall_us = (said.get("why"), said.get("wall_us")) if isinstance(said, dict) else (None, None)
    found = next((stop for stop in _SAID if stop == why), Stop.NONE)
    return found, wall_us if found is not Stop.NONE and type(wall_us) is int and 0 <= wall_us < 1 << 53 else None


def windows_of(told: object) -> tuple[PowerWindow, ...] | None:
    """As a post told them in `site`; what cannot be read is as none: always."""
    if not isinstance(told, list) or len(told) > _MOST_WINDOWS:
        return None
    found = []
    for item in told:
        window = item if isinstance(item, dict) else {}
        days, from_, to = window.get("days"), window.get("from"), window.get("to")
        if type(from_) is not int or type(to) is not int or not (0 <= from_ <= 1440 and 0 <= to <= 1440):
            return None
        if not isinstance(days, list) or not all(type(day) is int and 0 <= day < 7 for day in days):
            return None
        found.append(PowerWindow(frozenset(days), from_, to))
    return tuple(found)


def told(judged: Judged, now_us: int) -> dict[str, Any]:
    """As `models_posts.Silence`."""
    return {
        "state": str(judged.silence), "since": format_us(judged.since_us), "evidence": dict(judged.evidence),
        "expected_at": None if judged.expected_us is None else format_us(judged.expected_us),
        "alarm_at": None if judged.alarm_us is None else format_us(judged.alarm_us),
        "overdue": judged.is_overdue(now_us), "resting": judged.resting,
    }  # fmt: skip


def message(
    silent: Mapping[str, Judged], names: Mapping[str, str], connected: list[str], now_us: int
) -> dict[str, list[Any]]:
    """What the recorder is told, whole. names: of all posts that are not revoked."""
    said: dict[str, list[Any]] = {"silent": [], "well": connected, "resting": [], "unclear": []}
    for post, judged in silent.items():
        if judged.resting:
            said["resting"].append(post)
        elif not judged.is_overdue(now_us):
            said["unclear"].append(post)
        else:
            said["silent"].append(
                {"post": post, "name": names.get(post, post), "cause": str(judged.silence), "since_us": judged.since_us,
                 "evidence": dict(judged.evidence)}
            )  # fmt: skip
    return said


async def tell_for_ever(recorder: Ledger, clock: Clock, said: Callable[[], Awaitable[dict[str, Any] | None]]) -> None:
    """The recorder, every few seconds; it raises nothing on what is old."""
    was_away = False
    while True:
        await clock.sleep(TELL_EVERY_S)
        try:
            fields = await said()
            if fields is not None:
                await recorder.request("posts_seen", **fields)
            was_away = False
        except LongwatchError as error:
            if not was_away:
                _log.warning("the recorder is not told which posts are silent", reason=str(error))
            was_away = True
