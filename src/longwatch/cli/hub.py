"""`longwatch hub invite`, `posts`, `doors`, `revoke` and `statement`: who belongs to a hub."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from longwatch.cli import hub_upgrade, options
from longwatch.cli.output import say, say_json, say_rows

PostId = Annotated[str, typer.Argument(metavar="POST", help="The post's id: `post.id` in its settings.")]


def add_to(app: typer.Typer) -> None:
    """Hang the verbs of this file into the tree."""
    tree = typer.Typer(help="At a hub: who belongs to it.", no_args_is_help=True)
    for name, verb in (
        ("invite", invite),
        ("posts", posts),
        ("doors", doors),
        ("revoke", revoke),
        ("statement", statement),
    ):
        tree.command(name)(verb)
    hub_upgrade.add_to(tree)
    app.add_typer(tree, name="hub")


def invite(
    post: PostId,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept beside the ledger.")] = "",
    config: options.Config = None,
    json: options.Json = False,
) -> None:
    """Make a one-time code with which this post joins, within 24 hours; it is the last word that is printed. At a terminal also as a QR code. Codes for the same post from before are void.

    Example: `longwatch hub invite north-ridge`
    """
    answer = _ask(config, "hub_invite", post=post, reason=reason)
    if json:
        say_json(answer)
        return
    if sys.stdout.isatty():
        import segno

        segno.make(answer["code"].upper(), error="l").terminal(compact=True)
    say(f"{post} joins at {answer['address']} with this code, once, until {answer['expires']}:")
    say("")
    say(f"longwatch join {answer['code']}")


def posts(config: options.Config = None, json: options.Json = False) -> None:
    """Every post that ever joined, and how it stands.

    Example: `longwatch hub posts`
    """
    answer = _ask(config, "hub_posts")
    if json:
        say_json(answer)
        return
    if not answer["items"]:
        say("no post has joined yet; `longwatch hub invite POST` makes a code for one")
        return
    rows = [
        (item["id"], item["name"], item["state"], item.get("last_contact") or "-", " < ".join(item["via"]) or "-")
        for item in answer["items"]
    ]
    say_rows(("id", "name", "state", "last contact", "through"), rows)


def doors(config: options.Config = None, json: options.Json = False) -> None:
    """The processes of this hub, where it has several: which are here, and how many connections of posts each holds.

    Example: `longwatch hub doors`
    """
    answer = _ask(config, "hub_doors")
    if json:
        say_json(answer)
        return
    if not answer["items"]:
        say("this hub is one process; `hub.door` in the settings makes more")
        return
    rows = [
        (item["name"], item["state"], str(item["connections"]), item["address"], item["seen"])
        for item in answer["items"]
    ]
    say_rows(("process", "state", "connections", "posts dial", "last seen"), rows)


def revoke(
    post: PostId,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept beside the ledger.")],
    config: options.Config = None,
    json: options.Json = False,
) -> None:
    """Take nothing from this post any more: its connection ends at once, and its certificates and codes are void. What it told stays.

    Example: `longwatch hub revoke north-ridge --reason "stolen in the night"`
    """
    _ask(config, "hub_revoke", post=post, reason=reason)
    if json:
        say_json({"post": post})
        return
    say(f"{post} is revoked; to take it back: `longwatch hub invite {post}`")


def statement(
    post: PostId,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="A file .zip: HTML and JSON with their proof.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="What it is for; kept beside the ledger.")],
    config: options.Config = None,
    json: options.Json = False,
) -> None:
    """State, signed, what is left of a post that does not return: what existed by its verified ledger, what of it is safe here, what is lost.

    Prove it with `longwatch report --check FILE`.

    Example: `longwatch hub statement north-ridge --out north-ridge.zip --reason "burnt down on Friday"`
    """
    from longwatch.config import find, load_lacking
    from longwatch.node.verbs.network import state

    made = state(load_lacking(find(config)), post, out, reason)
    if json:
        say_json(made)
        return
    say(f"{made['file']} says what is left of {post}; it is entry {made['entry']} of this hub's ledger")


def _ask(config: Any, kind: str, **fields: Any) -> dict[str, Any]:
    from longwatch.config import find, load_lacking
    from longwatch.node.verbs.network import ask_hub

    return ask_hub(load_lacking(find(config)), kind, fields)
