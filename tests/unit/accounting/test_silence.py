"""A camera's silence as its account tells it: what the surroundings refine, split and take back, and what a return does."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
from tests.unit.accounting.test_stream import KEY, Stretch, said

from longwatch.accounting import Known, PowerPlan, StreamAccount, Tail, Window
from longwatch.archive.ops import GapAdopt, GapClose, GapOpen, GapRefine, IndexOp
from longwatch.causes import Evidence, Restart
from longwatch.ledger import canonical
from longwatch.model.causes import Cause, Pause
from longwatch.model.sessions import Activity, Fault, StreamStatus
from longwatch.model.stores import GapSpan
from longwatch.model.surroundings import UNKNOWN, Answer, Learnt, Power, Surroundings

SECOND = 1_000_000
TICK_US = 600_000
OFFSET_US = 1_767_225_600 * SECOND  # the wall minus CLOCK_BOOTTIME


@dataclass
class Scene:
    """One account, driven tick by tick; times in seconds of CLOCK_BOOTTIME."""

    account: StreamAccount = field(
        default_factory=lambda: StreamAccount(KEY, Tail(OFFSET_US), None, OFFSET_US, set_up=True)
    )
    at_us: int = 0
    run: int = 1
    span_from_us: int = 0
    around: Surroundings = UNKNOWN
    power_plan: str = ""
    pause: Pause | None = None
    status: StreamStatus | None = None
    ops: list[IndexOp] = field(default_factory=list)

    def film(self, seconds: float, *, fresh: bool = False) -> None:
        """Footage; fresh: of a new session."""
        self.status = None
        if fresh:
            self.run += 1
        begins = True
        end_us = self.at_us + round(seconds * SECOND)
        from_us = OFFSET_US + self.at_us
        while self.at_us < end_us:
            self.at_us += TICK_US
            stretch = Stretch(self.run, from_us, OFFSET_US + self.at_us, begins)
            begins = False
            self.ops += self.account.tick(OFFSET_US + self.at_us, [stretch], None, None, "")

    def dark(self, seconds: float, missing: Evidence | None = None, not_planned: str = "") -> None:
        """No footage."""
        end_us = self.at_us + round(seconds * SECOND)
        step_us = TICK_US if seconds < 60 else 10 * TICK_US
        while self.at_us < end_us:
            self.at_us += step_us
            known = Known(self.at_us, self.around, self.power_plan, self.pause)
            evidence = missing or Evidence(fault=Fault.SILENT)
            self.ops += self.account.tick(OFFSET_US + self.at_us, [], evidence, self.status, not_planned, known)

    def attempt(self, fault: Fault = Fault.UNREACHABLE, number: int = 1) -> None:
        since_us = self.at_us if self.status is None or self.status.fault is not fault else self.status.since_boot_us
        self.status = StreamStatus(Activity.WAITING, since_us, fault, "no route", attempt=number)

    def fails(self, seconds: float = 4) -> None:
        """The session ended, and two attempts found nobody."""
        self.attempt(number=1)
        self.dark(seconds / 2)
        self.attempt(number=2)
        self.dark(seconds / 2)

    def address(self, answer: Answer, **more: object) -> None:
        learnt = Learnt("arp", self.at_us, self.at_us + 3600 * SECOND)
        self.around = replace(self.around, address=answer, address_learnt=learnt, switch="hut", **more)

    def alone(self) -> None:
        """Its address falls silent, a neighbour's does not."""
        self.address(Answer.SILENT, neighbours_answer=("yard",))

    def port(self, power: Power) -> None:
        self.around = replace(
            self.around, port_power=power, port_learnt=Learnt("snmp hut port 3", self.at_us, self.at_us)
        )

    def gaps(self) -> list[tuple[str, float, float | None]]:
        """Cause, beginning and end of what stands, in seconds."""
        rows: dict[int, list[object]] = {}
        for op in self.ops:
            if isinstance(op, GapOpen):
                rows[op.token] = [str(op.cause), (op.from_us - OFFSET_US) / SECOND, None]
            elif isinstance(op, GapRefine):
                rows[op.token][0] = str(op.cause)
            elif isinstance(op, GapClose):
                rows[op.token][2] = (op.to_us - OFFSET_US) / SECOND
        return [(str(c), float(str(a)), None if b is None else float(str(b))) for c, a, b in rows.values()]

    def causes(self) -> list[str]:
        return [cause for cause, _, _ in self.gaps()]

    def evidence(self) -> dict[str, object]:
        """The newest."""
        return next(op.evidence for op in reversed(self.ops) if isinstance(op, GapOpen | GapRefine))

    def entries(self) -> int:
        return sum(isinstance(op, GapOpen | GapRefine | GapClose) for op in self.ops)


