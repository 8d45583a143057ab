"""The post's end over real sockets and TLS, against a hub's end over a store in memory."""

from __future__ import annotations

import asyncio
import dataclasses
import errno
import random
import sqlite3
import threading

import pytest
from tests.support.uplink_memory import MemoryLog, MemoryObjects
from tests.support.uplink_pair import DialingPost, HubEndpoint, hub_keys, joined
from tests.support.wait import until

from longwatch.ledger.cosignature import cosigner_name, open_cosigned
from longwatch.model.uplink import Class
from longwatch.replication import Policy
from longwatch.replication.outbox import Outbox
from longwatch.wire.uplink import Body, Message

WALL_US = 1_767_225_600_000_000


@pytest.fixture
async def hub(tmp_path):
    endpoint = HubEndpoint(hub_keys(tmp_path / "hq"))
    await endpoint.start()
    yield endpoint
    await endpoint.aclose()


@pytest.fixture
async def dial(tmp_path, hub):
    made = []

    def make(log, site="north", policy=None, enrolment="joined", folder=None):
        data = tmp_path / (folder or site)
        if enrolment == "joined":
            enrolment = joined(data, hub.authority, site, f"127.0.0.1:{hub.port}")
        post = DialingPost(data, enrolment, log, policy)
        made.append(post)
        return post

    yield make
    for post in made:
        await post.stop()


def told(log, count=300):
    for number in range(count):
        log.write("segment_sealed", WALL_US + number, camera="gate", sequence=number)
    log.publish()


async def test_a_log_and_objects_arrive_and_what_is_confirmed_waits_no_more(hub, dial):
    log, media = MemoryLog(), MemoryObjects()
    told(log)
    post = dial(log)
    post.uplink.sources["strip"] = media
    changes = []
    post.uplink.on_change(changes.append)
    infos = [media.put(random.Random(n).randbytes(5000 + n)) for n in range(40)]
    post.start()
    assert all(post.uplink.queue_add(info, Class.STRIP, n) for n, info in enumerate(infos))
    await until(lambda: len(changes) >= 80 or len([c for c in changes if c.what == "confirmed"]) == 40)
    await until(lambda: hub.store.verified.get(("north", 1)) == 300)
    assert hub.store.logs["north", 1] == log.written
    assert hub.store.objects == media.data
    await until(lambda: (post.data / "hub" / "cosigned").exists())
    note = (post.data / "hub" / "cosigned").read_text()
    assert open_cosigned(note, cosigner_name("hq"), hub.authority.cosigner.public)
    state = post.uplink.state()
    assert state.state == "connected"
    assert state.backlog["strip"] == 0


async def test_what_waits_outlives_a_restart(hub, dial, tmp_path):
    log, media = MemoryLog(), MemoryObjects()
    told(log, 3)
    away = dial(log, enrolment=None)
    away.uplink.sources["strip"] = media
    away.start()
    info = media.put(b"x" * 9000)
    await until(lambda: away.uplink.queue_add(info, Class.STRIP, 1))
    await until(lambda: away.uplink.state().backlog["strip"] == 9000)
    assert away.uplink.state().state == "off"
    await away.stop()
    again = dial(log)
    again.uplink.sources["strip"] = media
    again.start()
    await until(lambda: hub.store.objects == media.data)


@pytest.fixture
def away(dial, tmp_path):
    """A post without a hub, and one object of 9,000 bytes that waits for one."""
    media = MemoryObjects()
    post = dial(MemoryLog(), enrolment=None)
    post.uplink.sources["strip"] = media
    return post, media.put(b"x" * 9000)


def written(post):
    with sqlite3.connect(post.data / "server.db") as db:
        return [bytes(sha256) for (sha256,) in db.execute("select sha256 from uplink_objects")]


async def test_what_waits_is_written_down_even_where_the_stop_comes_in_the_midst_of_it(away):
    post, info = away
    release = threading.Event()

    def keeps():
        return "uplink/keep" in {task.get_name() for task in asyncio.all_tasks()}

    post.start()
    await until(keeps)
    # the row's turn comes after this one; the time bounds a failure
    held = asyncio.ensure_future(post.db.call(release.wait, 20))
    try:
        assert post.uplink.queue_add(info, Class.STRIP, 1)
        await until(lambda: post.uplink.state().backlog["strip"] == 9000)
        stopping = asyncio.ensure_future(post.stop())
        await until(lambda: not keeps())
    finally:
        release.set()
    await asyncio.gather(held, stopping)
    assert written(post) == [info.sha256]


async def test_what_a_full_disk_would_not_take_is_written_when_it_does(away, monkeypatch):
    post, info = away
    keep, refused, changes = Outbox.keep, [], []

    def full(self, changes):
        if len(refused) < 2:
            refused.append(changes)
            raise OSError(errno.ENOSPC, "no space left")
        keep(self, changes)

    monkeypatch.setattr(Outbox, "keep", full)
    post.uplink.on_change(changes.append)
    post.start()
    await until(lambda: post.uplink.queue_add(info, Class.STRIP, 1))
    await until(lambda: changes)
    assert len(refused) == 2
    assert written(post) == [info.sha256]
    assert [change.what for change in changes] == ["added"]


