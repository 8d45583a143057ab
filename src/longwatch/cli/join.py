"""`longwatch join`: a post, or a hub below another, joins a hub or leaves it."""

from __future__ import annotations

from typing import Annotated

import typer

from longwatch.base.errors import UsageError
from longwatch.cli import options
from longwatch.cli.output import say, say_json


def add_to(app: typer.Typer) -> None:
    """Hang the verbs of this file into the tree."""
    app.command("join")(join)


def join(
    code: Annotated[
        str | None, typer.Argument(metavar="CODE", help="The last word that `longwatch hub invite` printed at the hub.")
    ] = None,
    leave: Annotated[
        bool, typer.Option("--leave", help="Leave the hub that was joined before; without CODE: and join none.")
    ] = False,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why; kept beside the ledger. Leaving asks for it.")
    ] = "",
    config: options.Config = None,
    json: options.Json = False,
) -> None:
    """Join the hub that made this code; from then on `longwatch run` keeps in touch with it. Works while the post runs, and while it does not.

    Example: `longwatch join lw1-abcd`
    """
    from longwatch.config import find, load_lacking
    from longwatch.node.verbs.network import ask_to_join, ask_to_leave

    settings = load_lacking(find(config))
    if code is None:
        if not leave:
            raise UsageError(
                "this asks for a code", remedy="`longwatch hub invite POST` at the hub prints one as its last word"
            )
        answer = ask_to_leave(settings, reason)
        if json:
            say_json(answer)
        else:
            say(f"{settings.post.id} has left the hub {answer['left']}; nothing is sent to it any more")
        return
    answer = ask_to_join(settings, code, reason, leave=leave)
    if json:
        say_json(answer)
        return
    hub = answer["hub"]
    say(f"{answer['post']} has joined the hub {hub['id']} ({hub['name']}) at {hub['address']}")
    if not answer["running"]:
        say("`longwatch run` keeps in touch with it")
