"""Requests, commands, contacts and invites."""

from __future__ import annotations

import hashlib

import pytest
from tests.support.fleet_case import NOW_US, RIDGE, Hub, Ledger

from longwatch.base.errors import UsageError


@pytest.fixture
def fleet(hub: Hub):
    Ledger().enrol(hub.fleet)
    Ledger(post="valley").enrol(hub.fleet)
    return hub.fleet


def test_a_stretch_is_asked_for_once_until_it_is_over(fleet) -> None:
    first = fleet.want(RIDGE, "gate", "main", 10, 20, "ida", "a fire")
    assert fleet.want(RIDGE, "gate", "main", 10, 20, "bo", "me too").id == first.id
    other = fleet.want("valley", "gate", "main", 10, 20, "ida", "a fire")
    assert [row.id for row in fleet.wants(RIDGE)] == [first.id]
    assert [row.id for row in fleet.wants()] == [first.id, other.id]
    told = fleet.note_answer(first.id, "queued", bytes_=5_000, eta_s=60)
    assert (told.state, told.bytes, told.eta_s, told.changed_us) == ("queued", 5_000, 60, NOW_US)
    assert fleet.note_answer(first.id, "done", done_bytes=5_000).state == "done"
    assert fleet.note_answer(first.id, "wanted").state == "done", "what is over stays over"
    assert fleet.wants(RIDGE) == []
    assert fleet.want(RIDGE, "gate", "main", 10, 20, "ida", "again").id not in {first.id, other.id}
    assert [row.state for row in fleet.wants(RIDGE, everything=True)] == ["wanted", "done"]
    assert fleet.request(99) is None
    with pytest.raises(UsageError):
        fleet.want(RIDGE, "gate", "main", 20, 20, "ida", "")
    with pytest.raises(UsageError, match="no post"):
        fleet.want("nowhere", "gate", "main", 10, 20, "ida", "")
    with pytest.raises(UsageError):
        fleet.note_answer(first.id, "nonsense")


def test_a_command_waits_until_it_is_answered(fleet) -> None:
    made = fleet.command(RIDGE, "settings", {"yaml": "x"}, "ida", "quieter", b"signed")
    assert (made.state, made.signed, made.body) == ("waiting", b"signed", {"yaml": "x"})
    assert fleet.note_command(made.id, "sent").state == "sent"
    assert [row.id for row in fleet.commands(RIDGE)] == [made.id]
    assert fleet.note_command(made.id, "returned", {"why": "the hub was not reached"}).answer["why"]
    assert fleet.commands() == []
    assert fleet.note_command(made.id, "done").state == "returned"
    assert fleet.commands("valley", everything=True) == []


def test_a_contact_lasts_until_it_ends_or_another_begins(fleet) -> None:
    first = fleet.contact_begun(RIDGE, "10.0.0.5")
    fleet.contact_seen(first)
    second = fleet.contact_begun(RIDGE, "10.0.0.6")
    found = fleet.contacts(RIDGE)
    assert [(row.id, row.to_us is None) for row in found] == [(second, True), (first, False)]
    fleet.contact_seen(second, ended=True)
    assert all(row.to_us is not None for row in fleet.contacts())


def test_an_invite_works_once_for_its_post_until_it_expires(fleet) -> None:
    def sha(text: str) -> bytes:
        return hashlib.sha256(text.encode()).digest()

    fleet.invite(sha("old"), "cliff", NOW_US + 1, "ida")
    fleet.invite(sha("new"), "cliff", NOW_US + 1, "ida")
    assert not fleet.use_invite(sha("old"), "cliff"), "a newer one makes the older void"
    assert not fleet.use_invite(sha("new"), "ridge")
    assert fleet.use_invite(sha("new"), "cliff")
    assert not fleet.use_invite(sha("new"), "cliff")
    fleet.invite(sha("late"), "cliff", NOW_US, "ida")
    assert not fleet.use_invite(sha("late"), "cliff")
    assert fleet.invites() == []


def test_posts_are_enrolled_named_and_revoked(fleet) -> None:
    assert [row.id for row in fleet.posts()] == ["ridge", "valley"]
    fleet.take_site(RIDGE, {"cameras": [{"id": "gate"}]})
    fleet.take_status(RIDGE, {"recording": 3}, NOW_US)
    fleet.set_serial(RIDGE, "77")
    row = fleet.post(RIDGE)
    assert (row.site, row.status, row.status_us, row.serial) == (
        {"cameras": [{"id": "gate"}]},
        {"recording": 3},
        NOW_US,
        "77",
    )
    fleet.revoke(RIDGE, "stolen")
    assert fleet.post(RIDGE).revoked_why == "stolen"
    Ledger().enrol(fleet)
    assert fleet.post(RIDGE).revoked_us is None
    with pytest.raises(UsageError):
        fleet.add_post("Not a slug", "x", "1", "longwatch/a/b/1", bytes(32))
    with pytest.raises(UsageError):
        fleet.take_site(RIDGE, {"x": "y" * (2 << 20)})
    with pytest.raises(UsageError):
        fleet.revoke("nowhere", "x")


def test_a_link_that_flaps_fills_nothing(fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("longwatch.fleet.asks._KEPT_CONTACTS", 3)
    other = fleet.contact_begun("valley", "10.0.0.9")
    made = [fleet.contact_begun(RIDGE, f"10.0.0.{n}") for n in range(10)]
    assert [row.id for row in fleet.contacts(RIDGE)] == made[:-4:-1]
    assert [row.id for row in fleet.contacts("valley")] == [other]
    fleet.contact_seen(made[0])  # it is gone, and that is fine
