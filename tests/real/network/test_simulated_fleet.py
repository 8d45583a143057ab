"""`longwatch simulate fleet` against a real hub: links are cut and come back, one post comes with a day, and the hub has what they have."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from tests.support.network import Hub, network
from tests.support.wait import until, until_now

from longwatch.base.clock import SystemClock
from longwatch.config import load
from longwatch.node.demo.fleet import Fleet, Simulation, codes_of_hub
from longwatch.node.demo.fleet_page import PageWatch
from longwatch.simulate.fleet_life import Habits

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("simulated-fleet")]
WITHIN_S = 120.0
FLEET = Fleet(
    12, 2, seed=5, habits=Habits(3.0, 20.0, 3.0, 10.0), cut_every_s=5.0, cut_for_s=1.0, all_cut_at_s=4.0, all_cut_for_s=1.0, returning=2,
    away_s=3600.0, ramp_s=1.0,
)  # fmt: skip


def at_hub(hub: Hub) -> dict[str, tuple[int, str]]:
    """How many entries the hub's database has of each post, and the SHA-256 of all of them."""
    found: dict[str, tuple[int, str]] = {}
    with closing(sqlite3.connect(f"file:{hub.data}/fleet/fleet.db?mode=ro", uri=True)) as db:
        for name, number in db.execute("SELECT id, number FROM posts").fetchall():
            digest, count = hashlib.sha256(), 0
            for seq, entry in db.execute("SELECT seq, entry FROM entries WHERE post = ? ORDER BY seq", (number,)):
                assert seq == count, "nothing is lost, and nothing is there twice"
                digest.update(len(entry).to_bytes(4) + entry)
                count += 1
            found[name] = count, digest.hexdigest()
    return found


def pictures_at(hub: Hub) -> int:
    with closing(sqlite3.connect(f"file:{hub.data}/fleet/fleet.db?mode=ro", uri=True)) as db:
        return int(db.execute("SELECT count(*) FROM objects WHERE kind = 'picture'").fetchone()[0])


def events_at(hub: Hub) -> int:
    with closing(sqlite3.connect(f"file:{hub.data}/fleet/fleet.db?mode=ro", uri=True)) as db:
        return int(db.execute("SELECT count(*) FROM events").fetchone()[0])


async def lived(hub: Hub, seconds: float) -> tuple[Simulation, PageWatch]:
    page = PageWatch(hub.base, hub.token, a_second=4.0)
    simulation = Simulation(FLEET, codes_of_hub(load(hub.config)), SystemClock(), page=page)
    async with simulation.joined(asyncio.Event()):
        simulation.start()
        await asyncio.sleep(seconds)  # so long they live: what is simulated is made while it lasts
        numbers, posts = simulation.numbers, len(simulation.posts)
        await until(lambda: numbers.connections > posts and numbers.cuts >= posts, "all were cut, and have come back")
        await simulation.settle()
        until_s = time.monotonic() + WITHIN_S
        while simulation.backlog != (0, 0) and time.monotonic() < until_s:
            await asyncio.sleep(
                0.2
            )  # a real hub takes what real links bring: nothing tells when it is through, so it is asked
        assert simulation.backlog == (0, 0), simulation.report()
    await page.aclose()
    return simulation, page


def test_links_are_cut_and_come_back_and_the_hub_has_what_the_posts_have(tmp_path: Path) -> None:
    with network(tmp_path) as net:
        hub = net.hub("hq")
        simulation, page = asyncio.run(lived(hub, 6.0))
        assert at_hub(hub) == {post.id: (post.log.size, post.log.digest) for post in simulation.posts}
        assert pictures_at(hub) == simulation.numbers.pictures > 0
        assert 0 < events_at(hub) <= simulation.numbers.pictures, "they go before their pictures"
        numbers = simulation.numbers
        assert numbers.cuts >= len(simulation.posts), "all of them once, and some by themselves"
        assert numbers.connections > len(simulation.posts), "and they came back"
        assert not numbers.refused, numbers.refused
        assert max(post.log.size for post in simulation.posts) > 1_000, "two were away for an hour"
        assert any(page.seen_s.values())
        assert not page.missed, page.missed

        def shown() -> dict[str, int]:
            items = hub.get("/api/v1/posts")["items"]
            return {item["id"]: item["checkpoint"]["size"] for item in items if item["checkpoint"]}

        sizes = {post.id: post.log.size for post in simulation.posts}
        until_now(lambda: shown() == sizes, "the page of posts says so too", WITHIN_S)
        assert len(hub.get("/api/v1/cameras")["items"]) == 24
