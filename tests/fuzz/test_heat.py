"""The quick version of the campaign against thermal stills."""

from __future__ import annotations

import random

import pytest
from tests.fuzz.campaign import mutate
from tests.fuzz.targets_thermal import SEEDS, TARGETS


@pytest.mark.parametrize("target", TARGETS)
def test_no_input_breaks_a_promise(target: str) -> None:
    chance = random.Random(5)
    for _ in range(200):
        TARGETS[target](mutate(chance.choice(SEEDS[target]), chance))
