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
from longwatch.config import around_rules, expand, hub, lacking, notify, secret_places, watching_rules
from longwatch.config.model import Camera, Settings
from longwatch.config.problems import Problem, SettingsError, Wrong
from longwatch.config.tree import MAX_BYTES, Path_, Tree, read

_OF_ONE_CAMERA = (
    "name",
    "streams",
    "port",
    "relay",
    "meter",
    "masks",
    "shades",
    "zones",
    "lines",
    "twin",
    "radiometry",
)


def load(path: Path, environ: Mapping[str, str] | None = None) -> Settings:
    """Read, check and compose the settings; their secrets are registered with `base.secrets`.

    Raises SettingsError with every problem found, or UsageError where the file cannot be read.
    """
    return _load(path, environ, lenient=False)


def load_lacking(path: Path) -> Settings:
    """As `load`; but where nothing is wrong than that names stand for no secret, without what needs those: `lacking` of what it gives says what that is."""
    return _load(path, None, lenient=True)


def _load(path: Path, environ: Mapping[str, str] | None, *, lenient: bool) -> Settings:
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
    return compose(path, text, os.environ if environ is None else environ, path.absolute().parent, lenient=lenient)


def compose(
    path: Path, text: str, environ: Mapping[str, str], folder: Path, *, secrets_to_come: bool = False, afar: bool = False,
    lenient: bool = False,
) -> Settings:  # fmt: skip
    """As `load`, of a text that is in hand. folder: what relative paths in it begin from. secrets_to_come: a secrets file that is not
    there yet is as an empty one. afar: these are of another machine, and no file of this one is read. lenient: as `load_lacking`.
    """
    tree = read(path, text)
    problems = _role(tree)
    unread: list[Problem] = []
    file = {} if afar else _secrets(tree, folder, unread, to_come=secrets_to_come)
    problems += [] if lenient else unread
    names = expand.Names(environ, file, lenient=lenient)
    lacked: lacking.Lacked = {}
    doubts: list[Problem] = []
    _expand(tree.root, (), tree, names, problems, lacked, doubts)
    left_out = lacking.left_out(tree, lacked, names, problems)
    _merge_defaults(tree, problems)
    settings = None
    try:
        settings = Settings.model_validate(tree.root)
    except ValidationError as error:
        problems += [p for detail in error.errors(include_url=False) if (p := _problem(detail, tree)) is not None]
    if settings is not None and settings.post is not None:
        lacking.mark(settings, lacked)
        problems += _rules(settings, tree)
    if problems or settings is None:
        raise SettingsError(path, _once(problems))
    settings._path = path  # noqa: SLF001 - where it came from is not one of its keys
    settings._doubts = sorted(doubts)  # noqa: SLF001 - nor is what may be meant otherwise
    settings._lacking = [*(unread if lenient else []), *left_out]  # noqa: SLF001 - nor is what it lacks
    settings.data = [folder / volume for volume in settings.data]
    if settings.secrets is not None:
        settings.secrets = folder / settings.secrets
    if not isinstance(settings.web.tls, str):
        settings.web.tls.cert = folder / settings.web.tls.cert
        settings.web.tls.key = folder / settings.web.tls.key
    if settings.ledger.stamps is not None and settings.ledger.stamps.ca is not None:
        settings.ledger.stamps.ca = folder / settings.ledger.stamps.ca
    for channel in settings.notify.channels.values():
        channel.ca = None if channel.ca is None else folder / channel.ca
    if settings.mqtt is not None:
        for name in ("ca", "cert", "key"):
            file = getattr(settings.mqtt, name)
            setattr(settings.mqtt, name, None if file is None else folder / file)
    if settings.detection.model is not None:
        settings.detection.model = folder / settings.detection.model
    if settings.web.oidc is not None and settings.web.oidc.ca is not None:
        settings.web.oidc.ca = folder / settings.web.oidc.ca
    return settings


def _once(problems: list[Problem]) -> list[Problem]:
    """One problem per place: the first said is the most exact."""
    seen: dict[tuple[int, int, str], Problem] = {}
    for problem in problems:
        seen.setdefault((problem.line, problem.column, problem.where), problem)
    return list(seen.values())


def _role(tree: Tree) -> list[Problem]:
    """Whose file it is, and what it may not hold then."""
    problems = hub.of_roles(tree.root, tree)
    if "hub" not in tree.root and "post" not in tree.root:
        problems.append(tree.problem((), "post is missing", "add `post:`, or `hub:` where this is to be a hub"))
    return problems


def _secrets(tree: Tree, folder: Path, problems: list[Problem], *, to_come: bool) -> dict[str, str] | None:
    named = tree.root.get("secrets")
    if not isinstance(named, str) or (to_come and not (folder / named).exists()):
        return {}
    try:
        return expand.secrets_file(folder / named)
    except Wrong as wrong:
        problems.append(tree.problem(("secrets",), wrong.what, wrong.remedy))
        return None


