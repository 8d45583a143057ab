"""When a camera is asked, and what is believed of it meanwhile."""

from __future__ import annotations

import itertools

from longwatch.model.surroundings import Answer
from longwatch.surroundings.addresses import Addresses, CameraAddress
from longwatch.surroundings.asking import Heard
from longwatch.surroundings.options import Place

S = 1_000_000


class Post:
    """Cameras that deliver while they are in `alive`."""

    def __init__(self, *places: Place) -> None:
        self.alive = {place.camera for place in places}
        self.counts: dict[str, int] = {}
        self.now_us = 100 * S
        self.addresses = Addresses(self.heard)
        self.addresses.apply(places, self.now_us)

    def heard(self, camera: str) -> int:
        if camera in self.alive:
            self.counts[camera] = self.counts.get(camera, 0) + 1
        return self.counts.get(camera, 0)

    def beats(self, seconds: float) -> list[tuple[float, str]]:
        """Who was to be asked, and when; nobody answers yet."""
        began_us, asked = self.now_us, []
        while self.now_us < began_us + seconds * S:
            self.now_us += S // 2
            asked += [((self.now_us - began_us) / S, c.place.camera) for c in self.addresses.beat(self.now_us)]
        return asked

    def camera(self, name: str = "gate") -> CameraAddress:
        return self.addresses.cameras[name]

    def ask(self, answer: Answer, name: str = "gate", by: str = "arp") -> None:
        camera = self.camera(name)
        camera.begin()
        self.addresses.answered(camera, Heard(answer, by), self.now_us, self.now_us)


def place(camera: str = "gate", behind: str = "", host: str = "10.0.0.5") -> Place:
    return Place(camera, host, 554, behind)


def test_two_hundred_cameras_that_deliver_are_never_asked() -> None:
    post = Post(*(place(f"c{n}") for n in range(200)))
    assert post.beats(60) == []
    assert all(c.answer.value is Answer.ANSWERS for c in post.addresses.cameras.values())


def test_a_camera_that_falls_silent_is_asked_within_two_seconds_and_nothing_old_is_believed() -> None:
    post = Post(place())
    post.beats(5)
    post.alive.clear()
    asked = post.beats(2)
    assert asked[0][0] <= 2
    assert post.camera().answer.value is Answer.UNKNOWN


def test_it_is_asked_often_at_first_and_seldom_later() -> None:
    post = Post(place())
    post.beats(2)
    post.alive.clear()
    times = []
    began_us = post.now_us
    for _ in range(240):
        post.now_us += S // 2
        if post.addresses.beat(post.now_us):
            times.append((post.now_us - began_us) / S)
            post.ask(Answer.SILENT)
    early = [t for t in times if t < 20]
    late = [t for t in times if t > 25]
    assert len(early) >= 8
    assert len(late) <= 8
    assert max(b - a for a, b in itertools.pairwise(late)) <= 16


def test_it_is_not_asked_again_while_it_is_being_asked() -> None:
    post = Post(place())
    post.alive.clear()
    [first] = post.beats(2)[:1]
    assert first[1] == "gate"
    post.camera().begin()
    assert post.beats(30) == []


def test_an_answer_to_a_question_from_before_it_was_heard_again_says_nothing() -> None:
    post = Post(place())
    post.beats(1)
    post.alive.clear()
    post.beats(2)
    began_us = post.now_us
    post.camera().begin()
    post.alive.add("gate")
    post.beats(1)
    post.camera().end(Heard(Answer.SILENT, "arp"), began_us, post.now_us)
    assert (post.camera().answer.value, post.camera().answer.by) == (Answer.ANSWERS, "stream")


def test_a_fact_keeps_since_when_it_is_so_and_when_it_was_last_asked() -> None:
    post = Post(place())
    post.alive.clear()
    post.beats(2)
    post.ask(Answer.SILENT)
    first = post.camera().answer.learnt
    post.beats(2)
    post.ask(Answer.SILENT)
    again = post.camera().answer.learnt
    assert again.since_boot_us == first.since_boot_us
    assert again.asked_boot_us == first.asked_boot_us + 2 * S


def test_neighbours_behind_the_same_switch_are_counted_by_what_is_known_now() -> None:
    post = Post(place("a", "hut"), place("b", "hut"), place("c", "hut"), place("d", "tower"), place("e"))
    post.beats(2)
    assert post.addresses.neighbours(post.camera("a")) == (("b", "c"), (), 0)
    post.alive -= {"a", "b"}
    post.beats(2)
    assert post.addresses.neighbours(post.camera("a")) == (("c",), (), 1), "b is not known: neither"
    post.ask(Answer.SILENT, "b")
    assert post.addresses.neighbours(post.camera("a")) == (("c",), ("b",), 0)
    assert post.addresses.neighbours(post.camera("e")) == ((), (), 0)


def test_a_neighbour_bears_witness_only_by_what_was_learnt_since() -> None:
    """A dead switch is not one camera switched off, because its neighbours answered a while ago."""
    post = Post(place("a", "hut"), place("b", "hut"))
    post.alive -= {"b"}
    post.beats(60)
    post.ask(Answer.ANSWERS, "b")
    post.beats(5)
    post.alive.clear()
    post.beats(2)
    post.ask(Answer.SILENT, "a")
    assert post.addresses.neighbours(post.camera("a")) == ((), (), 1)
    assert "b" in {name for _, name in post.beats(0.5)}, "it is asked anew at once"
    post.ask(Answer.ANSWERS, "b")
    assert post.addresses.neighbours(post.camera("a")) == (("b",), (), 0)


def test_of_many_neighbours_eight_are_named() -> None:
    post = Post(*(place(f"c{n}", "hut") for n in range(200)))
    post.beats(2)
    for name in ("c0", "c5", "c199"):
        answer, silent, unknown = post.addresses.neighbours(post.camera(name))
        assert (len(answer), silent, unknown) == (8, (), 0)
        assert name not in answer


def test_another_address_in_the_settings_is_another_question() -> None:
    post = Post(place())
    post.alive.clear()
    post.beats(2)
    post.ask(Answer.SILENT)
    post.addresses.apply((place(behind="hut"),), post.now_us)
    assert post.camera().answer.value is Answer.SILENT, "the same address"
    post.addresses.apply((place(host="10.0.0.6"),), post.now_us)
    assert post.camera().answer.value is Answer.UNKNOWN
    assert post.beats(0.5)
