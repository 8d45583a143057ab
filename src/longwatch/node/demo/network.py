"""`longwatch demo --network`: two posts, a station above them and headquarters above that, on loopback, with a switch for each link.

Each site is `longwatch run` on a folder of its own, joined by the codes that anyone would use. Between a site and the hub above it stands a
relay of the simulator, so that its link can be cut, made mute or thin on a page, and what follows is what would follow.
"""

from __future__ import annotations

import dataclasses
import json
import secrets
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longwatch.base import secrets as known_secrets
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.config import load
from longwatch.config.values import Listen
from longwatch.node.demo import post as demo
from longwatch.node.verbs.network import ask_hub, ask_to_join
from longwatch.trust import parse_code


@dataclass(frozen=True, slots=True)
class Site:
    """A site of the demo. above: the hub that it joins. place: for the map. cameras: their names; a hub has none."""

    id: str
    name: str
    above: str | None = None
    place: tuple[float, float] | None = None
    cameras: tuple[str, ...] = ()


SITES = (
    Site("hq", "Headquarters"),
    Site("valley", "Valley station", "hq"),
    Site("north-ridge", "North ridge lookout", "valley", (61.642, 9.846), ("Gate", "Lookout", "East fence", "Track")),
    Site("river-dam", "River dam", "valley", (61.571, 9.983), ("Dam", "Pump house", "Jetty", "Store")),
)
"""Hubs before those who join them."""


@dataclass(frozen=True, slots=True)
class NetworkReady:
    """What the person needs to know. sites: address of the console by name, headquarters first. switch: of the links."""

    sites: Mapping[str, str]
    switch: str
    user: str
    password: str


def run(cameras: int, listen: Listen, data: Path | None, ready: Callable[[NetworkReady], None]) -> int:
    """Run it until SIGINT or SIGTERM, then stop everything. cameras: of each post. listen: of headquarters; the six ports after it are for the
    others, the links and the doors of the hubs. Returns the exit code. Raises UsageError where a port is taken, LongwatchError where a site did not come up.
    """
    most = min(len(site.cameras) for site in SITES if site.cameras)
    if cameras > most:
        raise UsageError(
            f"each post of this demo has at most {most} cameras", remedy=f"longwatch demo --network --cameras {most}"
        )
    hubs = sum(not site.cameras for site in SITES)
    places = [Listen(listen.host, listen.port + offset) for offset in range(len(SITES) + 1 + hubs)]
    for place in places:
        demo.check_free(place)

    def show(folder: Path, children: demo.Children) -> int:
        return _Network(folder, data.absolute() if data is not None else folder, places, children).show(cameras, ready)

    def volumes(folder: Path) -> list[Path]:
        return [_volume(data.absolute() if data is not None else folder, site) for site in SITES]

    return demo.until_ended(show, volumes)


def _volume(keep: Path, site: Site) -> Path:
    return keep / site.id / "data"


class _Network:
    """One demo. Owner of the state: this object."""

    def __init__(self, folder: Path, keep: Path, places: list[Listen], children: demo.Children) -> None:
        self._folder = folder
        self._keep = keep
        self._web = dict(zip((site.id for site in SITES), places, strict=False))
        self._switch = places[len(SITES)]
        # Where posts dial in. No port of the system's choice: it would be free to anybody until the hub has it.
        hubs = [site.id for site in SITES if not site.cameras]
        self._uplinks = {hub: place.port for hub, place in zip(hubs, places[len(SITES) + 1 :], strict=True)}
        self._children = children
        self._log = (folder / "demo.log").open("wb")
        self._settings: dict[str, Path] = {}

    def show(self, cameras: int, ready: Callable[[NetworkReady], None]) -> int:
        camera_password, password = secrets.token_urlsafe(12), secrets.token_urlsafe(9)
        known_secrets.register(camera_password)
        uplinks = self._uplinks
        posts = [site for site in SITES if site.cameras]
        urls = demo.start_cameras(cameras * len(posts), camera_password, self._children, self._log)
        for site in SITES:
            mine = urls[posts.index(site) * cameras :][:cameras] if site.cameras else []
            self._settings[site.id] = self._written(site, mine, camera_password, uplinks)
            volume = _volume(self._keep, site)
            volume.mkdir(parents=True, exist_ok=True, mode=0o700)
            demo.set_user(volume, password)
        links = self._links(uplinks)
        running = [demo.start_site(self._settings[site.id], self._children, self._log) for site in SITES]
        for site, child in zip(SITES, running, strict=True):
            demo.wait_until_up(self._web[site.id], child, Path(self._log.name))
        for site in SITES:
            if site.above is not None:
                self._join(site, site.above, links[site.id])
        sites = {site.name: f"http://{self._web[site.id]}" for site in SITES}
        ready(NetworkReady(sites, f"http://{self._switch}", demo.USER, password))
        return self._wait(running)

    def _wait(self, running: list[subprocess.Popen[bytes]]) -> int:
        code = running[0].wait()
        raise LongwatchError(f"headquarters ended by itself with code {code}", why=demo.tail(Path(self._log.name)))

    def _links(self, uplinks: Mapping[str, int]) -> dict[str, str]:
        """One for each site that joins a hub: where it dials."""
        names = {site.id: site.name for site in SITES}
        wanted = {
            "listen": [self._switch.host, self._switch.port],
            "links": [
                {"name": site.id, "title": f"{site.name} to {names[site.above]}", "to": ["127.0.0.1", uplinks[site.above]]}
                for site in SITES
                if site.above is not None
            ],
        }  # fmt: skip
        told = demo.start_simulated("longwatch.simulate.links", wanted, self._children, self._log)
        found: dict[str, str] = told["links"]
        return found

    def _join(self, site: Site, above: str, address: str) -> None:
        """By a code of the hub, as it is done by hand; only that the way there leads over the link."""
        made = ask_hub(load(self._settings[above]), "hub_invite", {"post": site.id, "reason": "the demo"})
        code = dataclasses.replace(parse_code(made["code"]), address=address)
        # A kept folder has joined before, over a link that is there no more.
        ask_to_join(load(self._settings[site.id]), code.text(), "the demo", leave=True)

    def _written(
        self, site: Site, urls: list[dict[str, str]], camera_password: str, uplinks: Mapping[str, int]
    ) -> Path:
        """The same file that anyone would write, password apart."""
        folder = self._folder / f"settings-{site.id}"
        folder.mkdir(mode=0o700)
        secret = folder / "secrets.env"
        secret.touch(mode=0o600)
        secret.write_text(f"CAMERA_PASSWORD={camera_password}\n", encoding="ascii")
        about: dict[str, Any] = {"id": site.id, "name": site.name, "timezone": "UTC"}
        settings: dict[str, Any] = {
            "data": str(_volume(self._keep, site)),
            "web": {"listen": str(self._web[site.id])},
            "secrets": str(secret),
        }
        if site.cameras:
            assert site.place is not None
            settings["post"] = {**about, "place": {"lat": site.place[0], "lon": site.place[1]}}
            settings["cameras"] = demo.cameras_of(site.cameras, urls)
            settings["retention"] = {"max_age": "1d", "max_size": "10GB"}
            # Footage stays where it is until somebody asks for it: else there would be nothing to ask for on loopback.
            settings["uplink"] = {"bulk": False}
        else:
            settings["hub"] = about
            at = f"127.0.0.1:{uplinks[site.id]}"
            settings["uplink"] = {"listen": at, "address": at}
        path = folder / "longwatch.yml"
        path.write_text(json.dumps(settings, indent=2), encoding="utf-8")  # JSON is YAML
        return path
