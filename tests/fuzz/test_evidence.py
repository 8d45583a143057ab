"""The quick version of the campaign over evidence packages."""

from __future__ import annotations

import random

import pytest
from tests.fuzz.campaign import mutate
from tests.fuzz.targets_evidence import SEEDS, TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_no_input_breaks_a_promise(name: str):
    rng = random.Random(3)
    for _ in range(300):
        TARGETS[name](mutate(rng.choice(SEEDS[name]), rng))


def test_the_seed_of_the_manifest_is_one():
    from longwatch.evidence.said import read_manifest

    assert read_manifest(SEEDS["package-manifest"][0]).camera == "gate"
