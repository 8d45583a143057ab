"""After an upgrade `longwatch` is still the command that was installed by hand: it hands on to the release that runs.

Only `run` stays here: the supervisor is of what was installed. A release that cannot be started is passed over.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

import longwatch
from longwatch.node.upgrade.files import Places, current
from longwatch.node.upgrade.state import RELEASE


def hand_on(arguments: Sequence[str]) -> None:
    """Become the release's own command, where there is one; else return. arguments: without the program's name."""
    if RELEASE in os.environ or list(arguments[:1]) == ["run"] or {"-h", "--help"} & set(arguments):
        return
    config = _config(arguments)
    python = None if config is None else release_of(config)
    if python is not None:
        environment = os.environ | {RELEASE: python.parent.parent.name}
        with contextlib.suppress(OSError):
            os.execve(python, [str(python), "-P", "-m", "longwatch.cli", *arguments], environment)  # noqa: S606 - a release that was verified and tried


def release_of(config: Path) -> Path | None:
    """The interpreter of the release that runs on these settings' folder; None where it is what was installed."""
    from longwatch.config import first_folder

    data = first_folder(config)
    release = None if data is None or not Places(data).state.exists() else current(data, longwatch.__version__)
    return None if data is None or release is None else Places(data).python(release)


def _config(arguments: Sequence[str]) -> Path | None:
    """As `config.find` would, without a word about what is not there."""
    from longwatch.config.finding import SEARCH

    for number, word in enumerate(arguments):
        if word == "--config" and number + 1 < len(arguments):
            return Path(arguments[number + 1])
        if word.startswith("--config="):
            return Path(word.partition("=")[2])
    return next((path for path in SEARCH if path.exists()), None)
