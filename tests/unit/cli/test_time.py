"""`longwatch time`: what it lists, what it moves, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.support.clocked_post import Post
from tests.support.recording import SECOND, WALL_0
from typer.testing import CliRunner

from longwatch.base.errors import UsageError
from longwatch.cli.app import app
from longwatch.cli.time import _numbers, _parse_runs, _parse_shift

HOUR = 3_600 * SECOND
run = CliRunner().invoke


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A post that stepped an hour ahead and back; it runs no more."""
    post = Post(tmp_path / "data")
    studio = post.boot(wall_us=WALL_0)
    studio.open()
    studio.play(20)
    studio.synchronised = False
    studio.step_wall(HOUR)
    studio.play(20)
    studio.step_wall(-HOUR)
    studio.synchronised = True
    studio.play(20)
    post.stop()
    post.close()
    file = tmp_path / "longwatch.yml"
    file.write_text(f"post: {{id: post, timezone: UTC}}\ndata: {tmp_path / 'data'}\ncameras: {{}}\n")
    return file


@pytest.mark.slow
def test_listed_applied_and_listed_no_more(config: Path) -> None:
    listed = run(app, ["time", "--config", str(config)])
    assert listed.exit_code == 0, listed.output
    assert "2026-01-01T01:00:2" in listed.output
    assert "NTP vouched" in listed.output
    (item,) = json.loads(run(app, ["time", "--config", str(config), "--json"]).stdout)["items"]
    assert item["suggested"]
    assert item["shift_us"] == pytest.approx(-HOUR, abs=SECOND)
    asked = run(app, ["time", "apply", "--suggested", "--config", str(config)], input="n\n")
    assert asked.exit_code == 1
    done = run(app, ["time", "apply", "--suggested", "--yes", "--config", str(config), "--json"])
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert (result["runs"], result["by"]) == (1, "time")
    assert "every run stands" in run(app, ["time", "--config", str(config)]).output
    again = run(app, ["time", "apply", "--suggested", "--yes", "--config", str(config)])
    assert "nothing is to be moved" in again.output


def test_an_operator_moves_runs_by_hand(config: Path) -> None:
    words = ["time", "apply", "2", "--shift", "-1h", "--config", str(config)]
    refused = run(app, words)
    assert isinstance(refused.exception, UsageError)
    assert "reason" in str(refused.exception)
    done = run(app, [*words, "--reason", "the church clock"])
    assert done.exit_code == 0, done.output
    (item,) = json.loads(run(app, ["time", "--config", str(config), "--json"]).stdout)["items"] or [{"stated": True}]
    assert item["stated"]


def test_runs_and_durations() -> None:
    assert _parse_runs("17") == [17]
    assert _parse_runs("17-19,4") == [17, 18, 19, 4]
    assert _numbers((4, 17, 18, 19)) == "4,17-19"
    assert _parse_shift("-1h30m") == -5_400 * SECOND
    assert _parse_shift("+250ms") == 250_000
    assert _parse_shift("1.5s") == 1_500_000
    for wrong in ("", "x", "5", "1h x", "h1"):
        with pytest.raises(UsageError):
            _parse_shift(wrong)
    for wrong in ("", "a", "9-3", "1-"):
        with pytest.raises(UsageError):
            _parse_runs(wrong)
