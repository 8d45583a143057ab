"""What is believed of a camera's address, over any story of delivering, silence, answers and new settings."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longwatch.model.surroundings import Answer
from longwatch.surroundings.addresses import SILENT_US, STREAM, Addresses
from longwatch.surroundings.asking import Heard
from longwatch.surroundings.options import Place

HALF_S = 500_000
CAMERAS = ("a", "b", "c")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("alive"), st.sampled_from(CAMERAS), st.booleans()),
        st.tuples(st.just("pass"), st.integers(1, 80), st.none()),
        st.tuples(st.just("answer"), st.sampled_from(CAMERAS), st.sampled_from(list(Answer))),
        st.tuples(st.just("move"), st.sampled_from(CAMERAS), st.integers(1, 3)),
    ),
    max_size=60,
)


class Story:
    """Three cameras behind one switch; what really happened beside what is believed."""

    def __init__(self) -> None:
        self.now_us = 1_000_000
        self.alive = {camera: True for camera in CAMERAS}
        self.counts = dict.fromkeys(CAMERAS, 0)
        self.last_us = dict.fromkeys(CAMERAS, 0)  # when something of it came last
        self.began_us: dict[str, int] = {}  # of the question that is on its way
        self.hosts = dict.fromkeys(CAMERAS, 1)
        self.addresses = Addresses(lambda camera: self.counts[camera])
        self.settle()

    def settle(self) -> None:
        places = tuple(Place(camera, f"10.0.0.{host}", 554, "hut") for camera, host in self.hosts.items())
        self.addresses.apply(places, self.now_us)

    def beat(self) -> None:
        self.now_us += HALF_S
        for camera, alive in self.alive.items():
            if alive:
                self.counts[camera] += 1
                self.last_us[camera] = self.now_us
        for asked in self.addresses.beat(self.now_us):
            name = asked.place.camera
            assert name not in self.began_us, "asked while it is being asked"
            assert self.now_us - self.last_us[name] >= SILENT_US, "asked while it delivers"
            asked.begin()
            self.began_us[name] = self.now_us

    def answer(self, camera: str, answer: Answer) -> None:
        began_us = self.began_us.pop(camera, None)
        if began_us is not None:
            self.addresses.answered(self.addresses.cameras[camera], Heard(answer, "arp"), began_us, self.now_us)

    def check(self) -> None:
        for name, camera in self.addresses.cameras.items():
            fact = camera.answer
            if fact.by == STREAM:
                assert fact.value is Answer.ANSWERS
                assert self.now_us - self.last_us[name] < SILENT_US, "what came a while ago is no answer of now"
            if fact.value is Answer.SILENT:
                assert fact.since_boot_us > self.last_us[name], "it was heard since"
            assert fact.since_boot_us <= fact.asked_boot_us <= self.now_us
            answer, silent, unknown = self.addresses.neighbours(camera)
            assert name not in answer + silent
            assert len(answer) + len(silent) + unknown == len(CAMERAS) - 1
            for other in answer + silent:
                assert self.addresses.cameras[other].answer.asked_boot_us >= fact.since_boot_us


@pytest.mark.slow
@settings(max_examples=300, deadline=None, database=None)
@given(STEPS)
def test_nothing_old_is_believed_and_nobody_is_asked_in_vain(steps: list[tuple[str, object, object]]) -> None:
    story = Story()
    for what, first, second in steps:
        if what == "alive":
            story.alive[str(first)] = bool(second)
        elif what == "answer":
            story.answer(str(first), Answer(str(second)))
        elif what == "move":
            story.hosts[str(first)] = int(str(second))
            story.settle()
        else:
            for _ in range(int(str(first))):
                story.beat()
                story.check()
        story.check()
