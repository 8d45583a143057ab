"""`longwatch simulate fleet`: a thousand posts at a hub, in one process. docs/design/scale.md.

They join by codes, dial in, tell of what happens to them, lose their links by a plan that the seed draws, and come back; some were away for a week and come with
all of it. Memory is bounded: a ledger keeps what its hub does not have, packed. Owner of everything it makes; nothing of it stays.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import random
import secrets
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import uvloop
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from longwatch.accounts import at_the_post
from longwatch.base.clock import Clock, SystemClock
from longwatch.base.descriptors import allow_descriptors
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.base.tasks import Tasks
from longwatch.config import Settings
from longwatch.node.demo.fleet_page import PageWatch, percentile
from longwatch.node.demo.fleet_posts import Numbers, SimulatedPost
from longwatch.node.hub.part import check_is_hub
from longwatch.node.post.dialling import ask_to_join
from longwatch.node.server.commands import ask_running
from longwatch.simulate.fleet_life import Habits, Life
from longwatch.simulate.fleet_log import MemoryLog
from longwatch.trust import Enrolment, SigningKey, make_request, parse_code, serial_of
from longwatch.trust.exchange import Asking

TOGETHER = 8  # that join at once; a hub takes 32
SAY_EVERY_S = 10.0
_LOOK_S = 0.25
_SPARE_DESCRIPTORS = 200
_US = 1_000_000
_PATIENCE_S = 240.0
Codes = Callable[[str], Awaitable[str]]
"""A post's id to the code with which it joins."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """seed: of all that is left to chance. cut_every_s: mean time between two cuts of one link, 0 for never; cut_for_s: their mean length. all_cut_at_s: when all
    links are cut at once, for all_cut_for_s; None for never. returning: how many posts were away before the beginning, for away_s. for_s: how long it
    runs, None for ever. ramp_s: within which all begin to dial. prefix: of their ids.
    """

    posts: int = 1000
    cameras: int = 10
    seed: int = 1
    habits: Habits = field(default_factory=Habits)
    cut_every_s: float = 1800.0
    cut_for_s: float = 60.0
    all_cut_at_s: float | None = None
    all_cut_for_s: float = 30.0
    returning: int = 0
    away_s: float = 7 * 86_400.0
    for_s: float | None = None
    ramp_s: float = 20.0
    prefix: str = "sim"

    def ids(self) -> list[str]:
        """Of the posts."""
        return [f"{self.prefix}-{number:04d}" for number in range(1, self.posts + 1)]


def check_descriptors(needed: int) -> None:
    """So many connections, and some more. Raises UsageError where the system does not allow it."""
    wanted = needed + _SPARE_DESCRIPTORS
    may = allow_descriptors(wanted)
    if may < wanted:
        raise UsageError(
            f"{needed} posts need {wanted} open files, and this user may have {may}",
            remedy="`ulimit -Hn`; or fewer --posts",
        )


class Simulation:
    """codes: asked for each post. say: takes lines for people. page: where there is one to look at."""

    def __init__(
        self, fleet: Fleet, codes: Codes, clock: Clock, say: Callable[[str], None] = lambda _: None, page: PageWatch | None = None
    ) -> None:  # fmt: skip
        self.fleet = fleet
        self.posts: list[SimulatedPost] = []
        self.numbers = Numbers()
        self._codes = codes
        self._clock = clock
        self._say = say
        self._page = page
        self._draw = random.Random(fleet.seed)  # noqa: S311 - a plan that can be had again
        self._tasks = Tasks("fleet")
        self._due: list[tuple[int, int]] = []
        self._lives: list[asyncio.Task[None]] = []
        self._begun_us = 0

    @contextlib.asynccontextmanager
    async def joined(self, ended: asyncio.Event) -> AsyncIterator[None]:
        """All posts joined, or it is asked to end before that; their keys lie in a folder that goes at the end. Raises LongwatchError."""
        check_descriptors(self.fleet.posts)
        with tempfile.TemporaryDirectory(prefix="longwatch-fleet-") as made:
            began_us = self._clock.boottime_us()
            await self._join_all(Path(made), ended)
            took_s = (self._clock.boottime_us() - began_us) / _US
            self._say(
                f"{len(self.posts)} posts of {self.fleet.cameras} cameras joined in {took_s:.0f} s, seed {self.fleet.seed}"
            )
            try:
                yield
            finally:
                await self._tasks.aclose()

    async def _join_all(self, folder: Path, ended: asyncio.Event) -> None:
        turns = asyncio.Semaphore(TOGETHER)
        places = list(_places(self._draw, self.fleet.posts))
        found: dict[str, SimulatedPost] = {}

        async def join(number: int, name: str) -> None:
            async with turns:
                if ended.is_set():
                    return
                found[name] = await self._join(folder, name, number, places[number])

        async with contextlib.AsyncExitStack() as stack:
            joining = await stack.enter_async_context(_all_or_first_error())
            for number, name in enumerate(self.fleet.ids()):
                joining.append(asyncio.create_task(join(number, name)))
        self.posts = [found[name] for name in self.fleet.ids() if name in found]

    async def _join(self, folder: Path, name: str, number: int, place: tuple[float, float]) -> SimulatedPost:
        fleet, now_us = self.fleet, self._clock.wall_us()
        code = parse_code(await self._codes(name))
        if code.post != name:
            raise UsageError(
                f"a code for {code.post!r} stands where one for {name!r} belongs",
                remedy="one code a line, in the order of the ids",
            )
        was_away = number >= fleet.posts - fleet.returning
        began_us = now_us - round(fleet.away_s * _US) if was_away else now_us
        life = Life(name, fleet.cameras, fleet.seed, began_us, fleet.habits)
        log = MemoryLog(name, secrets.token_hex(4), life.boot, SigningKey(Ed25519PrivateKey.generate()))
        key = SigningKey(Ed25519PrivateKey.generate())
        title = f"Simulated post {number + 1}"
        asking = Asking(code.secret, name, title, "post", log.origin, log.key.public, make_request(key, name))
        ca, given = await ask_to_join(code, asking)
        file = folder / f"{name}.pem"
        file.touch(0o600)
        file.write_bytes(given.certificate + key.pem)
        enrolment = Enrolment(
            given.hub, given.hub_name, code.address, ca, code.fingerprint, name, given.cosigner, given.command_key,
            serial_of(given.certificate), given.expires_us, file, now_us, given.courier,
        )  # fmt: skip
        on_head = self._page.on_head if self._page is not None else lambda _post, _size: None
        draw = random.Random(f"{fleet.seed}/{name}/link")  # noqa: S311 - as above
        return SimulatedPost(enrolment, life, log, self._clock, self.numbers, draw, title, place, on_head)

    # -- running

    def start(self) -> None:
        """Everything begins."""
        self._begun_us = self._clock.boottime_us()
        self._due = [(0, index) for index in range(len(self.posts))]
        self._lives = [self._tasks.start("live", self._live())]
        for index, post in enumerate(self.posts):
            delay_s = self.fleet.ramp_s * index / max(1, len(self.posts))
            self._tasks.start(f"dial {post.id}", self._dial(post, delay_s))
            if self.fleet.cut_every_s:
                draw = random.Random(f"{self.fleet.seed}/{post.id}/cuts")  # noqa: S311 - as above
                self._lives.append(self._tasks.start(f"cuts {post.id}", self._cuts(post, draw)))
        if self.fleet.all_cut_at_s is not None:
            self._tasks.start("all cut", self._cut_all(self.fleet.all_cut_at_s))

    async def settle(self) -> None:
        """Nothing happens any more, and all links carry: what waits goes."""
        for life in self._lives:
            life.cancel()
        await asyncio.gather(*self._lives, return_exceptions=True)
        now_us = self._clock.wall_us()
        for post in self.posts:
            post.mend()
            post.live(now_us, last=True)

    async def run(self, ended: asyncio.Event) -> None:
        """Until it is asked to end, or its time is over; a line now and then."""
        self.start()
        until_us = None if self.fleet.for_s is None else self._begun_us + round(self.fleet.for_s * _US)
        said_us = self._begun_us
        while not ended.is_set():
            now_us = self._clock.boottime_us()
            if until_us is not None and now_us >= until_us:
                break
            if now_us - said_us >= SAY_EVERY_S * _US:
                said_us = now_us
                self._say(self.line())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S):
                    await ended.wait()

    async def _dial(self, post: SimulatedPost, delay_s: float) -> None:
        await self._clock.sleep(delay_s)
        await post.run()

    async def _live(self) -> None:
        """All lives, in the order in which something happens in them."""
        while True:
            now_us = self._clock.wall_us()
            for _ in range(len(self.posts)):
                if not self._due or self._due[0][0] > now_us:
                    break
                _, index = heapq.heappop(self._due)
                heapq.heappush(self._due, (self.posts[index].live(now_us), index))
                if not index % 16:
                    await asyncio.sleep(0)
            left_s = (self._due[0][0] - self._clock.wall_us()) / _US if self._due else _LOOK_S
            await self._clock.sleep(max(0.01, min(_LOOK_S, left_s)))

    async def _cuts(self, post: SimulatedPost, draw: random.Random) -> None:
        while True:
            await self._clock.sleep(draw.expovariate(1 / self.fleet.cut_every_s))
            post.cut()
            await self._clock.sleep(1 + draw.expovariate(1 / self.fleet.cut_for_s))
            post.mend()

    async def _cut_all(self, at_s: float) -> None:
        await self._clock.sleep(at_s)
        self._say("all links are cut")
        for post in self.posts:
            post.cut()
        await self._clock.sleep(self.fleet.all_cut_for_s)
        self._say("all links carry again")
        for post in self.posts:
            post.mend()

    # -- what came of it

    @property
    def backlog(self) -> tuple[int, int]:
        """Entries and pictures that the hub does not have."""
        entries, pictures = zip(*(post.backlog for post in self.posts), strict=True) if self.posts else ((), ())
        return sum(entries), sum(pictures)

    def line(self) -> str:
        """How it stands."""
        numbers, (entries, pictures) = self.numbers, self.backlog
        elapsed_s = (self._clock.boottime_us() - self._begun_us) / _US
        said = f"{elapsed_s:5.0f} s: {numbers.connected} of {len(self.posts)} connected, {self.entries} entries, {entries} wait, {pictures} pictures wait"
        held = percentile(numbers.held_s[-2000:], 0.99)
        shown = percentile([s for seen in self.shown.values() for s in seen[-500:]], 0.99)
        said += "" if held is None else f"; p99 held {held:.2f} s"
        return said + ("" if shown is None else f", shown {shown:.2f} s")

    @property
    def entries(self) -> int:
        """That ever were."""
        return sum(post.log.size for post in self.posts)

    @property
    def held(self) -> int:
        """Of them, verified and countersigned by the hub."""
        return sum(post.held for post in self.posts)

    @property
    def shown(self) -> dict[str, list[float]]:
        """Seconds from a head's leaving to the page, by what was looked at."""
        return {} if self._page is None else self._page.seen_s

    def report(self) -> list[tuple[str, str]]:
        """The table at the end."""
        numbers, (entries, pictures) = self.numbers, self.backlog
        elapsed_s = max(1e-9, (self._clock.boottime_us() - self._begun_us) / _US)
        rows = [
            ("posts, cameras each, seed", f"{len(self.posts)}, {self.fleet.cameras}, {self.fleet.seed}"),
            ("ran for", f"{elapsed_s:.0f} s"),
            ("entries made", f"{self.entries}"),
            ("entries sent", f"{numbers.entries_sent}"),
            ("entries held by the hub", f"{self.held}"),
            ("entries that wait", f"{entries}"),
            ("heads sent", f"{numbers.heads}"),
            ("pictures taken, that wait", f"{numbers.pictures}, {pictures}"),
            ("bytes sent", f"{numbers.sent_bytes}"),
            ("links cut", f"{numbers.cuts}"),
            ("connections, attempts", f"{numbers.connections}, {numbers.dialled}"),
            ("leaving to held, p50, p99", _times(numbers.held_s)),
        ]
        rows += [(f"leaving to page ({what}), p50, p99", _times(seen)) for what, seen in self.shown.items()]
        if self._page is not None and (self._page.missed or self._page.failed):
            rows.append(("never shown, requests that failed", f"{len(self._page.missed)}, {self._page.failed}"))
        for named in (numbers.refused, numbers.problems):
            rows += [(f"{count} times", what) for what, count in sorted(named.items(), key=lambda item: -item[1])[:5]]
        return rows


