import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longwatch.archive import fragment_table
from longwatch.model.stores import FragmentRow


@st.composite
def tables(draw: st.DrawFn) -> tuple[int, list[FragmentRow]]:
    header = draw(st.integers(0, 5000))
    rows, offset, at = [], header, draw(st.integers(0, 1 << 40))
    for _ in range(draw(st.integers(0, 6))):
        offset += draw(st.sampled_from([0, 0, 7]))
        size = draw(st.integers(0, 1 << 33))
        start = max(0, at + draw(st.integers(-100, 100_000)))
        length = draw(st.integers(0, 1 << 34))
        syncs = tuple(sorted(draw(st.lists(st.integers(0, 1 << 30), max_size=4))))
        rows.append(FragmentRow(offset, size, start, start + length, syncs, draw(st.binary(min_size=32, max_size=32))))
        offset += size
        at = start + length
    return header, rows


@settings(max_examples=60)
@given(tables())
def test_a_table_is_read_back_as_it_was_written(table: tuple[int, list[FragmentRow]]):
    header, rows = table
    assert fragment_table.unpack(fragment_table.pack(rows, header), header) == rows


def test_a_torn_table_is_refused_or_shorter_never_wrong():
    rows = [FragmentRow(100 + n * 50, 50, n * 61200, (n + 1) * 61200, (0,), bytes([n]) * 32) for n in range(3)]
    packed = fragment_table.pack(rows, 100)
    for cut in range(len(packed)):
        try:
            found = fragment_table.unpack(packed[:cut], 100)
        except ValueError:
            continue
        assert found == rows[: len(found)]


def test_a_minute_takes_little_room():
    rows = [FragmentRow(800 + n * 350_000, 350_000, n * 61200, (n + 1) * 61200, (0,), bytes(32)) for n in range(86)]
    assert len(fragment_table.pack(rows, 800)) < 86 * 45
    with pytest.raises(ValueError, match="within a record"):
        fragment_table.unpack(fragment_table.pack(rows, 800)[:-1], 800)
