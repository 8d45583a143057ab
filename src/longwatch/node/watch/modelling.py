"""A folder with a model for objects, asked in a process of its own whether it can be used: for `longwatch model check` and `longwatch settings check`."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from longwatch.base.errors import LongwatchError
from longwatch.config import Settings
from longwatch.config.problems import Problem
from longwatch.config.tree import Tree, read
from longwatch.pictures.limits import plain_environment

_MOST_S = 120
_ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")


def asked(folder: Path) -> dict[str, Any]:
    """What `node.watch.model_child` says: {ok, ...}, or {ok: False, what, why, remedy}. Blocks. Raises LongwatchError where this post cannot look at pictures."""
    if any(find_spec(name) is None for name in ("numpy", "cv2", "av", "onnxruntime")):
        raise LongwatchError(
            "models cannot be opened here",
            why="this post is installed without the extra `watch`",
            remedy="pip install 'longwatch[watch]'",
        )
    command = [sys.executable, "-m", "longwatch.node.watch.model_child", str(folder.absolute())]
    try:
        ended = subprocess.run(
            command, check=False, capture_output=True, timeout=_MOST_S, env=plain_environment() | _ONE_THREAD
        )
    except subprocess.TimeoutExpired:
        return _broken(f"it was not opened and asked within {_MOST_S} s")
    try:
        said = json.loads(ended.stdout)
    except ValueError:
        return _broken(f"it ended the process that opened it (code {ended.returncode})")
    return said if isinstance(said, dict) else _broken("what came of it cannot be read")


def _broken(why: str) -> dict[str, Any]:
    return {
        "ok": False,
        "what": "the model cannot be used",
        "why": why,
        "remedy": "export it again, or take another one",
    }


def model_problems(settings: Settings) -> list[Problem]:
    """One where the model that the settings name cannot be used, with its place in the file. Blocks, for a second or some."""
    folder = settings.detection.model
    if folder is None or settings.role == "hub":
        return []
    try:
        said = asked(folder)
    except LongwatchError as error:
        said = {"ok": False, "what": error.what, "why": error.why, "remedy": error.remedy}
    if said.get("ok") is True:
        return []
    what = str(said.get("what", "")) + (f": {said['why']}" if said.get("why") else "")
    return [_tree(settings).problem(("detection", "model"), what, str(said.get("remedy", "")))]


def _tree(settings: Settings) -> Tree:
    """The file once more, for its lines; it may have gone since it was read."""
    try:
        return read(settings.path, settings.path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, LongwatchError):
        return Tree({})
