"""`longwatch settings check`."""

from __future__ import annotations

import typer

from longwatch.base.errors import UsageError
from longwatch.cli import options
from longwatch.cli.output import say, say_json, warn


def add_to(app: typer.Typer) -> None:
    """Hang the verbs of this file into the tree."""
    group = typer.Typer(help="The settings file.", no_args_is_help=True)
    group.command("check")(check)
    app.add_typer(group, name="settings")


def check(config: options.Config = None, json: options.Json = False) -> None:
    """Validate the settings file: line, column, what is wrong, what would be right.

    Example: `longwatch settings check --config /etc/longwatch/longwatch.yml`
    """
    from longwatch.config import SettingsError, find, load

    path = find(config)
    try:
        settings = load(path)
    except SettingsError as error:
        if json:
            say_json({"ok": False, "file": str(path), "problems": [problem.as_json() for problem in error.problems]})
        else:
            for problem in error.problems:
                warn(f"{path}: {problem}")
        raise typer.Exit(2) from None
    except UsageError as error:
        if json:
            say_json({"ok": False, "file": str(path), "problems": [{"what": error.what, "remedy": error.remedy}]})
            raise typer.Exit(2) from None
        raise
    if json:
        say_json({"ok": True, "file": str(path), "post": settings.post.id, "cameras": list(settings.cameras)})
        return
    count = len(settings.cameras)
    say(f"{path}: the settings are right: post {settings.post.id}, {count} camera{'' if count == 1 else 's'}")
