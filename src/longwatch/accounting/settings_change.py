"""What a change of the settings is, and what it takes away: over the settings as flat values, without secrets. Pure.

A setting is a dotted key ("cameras.gate.record") with text, a number, true or false, or null; a list stands whole, as its
canonical JSON. A secret never stands in a value: it is "(secret)" there; that it changed is told by a salted fingerprint of the
value that holds it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from longwatch.archive.ops import SECRET_CHANGED
from longwatch.ledger import canonical
from longwatch.ledger.canonical import MAX_INTEGER

SECRET = "(secret)"  # noqa: S105 - what stands in the place of one
_WEEK_MINUTES = 7 * 1440
_PART_BYTES = 40_000  # of an entry, which is at most 65,535
_MOST_REDUCES = 50
_MOST_TOLD = 200
_MOST_TEXT = 2000
_PLAIN = frozenset({"record", "schedule", "power_windows", "transport", "kind"})
"""Of a camera: words and numbers of the settings' own grammar, in which no secret can stand. Were one of them covered because a secret happens to be `never`, nobody would see
what it takes away."""
_OF_SESSIONS = frozenset({"streams", "transport", "audio", "verify_certificate", "masks", "metadata", "stills"})
Value = str | int | bool | None
Flat = dict[str, Value]


@dataclass(frozen=True, slots=True)
class Settings:
    """As they are applied. flat: see the module. fingerprints: of the keys whose value holds a secret. whole: values of `flat` that are too long to be
    told: what they take away is judged by all of them. Of settings that were read back from the ledger they are not known.
    """

    flat: Flat
    fingerprints: dict[str, str] = field(default_factory=dict)
    whole: Flat = field(default_factory=dict, repr=False)

    @property
    def sha256(self) -> str:
        """Of the canonical JSON of `flat`."""
        return hashlib.sha256(canonical(self.flat)).hexdigest()


@dataclass(frozen=True, slots=True)
class Change:
    """added, removed: key to value. changed: key to [old, new]. reduces: what it takes away, each in words."""

    added: Flat
    changed: dict[str, list[Value]]
    removed: Flat
    reduces: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)

    @property
    def keys(self) -> set[str]:
        """Every key that it touches."""
        return {*self.added, *self.changed, *self.removed}

    def cameras(self) -> set[str]:
        """The cameras that it touches."""
        return {key.split(".")[1] for key in self.keys if key.startswith("cameras.")}

    def interrupted(self) -> set[str]:
        """The cameras of which a session ends and another begins: what is asked of the camera itself changes."""
        parts = [key.split(".") for key in self.keys if key.startswith("cameras.")]
        return {part[1] for part in parts if len(part) > 2 and part[2] in _OF_SESSIONS}

    def at_next_start(self) -> list[str]:
        """What a running recorder does not take over."""
        return [name for name, key in (("data", "volumes"), ("post.id", "post.id")) if key in self.changed]

    def told(self) -> list[dict[str, Value]]:
        """Key by key, the most that a page shows: {key, old, new}; a secret is never a value of it."""
        rows: list[dict[str, Value]] = []
        for key in sorted(self.keys)[:_MOST_TOLD]:
            old, new = self.changed.get(key, [self.removed.get(key), self.added.get(key)])
            rows.append({"key": key, "old": old, "new": new})
        return rows

    def parts(self) -> list[dict[str, dict[str, Any]]]:
        """The change in pieces, each small enough for one entry; at least one."""
        parts: list[dict[str, dict[str, Any]]] = [{"added": {}, "changed": {}, "removed": {}}]
        size = 0
        for name, items in (("added", self.added), ("changed", self.changed), ("removed", self.removed)):
            for key, value in items.items():
                length = len(json.dumps([key, value]))
                if size and size + length > _PART_BYTES:
                    parts.append({"added": {}, "changed": {}, "removed": {}})
                    size = 0
                parts[-1][name][key] = value
                size += length
        return parts


def flatten(resolved: Mapping[str, Any], secrets: Iterable[str], salt: bytes) -> Settings:
    """resolved: what `python -m longwatch.config resolve` says, without its list of secrets. secrets: every known one."""
    known = sorted({secret for secret in secrets if secret}, key=len, reverse=True)
    flat: Flat = {}
    fingerprints: dict[str, str] = {}
    whole: Flat = {}
    for name, value in _leaves(resolved, ""):
        key = _without(name, ())
        clean = value
        if isinstance(value, str) and _is_plain(key):
            clean = _told(value)
            if clean != value:
                whole[key] = value
        elif isinstance(value, str):
            clean = _without(value, known)
            if clean != value:
                fingerprints[key] = hashlib.scrypt(
                    value.encode("utf-8", "replace"), salt=salt, n=1 << 10, r=8, p=1, dklen=16
                ).hex()
        flat[key] = clean
    return Settings(dict(sorted(flat.items())), fingerprints, whole)


def _is_plain(key: str) -> bool:
    parts = key.split(".")
    if parts[0] != "cameras" or len(parts) < 3:
        return parts[0] == "retention"
    return parts[2] == "masks" or (len(parts) == 3 and parts[2] in _PLAIN)


def _told(value: str) -> str:
    """Where it is too long, its beginning, and a hash by which another is told from it."""
    if len(value) <= _MOST_TEXT:
        return value
    return f"{value[: _MOST_TEXT - 80]}... sha256:{hashlib.sha256(value.encode('utf-8', 'replace')).hexdigest()}"


def _without(value: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        value = value.replace(secret, SECRET)
    return value[:_MOST_TEXT].encode("utf-8", "replace").decode()


def _leaves(value: Any, before: str) -> Iterable[tuple[str, Value]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, f"{before}.{key}" if before else str(key))
    elif isinstance(value, list) and value and all(isinstance(item, Mapping) and "id" in item for item in value):
        for item in value:
            yield from _leaves({k: v for k, v in item.items() if k != "id"}, f"{before}.{item['id']}")
    elif isinstance(value, (list, tuple)):
        yield before, json.dumps(_exact(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    elif isinstance(value, float):
        yield before, repr(value)
    else:
        whole = isinstance(value, int) and -MAX_INTEGER <= value <= MAX_INTEGER
        yield before, value if whole or isinstance(value, str) or value is None else str(value)


def _exact(value: Any) -> Any:
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, Mapping):
        return {str(k): _exact(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_exact(v) for v in value]
    return value


def change(before: Settings, after: Settings) -> Change:
    """From one to the other."""
    old, new = before.flat, after.flat
    changed: dict[str, list[Value]] = {}
    for key in old.keys() & new.keys():
        if old[key] != new[key]:
            changed[key] = [old[key], new[key]]
        elif key in before.fingerprints and before.fingerprints[key] != after.fingerprints.get(key):
            changed[key] = [old[key], SECRET_CHANGED]
    reduces = _reductions(_judged(before, after), new | after.whole)
    if len(reduces) > _MOST_REDUCES:
        reduces = [*reduces[:_MOST_REDUCES], f"and {len(reduces) - _MOST_REDUCES} more"]
    return Change(
        {key: new[key] for key in sorted(new.keys() - old.keys())},
        {key: changed[key] for key in sorted(changed)},
        {key: old[key] for key in sorted(old.keys() - new.keys())},
        tuple(reduces),
    )


def _judged(before: Settings, after: Settings) -> Flat:
    """What was before, as far as it is known: of what is the same now, what is known now."""
    same = {
        key: value
        for key, value in after.whole.items()
        if before.flat.get(key) == after.flat[key] and key not in before.whole
    }
    return before.flat | before.whole | same


# ---- what is taken away ----------------------------------------------------------------------------------------------


def cameras_of(flat: Flat) -> set[str]:
    """Their ids."""
    return {key.split(".")[1] for key in flat if key.startswith("cameras.") and key.count(".") >= 2}


def _reductions(old: Flat, new: Flat) -> list[str]:
    """Nothing that was not there before can be taken away; what is widened is none. Where nothing is known of before, none."""
    if not old:
        return []
    gone = sorted(cameras_of(old) - cameras_of(new))
    found = [f"camera {camera} is removed" for camera in gone]
    for camera in sorted(cameras_of(old) & cameras_of(new)):
        found += _of_camera(camera, old, new)
    found += _of_retention(old, new)
    found += _of_volumes(old, new)
    found += [
        f"{family} {name} is removed: it tells why a camera is silent"
        for family, name in sorted(_sources(old) - _sources(new))
    ]
    return found


def _of_camera(camera: str, old: Flat, new: Flat) -> list[str]:
    before = f"cameras.{camera}."
    found = [
        f"the stream {key.removeprefix(before + 'streams.')} of camera {camera} is removed"
        for key in sorted(old.keys() - new.keys())
        if key.startswith(before + "streams.")
    ]
    if old.get(before + "record") != "never" and new.get(before + "record") == "never":
        found.append(f"camera {camera} is not recorded any more")
    elif old.get(before + "record") == "continuous" and new.get(before + "record") == "events":
        found.append(f"of camera {camera} only what belongs to an event is kept")
    for name in ("schedule", "power_windows"):
        lost = _lost_minutes(old.get(before + name), new.get(before + name))
        if lost:
            what = "is to be recorded" if name == "schedule" else "has power by plan"
            found.append(f"camera {camera} {what} {_hours(lost)} a week less ({name})")
    if old.get(before + "audio") is True and new.get(before + "audio") is False:
        found.append(f"the sound of camera {camera} is not recorded any more")
    if old.get(before + "tamper") is True and new.get(before + "tamper") is False:
        found.append(
            f"camera {camera} is not watched for sabotage any more: nothing says that it is covered, turned or frozen"
        )
    found += _of_masks(camera, old, new)
    found += [
        f"`{name}` of camera {camera} is removed: it tells why the camera is silent"
        for name in ("behind", "port", "relay", "meter")
        if _is_set(old, before + name) and not _is_set(new, before + name)
    ]
    return found


def _of_masks(camera: str, old: Flat, new: Flat) -> list[str]:
    """A mask takes a part of every picture away; without it, those whom it hid are recorded."""
    before = f"cameras.{camera}.masks."
    was = {key.removeprefix(before): value for key, value in old.items() if key.startswith(before)}
    now = {key.removeprefix(before): value for key, value in new.items() if key.startswith(before)}
    found = [
        f"the mask {name} of camera {camera} is {'moved' if name in was else 'new'}: what it covers is not recorded any more"
        for name in sorted(now)
        if was.get(name) != now[name]
    ]
    return found + [
        f"the mask {name} of camera {camera} is removed: what it hid is recorded from now on"
        for name in sorted(was.keys() - now.keys())
    ]


def _is_set(flat: Flat, key: str) -> bool:
    return flat.get(key) is not None or any(other.startswith(f"{key}.") for other in flat)


def _sources(flat: Flat) -> set[tuple[str, str]]:
    """Switches and the UPS, as words."""
    switches = {("switch", key.split(".")[1]) for key in flat if key.startswith("switches.")}
    return switches | ({("the", "UPS")} if _is_set(flat, "ups") else set())


def _of_retention(old: Flat, new: Flat) -> list[str]:
    """Of the post, and of each camera that was there before: a limit of its own may be new."""
    found = []
    cameras = cameras_of(old) & cameras_of(new)
    for name, say in _LIMITS.items():
        for key in sorted({key for key in old.keys() | new.keys() if _is_limit(key, name)}):
            camera = key.split(".")[2] if key.startswith("retention.cameras.") else ""
            was, now = _number(old.get(key)), _number(new.get(key))
            if camera and name == "max_age_s":  # the shorter of its own and the post's holds
                was = min(
                    (age for age in (was, _number(old.get("retention.max_age_s"))) if age is not None), default=None
                )
            if (not camera or camera in cameras) and _less(was, now, smaller_is_less=name.startswith("max_")):
                found.append(say(was, now, f" of camera {camera}" if camera else ""))
    return found


def _age(was: float | None, now: float | None, of: str) -> str:
    return f"footage{of} is kept for {_days(now)} instead of {'any time' if was is None else _days(was)}"


def _size(was: float | None, now: float | None, of: str) -> str:
    return f"at most {_bytes(now)} of footage{of} are kept instead of {'any amount' if was is None else _bytes(was)}"


def _free_bytes(was: float | None, now: float | None, _: str) -> str:
    return f"of each volume {_bytes(now)} stay free instead of {_bytes(was)}"


def _free_part(was: float | None, now: float | None, _: str) -> str:
    return f"of each volume {100 * (now or 0):g} % stay free instead of {100 * (was or 0):g} %"


_LIMITS: Mapping[str, Callable[[float | None, float | None, str], str]] = {
    "max_age_s": _age, "max_size_bytes": _size, "keep_free_bytes": _free_bytes, "keep_free_fraction": _free_part,
}  # fmt: skip


def _is_limit(key: str, name: str) -> bool:
    return key == f"retention.{name}" or (key.startswith("retention.cameras.") and key.endswith(f".{name}"))


def _less(was: float | None, now: float | None, *, smaller_is_less: bool) -> bool:
    """None is no limit."""
    if smaller_is_less:
        return now is not None and (was is None or now < was)
    return (now or 0) > (was or 0)


def _number(value: Value) -> float | None:
    try:
        return None if value is None else float(value)
    except ValueError:
        return None


def _days(seconds: float | None) -> str:
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds and seconds % length == 0:
            return f"{seconds / length:g} {unit}"
    return f"{seconds or 0:.0f} s"


def _bytes(size: float | None) -> str:
    value = size or 0.0
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.4g} {unit}"
        value /= 1000
    return f"{value:.4g} TB"


def _of_volumes(old: Flat, new: Flat) -> list[str]:
    was, now = _list(old.get("volumes")), _list(new.get("volumes"))
    return [f"the volume {volume} is removed" for volume in was if volume not in now]


def _list(value: Value) -> list[Any]:
    try:
        found = json.loads(value) if isinstance(value, str) else []
    except ValueError:
        return []
    return found if isinstance(found, list) else []


def _lost_minutes(old: Value, new: Value) -> int:
    """Minutes of the week that were in the windows and are no more. None: always."""
    return 0 if old == new else (_minutes(old) & ~_minutes(new)).bit_count()


def _minutes(windows: Value) -> int:
    """The week as bits, Monday's first minute the lowest. What cannot be read as windows is always."""
    everything = (1 << _WEEK_MINUTES) - 1
    bits = 0
    try:
        listed = json.loads(windows) if isinstance(windows, str) else None
        if not isinstance(listed, list):
            return everything
        for window in listed:
            first, last = int(window["from_minute"]), int(window["to_minute"])
            length = last - first if first < last else last - first + 1440
            for day in window["days"]:
                begin = int(day) * 1440 + first
                for start, size in _within_week(begin, length):
                    bits |= ((1 << size) - 1) << start
    except (KeyError, TypeError, ValueError):
        return everything
    return bits


def _within_week(begin: int, length: int) -> Iterable[tuple[int, int]]:
    size = min(length, _WEEK_MINUTES - begin)
    yield begin, size
    if size < length:
        yield 0, length - size


def _hours(minutes: int) -> str:
    return f"{minutes / 60:g} h" if minutes % 60 == 0 else f"{minutes} min"
