"""Neighbour Discovery, as RFC 4861 draws it."""

from __future__ import annotations

import ipaddress

import pytest

from longwatch.formats import ndp

CAMERA = ipaddress.IPv6Address("fd00::12:3456")
ADVERTISEMENT = bytes.fromhex("8800000060000000") + CAMERA.packed + bytes.fromhex("0201020000000005")


def test_a_question_byte_by_byte() -> None:
    asked = ndp.solicitation(CAMERA, bytes.fromhex("020000000001"))
    assert asked.hex() == "8700000000000000" + CAMERA.packed.hex() + "0101020000000001"


def test_where_it_is_sent() -> None:
    assert ndp.solicited_node(CAMERA) == ipaddress.IPv6Address("ff02::1:ff12:3456")


def test_an_answer_names_its_target_with_options_and_without() -> None:
    assert ndp.advertised(ADVERTISEMENT) == ndp.advertised(ADVERTISEMENT[:24]) == CAMERA


@pytest.mark.parametrize(
    "data",
    [
        b"", ADVERTISEMENT[:23], b"\x87" + ADVERTISEMENT[1:], b"\x88\x01" + ADVERTISEMENT[2:],
        ADVERTISEMENT[:8] + b"\xff" + ADVERTISEMENT[9:],
    ],
)  # fmt: skip
def test_what_is_no_advertisement_is_none(data: bytes) -> None:
    assert ndp.advertised(data) is None


def test_a_link_that_is_not_ethernet_is_refused() -> None:
    with pytest.raises(ValueError, match="Ethernet"):
        ndp.solicitation(CAMERA, b"")
