"""What an entry of the neighbour table proves, and asking a port."""

from __future__ import annotations

import asyncio
import socket

import pytest

from longwatch.base.clock import SystemClock
from longwatch.formats.rtnetlink import Neighbour, Nud
from longwatch.model.surroundings import Answer
from longwatch.surroundings.asking import Asker, verdict

ANSWERS, SILENT, UNKNOWN = Answer.ANSWERS, Answer.SILENT, Answer.UNKNOWN


@pytest.mark.parametrize(
    ("state", "confirmed", "expected"),
    [
        (Nud.REACHABLE, 50, ANSWERS),  # confirmed half a second ago, asked a second ago
        (Nud.REACHABLE, 150, UNKNOWN),  # confirmed before the question
        (Nud.REACHABLE, 100, UNKNOWN),  # in the same moment
        (Nud.REACHABLE, None, UNKNOWN),
        (Nud.STALE, 50, UNKNOWN),
        (Nud.DELAY, 50, UNKNOWN),
        (Nud.PROBE, 50, UNKNOWN),
        (Nud.INCOMPLETE, 50, UNKNOWN),
        (Nud.FAILED, 50, SILENT),
        (Nud.FAILED, None, SILENT),
    ],
)
def test_only_what_was_confirmed_after_the_question_is_an_answer(
    state: Nud, confirmed: int | None, expected: Answer
) -> None:
    assert verdict(Neighbour(None, 1, state, b"", confirmed), 1_000_000) is expected


def test_no_entry_says_nothing() -> None:
    assert verdict(None, 1_000_000) is UNKNOWN


@pytest.fixture
async def asker() -> object:
    made = Asker(SystemClock())
    yield made
    made.close()


async def test_a_port_that_accepts_and_one_that_refuses_are_both_answers(asker: Asker) -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
        heard = await asker.ask("127.0.0.1", port)
        assert (heard.answer, heard.by) == (ANSWERS, f"tcp {port}")
    heard = await asker.ask("127.0.0.1", port)
    assert (heard.answer, heard.by) == (ANSWERS, f"tcp {port}")


async def test_a_name_without_an_address_is_unknown_and_says_so(asker: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nobody(*_: object, **__: object) -> object:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", nobody)
    heard = await asker.ask("camera.example", 554)
    assert (heard.answer, heard.by) == (UNKNOWN, "")
    assert "camera.example" in heard.why


async def test_a_name_that_was_known_is_good_enough_while_the_resolver_is_away(
    asker: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[tuple[object, ...]] = [(2, 1, 6, "", ("127.0.0.1", 0))]

    async def resolver(*_: object, **__: object) -> object:
        if not found:
            raise socket.gaierror(-3, "Temporary failure")
        return found

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolver)
    assert (await asker.ask("camera.example", 9)).answer is ANSWERS
    found.clear()
    assert (await asker.ask("camera.example", 9)).answer is ANSWERS
