"""The settings file as something that a program writes."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from longwatch.base.errors import LongwatchError, UsageError
from longwatch.config import load
from longwatch.config.file import ChangedMeanwhileError, SettingsFile, first, put


def test_a_first_file_is_right_and_private_and_overwrites_nothing(tmp_path: Path) -> None:
    path = tmp_path / "longwatch.yml"
    first(path, "north-ridge", Path("a folder"), "0.0.0.0:8460")
    settings = load(path)
    assert (settings.post.id, settings.web.tls, settings.cameras) == ("north-ridge", "self-signed", {})
    assert settings.volumes == [tmp_path / "a folder"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(UsageError, match="is there already"):
        first(path, "other", Path("x"), "127.0.0.1:8460")
    for post, listen in (("North Ridge", "127.0.0.1:8460"), ("ridge", "nowhere")):
        with pytest.raises(UsageError):
            first(tmp_path / "other.yml", post, Path("x"), listen)
    assert not (tmp_path / "other.yml").exists()


def test_a_link_is_followed_and_its_target_replaced(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    real = tmp_path / "etc" / "real.yml"
    real.write_text("one")
    real.chmod(0o640)
    link = tmp_path / "longwatch.yml"
    link.symlink_to(real)
    file = SettingsFile(link)
    stand = file.read()
    assert file.replace("two", stand.revision).text == "one"
    assert link.is_symlink()
    assert (real.read_text(), stat.S_IMODE(real.stat().st_mode)) == ("two", 0o640)
    with pytest.raises(ChangedMeanwhileError):
        file.replace("three", stand.revision)
    file.put_back(stand, "not what is there")
    assert real.read_text() == "two", "somebody else's change is not undone"
    file.put_back(stand, "two")
    assert real.read_text() == "one"


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.yml"
    path.write_text("one")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("longwatch.config.file.os.fsync", full)
    with pytest.raises(LongwatchError, match="No space left"):
        put(path, b"two", 0o600)
    assert path.read_text() == "one"
    assert list(tmp_path.iterdir()) == [path]


def test_a_device_or_a_pipe_is_never_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "secrets.env"
    os.mkfifo(pipe)
    with pytest.raises(LongwatchError) as caught:
        put(pipe, b"A=b", 0o600)
    assert "no ordinary file" in caught.value.why
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]
