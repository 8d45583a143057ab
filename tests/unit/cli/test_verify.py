"""`longwatch verify`: what it prints and how it ends."""

from __future__ import annotations

import html
import json
import zipfile
from pathlib import Path

import pytest
from tests.support.archive_case import opened, record, stream
from typer.testing import CliRunner

from longwatch.base.errors import UsageError
from longwatch.cli.app import app
from longwatch.ledger.checkpoint import fingerprint, parse_public_key


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    async with opened([tmp_path / "a"]) as (archive, _):
        await record(archive, stream(archive), segments=2)
    return tmp_path / "a"


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["verify", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def test_a_whole_folder_without_a_key(folder: Path) -> None:
    code, text = run(folder)
    assert code == 0
    assert "consistent with the key found inside (SHA256:" in text
    assert "origin not shown" in text


def test_with_the_key_as_file_or_fingerprint(folder: Path) -> None:
    pem = folder / "ledger/1/key.pem"
    for key in (pem, fingerprint(parse_public_key(pem.read_text()))):
        code, text = run(folder, "--key", key)
        assert code == 0
        assert "whole, and signed by the key SHA256:" in text


def test_a_wrong_key_fails_and_none_is_wrong_use(folder: Path, tmp_path: Path) -> None:
    code, text = run(folder, "--key", "SHA256:" + "A" * 43)
    assert code == 1
    assert "wrong_key" in text
    with pytest.raises(UsageError):
        run(folder, "--key", tmp_path / "nothing.pem")
    with pytest.raises(UsageError):
        run(tmp_path / "nothing")


def test_a_report_is_no_broken_package(tmp_path: Path) -> None:
    page, packed = tmp_path / "week.html", tmp_path / "week.zip"
    page.write_text("<html></html>")
    with zipfile.ZipFile(packed, "w") as archive:
        for name in ("report.html", "report.json", "report.tlog-proof"):
            archive.writestr(name, "x")
    for path in (page, packed):
        with pytest.raises(UsageError, match="is no evidence package") as caught:
            run(path)
        assert f"longwatch report --check {path}" in str(caught.value)


def test_a_package_that_lost_nearly_all_is_still_judged(tmp_path: Path) -> None:
    packed = tmp_path / "gate.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("report.tlog-proof", "x")
        archive.writestr("ledger/checkpoint", "x")
    assert run(packed)[0] == 1


def test_what_fails_is_named_with_its_camera_and_second(folder: Path) -> None:
    (file,) = list((folder / "media").rglob("*-1.mp4"))
    file.unlink()
    code, text = run(folder)
    assert code == 1
    assert "removed: gate/main 2026-01-01T00:00:02.040000Z to 2026-01-01T00:00:04.080000Z" in text
    code, text = run(folder, "--json")
    assert code == 1
    report = json.loads(text)
    assert (report["ok"], report["origin_shown"], report["size"]) == (False, False, report["entries"])
    failed = [finding for finding in report["findings"] if finding["failed"]]
    assert {(f["kind"], f["camera"], f["from"]) for f in failed} == {("removed", "gate", "2026-01-01T00:00:02.040000Z")}


def test_an_earlier_checkpoint_alone_or_in_a_page(folder: Path, tmp_path: Path) -> None:
    note = folder / "ledger/1/checkpoint"
    page = tmp_path / "report.html"
    page.write_text(f"<html><pre>\n{html.escape(note.read_text())}</pre></html>", encoding="utf-8")
    for file in (note, page):
        assert run(folder, "--checkpoint", file)[0] == 0
    page.write_text("<html></html>", encoding="utf-8")
    with pytest.raises(UsageError):
        run(folder, "--checkpoint", page)
