"""Requests at a hub: entered before they are told, told at every connection, done when all of it is here."""

import asyncio
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from longwatch.accounts import Who
from longwatch.base.clock import ManualClock
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.fleet import Fleet, FleetDb
from longwatch.model.sessions import StreamKey
from longwatch.model.stores import Held, Provenance, RecordedSpan
from longwatch.node.hub.requests import EXPIRES_US, RequestDesk
from longwatch.wire.uplink import Message

ANNA = Who(10, user="anna")
GATE = StreamKey("north.gate", "main")
SECOND = 1_000_000


class FakeUplinks:
    """What was said to whom."""

    def __init__(self) -> None:
        self.handlers: dict[str, Any] = {}
        self.greet: list[Any] = []
        self.here: set[str] = set()
        self.said: list[tuple[str, str, dict[str, Any]]] = []

    def on(self, kind: str, handler: Any) -> None:
        self.handlers[kind] = handler

    def on_connect(self, told: Any) -> None:
        self.greet.append(told)

    def connected(self, post: str) -> bool:
        return post in self.here

    def say(self, post: str, message: Any) -> bool:
        if post in self.here:
            self.said.append((post, message.kind, dict(message.body)))
        return post in self.here


class FakeLedger:
    def __init__(self) -> None:
        self.entries: list[tuple[str, dict[str, Any]]] = []
        self.away = False

    async def request(self, kind: str, /, *, timeout_s: float = 10.0, **fields: Any) -> dict[str, Any]:
        if self.away:
            raise LongwatchError("the recorder does not answer")
        self.entries.append((fields["kind"], fields))
        return {"seq": len(self.entries)}


class FakeIndex:
    """One span, of which a first part is here."""

    def __init__(self, from_us: int, to_us: int) -> None:
        self.from_us, self.here_us, self.to_us, self.until_us = from_us, from_us, to_us, to_us
        self.gone = False

    def recorded_spans(self, key: StreamKey, from_us: int, to_us: int) -> list[RecordedSpan]:
        rest = Held.GONE if self.gone else Held.POST
        spans = [
            RecordedSpan(self.from_us, self.here_us, 1, Provenance.NTP, Held.HERE),
            RecordedSpan(self.here_us, self.to_us, 1, Provenance.NTP, rest),
        ]
        return [span for span in spans if span.from_us < span.to_us]

    def accounted_until_us(self, key: StreamKey | None = None) -> int:
        return self.until_us


