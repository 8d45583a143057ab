"""`longwatch key`: the public half of the key that signs the ledger."""

from __future__ import annotations

import typer

from longwatch.cli import options
from longwatch.cli.output import say, say_json


def add_to(app: typer.Typer) -> None:
    """Hang the verb of this file into the tree."""
    app.command("key")(key)


def key(config: options.Config = None, json: options.Json = False) -> None:
    """The public key of this post's ledger: fingerprint, PEM, and the one-line verifier key. Keep it somewhere else than at the post:
    `longwatch verify --key` then shows where a recording comes from.

    Example: `longwatch key --json`
    """
    from longwatch.archive import LedgerReader
    from longwatch.base.errors import UsageError
    from longwatch.config import find, load_lacking
    from longwatch.ledger.checkpoint import fingerprint, public_pem, vkey

    settings = load_lacking(find(config))
    reader = LedgerReader(settings.volumes)
    try:
        log = reader.log()
    finally:
        reader.close()
    if log is None:
        raise UsageError("no log was begun yet", remedy="the key is made at the first start: `longwatch run`")
    found = {
        "origin": log.origin, "fingerprint": fingerprint(log.key), "vkey": vkey(log.origin, log.key), "pem": public_pem(log.key),
    }  # fmt: skip
    if json:
        say_json(found)
        return
    say(f"log:         {found['origin']}")
    say(f"fingerprint: {found['fingerprint']}")
    say(f"verifier:    {found['vkey']}")
    say(found["pem"].rstrip())