def test_a_camera_switched_off_is_named_within_ten_seconds_of_the_evidence_and_the_whole_gap_is_refined() -> None:
    scene = Scene()
    scene.film(60)
    scene.dark(2)
    scene.fails(2)
    assert scene.causes() == ["camera_unreachable"]
    scene.alone()
    scene.dark(10)
    assert scene.gaps() == [("camera_switched_off", 60, None)]
    evidence = scene.evidence()
    assert evidence["inferred"] is True
    assert evidence["fault"] == "unreachable"
    assert [str(line).split(" ")[1] for line in evidence["heard"]] == ["silent"]  # type: ignore[attr-defined]  # a list
    assert evidence["address_learnt"] == "2026-01-01T00:01:04.800000Z"
    assert scene.account.dark_since_us == OFFSET_US + 60 * SECOND
    assert scene.account.evidence == evidence
    assert all(len(canonical(op.evidence)) < 2000 for op in scene.ops if isinstance(op, GapOpen | GapRefine))


def test_a_port_that_says_off_is_named_at_once() -> None:
    scene = Scene()
    scene.film(60)
    scene.port(Power.OFF)
    scene.dark(1)
    assert scene.gaps() == [("camera_switched_off", 60, None)]
    scene.fails()
    scene.alone()
    scene.dark(30)
    assert scene.causes() == ["camera_switched_off"]
    assert "inferred" not in scene.evidence(), "what a switch said is not weakened by what a neighbour lets one guess"


def test_a_port_switched_off_long_after_the_camera_was_gone_names_what_comes_then() -> None:
    scene = Scene()
    scene.film(60)
    scene.fails()
    scene.dark(3600)
    scene.port(Power.OFF)
    scene.dark(10)
    (gone, gone_from, gone_to), (off, off_from, _) = scene.gaps()
    assert (gone, gone_from, off) == ("camera_unreachable", 60, "camera_switched_off")
    assert gone_to == off_from
    assert 0 < off_from - 3664 < 10


def test_an_address_that_answers_again_says_nothing_of_before() -> None:
    scene = Scene()
    scene.film(60)
    scene.around = replace(scene.around, mains=Power.OFF, mains_learnt=Learnt("nut", scene.at_us, scene.at_us))
    scene.address(Answer.SILENT)
    scene.dark(20)
    assert scene.gaps() == [("camera_unreachable", 60, None)]
    scene.around = replace(scene.around, mains=Power.ON)
    scene.address(Answer.ANSWERS)
    scene.dark(5)
    (first, *_), (second, since, _) = scene.gaps()
    assert (first, second) == ("camera_unreachable", "stream_stalled")
    assert 80 <= since <= 84


def test_a_switch_that_dies_camera_by_camera_is_not_a_hand() -> None:
    scene = Scene()
    scene.film(60)
    scene.fails()
    scene.alone()
    scene.dark(5)
    assert scene.causes() == ["camera_switched_off"]
    scene.around = replace(scene.around, neighbours_answer=(), neighbours_silent=("yard",))
    scene.dark(10)
    assert scene.gaps() == [("camera_unreachable", 60, None)]
    assert scene.evidence()["finding"] == "no camera behind hut answers"
    refined = [op for op in scene.ops if isinstance(op, GapRefine)]
    assert [str(op.cause) for op in refined] == ["camera_unreachable", "camera_switched_off", "camera_unreachable"]


