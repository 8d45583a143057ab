"""`longwatch demo`."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from longwatch.cli.output import say

if TYPE_CHECKING:
    from longwatch.config.values import Listen
    from longwatch.node.demo.network import NetworkReady
    from longwatch.node.demo.post import Ready


def add_to(app: typer.Typer) -> None:
    """Hang the verbs of this file into the tree."""
    app.command("demo")(demo)


def demo(
    cameras: Annotated[
        int | None,
        typer.Option(
            min=1, max=64, metavar="N", help="How many simulated cameras. Default: 4; with --network 2 at each post."
        ),
    ] = None,
    network: Annotated[
        bool,
        typer.Option(
            "--network",
            help="Two posts, a station and headquarters, with a switch for each link. The six ports after that of --listen are used too.",
        ),
    ] = False,
    objects: Annotated[
        bool,
        typer.Option(
            "--objects", help="One camera more, which shows a painted film; a tiny model says what moves in it."
        ),
    ] = False,
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where the console answers; loopback only.")
    ] = "127.0.0.1:8460",
    data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep the recordings here. Default: a folder thrown away at the end."),
    ] = None,
) -> None:
    """A post with simulated cameras and the console: no hardware, no settings. Prints address, user and password.

    Example: `longwatch demo --cameras 6`, `longwatch demo --objects`, `longwatch demo --network`
    """
    from longwatch.base.errors import UsageError
    from longwatch.config.values import listen as address
    from longwatch.node.demo import post as node_demo

    try:
        place = address(listen)
    except ValueError as error:
        raise UsageError(str(error), remedy="write it as 127.0.0.1:8460") from None
    if not place.is_loopback or place.port == 0:
        raise UsageError(
            f"the demo listens on a loopback port, not on {listen}", remedy="for more, see `longwatch run`"
        )
    if network and objects:
        raise UsageError("--objects goes with one post, not with --network", remedy="leave one of them out")
    if network:
        _network(2 if cameras is None else cameras, place, data)
    cameras = 4 if cameras is None else cameras
    say("Starting the cameras and the post ...")

    def ready(now: Ready) -> None:
        say(f"address: {now.address}")
        say(f"user: {now.user}")
        say(f"password: {now.password}")
        kept = f"Recordings are kept in {now.data}." if data is not None else "Nothing is kept."
        count = cameras + objects
        say(f"{count} simulated camera{'' if count == 1 else 's'}. Ctrl-C stops everything. {kept}")

    code = node_demo.run(cameras, place, data, ready, objects=objects)
    with contextlib.suppress(OSError):  # the terminal may be what ended it
        say("Stopped.")
    raise typer.Exit(code)


def _network(cameras: int, place: Listen, data: Path | None) -> None:
    from longwatch.node.demo import network as demo_network

    say("Starting two posts, a station and headquarters ...")

    def ready(now: NetworkReady) -> None:
        for number, (name, address) in enumerate(now.sites.items()):
            say(f"address: {address}" if number == 0 else f"{name}: {address}")
        say(f"links: {now.switch}")
        say(f"user: {now.user}")
        say(f"password: {now.password}")
        kept = f"Recordings are kept in {data}." if data is not None else "Nothing is kept."
        say(f"The address is that of headquarters; everywhere the same user. Ctrl-C stops everything. {kept}")

    code = demo_network.run(cameras, place, data, ready)
    with contextlib.suppress(OSError):  # the terminal may be what ended it
        say("Stopped.")
    raise typer.Exit(code)
