"""A report of a real archive: gathered, written, signed, checked; and what does not hold is found."""

from __future__ import annotations

import asyncio
import csv
import html.parser
import io
import json
import re
import zipfile
from pathlib import Path

import pytest
from tests.support.clocked_post import Post as ClockedPost
from tests.support.recording import SECOND, WALL_0
from typer.testing import CliRunner

from longwatch.base.clock import ManualClock
from longwatch.base.errors import UsageError
from longwatch.cli.app import app
from longwatch.ledger.checkpoint import find_notes
from longwatch.model.causes import Cause
from longwatch.model.sessions import Activity, Fault
from longwatch.node.issuing.reporting import check_report, look, make
from longwatch.node.recorder.options import RecorderOptions, resolve
from longwatch.reports import Post, Report, as_csv, as_json, page

HOUR = 3_600 * SECOND
WHO = {"subject": 0, "text": '{"user":"test"}'}
POST = Post("ridge", "<Ridge> & sons", "Europe/Oslo")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minute and a half: recorded, away, recorded, an hour's step and back, corrected; then the power goes and comes back."""
    root = tmp_path_factory.mktemp("reported")
    post = ClockedPost(root / "data")
    studio = post.boot(wall_us=WALL_0)
    studio.open()
    studio.play(30)
    studio.close(Fault.REFUSED, "gone")
    studio.say(Activity.WAITING, Fault.REFUSED, "no", attempt=2)
    studio.play(10)
    studio.open()
    studio.play(20)
    studio.synchronised = False
    studio.step_wall(HOUR)
    studio.play(20)
    studio.synchronised = True
    studio.step_wall(-HOUR)
    studio.play(20)
    post.correct()
    post.cut()
    studio = post.boot(wall_us=WALL_0 + 300 * SECOND)
    studio.play(1)
    studio.open()
    studio.play(20)
    post.stop()
    post.close()
    config = root / "longwatch.yml"
    config.write_text(
        f"post: {{id: ridge, name: '<Ridge> & sons', timezone: Europe/Oslo}}\ndata: {root / 'data'}\ncameras:\n"
        "  gate: {name: '<script>Gate</script>', streams: {main: 'rtsp://127.0.0.1:9/x'}}\n"
        "  yard: {name: Yard, streams: {main: 'rtsp://127.0.0.1:9/y'}}\n"
    )
    return root


@pytest.fixture(scope="module")
def options(folder: Path) -> RecorderOptions:
    return asyncio.run(resolve(folder / "longwatch.yml"))


@pytest.fixture(scope="module")
def report(options: RecorderOptions) -> Report:
    return look(options, POST, (None, None), ManualClock(WALL_0 + HOUR))