def _times(values: Sequence[float]) -> str:
    half, most = percentile(values, 0.5), percentile(values, 0.99)
    return "-" if half is None or most is None else f"{half:.2f} s, {most:.2f} s ({len(values)} measured)"


def _places(draw: random.Random, many: int) -> Iterator[tuple[float, float]]:
    """Scattered over a country's width of hills."""
    for _ in range(many):
        yield round(60.0 + draw.gauss(0, 1.5), 5), round(9.5 + draw.gauss(0, 2.0), 5)


@contextlib.asynccontextmanager
async def _all_or_first_error() -> AsyncIterator[list[asyncio.Task[None]]]:
    """Wait for all tasks that are put into the list; the first error ends the others, and is raised."""
    tasks: list[asyncio.Task[None]] = []
    try:
        yield tasks
        for task in asyncio.as_completed(tasks):
            await task
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def codes_of_file(path: Path) -> Codes:
    """One code a line, each for the post that stands in it. Raises UsageError."""
    try:
        lines = path.read_text().split()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the codes in {path} cannot be read", why=str(error)) from error
    by_post = {parse_code(line).post: line for line in lines}

    async def code(post: str) -> str:
        if post not in by_post:
            raise UsageError(
                f"{path} has no code for {post}",
                remedy=f"at the hub: `longwatch hub invite {post}`, and its last word into the file",
            )
        return by_post[post]

    return code


