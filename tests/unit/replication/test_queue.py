"""What waits: bounded, in order, and each object once."""

from __future__ import annotations

import hashlib

from longwatch.model.uplink import Class, ObjectInfo
from longwatch.replication.outbox import Outbox
from longwatch.replication.queue import Item, Queue
from longwatch.server_db import ServerDb


def info(number, size=100):
    return ObjectInfo(
        hashlib.sha256(str(number).encode()).digest(), size, "strip", "north", "gate", "main", at_us=number
    )


def test_in_order_of_class_and_then_of_order():
    queue = Queue()
    for order in (3, 1, 2):
        queue.add(info(order), Class.STRIP, order)
    taken = [queue.take(Class.STRIP, 0).order for _ in range(3)]
    assert taken == [1, 2, 3]
    assert queue.take(Class.STRIP, 0) is None
    queue.again()
    assert queue.take(Class.STRIP, 0).order == 1


def test_the_same_object_waits_once_in_the_earliest_class_that_wants_it():
    queue = Queue()
    queue.add(info(1), Class.BULK, 1)
    queue.add(info(1), Class.ASKED, 9, 7)
    queue.add(info(1), Class.BULK, 1)
    assert len(queue) == 1
    assert queue.backlog()[Class.BULK] == 0
    assert queue.backlog()[Class.ASKED] == 100
    assert queue.take(Class.BULK, 0) is None
    assert queue.take(Class.ASKED, 0).request == 7


def test_it_is_bounded_and_a_person_finds_more_room():
    queue = Queue(most=3, for_asked=1)
    assert [queue.add(info(n), Class.BULK, n) for n in range(4)] == [True, True, True, False]
    assert queue.add(info(10), Class.ASKED, 1)
    assert not queue.add(info(11), Class.ASKED, 1)
    queue.leave(info(0).sha256, "confirmed")
    assert queue.room(Class.BULK) == 0
    assert queue.add(info(11), Class.ASKED, 1)


def test_what_was_refused_for_now_comes_again_later_and_ever_later():
    queue = Queue()
    queue.add(info(1), Class.CLIP, 1)
    assert queue.take(Class.CLIP, 0)
    queue.put_off(info(1).sha256, 0)
    assert queue.take(Class.CLIP, 9_999_999) is None
    assert queue.soonest_us(Class.CLIP) == 10_000_000
    assert queue.take(Class.CLIP, 10_000_000)
    queue.put_off(info(1).sha256, 0)
    assert queue.take(Class.CLIP, 10_000_000) is None
    for _ in range(30):
        queue.put_off(info(1).sha256, 0)
    assert queue.get(info(1).sha256).not_before_us == 3_600_000_000


def test_the_table_holds_what_waits_and_nothing_else(tmp_path):
    db = ServerDb(tmp_path / "server.db")
    outbox, queue = Outbox(db.engine), Queue()
    for number in range(1200):
        queue.add(info(number), Class.BULK, number)
    queue.add(info(5), Class.ASKED, 5, 9)
    queue.leave(info(7).sha256, "confirmed")
    outbox.keep(queue.changes)
    loaded = {item.info: item for item in outbox.load()}
    assert len(loaded) == 1199
    assert (loaded[info(5)].cls, loaded[info(5)].request) == (Class.ASKED, 9)
    assert info(7) not in loaded
    outbox.keep([])
    assert outbox.spent() == {}
    outbox.keep_spent({"hour": (10, 20), "day": (30, 40)})
    assert outbox.spent() == {"hour": (10, 20), "day": (30, 40)}
    db.close()


def test_a_queue_from_items_is_the_same_queue():
    queue = Queue([Item(info(1), Class.CLIP, 4), Item(info(2), Class.CLIP, 3)])
    assert queue.take(Class.CLIP, 0).info == info(2)
    assert not queue.changes
