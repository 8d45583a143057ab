"""`longwatch upgrade key`, `pack` and `show`: releases as signed bundles."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from longwatch.cli import options, upgrade_post
from longwatch.cli.output import say, say_json, say_rows

Bundle = Annotated[Path, typer.Argument(metavar="BUNDLE", help="A file that `longwatch upgrade pack` made.")]
KeyFile = Annotated[
    Path, typer.Option("--key", metavar="FILE", help="The release key: `longwatch upgrade key` makes one.")
]


def add_to(app: typer.Typer) -> None:
    """Hang the verbs of this file into the tree."""
    tree = typer.Typer(
        help="New versions of this program, as signed bundles.", no_args_is_help=True, cls=upgrade_post.Group
    )
    upgrade_post.add_to(tree)
    tree.command("key")(key)
    tree.command("pack")(pack)
    tree.command("show")(show)
    app.add_typer(tree, name="upgrade")


def key(
    file: Annotated[Path, typer.Argument(metavar="NEW-FILE", help="Where the private half is written; a new file.")],
    json: options.Json = False,
) -> None:
    """Make a key that signs releases. Keep its file away from posts and hubs: whoever has it can bring any program to every post that names it.

    Example: `longwatch upgrade key release.key`
    """
    from longwatch.trust import release

    line = release.verifier(release.new_key(file).public)
    if json:
        say_json({"file": str(file), "verifier": line})
        return
    say(f"{file} is the private half; nobody else may read it")
    say("in the settings of posts that take releases signed by it:")
    say("")
    say("upgrades:")
    say("  from: hub")
    say(f"  key: {line}")


def pack(
    wheel: Annotated[Path, typer.Option("--wheel", metavar="FILE", help="Longwatch's own wheel.")],
    key: KeyFile,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="BUNDLE", help="The bundle that is written.")],
    wheels: Annotated[
        Path | None, typer.Option("--wheels", metavar="DIR", help="A folder of other wheels that go with it: those that changed.")
    ] = None,
    lock: Annotated[
        Path | None, typer.Option("--lock", metavar="FILE", help="The release's lock file, requirements.lock: what has to be there in which version.")
    ] = None,
    json: options.Json = False,
) -> None:  # fmt: skip
    """Put a release into one signed file. The program in the wheel is asked, in a child, which forms of databases and folders it reads and writes.

    Example: `longwatch upgrade pack --wheel dist/longwatch-0.2.0-py3-none-any.whl --lock requirements.lock --key release.key -o longwatch-0.2.0.bundle`
    """
    from longwatch.node.upgrade.packing import formats_of, locked
    from longwatch.trust import release

    signing = release.key_of(key)
    others = [] if wheels is None else sorted(path for path in wheels.glob("*.whl") if path.name != wheel.name)
    made = release.pack([wheel, *others], signing, out, formats_of(wheel), {} if lock is None else locked(lock))
    sha256, size = release.sha256_of(out)
    if json:
        say_json({"file": str(out), "sha256": sha256.hex(), "size": size, **made.as_json()})
        return
    say(f"{out}: Longwatch {made.version}, {len(made.wheels)} wheels, {size} bytes")
    say(f"sha256 {sha256.hex()}")
    if made.missing:
        say(f"{len(made.missing)} distributions have to be at a post already, in the version of the lock file")


def show(
    bundle: Bundle,
    key: Annotated[
        str | None, typer.Option("--verifier", metavar="KEY", help="Prove its signature and every wheel by this verifier key.")
    ] = None,
    json: options.Json = False,
) -> None:  # fmt: skip
    """What a bundle holds, and whose signature it bears. Without `--verifier` nothing of it is proven.

    Example: `longwatch upgrade show longwatch-0.2.0.bundle`
    """
    from longwatch.trust import release

    found, note = release.show(bundle)
    if key is not None:
        release.verify(bundle, [release.parse_verifier(key)])
    signers = release.signers(note)
    sha256, size = release.sha256_of(bundle)
    if json:
        say_json(
            {"sha256": sha256.hex(), "size": size, "signed_by": signers, "verified": key is not None, **found.as_json()}
        )
        return
    say(f"Longwatch {found.version}, {size} bytes, sha256 {sha256.hex()}")
    say(f"signed by key {', '.join(signers) or '-'}: " + ("verified" if key is not None else "not verified here"))
    say_rows(("wheel", "bytes"), [(each.name, str(each.size)) for each in found.wheels])
    _say_formats(found)
    if found.missing:
        say("has to be there: " + ", ".join(f"{name} {version}" for name, version in sorted(found.missing.items())))


def _say_formats(found: Any) -> None:
    for name, each in sorted(found.formats.items()):
        say(f"{name}: reads {each.reads} to {each.writes}, writes {each.writes}")
