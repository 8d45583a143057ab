"""Events over the link: in the order of their changes, each once, whatever is cut, comes twice, or is lost at either end."""

from __future__ import annotations

import dataclasses
import random

import pytest
from tests.support.simulated_link import US, WALL_US, Weather, World
from tests.support.uplink_memory import MemoryEvents, MemoryHub
from tests.unit.replication.test_ends import Pair

from longwatch.model.event_rows import NO_PICTURE, ToldEvent
from longwatch.model.events import Event
from longwatch.model.uplink import Class
from longwatch.replication import HubEnd, Policy, PostEnd
from longwatch.wire.uplink import LinkError, Message, decode, encode


def event(number: int, **more: object) -> Event:
    begin = WALL_US + number * US
    told = Event(
        f"{number:022x}",
        "gate",
        "motion",
        begin,
        begin + 4 * US,
        begin + 4 * US,
        0.5,
        ("yard",),
        begin + US,
        (0.1, 0.2, 0.3, 0.4),
        3,
    )
    return dataclasses.replace(told, **more)


class Told(Pair):
    """Both ends on a wire without delay, with what was seen."""

    def __init__(self, events=None, **more):
        self.events = events or MemoryEvents()
        super().__init__(**more)

    def dial(self):
        super().dial()
        self.post = PostEnd(
            {"site": "north"},
            self.log,
            self.media,
            self.queue,
            self.spent,
            self.policy,
            bucket=self.bucket,
            events=self.events,
        )

    def agree(self):
        return self.hub.events == self.events.told()


def test_what_changed_goes_in_its_order_and_once():
    pair = Told()
    pair.seals(1)
    for number in range(150):
        pair.events.change(event(number))
    pair.run()
    assert pair.agree()
    assert pair.hub.events_taken == 150
    pair.events.change(event(3, count=9))
    pair.events.change(event(200))
    pair.run()
    assert pair.agree()
    assert pair.hub.events_taken == 152
    assert pair.post.idle()


def test_what_changed_often_while_nobody_was_in_touch_goes_once_as_it_is():
    pair = Told()
    for count in range(40):
        pair.events.change(event(1, count=count))
    pair.run()
    assert pair.hub.events_taken == 1
    assert pair.agree()


def test_a_post_where_nothing_is_seen_says_so_in_one_question_and_no_more():
    pair = Told().run(seconds=3600)
    assert pair.kinds() == ["hello", "logs", "events_at"] or pair.kinds() == ["hello", "events_at"]


def test_alarms_go_before_events_and_events_before_their_pictures():
    pair = Told()
    pair.run(seconds=2)
    pair.sent.clear()
    pair.events.change(event(1))
    pair.boot_us += 2 * US
    assert pair.post.next(pair.now(), 64) is None  # it is looked at, and lingers
    pair.add(9000, Class.PICTURE, kind="picture")
    pair.log.write("alarm_raised", WALL_US, camera="gate")
    pair.log.publish()
    pair.boot_us += 2 * US
    pair.run(seconds=10)
    order = [kind for kind in pair.kinds() if kind in {"head", "events", "Chunk"}]
    assert order.index("head") < order.index("events") < order.index("Chunk")


def test_budgets_hold_events_back_and_never_the_ledger():
    pair = Told(policy=Policy(budget={"hour": 1}))
    pair.events.change(event(1))
    pair.seals(2)
    pair.run()
    assert not pair.hub.events
    assert pair.hub.verified["north", 1] == 2
    assert pair.post.waiting[Class.PICTURE].why == "budget_hour"


@pytest.mark.parametrize("lost", [True, False], ids=["lost", "an-older-copy"])
def test_a_table_that_was_lost_or_put_back_is_told_again_and_nothing_is_missed(lost):
    pair = Told()
    pair.seals(1)
    for number in range(10):
        pair.events.change(event(number))
    saved = pair.events.saved()
    for number in range(10, 20):
        pair.events.change(event(number))
    pair.run()
    pair.events.restore(None if lost else saved)
    for number in range(100, 125):  # it has come further than the hub's number again
        pair.events.change(event(number))
    pair.dial()
    pair.run()
    assert pair.hub.events.items() >= pair.events.told().items()
    assert len(pair.hub.events) == 45
    assert pair.post.idle()


