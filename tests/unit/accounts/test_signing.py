"""Signed URLs: what was signed is read back, and nothing else."""

from __future__ import annotations

import dataclasses

from hypothesis import given, settings
from hypothesis import strategies as st

from longwatch.accounts import Grant, Signer
from longwatch.accounts.signing import VALID_US

SIGNER = Signer(b"k" * 32)
GRANT = Grant("gate", 1_000, 2_000, "user:ada", 10_000 + VALID_US)


def test_a_grant_is_good_until_its_end() -> None:
    signature = SIGNER.sign(GRANT)
    assert SIGNER.read(signature, 10_000) == GRANT
    assert SIGNER.read(signature, GRANT.expires_us - 1) == GRANT
    assert SIGNER.read(signature, GRANT.expires_us) is None


def test_a_clock_set_back_does_not_lengthen_it() -> None:
    assert SIGNER.read(SIGNER.sign(GRANT), 9_999) is None


def test_another_servers_signature_is_none() -> None:
    assert Signer(b"x" * 32).read(SIGNER.sign(GRANT), 10_000) is None


def test_a_part_survives() -> None:
    part = dataclasses.replace(GRANT, part="from=1&part=media")
    assert SIGNER.read(SIGNER.sign(part), 10_000) == part


@given(st.data())
@settings(max_examples=100)
def test_no_changed_signature_is_taken(data: st.DataObject) -> None:
    signature = SIGNER.sign(GRANT)
    place = data.draw(st.integers(0, len(signature) - 1))
    letter = data.draw(st.characters())
    changed = signature[:place] + letter + signature[place + 1 :]
    if changed != signature:
        assert SIGNER.read(changed, 10_000) is None


@given(st.text(max_size=300))
@settings(max_examples=100)
def test_any_text_is_harmless(text: str) -> None:
    assert SIGNER.read(text, 10_000) is None
