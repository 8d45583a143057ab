"""Evidence that no entry can hold costs itself, and nothing else that the tick says."""

import json
import unicodedata
from pathlib import Path

import pytest
from tests.support.archive_case import GATE, KEEP_ALL, opened

from longwatch.archive import ArchiveReader, ops
from longwatch.archive.sayable import MOST_BYTES, sayable
from longwatch.archive.verifying import verify_folder
from longwatch.ledger import canonical
from longwatch.model.alarms import AlarmKind
from longwatch.model.causes import Cause


def deep(levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


UNSAYABLE = {
    "far too long": {"detail": "x" * 70_000},
    "many, and together too long": {f"neighbour-{n}": "y" * 900 for n in range(80)},
    "a number that JSON rounds": {"bytes": 1 << 60},
    "a lone surrogate": {"detail": "\ud800"},
    "a key that is no text in Unicode": {"\udfff": 1},
    "two keys that are one": {unicodedata.normalize("NFD", "é"): 1, "é": 2},
    "too deep": {"answer": deep(40)},
    "deep without end": {"answer": deep(100_000)},
    "no JSON": {"device": b"\x00\x01"},
}


def test_what_an_entry_can_say_stands_as_it_is() -> None:
    said = {"since_us": 5, "share": 0.25, "neighbours": {"hut": ["silent", None, True]}, "detail": "Tu\u0308r"}
    assert sayable(said) == {**said, "share": "0.25", "detail": "Tür"}


@pytest.mark.parametrize("name", UNSAYABLE)
def test_what_it_cannot_is_told_by_its_hash_and_the_rest_stays(name: str) -> None:
    told = sayable({"host": "10.0.0.5", **UNSAYABLE[name]})
    assert len(canonical(told)) <= MOST_BYTES
    assert '"sha256"' in json.dumps(told)
    if not name.startswith("many"):
        assert told["host"] == "10.0.0.5"
    assert told == sayable({"host": "10.0.0.5", **UNSAYABLE[name]}), "the same evidence, the same words"
    assert sayable(told) == told


@pytest.mark.parametrize("name", UNSAYABLE)
async def test_the_tick_says_all_that_stands_beside_it(tmp_path: Path, name: str) -> None:
    evidence = {"host": "10.0.0.5", **UNSAYABLE[name]}
    async with opened([tmp_path / "a"], KEEP_ALL) as (archive, _):
        assert await archive.commit(
            [
                ops.GapOpen(1, GATE, 5_000_000, Cause.UNKNOWN, evidence),
                ops.GapRefine(1, Cause.CAMERA_UNREACHABLE, {**evidence, "later": True}),
                ops.AlarmRaise(1, AlarmKind.CAMERA_SILENT, "gate", "gate", 6, 5, "unknown", evidence),
                ops.AlarmRefine(1, "camera_unreachable", evidence),
                ops.Entry("made_up", evidence),
                ops.Entry("made_up", {"n": 2}),
                ops.GapClose(1, 9_000_000),
            ]
        )
        await archive.ledger.publish()
    reader = ArchiveReader([tmp_path / "a"])
    told = [json.loads(row.entry) for row in reader.entries(1, 1000)]
    ((_, gap),) = reader.gaps(None, 0, 1 << 50)
    reader.close()
    kinds = [entry["kind"] for entry in told]
    assert [kind for kind in kinds if kind not in {"start", "stop", "log_seen"}] == [
        "gap_opened", "gap_refined", "alarm_raised", "alarm_refined", "made_up", "made_up", "gap_closed",
    ]  # fmt: skip
    assert (gap.cause, gap.to_us) == (Cause.CAMERA_UNREACHABLE, 9_000_000)
    assert [entry["body"] for entry in told if entry["kind"] == "made_up"][1] == {"n": 2}
    verdict = verify_folder(tmp_path / "a")
    assert verdict.ok, verdict.blamed


async def test_evidence_that_is_not_in_nfc_is_not_taken_for_a_changed_row(tmp_path: Path) -> None:
    async with opened([tmp_path / "a"], KEEP_ALL) as (archive, _):
        evidence = {"detail": "Tu\u0308r"}
        await archive.commit([ops.GapOpen(1, GATE, 5_000_000, Cause.UNKNOWN, evidence), ops.GapClose(1, 9_000_000)])
        await archive.ledger.publish()
    assert verify_folder(tmp_path / "a").ok
