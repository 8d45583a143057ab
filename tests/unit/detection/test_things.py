"""From answers about crops to a word: what is asked about and when, votes, one thing through an event, and what stands beside what moves."""

from __future__ import annotations

import pytest

from longwatch.detection.crops import Crop, crop_of, holds
from longwatch.detection.layouts import Found
from longwatch.detection.things import KEPT_US, Things, carried
from longwatch.model.events import OBJECTS, Box, Sighting, Watched, Zone

BEGIN_US = 1_767_225_600_000_000
WIDE, HIGH = 640, 360
STEP_US = 200_000


def moving(box: Box, at_us: int, track: int = 1) -> Sighting:
    return Sighting("gate", "motion", at_us, 0.5, box, track)


class Case:
    """Looks at a camera where `boxes` move; the model answers what `answer` says for a crop."""

    def __init__(self, watched: Watched | None = None) -> None:
        self.things = Things(watched or Watched("gate", objects=OBJECTS))
        self.at_us = BEGIN_US
        self.asked: list[int] = []
        self.said: list[Sighting] = []

    def look(
        self, boxes: dict[int, Box], found: list[Found], *, passed_us: int = STEP_US, room: bool = True
    ) -> list[Sighting]:
        self.at_us += passed_us
        self.things.moved([moving(box, self.at_us, track) for track, box in boxes.items()], self.at_us)
        for wanted in self.things.wanted(self.at_us, WIDE, HIGH):
            if room:
                self.asked.append(self.at_us)
                self.things.answered(wanted, found, self.at_us)
            else:
                self.things.passed(wanted, self.at_us)
        self.said = self.things.said(self.at_us)
        return self.said


def at(x: float, y: float = 0.5, w: float = 0.1, h: float = 0.2) -> Box:
    return x - w / 2, y - h / 2, x + w / 2, y + h / 2


def walked(case: Case, kind: str, looks: int = 20, score: float = 0.6, x: float = 0.2) -> list[Sighting]:
    said = []
    for n in range(looks):
        box = at(x + 0.01 * n)
        said += case.look({1: box}, [Found(kind, score, box)])
    return said


def test_a_class_is_said_once_two_answers_agree_and_under_one_number_to_the_end():
    case = Case()
    said = walked(case, "person")
    assert {each.kind for each in said} == {"object.person"}
    assert len({each.track for each in said}) == 1
    assert len(said) == 18, "the first answer is not enough, and the second comes with the third look"
    assert said[-1].box == pytest.approx(at(0.39))
    assert said[-1].score == pytest.approx(0.6)


def test_it_is_asked_about_no_oftener_than_it_helps():
    case = Case()
    walked(case, "person", 50)  # ten seconds
    assert 3 <= len(case.asked) <= 5
    unknown = Case()
    for n in range(300):  # a minute of something that it does not know
        unknown.look({1: at(0.2 + 0.001 * n)}, [])
    assert 18 <= len(unknown.asked) <= 24


def test_between_answers_its_box_goes_with_what_moves():
    case = Case()
    walked(case, "vehicle", 4)
    (one,) = case.look({1: at(0.30)}, [])
    assert one.box == pytest.approx(at(0.30), abs=1e-6)
    assert carried(at(0.5), at(0.5), at(0.6, w=0.2)) == pytest.approx(at(0.6, w=0.14)), "no jump in size"


def test_votes_that_do_not_agree_say_nothing_and_a_word_once_said_stays():
    case = Case()
    for n in range(12):
        box = at(0.2 + 0.01 * n)
        case.look({1: box}, [Found("person" if n % 4 else "animal", 0.5, box)] if n % 2 == 0 else [])
    undecided = Case()
    for _ in range(10):
        box = at(0.2)
        assert undecided.look({1: box}, [Found("person", 0.6, box), Found("animal", 0.55, box)]) == []
    case = Case()
    walked(case, "animal", 6)
    later = walked(case, "person", 20, x=0.26)
    assert {each.kind for each in later} == {"object.animal"}


def test_what_is_parked_behind_it_is_none_of_it():
    case = Case()
    parked: Box = (0.1, 0.3, 0.6, 0.8)
    for n in range(15):
        box = at(0.3 + 0.01 * n)
        case.look({1: box}, [Found("vehicle", 0.9, parked), Found("person", 0.8, box)])
    assert {each.kind for each in case.said} == {"object.person"}
    alone = Case()
    for _ in range(15):
        assert alone.look({1: at(0.3)}, [Found("vehicle", 0.9, parked)]) == [], "not even where nothing else is found"


