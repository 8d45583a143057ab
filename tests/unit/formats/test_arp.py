"""ARP packets, as RFC 826 draws them."""

from __future__ import annotations

import ipaddress

import pytest

from longwatch.formats import arp

ME, CAMERA = ipaddress.IPv4Address("10.0.0.1"), ipaddress.IPv4Address("10.0.0.5")
REPLY = bytes.fromhex("00010800060400020200000000050a0000050200000000010a000001")


def test_a_question_byte_by_byte() -> None:
    question = arp.who_has(CAMERA, ME, bytes.fromhex("020000000001"))
    assert question.hex() == "00010800060400010200000000010a0000010000000000000a000005"


def test_an_answer_names_its_sender_also_with_padding() -> None:
    assert arp.parse(REPLY) == arp.parse(REPLY + bytes(18)) == arp.Arp(bytes.fromhex("020000000005"), CAMERA, ME)


@pytest.mark.parametrize("data", [b"", REPLY[:27], b"\0\6" + REPLY[2:], REPLY[:2] + b"\x86\xdd" + REPLY[4:]])
def test_what_is_not_arp_for_ipv4_over_ethernet_is_none(data: bytes) -> None:
    assert arp.parse(data) is None


def test_a_link_that_is_not_ethernet_is_refused() -> None:
    with pytest.raises(ValueError, match="Ethernet"):
        arp.who_has(CAMERA, ME, b"\0" * 20)