def _expand(
    node: Any, path: Path_, tree: Tree, names: expand.Names, problems: list[Problem], lacked: lacking.Lacked, doubts: list[Problem]
) -> None:  # fmt: skip
    """Expand every text below `node`, in place; URLs part by part. A name stands for a password, and so only where one may stand. lacked: gets
    what stands for nothing, where `names` lets that pass. doubts: gets what looks like a name and is none.
    """
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in list(items):
        below: Path_ = (*path, key)
        if not isinstance(value, str):
            _expand(value, below, tree, names, problems, lacked, doubts)
            continue
        names.lacked.clear()
        try:
            doubt = _mistyped(below, value, names)
            if doubt is not None:
                doubts.append(tree.problem(below, *doubt))
            if secret_places.is_stream(below):
                node[key] = expand.url(value, names)
            elif secret_places.is_device(below):
                node[key] = expand.url(value, names, ("http", "https"), "relays, meters and stills")
            elif secret_places.is_way(below):
                node[key] = expand.way(value, names)
            elif below[0] in secret_places.ADDRESSES and len(below) == 1:
                node[key] = expand.address(value, names)
            elif secret_places.is_secret(below):
                node[key] = expand.text(value, names)
            else:
                node[key] = expand.plain(value)
        except Wrong as wrong:
            if names.lacked:  # what is left of it need not be an address; and its name is no secret, which would be masked where it is told
                node[key] = lacking.NOWHERE
            if not names.lenient or not names.lacked:
                problems.append(tree.problem(below, wrong.what, wrong.remedy))
        if names.lenient and names.lacked:
            lacked[below] = names.lacking_in(value)


def _mistyped(path: Path_, value: str, names: expand.Names) -> expand.Doubt | None:
    """Raises Wrong where it surely is."""
    is_url = "://" in value and (
        secret_places.is_stream(path)
        or secret_places.is_device(path)
        or secret_places.is_way(path)
        or (path[0] in secret_places.ADDRESSES and len(path) == 1)
    )
    return expand.mistyped(value, names, whole=not is_url) if is_url or secret_places.is_secret(path) else None


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


def _by_events(camera_id: str, camera: Camera, tree: Tree) -> list[Problem]:
    """Recording by events needs somebody who looks."""
    if camera.record != "events" or camera.looked_at is not None:
        return []
    what = "recording by events needs detection, and `detect` is false"
    return [tree.problem(("cameras", camera_id, "record"), what, "leave `detect` out, or write `record: continuous`")]


def _weeks(camera_id: str, camera: Camera, tree: Tree) -> list[Problem]:
    """Windows of a camera that cannot be meant."""
    problems: list[Problem] = []
    empty = {
        "schedule": ("an empty schedule never records", "write `record: never`, or leave it out"),
        "power_windows": ("without a power window the camera never has power", "leave it out: it always has"),
    }
    for key, (what, remedy) in empty.items():
        windows = getattr(camera, key)
        if windows == []:
            problems.append(tree.problem(("cameras", camera_id, key), what, remedy))
        for index, window in enumerate(windows or []):
            if window.from_ == window.to:
                part = ("cameras", camera_id, key, index)
                whole_day = "for the whole day write from: '00:00', to: '24:00'"
                problems.append(tree.problem(part, "from and to are the same", whole_day))
    return problems


def _rules(settings: Settings, tree: Tree) -> list[Problem]:
    """What holds between keys."""
    problems: list[Problem] = []
    web = settings.web
    problems += around_rules.of_switches(settings, tree)
    problems += hub.of_uplink(settings.hub is not None, settings.uplink, tree)
    problems += notify.rules_of(settings.notify, settings.mqtt, None if settings.hub else settings.cameras.keys(), tree)
    problems += hub.of_processes(settings.door, settings.broker, settings.database, settings.media, tree)
    if not web.listen.is_loopback and web.tls == "off" and not web.behind_proxy:
        remedy = "add `tls: self-signed`, or `behind_proxy: [CIDR]` where a proxy speaks TLS, or listen on 127.0.0.1"
        what = f"{web.listen} can be reached from other machines, and passwords would cross the network in the clear"
        problems.append(tree.problem(("web", "listen"), what, remedy))
    problems += watching_rules.of_twins(settings, tree)
    for index, volume in enumerate(settings.data):
        if volume in settings.data[:index]:
            problems.append(tree.problem(("data", index), f"{volume} is there twice", "name each volume once"))
    for camera_id, camera in settings.cameras.items():
        problems += around_rules.of_camera(settings, camera, tree)
        problems += _weeks(camera_id, camera, tree)
        problems += _by_events(camera_id, camera, tree)
        problems += watching_rules.of_camera(settings, camera, tree)
    return problems
