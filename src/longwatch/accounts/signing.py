"""Signed URLs for players that send no header: ten minutes, one camera, one span."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass

VALID_US = 600 * 1_000_000


@dataclass(frozen=True, slots=True)
class Grant:
    """What a signature allows: to view `from_us` to `to_us` of one camera, in the name of `owner`, until `expires_us`.

    owner: "user:NAME" or "token:NAME", so that the right ends with its owner's. part: the query of the one media part of a
    playlist that it is for; empty for the span itself. exact: nothing from before `from_us` is allowed, as files that begin at a key picture have it.
    """

    camera: str
    from_us: int
    to_us: int
    owner: str
    expires_us: int
    part: str = ""
    exact: bool = False


class Signer:
    """Makes and reads `sig=`: base64url of the grant as JSON, a dot, and HMAC-SHA256 over it."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def sign(self, grant: Grant) -> str:
        """The value of `sig=`."""
        fields = [grant.camera, grant.from_us, grant.to_us, grant.owner, grant.expires_us, grant.part, grant.exact]
        payload = _encode(json.dumps(fields, separators=(",", ":")).encode())
        return f"{payload}.{_encode(self._mac(payload))}"

    def read(self, signature: str, now_us: int) -> Grant | None:
        """The grant; None where it was not signed here, or is over. Never raises on what anybody may send."""
        payload, _, mac = signature.partition(".")
        if len(signature) > 2000 or not hmac.compare_digest(
            _encode(self._mac(payload)).encode(), mac.encode(errors="replace")
        ):
            return None
        fields = json.loads(base64.urlsafe_b64decode(payload + "=="))
        camera, from_us, to_us, owner, expires_us, part = fields[:6]
        if now_us >= expires_us or expires_us - now_us > VALID_US:  # the second: the clock was set back since
            return None
        exact = fields[6:] == [True]  # one that was signed before an upgrade has six
        return Grant(camera, from_us, to_us, owner, expires_us, part, exact)

    def _mac(self, payload: str) -> bytes:
        return hmac.digest(self._key, payload.encode(errors="replace"), hashlib.sha256)


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
