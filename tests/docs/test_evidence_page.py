"""docs/ref/evidence-package.md names every file and every key that a package has."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from tests.support.evidence_case import files_of, make_package, manifest_of, record_post

from longwatch.evidence import PostLedger, Sealed, post_proof

WHOLE = (Path(__file__).parents[2] / "docs" / "ref" / "evidence-package.md").read_text()
_BEFORE, _, _REST = WHOLE.partition("## From a hub\n")
FROM_A_HUB, _, _AFTER = _REST.partition("## manifest.json\n")
PAGE = _BEFORE + _AFTER


def test_every_file_and_every_key_of_a_package_is_described_and_no_other(tmp_path: Path):
    from_us, to_us = asyncio.run(record_post(tmp_path / "data", segments=1))
    make_package(tmp_path / "data", tmp_path / "p.zip", from_us, to_us)
    files = files_of(tmp_path / "p.zip")
    said = manifest_of(files)
    rows = re.findall(r"^\| (`[^|]+) \|", PAGE, re.MULTILINE)
    named = [each for row in rows for each in re.findall(r"`([^`]+)`", row)]
    listed = {re.sub(r"/\d+\.", "/N.", re.sub(r"segments/.*", "segments/NAME.mp4", name)) for name in files}
    assert listed == {name for name in named if "." in name or "/" in name}
    assert set(said) == {name for name in named if "." not in name and "/" not in name}
    after = [name for name in files if name not in said["files"]]
    assert after[0] == "manifest.json"
    assert set(files) - set(after) == set(said["files"])
    (segment,) = said["segments"]
    text = PAGE[PAGE.index("Of a segment:") :]
    assert all(f"`{key}`" in text for key in segment)


def test_what_a_hub_adds_is_described_and_no_other():
    ledger = PostLedger("hq", "ridge", "gate", "", 1, bytes(32), bytes(32), lambda _: b"", lambda *_: b"")
    rows = re.findall(r"^\| (`[^|]+) \|", FROM_A_HUB, re.MULTILINE)
    named = {each for row in rows for each in re.findall(r"`([^`]+)`", row)}
    listed = {
        post_proof.KEY,
        post_proof.CHECKPOINT,
        post_proof.COSIGNER,
        post_proof.entry_name(7),
        post_proof.proof_name(7),
    }
    assert {name.replace("/7.", "/N.") for name in listed} == named
    said = ledger.said([7], {"segments/a.mp4": Sealed(7, 0, (bytes(32),))})
    assert all(f"`{key}`" in FROM_A_HUB for key in [*said, "via", *said["seals"]["segments/a.mp4"]])  # type: ignore[index]
