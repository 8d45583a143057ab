"""A quick round of the fuzz targets of the ledger; the long one is `make fuzz`."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fuzz.campaign import mutate
from tests.fuzz.targets_ledger import SEEDS, TARGETS


@pytest.mark.parametrize("name", sorted(TARGETS))
@settings(max_examples=40, deadline=None)
@given(data=st.binary(max_size=400))
def test_any_bytes(name: str, data: bytes) -> None:
    TARGETS[name](data)


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_sound_bytes_changed(name: str) -> None:
    rng = random.Random(name)
    for _ in range(300):
        TARGETS[name](mutate(rng.choice(SEEDS[name]), rng))
