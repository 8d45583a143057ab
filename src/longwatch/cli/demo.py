"""`longwatch demo`."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from longwatch.cli.output import say

if TYPE_CHECKING:
    from longwatch.node.demo import Ready


def add_to(app: typer.Typer) -> None:
    """Hang the verbs of this file into the tree."""
    app.command("demo")(demo)


def demo(
    cameras: Annotated[int, typer.Option(min=1, max=64, metavar="N", help="How many simulated cameras.")] = 4,
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where the console answers; loopback only.")
    ] = "127.0.0.1:8460",
    data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep the recordings here. Default: a folder thrown away at the end."),
    ] = None,
) -> None:
    """A post with simulated cameras and the console: no hardware, no settings. Prints address, user and password.

    Example: `longwatch demo --cameras 6`
    """
    from longwatch.base.errors import UsageError
    from longwatch.config.values import listen as address
    from longwatch.node import demo as node_demo

    try:
        place = address(listen)
    except ValueError as error:
        raise UsageError(str(error), remedy="write it as 127.0.0.1:8460") from None
    if not place.is_loopback or place.port == 0:
        raise UsageError(
            f"the demo listens on a loopback port, not on {listen}", remedy="for more, see `longwatch run`"
        )
    say("Starting the cameras and the post ...")

    def ready(now: Ready) -> None:
        say(f"address: {now.address}")
        say(f"user: {now.user}")
        say(f"password: {now.password}")
        kept = f"Recordings are kept in {now.data}." if data is not None else "Nothing is kept."
        say(f"{cameras} simulated camera{'' if cameras == 1 else 's'}. Ctrl-C stops everything. {kept}")

    code = node_demo.run(cameras, place, data, ready)
    with contextlib.suppress(OSError):  # the terminal may be what ended it
        say("Stopped.")
    raise typer.Exit(code)
