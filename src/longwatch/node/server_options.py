"""From settings to what the server's rooms want to know."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
from dataclasses import dataclass
from pathlib import Path

from longwatch.config import Settings
from longwatch.web import Site, SiteCamera
from longwatch.web.tls import self_signed


def site_of(settings: Settings) -> Site:
    """The post without a single address of a camera in it."""
    cameras = tuple(
        SiteCamera(
            camera.id,
            camera.name,
            camera.kind,
            camera.record,
            camera.audio,
            ("main",) if camera.streams.sub is None else ("main", "sub"),
        )
        for camera in settings.cameras.values()
    )
    return Site(settings.post.id, settings.post.name, settings.post.timezone, cameras)


@dataclass(frozen=True, slots=True)
class Door:
    """Where the server listens. certificate, key: PEM files; None without TLS. proxies: whose word is taken."""

    host: str
    port: int
    certificate: Path | None = None
    key: Path | None = None
    proxies: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        """For people."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http{'s' if self.certificate else ''}://{host}:{self.port}/"


def door_of(settings: Settings) -> Door:
    """Makes the certificate of `tls: self-signed` where there is none that is good. Blocks."""
    web = settings.web
    host, port = web.listen.host, web.listen.port
    proxies = tuple(web.behind_proxy)
    if web.tls == "off":
        return Door(host, port, proxies=proxies)
    if web.tls == "self-signed":
        now = dt.datetime.now(dt.UTC)
        certificate, key = self_signed(settings.volumes[0] / "tls", _names(host, web.name), now)
        return Door(host, port, certificate, key, proxies)
    return Door(host, port, web.tls.cert, web.tls.key, proxies)


def _names(host: str, name: str) -> tuple[str, ...]:
    """What the certificate is for: the name of the settings, this host's name, the address, and loopback."""
    names = [name, socket.gethostname(), host, "localhost", "127.0.0.1", "::1"]
    return tuple(dict.fromkeys(item for item in names if item and not _is_any(item)))


def _is_any(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False
