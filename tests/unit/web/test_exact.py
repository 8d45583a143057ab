"""video.mp4 with `exact=1`, by real HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from tests.support.shelf import Shelf, load_clip
from tests.support.site import GATE, T0_US, Running, running_site

from longwatch.base.rfc3339 import format_us, parse_us
from longwatch.formats.bmff import Mp4File
from longwatch.ledger import kinds
from longwatch.model.stores import Provenance, RecordedSpan
from longwatch.pictures import Slots
from longwatch.playback import Recoder

S = 1_000_000
URL = "/api/v1/cameras/gate/video.mp4"


@pytest_asyncio.fixture
async def site(tmp_path: Path) -> AsyncIterator[Running]:
    """With thirty seconds of real footage of `gate` from T0_US on, and one transcode at a time."""
    async with running_site(tmp_path / "site") as running:
        serve(running, tmp_path / "shelf")
        recoder = running.deps.recoder = Recoder(Slots(1, running.clock))
        try:
            yield running
        finally:
            await recoder.aclose()


def serve(running: Running, folder: Path) -> None:
    folder.mkdir()
    shelf = Shelf(folder)
    rows = shelf.write_run(load_clip("lot"))
    index = running.index
    index.spans[GATE] = [RecordedSpan(T0_US, rows[-1].wall_end_us, 1, Provenance.NTP)]
    index.gap_list.clear()
    for name in ("segments", "fragments", "read", "sync_before"):
        setattr(index, name, getattr(shelf, name))
    running.clock.tick(120 * S)
    index.until_us = rows[-1].wall_end_us


def span(from_s: float, to_s: float, exact: str | None = "1") -> dict[str, str]:
    asked = {"from": format_us(T0_US + round(from_s * S)), "to": format_us(T0_US + round(to_s * S))}
    return asked if exact is None else asked | {"exact": exact}


async def test_it_begins_at_from_and_says_so(site: Running) -> None:
    async with site.client("viewer") as client:
        plain = await client.get(URL, params=span(7.33, 12, None))
        answer = await client.get(URL, params=span(7.33, 12))
        assert (answer.status_code, answer.headers["content-type"]) == (200, "video/mp4")
        assert parse_us(plain.headers["x-longwatch-start"]) == T0_US + 4_800_000
        assert parse_us(answer.headers["x-longwatch-start"]) == T0_US + 7_360_000
        file, stored = Mp4File.from_bytes(answer.content), Mp4File.from_bytes(plain.content)
        early = {stored.data(s) for s in stored.tracks[0].samples if s.dts < (9_600_000 - 4_800_000) * 9 // 100}
        assert not early & {file.data(s) for s in file.tracks[0].samples}
        off = await client.get(URL, params=span(7.33, 12, "0"))
        assert off.content == plain.content
        wrong = await client.get(URL, params=span(7.33, 12, "perhaps"))
        assert (wrong.status_code, set(wrong.json())) == (422, {"what", "why", "remedy"})
        described = (await client.get("/api/v1/openapi.json")).json()["paths"]["/api/v1/cameras/{id}/video.mp4"]["get"]
    assert "exact" in {parameter["name"] for parameter in described["parameters"]}


async def test_ranges_of_two_servers_make_one_file(site: Running, tmp_path: Path) -> None:
    """A player may ask piece by piece, be answered by a server that was started since, and by a hub that has the same footage."""
    async with running_site(tmp_path / "other") as other:
        serve(other, tmp_path / "shelf-of-other")
        recoder = other.deps.recoder = Recoder(Slots(1, other.clock))
        try:
            async with site.client("viewer") as here, other.client("viewer") as there:
                head = await here.head(URL, params=span(7.33, 20))
                size, etag = int(head.headers["content-length"]), head.headers["etag"]
                pieces = []
                for n, start in enumerate(range(0, size, 100_000)):
                    asked = {"Range": f"bytes={start}-{start + 99_999}", "If-Range": etag}
                    answer = await (here, there)[n % 2].get(URL, params=span(7.33, 20), headers=asked)
                    assert (answer.status_code, answer.headers["etag"]) == (206, etag)
                    pieces.append(answer.content)
                whole = await there.get(URL, params=span(7.33, 20))
                same = await there.get(URL, params=span(7.33, 20), headers={"If-None-Match": etag})
        finally:
            await recoder.aclose()
    assert len(pieces) > 3
    assert b"".join(pieces) == whole.content
    assert same.status_code == 304


async def test_it_is_entered_as_other_viewing(site: Running) -> None:
    async with site.client("viewer") as client:
        played = {"Sec-Fetch-Dest": "video"}
        assert (await client.get(URL, params=span(7, 12), headers=played)).status_code == 200
    await site.accounts.journal.settle()
    await site.accounts.journal.deliver(site.deps.recorder)
    [viewing] = [entry for entry in site.recorder.taken if entry["kind"] == kinds.VIEWING]
    assert (viewing["body"]["what"], viewing["body"]["from_us"], viewing["body"]["to_us"]) == (
        "recorded", T0_US + 7 * S, T0_US + 12 * S,
    )  # fmt: skip


async def test_where_all_transcodes_are_in_use_it_is_refused_with_words(
    site: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("longwatch.playback.recoded.WAIT_S", 0.01)
    assert site.deps.recoder is not None
    slot = site.deps.recoder.slots.take("yard", "main", "live")
    async with site.client("viewer") as client:
        refused = await client.get(URL, params=span(7.33, 12))
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
        assert refused.json()["what"] == "all 1 transcodes of this post are in use"
        assert (await client.get(URL, params=span(4.8, 12))).status_code == 200, (
            "where nothing is encoded it takes none"
        )
        site.deps.recoder.slots.give_back(slot)
        assert (await client.get(URL, params=span(7.33, 12))).status_code == 200
        assert site.deps.recoder.slots.running == ()
        site.deps.recoder.slots.limit = 0
        assert (await client.get(URL, params=span(7.33, 12))).status_code == 200, "what was made is kept"
        never = await client.get(URL, params=span(8.33, 12))
        assert (never.status_code, never.json()["why"]) == (503, "`transcodes` is 0 in its settings")


async def test_a_signed_url_for_it_opens_nothing_from_before(site: Running) -> None:
    asked = span(7.33, 12, None)
    async with site.client("viewer") as client, site.client() as player:
        wrong = {"what": "playlist.m3u8", "exact": True, **asked}
        assert (await client.post("/api/v1/cameras/gate/signed-url", json=wrong)).status_code == 422
        signed = await client.post("/api/v1/cameras/gate/signed-url", json={"exact": True, **asked})
        url = httpx.URL(json.loads(signed.text)["url"])
        assert url.params["exact"] == "1"
        answer = await player.get(url)
        assert answer.status_code == 200
        assert parse_us(answer.headers["x-longwatch-start"]) == T0_US + 7_360_000
        assert (await player.get(url.copy_merge_params(span(8, 12)))).status_code == 200
        for less in (url.copy_remove_param("exact"), url.copy_set_param("exact", "0")):
            refused = await player.get(less)
            assert (refused.status_code, refused.json()["what"]) == (
                403, "this signed URL is for video.mp4 with exact=1",
            )  # fmt: skip
        for other in ("playlist.m3u8", "segment.mp4"):
            refused = await player.get(str(url).replace("video.mp4", other))
            assert refused.status_code == 403, other
        plain = (await client.post("/api/v1/cameras/gate/signed-url", json=asked)).json()["url"]
        assert (await player.get(plain)).status_code == 200
        assert (await player.get(f"{plain}&exact=1")).status_code == 200
