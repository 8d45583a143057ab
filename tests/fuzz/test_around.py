"""The quick version of the campaign around the cameras."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fuzz.targets_around import SEEDS, TARGETS


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_no_input_breaks_a_promise(target: str) -> None:
    pieces = st.sampled_from([seed[at : at + 12] for seed in SEEDS[target] for at in range(0, len(seed), 6)])

    @settings(max_examples=200, deadline=2000, database=None)
    @given(
        st.one_of(
            st.binary(max_size=200), st.sampled_from(SEEDS[target]).flatmap(_changed),
            st.lists(st.one_of(pieces, st.binary(max_size=6)), max_size=20).map(b"".join),
        )
    )  # fmt: skip
    def run(data: bytes) -> None:
        TARGETS[target](data)

    run()


def _changed(seed: bytes) -> st.SearchStrategy[bytes]:
    return st.tuples(st.integers(0, len(seed) - 1), st.binary(min_size=1, max_size=8)).map(
        lambda change: seed[: change[0]] + change[1] + seed[change[0] + len(change[1]) :]
    )
