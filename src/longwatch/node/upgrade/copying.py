"""Copies of both databases of a post that runs: `python -m longwatch.node.upgrade.copying DATA FOLDER`, a child of the server, of low priority.

Each in one transaction that reads (SQLite's backup in one step): what is written meanwhile waits for nothing. The copies are flushed. An earlier one in
that folder is replaced. One JSON object on standard output: `{"done": {NAME: bytes}}` or `{"failed": why}`.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import sys
from pathlib import Path
from urllib.parse import quote

from longwatch.node.upgrade.back import INDEX, SERVER
from longwatch.node.upgrade.files import flush_folder
from longwatch.node.upgrade.install import lower


def main(words: list[str]) -> int:
    """The exit code: 0, or 1 where a copy is not there."""
    lower()
    data, folder = Path(words[0]), Path(words[1])
    said: dict[str, object]
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        said = {"done": {name: copy(data / name, folder / name) for name in (INDEX, SERVER) if (data / name).exists()}}
        flush_folder(folder)
    except (OSError, sqlite3.Error) as error:
        said = {"failed": f"the databases could not be copied: {error}"}
    sys.stdout.write(json.dumps(said) + "\n")
    return 0 if "done" in said else 1


def copy(source: Path, target: Path) -> int:
    """Its bytes. Raises OSError, sqlite3.Error."""
    fresh = target.with_name(f".{target.name}.fresh")
    for suffix in ("", "-wal", "-shm", "-journal"):
        fresh.with_name(fresh.name + suffix).unlink(missing_ok=True)
    with (
        contextlib.closing(sqlite3.connect(f"file:{quote(str(source))}?mode=ro", uri=True, timeout=30)) as db,
        contextlib.closing(sqlite3.connect(fresh)) as into,
    ):
        db.backup(into, pages=-1)
    with fresh.open("rb") as file:
        os.fsync(file.fileno())
    for suffix in ("", "-wal", "-shm"):
        target.with_name(target.name + suffix).unlink(missing_ok=True)
    fresh.replace(target)
    return target.stat().st_size


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main(sys.argv[1:]))
