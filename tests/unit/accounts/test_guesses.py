"""What everybody tries first is refused with its reason; what somebody thought of themselves is not."""

from __future__ import annotations

import pytest

from longwatch.accounts.guesses import easy
from longwatch.accounts.passwords import check_new
from longwatch.base.errors import UsageError

KNOWN = ("kari.nordmann", "North ridge", "north-ridge")


@pytest.mark.parametrize(
    "password",
    [
        "password12", "P@ssw0rd123!", "PASSWORD!!!!", "qwertyuiop", "1234567890", "abcdefghij", "aaaaaaaaaa", "abcabcabcabc",
        "Summer2024!!", "letmein1234", "1q2w3e4r5t", "longwatch2026", "iloveyou123", "qwerty12345", "Welcome2025!",
        "98765432100", "adminadmin1", "passwordpassword", "11112222333", "sunshinefootball", "ｐａｓｓｗｏｒｄ12", "p a s s w o r d",
        "nenosiri2026", "motdepasse1",
    ],
)  # fmt: skip
def test_what_everybody_tries(password: str) -> None:
    assert easy(password, KNOWN)


@pytest.mark.parametrize(
    "password", ["north-ridge1", "kari.nordmann1", "Nordmann2026", "kari-kari-kari", "North Ridge!!", "R1dge-R1dge"]
)
def test_what_whoever_guesses_knows(password: str) -> None:
    assert easy(password, KNOWN)
    if "kari" in password or "ordmann" in password:
        assert not easy("a" + password + " mossy bell", KNOWN)


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery", "another good one", "tractor-lamp-9", "purple tractors sing", "kj3!fLq02x", "Lookout tower soup",
        "zebra-4411-moss", "lookout over the ridge", "三個の静かな提灯を吊るす", "тихий фонарь у моста", "8502947163",
    ],
)  # fmt: skip
def test_what_is_good(password: str) -> None:
    assert easy(password, KNOWN) == ""


def test_length_is_said_first() -> None:
    with pytest.raises(UsageError, match="too short"):
        check_new("password1")
    with pytest.raises(UsageError, match="too long"):
        check_new("é" * 513)
    with pytest.raises(UsageError, match="too easy"):
        check_new("password12")
