"""The words for faults."""

from __future__ import annotations

import pytest

from longwatch.base.errors import UsageError
from longwatch.simulate.faults import FAULTS, Condition, Fault, parse


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("stall", Fault("stall")),
        ("stall:10@5", Fault("stall", ("10",), 5)),
        ("loss:2.5,30@0.5", Fault("loss", ("2.5", "30"), 0.5)),
        ("redirect:rtsp://h:1/a,b@3", Fault("redirect", ("rtsp://h:1/a,b",), 3)),
        ("password:a,b", Fault("password", ("a,b",))),
    ],
)
def test_a_fault_is_read(text, fault):
    assert parse(text) == fault


@pytest.mark.parametrize("text", ["", "boom", "stall@", "stall@x", "stall@-1", "stall@nan", "stall@1e99"])
def test_a_wrong_fault_is_refused_in_words(text):
    with pytest.raises(UsageError):
        parse(text)


@pytest.mark.parametrize("arg", ["x", "nan", "inf"])
def test_an_argument_that_is_no_number_is_refused(arg):
    with pytest.raises(UsageError, match="not a number"):
        parse(f"stall:{arg}").number(0, 1)


def test_every_fault_is_described_and_mending_ends_all_but_the_timestamps():
    assert all(FAULTS.values())
    condition = Condition(stalled_until_us=5, loss=0.5, loss_until_us=9, skew_s=3, wrap_after_s=1, redirect_to="x")
    condition.mend()
    assert condition == Condition(skew_s=3, wrap_after_s=1)
