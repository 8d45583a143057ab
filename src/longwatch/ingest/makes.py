"""Where cameras of common makes have their streams: data, in makes.json, for whoever does not know the path of theirs."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

_FILE = Path(__file__).with_name("makes.json")


@cache
def makes() -> tuple[dict[str, Any], ...]:
    """Each {make, main, sub, note}, by name. sub: null where no path is known."""
    return tuple(json.loads(_FILE.read_text("utf-8")))
