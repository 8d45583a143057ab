"""`longwatch settings new`, `check` and `apply`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from longwatch.base.errors import UsageError
from longwatch.cli import options
from longwatch.cli.output import say, say_json, warn


def add_to(app: typer.Typer) -> None:
    """Hang the verbs of this file into the tree."""
    group = typer.Typer(help="The settings file.", no_args_is_help=True)
    group.command("new")(new)
    group.command("check")(check)
    group.command("apply")(apply)
    app.add_typer(group, name="settings")


def new(
    data: Annotated[Path, typer.Option("--data", metavar="DIR", help="Where recordings go.")] = Path("longwatch-data"),
    post: Annotated[str, typer.Option("--post", metavar="ID", help="The post's id, for ever: a-z, 0-9, -.")] = "post",
    listen: Annotated[
        str, typer.Option("--listen", metavar="HOST:PORT", help="Beyond loopback it is encrypted (`tls: self-signed`).")
    ] = "127.0.0.1:8460",
    config: options.Config = None,
) -> None:
    """Write a first settings file, without cameras: all else is done in the browser. Nothing that is there is overwritten.

    Example: `longwatch settings new --post north-ridge --data /srv/longwatch`
    """
    from longwatch.config.file import first

    path = config or Path("longwatch.yml")
    first(path, post, data, listen)
    say(f"{path} is written. Now: longwatch run --config {path}")
    say("Then open the address it names in a browser; the set-up code is said at the terminal, and in the data folder.")


def apply(
    reason: Annotated[
        str | None,
        typer.Option(
            "--reason", metavar="TEXT", help="Why; asked for where less is recorded, kept, accounted for or watched."
        ),
    ] = None,
    config: options.Config = None,
    json: options.Json = False,
) -> None:
    """Apply changed settings: the entry says what changed and what that takes away. No stream that did not change is interrupted.

    Example: `longwatch settings apply --reason "the yard camera is gone"`
    """
    from longwatch.accounts.who import at_the_post
    from longwatch.config import find, load_lacking
    from longwatch.node.by_recorder.acts import apply_settings

    path = find(config)
    settings = load_lacking(path)
    for problem in sorted(settings.lacking):
        typer.echo(f"longwatch settings apply: a secret is missing, and what needs it is left out: {problem}", err=True)
    answer = apply_settings(
        settings.volumes, settings.post.id, path, reason=reason or "", person=at_the_post().person()
    )
    if json:
        say_json(answer)
        return
    if answer["seq"] is None:
        say("nothing has changed since the settings were applied last")
        return
    say(f"applied: entry {answer['seq']}" + ("" if answer["by"] == "recorder" else "; no recorder runs, so it takes effect at the next start"))  # fmt: skip
    for taken in answer["reduces"]:
        say(f"  takes away: {taken}")
    for name in answer.get("restart_needed", []):
        say(f"  at the next start: {name}")


def check(config: options.Config = None, json: options.Json = False) -> None:
    """Validate the settings file: line, column, what is wrong, what would be right; and that its data folders, and its model for objects, can be used by you.

    What looks like a mistyped `${NAME}` and may be a password is said, and is no error.

    Example: `longwatch settings check --config /etc/longwatch/longwatch.yml`
    """
    from longwatch.config import SettingsError, find, folder_problems, load
    from longwatch.node.watch.modelling import model_problems

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
    problems = [*folder_problems(settings), *model_problems(settings)]
    if problems:
        if json:
            say_json({"ok": False, "file": str(path), "problems": [problem.as_json() for problem in problems]})
        else:
            for problem in problems:
                warn(f"{path}: {problem}")
        raise typer.Exit(2)
    if json:
        said = {"ok": True, "file": str(path), "role": settings.role, settings.role: settings.post.id}
        say_json(said | {"cameras": list(settings.cameras), "doubts": [doubt.as_json() for doubt in settings.doubts]})
        return
    for doubt in settings.doubts:
        warn(f"{path}: not sure: {doubt}")
    if settings.role == "hub":
        say(f"{path}: the settings are right: hub {settings.post.id}; posts reach it at {settings.uplink.address}")
        return
    count = len(settings.cameras)
    say(f"{path}: the settings are right: post {settings.post.id}, {count} camera{'' if count == 1 else 's'}")
