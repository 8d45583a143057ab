"""One segment file against its seal: each kind of damage, and which fragments it is told of."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import pytest
from tests.support.tracks import IDENTITY, VIDEO, video_samples

from longwatch.formats import bmff
from longwatch.ledger import segment_root
from longwatch.ledger.findings import Kind
from longwatch.ledger.judging_media import Examined, examine
from longwatch.ledger.story import Seal
from longwatch.model.stores import FragmentRow

SECOND_90K = 36_000  # five pictures of 7,200
GUARD = bmff.LIFTED + b"free"


def built(order: Sequence[int] = (0, 1, 2, 3)) -> tuple[bytes, list[FragmentRow], bytes]:
    """A sealed file of four fragments, in some order: its bytes, its rows, its closing box."""
    data = header = bmff.segment_header(IDENTITY, [VIDEO])
    rows = []
    for n in order:
        start = 90_000 + n * SECOND_90K
        content = b"".join(bmff.fragment(n + 1, [(0, video_samples(5 + n, start=start))], stored=True))
        data += GUARD
        rows.append(
            FragmentRow(len(data), len(content), start, start + SECOND_90K, (0,), hashlib.sha256(content).digest())
        )
        data += content
    box = bmff.closing(rows, b"", wall_end_us=IDENTITY.wall_start_us + 1_600_000)
    assert len(header) == bmff.parse_header(data).header_bytes
    return data + GUARD + box, rows, box


DATA, ROWS, BOX = built()
HEADER = ROWS[0].offset - 8
SEAL = Seal(
    5, IDENTITY.camera, IDENTITY.stream, IDENTITY.boot, IDENTITY.run, IDENTITY.sequence,
    segment_root(hashlib.sha256(DATA[:HEADER]).digest(), (row.sha256 for row in ROWS)), hashlib.sha256(BOX).digest(), 4,
    ROWS[-1].offset + ROWS[-1].size, IDENTITY.wall_start_us, IDENTITY.wall_start_us + 1_600_000, "ntp", False, False,
)  # fmt: skip


def looked(data: bytes, table: Callable[[], Sequence[FragmentRow]] = tuple) -> Examined:
    return examine(SEAL, len(data), lambda at, count: data[at : at + count], table)


def told(found: Examined) -> list[tuple[Kind, int | None]]:
    return [(damage.kind, damage.first) for damage in found.damages]


def changed(at: int) -> bytes:
    return DATA[:at] + bytes([DATA[at] ^ 0x40]) + DATA[at + 1 :]


def test_a_sound_file() -> None:
    found = looked(DATA)
    assert found.damages == []
    assert (found.header_bytes, found.file_bytes) == (HEADER, len(DATA))
    assert found.hashed_bytes == HEADER + sum(row.size for row in ROWS)


def test_a_guard_that_was_not_lifted_is_as_sound() -> None:
    at = ROWS[2].offset - 8
    assert looked(DATA[:at] + bmff.guard(ROWS[2].size) + DATA[at + 8 :]).damages == []
    assert told(looked(changed(at))) == [(Kind.CHANGED, 2)]


@pytest.mark.parametrize("n", range(4))
def test_a_changed_fragment_is_named_with_its_seconds(n: int) -> None:
    for at in (ROWS[n].offset + 20, ROWS[n].offset + ROWS[n].size - 1, ROWS[n].offset + 3):
        found = looked(changed(at))
        assert told(found) == [(Kind.CHANGED, n)]
        from_us, to_us = found.wall(SEAL, found.damages[0])
        assert (from_us, to_us) == (SEAL.wall_start_us + n * 400_000, SEAL.wall_start_us + (n + 1) * 400_000)


def test_a_changed_header_concerns_the_whole() -> None:
    found = looked(changed(HEADER // 2))
    assert told(found) == [(Kind.CHANGED, None)]
    assert found.wall(SEAL, found.damages[0]) == (SEAL.wall_start_us, SEAL.wall_end_us)


def test_a_fragment_that_was_taken_out() -> None:
    at, end = ROWS[1].offset - 8, ROWS[1].offset + ROWS[1].size
    assert told(looked(DATA[:at] + DATA[end:])) == [(Kind.REMOVED, 1)]


def test_a_fragment_that_was_put_in() -> None:
    at, end = ROWS[1].offset - 8, ROWS[1].offset + ROWS[1].size
    assert told(looked(DATA[:at] + DATA[at:end] + DATA[at:])) == [(Kind.INSERTED, 1)]


def test_fragments_in_another_order() -> None:
    other, _, box = built((0, 2, 1, 3))
    moved = other[: -len(box)] + BOX
    assert {kind for kind, _ in told(looked(moved))} == {Kind.REORDERED}
    assert {n for _, n in told(looked(moved))} <= {1, 2}


def test_a_file_that_was_closed_anew_is_judged_by_the_index_where_that_is_proven() -> None:
    other, _, _ = built((0, 1, 3))
    assert told(looked(other)) == [(Kind.CHANGED, None)]
    found = looked(other, lambda: ROWS)
    assert (Kind.REMOVED, 2) in told(found)
    forged = [FragmentRow(r.offset, r.size, r.start_90k, r.end_90k, r.sync_offsets_90k, bytes(32)) for r in ROWS]
    assert told(looked(other, lambda: forged)) == [(Kind.CHANGED, None)], (
        "a table that the root does not prove is not believed"
    )


def test_a_file_that_was_cut() -> None:
    cut = DATA[: ROWS[2].offset + 10]
    assert told(looked(cut)) == [(Kind.REMOVED, None)]
    assert told(looked(cut, lambda: ROWS)) == [(Kind.REMOVED, 2), (Kind.REMOVED, 3)]
    assert told(looked(DATA[:5])) == [(Kind.REMOVED, None)]
    assert told(looked(b"")) == [(Kind.REMOVED, None)]


def test_a_changed_closing_box_alone() -> None:
    for at in (len(DATA) - len(BOX) + 30, len(DATA) - 60):
        assert told(looked(changed(at))) == [(Kind.CHANGED, None)]
    assert told(looked(changed(len(DATA) - 3))) == [(Kind.REMOVED, None)]


def test_bytes_within_a_fragment() -> None:
    at = ROWS[2].offset + 40
    assert (Kind.INSERTED, 2) in told(looked(DATA[:at] + b"xyz" + DATA[at:]))
    assert (Kind.REMOVED, 2) in told(looked(DATA[:at] + DATA[at + 3 :]))
