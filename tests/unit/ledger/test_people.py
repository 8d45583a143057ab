"""Commitments, as the reference page writes them down."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from longwatch.ledger import people

PAGE = Path(__file__).parents[3] / "docs" / "ref" / "ledger-format.md"
TEXT = '{"address":"10.0.0.1","user":"Kari Nordmann"}'


def test_the_vector_of_the_page() -> None:
    salt = bytes(range(32))
    digest = people.commitment(salt, TEXT)
    assert digest == hashlib.sha256(b"longwatch personal 1\n" + salt + TEXT.encode()).digest()
    page = PAGE.read_text(encoding="utf-8")
    assert digest.hex() in page
    assert f"`{TEXT}`" in page


def test_text_and_salt_both_count() -> None:
    seen = {people.commitment(bytes([n]) * 32, text) for n in range(4) for text in ("", TEXT, TEXT + " ")}
    assert len(seen) == 12


@pytest.mark.parametrize("salt", [b"", bytes(31), bytes(33)])
def test_a_salt_of_another_length_is_refused(salt: bytes) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        people.commitment(salt, TEXT)


def test_a_mention_holds_no_clear_text() -> None:
    told = people.mention(12, bytes(32), TEXT)
    assert set(told) == {"subject", "commitment"}
    assert told["subject"] == 12
    assert "Kari" not in str(told)
