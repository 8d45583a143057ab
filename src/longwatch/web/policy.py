"""What a route asks of whoever calls it. A route without a policy keeps the app from starting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from longwatch.accounts import Right


@dataclass(frozen=True, slots=True)
class Policy:
    """right: None where anybody may call it. camera: the path parameter that names the camera the right must cover; asked: the
    query parameter that may name one, or several when it is repeated.

    before_set_up: answers although there is no account yet. signed: also takes a signed URL (`sig=`).
    """

    right: Right | None
    camera: str | None = None
    before_set_up: bool = False
    signed: bool = False
    asked: str | None = None

    @property
    def public(self) -> bool:
        """Whether no login is asked for."""
        return self.right is None


PUBLIC = Policy(None)
ALWAYS = Policy(None, before_set_up=True)
SIGNED_IN = Policy(Right.VIEW)
VIEW_ASKED = Policy(Right.VIEW, asked="camera")
VIEW_CAMERA = Policy(Right.VIEW, camera="id")
PLAY_CAMERA = Policy(Right.VIEW, camera="id", signed=True)
OPERATE_CAMERA = Policy(Right.OPERATE, camera="id")
OPERATE = Policy(Right.OPERATE)
INSPECT = Policy(Right.INSPECT)
AUDIT = Policy(Right.AUDIT)
ADMINISTER = Policy(Right.ADMINISTER)


def declare(endpoint: Any, policy: Policy) -> None:
    """Attach a policy to an endpoint."""
    endpoint.policy = policy


def declared(endpoint: Any) -> Policy | None:
    """The policy of an endpoint, if it has one."""
    policy = getattr(endpoint, "policy", None)
    return policy if isinstance(policy, Policy) else None
