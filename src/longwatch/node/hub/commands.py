"""What people at a hub tell its posts to do: entered, signed, told at every contact until it is over. docs/design/command.md.

Owner of the state: the fleet's table `commands`.
"""

from __future__ import annotations

import base64
import difflib
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from longwatch.accounts import Who
from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.fleet import Fleet
from longwatch.fleet.answers import CommandRow
from longwatch.fleet.index_acts import alarm_at
from longwatch.ledger import kinds
from longwatch.node.hub.afar import check_afar
from longwatch.node.hub.requests import Uplinks
from longwatch.node.link import Ledger
from longwatch.trust import Authority
from longwatch.trust.commands import ALARM_ACKNOWLEDGE, SETTINGS_READ, SETTINGS_SAVE, UPGRADE, Command, sign_command
from longwatch.wire.uplink import Body, Message

EXPIRES_US = 30 * 86_400_000_000
"""So long a command waits to be told. One that was told is told again for as long once more: the post says what became of it."""
_STATES = frozenset({"trial", "done", "refused", "returned", "expired"})
_MOST_ANSWER = 400_000
_MOST_TEXT = 200_000
_log = structlog.get_logger(__name__)


class CommandDesk:
    """See the module. hub: its id. on_changed: told of the post whose command was told to it, or came to another state."""

    def __init__(
        self, fleet: Fleet, authority: Authority, hub: str, uplinks: Uplinks, ledger: Ledger, clock: Clock
    ) -> None:
        self._fleet = fleet
        self._authority = authority
        self._hub = hub
        self._uplinks = uplinks
        self._ledger = ledger
        self._clock = clock
        self.on_changed: list[Callable[[str], None]] = []
        uplinks.on("commanded", self._commanded)
        uplinks.on_connect(self._connected)

    # -- for the web

    async def read(self, post: str, who: Who, reason: str) -> CommandRow:
        """Ask for the text of its settings, without secrets. Raises LongwatchError."""
        return (await self._give(post, SETTINGS_READ, {}, {}, who, reason))[0]

    async def check(self, post: str, text: str, revision: str) -> dict[str, Any]:
        """What is wrong with a text, and what it would change there, as far as that is known here. Raises LongwatchError."""
        _check_text(text)
        return await check_afar(text, await self._before(post, revision), post)

    async def save(self, post: str, text: str, revision: str, who: Who, reason: str) -> CommandRow:
        """Settings that the post is to take. revision: of what was read there. Raises LongwatchError."""
        _check_text(text)
        before = await self._before(post, revision)
        changed = "".join(
            difflib.unified_diff(before.splitlines(keepends=True), text.splitlines(keepends=True), "before", "after")
        )
        if not changed:
            raise UsageError("nothing was changed")
        for row in await self._fleet.db.call(self._fleet.commands, post):
            if row.kind == SETTINGS_SAVE and row.state != "withdrawing":
                raise UsageError(
                    f"command {row.id} with other settings of {post} is not over yet",
                    remedy="wait for it, or withdraw it while it waits",
                )
        shown = {"difference": changed[:100_000]}
        return (await self._give(post, SETTINGS_SAVE, {"text": text, "revision": revision}, shown, who, reason))[0]

    async def acknowledge(self, alarm: int, who: Who, reason: str) -> int:
        """An alarm of a post, by its number here: it is dealt with at the post once that hears of it. The number of our own entry. Raises LongwatchError."""
        found = await self._fleet.db.call(self._alarm, alarm)
        if found is None:
            raise UsageError(f"there is no alarm {alarm} that a post could be told of", remedy="see /api/v1/alarms")
        post, number = found
        for row in await self._fleet.db.call(self._fleet.commands, post):
            if row.kind == ALARM_ACKNOWLEDGE and row.body.get("alarm") == number and row.state != "withdrawing":
                raise UsageError("this alarm was acknowledged here already", why=f"it waits for {post}")
        shown = {"alarm": number, "number": alarm}
        return (await self._give(post, ALARM_ACKNOWLEDGE, {"alarm": number}, shown, who, reason))[1]

    async def upgrade(self, post: str, body: Mapping[str, Any], rollout: int, who: Who, reason: str) -> CommandRow:
        """A release that the post is to fetch and install. rollout: of which it is a part (`upgrades`). Raises LongwatchError."""
        shown = {**body, "rollout": rollout}
        return (await self._give(post, UPGRADE, dict(body), shown, who, reason))[0]

    def _alarm(self, number: int) -> tuple[str, int] | None:
        with self._fleet.db.read() as db:
            return alarm_at(db, number)

    async def acknowledging(self) -> dict[int, CommandRow]:
        """By an alarm's number here: the newest acknowledgement that was given here."""
        rows = await self._fleet.db.call(lambda: self._fleet.commands(everything=True, kind=ALARM_ACKNOWLEDGE))
        return {row.body["number"]: row for row in reversed(rows) if row.state != "withdrawn"}

    async def listed(self, post: str) -> list[CommandRow]:
        """The newest first."""
        await self._expire(post)
        found: list[CommandRow] = await self._fleet.db.call(
            lambda: self._fleet.commands(post, everything=True, limit=100)
        )
        return found

    async def withdraw(self, post: str, number: int, who: Who) -> None:
        """One that nobody told the post yet. Raises UsageError."""
        rows = await self._fleet.db.call(self._fleet.commands, post)
        if any(row.id == number for row in rows):
            # From here on it is not told. If the entry fails, or we are killed, it stays so, and may be withdrawn again.
            row = await self._fleet.db.call(
                lambda: self._fleet.note_command(number, "withdrawing", among=("waiting", "withdrawing"))
            )
            if row is not None and row.state == "withdrawing":
                body = {"post": post, "command": number}
                await self._ledger.request("entry", kind=kinds.COMMAND_WITHDRAWN, body=body, person=who.person())
                await self._fleet.db.call(self._fleet.note_command, number, "withdrawn")
                return
        raise UsageError(f"command {number} does not wait any more", why=f"{post} was told of it, or it is over")

    async def _before(self, post: str, revision: str) -> str:
        """The text of that revision, as the post told it."""
        rows = await self._fleet.db.call(lambda: self._fleet.commands(post, everything=True, kind=SETTINGS_READ))
        for row in rows:
            if row.answer.get("revision") == revision and isinstance(row.answer.get("text"), str):
                return str(row.answer["text"])
        raise UsageError("nobody read these settings here", remedy="read them from the post first")

    async def _give(
        self, post: str, kind: str, body: dict[str, Any], shown: dict[str, Any], who: Who, reason: str
    ) -> tuple[CommandRow, int]:
        row = await self._fleet.db.call(self._fleet.post, post)
        if row is None or row.revoked_us is not None:
            raise UsageError(f"there is no post {post[:80]!r} that could be told", remedy="see `longwatch hub posts`")
        if row.via:
            raise UsageError(
                f"{post} takes commands of {row.via[0]} alone",
                remedy="tell it there: that hub's key is the one it knows",
            )
        now_us, name = self._clock.wall_us(), (who.user or who.token)[:200]
        made: CommandRow = await self._fleet.db.call(self._fleet.command, post, kind, shown, name, reason)
        try:
            command = Command(self._hub, post, made.id, kind, now_us, now_us + EXPIRES_US, name, reason, body)
            signed = sign_command(command, self._authority.commander.sign)
            said = {"post": post, "command": made.id, "kind": kind, "sha256": hashlib.sha256(signed).hexdigest()}
            entered = await self._ledger.request(
                "entry", kind=kinds.COMMAND_GIVEN, body=said, person=who.person(reason)
            )
        except LongwatchError:
            await self._fleet.db.call(self._fleet.note_command, made.id, "withdrawn")
            raise
        given = await self._fleet.db.call(lambda: self._fleet.note_command(made.id, "waiting", signed=signed))
        assert given is not None
        await self._tell(given)
        now = await self._fleet.db.call(lambda: self._fleet.commands(post, everything=True, limit=10))
        return next((row for row in now if row.id == made.id), given), int(entered.get("seq", 0))

    # -- posts

    async def _connected(self, _: str) -> None:
        await self._expire()
        for row in await self._fleet.db.call(self._fleet.commands):
            await self._tell(row)

    async def _expire(self, post: str | None = None) -> None:
        now_us = self._clock.wall_us()
        for row in await self._fleet.db.call(self._fleet.commands, post):
            waited = now_us - row.created_us
            if waited > 2 * EXPIRES_US or (waited > EXPIRES_US and row.state in {"waiting", "withdrawing"}):
                why = {"why": "the post was not in touch in time"}
                await self._fleet.db.call(self._fleet.note_command, row.id, "expired", why)

    async def _tell(self, row: CommandRow) -> None:
        """Noted first: whoever withdraws it meanwhile must know that the post may have it."""
        if not row.signed or not self._uplinks.connected(row.post):
            return
        now = await self._fleet.db.call(lambda: self._fleet.note_command(row.id, "sent", among=("waiting",)))
        if now is not None and now.state in {"sent", "trial"}:
            signed = base64.b64encode(row.signed).decode()
            self._uplinks.say(row.post, Message("command", {"post": row.post, "command": row.id, "signed": signed}))

    async def _commanded(self, post: str, message: Message | Body) -> None:
        """What became of one at its post. What is not of its form, or another's, is passed over."""
        said = message.body if isinstance(message, Message) else {}
        number, state, answer = (said.get(name) for name in ("command", "state", "answer"))
        if type(number) is not int or state not in _STATES or not isinstance(answer, dict):
            return
        open_ = await self._fleet.db.call(self._fleet.commands, post)
        if any(row.id == number for row in open_) and len(str(answer)) <= _MOST_ANSWER:
            await self._fleet.db.call(self._fleet.note_command, number, state, answer)
            for told in self.on_changed:
                told(post)


def _check_text(text: str) -> None:
    if len(text.encode("utf-8", "replace")) > _MOST_TEXT or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise UsageError("this is too long, or no Unicode text")
