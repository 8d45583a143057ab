"""YAML to plain values, with the line and column of each key and value."""

from __future__ import annotations

from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.scalarbool import ScalarBoolean
from ruamel.yaml.scalarfloat import ScalarFloat
from ruamel.yaml.scalarint import ScalarInt

from longwatch.config.problems import Problem, SettingsError

MAX_BYTES = 4 << 20
MOST_VALUES = 200_000
"""Beyond it these are no settings: aliases of aliases make millions of a few lines."""
Path_ = tuple[str | int, ...]


@dataclass(slots=True)
class Tree:
    """A settings file. keys, values: where each stands, from 1, by its path. origins: what was taken over from defaults."""

    root: dict[str, Any]
    keys: dict[Path_, tuple[int, int]] = field(default_factory=dict)
    values: dict[Path_, tuple[int, int]] = field(default_factory=dict)
    origins: dict[Path_, Path_] = field(default_factory=dict)
    count: int = 0

    def place(self, path: Path_, *, key: bool = False) -> tuple[int, int]:
        """Line and column of what is at `path`, or of the nearest that holds it."""
        first = self.keys if key else self.values
        for length in range(len(path), 0, -1):
            short = path[:length]
            found = (
                (first.get(short) if length == len(path) else None) or self.keys.get(short) or self.values.get(short)
            )
            if found is not None:
                return found
        return (1, 1)

    def problem(self, path: Path_, what: str, remedy: str = "", *, key: bool = False) -> Problem:
        """A problem at `path`."""
        line, column = self.place(path, key=key)
        said = self.origins.get(path, path)
        return Problem(line, column, ".".join(str(part) for part in said), what, remedy)


def read(path: Path | None, text: str) -> Tree:
    """Parse. Raises SettingsError where it is no YAML, or no mapping."""
    try:
        root = YAML(typ="rt", pure=True).load(StringIO(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        what = " ".join(str(part) for part in (error.context, error.problem) if part).split("\n")[0]
        what = what.partition(" with value ")[0]  # of a key that stands twice; it may be a URL with its password
        remedy = "each key may stand once" if "duplicate" in what else "check the indentation, colons and quotes here"
        raise SettingsError(path, [Problem(line, column, "", f"not valid YAML: {what}", remedy)]) from None
    except (YAMLError, RecursionError, ValueError) as error:
        what = f"not valid YAML: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
        raise SettingsError(path, [Problem(1, 1, "", what)]) from None
    if not isinstance(root, CommentedMap):
        raise SettingsError(path, [Problem(1, 1, "", "the file holds no settings", "begin with `post:`")])
    tree = Tree({})
    tree.root = _plain(root, (), tree)
    return tree


def read_plain(text: str) -> dict[str, Any]:
    """The values alone. Raises as `read`."""
    return read(None, text).root


def _plain(node: Any, path: Path_, tree: Tree) -> Any:
    tree.count += 1
    if tree.count > MOST_VALUES:
        line, column = tree.place(path)
        raise SettingsError(
            None, [Problem(line, column, "", f"there are more than {MOST_VALUES} values", "say less by aliases")]
        )
    if len(path) > 20:  # settings are shallow; an alias that holds itself is not
        return None
    if isinstance(node, CommentedMap):
        result = {}
        for raw, value in node.items():
            name = str(raw)
            below = (*path, name)
            if raw in node.lc.data:
                tree.keys[below] = _from_one(node.lc.key(raw))
                tree.values[below] = _from_one(node.lc.value(raw))
            result[name] = _plain(value, below, tree)
        return result
    if isinstance(node, CommentedSeq):
        items = []
        for index, value in enumerate(node):
            below = (*path, index)
            tree.values[below] = _from_one(node.lc.item(index))
            items.append(_plain(value, below, tree))
        return items
    if isinstance(node, ScalarBoolean):
        return bool(node)
    if isinstance(node, ScalarInt):
        return int(node)
    if isinstance(node, ScalarFloat):
        return float(node)
    return str(node) if isinstance(node, str) else node


def _from_one(place: tuple[int, int]) -> tuple[int, int]:
    return place[0] + 1, place[1] + 1
