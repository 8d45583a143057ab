"""Whether the data folders of settings can be used: not a rule between keys, so `load` does not ask; `settings check` does."""

from __future__ import annotations

from longwatch.base.errors import LongwatchError
from longwatch.base.folders import why_unusable
from longwatch.config.model import Settings
from longwatch.config.problems import Problem
from longwatch.config.tree import Path_, Tree, read

_REMEDY = "name a folder that the user who records may write, as `data: ./data`; or make it as root and give it to that user, or ask as that user"


def folder_problems(settings: Settings) -> list[Problem]:
    """One for each volume that cannot be written, or made, by the user that asks, with its place in the file. Makes nothing."""
    wrong = [(n, why) for n, volume in enumerate(settings.volumes) if (why := why_unusable(volume))]
    if not wrong:
        return []
    tree = _tree(settings)
    listed = isinstance(tree.root.get("data"), list)
    places: list[tuple[Path_, str]] = [(("data", n) if listed else ("data",), why) for n, why in wrong]
    return [tree.problem(place, why, _REMEDY) for place, why in places]


def _tree(settings: Settings) -> Tree:
    """The file once more, for its lines; it may have gone since it was read."""
    path = settings.path
    try:
        return read(path, path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, LongwatchError):
        return Tree({})