class Hub:
    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock()
        self.now_us = self.clock.wall_us()
        self.db = FleetDb(folder / "fleet.db")
        self.fleet = Fleet(self.db, wall_us=self.clock.wall_us)
        for post in ("north", "south"):
            self.fleet.add_post(post, post.title(), "01", f"longwatch/{post}/data/1", bytes(32))
        self.uplinks, self.ledger = FakeUplinks(), FakeLedger()
        self.index = FakeIndex(self.now_us - 60 * SECOND, self.now_us - 20 * SECOND)
        self.desk = RequestDesk(self.db, self.fleet, self.index, self.uplinks, self.ledger, self.clock, self.read)

    async def read(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return function(*arguments)

    async def made(self) -> Any:
        return await self.desk.make(GATE, self.index.from_us, self.index.to_us, ANNA, "a fire")

    async def answer(self, post: str = "north", **said: Any) -> None:
        await self.uplinks.handlers["answer"](post, Message("answer", said))


@pytest.fixture
def hub(tmp_path: Path):
    made = Hub(tmp_path)
    yield made
    made.db.close()


def test_a_request_waits_for_its_post_and_is_told_when_it_comes(hub: Hub):
    async def run() -> None:
        made = await hub.made()
        assert (made.state, made.by, made.row.reason) == ("waiting", "anna", "a fire")
        assert [kind for kind, _ in hub.ledger.entries] == ["request_made"]
        assert hub.ledger.entries[0][1]["person"] == ANNA.person("a fire")
        assert "anna" not in str(hub.ledger.entries[0][1]["body"])
        assert hub.uplinks.said == []
        hub.uplinks.here.add("north")
        await hub.uplinks.greet[0]("north")
        [(post, kind, said)] = hub.uplinks.said
        assert (post, kind, said["camera"], said["request"]) == ("north", "want", "gate", made.row.id)
        assert (said["by"], said["reason"]) == ("anna", "a fire")

    asyncio.run(run())


def test_it_is_told_how_far_it_is_and_done_when_all_is_here(hub: Hub):
    async def run() -> None:
        hub.uplinks.here.add("north")
        number = (await hub.made()).row.id
        await hub.answer(request=number, state="queued", bytes=4000, eta_s=90, why="")
        shown = await hub.desk.one(number)
        assert (shown.state, shown.row.bytes, shown.row.eta_s) == ("queued", 4000, 90)
        hub.index.here_us = hub.index.from_us + 10 * SECOND
        await hub.clock.advance(30)
        await hub.desk.settle()
        shown = await hub.desk.one(number)
        assert (shown.state, shown.done_bytes, shown.row.done_bytes) == ("coming", 1000, 1000)
        assert shown.row.eta_s == 60, "the moment that was told stays"
        hub.index.here_us = hub.index.to_us
        hub.index.until_us = hub.index.to_us - 1
        await hub.desk.settle()
        assert (await hub.desk.one(number)).state == "coming", "the last second is not accounted for yet"
        hub.index.until_us = hub.index.to_us
        await hub.desk.settle()
        assert (await hub.desk.one(number)).state == "done"
        assert hub.uplinks.said[-1][1:] == ("unwant", {"request": number, "post": "north"})
        await hub.answer(request=number, state="gone")
        assert (await hub.desk.one(number)).state == "done", "what is over stays so"

    asyncio.run(run())


def test_a_post_answers_only_for_its_own_and_only_what_can_be(hub: Hub):
    async def run() -> None:
        hub.uplinks.here |= {"north", "south"}
        number = (await hub.made()).row.id
        await hub.answer("south", request=number, state="refused", why="not yours")
        await hub.answer(request=number, state="done")
        await hub.answer(request="x", state="gone")
        await hub.answer(request=999, state="gone")
        assert (await hub.desk.one(number)).state == "waiting"
        await hub.answer(request=number, state="queued", bytes=-5, eta_s=1 << 60)
        assert (await hub.desk.one(number)).row.bytes == 0
        await hub.answer(request=number, state="refused", why="withheld")
        shown = await hub.desk.one(number)
        assert (shown.state, shown.why) == ("refused", "withheld")

    asyncio.run(run())


def test_nothing_is_asked_for_that_could_not_be_entered(hub: Hub):
    async def run() -> None:
        hub.ledger.away = True
        with pytest.raises(LongwatchError):
            await hub.made()
        assert await hub.desk.listed() == []
        hub.ledger.away = False
        with pytest.raises(UsageError):
            await hub.desk.make(GATE, hub.now_us + SECOND, hub.now_us + 2 * SECOND, ANNA, "ahead")
        with pytest.raises(UsageError):
            await hub.desk.make(StreamKey("gate", "main"), 1, 2, ANNA, "of no post")

    asyncio.run(run())


def test_withdrawn_expired_and_forgotten(hub: Hub):
    async def run() -> None:
        hub.uplinks.here.add("north")
        number = (await hub.made()).row.id
        await hub.desk.withdraw(number, ANNA)
        assert (await hub.desk.one(number)).state == "withdrawn"
        assert hub.uplinks.said[-1][1] == "unwant"
        await hub.desk.withdraw(number, ANNA)
        assert [kind for kind, _ in hub.ledger.entries] == ["request_made", "request_withdrawn"], "once"
        second = (await hub.made()).row.id
        await hub.clock.advance(EXPIRES_US / SECOND + 1)
        await hub.desk.settle()
        shown = await hub.desk.one(second)
        assert (shown.state, shown.why) == ("withdrawn", "it waited 30 days")
        await hub.desk.forget(10)
        assert [(one.by, one.row.reason) for one in await hub.desk.listed()] == [("", ""), ("", "")]

    asyncio.run(run())


def test_nothing_that_was_recorded_is_gone_and_not_for_ever_on_its_way(hub: Hub):
    async def run() -> None:
        hub.uplinks.here.add("north")
        number = (await hub.made()).row.id
        await hub.answer(request=number, state="queued", bytes=0)
        hub.index.to_us = hub.index.from_us  # it was asked for before its time was accounted for
        await hub.desk.settle()
        shown = await hub.desk.one(number)
        assert (shown.state, shown.why) == ("gone", "nothing was recorded then")

    asyncio.run(run())


@pytest.mark.parametrize(("share", "state"), [(0, "refused"), (0.5, "done")])
def test_what_is_damaged_at_the_post_ends_it(hub: Hub, share: float, state: str):
    async def run() -> None:
        hub.uplinks.here.add("north")
        number = (await hub.made()).row.id
        await hub.answer(request=number, state="queued", bytes=1000)
        hub.index.here_us = hub.index.from_us + round(share * (hub.index.to_us - hub.index.from_us))
        await hub.desk.settle()
        assert (await hub.desk.one(number)).state in {"queued", "coming"}
        await hub.answer(request=number, state="sent", bytes=1000)
        await hub.desk.settle()
        shown = await hub.desk.one(number)
        assert (shown.state, shown.why) == (state, "the rest cannot be sent: it is damaged at the post")

    asyncio.run(run())


@pytest.fixture(scope="module")
def one_hub(tmp_path_factory: pytest.TempPathFactory):
    made = Hub(tmp_path_factory.mktemp("requests"))
    yield made
    made.db.close()


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["answer", "come", "account", "gone", "link", "settle", "settle", "look", "withdraw"]),
        st.sampled_from(["queued", "queued", "sent", "gone", "refused"]), st.integers(0, 40), st.booleans(),
    ),
    max_size=12,
)  # fmt: skip
_OVER = {"done", "gone", "refused", "withdrawn"}


