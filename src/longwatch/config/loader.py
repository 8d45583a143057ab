"""From a file to `Settings`: YAML, names, defaults, Pydantic, and the rules that hold between keys."""

from __future__ import annotations

import difflib
import inspect
import os
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from longwatch.base.errors import UsageError
from longwatch.config import expand
from longwatch.config.model import Camera, Settings
from longwatch.config.problems import Problem, SettingsError, Wrong
from longwatch.config.tree import MAX_BYTES, Path_, Tree, read

SEARCH = (Path("longwatch.yml"), Path("/etc/longwatch/longwatch.yml"))
_LATER = {
    ("hub",): "a hub", ("uplink",): "a hub", ("database",): "a hub's database", ("media",): "a hub's media store",
    ("broker",): "a hub's broker",
}  # fmt: skip
_LATER_OF_CAMERA = {"power_windows": "switching cameras by a plan"}
_OF_ONE_CAMERA = ("name", "streams")


def find(path: Path | None) -> Path:
    """The settings file to use: `path`, else ./longwatch.yml, else /etc/longwatch/longwatch.yml. Raises UsageError."""
    if path is not None:
        return path
    for candidate in SEARCH:
        if candidate.exists():
            return candidate
    raise UsageError(
        f"no settings: neither {SEARCH[0]} nor {SEARCH[1]} is there",
        remedy="name the file with --config FILE, or try `longwatch demo`, which needs none",
    )


def load(path: Path, environ: Mapping[str, str] | None = None) -> Settings:
    """Read, check and compose the settings; their secrets are registered with `base.secrets`.

    Raises SettingsError with every problem found, or UsageError where the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(
            f"cannot read the settings {path}", why=str(error.strerror), remedy="name the file with --config FILE"
        ) from error
    if len(raw) > MAX_BYTES:
        raise UsageError(f"{path} is larger than {MAX_BYTES >> 20} MiB", remedy="these are not settings")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        column = error.start - (raw.rfind(b"\n", 0, error.start) + 1) + 1
        raise SettingsError(path, [Problem(line, column, "", "not UTF-8 text", "save the file as UTF-8")]) from None
    return compose(path, text, os.environ if environ is None else environ, path.absolute().parent)


def compose(path: Path, text: str, environ: Mapping[str, str], folder: Path) -> Settings:
    """As `load`, of a text that is in hand. folder: what relative paths in it begin from."""
    tree = read(path, text)
    problems = _later(tree)
    names = expand.Names(environ, _secrets(tree, folder, problems))
    _expand(tree.root, (), tree, names, problems)
    _merge_defaults(tree, problems)
    settings = None
    try:
        settings = Settings.model_validate(tree.root)
    except ValidationError as error:
        problems += [p for detail in error.errors(include_url=False) if (p := _problem(detail, tree)) is not None]
    if settings is not None:
        problems += _rules(settings, tree)
    if problems or settings is None:
        raise SettingsError(path, _once(problems))
    settings._path = path  # noqa: SLF001 - where it came from is not one of its keys
    settings.data = [folder / volume for volume in settings.data]
    if settings.secrets is not None:
        settings.secrets = folder / settings.secrets
    if not isinstance(settings.web.tls, str):
        settings.web.tls.cert = folder / settings.web.tls.cert
        settings.web.tls.key = folder / settings.web.tls.key
    return settings


def _once(problems: list[Problem]) -> list[Problem]:
    """One problem per place: the first said is the most exact."""
    seen: dict[tuple[int, int, str], Problem] = {}
    for problem in problems:
        seen.setdefault((problem.line, problem.column, problem.where), problem)
    return list(seen.values())


def _later(tree: Tree) -> list[Problem]:
    """Keys that are known and not in this version: named as such, and taken out."""
    problems = []
    for path, what in _LATER.items():
        if path[0] in tree.root:
            remedy = "this version runs posts: take the key out"
            problems.append(tree.problem(path, f"{what} is not in this version", remedy, key=True))
            del tree.root[path[0]]
            if path[0] == "hub":
                tree.root.setdefault("post", {"id": "hub"})
    cameras = tree.root.get("cameras")
    holders: list[tuple[Path_, Any]] = [(("defaults",), tree.root.get("defaults"))]
    holders += [(("cameras", name), camera) for name, camera in cameras.items()] if isinstance(cameras, dict) else []
    for where, holder in holders:
        for key, what in _LATER_OF_CAMERA.items():
            if isinstance(holder, dict) and key in holder:
                problems.append(tree.problem((*where, key), f"{what} is not in this version", "take it out", key=True))
                del holder[key]
    return problems


def _secrets(tree: Tree, folder: Path, problems: list[Problem]) -> dict[str, str] | None:
    named = tree.root.get("secrets")
    if not isinstance(named, str):
        return {}
    try:
        return expand.secrets_file(folder / named)
    except Wrong as wrong:
        problems.append(tree.problem(("secrets",), wrong.what, wrong.remedy))
        return None


def _expand(node: Any, path: Path_, tree: Tree, names: expand.Names, problems: list[Problem]) -> None:
    """Expand every text below `node`, in place; the URLs of streams part by part."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in list(items):
        below: Path_ = (*path, key)
        if not isinstance(value, str):
            _expand(value, below, tree, names, problems)
            continue
        is_url = len(below) == 4 and below[0] == "cameras" and below[2] == "streams"
        try:
            node[key] = expand.url(value, names) if is_url else expand.text(value, names)
        except Wrong as wrong:
            problems.append(tree.problem(below, wrong.what, wrong.remedy))


