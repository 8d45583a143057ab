import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longwatch.archive import names
from longwatch.base.errors import LongwatchError
from longwatch.model.sessions import StreamKey

KEY = StreamKey("gate", "main")


def test_a_name_leads_with_utc_and_carries_the_identity():
    path = names.segment_path(KEY, "c0ffee00" * 4, 7, 12, 1_767_225_600_123_456)
    assert path == "media/gate/main/2026-01-01/2026-01-01T00-00-00.123Z_c0ffee00-7-12.mp4"


@settings(max_examples=50)
@given(st.integers(-(1 << 62), 1 << 62), st.integers(0, 10**17), st.integers(0, 10**6))
def test_every_time_has_a_name_that_is_read_back(wall_us: int, run: int, sequence: int):
    path = names.segment_path(KEY, "0123456789abcdef" * 2, run, sequence, wall_us)
    parsed = names.parse_name(path.rsplit("/", 1)[1])
    assert parsed is not None
    assert (parsed.boot8, parsed.run, parsed.sequence) == ("01234567", run, sequence)
    assert parsed.date == path.split("/")[3] == names.date_of(wall_us)


@pytest.mark.parametrize("part", ["..", "", "a/b", "A", "a\0b", "-", "x" * 41, "a\n", "٣"])
def test_nothing_but_a_slug_becomes_a_path(part: str):
    with pytest.raises(LongwatchError):
        names.segment_path(StreamKey(part, "main"), "0" * 32, 1, 0, 0)
    with pytest.raises(LongwatchError):
        names.segment_path(StreamKey("gate", part), "0" * 32, 1, 0, 0)


@pytest.mark.parametrize("name", ["x.mp4", "2026-01-01T00-00-00.123Z_c0ffee00-7-12.mp4.new", ".probe-1", "lost+found"])
def test_foreign_names_are_not_ours(name: str):
    assert names.parse_name(name) is None
