"""What each alarm says: for every kind and cause in every language, with no key in place of words, and nothing of another language but what a device said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from longwatch.accounting.alarm_words import sentence
from longwatch.base.messages import LANGUAGES
from longwatch.model.alarms import Acknowledgement, Alarm, AlarmKind
from longwatch.model.causes import PLANNED, Cause
from longwatch.model.events import TAMPERS
from longwatch.model.said import has
from longwatch.model.silence import Silence

RAISED = sorted(set(Cause) - PLANNED - {Cause.NEVER_RECORDED})
"""Causes that an alarm may have."""


def made(kind: AlarmKind, body: Mapping[str, object], *, ended: bool = False) -> Alarm:
    return Alarm(7, kind, "gate", 1, 2 if ended else None, 0, body)


def every() -> Iterator[Alarm]:
    """One of each sentence that there is."""
    for cause in RAISED:
        yield made(AlarmKind.CAMERA_SILENT, {"cause": cause, "mains": "off"})
    yield made(AlarmKind.CAMERA_SILENT, {"cause": Cause.CAMERA_SWITCHED_OFF, "evidence": {"inferred": True}})
    yield made(AlarmKind.CAMERA_SILENT, {"cause": Cause.RECORDER_FAILED, "evidence": {"fault": "no_secret"}})
    for gaps in (1, 2):
        yield made(AlarmKind.UNKNOWN_CAUSE, {"gaps": gaps, "missing_us": 12_340_000})
    yield made(AlarmKind.ACCOUNTING_REDUCED, {"subject": "stop"})
    yield made(AlarmKind.ACCOUNTING_REDUCED, {"reduces": ["DETAIL"] * 5})
    for cause in (Cause.STORAGE_FULL, Cause.STORAGE_FAILED):
        for subject in ("index", "/data"):
            yield made(AlarmKind.STORAGE, {"cause": cause, "subject": subject, "evidence": {"detail": "DETAIL"}})
    yield made(AlarmKind.LEDGER, {})
    yield made(AlarmKind.LEDGER, {"evidence": {"detail": "DETAIL"}})
    yield made(AlarmKind.UNCONFIRMED_REMOVED, {})
    for evidence in ({"overruled": "max_age"}, {"overruled": "recording"}, {"days": 1}, {"days": 9}):
        yield made(AlarmKind.HOLD, {"evidence": {"hold": 41, **evidence}})
    for why in Silence:
        yield made(AlarmKind.POST_SILENT, {"cause": str(why), "evidence": {"name": "North"}})
    for how in TAMPERS:
        yield made(AlarmKind.CAMERA_BLIND, {"cause": how})


def test_every_kind_and_every_cause_is_among_them() -> None:
    assert {alarm.kind for alarm in every()} == set(AlarmKind)
    for cause in RAISED:
        assert has(f"alarms.why.{cause}"), cause
    for why in Silence:
        assert has(f"alarms.silence.{why}"), why
    for how in TAMPERS:
        assert has(f"alarms.how.{how}"), how
        assert has(f"events.kind.tamper_{how}"), how


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_says_something_of_its_own_in_every_language(language: str) -> None:
    told = [sentence(alarm, "Gate", language) for alarm in every()]
    assert len(set(told)) == len(told)
    for text in told:
        assert "alarms." not in text
        assert "{" not in text
        assert text.endswith((".", "。", "！")), text
    if language != "en":
        english = {sentence(alarm, "Gate") for alarm in every()}
        assert not english & set(told)


def test_what_is_over_and_nobody_acknowledged_is_said() -> None:
    over = made(AlarmKind.UNCONFIRMED_REMOVED, {}, ended=True)
    assert sentence(over).endswith("It is over, and nobody has acknowledged it.")
    assert sentence(over, "", "fr").endswith("personne ne l’a acquitté.")
    seen = Alarm(7, over.kind, "gate", 1, 2, 0, {}, Acknowledgement(9, 3, "ada", "seen"))
    assert "nobody" not in sentence(seen)


def test_what_a_disk_or_the_settings_said_stands_in_its_own_words() -> None:
    full = made(
        AlarmKind.STORAGE,
        {"cause": "storage_full", "subject": "v", "evidence": {"path": "/data", "detail": "errno 28"}},
    )
    assert sentence(full, "", "es") == "El volumen /data está lleno. errno 28."
    less = made(AlarmKind.ACCOUNTING_REDUCED, {"reduces": ["camera barn is removed", "b", "c", "d", "e"]})
    assert sentence(less).endswith(" camera barn is removed; b; c. And 2 more.")


@pytest.mark.parametrize("body", [
    {"cause": "of a newer version"}, {"cause": None, "evidence": "none"}, {"gaps": "many", "missing_us": None}, {"reduces": "text"}, {"reduces": [1, None]},
    {"evidence": {"hold": None, "days": "x", "detail": 5}},
])  # fmt: skip
def test_what_another_version_wrote_is_said_all_the_same(body: dict[str, object]) -> None:
    for kind in AlarmKind:
        assert sentence(made(kind, body), "Gate", "sw")


def test_a_camera_whose_secret_is_missing_is_not_taken_for_a_broken_program_alone() -> None:
    body = {"cause": Cause.RECORDER_FAILED, "evidence": {"fault": "no_secret", "detail": "its secret GATE is missing"}}
    assert "Its password is missing in the secrets file." in sentence(made(AlarmKind.CAMERA_SILENT, body), "Gate")
    body["evidence"] = {"fault": "masking"}
    assert "password" not in sentence(made(AlarmKind.CAMERA_SILENT, body), "Gate")
