"""The tree of commands."""

from __future__ import annotations

from typing import Annotated

import typer

from longwatch import __version__
from longwatch.cli import camera, demo, people, recordings, run, settings, simulate

app = typer.Typer(
    name="longwatch",
    help="A network of cameras for places that are hard to watch. Every second of every camera is accounted for.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"longwatch {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


for room in (demo, run, settings, camera, people, recordings, simulate):
    room.add_to(app)
