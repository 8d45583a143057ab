"""What no upgrade needs any more goes: environments, copies, bundles, databases set aside. Never what runs, nor what is gone back to."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from longwatch.node.upgrade.back import INDEX, SERVER
from longwatch.node.upgrade.files import Places, read_state
from longwatch.node.upgrade.install import remove


def make_room(places: Places, running: str, needed: str, bundle: str) -> None:
    """Before an upgrade. running: the release of this server. needed: the one that is being installed. bundle: hash of its file."""
    with contextlib.suppress(OSError, ValueError):
        state = read_state(places.state.parent, "")
        if state.trial is not None:
            return
        stay = {running, needed, "" if state.current is None else state.current.name}
        for folder in _in(places.releases):
            if folder.name not in stay:
                with contextlib.suppress(OSError):
                    remove(folder)
        shutil.rmtree(places.before, ignore_errors=True)
        for name in (INDEX, SERVER):
            for aside in places.state.parent.glob(f"{name}.newer-*"):
                aside.unlink(missing_ok=True)
        _drop_bundles(places, bundle)


def clear(places: Places) -> None:
    """After an upgrade, however it ended. The environment before it stays until the next one, to look at; copies of what people did and saw do not."""
    with contextlib.suppress(OSError, ValueError):
        if read_state(places.state.parent, "").trial is None:
            shutil.rmtree(places.before, ignore_errors=True)
            shutil.rmtree(places.tried, ignore_errors=True)
            _drop_bundles(places, "")


def _drop_bundles(places: Places, needed: str) -> None:
    for file in _in(places.bundles):
        if file.name != f"{needed}.bundle":
            with contextlib.suppress(OSError):
                file.unlink()


def _in(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []
