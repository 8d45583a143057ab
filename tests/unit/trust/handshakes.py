"""TLS handshakes in memory: two contexts, and bytes carried between them by hand."""

from __future__ import annotations

import ssl
from collections.abc import Callable


def shake(client: ssl.SSLContext, server: ssl.SSLContext) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Both ends after a whole handshake and a word each way. Raises ssl.SSLError of whichever end refuses first."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    dialling = client.wrap_bio(to_client, to_server, server_hostname=None)
    listening = server.wrap_bio(to_server, to_client, server_side=True)
    done: set[ssl.SSLObject] = set()
    for _ in range(10):
        for end in (dialling, listening):
            if end not in done and _tried(end.do_handshake):
                done.add(end)
    assert len(done) == 2, "the handshake does not end"
    dialling.write(b"up")
    assert listening.read(8) == b"up"
    listening.write(b"down")
    assert dialling.read(8) == b"down"
    return dialling, listening


def _tried(step: Callable[[], None]) -> bool:
    try:
        step()
    except ssl.SSLWantReadError:
        return False
    return True
