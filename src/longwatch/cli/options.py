"""Options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", help="Settings file. Default: ./longwatch.yml, then /etc/longwatch/longwatch.yml."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
From = Annotated[str | None, typer.Option("--from", metavar="TIME", help="RFC 3339, as 2026-01-31T06:00:00Z.")]
To = Annotated[str | None, typer.Option("--to", metavar="TIME", help="RFC 3339. The stretch ends before it.")]
