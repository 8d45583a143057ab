"""One section of the settings changed in the text itself: comments, order and everything else stay as they stand. Pure.

The lines of the section are taken out, changed by themselves with ruamel's round trip, and put back, so that no byte beside
them moves. The result is read again: it holds what was meant, or the whole file goes through the round trip instead. A file
that is JSON (which is YAML) stays JSON.

A *patch* is a JSON merge patch (RFC 7396): what is null goes, mappings are merged, all else replaces.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError
from ruamel.yaml.scalarstring import SingleQuotedScalarString

from longwatch.base.errors import UsageError
from longwatch.config.problems import SettingsError
from longwatch.config.tree import Tree, read

_WIDE = 1 << 16
_FLUSH_LIST = re.compile(r"^([ \t]*)[^\s#-][^\n]*:[ \t]*(?:#[^\n]*)?\n\1- ", re.MULTILINE)
Where = tuple[str, ...]
"""Keys from the root: ("cameras", "gate"), ("post",)."""


def section(text: str, where: Where) -> Any:
    """What stands there, as plain values; None where nothing does. Raises SettingsError where it is no YAML."""
    node: Any = read(None, text).root
    for key in where:
        node = node.get(key) if isinstance(node, dict) else None
    return node


def patched(text: str, where: Where, patch: Mapping[str, Any]) -> str:
    """The text with a patch applied to one section, which is made where it is not there yet.

    Raises SettingsError where the text is no YAML, UsageError where something else than a section stands there.
    """
    tree = read(None, text)
    meant = copy.deepcopy(tree.root)
    _patch_at(meant, where, patch)
    if text.lstrip().startswith("{"):
        made = _as_json(text, where, patch)
        if made is not None:
            return made
    there: Any = section(text, where)
    if isinstance(there, dict):
        made = _spliced(text, tree, where, lambda block: _merge(block, patch))
    else:
        made = _added(text, tree, where, _merged(CommentedMap(), patch))
    return (
        made if made is not None and _holds(made, meant) else _whole(text, lambda root: _patch_at(root, where, patch))
    )


def without(text: str, where: Where) -> str:
    """The text without one section. Raises UsageError where it is not there."""
    tree = read(None, text)
    meant = copy.deepcopy(tree.root)
    _remove_at(meant, where)
    if text.lstrip().startswith("{"):
        try:
            root = json.loads(text)
        except ValueError:
            root = None
        if root is not None:
            _remove_at(root, where)
            return _json(root, text)
    lines = text.splitlines(keepends=True)
    first, end, column = _place(tree, lines, where)
    kept = "".join([*lines[:first], *lines[end:]])
    if column and not section(kept, where[:-1]):  # the last one: an empty section says null
        kept = "".join([*lines[:first], " " * column + "{}\n", *lines[end:]])
    return kept if _holds(kept, meant) else _whole(text, lambda root: _remove_at(root, where))


def _patch_at(root: dict[str, Any], where: Where, patch: Mapping[str, Any]) -> None:
    node = root
    for key in where:
        if not isinstance(node.get(key), dict):
            if node.get(key) is not None:
                raise UsageError(f"`{key}` of the settings is no section", remedy="mend it in the editor first")
            node[key] = CommentedMap() if isinstance(node, CommentedMap) else {}
        if isinstance(node[key], CommentedMap) and not node[key]:
            node[key] = CommentedMap()  # `{}` would keep all that comes into it on one line
        node = node[key]
    _merge(node, patch)


def _remove_at(root: dict[str, Any], where: Where) -> None:
    node: Any = root
    for key in where[:-1]:
        node = node.get(key) if isinstance(node, dict) else None
    if not isinstance(node, dict) or where[-1] not in node:
        raise UsageError(f"there is no {'.'.join(where)} in the settings")
    del node[where[-1]]


def _merge(node: dict[str, Any], patch: Mapping[str, Any]) -> None:
    """RFC 7396, in place."""
    for key, value in patch.items():
        if value is None:
            node.pop(key, None)
        elif isinstance(value, Mapping):
            if not node.get(key) or not isinstance(
                node[key], dict
            ):  # `{}` would keep all that comes into it on one line
                node[key] = CommentedMap() if isinstance(node, CommentedMap) else {}
            _merge(node[key], value)
        else:
            node[key] = _styled(value) if isinstance(node, CommentedMap) else value


def _merged(node: dict[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    _merge(node, patch)
    return node


def _styled(value: Any) -> Any:
    """As a person would write it: windows, points and lists of words on one line, times of day in quotes."""
    if isinstance(value, str):
        return SingleQuotedScalarString(value) if re.fullmatch(r"\d{1,2}:\d\d", value) else value
    if isinstance(value, Mapping):
        made = CommentedMap({key: _styled(item) for key, item in value.items()})
        if all(not isinstance(item, Mapping) and not _is_long(item) for item in value.values()):
            made.fa.set_flow_style()
        return made
    if isinstance(value, list | tuple):
        items = CommentedSeq([_styled(item) for item in value])
        if not any(isinstance(item, Mapping) for item in value):
            items.fa.set_flow_style()
        return items
    return value


def _is_long(value: Any) -> bool:
    return isinstance(value, list | tuple) and any(isinstance(item, list | tuple | Mapping) for item in value)


# ---- text -------------------------------------------------------------------------------------------------------------


def _place(tree: Tree, lines: Sequence[str], where: Where) -> tuple[int, int, int]:
    """First line, the line behind the last, and column of a section. Comments behind it are not its own, those within it are."""
    line, column = tree.keys[where]
    first = line - 1
    others = [
        place[0] - 1
        for path, place in tree.keys.items()
        if (len(path) == 1 or path[:-1] == where[:-1]) and path != where and place[0] - 1 > first
    ]
    if any(place[0] - 1 == first for path, place in tree.keys.items() if path[:-1] == where[:-1] and path != where):
        others = [first]  # several in one line: not to be taken apart by lines
    end = min(others, default=len(lines))
    while end > first + 1:
        bare = lines[end - 1].strip()
        indent = len(lines[end - 1]) - len(lines[end - 1].lstrip())
        if bare and not (bare.startswith("#") and indent < column):
            break
        end -= 1
    return first, end, column - 1


def _spliced(text: str, tree: Tree, where: Where, change: Callable[[dict[str, Any]], None]) -> str | None:
    """The section's lines alone through the round trip; None where they do not stand alone."""
    lines = text.splitlines(keepends=True)
    first, end, column = _place(tree, lines, where)
    block = lines[first:end]
    if not block or any(line[:column].strip() for line in block):
        return None
    engine = _engine(text)
    try:
        root = engine.load("".join(line[column:] or "\n" for line in block))
        if not isinstance(root, CommentedMap) or not isinstance(root.get(where[-1]), dict):
            return None
        change(root[where[-1]])
        if not root[where[-1]]:
            return None
        out = StringIO()
        engine.dump(root, out)
    except (YAMLError, ValueError, TypeError):
        return None
    made = out.getvalue().splitlines()
    lost = _lost_comments(block, made)
    made[1:1] = [" " * 2 + comment for comment in lost]
    return "".join([*lines[:first], *(_indented(line, column) for line in made), *lines[end:]])


