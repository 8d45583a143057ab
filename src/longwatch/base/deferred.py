"""Names of a room that are imported when they are first asked for (PEP 562): a start pays for what it uses."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping


def at_first_use(room: str, table: Mapping[str, str], name: str) -> object:
    """For the `__getattr__` of the package `room`: the object, kept in the package from then on.

    table: in which module of the room each name stands. No module of the room may itself have a name that is in the table: it would be found instead.
    Raises AttributeError for any other name, and ImportError where the module cannot be imported; the next use tries again. Never AttributeError for that: Python would say
    that there is no such name, and not why.
    """
    if name not in table:
        raise AttributeError(f"module {room!r} has no attribute {name!r}")
    module = f"{room}.{table[name]}"
    try:
        found: object = getattr(importlib.import_module(module), name)
    except AttributeError as error:
        raise ImportError(f"{name!r} of {room} cannot be had from {module}: {error}", name=module) from error
    setattr(sys.modules[room], name, found)
    return found
