"""`longwatch model check`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from longwatch.cli import options
from longwatch.cli.output import say, say_json, warn


def add_to(app: typer.Typer) -> None:
    """Hang the verbs of this file into the tree."""
    group = typer.Typer(help="Models for objects.", no_args_is_help=True)
    group.callback()(lambda: None)
    group.command("check")(check)
    app.add_typer(group, name="model")


def check(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder with the model and its manifest.")],
    json: options.Json = False,
) -> None:
    """What a model is, whether it can be used here, and how long it takes for a crop. It is opened in a process that has given up files and network.

    Example: `longwatch model check /srv/models/yolo11n`
    """
    from longwatch.node.watch.modelling import asked

    said = asked(folder)
    if json:
        say_json(said)
    elif said["ok"]:
        shown = [f"{name} ({kind})" if kind != name else name for name, kind in said["classes"].items() if kind]
        left = sum(not kind for kind in said["classes"].values())
        say(f"{said['name']} {said['version']}, {said['licence']}, {said['bytes'] / 1e6:.1f} MB: it can be used")
        if said["about"]:
            say(f"  {said['about']}")
        say(
            f"  finds {', '.join(said['finds'])}: {', '.join(shown)}"
            + (f"; {left} of its classes are left out" if left else "")
        )
        say(f"  {said['layout']}, input {said['input'][0]} x {said['input'][1]}")
        say(
            f"  a crop takes {said['crop_s'] * 1000:.1f} ms of one core here, and some {said['memory_bytes'] / 1e6:.0f} MB"
        )
    else:
        warn(
            f"{folder}: {said['what']}"
            + (f": {said['why']}" if said["why"] else "")
            + (f" ({said['remedy']})" if said["remedy"] else "")
        )
    if not said["ok"]:
        raise typer.Exit(1)
