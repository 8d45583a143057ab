"""What went wrong on the way to a hub, in words for people, and whether it is worth trying soon."""

from __future__ import annotations

import socket
import ssl

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from longwatch.base.errors import LongwatchError
from longwatch.replication.serving import CLOSED_NEWER, CLOSED_REFUSED, CLOSED_REVOKED
from longwatch.trust.exchange import REASON_HEADER

_STATUSES = {
    401: "the hub does not take this site's certificate: join it again with a new code",
    403: "the hub has revoked this site: join it again with a new code, if it may",
    404: "what answers there is no hub",
}

REASONS = {
    "expired": "the certificate of this site has ended by the hub's clock; it is being renewed",
    "unknown": "the hub does not know this site's certificate: join it again with a new code",
    "retired": "the hub has a newer certificate of this site: was an older copy of the data folder put back? Join again with a new code",
    "later": "the hub's database cannot be reached now",
}


def told(error: BaseException, address: str) -> tuple[str, bool]:
    """Words, and whether the hub refuses us (then it is asked seldom)."""
    if isinstance(error, LongwatchError):
        return str(error), False
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        reason = REASONS.get(reason_of(error)) or _STATUSES.get(status, f"{address} answers with status {status}")
        return reason, status in _STATUSES
    if isinstance(error, ConnectionClosed):
        return _closed(error)
    if isinstance(error, socket.gaierror):
        return (
            f"the name in {address} is not known here: {error.strerror}. Is there a network, and a name server?",
            False,
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        why = f"it shows no certificate of the hub that this site joined ({error.verify_message})"
        return f"{address} is not our hub: {why}. Another host, or a hub that was set up anew?", True
    if isinstance(error, ssl.SSLError):
        return f"{address} ends the TLS handshake: {error.reason or error}", "ALERT" in str(error).upper()
    if isinstance(error, TimeoutError):
        return f"{address} does not answer", False
    if isinstance(error, InvalidHandshake):
        return f"what answers at {address} does not speak our protocol: {error}", True
    return f"{address} cannot be reached: {error}", False


def reason_of(error: BaseException) -> str:
    """The hub's own word for why it lets nobody in, "" where it gave none."""
    if isinstance(error, InvalidStatus):
        return error.response.headers.get(REASON_HEADER, "")
    return "revoked" if isinstance(error, ConnectionClosed) and _closed(error)[0] == _STATUSES[403] else ""


def _closed(error: ConnectionClosed) -> tuple[str, bool]:
    code, reason = (error.rcvd.code, error.rcvd.reason) if error.rcvd is not None else (0, "")
    if code == CLOSED_REVOKED:
        return _STATUSES[403], True
    if code == CLOSED_NEWER:
        return "another process dialled in as this site: do two of them use one data folder's copy?", True
    if code == CLOSED_REFUSED:
        return f"the hub does not take what we send: {reason}", True
    return (f"the hub ended the connection: {reason or code}" if code else "the connection was cut"), False
