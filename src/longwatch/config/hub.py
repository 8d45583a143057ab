"""What a hub's settings have that a post's have not, and the rules between the two. A file is a post's or a hub's, not both."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from longwatch.base import secrets
from longwatch.base.addresses import is_address
from longwatch.config import values
from longwatch.config.problems import Problem, Wrong
from longwatch.config.section import Section
from longwatch.config.tree import Tree
from longwatch.config.uplink import Uplink

EVERYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared, not listened on
Slug = Annotated[
    str,
    AfterValidator(values.slug),
    WithJsonSchema({"type": "string", "pattern": "^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$"}),
]
Duration = Annotated[
    int, BeforeValidator(values.duration_s), WithJsonSchema({"type": "string", "pattern": values.DURATION_PATTERN})
]
Allowed = Annotated[Duration, Field(ge=30)]
_OF_CAMERAS = ("cameras", "defaults", "switches", "ups", "strips", "detection")
_OF_HUBS = {"database": "a hub's database", "media": "a hub's media store", "broker": "a hub's broker"}


class Place(Section):
    """A point on the map (WGS 84)."""

    lat: float = Field(ge=-90, le=90, description="Degrees, north is positive.")
    lon: float = Field(ge=-180, le=180, description="Degrees, east is positive.")


class AllowedSilence(Section):
    """After how long the silence of a post that should speak is an alarm."""

    after: Duration = Field(default=900, ge=30, description="As `15m`; counted from when it should have spoken.")
    posts: dict[Slug, Allowed] = Field(
        default_factory=dict, description="The same for single posts, by id: `{ridge: 2h}`."
    )

    def of(self, post: str) -> int:
        """Seconds."""
        return self.posts.get(post, self.after)


def _reader(schemes: tuple[str, ...], form: str) -> Callable[[object], object]:
    def read(value: object) -> object:
        scheme = re.match(r"([a-z][a-z0-9+.-]*)://\S+$", value) if isinstance(value, str) else None
        if scheme is None or scheme[1] not in schemes:  # never quoted: there may be a password in it
            raise Wrong("this is not an address that is taken here", f"write it as {form}")
        secrets.register(str(value))
        return value

    return read


Database = Annotated[
    str,
    BeforeValidator(_reader(("postgresql", "postgres"), "postgresql://user:${PASSWORD}@host/name")),
    WithJsonSchema({"type": "string", "pattern": "^postgres(ql)?://"}),
]
Media = Annotated[
    str,
    BeforeValidator(_reader(("s3",), "s3://bucket?endpoint=https://host, with ${NAME} for its keys")),
    WithJsonSchema({"type": "string", "pattern": "^s3://"}),
]

Broker = Annotated[
    str,
    BeforeValidator(_reader(("nats", "tls"), "nats://user:${PASSWORD}@host:4222, with more hosts after commas")),
    WithJsonSchema({"type": "string", "pattern": "^(nats|tls)://"}),
]
CONSOLE = "console"
"""What the one process with the console is called among those of its hub."""
_OF_DOORS = frozenset({"hub", "data", "uplink", "database", "media", "broker", "secrets"})


def of_roles(root: dict[str, Any], tree: Tree) -> list[Problem]:
    """Keys that do not go together, before they are read one by one. What is refused is taken out of `root`."""
    problems: list[Problem] = []
    if "hub" in root and "post" in root:
        what = "a settings file is a post's or a hub's, not both"
        problems.append(tree.problem(("hub",), what, "run the hub with a file and a data folder of its own", key=True))
        del root["hub"]
    if "hub" in root:
        for key in _OF_CAMERAS:
            if root.get(key):
                remedy = "run a post beside it with a file of its own, and let it join"
                problems.append(tree.problem((key,), f"a hub has no cameras, and so no `{key}`", remedy, key=True))
            root.pop(key, None)
        if root.pop("upgrades", None) is not None:
            what = "a hub is upgraded by its package; it brings upgrades to its posts"
            problems.append(tree.problem(("upgrades",), what, "write it into the files of the posts", key=True))
        return problems + _of_door(root, tree)
    for key, what in _OF_HUBS.items():
        if key in root:
            problems.append(
                tree.problem((key,), f"{what} is of no use to a post", "take the key out, or make this a hub's file", key=True)
            )  # fmt: skip
            del root[key]
    return problems


def _of_door(root: dict[str, Any], tree: Tree) -> list[Problem]:
    """A door has no console, and what belongs to one is of no use to it."""
    hub = root["hub"]
    if not (isinstance(hub, dict) and hub.get("door")):
        return []
    problems = []
    for key in [key for key in root if key not in _OF_DOORS]:
        what = f"`{key}` is of no use to a door: it has no console, and keeps no footage of its own"
        problems.append(
            tree.problem((key,), what, "take the key out; it belongs in the file of the hub's console", key=True)
        )
        del root[key]
    return problems


def of_processes(door: str, broker: str | None, database: str | None, media: str | None, tree: Tree) -> list[Problem]:
    """What several processes of one hub need: a database and a store that all of them reach. door: "" at the console, and where there is one process."""
    if door == CONSOLE:
        what = f"a door cannot be called {CONSOLE}: that is the process with the console"
        return [tree.problem(("hub", "door"), what, "call it as the machine it runs on, say")]
    if door and broker is None:
        remedy = "add `broker: nats://user:${PASSWORD}@host`; without one the console and its doors do not know of each other"
        return [tree.problem(("hub", "door"), "a door needs a broker", remedy, key=True)]
    if broker is None:
        return []
    lacking = [name for name, value in (("database", database), ("media", media)) if value is None]
    if not lacking:
        return []
    what = "several processes of one hub share one PostgreSQL and one S3"
    return [tree.problem(("broker",), what, f"add `{'` and `'.join(lacking)}`; one process needs no broker", key=True)]


def of_uplink(is_hub: bool, uplink: Uplink, tree: Tree) -> list[Problem]:
    """Where posts dial in: a hub says it, a post does not."""
    if not is_hub:
        return [
            tree.problem(("uplink", key), f"`{key}` is a hub's: a post dials out, and nobody dials in", "take it out", key=True)
            for key in ("listen", "address")
            if getattr(uplink, key)
        ]  # fmt: skip
    if uplink.listen is None:
        where = ("uplink",) if tree.root.get("uplink") else ()
        what = "a hub needs an address where posts dial in"
        return [tree.problem(where, what, "add `uplink: {listen: 0.0.0.0:8461, address: hq.example.org:8461}`")]
    if uplink.address and not is_address(uplink.address):
        return [
            tree.problem(
                ("uplink", "address"), f"{uplink.address[:80]!r} is not an address", "write it as hq.example.org:8461"
            )
        ]
    if not uplink.address and uplink.listen.host in EVERYWHERE:
        what = f"posts cannot dial {uplink.listen}"
        return [
            tree.problem(("uplink",), what, "add the `address` under which they reach this hub, as hq.example.org:8461")
        ]
    return []
