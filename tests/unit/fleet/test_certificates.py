"""Which certificates are good: by the hub's table and clock alone, the same on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from tests.support.fleet_case import NOW_US, Hub, Ledger

from longwatch.base.errors import UsageError
from longwatch.fleet.certificates import Certificates, Issued, NotEnrolledError, Verdict

DAY_US = 86_400_000_000
KEY, OTHER = b"k" * 32, b"o" * 32


class Clock:
    def __init__(self) -> None:
        self.now_us = NOW_US

    def __call__(self) -> int:
        return self.now_us


class Case:
    """Certificates over a hub whose clock is moved by hand. calls: how often one was made."""

    def __init__(self, where: str, folder: Path) -> None:
        self.clock = Clock()
        self.hub = Hub(where, folder, self.clock)
        self.certificates = Certificates(self.hub.fleet, self.clock)
        self.ledger = Ledger()
        self._serials = count(1)

    def issue(self, days: int = 90) -> Callable[[], Issued]:
        def made() -> Issued:
            serial = f"{next(self._serials):x}"
            return Issued(serial, f"pem {serial}".encode(), self.clock.now_us + days * DAY_US)

        return made

    def invite(self, secret: bytes = b"s" * 32, post: str = "ridge") -> None:
        self.hub.fleet.invite(secret, post, self.clock.now_us + DAY_US, "ada")

    def enrol(self, secret: bytes = b"s" * 32, post: str = "ridge", key: bytes = KEY) -> Issued:
        return self.certificates.enrol(secret, post, "Ridge", self.ledger.origin, self.ledger.public, key, self.issue())

    def refused(self, **which: object) -> str:
        with pytest.raises(NotEnrolledError) as caught:
            self.enrol(**which)  # type: ignore[arg-type]  # keywords of enrol
        return caught.value.reason

    def look(self, serial: str, post: str = "ridge") -> Verdict:
        return self.certificates.look(post, serial)


@pytest.fixture
def case(where: str, tmp_path: Path) -> Iterator[Case]:
    made = Case(where, tmp_path)
    yield made
    made.hub.close()


def test_a_code_is_good_once_for_one_post_for_a_day(case: Case) -> None:
    assert case.refused() == "unknown"
    case.invite()
    assert case.refused(post="swamp") == "other_post"
    first = case.enrol()
    assert (first.serial, first.again) == ("1", False)
    assert case.refused(key=OTHER) == "used"
    case.invite(b"t" * 32)
    case.clock.now_us += DAY_US + 1
    assert case.refused(secret=b"t" * 32) == "expired"
    row = case.hub.fleet.post("ridge")
    assert row is not None
    assert (row.serial, row.origin) == ("1", case.ledger.origin)


def test_the_same_key_again_is_answered_as_before_until_it_was_used(case: Case) -> None:
    case.invite()
    first = case.enrol()
    again = case.enrol()
    assert (again.serial, again.pem, again.again) == (first.serial, first.pem, True)
    assert case.certificates.admit("ridge", first.serial) is Verdict.GOOD
    assert case.refused() == "used"


def test_what_fails_within_leaves_nothing(case: Case) -> None:
    case.invite()
    with pytest.raises(UsageError):  # a key that is none: the post is not added, and the code is not used
        case.certificates.enrol(b"s" * 32, "ridge", "Ridge", case.ledger.origin, b"short", KEY, case.issue())
    assert case.hub.fleet.posts() == []
    assert case.enrol().again is False


def test_the_older_is_retired_by_the_first_use_of_the_newer(case: Case) -> None:
    case.invite()
    older = case.enrol()
    case.clock.now_us += 1
    newer = case.certificates.renew("ridge", OTHER, case.issue())
    assert case.certificates.renew("ridge", OTHER, case.issue()).serial == newer.serial
    assert case.certificates.admit("ridge", older.serial) is Verdict.GOOD
    assert case.look(newer.serial) is Verdict.GOOD
    assert case.certificates.admit("ridge", newer.serial) is Verdict.GOOD
    assert case.certificates.admit("ridge", newer.serial) is Verdict.GOOD
    assert case.look(older.serial) is Verdict.RETIRED
    row = case.hub.fleet.post("ridge")
    assert row is not None
    assert row.serial == newer.serial


def test_one_that_ended_is_expired_and_its_connection_may_go_on(case: Case) -> None:
    case.invite()
    issued = case.enrol()
    case.clock.now_us += 90 * DAY_US
    assert case.certificates.admit("ridge", issued.serial) is Verdict.EXPIRED
    assert case.certificates.standing() == {("ridge", issued.serial)}


def test_revoking_voids_certificates_and_codes_and_a_new_code_takes_back(case: Case) -> None:
    case.invite()
    first = case.enrol()
    case.certificates.admit("ridge", first.serial)
    case.invite(b"t" * 32)
    assert case.certificates.revoke("ridge", "stolen") == [first.serial]
    assert case.look(first.serial) is Verdict.REVOKED
    assert case.certificates.standing() == frozenset()
    assert case.refused(secret=b"t" * 32) == "unknown"
    case.invite(b"u" * 32)
    second = case.enrol(secret=b"u" * 32, key=OTHER)
    assert case.look(second.serial) is Verdict.GOOD
    assert case.look(first.serial) is Verdict.RETIRED  # what was stolen stays void


def test_a_serial_of_another_post_or_of_nobody_is_unknown(case: Case) -> None:
    case.invite()
    issued = case.enrol()
    assert case.look(issued.serial, "swamp") is Verdict.UNKNOWN
    assert case.look("ff") is Verdict.UNKNOWN
    with pytest.raises(UsageError):
        case.certificates.revoke("swamp", "x")
