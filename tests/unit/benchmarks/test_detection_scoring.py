"""The rules of the exam of detection: what is found, what is false, what is sabotage."""

from __future__ import annotations

import pytest
from benchmarks.detection.scoring import Found, Sheet, Total, joined, judge, poisson, wilson, without
from tests.scenes.truth import LEAST_CONTRAST, LEAST_PIXELS, Moment, Sabotage, Thing, Truth


def sheet(*wanted: tuple[float, float], **more) -> Sheet:
    return Sheet("s", 600.0, tuple(("person", w) for w in wanted), shown=wanted, **more)


def motion(a: float, b: float, told: float | None = None) -> Found:
    return Found("motion", a, b, a if told is None else told)


def test_an_event_that_overlaps_finds_and_is_not_false() -> None:
    said = judge(sheet((100, 120)), [motion(103, 119)])
    assert (said.missed, said.false, said.delays_s) == ((), (), (3.0,))


def test_an_event_just_too_late_finds_nothing_and_is_not_false_either() -> None:
    assert judge(sheet((100, 120)), [motion(122, 123)]).missed == ()
    said = judge(sheet((100, 120)), [motion(122.1, 123)])
    assert [label for label, _ in said.missed] == ["person"]
    assert said.false == ()


def test_tampers_find_no_things() -> None:
    assert len(judge(sheet((100, 120)), [Found("tamper.moved", 100, 120, 100)]).missed) == 1


def test_an_event_elsewhere_is_false_and_two_close_together_are_one() -> None:
    assert len(judge(sheet((100, 120)), [motion(300, 301), motion(308, 309)]).false) == 1
    assert len(judge(sheet((100, 120)), [motion(300, 301), motion(312, 313)]).false) == 2


def test_an_event_that_never_ends_finds_everything_and_pays_for_it() -> None:
    said = judge(sheet((100, 120), (300, 310)), [motion(0, 600)])
    assert said.missed == ()
    assert len(said.false) == (2 + 3 + 5)  # 30..97, 125..297, 315..600: one more for each full minute


def test_a_short_tail_is_forgiven() -> None:
    assert judge(sheet((100, 120)), [motion(100, 134)]).false == ()
    assert len(judge(sheet((100, 120)), [motion(100, 136)]).false) == 1


def test_nothing_is_judged_while_it_learns_or_is_neutral() -> None:
    said = judge(sheet(neutral=((200.0, 300.0),)), [motion(10, 20), motion(250, 251)])
    assert said.false == ()
    assert said.judged_s == 600 - 30 - 100


DONE = Sabotage("covered", 100.0, 102.0, 160.0)


@pytest.mark.parametrize(
    ("told", "late"), [(99.7, 0.0), (101, 0.0), (105, 3.0), (112, 10.0), (112.1, None), (99, None)]
)
def test_sabotage_is_raised_in_time_or_not(told: float, late: float | None) -> None:
    said = judge(sheet(sabotage=(DONE,)), [Found("tamper.covered", 90, 150, told)])
    assert said.raised == (("covered", late),)
    assert len(said.false_tampers) == (told == 99)


def test_its_right_name_is_counted_apart() -> None:
    assert judge(sheet(sabotage=(DONE,)), [Found("tamper.turned", 103, 150, 103)]).named == 0
    assert (
        judge(
            sheet(sabotage=(DONE,)), [Found("tamper.turned", 103, 150, 103), Found("tamper.covered", 130, 150, 130)]
        ).named
        == 1
    )


def test_sabotage_in_a_quiet_scene_is_false_even_where_motion_is_neutral() -> None:
    said = judge(
        sheet(neutral=((200.0, 300.0),)), [Found("tamper.frozen", 250, 260, 250), Found("tamper.frozen", 5, 6, 5)]
    )
    assert said.false_tampers == (("tamper.frozen", (250, 260)),)


def test_totals_add_up() -> None:
    total = Total([judge(sheet((100, 120), (200, 220)), [motion(100, 101)]), judge(sheet(), [motion(400, 401)])])
    assert (total.wanted, total.hits, total.false, total.recall) == (2, 1, 1, 0.5)
    assert total.hours == pytest.approx(1140 / 3600)


def test_intervals() -> None:
    assert joined([(5, 6), (1, 3), (2, 4)]) == [(1, 4), (5, 6)]
    assert joined([(5, 6), (1, 4)], 1) == [(1, 6)]
    assert without((0, 10), [(-5, 1), (3, 4), (9, 20)]) == [(1, 3), (4, 9)]


def test_confidence() -> None:
    assert wilson(98, 100) == pytest.approx((0.930, 0.9945), abs=2e-3)
    assert poisson(0) == pytest.approx((0, 3.689), abs=1e-3)
    assert poisson(5) == pytest.approx((1.623, 11.668), abs=1e-3)


def moment(at: float, x: float, pixels: float = 400, contrast: float = 40) -> Moment:
    return Moment(at, (x, 0.5, x + 0.03, 0.6), pixels, contrast, 1.0)


def walk(**changed) -> Thing:
    return Thing("person", "crossing", [moment(i / 10, 0.2 + i * 0.01, **changed) for i in range(30)])


def test_a_thing_counts_by_size_contrast_time_and_way() -> None:
    assert walk().counts(0.1)
    assert not walk(pixels=LEAST_PIXELS - 1).counts(0.1)
    assert not walk(contrast=LEAST_CONTRAST - 1).counts(0.1)
    assert not Thing("person", "", walk().moments[:9]).counts(0.1)
    assert not Thing("person", "", [moment(i / 10, 0.2) for i in range(30)]).counts(0.1)


def test_truth_of_a_scene_comes_back_from_its_file(tmp_path) -> None:
    truth = Truth(
        7, "busy", "day", "day yard", 10.0, 60.0, [walk(), walk(contrast=1)], [DONE], [(0.0, 30.0, "learning")]
    )
    truth.save(tmp_path / "t.json")
    assert Truth.load(tmp_path / "t.json") == truth
    assert Sheet.of(truth).wanted == (("person crossing", (0.0, 2.9)),)
    assert Sheet.of(truth).shown == ((0.0, 2.9), (0.0, 2.9))