def test_a_neighbour_that_dies_an_hour_later_changes_nothing() -> None:
    scene = Scene()
    scene.film(60)
    scene.fails()
    scene.alone()
    scene.dark(3600)
    said_so_far = scene.entries()
    scene.around = replace(scene.around, neighbours_answer=(), neighbours_silent=("yard",))
    scene.dark(600)
    assert scene.causes() == ["camera_switched_off"]
    assert scene.entries() == said_so_far


def test_mains_that_failed_with_the_relay_takes_it_back_and_an_hour_later_does_not() -> None:
    for hour, cause in ((0, "camera_unreachable"), (3600, "camera_switched_off")):
        scene = Scene()
        scene.film(60)
        scene.port(Power.OFF)
        scene.dark(5 + hour)
        assert scene.causes() == ["camera_switched_off"]
        scene.around = replace(scene.around, mains=Power.OFF, mains_learnt=Learnt("nut", scene.at_us, scene.at_us))
        scene.dark(10)
        assert scene.causes() == [cause]


def test_when_mains_return_neighbours_that_start_sooner_prove_nothing() -> None:
    scene = Scene()
    scene.film(60)
    scene.around = replace(scene.around, mains=Power.OFF, mains_learnt=Learnt("nut", scene.at_us, scene.at_us))
    scene.address(Answer.SILENT, neighbours_silent=("yard",))
    scene.fails()
    scene.dark(200)
    scene.around = replace(
        scene.around, mains=Power.ON, mains_learnt=Learnt("nut", scene.at_us, scene.at_us), neighbours_answer=("yard",),
        neighbours_silent=(),
    )  # fmt: skip
    scene.dark(60)
    assert scene.causes() == ["camera_unreachable"]
    scene.dark(60)
    assert scene.causes() == ["camera_unreachable", "camera_switched_off"], (
        "but one that stays dark is told from then on"
    )


# ---- back again ----------------------------------------------------------------------------------------------------------


def off(scene: Scene, port: bool) -> None:
    scene.film(60)
    if port:
        scene.port(Power.OFF)
    else:
        scene.alone()
    scene.fails()


@pytest.mark.parametrize(
    ("port", "dark_s", "cause"),
    [
        (False, 30, "camera_unreachable"),
        (False, 120, "camera_switched_off"),
        (True, 30, "camera_switched_off"),
        (True, 120, "camera_switched_off"),
    ],
)
def test_back_soon_is_a_restart_unless_a_switch_said_off(port: bool, dark_s: float, cause: str) -> None:
    scene = Scene()
    off(scene, port)
    scene.dark(dark_s)
    assert scene.causes() == ["camera_switched_off"]
    scene.film(6, fresh=True)
    assert scene.causes() == [cause]
    if cause == "camera_unreachable":
        assert scene.evidence()["restarted"] is True
    assert scene.account.gap is None
    assert scene.account.dark_since_us is None


def test_the_refinement_of_a_closed_gap_follows_its_end() -> None:
    scene = Scene()
    off(scene, port=False)
    scene.dark(20)
    scene.ops.clear()
    scene.film(0.6, fresh=True)
    assert said(scene.ops)[:2] == [("close", OFFSET_US + 85_200_000), ("refine", "camera_unreachable")]


def test_a_camera_that_answers_again_before_it_plays_is_still_one_restart() -> None:
    scene = Scene()
    off(scene, port=False)
    scene.dark(20)
    scene.address(Answer.ANSWERS)
    scene.dark(20)
    assert scene.causes() == ["camera_switched_off", "camera_unreachable"]
    scene.attempt(Fault.REFUSED, 3)
    scene.dark(5)
    scene.film(6, fresh=True)
    assert scene.causes() == ["camera_unreachable", "camera_unreachable", "camera_refused"]


