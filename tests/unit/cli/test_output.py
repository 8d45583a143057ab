"""Tables: for a person at a terminal wrapped and readable, in a pipe one line a row, and never obeying what a camera says."""

import io
import re
import sys

import pytest

from longwatch.base import secrets
from longwatch.cli.audit import _detail
from longwatch.cli.output import say_table

ROWS = [
    ("2026-01-31T00:00:00Z", "gate", "camera_unreachable", ["[red]no route[/red] to the camera", "neighbours: " + "yard, " * 30]),
    ("2026-01-31T01:00:00Z", "yard", "packets_lost", ["rtp: 17"]),
]  # fmt: skip
HEAD = ("FROM", "CAMERA", "CAUSE", "EVIDENCE")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_in_a_pipe_each_row_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    say_table(HEAD, ROWS)
    head, first, second = capsys.readouterr().out.splitlines()
    assert head.startswith("FROM")
    assert "camera_unreachable  [red]no route[/red] to the camera; neighbours: yard, yard" in first
    assert second.endswith("packets_lost        rtp: 17")


def test_at_a_terminal_evidence_is_wrapped_with_a_line_for_each_fact(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", "100")
    secrets.register("hunter2-secret")
    say_table(HEAD, [*ROWS, ("2026-01-31T02:00:00Z", "pier", "unknown", ["hunter2-secret was said"])])
    lines = re.sub("\x1b\\[[0-9;]*m", "", terminal.getvalue()).splitlines()
    assert max(map(len, lines)) <= 100
    assert "camera_unreachable" in lines[1]
    assert "[red]no route[/red] to the camera" in lines[1], "what a camera says is no markup"
    assert lines[2].strip().startswith("neighbours: yard,")
    assert lines[3].strip().startswith("yard,"), "wrapped within its column"
    assert "hunter2-secret" not in terminal.getvalue()


def test_what_an_entry_says_is_told_in_words() -> None:
    body = {
        "sha256": "ab" * 32, "reduces": ["camera barn is removed", "max_age 30d to 7d"], "since_us": 1_767_225_600_000_000,
        "for_us": 90_000_000, "inferred": True, "changes": {"added": {}, "changed": {"web.listen": ["a", "b"]}, "removed": ["x.y"]},
    }  # fmt: skip
    told = _detail(body)
    assert "reduces: camera barn is removed, max_age 30d to 7d" in told
    assert "since: 2026-01-01T00:00:00Z" in told
    assert "for: 90 s" in told
    assert "inferred: yes" in told
    assert "changes: changed web.listen a, b, removed x.y" in told
    assert not any("{" in line for line in told)
