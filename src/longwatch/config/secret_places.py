"""Where in the settings a password may stand, by name, by stand-in or as it is. Pure.

Only there is `${NAME}` taken and a stand-in put back: in a name that people read, either would tell whoever may edit the settings, or
everybody, what it stands for.
"""

from __future__ import annotations

import re

Path_ = tuple[str | int, ...]
SECRET_KEY = re.compile(r"(password|passwd|community|secret|token)$", re.IGNORECASE)
DEVICES = ("relay", "meter")
ADDRESSES = frozenset({"database", "media", "broker"})
"""Keys at the root of a hub's file: addresses of machines, with logins in them."""
_OF_MACHINES = frozenset({"hub", "uplink", "database", "media", "broker"})
_MACHINE_KEY = re.compile(r"(key|url|dsn|code|database|media|broker)$", re.IGNORECASE)


def is_stream(path: Path_) -> bool:
    """Whether this is the URL of a stream."""
    return len(path) == 4 and path[0] == "cameras" and path[2] == "streams"


def is_device(path: Path_) -> bool:
    """Whether this is the URL of something that feeds a camera."""
    return (len(path) == 4 and path[0] == "cameras" and path[2] in DEVICES and path[3] == "url") or is_stills(path)


def is_stills(path: Path_) -> bool:
    """Whether this is the URL of a thermal camera's stills."""
    return len(path) == 5 and path[0] == "cameras" and path[2:] == ("radiometry", "stills", "url")


def is_way(path: Path_) -> bool:
    """Whether this is the address of a channel: all of it may open something."""
    return len(path) == 4 and path[:2] == ("notify", "channels") and path[3] == "url"


def is_secret(path: Path_) -> bool:
    """Whether the whole text is a password, or the user beside one. The `user` of somebody who is told is an account's name, which the page of notifications
    shows.
    """
    key = next((part for part in reversed(path) if isinstance(part, str)), "")
    of_machine = path[:1] and path[0] in _OF_MACHINES and _MACHINE_KEY.search(key)
    is_login = key == "user" and path[:1] != ("notify",)
    return is_login or SECRET_KEY.search(key) is not None or bool(of_machine) or is_way(path)