def test_two_in_one_movement_are_two_and_stay_two():
    case = Case()
    numbers = set()
    for n in range(15):
        x = 0.3 + 0.01 * n
        said = case.look({1: at(x, w=0.24)}, [Found("person", 0.8, at(x - 0.06)), Found("person", 0.7, at(x + 0.06))])
        numbers |= {each.track for each in said}
    assert len(case.said) == 2
    assert len(numbers) == 2


def test_a_part_of_a_thing_is_none_of_its_own():
    case = Case()
    for n in range(15):
        x = 0.3 + 0.01 * n
        head = Found("person", 0.6, (x - 0.02, 0.4, x + 0.02, 0.45))
        case.look({1: at(x)}, [Found("person", 0.8, at(x)), head, Found("animal", 0.5, at(x, 0.55, 0.06, 0.08))])
    assert [each.kind for each in case.said] == ["object.person"]
    for n in range(15):
        x = 0.45 + 0.01 * n
        case.look({1: at(x)}, [Found("person", 0.8, at(x)), Found("animal", 0.75, at(x, 0.55, 0.06, 0.08))])
    assert {each.kind for each in case.said} == {"object.person", "object.animal"}, "a dog before somebody"


def test_a_new_track_of_the_looker_goes_on_with_the_thing_that_is_there():
    case = Case()
    (first, *_) = walked(case, "person", 10)
    for n in range(10):
        box = at(0.3 + 0.01 * n)
        case.look({2: box}, [Found("person", 0.6, box)])
    assert [each.track for each in case.said] == [first.track]


def test_what_comes_back_after_a_while_is_another_one():
    case = Case()
    first = walked(case, "person")[-1]
    case.look({}, [], passed_us=KEPT_US + 1)
    second = walked(case, "person", 10)[-1]
    assert second.track != first.track


def test_what_comes_where_another_one_has_gone_is_not_that_one():
    case = Case()
    walked(case, "person", 12, x=0.8)
    case.look({}, [], passed_us=3_000_000)
    for n in range(12):
        box = at(0.95 - 0.03 * n, w=0.3)
        case.look({2: box}, [Found("vehicle", 0.8, box)])
    assert [each.kind for each in case.said] == ["object.vehicle"]


def test_numbers_of_a_child_that_begins_anew_are_others():
    before = walked(Case(), "person", 8)[-1]
    later = Case()
    later.at_us += 60_000_000
    assert walked(later, "person", 8)[-1].track != before.track


def test_what_there_was_no_room_for_is_asked_about_later():
    case = Case()
    for n in range(5):
        assert case.look({1: at(0.2 + 0.01 * n)}, [], room=False) == []
    assert walked(case, "person", 6, x=0.25)[-1].kind == "object.person"


def test_where_looks_are_far_apart_one_sure_answer_is_enough():
    case = Case()
    case.look({}, [])
    (one,) = case.look({1: at(0.3)}, [Found("vehicle", 0.85, at(0.3))], passed_us=4_000_000)
    assert one.kind == "object.vehicle"
    close = Case()
    close.look({}, [])
    assert close.look({1: at(0.3)}, [Found("vehicle", 0.85, at(0.3))]) == []


def test_cameras_and_zones_say_which_classes_are_told():
    everything = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
    left = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
    assert walked(Case(Watched("gate", objects=("vehicle",))), "person") == []
    zones = (
        Zone("street", left, objects=()),
        Zone("yard", everything, ("object.person",)),
        Zone("barn", everything, ("object.animal",)),
    )
    said = walked(Case(Watched("gate", zones=zones, objects=OBJECTS)), "person", 50)
    assert said
    assert min(each.box[0] + each.box[2] for each in said if each.box) / 2 >= 0.5 - 1e-9, (
        "nothing is said of the street"
    )
    assert {each.zones for each in said} == {("yard",)}


def test_a_crop_is_a_square_within_the_picture():
    assert crop_of(at(0.5, w=0.1, h=0.5), WIDE, HIGH) == Crop(185, 45, 455, 315)
    assert crop_of(at(0.02, w=0.02, h=0.02), WIDE, HIGH) == Crop(0, 148, 64, 212)
    assert crop_of((0.0, 0.0, 1.0, 1.0), WIDE, HIGH) == Crop(0, 0, WIDE, HIGH)
    assert holds(Crop(100, 100, 200, 200), (110 / WIDE, 110 / HIGH, 190 / WIDE, 190 / HIGH), WIDE, HIGH)
    assert not holds(Crop(100, 100, 200, 200), (90 / WIDE, 110 / HIGH, 190 / WIDE, 190 / HIGH), WIDE, HIGH)


def test_tracks_that_lie_in_one_crop_are_asked_about_together():
    case = Case()
    case.look({1: at(0.5, w=0.2, h=0.4), 2: at(0.55, w=0.02, h=0.04), 3: at(0.1)}, [])
    assert len(case.asked) == 2
