"""`longwatch hub upgrade`: new versions for the posts of a hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from longwatch.cli import options
from longwatch.cli.output import say, say_json, say_rows

Release = Annotated[str, typer.Argument(metavar="RELEASE", help="Its version, or the begin of its hash.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept beside the ledger.")]


def add_to(tree: typer.Typer) -> None:
    """Hang the verbs of this file into `longwatch hub`."""
    own = typer.Typer(help="New versions for the posts of this hub.", no_args_is_help=True)
    for name, verb in (
        ("add", add),
        ("list", list_),
        ("posts", posts),
        ("order", order),
        ("stop", stop),
        ("remove", remove),
    ):
        own.command(name)(verb)
    tree.add_typer(own, name="upgrade")


def add(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A file that `longwatch upgrade pack` made.")],
    reason: Reason = "",
    config: options.Config = None,
    json: options.Json = False,
) -> None:
    """Give this hub a bundle that it may send to posts. It is copied; its form and hashes are proven here, its signature by each post.

    Example: `longwatch hub upgrade add longwatch-0.2.0.bundle --reason "fixes the gate camera"`
    """
    answer = _ask(config, "hub_upgrade_add", path=str(bundle.resolve()), reason=reason)
    if json:
        say_json(answer)
        return
    say(f"Longwatch {answer['version']} can be sent to posts now: {answer['size']} bytes, sha256 {answer['sha256']}")


def list_(config: options.Config = None, json: options.Json = False) -> None:
    """Bundles that this hub was given, and roll-outs of them: where each post is.

    Example: `longwatch hub upgrade list`
    """
    answer = _ask(config, "hub_upgrade_list")
    if json:
        say_json(answer)
        return
    if not answer["releases"] and not answer["rollouts"]:
        say("this hub was given no bundle yet; `longwatch hub upgrade add BUNDLE`")
        return
    say_rows(
        ("version", "bytes", "sha256", "added"),
        [(row["version"], str(row["size"]), row["sha256"][:16], row["added"]) for row in answer["releases"]],
    )
    for rollout in answer["rollouts"]:
        say("")
        say(
            f"roll-out {rollout['id']} of {rollout['version']}, {rollout['ordered']} by {rollout['by']}: {_state(rollout)}"
        )
        say_rows(
            ("post", "stage", "why"), [(each["post"], each["stage"], each["why"] or "-") for each in rollout["posts"]]
        )


def posts(release: Release, config: options.Config = None, json: options.Json = False) -> None:
    """Which posts a release can be sent to, and why not to the others.

    Example: `longwatch hub upgrade posts 0.2.0`
    """
    answer = _ask(config, "hub_upgrade_posts", release=release)
    if json:
        say_json(answer)
        return
    say_rows(
        ("post", "runs", "can take it"),
        [(each["id"], each["version"] or "-", each["why"] or "yes") for each in answer["items"]],
    )


def order(
    release: Release,
    post: Annotated[list[str], typer.Argument(metavar="POST...", help="Posts; the first of them tries it for all.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept in the ledgers of hub and posts.")],
    config: options.Config = None,
    json: options.Json = False,
) -> None:
    """Send a release to posts. The first tries it; the others are told once it was kept there, and the first that goes back stops the rest.

    Example: `longwatch hub upgrade order 0.2.0 north-ridge south-gate --reason "fixes the gate camera"`
    """
    answer = _ask(config, "hub_upgrade_order", release=release, posts=post, reason=reason)
    if json:
        say_json(answer)
        return
    say(f"roll-out {answer['rollout']}: {answer['version']} goes to {post[0]} first; see `longwatch hub upgrade list`")


def stop(
    rollout: Annotated[int, typer.Argument(metavar="ROLL-OUT", help="Its number.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept beside the ledger.")],
    config: options.Config = None,
    json: options.Json = False,
) -> None:
    """Send it to nobody more: what travels ends. A post that has all of it goes on by itself.

    Example: `longwatch hub upgrade stop 3 --reason "the wrong one"`
    """
    answer = _ask(config, "hub_upgrade_stop", rollout=rollout, reason=reason)
    if json:
        say_json(answer)
        return
    say(f"roll-out {answer['rollout']} is {answer['state']}")


def remove(
    release: Release,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept beside the ledger.")],
    config: options.Config = None,
    json: options.Json = False,
) -> None:
    """Forget a bundle. Not while a roll-out of it runs.

    Example: `longwatch hub upgrade remove 0.1.9 --reason "old"`
    """
    answer = _ask(config, "hub_upgrade_remove", release=release, reason=reason)
    if json:
        say_json(answer)
        return
    say(f"the bundle of {answer['version']} is removed")


def _state(rollout: dict[str, Any]) -> str:
    return f"{rollout['state']}, {rollout['why']}" if rollout["why"] else str(rollout["state"])


def _ask(config: Any, kind: str, **fields: Any) -> dict[str, Any]:
    from longwatch.config import find, load_lacking
    from longwatch.node.verbs.network import ask_hub

    return ask_hub(load_lacking(find(config)), kind, fields)