def codes_of_hub(settings: Settings) -> Codes:
    """As `longwatch hub invite` makes them, at a hub that runs on this machine with these settings."""
    check_is_hub(settings)

    async def code(post: str) -> str:
        answer = await ask_running(
            settings.volumes[0], "hub_invite", {"post": post, "reason": "a simulated post", "by": at_the_post().user}, _PATIENCE_S
        )  # fmt: skip
        if answer is None:
            raise LongwatchError(
                f"the hub {settings.post.id} does not run", remedy=f"longwatch run --config {settings.path}"
            )
        return str(answer["code"])

    return code


def simulate(fleet: Fleet, codes: Codes, say: Callable[[str], None], page: tuple[str, str] | None = None) -> Simulation:
    """Until Ctrl-C, or as long as the fleet is to run. page: address of the hub's API, and a token. Raises LongwatchError. Not for use on an event loop."""
    return uvloop.run(_simulate(fleet, codes, say, page))


async def _simulate(fleet: Fleet, codes: Codes, say: Callable[[str], None], page: tuple[str, str] | None) -> Simulation:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    watch = None if page is None else PageWatch(*page, seed=fleet.seed)
    simulation = Simulation(fleet, codes, SystemClock(), say, watch)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    try:
        async with simulation.joined(ended):
            if not ended.is_set():
                await simulation.run(ended)
    finally:
        if watch is not None:
            await watch.aclose()
    return simulation
