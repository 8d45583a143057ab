"""`longwatch upgrade BUNDLE` (in full: `upgrade install`) and `upgrade status`, at a post."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from longwatch.cli import options
from longwatch.cli.output import say, say_json


class Group(TyperGroup):
    """A word that is no verb of the group is a bundle to install."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """As click asks."""
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = ["install", *args]
        return super().resolve_command(ctx, args)


def add_to(tree: typer.Typer) -> None:
    """Hang the verbs of this file into the tree `upgrade`."""
    tree.command("install")(install)
    tree.command("status")(status)


def install(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A file that `longwatch upgrade pack` made.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept beside the ledger.")],
    config: options.Config = None,
    json: options.Json = False,
) -> None:
    """At a post: go over to the version in a bundle, by the server that runs. It comes back by itself where that one does not record.

    Example: `longwatch upgrade install longwatch-1.3.0.bundle --reason "mends the clock of the yard camera"`
    """
    from longwatch.config import find, load_lacking
    from longwatch.node.server import upgrade_verbs as upgrading_verbs

    settings = load_lacking(find(config))
    answer = upgrading_verbs.install(settings.volumes[0], bundle, reason)
    if json:
        say_json(answer)
        return
    say(f"ordered: entry {answer['entry']}, from {answer['was']} to {answer['version']}")
    say("it is installed beside what runs, and tried, before anything is switched: see longwatch upgrade status")


def status(config: options.Config = None, json: options.Json = False) -> None:
    """At a post: which version runs, and how far an upgrade is. Works while nothing runs too.

    Example: `longwatch upgrade status`
    """
    from longwatch.config import find, load_lacking
    from longwatch.node.upgrade.upgrading import as_line, described

    said = described(load_lacking(find(config)).volumes[0])
    if json:
        say_json(said)
        return
    say(as_line(said))
