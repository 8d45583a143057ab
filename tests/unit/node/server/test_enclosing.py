"""What goes with a message: the best picture of an event, its short film from real footage, each entered before it goes; and what does not go."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import av
import pytest
import pytest_asyncio
from tests.support.shelf import Shelf, load_clip
from tests.support.site import GATE, T0_US, Running, running_site

from longwatch.accounts.who import BY_MESSAGE
from longwatch.base.clock import ManualClock
from longwatch.ledger import kinds
from longwatch.model.areas import Area
from longwatch.model.event_rows import Asked
from longwatch.model.events import Sighting
from longwatch.model.stores import Provenance, RecordedSpan
from longwatch.node.server import enclosing
from longwatch.node.server.enclosing import Enclosing, may_leave
from longwatch.node.server.notifying import best_picture
from longwatch.node.watch.watching import Watching
from longwatch.notify.letter import Enclosure, Letter
from longwatch.notify.options import CLIP, PICTURE
from longwatch.web.deps import Site, SiteCamera

pytestmark = pytest.mark.asyncio(loop_scope="module")
S = 1_000_000
JPEG = b"\xff\xd8 a picture \xff\xd9"


@pytest_asyncio.fixture(loop_scope="module")
async def site(tmp_path: Path) -> AsyncIterator[Running]:
    """Thirty seconds of real footage of `gate`; an event in it with a picture, and one of `yard` with neither."""
    async with running_site(tmp_path / "site") as running:
        (tmp_path / "shelf").mkdir()
        shelf = Shelf(tmp_path / "shelf")
        rows = shelf.write_run(load_clip("lot"))
        index = running.index
        index.spans[GATE] = [RecordedSpan(T0_US, rows[-1].wall_end_us, 1, Provenance.NTP)]
        index.gap_list.clear()
        for name in ("segments", "fragments", "read", "sync_before"):
            setattr(index, name, getattr(shelf, name))
        index.first_us = T0_US
        index.until_us = rows[-1].wall_end_us
        running.clock.tick(120 * S)
        desk = running.deps.events
        assert isinstance(desk, Watching)
        await desk.sightings([Sighting("gate", "motion", T0_US + n * S) for n in (8, 9)])
        await desk.sightings([Sighting("yard", "motion", T0_US + 8 * S)])
        gate = event_of(running, "gate")
        stored = desk.store.one(gate)
        assert stored is not None
        file = desk.pictures._path("gate", gate, stored.event.from_us)
        file.parent.mkdir(parents=True)
        file.write_bytes(JPEG)
        await running.accounts.db.call(desk.store.pictured, gate, stored.event.best_us)
        yield running


def event_of(site: Running, camera: str) -> str:
    assert isinstance(site.deps.events, Watching)
    return site.deps.events.store.find(Asked(0, 1 << 52, [camera]), 1)[0].event.id


def letter(*threads: str) -> Letter:
    return Letter(1, "k", "mail", "", "title", "body", "", False, 0, {"about": list(threads)})


def made(site: Running, *, leave: bool = True, clock: ManualClock | None = None) -> Enclosing:
    assert site.deps.events is not None
    return Enclosing(
        site.deps.events, site.index, site.accounts.journal, site.deps.read, clock or site.clock, lambda _camera: leave
    )


def of(found: tuple[Enclosure, ...]) -> list[tuple[str, str, str]]:
    return [(one.kind, one.name, one.media_type) for one in found]


async def entered(site: Running) -> list[dict[str, Any]]:
    before = len(site.recorder.taken)
    await site.accounts.journal.settle(all_that_waits=True)
    await site.accounts.journal.deliver(site.deps.recorder)
    return [one for one in site.recorder.taken[before:] if one["kind"] == kinds.VIEWING]


async def test_the_picture_goes_and_is_entered_as_a_look_by_whoever_reads_the_channel(site: Running) -> None:
    found = await made(site).enclose(letter(f"event/{event_of(site, 'gate')}", "alarm/3"), PICTURE)
    assert of(found) == [("picture", found[0].name, "image/jpeg")]
    assert found[0].name.startswith("gate-20")
    assert ":" not in found[0].name
    assert found[0].data == JPEG
    [viewing] = await entered(site)
    assert (viewing["body"]["camera"], viewing["body"]["what"]) == ("gate", "still")
    assert viewing["person"]["subject"] == BY_MESSAGE
    assert "mail" in viewing["person"]["text"]


async def test_the_film_is_that_of_the_event_and_plays(site: Running) -> None:
    picture, clip = await made(site).enclose(letter(f"event/{event_of(site, 'gate')}"), CLIP)
    assert (picture.kind, clip.kind, clip.media_type) == ("picture", "clip", "video/mp4")
    assert (clip.at_us, clip.to_us) == (T0_US + 3 * S, T0_US + 13 * S)
    with av.open(io.BytesIO(clip.data), "r") as film:
        assert film.duration is not None
        assert 9 < film.duration / av.time_base < 13
    looks = [one["body"] for one in await entered(site)]
    told = {(look["what"], look["from_us"]) for body in looks for look in [body, *body.get("also", [])]}
    assert ("recorded", T0_US + 3 * S) in told


async def test_what_may_not_leave_does_not_and_nothing_is_entered(site: Running) -> None:
    assert await made(site, leave=False).enclose(letter(f"event/{event_of(site, 'gate')}"), CLIP) == ()
    assert await made(site).enclose(letter("event/ffffffffffffffffffffff", "alarm/3"), CLIP) == ()
    assert await entered(site) == []


async def test_a_picture_that_does_not_come_is_not_waited_for_without_an_end(site: Running) -> None:
    clock = ManualClock()
    work = asyncio.create_task(made(site, clock=clock).enclose(letter(f"event/{event_of(site, 'yard')}"), CLIP))
    while not work.done():
        await clock.advance(0.5)
        await asyncio.wait({work}, timeout=0.02)  # it reads on threads
    assert work.result() == ()
    assert clock.boottime_us() >= int(enclosing.PATIENCE_S * S), "it was waited for"


async def test_of_what_is_long_over_nothing_is_waited_for(site: Running) -> None:
    """A message that was held up, with others behind it: no time passes here."""
    event = event_of(site, "yard")
    assert site.clock.wall_us() - T0_US > 9 * S + enclosing.FRESH_US
    assert await asyncio.wait_for(made(site).enclose(letter(f"event/{event}"), CLIP), 60.0) == ()


async def test_a_film_that_is_too_large_for_a_mail_stays(site: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enclosing, "MOST_CLIP_BYTES", 1_000)
    found = await made(site).enclose(letter(f"event/{event_of(site, 'gate')}"), CLIP)
    assert [one.kind for one in found] == ["picture"]


async def test_the_broker_gets_the_picture_too_where_it_may_leave(site: Running) -> None:
    assert site.deps.events is not None
    event = event_of(site, "gate")
    assert await best_picture(site.deps.events, site.deps.read, lambda _: True, event) == JPEG
    assert await best_picture(site.deps.events, site.deps.read, lambda _: False, event) is None


async def test_nothing_leaves_of_a_camera_with_shades_or_that_is_withheld_or_unknown() -> None:
    cameras = (SiteCamera("gate", "Gate"), SiteCamera("yard", "Yard", shades=1, shaded=(Area("window", ()),)))
    site = Site("ridge", "Ridge", "UTC", cameras)
    assert [may_leave(camera, site, ("road",)) for camera in ("gate", "yard", "road", "gone")] == [
        True,
        False,
        False,
        False,
    ]
    assert not may_leave("gate", site, ("gate",))
