"""The tree of commands."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from longwatch import __version__

ROOMS: Mapping[str, tuple[str, ...]] = {
    "demo": ("demo",),
    "run": ("run",),
    "settings": ("settings",),
    "camera": ("camera",),
    "model": ("model",),
    "people": ("user", "token"),
    "audit": ("audit", "erase"),
    "recordings": ("gaps", "check"),
    "export": ("export",),
    "courier": ("courier",),
    "hold": ("hold",),
    "verify": ("verify",),
    "simulate": ("simulate",),
    "acts": ("alarms", "acknowledge", "pause", "resume", "stop"),
    "time": ("time",),
    "report": ("report",),
    "key": ("key",),
    "hub": ("hub",),
    "join": ("join",),
    "upgrade": ("upgrade",),
}
"""Modules of this package, in the order of `--help`, and the verbs that each adds."""


def tree(arguments: Sequence[str] = ()) -> typer.Typer:
    """The commands: of the one room whose verb stands first, since a call is of one verb; else all of them, as for `--help`.

    arguments: without the program's name.
    """
    app = typer.Typer(
        name="longwatch",
        help="A network of cameras for places that are hard to watch. Every second of every camera is accounted for.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    called = [room for room, verbs in ROOMS.items() if arguments and arguments[0] in verbs]
    for room in called or ROOMS:
        importlib.import_module(f"longwatch.cli.{room}").add_to(app)
    return app


def __getattr__(name: str) -> typer.Typer:
    """`app`: the whole tree (PEP 562)."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return globals().setdefault("app", tree())  # type: ignore[no-any-return]  # it is what was made here


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"longwatch {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass
