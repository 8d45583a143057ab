"""What is larger than a message, and the address of a broker."""

from __future__ import annotations

import pytest

from longwatch.bus import BusOptions, Joined, parts_of
from longwatch.bus.parts import MOST_BYTES, PART_BYTES


@pytest.mark.parametrize("size", [0, 1, PART_BYTES, PART_BYTES + 1, 5 * PART_BYTES])
def test_what_goes_in_parts_comes_as_one(size: int) -> None:
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    parts = list(parts_of(data))
    assert [last for _, last in parts] == [False] * (len(parts) - 1) + [True]
    joined = Joined()
    found = [joined.take("east", part, last=last) for part, last in parts]
    assert found == [None] * (len(parts) - 1) + [data]


def test_a_lost_part_and_an_endless_message_make_nothing() -> None:
    joined = Joined()
    joined.take("east", b"half", last=False)
    joined.take("west", b"other", last=False)
    joined.drop("east")
    assert joined.take("east", b"end", last=True) == b"end"
    assert joined.take("west", b" end", last=True) == b"other end"
    for _ in range(2 * MOST_BYTES // PART_BYTES):
        joined.take("east", bytes(PART_BYTES), last=False)
    assert sum(map(len, joined._half.values())) <= MOST_BYTES + 1
    assert joined.take("east", b"", last=True) is None


@pytest.mark.parametrize(
    ("broker", "servers", "login"),
    [
        ("nats://n", ("nats://n",), {}),
        ("tls://lw:a%40%2Cb@n:4222,m:4223", ("tls://n:4222", "tls://m:4223"), {"user": "lw", "password": "a@,b"}),
        ("nats://u:p@a:1,nats://u:p@b:2/", ("nats://a:1", "nats://b:2"), {"user": "u", "password": "p"}),
        ("nats://tok%2Fen@a", ("nats://a",), {"token": "tok/en"}),
    ],
)
def test_servers_and_login_of_an_address(broker: str, servers: tuple[str, ...], login: dict[str, str]) -> None:
    options = BusOptions(broker, "hq", "east", 1, bytes(32))
    assert (options.servers, options.login) == (servers, login)
    assert broker not in repr(options)
