"""Joining, renewing and revoking at a door of a hub: the very same tests, with the console behind a bus that loses nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from tests.unit.node.hub.test_enrolment import (  # noqa: F401 - tests and fixtures of theirs
    HubCase,
    clock,
    post,
    test_a_code_is_used_once,
    test_a_code_lets_its_post_in_once_and_both_ledgers_say_so,
    test_a_guessed_secret_lets_nobody_in_and_soon_is_not_looked_at,
    test_a_renewal_whose_answer_was_lost_is_had_again,
    test_a_revoked_post_is_dropped_at_once_and_gets_nothing,
    test_an_answer_that_was_lost_is_had_by_asking_again,
    test_one_that_ended_may_renew_and_nothing_else,
    test_the_older_certificate_is_good_until_the_newer_was_used,
    test_what_another_process_revoked_ends_within_seconds,
    test_what_is_no_request_is_refused_in_words,
    test_who_renews_for_ever_fills_no_ledger,
    test_without_the_hubs_ledger_no_certificate_leaves_it,
)

from longwatch.base.clock import ManualClock
from longwatch.base.errors import LongwatchError
from longwatch.bus import Bus, BusError, Said
from longwatch.node.hub.door_asking import DoorDesk, answer_doors
from longwatch.node.hub.listener import HubListener
from longwatch.trust import DOOR_FILES, DoorKeys

pytestmark = pytest.mark.slow


class StraightBus:
    """Both ends of a bus in one: what is asked is answered, what is told is heard; all of it as JSON, as on the way."""

    def __init__(self) -> None:
        self.answers: dict[str, Callable[[Said], Awaitable[Mapping[str, Any]]]] = {}
        self.facts: dict[str, Callable[[Said], Awaitable[None]]] = {}
        self.told: list[tuple[str, Mapping[str, Any]]] = []

    def answer(self, kind: str, handler: Callable[[Said], Awaitable[Mapping[str, Any]]]) -> None:
        self.answers[kind] = handler

    def on(self, kind: str, handler: Callable[[Said], Awaitable[None]]) -> None:
        self.facts[kind] = handler

    def tell(self, kind: str, body: Mapping[str, Any]) -> None:
        self.told.append((kind, body))

    async def ask(self, process: str, kind: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        assert process == "console"
        try:
            found = await self.answers[kind](Said("east", 1, 1, kind, json.loads(json.dumps(body))))
        except LongwatchError as error:
            reason = getattr(error, "reason", "")
            raise BusError(error.what, why=error.why, remedy=error.remedy, reason=reason) from error
        return cast("Mapping[str, Any]", json.loads(json.dumps(found)))


class DoorCase(HubCase):
    """A hub of which the listening end is a door's."""

    def __init__(self, folder: Path, clock: ManualClock) -> None:  # noqa: F811
        super().__init__(folder, clock)
        bus = StraightBus()
        self.refused: list[tuple[str, str]] = []
        answer_doors(cast("Bus", bus), self.desk, lambda site, why: self.refused.append((site, why)))
        (folder / "door").mkdir()
        for name in DOOR_FILES:
            shutil.copy2(folder / "trust" / name, folder / "door")
        door = DoorDesk(DoorKeys(folder / "door", "hq"), "Headquarters", self.fleet, cast("Bus", bus), clock)
        self.listener = HubListener(door, clock, self._serve)

        async def revoked(site: str) -> None:
            assert bus.told[-1] == ("revoked", {"site": site})
            await self.listener.end(site)

        self.desk.on_revoked.append(revoked)


@pytest.fixture
async def hub(tmp_path: Path, clock: ManualClock) -> AsyncIterator[HubCase]:  # noqa: F811
    case = DoorCase(tmp_path / "hub", clock)
    await case.start()
    yield case
    await case.aclose()


def test_a_door_without_the_hubs_keys_or_with_anothers_says_so(tmp_path: Path, clock: ManualClock) -> None:  # noqa: F811
    HubCase(tmp_path / "hub", clock).db.close()
    (tmp_path / "door").mkdir()
    with pytest.raises(LongwatchError, match=r"authority\.pem and listener\.pem and cosigner\.key"):
        DoorKeys(tmp_path / "door", "hq")
    for name in DOOR_FILES:
        shutil.copy2(tmp_path / "hub" / "trust" / name, tmp_path / "door")
    with pytest.raises(LongwatchError, match="keys of another hub than 'north'"):
        DoorKeys(tmp_path / "door", "north")
    (tmp_path / "door" / "cosigner.key").chmod(0o644)
    with pytest.raises(LongwatchError, match="others may read"):
        DoorKeys(tmp_path / "door", "hq")
