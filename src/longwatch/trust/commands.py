"""What a hub tells a post to do, signed by the hub's command key. docs/design/command.md.

The signed text names hub, post, a number that only grows, and its end: a command that is replayed, old, for another post or of another hub is told apart.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from longwatch.base.errors import LongwatchError
from longwatch.base.ids import is_slug
from longwatch.ledger.canonical import canonical
from longwatch.ledger.checkpoint import verify_signature

_DOMAIN = b"longwatch command v1\n"
SETTINGS_READ, SETTINGS_SAVE, ALARM_ACKNOWLEDGE = "settings_read", "settings_save", "alarm_acknowledge"
UPGRADE = "upgrade"
MOST_BYTES = 300_000
_MOST_INTEGER = (1 << 53) - 1
_KIND = re.compile(r"[a-z][a-z_]{0,39}")


class CommandError(LongwatchError):
    """Not a command for us, or not one now."""


@dataclass(frozen=True, slots=True)
class Command:
    """number: of the hub's, ever greater. by: who gave it, for people. issued_us, expires_us: by the hub's clock."""

    hub: str
    post: str
    number: int
    kind: str
    issued_us: int
    expires_us: int
    by: str = ""
    reason: str = ""
    body: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def text(self) -> bytes:
        """What is signed, behind its domain."""
        return canonical(
            {
                "hub": self.hub, "post": self.post, "number": self.number, "kind": self.kind, "issued_us": self.issued_us,
                "expires_us": self.expires_us, "by": self.by, "reason": self.reason, "body": dict(self.body),
            }
        )  # fmt: skip


def sign_command(command: Command, sign: Callable[[bytes], bytes]) -> bytes:
    """64 bytes, then the text. Raises CommandError where it is too large."""
    text = command.text()
    if len(text) > MOST_BYTES:
        raise CommandError("this is too large for a command", why=f"{len(text)} bytes, at most {MOST_BYTES}")
    return sign(_DOMAIN + text) + text


def open_command(signed: bytes, key: bytes, hub: str, post: str, hub_now_us: int | None) -> Command:
    """hub_now_us: the hub's clock, as far as it is known here; None: whether it is too old is not asked. Raises CommandError."""
    signature, text = signed[:64], signed[64:]
    if len(text) > MOST_BYTES or not verify_signature(key, signature, _DOMAIN + text):
        raise CommandError("the command is not signed by our hub")
    try:
        said = json.loads(text)
        if not isinstance(said, dict) or said.keys() != _FIELDS.keys():
            raise ValueError("other fields")
        for name, check in _FIELDS.items():
            if not check(said[name]):
                raise ValueError(f"{name} is not what it should be")
        command = Command(**said)
        if command.text() != text:
            raise ValueError("not as it is written")
    except (ValueError, TypeError, RecursionError) as error:
        raise CommandError("the command cannot be read", why=str(error)[:200]) from None
    if (command.hub, command.post) != (hub, post):
        raise CommandError("the command is for another post, or of another hub")
    if hub_now_us is not None and over(command, hub_now_us):
        raise CommandError("the command is too old")
    return command


def over(command: Command, hub_now_us: int) -> bool:
    """Whether its time is over, by the hub's clock."""
    return hub_now_us >= command.expires_us


def _is_slug(value: Any) -> bool:
    return type(value) is str and is_slug(value)


def _text(most: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is str and len(value) <= most


def _whole(least: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and least <= value <= _MOST_INTEGER


_FIELDS: dict[str, Callable[[Any], bool]] = {
    "hub": _is_slug, "post": _is_slug, "number": _whole(1), "kind": lambda value: type(value) is str and bool(_KIND.fullmatch(value)),
    "issued_us": _whole(0), "expires_us": _whole(0), "by": _text(200), "reason": _text(2000), "body": lambda value: type(value) is dict,
}  # fmt: skip
"""Of each field of the signed text, whether a value may stand there. What stands in a body is asked by whoever obeys."""
