"""A disk of a few megabytes, mounted for a test: the honest full disk."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def small_disk(mount: Path, options: str) -> Iterator[Path]:
    """A tmpfs at `mount`, which is made. options: of mount, such as `size=2m`. Skips the test where none can be mounted."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    mount.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", mount], capture_output=True, check=False)
    if made.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {made.stderr.decode()}")
    try:
        yield mount
    finally:
        subprocess.run(["umount", "-l", mount], check=True)
