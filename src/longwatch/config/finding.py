"""Where the settings are, and where what they are about is: without reading more of them than that."""

from __future__ import annotations

from pathlib import Path

from longwatch.base.errors import LongwatchError, UsageError
from longwatch.config import expand
from longwatch.config.problems import Wrong
from longwatch.config.tree import MAX_BYTES, read_plain

SEARCH = (Path("longwatch.yml"), Path("/etc/longwatch/longwatch.yml"))


def find(path: Path | None) -> Path:
    """The settings file to use: `path`, else ./longwatch.yml, else /etc/longwatch/longwatch.yml. Raises UsageError."""
    if path is not None:
        return path
    for candidate in SEARCH:
        if candidate.exists():
            return candidate
    raise UsageError(
        f"no settings: neither {SEARCH[0]} nor {SEARCH[1]} is there",
        remedy="write one with `longwatch settings new`, name it with --config FILE, or try `longwatch demo`, which needs none",
    )


def first_folder(path: Path) -> Path | None:
    """The first data folder that a settings file names, whatever else is in it: it may be for a newer version of this program. None where none can be found."""
    try:
        with path.open("rb") as file:
            data = read_plain(file.read(MAX_BYTES).decode("utf-8-sig")).get("data")
        first = data[0] if isinstance(data, list) and data else data
        return path.absolute().parent / expand.plain(first) if isinstance(first, str) else None
    except (OSError, ValueError, LongwatchError, Wrong):
        return None
