"""What a post does at its hub's word: tell its settings, take others, acknowledge an alarm, upgrade itself; and go back by itself where new settings cut it off.
docs/design/command.md.

A command is taken once, in order, and only signed by the hub that was joined. New settings stand for good once the hub was reached anew after them; where
it is not within `RETURN_S`, the old ones are put back. That survives kills and restarts: `hub/commands.json` is written before anything takes effect.
Owner of that file.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import structlog

from longwatch.accounts import Who
from longwatch.accounts.who import AT_A_HUB
from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.base.ids import boot_id
from longwatch.base.secrets import scrub
from longwatch.ledger import kinds
from longwatch.model.uplink import Class
from longwatch.node.link import Ledger
from longwatch.node.upgrade.order import Order, Stage
from longwatch.node.upgrade.upgrading import Upgrading
from longwatch.trust import Enrolment
from longwatch.trust.commands import (
    ALARM_ACKNOWLEDGE,
    SETTINGS_READ,
    SETTINGS_SAVE,
    UPGRADE,
    Command,
    CommandError,
    open_command,
    over,
)
from longwatch.trust.keys import read_private, write_private
from longwatch.trust.release import MOST_BYTES, ReleaseError
from longwatch.web.settings_desk import SettingsDesk
from longwatch.wire.uplink import Body, Message

RETURN_S = 600
_STATES = {Stage.KEPT: "done", Stage.RETURNED: "returned", Stage.REFUSED: "refused"}
LOOK_S = 2.0
_MOST_ANSWERS = 32
_log = structlog.get_logger(__name__)


def stand_in_key(folder: Path) -> bytes:
    """What stand-ins of passwords are made with: the same over restarts, since a text that a hub read may come back days later. Raises LongwatchError."""
    path = folder / "stand-ins.key"
    if not path.exists():
        write_private(path, os.urandom(16), anew=False)
    return read_private(path)


def _told(order: Order) -> tuple[str, dict[str, Any]]:
    """State and answer of the command of an upgrade."""
    answer = {"stage": str(order.stage), "version": order.version, "sha256": order.sha256, "was": order.was}
    return _STATES.get(order.stage, "trial"), answer | ({"why": order.why} if order.why else {})


class Link(Protocol):
    """`node.post.uplink.Uplink`, as far as it is asked here."""

    def on(self, kind: str, handler: Any) -> None: ...
    def on_connect(self, told: Any) -> None: ...
    def say(self, message: Message | Body, cls: Class = Class.ASKED) -> bool: ...
    def again(self) -> None: ...


class Obeying:
    """See the module. return_s: how long the hub may be out of reach after a change. boot: of this boot."""

    def __init__(
        self, uplink: Link, desk: SettingsDesk, ledger: Ledger, enrolment: Callable[[], Enrolment | None], clock: Clock, folder: Path,
        *, return_s: int = RETURN_S, boot: Callable[[], str] = boot_id, upgrading: Upgrading | None = None,
    ) -> None:  # fmt: skip
        self._uplink = uplink
        self._desk = desk
        self._ledger = ledger
        self._enrolment = enrolment
        self._clock = clock
        self._path = folder / "commands.json"
        self._return_us = return_s * 1_000_000
        self._boot = boot()
        self._upgrading = upgrading
        if upgrading is not None:
            upgrading.on_stage.append(self._upgrade_stage)
        self._turn, self._keeping = asyncio.Lock(), asyncio.Lock()
        self._hub_ahead_us: int | None = None
        self._state: dict[str, Any] = {"last": {}, "taken": "", "answers": {}, "watch": None}
        self._begun = False
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue(16)
        self._reached = asyncio.Event()
        self._dialled = False
        uplink.on("command", self._command)
        uplink.on_connect(self._connected)

    # -- the link

    def _connected(self, welcome: Mapping[str, Any]) -> None:
        wall_us = welcome.get("wall_us")
        if type(wall_us) is int:
            self._hub_ahead_us = wall_us - self._clock.boottime_us()
        self._reached.set()

    async def _command(self, message: Message | Body) -> None:
        """Into the queue: the link goes on meanwhile. What finds no room is told again at the next contact."""
        signed = message.body.get("signed") if isinstance(message, Message) else None
        if isinstance(signed, str) and len(signed) < 1 << 20 and not self._waiting.full():
            with contextlib.suppress(ValueError):
                self._waiting.put_nowait(base64.b64decode(signed))

    # -- running

    async def run(self) -> None:
        """For ever."""
        await self._begin()
        while True:
            try:
                await self.look()
            except LongwatchError as error:
                _log.error("what the hub told cannot be done now", reason=str(error))
            except Exception as error:  # noqa: BLE001 - boundary: whatever a hub says, the next command is obeyed, and the old settings come back
                _log.error("a fault in what the hub told", reason=repr(error)[:500], exc_info=error)
            await self._clock.sleep(LOOK_S)

    async def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            await asyncio.to_thread(self._read)

    async def look(self) -> None:
        """Settle what is being watched, then what was told. Raises LongwatchError."""
        async with self._turn:
            if self._state["watch"] is not None:
                await self._watch(self._state["watch"])
            while self._state["watch"] is None and not self._waiting.empty():
                signed = self._waiting.get_nowait()
                try:
                    await self._take(signed)
                except LongwatchError:
                    if not self._waiting.full():
                        self._waiting.put_nowait(signed)
                    raise

    async def _take(self, signed: bytes) -> None:
        enrolment = await asyncio.to_thread(self._enrolment)
        if enrolment is None:
            return
        try:
            command = open_command(signed, enrolment.command_key, enrolment.hub, enrolment.site, None)
        except CommandError as error:
            _log.error("a command is refused", reason=str(error))
            return
        key, sha256 = f"{enrolment.hub} {enrolment.command_key.hex()}", hashlib.sha256(signed).hexdigest()
        known = self._state["answers"].get(str(command.number))
        if known is not None and known["key"] == key:
            self._say(command.post, command.number, known["state"], known["answer"])
        elif command.number <= self._state["last"].get(key, 0):
            await self._again(command, key, sha256)
        elif self._is_over(command):
            self._say(command.post, command.number, "expired", {"why": "it came after its end"})
        else:
            body: dict[str, object] = {
                "command": command.number,
                "hub": command.hub,
                "kind": command.kind,
                "sha256": sha256,
            }
            await self._enter(kinds.COMMAND_TAKEN, body, command)
            self._state |= {"last": {key: command.number}, "taken": sha256}
            await self._keep()
            await self._obey(command, key)

    def _is_over(self, command: Command) -> bool:
        """By the hub's clock, as it told it last, counted on by the boot clock; not judged where it is not known."""
        return self._hub_ahead_us is not None and over(command, self._clock.boottime_us() + self._hub_ahead_us)

    async def _again(self, command: Command, key: str, sha256: str) -> None:
        """One that was taken already and has no answer: an interruption came between. The last one is done now; any other is replayed."""
        if self._state.get("taken") == sha256:
            await self._obey(command, key)
            return
        _log.error("a command that is replayed is refused", number=command.number)
        self._say(command.post, command.number, "refused", {"why": "a newer command was taken before it"})

    async def _obey(self, command: Command, key: str) -> None:
        deeds = {
            SETTINGS_READ: self._read_out,
            SETTINGS_SAVE: self._save,
            ALARM_ACKNOWLEDGE: self._acknowledge,
            UPGRADE: self._upgrade,
        }
        deed = deeds.get(command.kind)
        if deed is None:
            await self._refuse(command, key, "this post knows no such command: it is older")
        else:
            await deed(command, key)

    async def _refuse(self, command: Command, key: str, why: str) -> None:
        await self._answer(command, key, "refused", {"why": scrub(why)[:2000]})

    async def _read_out(self, command: Command, key: str) -> None:
        shown = await self._desk.shown()
        answer = {"text": shown["text"], "revision": shown["revision"], "read_only": shown["read_only"]}
        await self._answer(command, key, "done", answer)

    async def _acknowledge(self, command: Command, key: str) -> None:
        number, who = command.body.get("alarm"), self._who(command.hub, command.by)
        try:
            entered = await self._ledger.request(
                "acknowledge", alarm=number, reason=command.reason, person=who.person()
            )
        except UsageError as error:
            await self._refuse(command, key, str(error))
            return
        await self._answer(command, key, "done", {"entry": entered.get("seq")})

    async def _upgrade(self, command: Command, key: str) -> None:
        """Ordered; what becomes of it is told as it goes on (`_upgrade_stage`), and again at each contact, as any answer is."""
        sha256, size, version = (command.body.get(name) for name in ("sha256", "size", "version"))
        if (
            self._upgrading is None
            or not isinstance(sha256, str)
            or type(size) is not int
            or not isinstance(version, str)
        ):
            await self._refuse(command, key, "an upgrade comes with `sha256`, `size` and `version`, and to a post")
            return
        if not re.fullmatch("[0-9a-f]{64}", sha256) or not 0 < size <= MOST_BYTES:
            await self._refuse(command, key, "an upgrade names its bundle by its hash and size")
            return
        person = self._who(command.hub, command.by).person(command.reason)
        try:
            order = await self._upgrading.order(sha256, size, version, person, hub=command.hub, command=command.number)
        except (UsageError, ReleaseError) as error:
            await self._refuse(command, key, str(error))
            return
        if str(command.number) not in self._state["answers"]:  # else it was told already
            await self._answer(command, key, *_told(order))

    async def _upgrade_stage(self, order: Order) -> None:
        """An upgrade of our hub is one step on."""
        await self._begin()
        enrolment = await asyncio.to_thread(self._enrolment)
        if not order.command or enrolment is None or order.hub != enrolment.hub:
            return
        state, answer = _told(order)
        await self._kept_answer(order.command, f"{enrolment.hub} {enrolment.command_key.hex()}", state, answer)
        self._say(enrolment.site, order.command, state, answer, Class.LEDGER)

    async def _save(self, command: Command, key: str) -> None:
        text, revision = command.body.get("text"), command.body.get("revision")
        if not isinstance(text, str) or not isinstance(revision, str):
            await self._refuse(command, key, "settings come with `text` and `revision`")
            return
        try:
            moved = await self._desk.sent_elsewhere(text)
        except UsageError as error:
            await self._refuse(command, key, str(error))
            return
        if await self._desk.changes_upgrades(text):
            await self._refuse(
                command, key, "who may bring new programs to this post is said at the post: `upgrades` stays as it is"
            )
            return
        if moved:
            why = "a password would go where these settings do not send it yet; type the password itself there, or change it at the post"
            await self._refuse(command, key, f"{why}: {', '.join(moved)}")
            return
        before = await asyncio.to_thread(self._desk.file.read)
        self._state["watch"] = {
            "number": command.number, "key": key, "post": command.post, "hub": command.hub, "by": command.by, "text": before.text,
            "before": before.revision, "after": None, "answer": {}, "boot": self._boot, "until_us": self._until_us(),
        }  # fmt: skip
        await self._keep()
        try:
            saved = await self._desk.save(text, revision, command.reason, self._who(command.hub, command.by))
        except LongwatchError as error:
            if (await asyncio.to_thread(self._desk.file.read)).revision == before.revision:
                self._state["watch"] = None
                await self._refuse(command, key, str(error))
                return
            raise
        answer = {"difference": saved["difference"], "entry": saved["entry"], "revision": saved["revision"]}
        watch = self._state["watch"]
        watch |= {"after": saved["revision"], "until_us": self._until_us(), "answer": answer}
        await self._keep()
        self._reached.clear()
        self._dialled = False  # at the next look, so that the hub is told before
        self._say(
            command.post, command.number, "trial", {**answer, "return_s": self._return_us // 1_000_000}, Class.LEDGER
        )

    def _until_us(self) -> int:
        return self._clock.boottime_us() + self._return_us

    async def _watch(self, watch: dict[str, Any]) -> None:
        """Whether the hub was reached since; else, when the time is over, back."""
        if watch["boot"] != self._boot:  # the host started anew: the whole time again, counted from here
            watch |= {"boot": self._boot, "until_us": self._until_us()}
            await self._keep()
        now = await asyncio.to_thread(self._desk.file.read)
        if watch["after"] is None:  # killed in between
            if now.revision == watch["before"]:
                self._state["watch"] = None
                await self._settled(watch, "refused", {"why": "the post was interrupted; nothing was changed"})
                return
            watch["after"] = now.revision
            await self._keep()
        if self._reached.is_set():
            self._state["watch"] = None
            await self._settled(watch, "done", watch["answer"])
        elif not self._dialled:
            self._dialled = True
            self._uplink.again()  # it stands once the hub was reached anew, with these settings
        elif self._clock.boottime_us() >= watch["until_us"]:
            await self._return(watch, now.revision)

    async def _return(self, watch: dict[str, Any], revision: str) -> None:
        body: dict[str, object] = {
            "command": watch["number"], "hub": watch["hub"], "kept": revision != watch["after"],
        }  # fmt: skip
        why = f"put back: the hub {watch['hub']} could not be reached after its change"
        if revision == watch["after"]:  # else somebody here changed them since: theirs stand
            await self._desk.save(watch["text"], revision, why, self._who(watch["hub"], ""))
        person = self._who(watch["hub"], watch["by"]).person(why)
        await self._ledger.request("entry", kind=kinds.COMMAND_RETURNED, body=body, person=person)
        self._state["watch"] = None
        await self._settled(watch, "returned", {"why": why})

    # -- answers and what is kept

    async def _settled(self, watch: dict[str, Any], state: str, answer: dict[str, Any]) -> None:
        await self._kept_answer(watch["number"], watch["key"], state, answer)
        self._say(watch["post"], watch["number"], state, answer)

    async def _answer(self, command: Command, key: str, state: str, answer: dict[str, Any]) -> None:
        await self._kept_answer(command.number, key, state, answer)
        self._say(command.post, command.number, state, answer)

    async def _kept_answer(self, number: int, key: str, state: str, answer: dict[str, Any]) -> None:
        answers = self._state["answers"]
        answers[str(number)] = {"key": key, "state": state, "answer": answer}
        while len(answers) > _MOST_ANSWERS:
            del answers[min(answers, key=int)]
        await self._keep()

    def _say(
        self, post: str, number: int, state: str, answer: Mapping[str, Any], cls: Class = Class.ASKED
    ) -> None:  # fmt: skip
        self._uplink.say(Message("commanded", {"post": post, "command": number, "state": state, "answer": answer}), cls)

    def _who(self, hub: str, by: str) -> Who:
        return Who(AT_A_HUB, user=f"{by} (at {hub})" if by else f"the hub {hub}")

    async def _enter(self, kind: str, body: dict[str, object], command: Command) -> None:
        person = self._who(command.hub, command.by).person(command.reason)
        await self._ledger.request("entry", kind=kind, body=body, person=person)

    async def _keep(self) -> None:
        async with self._keeping:
            await asyncio.to_thread(write_private, self._path, json.dumps(self._state).encode())

    def _read(self) -> None:
        """What stood there; a file that cannot be read is as none, but for what may be taken again: that stays refused by its revision."""
        try:
            self._state |= json.loads(self._path.read_bytes())
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            _log.error("what the hub told before cannot be read", reason=str(error))
