"""What a folder with a model says of itself: `model.yml` (or .yaml, .json), checked before anything is loaded. docs/design/objects.md.

`read_folder` reads the folder and gives manifest and bytes of the model, its SHA-256 verified. It runs in the child before that gives up files, and in `longwatch settings check`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.tokens import AliasToken

from longwatch.base.errors import LongwatchError
from longwatch.detection.refusals import refused
from longwatch.model.events import OBJECTS

NAMES = ("model.yml", "model.yaml", "model.json")
LAYOUTS = ("yolov5", "yolov8", "yolo-nms", "ssd", "rtdetr", "rtdetr-yolo", "rtdetr-boxes")
MOST_MANIFEST_BYTES = 64 << 10
MOST_MODEL_BYTES = 256 << 20
MOST_CLASSES = 1_000
MOST_SIDE, LEAST_SIDE = 1_280, 32
_NESTED = re.compile(rb"[\[{]|- -")
_MOST_NESTED = 200
"""Brackets, and lists in lists: a reader of YAML takes very long over thousands of them."""
_KEYS = ("name", "version", "file", "sha256", "licence", "layout", "input", "classes", "mapping", "first_class", "threshold", "overlap", "about")  # fmt: skip
_INPUT_KEYS = ("width", "height", "colours", "order", "scale", "mean", "std", "fill")
_USUAL = {
    "person": "person man woman child boy girl pedestrian rider people human",
    "vehicle": "vehicle car truck bus van lorry motorcycle motorbike bicycle train tractor trailer atv quad snowmobile",
    "animal": "animal bird cat dog horse sheep cow elephant bear zebra giraffe deer fox wolf boar goat pig lion leopard monkey",
    "boat": "boat ship canoe kayak",
    "smoke": "smoke",
    "fire": "fire flame flames",
    "other": "other",
}
USUAL = MappingProxyType({name: kind for kind, names in _USUAL.items() for name in names.split()})
"""Class names that need no mapping."""


class ModelError(LongwatchError):
    """A model, or what is said of it, that is not used."""


@dataclass(frozen=True, slots=True)
class Input:
    """How a picture is handed over: size in pixels, `rgb` or `bgr`, `nchw` or `nhwc` or "" (as the model's own shape says); (value x scale - mean) / std for each colour.
    fill: grey level beside a picture that is narrower.
    """

    width: int
    height: int
    colours: str = "rgb"
    order: str = ""
    scale: float = 1 / 255
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    fill: int = 114


@dataclass(frozen=True, slots=True)
class Manifest:
    """kinds: of each of the model's classes, "" for one that is left out. first_class: number of the first class in the model's answers. threshold: least score.
    overlap: intersection over union, from which on two boxes of a class are one.
    """

    name: str
    version: str
    file: str
    sha256: str
    licence: str
    layout: str
    input: Input
    classes: tuple[str, ...]
    kinds: tuple[str, ...]
    first_class: int = 0
    threshold: float = 0.4
    overlap: float = 0.5
    about: str = ""

    @property
    def says(self) -> tuple[str, ...]:
        """Kinds of objects that it may find, in the order of `OBJECTS`."""
        return tuple(kind for kind in OBJECTS if kind in self.kinds)


@dataclass(frozen=True, slots=True)
class Folder:
    """manifest, and the model's bytes."""

    manifest: Manifest
    data: bytes = field(repr=False)


def read_folder(folder: Path) -> Folder:
    """Blocks. Raises ModelError, which says what is wrong."""
    manifest = read_manifest(folder)
    path = folder / manifest.file
    data = _read(path, MOST_MODEL_BYTES, "the model")
    found = hashlib.sha256(data).hexdigest()
    if found != manifest.sha256:
        raise ModelError(
            f"{path} is not the model that the manifest speaks of", why=f"its SHA-256 is {found}, and {manifest.sha256} is expected",
            remedy="fetch the model again; only if you changed it yourself, write the new sum into the manifest",
        )  # fmt: skip
    return Folder(manifest, data)


def read_manifest(folder: Path) -> Manifest:
    """Blocks. Raises ModelError."""
    path = next((folder / name for name in NAMES if (folder / name).is_file()), None)
    if path is None:
        what = f"there is no manifest in {folder}" if folder.is_dir() else f"there is no folder {folder}"
        raise ModelError(what, remedy=f"put {NAMES[0]} beside the model: docs/design/objects.md says what stands in it")
    return manifest_of(_read(path, MOST_MANIFEST_BYTES, "the manifest"), str(path))


def _read(path: Path, most: int, what: str) -> bytes:
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            told = os.fstat(file.fileno())
            if not stat.S_ISREG(told.st_mode):
                raise ModelError(f"{what} {path} is no file", remedy="put the model itself there")
            size = told.st_size
            data = file.read(most + 1) if size <= most else b""
    except OSError as error:
        raise ModelError(f"{what} {path} cannot be read", why=str(error.strerror)) from None
    if max(size, len(data)) > most:
        remedy = "take a smaller one: crops of what moves are small"
        raise ModelError(f"{what} {path} is larger than {most / (1 << 20):g} MiB", remedy=remedy)
    return data


def _without_waiting(path: str, flags: int) -> int:
    """A pipe would else be waited for until somebody writes into it."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)


def manifest_of(text: bytes, where: str = "the manifest") -> Manifest:
    """From YAML or JSON. Raises ModelError."""
    told = _parsed(text, where)
    try:
        return _manifest(told)
    except ModelError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{where}: {_said(error)}") from None


def _parsed(text: bytes, where: str) -> dict[str, Any]:
    if len(_NESTED.findall(text)) > _MOST_NESTED:
        raise ModelError(f"{where} cannot be read", why="it is nested deeper than any manifest")
    try:
        if text.lstrip()[:1] == b"{" and where.endswith(".json"):
            told = json.loads(text)
        else:
            if any(isinstance(token, AliasToken) for token in YAML(typ="safe", pure=True).scan(text)):
                raise ValueError(
                    "it refers back to itself (`*`): some lines could stand for more than any memory holds"
                )
            told = YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError, RecursionError, TypeError, AttributeError, LookupError, ArithmeticError) as error:
        raise ModelError(f"{where} cannot be read", why=(str(error).splitlines() or [repr(error)])[0][:200]) from None
    if not isinstance(told, dict):
        raise ModelError(f"{where} has no keys", remedy="write `key: value` lines")
    return told


def _said(error: Exception) -> str:
    return f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)


def _manifest(told: Mapping[str, Any]) -> Manifest:
    _known(told, _KEYS, "")
    classes = _classes(told["classes"])
    name, file = _text(told, "name"), _text(told, "file", "model.onnx")
    if why := refused((name, file, *classes)):
        raise ModelError(
            "a model of this kind is not run here",
            why=why,
            remedy="detection speaks of classes, never of who: bring a model for objects",
        )
    layout = _text(told, "layout")
    if layout not in LAYOUTS:
        raise ValueError(f"layout: {layout!r} is none that is known; one of {', '.join(LAYOUTS)}")
    if Path(file).name != file or file in {"", ".", ".."}:
        raise ValueError("file: a name in the same folder, without a path")
    sha256 = _text(told, "sha256").lower()
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise ValueError("sha256: 64 hexadecimal digits; `sha256sum` of the model gives them")
    return Manifest(
        name, _text(told, "version"), file, sha256, _text(told, "licence"), layout, _input(told["input"]), classes,
        _kinds(classes, told.get("mapping", {})), _whole(told, "first_class", 1 if layout == "ssd" else 0, 0, 1),
        _number(told, "threshold", 0.4, 0.05, 0.99), _number(told, "overlap", 0.5, 0.1, 0.95), _text(told, "about", " ").strip(),
    )  # fmt: skip


def _known(told: Mapping[str, Any], keys: Sequence[str], where: str) -> None:
    for key in told:
        if key not in keys:
            raise ValueError(f"{where}{str(key)[:40]}: there is no such key; known are {', '.join(keys)}")


def _text(told: Mapping[str, Any], key: str, default: str = "") -> str:
    value = told[key] if not default else told.get(key, default)
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value or len(value) > 500 or not value.isprintable():
        raise ValueError(f"{key}: here stands a line of text")
    return value


def _number(told: Mapping[str, Any], key: str, default: float, least: float, most: float) -> float:
    value = told.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise ValueError(f"{key}: a number from {least:g} to {most:g}")
    return float(value)


def _whole(told: Mapping[str, Any], key: str, default: int | None, least: int, most: int) -> int:
    value = told[key] if default is None else told.get(key, default)
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{key}: a whole number from {least} to {most}")
    return value


def _classes(told: Any) -> tuple[str, ...]:
    """A list, or numbers with names as exporters write them."""
    names = told
    if isinstance(told, dict):
        if sorted(told, key=str) != sorted(range(len(told)), key=str):
            raise ValueError("classes: a list of names, or numbers from 0 on with names")
        names = [told[number] for number in range(len(told))]
    if not isinstance(names, list) or not 0 < len(names) <= MOST_CLASSES:
        raise ValueError(f"classes: a list of 1 to {MOST_CLASSES} names, in the order of the model's answers")
    if not all(isinstance(name, str) and 0 < len(name) <= 100 for name in names):
        raise ValueError("classes: each is a name")
    return tuple(names)


def _kinds(classes: Sequence[str], mapping: Any) -> tuple[str, ...]:
    if not isinstance(mapping, dict):
        raise TypeError("mapping: `class: kind` lines")
    for name, kind in mapping.items():
        if name not in classes:
            raise ValueError(f"mapping: {str(name)[:60]!r} is none of its classes")
        if kind is not None and kind not in OBJECTS:
            raise ValueError(f"mapping: {str(kind)[:60]!r} is none of {', '.join(OBJECTS)}")
    kinds = tuple((mapping[name] or "") if name in mapping else USUAL.get(name.lower(), "") for name in classes)
    if not any(kinds):
        raise ValueError(f"mapping: none of its classes is mapped to one of {', '.join(OBJECTS)}")
    return kinds


def _input(told: Any) -> Input:
    if not isinstance(told, dict):
        raise TypeError("input: `width`, `height` and how colours are handed over")
    _known(told, _INPUT_KEYS, "input.")
    colours, order = told.get("colours", "rgb"), told.get("order", "")
    if colours not in {"rgb", "bgr"}:
        raise ValueError("input.colours: rgb or bgr")
    if order not in {"", "nchw", "nhwc"}:
        raise ValueError("input.order: nchw or nhwc")
    return Input(
        _whole(told, "width", None, LEAST_SIDE, MOST_SIDE), _whole(told, "height", None, LEAST_SIDE, MOST_SIDE), colours, order,
        _number(told, "scale", 1 / 255, 1e-6, 10), _three(told, "mean", 0.0, -1e3), _three(told, "std", 1.0, 1e-6),
        _whole(told, "fill", 114, 0, 255),
    )  # fmt: skip


def _three(told: Mapping[str, Any], key: str, default: float, least: float) -> tuple[float, float, float]:
    value = told.get(key, [default] * 3)
    if not isinstance(value, list) or len(value) != 3:
        raise ValueError(f"input.{key}: three numbers, one for each colour")
    a, b, c = (_number({key: one}, key, default, least, 1e3) for one in value)
    return a, b, c
