"""What is said to people."""

from __future__ import annotations

from longwatch.model import wording
from longwatch.model.causes import Cause


def test_every_cause_is_said_in_words():
    assert set(wording.CAUSES) == set(Cause)
    assert len(set(wording.CAUSES.values())) == len(Cause)


def test_evidence_begins_with_its_sentence():
    facts = {"attempts": 3, "cannot_tell_apart": ["no power", "network"], "detail": "refused", "none": None}
    assert wording.evidence(facts) == "refused; attempts: 3; cannot tell apart: no power, network"
    times = {"heard_us": 1_767_225_600_000_000, "step_us": 1_500_000}
    assert wording.evidence(times) == "heard: 2026-01-01T00:00:00Z; step: 1.5 s"


def test_lengths_of_time():
    lengths = [wording.duration(s * 1_000_000) for s in (1, 65, 7_500, 100_000)]
    assert lengths == ["1.0 s", "1 min 05 s", "2 h 05 min", "1 d 03 h"]
