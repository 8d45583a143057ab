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
    """Record, or be a hub: start recorder and server as the settings say, and keep them running.

    SIGTERM or Ctrl-C seals what is open and ends within 5 s, and raises an alarm that nobody gave a reason. `longwatch stop` asks for one.

    Example: `longwatch run --config /etc/longwatch/longwatch.yml`
    """
    from longwatch.cli.handing_on import release_of
    from longwatch.config import find, load_lacking

    path = find(config)
    found = []
    if release_of(path) is None:  # settings may be of a newer version than this one: the supervisor asks that
        settings = load_lacking(
            path
        )  # wrong settings are said here, to the person who starts it, and nothing is started
        for problem in sorted(settings.lacking):
            typer.echo(f"longwatch run: a secret is missing, and what needs it is left out: {problem}", err=True)
        found = ["--data", str(settings.volumes[0]), *(["--door"] if settings.door else [])]
    os.execv(sys.executable, [sys.executable, "-m", "longwatch.node.supervisor", "--config", str(path), *found])  # noqa: S606 - our own interpreter; what read the settings gives its memory back
