"""Imported first by every module that is run as a process: what makes a start cheaper than Python and its libraries make it by themselves.

A post on a battery is started several times a day, and while its processes import, nothing is recorded. docs/performance.md ("Starting") has
what it costs.
"""

from __future__ import annotations

import gc
import os
import sys

# Pydantic looks through the metadata of every package that is installed for plug-ins of its own. There are none that we want.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

# FastAPI looks whether a model is one of Pydantic's first version, and imports all of that for it: 40 ms. None here is one. None in
# `sys.modules` means "there is none" (Python's reference, "The module cache").
sys.modules.setdefault("pydantic.v1", None)  # type: ignore[arg-type]  # as documented

# Importing makes some hundred thousand objects that all stay. By default every 700 of them are looked through for garbage, and now and
# then all that there are: a fifth of a server's start. Only in a process of ours that says when it is up, or ends soon: not in whoever imports us, and not in a verb, which
# may run for days (`python -m longwatch.cli run`).
_run = getattr(sys.modules.get("__main__"), "__spec__", None)
if _run is not None and _run.name in {
    "longwatch.node.recorder.__main__",
    "longwatch.node.server.__main__",
    "longwatch.config.__main__",
}:
    gc.disable()


def is_over(then: int = 700) -> None:
    """The process is up: what is there now stays, and is never looked through again. then: so many new objects make the next look; 700 is Python's own.

    A full collection over the modules of the server took 50 to 100 ms, in the midst of live chunks; one here would find a few dozen objects.
    """
    gc.freeze()
    gc.set_threshold(then)
    gc.enable()
