"""The last good settings: a slip in the file never keeps a recorder or its server from starting again.

Settings that are right are kept as a file (their text and the folder it stood in, mode 0600; never what `${NAME}` stands
for). Where the settings are wrong, those are used, and what is wrong is told. A name that stands for no secret is not wrong in this sense: it costs what
needs it, and that is told (`lacking`). The supervisor names the file in the
environment of what it starts; who starts `longwatch run` by hand is told of wrong settings instead.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from longwatch.base.errors import UsageError
from longwatch.config.loader import compose, load_lacking
from longwatch.config.model import Settings
from longwatch.config.problems import Problem, SettingsError

VARIABLE = "LONGWATCH_LAST_GOOD"


def load_kept(path: Path, last_good: Path | None = None) -> tuple[Settings, list[Problem]]:
    """The settings, as far as their secrets are there; or the last good ones, with the problems of the present ones.

    last_good: by default what the environment names. Raises as `load` where there are none to fall back on.
    """
    if last_good is None and (named := os.environ.get(VARIABLE)):
        last_good = Path(named)
    try:
        settings = load_lacking(path)
    except UsageError as error:
        kept = None if last_good is None else _kept(path, last_good)
        if kept is None:
            raise
        problems = error.problems if isinstance(error, SettingsError) else [Problem(1, 1, "", error.what, error.remedy)]
        return kept, problems
    if last_good is not None:
        _keep(path, last_good)
    return settings, []


def _kept(path: Path, last_good: Path) -> Settings | None:
    with contextlib.suppress(OSError, ValueError, KeyError, UsageError):
        kept = json.loads(last_good.read_bytes())
        return compose(path, str(kept["text"]), os.environ, Path(kept["folder"]), lenient=True)
    return None


def _keep(path: Path, last_good: Path) -> None:
    """Write new, flush, rename. A disk that refuses it costs only the copy."""
    fresh = last_good.with_name(f".{last_good.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        content = json.dumps({"folder": str(path.absolute().parent), "text": path.read_text("utf-8-sig")}).encode()
        if last_good.exists() and last_good.read_bytes() == content:
            return
        last_good.parent.mkdir(mode=0o700, exist_ok=True)
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(last_good)