def _merge_defaults(tree: Tree, problems: list[Problem]) -> None:
    defaults = tree.root.get("defaults")
    cameras = tree.root.get("cameras")
    if defaults is None:
        tree.root.pop("defaults", None)
    if cameras is None:
        tree.root.pop("cameras", None)
    if not isinstance(defaults, dict):
        return
    known = [name for name in Camera.model_fields if name not in _OF_ONE_CAMERA]
    for key in list(defaults):
        if key in _OF_ONE_CAMERA:
            problems.append(tree.problem(("defaults", key), f"{key} belongs to one camera", "move it there", key=True))
        elif key not in known:
            problems.append(_unknown(("defaults", key), key, known, tree))
        else:
            continue
        del defaults[key]
    said = [
        (path, place, places)
        for places in (tree.keys, tree.values)
        for path, place in places.items()
        if path[:1] == ("defaults",)
    ]
    for name, camera in (cameras if isinstance(cameras, dict) else {}).items():
        if isinstance(camera, dict):
            _inherit(camera, defaults, ("cameras", name), ("defaults",), tree, said)


_Said = list[tuple[Path_, tuple[int, int], dict[Path_, tuple[int, int]]]]


def _inherit(
    own: dict[str, Any], given: dict[str, Any], own_path: Path_, given_path: Path_, tree: Tree, said: _Said
) -> None:
    """Take over what `own` does not say itself, with the place where it is said."""
    for key, value in given.items():
        if key not in own:
            own[key] = value
            for path, place, places in said:
                if path[: len(given_path) + 1] == (*given_path, key):
                    taken = (*own_path, *path[len(given_path) :])
                    places[taken] = place
                    tree.origins[taken] = path
        elif key == "retention" and isinstance(value, dict) and isinstance(own[key], dict):
            _inherit(own[key], value, (*own_path, key), (*given_path, key), tree, said)


def _problem(detail: ErrorDetails, tree: Tree) -> Problem | None:
    """Pydantic's words in ours, with their place."""
    path = _path(detail["loc"], tree)
    kind = detail["type"]
    if kind == "extra_forbidden":
        *holder, key = path
        return _unknown(path, str(key), _fields_at(tuple(holder)), tree)
    if kind == "missing":
        key = str(detail["loc"][-1])
        return tree.problem(path, f"{key} is missing", f"add `{key}:`")
    error = detail.get("ctx", {}).get("error")
    if isinstance(error, Wrong):
        return tree.problem(path, error.what, error.remedy, key="[key]" in detail["loc"])
    what, remedy = _words(kind, detail)
    return tree.problem(path, what, remedy)