async def test_a_cut_is_mended_quickly_and_nothing_comes_twice(hub, dial):
    log, media = MemoryLog(), MemoryObjects()
    told(log, 10)
    post = dial(log, policy=Policy(rate_bytes_s=120_000))
    post.uplink.sources["piece"] = media
    infos = [media.put(random.Random(n).randbytes(120_000), "piece") for n in range(3)]
    post.start()
    for number, info in enumerate(infos):
        post.uplink.queue_add(info, Class.BULK, number)
    for part in (1, 2):
        await until(
            lambda part=part: (
                sum(map(len, hub.store.spool.values())) + sum(map(len, hub.store.objects.values())) > part * 90_000
            )
        )
        await hub.uplinks.drop("north", 1011, "cut")
        await until(lambda part=part: post.uplink.connections > part)
    await until(lambda: hub.store.objects == media.data)
    assert hub.store.bytes_again <= 2 * (64 << 10)
    assert hub.store.committed_twice == 0


async def test_the_newer_connection_of_a_site_wins(hub, dial):
    log = MemoryLog()
    told(log, 3)
    first, second = dial(log), dial(log, folder="copy")
    first.start()
    await until(lambda: first.uplink.connected)
    second.start()
    await until(lambda: second.uplink.connected)
    await until(lambda: first.uplink.state().state == "refused")
    assert "another process" in first.uplink.state().detail
    assert hub.uplinks.superseded == 1
    assert hub.uplinks.connected("north")


async def test_messages_reach_who_they_are_for(hub, dial):
    log = MemoryLog()
    told(log, 3)
    post = dial(log)
    asked, answered = [], []

    async def want(message):
        asked.append(message)
        post.uplink.say(Message("answer", {"request": 7, "state": "queued"}))
        post.uplink.say(Body("live_frame", {"live": 1}, b"jpeg"))

    async def answer(site, message):
        answered.append((site, message))

    post.uplink.on("want", want)
    hub.uplinks.on("answer", answer)
    hub.uplinks.on("live_frame", answer)
    assert not hub.uplinks.say("north", Message("want", {}))
    post.start()
    await until(lambda: post.uplink.connected)
    assert hub.uplinks.say("north", Message("want", {"request": 7}))
    await until(lambda: len(answered) == 2)
    assert asked[0].body == {"request": 7}
    assert answered[0] == ("north", Message("answer", {"request": 7, "state": "queued"}))
    assert answered[1][1].data == b"jpeg"


async def test_what_is_wrong_is_told(hub, dial, tmp_path):
    log = MemoryLog()
    told(log, 3)
    other = hub_keys(tmp_path / "other")
    stranger = joined(tmp_path / "stranger", other, "north", f"127.0.0.1:{hub.port}")
    wrong_hub = dial(log, enrolment=stranger, folder="stranger")
    good = joined(tmp_path / "good", hub.authority, "north", f"127.0.0.1:{hub.port}")
    nowhere = dial(log, enrolment=dataclasses.replace(good, address="no-such-host.invalid:1"), folder="nowhere")
    hub.revoked.add("south")
    revoked = dial(log, "south")
    for post in (wrong_hub, nowhere, revoked):
        post.start()
    await until(lambda: wrong_hub.uplink.state().state == "refused")
    assert "is not our hub" in wrong_hub.uplink.state().detail
    await until(lambda: "is not known here" in nowhere.uplink.state().detail)
    await until(lambda: "revoked" in revoked.uplink.state().detail)


async def test_bytes_spent_are_kept_over_a_restart(hub, dial):
    log = MemoryLog()
    told(log, 500)
    policy = Policy(budget={"day": 50_000})
    post = dial(log, policy=policy)
    post.start()
    await until(lambda: hub.store.verified.get(("north", 1)) == 500)
    await until(lambda: post.uplink.state().spent["day"] > 1000)
    before = post.uplink.state().spent["day"]
    await post.stop()
    again = dial(log, enrolment=None, policy=policy)
    again.start()
    await until(lambda: again.uplink.state().spent["day"] >= before)


async def test_a_handler_that_fails_ends_neither_end_of_the_link(hub, dial):
    log = MemoryLog()
    told(log, 3)
    post = dial(log)
    reached = []

    async def broken(*_):
        reached.append(1)
        raise KeyError("request")

    post.uplink.on("want", broken)
    hub.uplinks.on("answer", broken)
    post.start()
    await until(lambda: post.uplink.connected)
    hub.uplinks.say("north", Message("want", {}))
    post.uplink.say(Message("answer", {}))
    await until(lambda: len(reached) == 2)
    told(log, 5)
    log.write("alarm_raised", WALL_US, alarm=1)
    log.publish()
    await until(lambda: hub.store.verified.get(("north", 1)) == 9)
    assert post.uplink.connections == 1


@pytest.mark.slow
async def test_a_fault_in_what_is_read_ends_a_connection_and_never_the_link(hub, dial, monkeypatch):
    log = MemoryLog()
    told(log, 3)
    post = dial(log)
    real, faults = log.logs, [1, 2]

    def logs(name):
        if faults:
            faults.pop()
            raise RuntimeError("a fault of ours")
        return real(name)

    monkeypatch.setattr(log, "logs", logs)
    post.start()
    await until(lambda: hub.store.verified.get(("north", 1)) == 3)
    assert not faults
