"""Copies of a log against what was signed: which entries differ, and how."""

from __future__ import annotations

import pytest

from longwatch.ledger import entry_bytes, leaf_hash
from longwatch.ledger.findings import Finding, Kind
from longwatch.ledger.judging_log import Places, judge_file, judge_rows, judge_tail
from longwatch.ledger.story import Story
from longwatch.ledger.tiles import ENTRIES, bundle

CAMERAS = ["gate", "road", "dam"]
SIGNED = [entry_bytes(n, n, "0" * 32, "viewing", {"camera": CAMERAS[n % 3], "at_us": 1000 * n}) for n in range(12)]
LEAVES = [leaf_hash(entry) for entry in SIGNED]
OTHER = entry_bytes(4, 4, "0" * 32, "viewing", {"camera": "shed", "at_us": 7})


def places(entries: list[bytes] | None = None, *, settled: bool = True) -> Places:
    known = SIGNED if entries is None else entries
    return Places(Story(), lambda n: known[n] if n < len(known) else None, settled=settled)


def rows(*entries: bytes) -> list[tuple[str, str, str]]:
    held = list(entries)
    found = judge_rows(LEAVES, {n: leaf_hash(e) for n, e in enumerate(held)}, {}, places(), lambda n: held[n])
    return [told(finding) for finding in found]


def told(finding: Finding) -> tuple[str, str, str]:
    return str(finding.kind), finding.what, finding.camera


def test_rows_as_they_were_signed() -> None:
    assert rows(*SIGNED) == []
    assert rows(*SIGNED, OTHER) == [], "what stands behind the head is judged by judge_tail"


def test_a_row_that_was_changed_is_told_by_what_was_signed() -> None:
    assert rows(*SIGNED[:4], OTHER, *SIGNED[5:]) == [("changed", "index row of entry 4", "road")]


def test_the_end_taken_off() -> None:
    assert rows(*SIGNED[:10]) == [
        ("truncated", "index row of entry 10", "road"), ("truncated", "index row of entry 11", "dam"),
    ]  # fmt: skip


def test_rows_in_another_order() -> None:
    swapped = [*SIGNED[:4], SIGNED[5], SIGNED[4], *SIGNED[6:]]
    assert rows(*swapped) == [
        ("reordered", "index row of entry 4", "road"), ("reordered", "index row of entry 5", "dam"),
    ]  # fmt: skip


def test_a_row_put_in_displaces_those_behind_it_and_these_are_not_to_blame() -> None:
    found = rows(*SIGNED[:4], OTHER, *SIGNED[4:])
    assert found == [("inserted", "index row 4", "shed"), ("inserted", "index row 4", "road")]


def test_a_hole() -> None:
    held = {n: leaf for n, leaf in enumerate(LEAVES) if n != 6}
    assert [told(f) for f in judge_rows(LEAVES, held, {}, places(), lambda _: None)] == [
        ("removed", "index row of entry 6", "gate")
    ]


def test_a_leaf_that_is_not_its_entrys() -> None:
    held = dict(enumerate(LEAVES))
    assert [told(f) for f in judge_rows(LEAVES, held, {3: bytes(32)}, places(), lambda _: None)] == [
        ("changed", "index row of entry 3", "gate")
    ]


def test_of_what_is_not_known_to_be_signed_no_camera_is_blamed() -> None:
    held = {**dict(enumerate(LEAVES)), 4: bytes(32)}
    (finding,) = judge_rows(LEAVES, held, {}, places(settled=False), lambda _: None)
    assert finding.camera == ""


def file(content: bytes) -> list[tuple[str, str, str]]:
    return [told(f) for f in judge_file(ENTRIES, 0, bundle(SIGNED), content, "file", places())]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (bundle(SIGNED), []),
        (bundle([*SIGNED[:4], OTHER, *SIGNED[5:]]), [("changed", "file", "road")]),
        (bundle([*SIGNED[:4], *SIGNED[5:]]), [("removed", "file", "road")]),
        (bundle([*SIGNED[:4], OTHER, *SIGNED[4:]]), [("inserted", "file", "shed"), ("inserted", "file", "road")]),
        (bundle([*SIGNED[:4], SIGNED[5], SIGNED[4], *SIGNED[6:]]), [("reordered", "file", "road"), ("reordered", "file", "dam")]),
        (bundle(SIGNED)[:-1], [("removed", "file", "dam")]),
        (b"\xff" + bundle(SIGNED)[1:], [("changed", "file", "gate")]),
    ],
)  # fmt: skip
def test_a_bundle_tells_its_entries(content: bytes, expected: list[tuple[str, str, str]]) -> None:
    assert file(content) == expected


def test_a_tile_concerns_no_camera() -> None:
    (finding,) = judge_file(0, 0, b"".join(LEAVES), b"".join([*LEAVES[:3], bytes(32), *LEAVES[4:]]), "tile", places())
    assert (finding.kind, finding.camera) == (Kind.CHANGED, "")


def test_what_stands_behind_the_head() -> None:
    def tail(*numbered: tuple[int, bytes, bytes]) -> list[tuple[str, str, str]]:
        return [told(f) for f in judge_tail(numbered, 10, places())]

    right = [(n, LEAVES[n], SIGNED[n]) for n in (10, 11)]
    assert tail(*right) == []
    assert tail(right[1]) == [("inserted", "index row of entry 11", "dam")]
    assert tail((10, bytes(32), SIGNED[10])) == [("changed", "index row of entry 10", "road")]
    assert tail((10, leaf_hash(OTHER), OTHER)) == [("changed", "index row of entry 10", "shed")]