def _words(kind: str, detail: ErrorDetails) -> tuple[str, str]:
    ctx = detail.get("ctx", {})
    given = detail["input"]
    shown = repr(given) if isinstance(given, str | int | float | bool) else "this"
    if kind == "literal_error":
        return f"{shown} is not possible here", f"one of {ctx['expected']}"
    if kind in {"model_type", "dict_type", "model_attributes_type"}:
        return "here stand keys with values, not a single value", "write `key: value` lines, indented"
    if kind in {"string_type", "path_type"}:
        return f"{shown} is not text", "put it in quotes"
    if kind in {"bool_type", "bool_parsing"}:
        return f"{shown} is not yes or no", "write true or false"
    if kind in {"list_type", "tuple_type"}:
        return "here stands a list", "write [a, b], or lines that begin with -"
    if kind in {"too_short", "missing_argument"}:
        return "the list is empty", "name at least one"
    if kind in {"greater_than", "greater_than_equal"}:
        return f"{shown} is too small", ""
    return detail["msg"][:1].lower() + detail["msg"][1:], ""


def _path(loc: tuple[str | int, ...], tree: Tree) -> Path_:
    """The part of Pydantic's location that is in the file: its own names of alternatives are left out."""
    path: Path_ = ()
    for part in loc:
        if (*path, part) in tree.keys or (*path, part) in tree.values:
            path = (*path, part)
    return path


def _unknown(path: Path_, key: str, known: list[str], tree: Tree) -> Problem:
    close = difflib.get_close_matches(key, known, 1, 0.6)
    remedy = f"Did you mean `{close[0]}`?" if close else f"Known here: {', '.join(known)}"
    return tree.problem(path, "there is no such key", remedy, key=True)


def _fields_at(path: Path_) -> list[str]:
    """The keys that may stand at `path`."""
    model: Any = Settings
    for part in path:
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            break
        fields = {field.alias or name: field for name, field in model.model_fields.items()}
        if part in fields:
            model = _model_in(fields[str(part)].annotation)
    if isinstance(model, type) and issubclass(model, BaseModel):
        return [field.alias or name for name, field in model.model_fields.items()]
    return []


def _model_in(annotation: Any) -> Any:
    """The section within an annotation such as `dict[Slug, Camera]` or `list[Window] | None`."""
    if inspect.isclass(annotation) and not typing.get_args(annotation):
        return annotation if issubclass(annotation, BaseModel) else None
    for argument in typing.get_args(annotation):
        found = _model_in(argument)
        if found is not None:
            return found
    return None


def _rules(settings: Settings, tree: Tree) -> list[Problem]:
    """What holds between keys."""
    problems = []
    web = settings.web
    if not web.listen.is_loopback and web.tls == "off" and not web.behind_proxy:
        remedy = "add `tls: self-signed`, or `behind_proxy: [CIDR]` where a proxy speaks TLS, or listen on 127.0.0.1"
        what = f"{web.listen} can be reached from other machines, and passwords would cross the network in the clear"
        problems.append(tree.problem(("web", "listen"), what, remedy))
    for index, volume in enumerate(settings.data):
        if volume in settings.data[:index]:
            problems.append(tree.problem(("data", index), f"{volume} is there twice", "name each volume once"))
    for camera_id, camera in settings.cameras.items():
        for index, window in enumerate(camera.schedule or []):
            if window.from_ == window.to:
                remedy = "for the whole day write from: '00:00', to: '24:00'"
                part = ("cameras", camera_id, "schedule", index)
                problems.append(tree.problem(part, "from and to are the same", remedy))
        if camera.schedule == []:
            path = ("cameras", camera_id, "schedule")
            problems.append(
                tree.problem(path, "an empty schedule never records", "write `record: never`, or leave it out")
            )
    return problems