@pytest.mark.slow
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(_STEPS, st.sampled_from(["here", "removed", "never recorded"]))
def test_whatever_happens_in_any_order_it_ends_once_all_is_here(
    one_hub: Hub, steps: list[tuple[str, str, int, bool]], last: str
):
    """Or is to be had nowhere. Also where a post answers in the very midst of a look: what was read before is old then."""
    hub = one_hub
    from_us = hub.clock.wall_us() - 60 * SECOND
    hub.index = FakeIndex(from_us, from_us + 40 * SECOND)
    hub.index.until_us = from_us
    hub.desk._index = hub.index
    hub.uplinks.here = set()

    async def run() -> None:
        number = (await hub.made()).row.id
        seen: list[str] = ["waiting"]

        async def answer(state: str) -> None:
            await hub.answer(request=number, state=state, bytes=4000, eta_s=60)

        def midst(state: str) -> None:
            async def read(function: Callable[..., Any], *arguments: Any) -> Any:
                hub.desk._read = hub.read
                await answer(state)
                return function(*arguments)

            hub.desk._read = read

        for what, state, seconds, now in steps:
            if what == "answer":
                await answer(state)
            elif what == "come":
                hub.index.here_us = max(hub.index.here_us, from_us + seconds * SECOND)
            elif what == "account":
                hub.index.until_us = max(hub.index.until_us, from_us + seconds * SECOND)
            elif what == "gone":
                hub.index.gone = now
            elif what == "link":
                hub.uplinks.here ^= {"north"}
            elif what == "withdraw":
                await hub.desk.withdraw(number, ANNA)
            elif what == "settle":
                if now:
                    midst(state)
                await hub.desk.settle()
                hub.desk._read = hub.read
            shown = await hub.desk.one(number)
            before = seen[-1]
            assert before not in _OVER or shown.state == before, f"{seen} and then {shown.state}"
            assert before == "waiting" or shown.state != "waiting", f"{seen}: the post had heard of it"
            seen.append(shown.state)
        hub.index.until_us = hub.index.to_us
        if last == "here":
            hub.index.here_us = hub.index.to_us
        elif last == "removed":
            hub.index.gone = True
        else:
            hub.index.here_us = hub.index.to_us = from_us
        await hub.desk.settle()
        shown = await hub.desk.one(number)
        assert shown.state in _OVER, f"{seen} and then {dataclasses.asdict(shown.row)}"

    asyncio.run(run())