def _lost_comments(before: Sequence[str], after: Sequence[str]) -> list[str]:
    """Whole-line comments that hung on a key which is gone."""
    left = [line.strip() for line in after]
    return [bare for line in before if (bare := line.strip()).startswith("#") and bare not in left]


def _indented(line: str, column: int) -> str:
    return f"{' ' * column}{line}\n" if line.strip() else "\n"


def _added(text: str, tree: Tree, where: Where, value: dict[str, Any]) -> str | None:
    """A new section behind its brothers, or at the end of the file."""
    engine = _engine(text)
    out = StringIO()
    parent = tree.root.get(where[0]) if len(where) == 2 else None
    if len(where) > 2:
        return None
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    if len(where) == 2 and isinstance(parent, dict) and parent:
        last = max(((where[0], key) for key in parent), key=lambda path: tree.keys[path])
        _, end, column = _place(tree, lines, last)
        engine.dump({where[1]: value}, out)
    elif len(where) == 2 and where[:1] in tree.keys:  # `cameras: {}`, or `cameras:` and nothing
        first, end, column = _place(tree, lines, where[:1])
        head = lines[first].partition("#")[2].strip()
        lines[first:end] = []
        end = first
        engine.dump({where[0]: {where[1]: value}}, out)
        if head:
            lines.insert(first, f"# {head}\n")
            end += 1
    else:
        end, column = len(lines), 0
        made: dict[str, Any] = {where[-1]: value}
        engine.dump({where[0]: made} if len(where) == 2 else made, out)
    return "".join([*lines[:end], *(_indented(line, column) for line in out.getvalue().splitlines()), *lines[end:]])


def with_line(text: str, key: str, value: str, behind: Sequence[str]) -> str:
    """The text with one more plain key at the root, behind the first of these keys that is there."""
    tree = read(None, text)
    meant = {**tree.root, key: value}
    if text.lstrip().startswith("{"):
        made = _as_json(text, (), {key: value})
        if made is not None:
            return made
    lines = text.splitlines(keepends=True)
    after = next((name for name in behind if (name,) in tree.keys), None)
    if after is not None:
        _, end, _ = _place(tree, lines, (after,))
        if end and not lines[end - 1].endswith("\n"):
            lines[end - 1] += "\n"
        lines.insert(end, f"{key}: {value}\n")
        made = "".join(lines)
        if _holds(made, meant):
            return made
    return _whole(text, lambda root: root.update({key: value}))


def _engine(text: str) -> YAML:
    """Writes as the text is written: its own quotes, its own indentation of lists, no line broken."""
    engine = YAML(typ="rt", pure=True)
    engine.preserve_quotes = True
    engine.width = _WIDE
    engine.allow_unicode = True
    engine.default_flow_style = False
    engine.representer.add_representer(type(None), _null)
    if not _FLUSH_LIST.search(text):
        engine.indent(mapping=2, sequence=4, offset=2)
    return engine


def _null(representer: Any, _: None) -> Any:
    return representer.represent_scalar("tag:yaml.org,2002:null", "null")


def _whole(text: str, change: Callable[[dict[str, Any]], None]) -> str:
    """The last resort: the whole file through the round trip."""
    engine = _engine(text)
    root = engine.load(text)
    change(root)
    out = StringIO()
    engine.dump(root, out)
    return out.getvalue()


def _holds(text: str, meant: dict[str, Any]) -> bool:
    try:
        return read(None, text).root == meant
    except SettingsError:
        return False


def _as_json(text: str, where: Where, patch: Mapping[str, Any]) -> str | None:
    try:
        root = json.loads(text)
    except ValueError:
        return None
    _patch_at(root, where, patch)
    return _json(root, text)


def _json(root: Any, like: str) -> str:
    indent = 2 if "\n" in like.strip() else None
    return json.dumps(root, indent=indent, ensure_ascii=False) + ("\n" if like.endswith("\n") else "")
