"""From settings to what the server's rooms want to know."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
from dataclasses import dataclass
from pathlib import Path

from longwatch.accounts import Role
from longwatch.accounts.provider import ProviderOptions
from longwatch.config import Settings
from longwatch.config.model import Camera, PictureArea
from longwatch.config.thermal import HeatStills
from longwatch.events.temperatures import Limit as HeatLimit
from longwatch.events.temperatures import Options as HeatOptions
from longwatch.model.areas import Area
from longwatch.model.heat import HeatPart, HeatScale, StillOptions
from longwatch.node.server.stamping import StampOptions
from longwatch.node.watch.keeping import Around
from longwatch.node.watch.watching import Options as WatchingOptions
from longwatch.strips import Options as StripOptions
from longwatch.web import Site, SiteCamera
from longwatch.web.deps import Keeping, NoticeText
from longwatch.web.tls import self_signed


def site_of(settings: Settings) -> Site:
    """The post without a single address of a camera in it."""
    retention, free = settings.retention, settings.retention.keep_free
    return Site(
        settings.post.id,
        settings.post.name,
        settings.post.timezone,
        tuple(_camera(camera, retention.max_age) for camera in settings.cameras.values()),
        Keeping(retention.max_age, retention.max_size, free.size_bytes or 0, free.fraction or 0.0),
        NoticeText(
            settings.notice.operator, settings.notice.purpose, settings.notice.contact, public_address(settings)
        ),
    )


def _camera(camera: Camera, post_max_age_s: int) -> SiteCamera:
    own = camera.retention.max_age
    return SiteCamera(
        camera.id,
        camera.name,
        camera.kind,
        camera.record,
        camera.audio,
        ("main",) if camera.streams.sub is None else ("main", "sub"),
        camera.covers,
        camera.schedule is not None,
        post_max_age_s if own is None else min(own, post_max_age_s),
        masks=len(camera.masks),
        shades=len(camera.shades),
        masked=_areas(camera.masks),
        shaded=_areas(camera.shades),
        stills=camera.radiometry is not None and camera.radiometry.stills is not None,
        zones=len(camera.zones),
        lines=len(camera.lines),
    )


def _areas(areas: list[PictureArea]) -> tuple[Area, ...]:
    return tuple(Area(area.name, area.polygon) for area in areas)


def public_address(settings: Settings) -> str:
    """As people type it; "" where the settings give the post no name, and the page goes by how it was called."""
    web = settings.web
    if not web.name:
        return ""
    if web.behind_proxy:
        return f"https://{web.name}/"
    secure, port = web.tls != "off", web.listen.port
    return f"http{'s' if secure else ''}://{web.name}{'' if port == (443 if secure else 80) else f':{port}'}/"


def strips_of(settings: Settings) -> StripOptions:
    """What strips are made of: the sub-stream where it is recorded, since it is cheaper to decode."""
    cameras = {
        camera.id: ("main",) if camera.streams.sub is None else ("sub", "main") for camera in settings.cameras.values()
    }
    off = frozenset(camera.id for camera in settings.cameras.values() if camera.strips == "off")
    given = settings.strips
    return StripOptions(given.every * 1_000_000, given.width, given.budget, cameras, off)


def events_of(settings: Settings) -> WatchingOptions:
    """How long events are known, which cameras there are, and which of them look at the same."""
    twins = tuple((camera.id, camera.twin) for camera in settings.cameras.values() if camera.twin is not None)
    return WatchingOptions(settings.events.keep * 1_000_000, frozenset(settings.cameras), twins)


def temperatures_of(settings: Settings) -> dict[str, HeatOptions]:
    """The cameras whose temperatures are read, and what is an alarm there."""
    return {
        camera.id: HeatOptions(
            tuple(
                HeatLimit(alarm.name, alarm.item, alarm.of, alarm.above, alarm.below, alarm.for_ * 1_000_000)
                for alarm in asked.alarms
            ),
            asked.unit == "celsius",
            asked.own_rules,
            _stills(asked.stills),
        )
        for camera in settings.cameras.values()
        if (asked := camera.radiometry) is not None
    }


def _stills(asked: HeatStills | None) -> StillOptions | None:
    if asked is None:
        return None
    parts = [HeatPart(area.name, area.polygon) for area in asked.areas]
    parts += [HeatPart(spot.name, (spot.at,)) for spot in asked.spots]
    return StillOptions(HeatScale(asked.gain, asked.offset), tuple(parts), asked.every * 1_000_000)


def by_events_of(settings: Settings) -> dict[str, Around]:
    """The cameras that record by events, and what is kept beside one."""
    return {
        camera.id: Around(camera.around_events.before * 1_000_000, camera.around_events.after * 1_000_000)
        for camera in settings.cameras.values()
        if camera.record == "events"
    }


def stamps_of(settings: Settings) -> StampOptions | None:
    """Which authority stamps checkpoints; None for none."""
    given = settings.ledger.stamps
    return None if given is None else StampOptions(given.url, given.every, given.ca)


def web_of(settings: Settings) -> object:
    """The section `web`, as `python -m longwatch.config try` says it: to see what needs a restart."""
    return settings.web.model_dump(mode="json", by_alias=True)


def provider_of(settings: Settings) -> ProviderOptions | None:
    """By which people may sign in too; None for none."""
    given = settings.web.oidc
    if given is None:
        return None
    default = None if given.default_role == "none" else Role(given.default_role)
    roles = tuple((value, Role(role)) for value, role in given.roles.items())
    scopes = tuple(dict.fromkeys(["openid", *given.scopes]))
    return ProviderOptions(
        given.issuer,
        given.client_id,
        given.client_secret,
        given.name,
        scopes,
        given.role_claim,
        roles,
        default,
        given.ca,
    )


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
