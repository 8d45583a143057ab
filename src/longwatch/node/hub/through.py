"""Posts that a hub sees through a hub below it: which of them a site may speak for, and how they come to be known.

A hub that dials in says at its greeting which posts it speaks for, with the origin and key of each log: their heads are verified by those keys, so that the hub
between can hold back and nothing else. A post that dials in here itself, or comes through another hub, is not taken over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from longwatch.base.errors import UsageError
from longwatch.base.ids import is_slug
from longwatch.fleet import Doubt, Fleet, PostRow
from longwatch.wire.uplink import LinkError

_log = structlog.get_logger(__name__)
MOST = 2_000
_MOST_HUBS = 8


@dataclass(slots=True)
class Speaker:
    """One connection's. posts: whom the site may speak for. added: told once a post is known that was not."""

    site: str
    fleet: Fleet
    own: str
    added: Callable[[], None]
    posts: set[str] = field(default_factory=set)

    def may_speak(self, post: str) -> bool:
        """Whether what this site says of the post is taken."""
        return post == self.site or post in self.posts

    def greeted(self, hello: Mapping[str, Any]) -> None:
        """What the site said first. Runs on a thread of the store. Raises LinkError."""
        listed = hello.get("through", [])
        if not isinstance(listed, list) or len(listed) > MOST:
            raise LinkError("a hub with more posts than may be")
        known = {row.id: row for row in self.fleet.posts()} if listed else {}
        mine = sum(self.site in row.via for row in known.values())
        for item in listed:
            post, via = _post_of(item)
            row = known.get(post)
            hubs = (*via, self.site)
            if post == self.own or self.own in hubs:
                _log.error("a hub below speaks for this hub: the hubs stand in a ring", site=self.site, post=post)
                continue
            if row is not None and row.via != hubs and not (row.via and row.via[-1] == self.site):
                _log.error(
                    "a post comes by two ways, and is taken by the first of them alone",
                    post=post,
                    site=self.site,
                    known=row.via,
                )
                continue
            if row is not None and row.revoked_us is not None:
                _log.error("a hub below speaks for a post that was revoked here", site=self.site, post=post)
                continue
            if row is None and mine >= MOST:
                raise LinkError("a hub with more posts than may be", why=f"{MOST} of {self.site} are known")
            mine += row is None
            if row is None or row.via != hubs or (row.origin, row.key) != (item["origin"], bytes.fromhex(item["key"])):
                self._add(post, item, hubs, row)
            self.posts.add(post)

    def _add(self, post: str, item: Mapping[str, Any], hubs: tuple[str, ...], known: PostRow | None) -> None:
        try:
            name = "".join(letter for letter in item["name"] if letter.isprintable())
            self.fleet.add_post(post, name, "", item["origin"], bytes.fromhex(item["key"]), hubs)
        except UsageError as error:
            raise LinkError("a post of a hub below that cannot be", why=str(error)) from error
        if known is not None and (known.origin, known.key) != (item["origin"], bytes.fromhex(item["key"])):
            why = f"the hub {self.site} says that {post} has another ledger or key than it said before"
            self.fleet.note_doubt(post, Doubt.KEY_CHANGED, why)
        self.added()


class Through:
    """Makes the speakers of one hub. own: its id. added: called on a thread of the store."""

    def __init__(self, fleet: Fleet, own: str, added: Callable[[], None]) -> None:
        self._fleet = fleet
        self._own = own
        self._added = added

    def speaker(self, site: str) -> Speaker:
        """For a connection of this site."""
        return Speaker(site, self._fleet, self._own, self._added)


def _post_of(item: object) -> tuple[str, tuple[str, ...]]:
    """Id, and the hubs between it and the site that speaks. Raises LinkError for what is no such thing."""
    if not isinstance(item, dict):
        raise LinkError("a post of a hub below that cannot be read")
    post, via, key = item.get("post"), item.get("via", []), item.get("key")
    texts = all(isinstance(item.get(name), str) and len(item[name]) <= 200 for name in ("name", "origin"))
    hubs = isinstance(via, list) and len(via) < _MOST_HUBS and all(isinstance(hub, str) and is_slug(hub) for hub in via)
    hexed = isinstance(key, str) and len(key) == 64 and all(digit in "0123456789abcdef" for digit in key)
    if not (isinstance(post, str) and is_slug(post) and texts and hubs and hexed):
        raise LinkError("a post of a hub below that cannot be read")
    assert isinstance(via, list)
    return post, tuple(via)


def told_above(fleet: Fleet) -> list[dict[str, Any]]:
    """What a hub says of its posts to the hub above it: revoked ones too, since what they told stays. Blocks."""
    return [
        {"key": row.key.hex(), "name": row.name, "origin": row.origin, "post": row.id, "via": list(row.via)}
        for row in fleet.posts()
    ]
