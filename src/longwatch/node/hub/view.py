"""What the console of a hub shows of its posts: the site, the cameras' states and the list of posts, made of what posts told. Of what changed the rows are read
again half a second later, off the event loop; all of it every half a minute. So the cost of a post is that of what it tells, however many others there are. Owner of
the state: the event loop.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
import structlog

from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError
from longwatch.base.rfc3339 import format_us
from longwatch.fleet import Fleet, InviteRow
from longwatch.fleet.standing import PostNow, changed_since, standing
from longwatch.health import Snapshot, StreamState
from longwatch.model.sessions import StreamKey
from longwatch.model.silence import Judged
from longwatch.node.hub.above import Below, told_of
from longwatch.node.hub.shown import Shown, name_of, shown, written
from longwatch.node.hub.silence import HubSilence, message, told
from longwatch.web import Site, SiteCamera

_log = structlog.get_logger(__name__)
EVERY_S = 0.5
ALL_EVERY_US = 30_000_000
OTHERS_EVERY_US = 1_000_000
"""How often the database is asked what other processes of this hub took."""
_OTHERS_MARGIN_US = 2_000_000  # clocks of processes differ, and a transaction is on its way for a while
SILENCE_EVERY_US = 2_000_000
SILENT_AFTER_US = 150_000_000
"""A connection that another process holds is taken for open so long after it was heard last."""
FRESH_US = 30_000_000
"""What was read so long ago accuses nobody."""
_UNREADABLE = [
    {
        "what": "what this post tells cannot be made out",
        "why": "see the hub's log",
        "remedy": "upgrade the hub, or look at who speaks for that post",
    }
]


class HubView:
    """own: the hub itself, as its settings say. connected: whether this process holds a post's connection now. alone: no other process of this hub takes anything."""

    def __init__(
        self, fleet: Fleet, clock: Clock, own: Callable[[], Site], connected: Callable[[str], bool], silence: HubSilence, *, alone: bool = True
    ) -> None:  # fmt: skip
        self._fleet = fleet
        self._clock = clock
        self._own = own
        self._connected = connected
        self._silence = silence
        self._alone = alone
        self._shown: dict[str, Shown] = {}
        self._invites: list[InviteRow] = []
        self._silent: dict[str, Judged] = {}
        self._changed: set[str] = set()
        self._cameras: tuple[SiteCamera, ...] = ()
        self._states: tuple[StreamState, ...] | None = None
        self._by_key: dict[StreamKey, StreamState] = {}
        self._site: tuple[Site, Site] | None = None
        self._epoch = secrets.token_hex(4)
        self._version = 0
        self._at: dict[str, int] = {}
        self._read = asyncio.Event()
        self._read_boot_us = 0
        self._judged_boot_us = 0
        self._all_boot_us = 0
        self._others_boot_us = 0
        self._others_us = 0

    def changed(self, posts: Collection[str]) -> None:
        """Something of these was taken, or their connection began or ended: they are read again soon."""
        self._changed.update(posts)

    async def run(self) -> None:
        """For ever. A database that cannot be read leaves what was read last."""
        while True:
            await self._clock.sleep(EVERY_S)
            await self.step()

    async def step(self) -> None:
        """Read what changed; all of it where that is due."""
        now_us = self._clock.boottime_us()
        if now_us - self._all_boot_us >= ALL_EVERY_US or not self._read.is_set():
            await self.refresh()
            return
        others = not self._alone and now_us - self._others_boot_us >= OTHERS_EVERY_US
        silence = now_us - self._judged_boot_us >= SILENCE_EVERY_US
        if self._changed or others or silence:
            changed, self._changed = self._changed, set()
            if not await self._reading(self._look_at, changed, others, silence):
                self._changed |= changed

    async def refresh(self) -> None:
        """Read all of it again, now."""
        changed, self._changed = self._changed, set()
        if await self._reading(self._look):
            self._all_boot_us = self._clock.boottime_us()
        else:
            self._changed |= changed

    async def _reading(self, look: Callable[..., tuple[dict[str, Shown], dict[str, Judged]]], *arguments: Any) -> bool:
        try:
            found, silent = await asyncio.to_thread(look, *arguments)
        except (sa.exc.SQLAlchemyError, LongwatchError) as error:
            _log.warning("how the posts stand cannot be read now", reason=str(error).partition("\n")[0])
            return False
        except Exception as error:  # noqa: BLE001 - boundary: what one post said must not end what is shown, and missed, of all others
            _log.error("how the posts stand cannot be made out", reason=repr(error)[:500], exc_info=error)
            return False
        self._take(found, silent)
        return True

    def _look(self) -> tuple[dict[str, Shown], dict[str, Judged]]:
        """Of all."""
        now = standing(self._fleet)
        self._invites = now.invites
        found = {post.row.id: self._show(post) for post in now.posts}
        return found, self._judge(found)

    def _look_at(
        self, changed: Collection[str], others: bool, silence: bool
    ) -> tuple[dict[str, Shown], dict[str, Judged]]:
        """Of these, and those that another process of this hub took something of."""
        which = set(changed)
        if others:
            since_us, self._others_us = self._others_us - _OTHERS_MARGIN_US, self._clock.wall_us()
            which |= changed_since(self._fleet, since_us)
            self._others_boot_us = self._clock.boottime_us()
        found = dict(self._shown)
        # a connection that another process holds ends by its silence
        for name, one in self._shown.items() if silence else ():
            if one.connected != self.is_connected(one.post):
                which.add(name)
        if which:
            found.update((post.row.id, self._show(post)) for post in standing(self._fleet, which).posts)
        return found, self._judge(found) if silence else self._silent

    def _show(self, post: PostNow) -> Shown:
        before = self._shown.get(post.row.id)
        connected, heard_us = self.is_connected(post), self._heard_us(post)
        try:
            return shown(post, connected=connected, heard_us=heard_us, before=before)
        except Exception as error:  # noqa: BLE001 - boundary: what this post said must not hide the others, nor its own silence
            if before is None or before.item.get("problems") != _UNREADABLE:
                _log.error(
                    "what a post told cannot be made out", post=post.row.id, reason=repr(error)[:500], exc_info=error
                )
            bare = replace(post, row=replace(post.row, site={}, status={}), head=None, streams={})
            found = shown(bare, connected=connected, heard_us=heard_us, before=before)
            return replace(found, post=post, item={**found.item, "problems": _UNREADABLE})

    def _judge(self, found: Mapping[str, Shown]) -> dict[str, Judged]:
        self._judged_boot_us = self._clock.boottime_us()
        return self._silence.look({name: one.post for name, one in found.items()}, self.is_connected)

    def _take(self, found: dict[str, Shown], silent: dict[str, Judged]) -> None:
        self._version += 1
        cameras = len(found) != len(self._shown)
        for name, one in found.items():
            before = self._shown.get(name)
            if one is before and silent.get(name) == self._silent.get(name):
                continue
            cameras = cameras or before is None or one.cameras is not before.cameras
            if (
                before is None
                or one.item != before.item
                or one.connected != before.connected
                or silent.get(name) != self._silent.get(name)
            ):
                self._at[name] = self._version
        self._shown, self._silent = found, silent
        if cameras:
            self._cameras = tuple(camera for name in sorted(found) for camera in found[name].cameras)
        self._states = None
        self._read_boot_us = self._clock.boottime_us()
        self._read.set()

    async def seen(self) -> dict[str, list[Any]] | None:
        """For the recorder's alarms: which posts are silent and should not be. None while that cannot be read."""
        if not self._read.is_set() or self._clock.boottime_us() - self._read_boot_us > FRESH_US:
            return None
        names = {name: name_of(one.post.row) for name, one in self._shown.items() if one.post.row.revoked_us is None}
        connected = [name for name in names if name not in self._silent]
        return message(self._silent, names, connected, self._clock.wall_us())

    def below(self) -> list[Below]:
        """For the hub above: those that are not revoked."""
        return [
            Below(one.post.row, self.is_connected(one.post), self._heard_us(one.post), self._since_us(one.post, self._state(one.post)))
            for one in self._shown.values() if one.post.row.revoked_us is None
        ]  # fmt: skip

    # -- for the web

    def site(self) -> Site:
        """The hub, with the cameras of all its posts as `post.camera`; the same object as long as nothing of it changed."""
        own = self._own()
        if self._site is None or self._site[0] is not own or self._site[1].cameras is not self._cameras:
            self._site = own, replace(own, cameras=self._cameras)
        return self._site[1]

    def name_of(self, camera: str) -> str:
        """What people call a camera of a post, the post too; "" where it is not known."""
        known, shown_ = self.site().camera(camera), self._shown.get(camera.partition(".")[0])
        return "" if known is None or shown_ is None else f"{known.name} ({name_of(shown_.post.row)})"

    def snapshot(self, own: Snapshot) -> Snapshot:
        """The hub's own state with that of every camera of its posts beside it."""
        if self._states is None:
            self._states = tuple(state for name in sorted(self._shown) for state in self._shown[name].states)
            self._by_key = {state.key: state for state in self._states}
        by_key = self._by_key | {stream.key: stream for stream in own.streams}
        return replace(own, running=True, streams=(*own.streams, *self._states), by_key=by_key)

    def items(self) -> list[dict[str, Any]]:
        """The list of posts, as models_posts.Post."""
        waiting = [_waiting(invite) for invite in self._invites if invite.post not in self._shown]
        return sorted([*map(self._item, self._shown.values()), *waiting], key=lambda item: str(item["id"]))

    def changes(self, since: str) -> tuple[list[dict[str, Any]], str, bool]:
        """What of the list changed since a cursor of before, the cursor of now, and whether it is the whole list: it is where the cursor is not known any more. What
        changes with time alone (when a post that is connected was heard last) is no change.
        """
        epoch, _, version = since.partition("-")
        cursor = f"{self._epoch}-{self._version}"
        if epoch != self._epoch or not version.isdecimal() or len(version) > 15:
            return self.items(), cursor, True
        names = [name for name, at in self._at.items() if at > int(version) and name in self._shown]
        return [self._item(self._shown[name]) for name in sorted(names)], cursor, False

    def item(self, post: str) -> dict[str, Any] | None:
        """One of them."""
        found = self._shown.get(post)
        if found is not None:
            return self._item(found)
        return next((_waiting(invite) for invite in self._invites if invite.post == post), None)

    def checkpoint(self, post: str) -> str | None:
        """The newest verified head of a post's ledger, with our countersignature; None where there is none yet."""
        found = self._shown.get(post)
        return None if found is None or found.post.head is None else found.post.head.cosigned

    # -- one post

    def _item(self, found: Shown) -> dict[str, Any]:
        post = found.post
        state = self._state(post)
        return {
            **found.item, "state": state, "since": written(self._since_us(post, state)), "silence": None if state == "connected" else self._silence_of(post.row.id),
            "last_contact": written(self._heard_us(post)),
        }  # fmt: skip

    def _state(self, post: PostNow) -> str:
        if post.row.revoked_us is not None:
            return "revoked"
        if self.is_connected(post):
            return "connected"
        return "silent" if self._heard_us(post) is not None else "never"

    def _silence_of(self, post: str) -> dict[str, Any] | None:
        judged = self._silent.get(post)
        return None if judged is None else told(judged, self._clock.wall_us())

    def is_connected(self, post: PostNow) -> bool:
        """Here, or at another process of this hub, or through a hub that is."""
        told = told_of(post.row)
        if told is not None:
            return told.connected and self._connected(post.row.id)
        if self._connected(post.row.id):
            return True
        contact = post.contact
        return (
            contact is not None and contact.to_us is None and self._clock.wall_us() - contact.seen_us < SILENT_AFTER_US
        )

    def _heard_us(self, post: PostNow) -> int | None:
        told = told_of(post.row)
        if told is not None:
            return self._clock.wall_us() if self.is_connected(post) else told.heard_us
        heard = [at for at in (post.row.status_us, post.contact and post.contact.seen_us) if at]
        if self._connected(post.row.id):
            heard.append(self._clock.wall_us())
        return max(heard) if heard else None

    def _since_us(self, post: PostNow, state: str) -> int | None:
        contact = post.contact
        if state == "revoked":
            return post.row.revoked_us
        told = told_of(post.row)
        if told is not None:
            return told.since_us if told.connected == (state == "connected") else self._heard_us(post)
        if contact is None:
            return post.row.enrolled_us if state == "never" else post.row.status_us
        return contact.from_us if state == "connected" else contact.to_us or contact.seen_us


def _waiting(invite: InviteRow) -> dict[str, Any]:
    """A code that nobody used yet."""
    return {
        "id": invite.post, "name": invite.post, "via": [], "state": "never", "since": None, "last_contact": None,
        "invited_until": format_us(invite.expires_us),
    }  # fmt: skip
