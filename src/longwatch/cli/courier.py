"""`longwatch courier pack` and `unpack`: what the link cannot carry, on a disk by hand."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from longwatch.base.rfc3339 import format_us, parse_us
from longwatch.cli import options
from longwatch.cli.output import say, say_json, warn

Disk = Annotated[Path, typer.Argument(metavar="DIR", help="Where the disk is mounted.")]
Reason = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why, or who carries it; kept beside the ledger.")
]


def add_to(app: typer.Typer) -> None:
    """Hang the verbs of this file into the tree."""
    tree = typer.Typer(help="What the link cannot carry, on a disk by hand.", no_args_is_help=True)
    tree.command("pack")(pack)
    tree.command("unpack")(unpack)
    app.add_typer(tree, name="courier")


def pack(
    disk: Disk,
    camera: Annotated[
        list[str] | None, typer.Option(metavar="CAMERA", help="Only of this one; may be repeated.")
    ] = None,
    from_: options.From = None,
    to: options.To = None,
    limit: Annotated[str | None, typer.Option(metavar="SIZE", help="At most so much on this disk, as 500GB.")] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Also what lies on disks from which no receipt came back.")
    ] = False,
    reason: Reason = "",
    config: options.Config = None,
    json: options.Json = False,
) -> None:
    """At a post: put on this disk what the hub has not confirmed, the ledger first, then footage, oldest first; encrypted to the hub. A disk that was pulled
    out is gone on with. Receipts that came back on it are taken first. Nothing is removed here.

    Example: `longwatch courier pack /media/disk --limit 500GB`
    """
    from longwatch.accounts import at_the_post
    from longwatch.config import find, load_lacking
    from longwatch.config.values import size_bytes
    from longwatch.node.verbs.couriers import Order
    from longwatch.node.verbs.couriers import pack as packed_by

    order = Order(
        frozenset(camera or ()), None if from_ is None else parse_us(from_), None if to is None else parse_us(to),
        None if limit is None else size_bytes(limit), again,
    )  # fmt: skip
    with _bar() as progress:
        result = packed_by(load_lacking(find(config)), disk, order, at_the_post().person(reason=reason), progress)
    packed = result.packed
    if json:
        say_json({
            "pack": packed.pack, "folder": str(packed.folder), "files": packed.files, "bytes": packed.bytes, "segments": packed.segments,
            "entries": packed.entries, "left": packed.left, "travelling": result.travelling,
            "failed": [{"segment": list(name), "why": why} for name, why in packed.failed],
            "receipts": [_receipt(one) for one in result.receipts],
        })  # fmt: skip
    else:
        _say_receipts(result.receipts)
        say(f"{packed.folder}: {packed.files} files, {packed.bytes} bytes")
        say(f"{packed.segments} segments, {packed.entries} entries of the ledger; only the hub can read them")
        if packed.left:
            say(f"{packed.left} segments found no room: go on with another disk")
        if result.travelling:
            say(f"{result.travelling} segments lie on disks that are on their way; --again packs them here too")
        for name, why in packed.failed:
            warn(f"{name[0]}/{name[1]}, run {name[3]}, {name[4]}: {why}")
    if packed.failed:
        raise typer.Exit(1)


def unpack(disk: Disk, reason: Reason = "", config: options.Config = None, json: options.Json = False) -> None:
    """At a hub: take what is on this disk, held against the ledger, and write the receipt that goes back. At a post: take the receipt. Either may be done again.

    Example: `longwatch courier unpack /media/disk`
    """
    from longwatch.accounts import at_the_post
    from longwatch.config import find, load_lacking

    settings, person = load_lacking(find(config)), at_the_post().person(reason=reason)
    if settings.role == "hub":
        _at_a_hub(settings, disk, person, json)
    else:
        _at_a_post(settings, disk, person, json)


def _at_a_hub(settings: Any, disk: Path, person: dict[str, Any], json: bool) -> None:
    from longwatch.node.verbs.couriers import unpack as unpacked_by

    with _bar() as progress:
        found = unpacked_by(settings, disk, person, progress)
    if json:
        say_json({"items": [_unpacked(one) for one in found]})
    else:
        for one in found:
            say(
                f"{one.pack} of {one.post}: {len(one.taken)} of {one.files} files taken, {one.new} of {one.objects} objects were new here"
            )
            for number, (size, _) in sorted(one.logs.items()):
                say(f"log {number} is verified up to entry {size}")
            for text in _wrong(one):
                warn(text)
            if one.receipt is not None:
                say(f"the receipt is {one.receipt}: take the disk back")
    if not all(one.whole for one in found):
        raise typer.Exit(1)


def _at_a_post(settings: Any, disk: Path, person: dict[str, Any], json: bool) -> None:
    from longwatch.base.errors import UsageError
    from longwatch.node.verbs.couriers import take_receipts

    found = take_receipts(settings, disk, person)
    if json:
        say_json({"receipts": [_receipt(one) for one in found]})
        return
    if not found:
        raise UsageError(f"there is no receipt for this post on {disk}", remedy="was the disk unpacked at the hub?")
    _say_receipts(found)


def _say_receipts(found: Any) -> None:
    for one in found:
        said = "the hub has" if one.new else "known already: the hub has"
        say(f"{one.pack.pack}: {said} {len(one.segments)} of {len(one.pack.whole)} segments")


def _receipt(one: Any) -> dict[str, Any]:
    return {
        "pack": one.pack.pack, "hub": one.receipt.hub, "at": format_us(one.receipt.at_us), "segments": len(one.segments),
        "packed": len(one.pack.whole), "new": one.new,
    }  # fmt: skip


def _unpacked(one: Any) -> dict[str, Any]:
    return {
        "pack": one.pack, "post": one.post, "files": one.files, "taken": len(one.taken), "objects": one.objects, "new": one.new,
        "entries": one.entries, "whole": one.whole, "logs": {str(number): size for number, (size, _) in one.logs.items()},
        "receipt": None if one.receipt is None else str(one.receipt), "problems": _wrong(one),
    }  # fmt: skip


def _wrong(one: Any) -> list[str]:
    return [
        *one.problems,
        *(f"{name}: {why}" for name, why in one.damaged),
        *(f"{name} is not on the disk" for name in one.missing),
        *(f"{name[0]}/{name[1]}, run {name[3]}, {name[4]}: {why}" for name, why in one.refused.items()),
    ]


@contextlib.contextmanager
def _bar() -> Iterator[Callable[[str, int, int], None]]:
    """How far it is, on a terminal; elsewhere nothing."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.console import Console
    from rich.progress import Progress, TaskID

    with Progress(console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, TaskID] = {}

        def told(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what)
            bar.update(tasks[what], completed=done, total=total or None)

        yield told