def test_a_session_that_goes_on_was_never_off() -> None:
    scene = Scene()
    scene.film(60)
    scene.alone()
    scene.dark(200)
    assert scene.causes() == ["camera_switched_off"]
    scene.film(6)
    assert scene.causes() == ["camera_unreachable"]
    assert scene.evidence()["cannot_tell_apart"] == ["network between"]


def test_what_was_known_of_a_gap_stays_said_of_what_late_footage_leaves_of_it() -> None:
    scene = Scene()
    scene.film(60)
    scene.alone()
    scene.dark(30)
    assert scene.causes() == ["camera_switched_off"]
    scene.at_us += TICK_US
    began, now = OFFSET_US, OFFSET_US + scene.at_us
    late = Stretch(1, began, began + 65 * SECOND)
    rest = Stretch(1, began + 80 * SECOND, now, True, Evidence(fault=Fault.SILENT))
    scene.ops += scene.account.tick(now, [late, rest], None, None, "")
    assert scene.gaps()[1:] == [("camera_unreachable", 65, 80)]
    assert scene.evidence()["address"] == "silent"


def test_a_session_that_was_reset_and_is_back_at_once_restarted_nothing() -> None:
    scene = Scene()
    scene.film(60)
    scene.attempt(Fault.DISCONNECTED)
    scene.dark(1.2)
    scene.film(6, fresh=True)
    assert scene.causes() == ["camera_unreachable"]
    assert "restarted" not in scene.evidence()


def test_a_restart_of_the_camera_over_a_restart_of_the_recorder() -> None:
    past = GapSpan(
        OFFSET_US + 60 * SECOND, OFFSET_US + 80 * SECOND, Cause.CAMERA_SWITCHED_OFF,
        {"inferred": True, "fault": "unreachable"}, 17,
    )  # fmt: skip
    restart = Restart(orderly=False, same_boot=True, last_heartbeat_wall_us=OFFSET_US + 80 * SECOND)
    ready_us = OFFSET_US + 90 * SECOND
    scene = Scene(StreamAccount(KEY, Tail(OFFSET_US + 80 * SECOND, (past,)), restart, ready_us), 90 * SECOND)
    scene.dark(1.2, Evidence())
    scene.attempt()
    scene.dark(10)
    scene.film(6, fresh=True)
    adopted = [op for op in scene.ops if isinstance(op, GapAdopt)]
    assert [(op.gap, op.from_us) for op in adopted] == [(17, past.from_us)]
    (refined,) = [op for op in scene.ops if isinstance(op, GapRefine) and op.token == adopted[0].token]
    assert refined.cause is Cause.CAMERA_UNREACHABLE
    assert refined.evidence["restarted"] is True
    assert "inferred" not in refined.evidence
    first, second, *_ = [op for op in scene.ops if isinstance(op, GapOpen)]
    assert (str(first.cause), str(second.cause)) == ("recorder_failed", "camera_unreachable")


# ---- no storm ------------------------------------------------------------------------------------------------------------


def test_a_flapping_link_makes_a_handful_of_entries_in_an_hour() -> None:
    scene = Scene()
    scene.film(60)
    scene.fails()
    for n in range(720):
        scene.address(Answer.SILENT if n % 2 else Answer.ANSWERS, neighbours_answer=("yard",))
        scene.dark(5)
    assert scene.entries() <= 12
    for n in range(300):
        scene.address(Answer.SILENT if n % 2 else Answer.ANSWERS, neighbours_answer=("yard",))
        scene.dark(60)
    assert scene.entries() <= 40


def test_a_gap_is_refined_a_bounded_number_of_times() -> None:
    scene = Scene()
    scene.film(60)
    scene.fails()
    for n in range(60):
        scene.attempt([Fault.UNREACHABLE, Fault.DISCONNECTED][n % 2], n)
        scene.dark(700)
    assert sum(isinstance(op, GapRefine) for op in scene.ops) <= 9
    assert scene.causes() == ["camera_unreachable"]


