"""A quick taste of the fuzz targets; `make fuzz` eats the whole meal."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fuzz.targets_rtp import TARGETS


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(TARGETS))
def test_any_bytes(name: str) -> None:
    @given(st.binary(max_size=600))
    @settings(max_examples=60, deadline=None)
    def run(data: bytes) -> None:
        TARGETS[name](data)

    run()
