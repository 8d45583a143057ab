"""Settings of a post tried where they will not run: at its hub. What is wrong with the text as text is found; what only its own disks, secrets and ports
would say is not, and its post asks that itself before it takes them.

In a child (`python -m longwatch.config try-afar`), as `trying` is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from longwatch.base.errors import UsageError
from longwatch.config import hiding
from longwatch.config.loader import compose
from longwatch.config.model import Settings
from longwatch.config.problems import Problem, SettingsError
from longwatch.config.resolving import resolved

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_STOOD_FOR = "pw-"


class _AnyName(Mapping[str, str]):
    """Every `${NAME}` is known at the post, as far as is known here: it stands for its own name."""

    def __getitem__(self, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise KeyError(name)
        return f"secret-{name}"

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def tried_afar(text: str, before: str, post: str) -> dict[str, Any]:
    """{"problems": [...]}; and, where there are none, "resolved", and "before": the same of the text before, null where that is wrong.

    text, before: as the post showed them, with stand-ins. post: its id, which never changes.
    """
    try:
        settings = _composed(text)
    except SettingsError as error:
        return {"problems": [_shown(problem) for problem in error.problems]}
    except UsageError as error:
        return {"problems": [_shown(Problem(1, 1, "", error.what, error.remedy))]}
    wrong = _of_another(settings, post)
    if wrong is not None:
        return {"problems": [wrong.as_json()]}
    try:
        old = resolved(_composed(before))
    except UsageError:
        old = None
    return {"problems": [], "resolved": resolved(settings), "before": old}


def _composed(text: str) -> Settings:
    """Relative folders count from here: they are compared, and never opened."""
    whole = hiding.STAND_IN.sub(lambda match: _STOOD_FOR + match[0][3:], text)
    return compose(Path("longwatch.yml"), whole, _AnyName(), Path(os.sep), afar=True)


def _of_another(settings: Settings, post: str) -> Problem | None:
    if settings.role != "post":
        return Problem(1, 1, "hub", "a post does not become a hub from afar", "take `hub:` out, and write `post:`")
    if settings.post.id != post:
        return Problem(1, 1, "post.id", "the id of a post never changes", f"write `{post}`")
    return None


def _shown(problem: Problem) -> dict[str, Any]:
    """With stand-ins as they were: what stood in their place is as long, so that columns hold."""
    told: dict[str, Any] = problem.as_json()
    for name in ("what", "remedy"):
        told[name] = re.sub(_STOOD_FOR + r"([0-9a-f]{8})", "•••\\1", told[name])
    return told
