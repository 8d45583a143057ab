"""`longwatch run`."""

from __future__ import annotations

import os
import sys

import typer

from longwatch.cli import options


def add_to(app: typer.Typer) -> None:
    """Hang the verbs of this file into the tree."""
    app.command("run")(run)


def run(config: options.Config = None) -> None:
    """Record: start recorder and server as the settings say, and keep them running.

    SIGTERM or Ctrl-C seals what is open and ends within 5 s.

    Example: `longwatch run --config /etc/longwatch/longwatch.yml`
    """
    from longwatch.config import find, load

    path = find(config)
    load(path)  # wrong settings are said here, to the person who starts it, and nothing is started
    os.execv(sys.executable, [sys.executable, "-m", "longwatch.node.supervise", "--config", str(path)])  # noqa: S606 - our own interpreter; what read the settings gives its memory back