def test_what_changes_by_itself_is_no_news() -> None:
    scene = Scene()
    scene.film(60)
    scene.fails()
    scene.alone()
    scene.dark(10)
    said_so_far = scene.entries()
    for n in range(60):
        scene.around = replace(
            scene.around, neighbours_answer=("yard", "barn")[: 1 + n % 2], battery_percent=n, port_detail=f"{n} W",
            switch_started_boot_us=-n,
        )  # fmt: skip
        scene.dark(20)
    assert scene.entries() == said_so_far


# ---- what was wanted -----------------------------------------------------------------------------------------------------


def test_outside_of_the_power_windows_silence_is_planned_and_a_camera_that_does_not_come_back_is_told_then() -> None:
    scene = Scene()
    scene.film(60)
    scene.power_plan = "outside its power windows"
    scene.dark(2)
    scene.fails(600)
    assert scene.gaps() == [("power_plan", 60, None)]
    scene.power_plan = ""
    scene.dark(10)
    assert scene.causes() == ["power_plan", "camera_unreachable"]
    scene.power_plan = "outside its power windows"
    scene.film(60, fresh=True)
    assert scene.account.gap is None, "what it delivers is recorded"


def test_a_pause_splits_and_ends_with_its_first_picture() -> None:
    scene = Scene()
    scene.film(60)
    scene.pause = Pause(Cause.PRIVACY_PAUSE, OFFSET_US + 60 * SECOND, OFFSET_US + 120 * SECOND, 7)
    paused = Evidence(not_planned="paused", pause=scene.pause)
    scene.dark(30, paused, "paused")
    assert scene.gaps() == [("privacy_pause", 60, None)]
    assert scene.evidence()["entry"] == 7
    scene.pause = None
    scene.dark(2, paused)  # waiting for a picture that stands alone
    assert scene.causes() == ["privacy_pause"]
    scene.film(6, fresh=True)
    assert [round(to or 0) for _, _, to in scene.gaps()] == [92]
    assert "restarted" not in scene.evidence()


@pytest.mark.parametrize(
    ("minute", "asleep"),
    [(357, True), (359, True), (361, True), (362, False), (420, False), (537, False), (538, True), (541, True)],
)
def test_the_edges_of_power_windows_are_two_minutes_wide(minute: int, asleep: bool) -> None:
    plan = PowerPlan([Window(frozenset(range(7)), 360, 540)], "UTC")
    assert bool(plan.asleep(OFFSET_US + minute * 60 * SECOND)) == asleep
    assert PowerPlan(None, "UTC").asleep(OFFSET_US) == ""


def test_time_tiles_whatever_the_surroundings_say() -> None:
    import random

    rng = random.Random(5)
    scene = Scene()
    scene.film(6)
    acts: list[Callable[[], object]] = [
        lambda: scene.film(rng.randint(1, 90), fresh=rng.random() < 0.8), scene.fails, scene.alone,
        lambda: scene.dark(rng.randint(1, 200)), lambda: scene.port(rng.choice(list(Power))),
        lambda: scene.address(rng.choice(list(Answer)), neighbours_answer=(), neighbours_silent=("yard",)),
        lambda: scene.attempt(rng.choice(list(Fault)), rng.randint(1, 9)),
    ]  # fmt: skip
    for _ in range(600):
        rng.choice(acts)()
    scene.film(6, fresh=True)
    covered = [(f, t) for _, f, t in scene.gaps() if t is not None and t > f]
    from longwatch.archive.ops import SpanExtend

    spans = {(op.run, op.from_us): op.to_us for op in scene.ops if isinstance(op, SpanExtend)}
    covered += [((f - OFFSET_US) / SECOND, (t - OFFSET_US) / SECOND) for (_, f), t in spans.items()]
    at = 0.0
    for begin, end in sorted(covered):
        assert begin == pytest.approx(at, abs=1e-6)
        at = end
    assert at == pytest.approx(scene.at_us / SECOND, abs=1e-6)
