"""What somebody who simulates a fleet does wrong is said before anything begins."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from longwatch.base.descriptors import allow_descriptors
from longwatch.base.errors import UsageError
from longwatch.cli.app import app
from longwatch.node.demo import fleet as fleet_simulation
from longwatch.node.demo.fleet import check_descriptors, codes_of_file
from longwatch.node.demo.fleet_page import percentile
from longwatch.trust import Code


def code(post: str) -> str:
    return Code("127.0.0.1:1", "ab" * 32, post, b"s" * 16).text()


async def test_codes_of_a_file_are_found_by_their_posts(tmp_path: Path) -> None:
    file = tmp_path / "codes"
    file.write_text(f"{code('sim-0002')}\n{code('sim-0001')}\n")
    codes = codes_of_file(file)
    assert await codes("sim-0001") == code("sim-0001")
    with pytest.raises(UsageError, match="no code for sim-0003"):
        await codes("sim-0003")
    with pytest.raises(UsageError, match="cannot be read"):
        codes_of_file(tmp_path / "none")


def test_more_posts_than_a_process_may_have_files_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert allow_descriptors(1) >= 1
    monkeypatch.setattr(fleet_simulation, "allow_descriptors", lambda wanted: wanted - 1)
    with pytest.raises(UsageError, match="open files"):
        check_descriptors(5)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "posts join by codes"),
        (["--codes", "x", "--hub-config", "y"], "posts join by codes"),
        (["--codes", "x", "--prefix", "Not an id"], "no part of an id"),
        (["--codes", "x", "--posts", "2", "--returning", "3"], "more posts return"),
        (["--codes", "x", "--page", "http://127.0.0.1:1"], "asks for a token"),
    ],
)
def test_wrong_use_is_said_with_what_would_be_right(words: list[str], said: str) -> None:
    done = CliRunner().invoke(app, ["simulate", "fleet", *words])
    assert isinstance(done.exception, UsageError)
    assert said in str(done.exception)
    assert done.exception.remedy


def test_percentiles() -> None:
    assert percentile([], 0.5) is None
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([float(n) for n in range(100)], 0.99) == 99.0
