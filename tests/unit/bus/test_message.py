"""Messages of the bus: sealed, bound to their way, numbered."""

from __future__ import annotations

import os
import random

import pytest

from longwatch.bus import MAX_BYTES, MessageError, Numbers, Said, Seal, Taken

SECRET = bytes(range(32))
SAID = Said("east", 3, 7, "live_part", {"live": 5, "post": "ridge"}, b"\x00\x01" * 600)


def test_what_is_sealed_opens_at_another_process_of_the_same_hub_and_on_its_own_way_alone() -> None:
    raw = Seal(SECRET, "hq").seal("to/console", SAID)
    assert Seal(SECRET, "hq").opened("to/console", raw) == SAID
    assert b"ridge" not in raw
    for seal, channel in (
        (Seal(SECRET, "hq"), "to/west"),
        (Seal(SECRET, "hx"), "to/console"),
        (Seal(os.urandom(32), "hq"), "to/console"),
    ):
        with pytest.raises(MessageError, match="sealed for here"):
            seal.opened(channel, raw)


def test_nobody_speaks_in_anothers_name_or_life() -> None:
    raw = Seal(SECRET, "hq").seal("fact", SAID)
    for forged in (raw.replace(b"east", b"west", 1), raw[:6] + (4).to_bytes(8, "big") + raw[14:]):
        with pytest.raises(MessageError):
            Seal(SECRET, "hq").opened("fact", forged)


def test_any_bytes_are_refused_in_words() -> None:
    draw = random.Random(4)
    raw = Seal(SECRET, "hq").seal("fact", SAID)
    seal = Seal(SECRET, "hq")
    tried = [draw.randbytes(draw.randrange(200)) for _ in range(300)] + [raw[:n] for n in range(0, len(raw), 7)]
    for _ in range(500):
        at = draw.randrange(len(raw))
        tried.append(raw[:at] + bytes([raw[at] ^ 1 << draw.randrange(8)]) + raw[at + 1 :])
    for given in tried:
        with pytest.raises(MessageError):
            seal.opened("fact", given)


def test_what_is_too_large_is_not_sealed() -> None:
    seal = Seal(SECRET, "hq")
    room = MAX_BYTES - len(seal.seal("fact", Said("east", 1, 1, "x")))
    assert len(seal.seal("fact", Said("east", 1, 1, "x", data=bytes(room)))) == MAX_BYTES
    with pytest.raises(MessageError, match="too large"):
        seal.seal("fact", Said("east", 1, 1, "x", data=bytes(room + 1)))


def test_a_hole_in_the_numbers_is_seen_and_what_comes_again_is_passed_over() -> None:
    numbers = Numbers()
    told = [(1, 5), (1, 6), (1, 6), (1, 8), (1, 7), (2, 1), (1, 9), (2, 2)]
    assert [numbers.take("east", *each) for each in told] == [
        Taken.MISSED, Taken.NEXT, Taken.OLD, Taken.MISSED, Taken.OLD, Taken.MISSED, Taken.OLD, Taken.NEXT,
    ]  # fmt: skip
    assert Numbers(first_is_next=True).take("east", 9, 1) is Taken.NEXT
    assert Numbers(first_is_next=True).take("east", 9, 2) is Taken.MISSED
