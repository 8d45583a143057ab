"""A folder that can be used, one that can be made, and those that cannot."""

import os
from pathlib import Path

import pytest

from longwatch.base import folders
from longwatch.base.folders import why_not_replaced, why_unusable


def test_one_that_is_there_or_can_be_made_is_in_order_and_nothing_is_made(tmp_path: Path) -> None:
    assert why_unusable(tmp_path) == ""
    assert why_unusable(tmp_path / "a" / "b") == ""
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_folder_is_said(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert why_unusable(file) == f"{file} is not a folder"
    assert why_unusable(file / "data") == f"{file} is not a folder, so {file / 'data'} cannot be made"
    dangling = tmp_path / "link"
    dangling.symlink_to(tmp_path / "nowhere")
    assert why_unusable(dangling) == f"{dangling} is not a folder"


def test_what_may_not_be_written_is_said_with_whom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders.os, "access", lambda path, _, **__: Path(path) != tmp_path)
    monkeypatch.setattr(folders.os, "geteuid", lambda: 0)
    assert why_unusable(tmp_path) == f"{tmp_path} may not be written by root"
    assert why_unusable(tmp_path / "a" / "b") == (
        f"{tmp_path / 'a' / 'b'} is not there and cannot be made: {tmp_path} may not be written by root"
    )
    monkeypatch.setattr(folders.os, "geteuid", lambda: 4_000_000)
    assert why_unusable(tmp_path).endswith("by user 4000000")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_the_user_that_asks_is_whose_rights_count(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    child = os.fork()
    if child == 0:
        os.setegid(65_534)
        os.seteuid(65_534)
        os._exit(0 if why_unusable(data) and why_unusable(Path("/longwatch-data")) else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_only_what_is_an_ordinary_file_or_a_link_may_be_replaced(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.touch()
    link.symlink_to(os.devnull)
    assert [why_not_replaced(path) for path in (file, link, tmp_path / "none")] == ["", "", ""]
    for path in (Path(os.devnull), tmp_path):
        assert why_not_replaced(path) == f"{path} is no ordinary file"
    out = tmp_path / "stdout"
    out.symlink_to("/proc/self/fd/1")  # as /dev/stdout is: renamed over, it would be a film for everybody
    assert why_not_replaced(out) == f"{out} leads to what belongs to a process"
