"""Footage that was recorded by a wrong clock and placed anew: a package shows the true time, says that it was corrected, and holds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.support.clocked_post import Post
from tests.support.evidence_case import files_of, make_package, manifest_of, run_check, write_zip
from tests.support.recording import SECOND, WALL_0

from longwatch.evidence import verify_package

HOUR = 3_600 * SECOND


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minute; a minute by a clock an hour wrong; a minute; then corrected, and exported whole."""
    folder = tmp_path_factory.mktemp("corrected")
    post = Post(folder / "data")
    studio = post.boot(wall_us=WALL_0)
    studio.open()
    studio.play(60)
    studio.synchronised = False
    studio.step_wall(HOUR)
    studio.play(60)
    studio.step_wall(-HOUR)
    studio.synchronised = True
    studio.play(60)
    post.correct()
    post.stop()
    post.close()
    make_package(folder / "data", folder / "p.zip", WALL_0 + 10 * SECOND, WALL_0 + 170 * SECOND)
    return folder / "p.zip"


def test_the_times_shown_are_the_corrected_ones_and_it_is_said(package):
    said = manifest_of(files_of(package))
    assert said["totals"]["gap_us"] < 3 * SECOND
    (correction,) = said["corrections"]
    assert correction["shift_us"] == pytest.approx(-HOUR, abs=SECOND)
    assert correction["entry"] in [each["seq"] for each in said["entries"] if each["kind"] == "time_corrected"]
    assert all(WALL_0 <= each["from_us"] < WALL_0 + 180 * SECOND for each in said["segments"])


def test_it_holds(package):
    assert verify_package(package).blamed == []
    assert run_check(package)[0] == 0


def test_the_page_says_it(package):
    assert "placed anew" in files_of(package)["manifest.html"].decode()


def test_footage_placed_elsewhere_without_a_correction_is_found(package, tmp_path):
    """Someone at the post who moves a run in the index, and exports: the seals still say when it was. (Signed by nobody here: the
    manifest is blamed as well.)
    """
    files = files_of(package)
    said = json.loads(files["manifest.json"])
    said["corrections"] = []
    text = json.dumps(said, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
    made = json.loads(files["ledger/export_made.json"])
    import hashlib

    made["body"]["manifest_sha256"] = hashlib.sha256(text).hexdigest()
    files |= {
        "manifest.json": text,
        "ledger/export_made.json": json.dumps(made, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode(),
    }
    blamed = verify_package(write_zip(tmp_path / "p.zip", files)).blamed
    assert "stands elsewhere on the clock" in " ".join(finding.detail for finding in blamed)
