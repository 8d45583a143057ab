"""A quick round of the fuzz targets for files; the long one is `make fuzz`."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fuzz.targets_bmff import TARGETS, segment


@pytest.mark.parametrize("name", sorted(TARGETS))
@settings(max_examples=40, deadline=None)
@given(data=st.binary(max_size=400))
def test_any_bytes(name: str, data: bytes) -> None:
    TARGETS[name](data)


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_sound_bytes_with_a_few_changed(name: str) -> None:
    rng = random.Random(name)
    for _ in range(100):
        data = bytearray(segment())
        for _ in range(rng.randrange(1, 4)):
            data[rng.randrange(len(data))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        del data[rng.randrange(len(data)) :]
        began = time.process_time()
        TARGETS[name](bytes(data))
        assert time.process_time() - began < 2
