"""Connecting to a camera: addresses, TCP, TLS."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl

from longwatch.base.clock import Clock
from longwatch.ingest.camera_url import CameraUrl
from longwatch.ingest.connection import Connection
from longwatch.ingest.options import Options
from longwatch.ingest.polling import PolledSocket
from longwatch.ingest.waiting import within

_MAX_ADDRESSES = 4


class TlsTimeoutError(TimeoutError):
    """The port answers, and does not go on with TLS."""


async def connect(connection: Connection, url: CameraUrl, options: Options, clock: Clock) -> None:
    """Connect, and for rtsps agree on TLS. Raises OSError or TimeoutError where the port does not answer, ssl.SSLError or
    TlsTimeoutError where it does and TLS fails.
    """
    sock = await within(clock, options.connect_timeout_s, _connected_socket(url.host, url.port))
    try:
        if url.scheme == "rtsps":
            await _agree_on_tls(connection, sock, url, options, clock)
        else:
            connection.attach(PolledSocket(sock, connection))
    except BaseException:
        sock.close()
        raise


async def _agree_on_tls(
    connection: Connection, sock: socket.socket, url: CameraUrl, options: Options, clock: Clock
) -> None:
    coroutine = asyncio.get_running_loop().create_connection(
        lambda: connection,
        sock=sock,
        ssl=_tls(verify=options.verify_certificate),
        server_hostname=url.host,
        ssl_shutdown_timeout=1.0,
    )
    try:
        await within(clock, options.answer_timeout_s, coroutine)
    except TimeoutError as error:
        raise TlsTimeoutError from error
    except ssl.SSLError:
        raise
    except OSError as error:
        raise ssl.SSLError(error.errno or 0, f"the camera hung up: {error}") from error


async def _connected_socket(host: str, port: int) -> socket.socket:
    loop = asyncio.get_running_loop()
    error: OSError = OSError(f"{host} has no address")
    for family, address in await _addresses(host, port):
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await loop.sock_connect(sock, address)
        except OSError as failed:
            sock.close()
            error = failed
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise error


async def _addresses(host: str, port: int) -> list[tuple[socket.AddressFamily, tuple[str | int, ...]]]:
    """A literal address needs no resolver, and no thread of one that hangs. IPv4 comes first: a name's IPv6 address that
    swallows what is sent would use up the time for connecting.
    """
    try:
        literal = ipaddress.ip_address(host)
    except ValueError:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [(family, (str(address[0]), *address[1:])) for family, _, _, _, address in found[:_MAX_ADDRESSES]]
        return sorted(addresses, key=lambda pair: pair[0] != socket.AF_INET)
    return [(socket.AF_INET6 if literal.version == 6 else socket.AF_INET, (host, port))]


def _tls(*, verify: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
