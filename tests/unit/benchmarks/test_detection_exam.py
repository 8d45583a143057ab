"""The exam's own parts: what it draws, how it reads the peer's log, and that the product can be put before it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from benchmarks.detection import peer, product, tables
from benchmarks.detection.exam import Examined, Size, plan
from benchmarks.detection.scoring import Found, Sheet, judge
from tests.scenes import BUSY, SABOTAGE, Recipe, Scene, encode

from longwatch.events.making import Maker
from longwatch.model.events import MOTION, Sighting


def test_a_plan_has_every_sabotage_by_day_by_night_and_thermal() -> None:
    made = plan(Size(6, 6, 1), 9000)
    assert len({(each.sabotage, each.look) for each in made if each.family == SABOTAGE}) == 27
    assert len({each.seed for each in made}) == len(made) == 39
    assert made == plan(Size(6, 6, 1), 9000)


def test_the_time_for_which_the_peer_keeps_an_event_open_is_taken_off() -> None:
    log = [
        (100.0, "[2:nc2] norm: Camera handler thread [2] started\n"),
        (140.0, "[1:ml1] motion_detected: Motion detected - starting event 1.\n"),
        (152.0, "[1:ml1] mlp_actions: End of event 1\n"),
        (190.0, "[1:ml1] motion_detected: Motion detected - starting event 2.\n"),
    ]
    assert peer.events(log, 100.0, 95.0, 5.0) == [Found("motion", 40.0, 47.0, 40.0), Found("motion", 90.0, 95.0, 90.0)]


def test_the_committed_configuration_of_the_peer_writes_nothing_and_can_be_changed() -> None:
    assert peer.settings()["picture_output"] == peer.settings()["movie_output"] == "off"
    assert peer.settings({"threshold": "7"})["threshold"] == "7"


def test_tables_name_what_was_missed() -> None:
    sheet = Sheet("busy 7 day yard", 300.0, (("person far", (100.0, 110.0)),), ((100.0, 110.0),))
    examined = [Examined(BUSY, "day", 7, 300.0, judge(sheet, [Found("motion", 200, 201, 200)]), 1.5)]
    said = tables.misses(examined)
    assert "| busy | 7 | day yard | missed person far | 100.0 | 110.0 |" in said
    assert "| busy | 7 | day yard | false | 200.0 | 201.0 |" in said
    assert "0 of 1" in tables.events(examined, [])


def test_what_attention_finds_and_takes_is_told_beside_the_peer() -> None:
    sheet = Sheet("busy 7 day yard", 300.0, (("person far", (100.0, 110.0)),), ((100.0, 110.0),))

    def examined(begin_s: float, cpu_s: float) -> list[Examined]:
        return [Examined(BUSY, "day", 7, 300.0, judge(sheet, [Found("motion", begin_s, 201, begin_s)]), cpu_s)]

    said = tables.attention(
        {"sparing": examined(200, 1.5), "full": examined(105, 3.0)}, examined(105, 6.0)
    ).splitlines()
    assert [line.split(" | ")[0] for line in said[4:]] == ["| sparing", "| full", "| motion"]
    assert [line.split(" | ")[-1] for line in said[4:]] == ["18.0 |", "36.0 |", "72.0 |"]
    assert ["0 of 1" in line for line in said[4:]] == [True, False, False]


def test_tables_are_put_between_their_marks(tmp_path) -> None:
    document = tmp_path / "d.md"
    document.write_text(f"a\n{tables.BEGIN}\nold\n{tables.END}\nb\n")
    tables.write(document, ["new"])
    assert document.read_text() == f"a\n{tables.BEGIN}\n\nnew\n\n{tables.END}\nb\n"


@pytest.fixture
def stream(tmp_path):
    recipe = Recipe(3, BUSY, "day", "field", 5.0, 44.0, (), 99, width=320, height=180, kbit_s=128)
    return encode(Scene(replace(recipe)), tmp_path / "scene.mp4")


@pytest.mark.slow
def test_every_sample_passes_the_product_s_gate_and_what_is_looked_at_is_counted(stream) -> None:
    run = product.watch(stream.video)
    assert run.samples == stream.pictures
    assert 5 <= run.looked <= run.samples
    assert run.cpu_s > 0


@pytest.mark.slow
def test_events_are_told_at_the_moment_of_the_sample_that_made_them_known(stream, monkeypatch) -> None:
    format_, samples = product.samples_of(stream.video)
    made = product.Product(format_)
    made.maker = Maker(product.CAMERA)
    at_us = 1_772_000_000_000_000 + 20_000_000
    monkeypatch.setattr(made.looks, "take", lambda frame: [])
    made.changes += [(21_000_000, change) for change in made.maker.sighting(Sighting(product.CAMERA, MOTION, at_us))]
    assert made.found(44_000_000) == [Found(MOTION, 20.0, 20.0, 21.0)]
    assert len(samples) == stream.pictures
