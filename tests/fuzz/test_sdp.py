"""Descriptions: lines of real ones, shuffled and cut, and plain nonsense."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fuzz.targets_rtsp import TARGETS

_GOLDEN = [path.read_bytes() for path in sorted((Path(__file__).parents[1] / "golden" / "sdp").glob("*.sdp"))]
_LINES = st.sampled_from([line for text in _GOLDEN for line in text.splitlines(keepends=True)])


@settings(max_examples=200, deadline=2000, database=None)
@given(
    st.one_of(
        st.lists(_LINES, max_size=40).map(b"".join), st.lists(st.one_of(_LINES, st.binary(max_size=9))).map(b"".join)
    )
)
def test_no_description_breaks_a_promise(data: bytes) -> None:
    TARGETS["sdp"](data)
