"""The dialling end of joining and renewing: short WebSockets to a hub. Whoever has no route, no name or no answer says so in a person's words."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import ssl
from collections.abc import AsyncIterator

from cryptography import x509
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from longwatch.base.errors import LongwatchError
from longwatch.trust import Code, Enrolment, blind_context, client_context, enrol_context
from longwatch.trust.certificates import fingerprint_of
from longwatch.trust.exchange import (
    MAX_BYTES,
    PATH_CA,
    PATH_ENROL,
    PATH_RENEW,
    REASON_HEADER,
    SUBPROTOCOL,
    Asking,
    Given,
    parse_given,
)

WITHIN_S = 90.0
"""For a whole exchange: a handshake takes six kilobytes, and a link may have eight kilobits a second."""
_REFUSED = {
    "no_certificate": "it was shown no certificate", "revoked": "this site was revoked there", "retired": "a newer certificate is in use",
    "unknown": "it does not know this certificate", "expired": "the certificate has ended", "too_many": "too many have tried from here",
    "later": "its database cannot be reached now", "no_such_path": "it is of another version, or no hub",
}  # fmt: skip


async def ask_to_join(code: Code, asking: Asking) -> tuple[str, Given]:
    """The hub's CA certificate (PEM), held against the code, and what it gave. Raises LongwatchError."""
    ca = await _ca(code)
    async with _dialled(code.address, PATH_ENROL, enrol_context(ca)) as socket:
        await socket.send(asking.text())
        return ca, parse_given(await socket.recv())


async def ask_to_renew(enrolment: Enrolment, csr: bytes) -> Given:
    """A newer certificate, over a connection with the one at hand. Raises LongwatchError."""
    async with _dialled(enrolment.address, PATH_RENEW, client_context(enrolment)) as socket:
        await socket.send(csr)
        return parse_given(await socket.recv())


async def _ca(code: Code) -> str:
    """Nothing is sent and nothing believed here: what comes is the CA of the code, or it is thrown away."""
    async with _dialled(code.address, PATH_CA, blind_context()) as socket:
        said = await socket.recv()
    text = said if isinstance(said, str) else said.decode("ascii", "replace")
    try:
        found = fingerprint_of(x509.load_pem_x509_certificate(text.encode()))
    except ValueError as error:
        raise LongwatchError(f"who answers at {code.address} is no hub", why=str(error)) from error
    if not hmac.compare_digest(found, code.fingerprint):
        raise LongwatchError(
            f"who answers at {code.address} is not the hub that made this code",
            why=f"its fingerprint is {found[:16]}..., the code's {code.fingerprint[:16]}...",
            remedy="somebody may stand between: ask the hub's people; or the hub was set up anew, and makes a new code",
        )
    return text


@contextlib.asynccontextmanager
async def _dialled(address: str, path: str, context: ssl.SSLContext) -> AsyncIterator[ClientConnection]:
    try:
        async with asyncio.timeout(WITHIN_S):
            async with connect(
                f"wss://{address}{path}", ssl=context, subprotocols=[Subprotocol(SUBPROTOCOL)], compression=None, proxy=None,
                max_size=MAX_BYTES, open_timeout=WITHIN_S, ping_interval=None, user_agent_header=None,
            ) as socket:  # fmt: skip
                yield socket
    except InvalidStatus as error:
        reason = error.response.headers.get(REASON_HEADER, "")
        raise LongwatchError(
            f"the hub at {address} does not let this site in",
            why=_REFUSED.get(reason, f"it answered {error.response.status_code}"),
            remedy="try again in a minute"
            if reason in {"too_many", "later"}
            else "ask for a new code at the hub: `longwatch hub invite`",
        ) from error
    except ssl.SSLError as error:
        raise LongwatchError(
            f"who answers at {address} is not this hub, or speaks no TLS 1.3", why=error.reason or str(error),
            remedy="see that address and port are the hub's `uplink`; somebody may stand between",
        ) from error  # fmt: skip
    except (OSError, TimeoutError) as error:
        why = "no answer in time" if isinstance(error, TimeoutError) else error.strerror or str(error)
        raise LongwatchError(
            f"the hub at {address} cannot be reached", why=why,
            remedy="see that the link is up, that the hub runs, and that its firewall lets this port in",
        ) from error  # fmt: skip
    except (ConnectionClosed, WebSocketException) as error:
        raise LongwatchError(
            f"the hub at {address} ended the connection", why=str(error), remedy="try again; see the hub's log"
        ) from error
