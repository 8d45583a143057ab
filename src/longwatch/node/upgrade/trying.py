"""A release tries itself, before anything is switched: `python -m longwatch.node.upgrade_trying CONFIG COPIES`, from its own environment.

Everything that the two processes load is loaded; the settings are read; and copies of the databases are opened, and brought to the form that this
version writes. Nothing of the post is touched but the copies. One JSON object on standard output; `problems` is empty where it may be switched to.
The version before starts it and reads the answer: what stands in it is only ever added to.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import longwatch
from longwatch.base.errors import LongwatchError
from longwatch.base.secrets import scrub
from longwatch.node.upgrade.back import INDEX, SERVER, index_form, server_form
from longwatch.node.upgrade.install import lower

_LOADED = (
    "longwatch.node.recorder.__main__", "longwatch.node.server.__main__", "longwatch.node.upgrade_back", "longwatch.config.__main__", "longwatch.cli.app",
    "longwatch.node.children.verifying", "longwatch.node.children.export", "longwatch.node.children.probe", "longwatch.node.children.masking",
    # what the server imports once it is needed
    "longwatch.node.server.hub", "longwatch.node.server.doing", "longwatch.node.issuing.reporting", "longwatch.accounts.provider_asking",
    "longwatch.notify.push", "longwatch.notify.webhook", "longwatch.notify.apprise_channel", "longwatch.bus.client", "alembic.command", "webauthn",
)  # fmt: skip


def main(words: list[str]) -> int:
    """The exit code: 0 where it may be switched to."""
    lower()
    config, copies = Path(words[0]), Path(words[1])
    said: dict[str, Any] = {"format": 1, "version": longwatch.__version__, "problems": [], "databases": {}}
    for what in (_load, lambda _said: _settings(config, _said), lambda _said: _databases(copies, _said)):
        try:
            what(said)
        except (LongwatchError, OSError, ImportError, ValueError, sqlite3.Error) as error:
            said["problems"].append(scrub(str(error))[:1000] or repr(error)[:200])
    sys.stdout.write(json.dumps(said) + "\n")
    return 1 if said["problems"] else 0


def _load(_: dict[str, Any]) -> None:
    for name in _LOADED:
        importlib.import_module(name)
    _ = importlib.import_module("longwatch.cli.app").app  # with every verb


def _settings(config: Path, said: dict[str, Any]) -> None:
    from longwatch.config import SettingsError, load_lacking

    try:
        load_lacking(config)  # what lacks a secret now lacks it in either version
    except SettingsError as error:
        said["problems"] += [f"the settings: {scrub(str(problem))[:300]}" for problem in error.problems[:5]]


def _databases(copies: Path, said: dict[str, Any]) -> None:
    for name, form, bring_up in ((INDEX, index_form, _index), (SERVER, server_form, _server)):
        path = copies / name
        if path.exists():
            before = _form(path, form)
            bring_up(path)
            said["databases"][name] = [before, _form(path, form)]


def _form(path: Path, form: Callable[[sqlite3.Connection], int]) -> int:
    with contextlib.closing(sqlite3.connect(path)) as db:
        return form(db)


def _index(path: Path) -> None:
    from longwatch.archive.flushing import Flushing
    from longwatch.archive.index import Index
    from longwatch.base.clock import SystemClock
    from longwatch.base.ids import boot_id

    index = Index(path, boot_id(), SystemClock(), Flushing())
    try:
        index.connection.execute("SELECT count(*) FROM segment").fetchone()
    finally:
        index.close()


def _server(path: Path) -> None:
    from longwatch.server_db import ServerDb

    ServerDb(path).close()
