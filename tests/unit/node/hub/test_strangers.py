"""Who has to go at a hub's door: silence keeps nobody out, and nobody is sent away whose code is being looked at."""

from __future__ import annotations

from longwatch.node.hub.strangers import MOST_OF_ONE, MOST_TOGETHER, Strangers


def full(addresses: int = MOST_TOGETHER) -> Strangers[int]:
    """All places taken, silent, by so many addresses in turn."""
    door: Strangers[int] = Strangers()
    for n in range(MOST_TOGETHER):
        assert door.enter(n, f"10.0.0.{n % addresses}") is None
    return door


def test_of_one_address_the_oldest_silent_one_goes() -> None:
    door: Strangers[int] = Strangers()
    gone = [door.enter(n, "10.0.0.1") for n in range(MOST_OF_ONE + 2)]
    assert gone == [None] * MOST_OF_ONE + [0, 1]
    assert len(door) == MOST_OF_ONE


def test_where_all_places_are_taken_the_address_with_the_most_gives_one_up() -> None:
    door: Strangers[int] = Strangers()
    for n in range(MOST_TOGETHER):
        door.enter(n, "10.0.0.9" if n in {5, 6} else f"10.1.0.{n}")
    assert door.enter(100, "192.0.2.1") == 5
    assert door.enter(101, "192.0.2.2") == 0, "then each has one: the oldest"
    assert len(door) == MOST_TOGETHER


def test_who_is_being_served_stays_and_who_comes_then_is_refused() -> None:
    door = full()
    for n in range(MOST_TOGETHER):
        door.serve(n, served=True)
    assert not door.may("192.0.2.1")
    assert door.enter(100, "192.0.2.1") == 100
    assert len(door) == MOST_TOGETHER
    door.serve(7, served=False)
    assert door.may("192.0.2.1")
    assert door.enter(100, "192.0.2.1") == 7


def test_of_one_address_whose_are_all_served_no_more_come_in_and_others_do() -> None:
    door: Strangers[int] = Strangers()
    for n in range(MOST_OF_ONE):
        door.enter(n, "10.0.0.1")
        door.serve(n, served=True)
    assert door.enter(50, "10.0.0.1") == 50
    assert door.enter(51, "10.0.0.2") is None


def test_who_leaves_makes_room_and_may_leave_twice() -> None:
    door = full()
    door.leave(3)
    door.leave(3)
    door.serve(3, served=True)
    assert door.enter(100, "192.0.2.1") is None
    assert len(door) == MOST_TOGETHER


def test_a_flood_of_connections_never_has_more_places_than_there_are() -> None:
    door: Strangers[int] = Strangers()
    for n in range(2000):
        door.enter(n, f"10.0.{n % 7}.{n % 50}")
        assert len(door) <= MOST_TOGETHER