class _Page(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [
            f"{name}={value}" for name, value in attrs if name in {"src", "href", "xlink:href", "onload", "onclick"}
        ]


@pytest.mark.slow
def test_the_whole_balances_and_says_what_happened(report: Report) -> None:
    assert [camera.id for camera in report.cameras] == ["gate", "yard"]
    gate, yard = report.cameras
    assert gate.total.balances
    assert gate.total.unexplained_us == 0
    assert gate.total.recorded_us == pytest.approx(110 * SECOND, abs=3 * SECOND)
    assert gate.total.gaps_us[Cause.CAMERA_REFUSED] == pytest.approx(10 * SECOND, abs=SECOND)
    assert gate.total.gaps_us[Cause.POST_POWER_LOST] == pytest.approx(200 * SECOND, abs=3 * SECOND)
    assert gate.total.interruptions == 2
    assert set(yard.total.gaps_us) == {Cause.NEVER_RECORDED}
    assert yard.total.promised_us == 0
    assert report.total.wall_us == 2 * (report.to_us - report.from_us)
    assert [day.name for day in report.days] == ["2026-01-01"]
    assert [item.kind for item in report.told] == [
        "recorder_started",
        "clock_step",
        "clock_step",
        "time_corrected",
        "recorder_started",
    ]
    assert report.versions == ("?",)
    assert report.ledger is not None
    assert report.ledger.origin.startswith("longwatch/")


@pytest.mark.slow
def test_a_camera_that_was_not_wanted_is_not_missing(folder: Path, options: RecorderOptions) -> None:
    settings = folder / "never.yml"
    text = (folder / "longwatch.yml").read_text().replace("  gate: {", "  gate: {record: never, ")
    settings.write_text(text)
    never = asyncio.run(resolve(settings))
    made = look(never, POST, (None, None), ManualClock())
    assert made.cameras[0].total.excused_us == made.cameras[0].total.gaps_us[Cause.POST_POWER_LOST]


def test_json_and_csv_say_the_same(report: Report) -> None:
    said = json.loads(as_json(report))
    rows = list(csv.DictReader(io.StringIO(as_csv(report).decode())))
    assert len(rows) == 3 * (1 + len(report.weeks) + len(report.days))
    for row in rows:
        seconds = {name: round(float(value) * 1e6) for name, value in row.items() if name.endswith("_s")}
        gaps = sum(seconds[f"{cause}_s"] for cause in Cause)
        assert seconds["delivered_s"] + gaps + seconds["pending_s"] == seconds["wall_s"]
        assert seconds["delivered_s"] + seconds["missed_s"] == seconds["promised_s"]
    (whole,) = [row for row in rows if row["camera"] == "gate" and row["period"] == "all"]
    gate = said["cameras"][0]
    assert round(float(whole["delivered_s"]) * 1e6) == gate["total"]["delivered_us"]
    assert gate["total"]["gaps_us"]["camera_refused"] == round(float(whole["camera_refused_s"]) * 1e6)
    assert find_notes(as_json(report).decode())


def test_the_page_loads_nothing_runs_nothing_and_escapes_names(report: Report) -> None:
    text = page(report).decode()
    parsed = _Page()
    parsed.feed(text)
    assert "script" not in parsed.tags
    assert parsed.loads == []
    assert "&lt;script&gt;Gate" in text
    assert "&lt;Ridge&gt; &amp; sons" in text
    assert "default-src 'none'" in text
    assert "<pattern id=" in text
    assert "Signature" in text
    assert "0.000 s" in text
    assert find_notes(text) == [report.ledger.checkpoint if report.ledger is not None else ""]
    assert not re.search(r"\d,\d{3}", re.sub(r"<style>.*?</style>|d=\"[^\"]*\"", "", text)), (
        "numbers read the same everywhere"
    )


@pytest.mark.parametrize("name", ["january.html", "january.csv", "january.json", "january.zip", "january"])
def test_written_signed_and_checked(name: str, tmp_path: Path, options: RecorderOptions, report: Report) -> None:
    out = tmp_path / name
    made = make(options, report, out, WHO)
    assert all(file.exists() for file in made.files)
    assert not [file for file in tmp_path.rglob(".*")]
    found = check_report(out, made.fingerprint)
    assert found.problems == ()
    assert found.entry == made.entry
    wrong = check_report(out, "SHA256:somebody-else")
    assert "not by SHA256:somebody-else" in wrong.problems[0]
    _change(out)
    assert check_report(out, None).problems != ()


def _change(out: Path) -> None:
    """One figure, made prettier."""
    if zipfile.is_zipfile(out):
        with zipfile.ZipFile(out) as package:
            content = {name: package.read(name) for name in package.namelist()}
        content["report.json"] = content["report.json"].replace(b'"interruptions": 2', b'"interruptions": 1')
        with zipfile.ZipFile(out, "w") as package:
            for name, data in content.items():
                package.writestr(name, data)
        return
    file = out / "report.json" if out.is_dir() else out
    file.write_bytes(file.read_bytes() + b" ")


def test_without_its_proof_or_with_another_it_is_refused(
    tmp_path: Path, options: RecorderOptions, report: Report
) -> None:
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    make(options, report, one, WHO)
    make(options, report, two, WHO)
    proof = two.with_name("two.csv.tlog-proof")
    one.with_name("one.csv.tlog-proof").write_text(proof.read_text())
    assert "one.csv is not named" in check_report(one, None).problems[0]
    text = proof.read_text().splitlines()
    text[1] = text[1][:-8] + "AAAAAAA="
    proof.write_text("\n".join(text))
    assert "does not hold" in check_report(two, None).problems[0]
    proof.unlink()
    with pytest.raises(UsageError, match="no proof"):
        check_report(two, None)
    with pytest.raises(UsageError, match="no report's name"):
        make(options, report, tmp_path / "report.pdf", WHO)


@pytest.fixture
def run(folder: Path) -> object:
    return lambda *words: CliRunner().invoke(app, [*words, "--config", str(folder / "longwatch.yml")])


@pytest.mark.slow
def test_the_verb(folder: Path, tmp_path: Path, run: object) -> None:
    assert callable(run)
    shown = run("report")
    assert shown.exit_code == 0, shown.output
    assert "gate" in shown.output
    assert "0.000 s unexplained" in shown.output
    assert json.loads(run("report", "--json").stdout)["post"]["id"] == "ridge"
    out = tmp_path / "r.html"
    written = run("report", "--out", str(out), "--reason", "for the council")
    assert written.exit_code == 0, written.output
    assert "signed by SHA256:" in written.output
    assert run("report", "--check", str(out)).exit_code == 0
    out.write_text(out.read_text().replace("100", "101"))
    assert run("report", "--check", str(out)).exit_code == 1
    empty = run("report", "--from", "2026-01-02T00:00:00Z", "--to", "2026-01-01T00:00:00Z")
    assert isinstance(empty.exception, UsageError)


def test_an_earlier_report_holds_the_ledger(
    folder: Path, tmp_path: Path, options: RecorderOptions, report: Report
) -> None:
    out = tmp_path / "paper.html"
    make(options, report, out, WHO)
    held = CliRunner().invoke(app, ["verify", str(folder / "data"), "--checkpoint", str(out), "--json"])
    assert held.exit_code == 0, held.output
