"""A flood of guesses is one entry a minute and address; no name that is no account's is kept."""

from __future__ import annotations

import json

from longwatch.accounts import STRANGER
from longwatch.accounts.refusals import MINUTE_US, Refusals

S = 1_000_000


def test_a_minute_of_guesses_is_one_entry():
    refusals = Refusals()
    minute = refusals.refuse("10.0.0.1", "curl", ("ada", 12), 0, 100, throttled=False)
    assert minute is not None
    assert minute.said().body["tries"] == 1  # durable at once
    for n in range(1, 50):
        assert refusals.refuse("10.0.0.1", "curl", ("ada", 12), n * S, 100 + n, throttled=n > 10) is None
    assert refusals.due(MINUTE_US - 1) == []
    [over] = refusals.due(MINUTE_US)
    said = over.said()
    assert said.subject == 12
    assert (said.body["tries"], said.body["throttled"], said.body["from_us"], said.body["to_us"]) == (11, 39, 100, 149)
    assert json.loads(said.text) == {"user": "ada", "address": "10.0.0.1", "agent": "curl"}
    assert refusals.refuse("10.0.0.1", "curl", None, MINUTE_US + 1, 0, throttled=False) is not None


def test_a_password_typed_as_a_name_is_not_kept():
    refusals = Refusals()
    minute = refusals.refuse("10.0.0.1", "Firefox", None, 0, 0, throttled=False)
    assert minute is not None
    assert json.loads(minute.said().text) == {"address": "10.0.0.1", "agent": "Firefox"}
    assert minute.said().subject == STRANGER


def test_guesses_at_several_names_are_a_strangers():
    refusals = Refusals()
    minute = refusals.refuse("10.0.0.1", "", ("ada", 12), 0, 0, throttled=False)
    assert minute is not None
    refusals.refuse("10.0.0.1", "", ("bob", 13), 0, 0, throttled=False)
    assert (minute.said().subject, json.loads(minute.said().text)["user"]) == (STRANGER, "ada, bob")


def test_a_flood_from_many_addresses_shares_one_entry():
    refusals = Refusals()
    begun = [
        refusals.refuse(f"10.{n // 65536}.{n // 256 % 256}.{n % 256}", "", None, n, n, throttled=False)
        for n in range(30_000)
    ]
    assert sum(minute is not None for minute in begun) == 201
    over = refusals.due(MINUTE_US + 30_000)
    assert sum(minute.tries for minute in over) == 30_000
    crowd = max(over, key=lambda minute: minute.tries)
    assert crowd.said().body["addresses"] == 10_000
    assert "address" not in json.loads(crowd.said().text)
    assert refusals.due(1 << 50) == []
