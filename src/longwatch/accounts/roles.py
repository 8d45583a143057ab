"""Who may do what: roles are sets of rights, and a principal may be confined to some cameras."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass


class Right(enum.StrEnum):
    """What a route or command asks for."""

    VIEW = "view"  # live, recordings, timelines
    OPERATE = "operate"  # what changes what a post does now: try now, pause
    INSPECT = "inspect"  # what proves: retention, evidence, the ledger
    AUDIT = "audit"  # who viewed what, of everybody; and erasing the clear text of it
    ADMINISTER = "administer"  # accounts, settings


class Role(enum.StrEnum):
    """What a person or a token is."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    INSPECTOR = "inspector"
    ADMIN = "admin"


RIGHTS: dict[Role, frozenset[Right]] = {
    Role.VIEWER: frozenset({Right.VIEW}),
    Role.OPERATOR: frozenset({Right.VIEW, Right.OPERATE}),
    Role.INSPECTOR: frozenset({Right.VIEW, Right.INSPECT, Right.AUDIT}),
    Role.ADMIN: frozenset(Right) - {Right.AUDIT},  # an administrator is a colleague too
}


@dataclass(frozen=True, slots=True)
class Principal:
    """Someone who has shown who they are.

    kind: "user" or "token"; id: row of that kind. cameras: the only ones allowed; None means all. expires_us: wall time at
    which this proof ends; None for a token without end. begun_us: when it began. proof: hash of the session's or bearer's token, never the token. subject: the number by
    which the ledger knows the account, unique for ever.
    """

    kind: str
    id: int
    name: str
    role: Role
    cameras: frozenset[str] | None
    proof: bytes
    expires_us: int | None = None
    subject: int = -1
    begun_us: int = 0

    def may(self, right: Right, camera: str | None = None) -> bool:
        """Whether this right is held, and held for `camera` where one is meant."""
        return right in RIGHTS[self.role] and (camera is None or self.cameras is None or camera in self.cameras)


def cameras_of(stored: Sequence[str] | None) -> frozenset[str] | None:
    """From a stored list; None means all."""
    return None if stored is None else frozenset(stored)
