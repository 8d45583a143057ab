"""Real sockets, real TLS, real TCP over a thin link between namespaces: alarms before bulk, the link used, cuts of both kinds, and what idleness costs."""

from __future__ import annotations

import time

import pytest
from tests.real.network.namespaces import Link, link
from tests.support.measured import stretch
from tests.support.netns import in_namespaces
from tests.support.wait import until_now

from longwatch.node.post.uplink import PING_EVERY_S

pytestmark = [pytest.mark.timeout(900), pytest.mark.xdist_group("rig")]

SPAN_S = 8.0
PING_BYTES = 84 + 80 + 2 * 52
"""A ping and its answer, each in TLS, and TCP's word for each, as they are on the wire."""
_AROUND_A_PING_S = 4.0


def committed(it: Link) -> int:
    return sum(line["size"] for line in list(it.hub.lines) if line["what"] == "object")


def before_the_ping(it: Link) -> None:
    """Return with so much time before the next ping that none comes into what is measured: on a slow machine one did, and counted as if there was one every few seconds."""
    connected_at = max(line["at"] for line in it.post.lines if line["what"] == "connected")

    def far() -> bool:
        pings, since_s = divmod(time.monotonic() - connected_at, PING_EVERY_S)
        return (not pings or since_s > _AROUND_A_PING_S) and PING_EVERY_S - since_s > SPAN_S + _AROUND_A_PING_S

    until_now(far, "the ping is through", seconds=2 * PING_EVERY_S)


def stood_still(it: Link) -> tuple[int, int]:
    """Bytes so far, once none came for a second (for longer on a slow machine): what was said and answered is through."""

    def through() -> tuple[int, int] | None:
        before = it.wire_bytes()
        time.sleep(stretch())  # the stretch in which nothing may come
        return before if it.wire_bytes() == before else None

    return until_now(through, "nothing more is on the wire")


@in_namespaces
def test_alarms_go_before_bulk_and_the_link_is_used(tmp_path):
    with link(tmp_path) as it:
        it.set(rate_bits_s=64_000, delay_s=0.05)
        it.connected()
        it.post.say("object BULK 20000 60")
        it.hub.wait(what="object")
        before = stretch()
        sent, begun = it.wire_bytes()[0], time.monotonic()
        took = []
        for number in range(10):
            it.post.say("alarm")
            written = it.post.wait(what="alarm")
            took.append(it.hub.wait(what="head", size=written["size"])["at"] - written["at"])
            time.sleep(0.3 + 0.11 * (number % 5))  # at any moment of what the link carries beside it
        used = (it.wire_bytes()[0] - sent) * 8 / (time.monotonic() - begun) / 64_000
        print(f"alarm over bulk: median {sorted(took)[5]:.2f} s, slowest of 10 {max(took):.2f} s; link used {used:.2f}")
        held_up = max(before, stretch())  # what the machine does beside it takes time from both ends
        assert sorted(took)[8] < 1.0 * held_up, took
        assert used >= 0.9 / held_up


# Cuts of both kinds are held over real sockets by test_uplink_killed (a kill, a cut), and over simulated ones by tests/rig/test_link (one-way, 20 stories).
@pytest.mark.long
@in_namespaces
def test_a_cut_and_a_deaf_link_cost_a_chunk_and_no_more(tmp_path):
    with link(tmp_path) as it:
        it.set(rate_bits_s=512_000, delay_s=0.02)
        it.connected()
        it.post.say("object BULK 300000 1")
        time.sleep(2.5)  # a part of it is to be there
        it.post.end()  # killed: what was sent of it stays at the hub
        it.post = it.start_post()
        it.connected()
        it.post.say("object BULK 200000 1")
        time.sleep(1.5)  # the same of this one
        it.set(down=True)
        time.sleep(1.0)  # the link is down for so long
        it.set(down=False, down_b=True)  # the hub hears us, and we do not hear it
        time.sleep(2.0)  # it is deaf for so long
        it.set(down_b=False)
        it.post.say("alarm")
        size = it.post.wait(what="alarm")["size"]
        it.hub.wait(120, what="head", size=size)
        done = next((line for line in it.hub.lines if line["what"] == "object"), None) or it.hub.wait(
            120, what="object"
        )
        assert done["size"] == 200_000
        assert done["again"] <= 32 << 10


@in_namespaces
def test_an_idle_camera_costs_little(tmp_path):
    """One seal in 20 s is more than a camera with two streams makes (one each a minute). What lies between two seals is measured for 8 s, and a minute's ping is counted for what it
    is a minute. What a busy machine made TCP send twice is not counted.
    """
    with link(tmp_path) as it:
        it.set(rate_bits_s=64_000, delay_s=0.05)
        it.connected()
        it.hub.wait(what="head")
        before_the_ping(it)
        before, again = stood_still(it), it.bytes_again()
        it.post.say("seal")
        it.hub.wait(what="head", size=it.post.wait(what="seal")["size"])
        sealed, again_sealed = stood_still(it), it.bytes_again()
        of_seal = sum(sealed) - sum(before) - (again_sealed - again)
        before_the_ping(it)
        begin, again_begun, begun = it.wire_bytes(), it.bytes_again(), time.monotonic()
        time.sleep(SPAN_S)  # the span that is measured
        after, span_s, again_after = it.wire_bytes(), time.monotonic() - begun, it.bytes_again()
        between = sum(after) - sum(begin) - (again_after - again_begun)
        rate = (of_seal / 20 + between / span_s + PING_BYTES / PING_EVERY_S) * 8
        print(
            f"an idle camera: {rate:.0f} bit/s; a seal {of_seal} bytes ({sealed[0] - before[0]} up, {sealed[1] - before[1]} down, {again_sealed - again} of them again), "
            f"{between} bytes in {span_s:.0f} s between; TCP sent {again_after - again} bytes again"
        )
        assert rate < 500