def test_frames_of_an_older_connection_that_come_late_and_twice_change_nothing():
    pair = Told()
    pair.events.change(event(1))
    late = []
    take = pair.end.take

    def keep(data, now_us):
        frame = decode(data)
        if isinstance(frame, Message) and frame.kind == "events":
            late.append(data)
        return take(data, now_us)

    pair.end.take = keep
    pair.run()
    pair.events.restore()
    pair.dial()
    pair.end.take, take = keep, pair.end.take
    for number in range(5):
        pair.events.change(event(1, count=100 + number))
        pair.run(seconds=5)
    told, position = dict(pair.hub.events), pair.hub.position
    for data in late * 2:
        pair.end.take(data, WALL_US)
    assert (pair.hub.events, pair.hub.position) == (told, position)


def test_what_cannot_be_read_is_passed_over_and_spoils_nothing_else():
    hub, good = MemoryHub(), ToldEvent(event(1))
    end = HubEnd("north", hub, {})
    end.take(encode(Message("hello", {"site": "north"})), WALL_US)
    bad = [
        {},
        7,
        {**good.as_json(), "i": "../../etc"},
        {**good.as_json(), "c": "a.b"},
        {**good.as_json(), "z": ["\n"]},
        {**good.as_json(), "f": -1},
    ]
    body = {"post": "north", "begin": [0, 0], "end": [5, 9], "anew": True, "items": [*bad, good.as_json()]}
    answers, _ = end.take(encode(Message("events", body)), WALL_US)
    assert hub.events == {good.event.id: good}
    assert answers == [Message("events_held", {"at": [5, 9], "post": "north"})]


@pytest.mark.parametrize(
    "body",
    [{"post": "south", "begin": [0, 0], "end": [1, 1], "items": []}, {"post": "north", "begin": [0], "end": [1, 1], "items": []},
     {"post": "north", "begin": [0, 0], "end": [1, -1], "items": []}, {"post": "north", "begin": [0, 0], "end": [1, 1]}],
)  # fmt: skip
def test_a_post_that_speaks_for_another_or_of_no_position_is_cut_off(body):
    end = HubEnd("north", MemoryHub(), {})
    end.take(encode(Message("hello", {"site": "north"})), WALL_US)
    with pytest.raises(LinkError):
        end.take(encode(Message("events", body)), WALL_US)


@pytest.mark.parametrize("told", [
    ToldEvent(event(1)), ToldEvent(event(2, to_us=None, best_box=None, zones=(), detail="für", twin="0" * 22), WALL_US, WALL_US + 5),
    ToldEvent(event(3, best_us=WALL_US), NO_PICTURE),
])  # fmt: skip
def test_an_event_comes_as_it_went(told):
    frame = decode(encode(Message("events", {"items": [told.as_json()]})))
    assert ToldEvent.from_json(frame.body["items"][0]) == told


def test_that_a_picture_is_wanted_is_for_others():
    wanted = Message("event_picture", {"post": "north", "event": "0" * 22})
    pair = Told()
    assert pair.post.take(encode(wanted), pair.now()) == [wanted]


def test_a_hub_that_knows_nothing_of_events_is_told_none():
    pair = Told()
    pair.events.change(event(1))
    answers = pair.end.take
    pair.end.take = lambda data, now_us: ([], []) if decode(data).kind == "events_at" else answers(data, now_us)
    pair.run(seconds=600)
    assert "events" not in pair.kinds()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_cut_killed_late_twice_lost_and_put_back_the_hub_has_what_the_post_has(seed):
    """A day of events over a link at its worst; now and then `server.db` is lost, or put back."""
    dice = random.Random(seed)
    calm_us = 3600 * US
    world = World(
        seed,
        Weather(loss=0.3, cuts_every_s=60, kills_every_s=200, calm_from_us=calm_us),
        events=MemoryEvents(seed=seed),
    )
    source, copies = world.events, []

    def live(number: int) -> None:
        source.change(event(number, to_us=None))
        if dice.random() < 0.8:
            source.change(event(number, count=dice.randrange(100)))
        if dice.random() < 0.1:
            copies.append(source.saved())
        world.wake()

    for number in range(120):
        world.at(number * 7 * US, lambda number=number: live(number))
    for _ in range(3):
        world.at(dice.randrange(calm_us), lambda: (source.restore(dice.choice([None, *copies])), world.kill_post()))
    assert world.run(lambda: world.now_us > calm_us + 60 * US and world.done(), calm_us + 4 * 3600 * US)
    told = source.told()
    assert {name: world.hub.events.get(name) for name in told} == told
    assert world.hub.position == source.end("north")
