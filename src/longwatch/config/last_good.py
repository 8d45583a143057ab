"""The last good settings: a slip in the file never keeps a recorder or its server from starting again.

Settings that are right are kept as a file (their text and the folder it stood in, mode 0600; never what `${NAME}` stands
for). Where the settings are wrong, those are used, and what is wrong is told; and where neither is right, since a name of a way to people stands for nothing any more
(somebody tidied up the secrets file), those without `notify` and `mqtt`: that nobody is told is no reason to record nothing. The supervisor names the file in the
environment of what it starts; who starts `longwatch run` by hand is told of wrong settings instead.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from longwatch.base.errors import UsageError
from longwatch.config.loader import compose, load
from longwatch.config.model import Settings
from longwatch.config.problems import Problem, SettingsError

VARIABLE = "LONGWATCH_LAST_GOOD"
_TELLING = ("notify", "mqtt")


def load_kept(path: Path, last_good: Path | None = None) -> tuple[Settings, list[Problem]]:
    """The settings; or the last good ones, with the problems of the present ones.

    last_good: by default what the environment names. Raises as `load` where there are none to fall back on.
    """
    if last_good is None and (named := os.environ.get(VARIABLE)):
        last_good = Path(named)
    try:
        settings = load(path)
    except UsageError as error:
        kept = None if last_good is None else _kept(path, last_good) or _untelling(path, last_good)
        if kept is None:
            raise
        problems = error.problems if isinstance(error, SettingsError) else [Problem(1, 1, "", error.what, error.remedy)]
        return kept, problems
    if last_good is not None:
        _keep(path, last_good)
    return settings, []


def _kept(path: Path, last_good: Path) -> Settings | None:
    with contextlib.suppress(OSError, ValueError, KeyError, UsageError):
        text, folder = _text_of(last_good)
        return compose(path, text, os.environ, folder)
    return None


def _text_of(last_good: Path) -> tuple[str, Path]:
    kept = json.loads(last_good.read_bytes())
    return str(kept["text"]), Path(kept["folder"])


def _untelling(path: Path, last_good: Path) -> Settings | None:
    """The settings, else the last good ones, without what tells people."""
    from longwatch.config import editing  # hardly any start needs it

    for of_before in (False, True):
        with contextlib.suppress(OSError, ValueError, KeyError, UsageError):
            text, folder = _text_of(last_good) if of_before else (path.read_text("utf-8-sig"), path.absolute().parent)
            for section in _TELLING:
                text = text if editing.section(text, (section,)) is None else editing.without(text, (section,))
            return compose(path, text, os.environ, folder)
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
