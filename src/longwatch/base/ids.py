"""Names that are safe as a path, an MQTT level and a metric label; and the identity of this boot."""

from __future__ import annotations

import re
from pathlib import Path

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")


def is_slug(text: str) -> bool:
    """`a-z`, `0-9` and `-`, at most 40, not at the ends: the form of every id a person may choose."""
    return _SLUG.fullmatch(text) is not None


def is_camera_id(text: str) -> bool:
    """A camera's id as a request may name it: a slug, or at a hub `post.camera`."""
    post, dot, camera = text.partition(".")
    return is_slug(post) and (not dot or is_slug(camera))


def boot_id() -> str:
    """The kernel's id of this boot, 32 hex digits. Linux: /proc/sys/kernel/random/boot_id."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip().replace("-", "")
