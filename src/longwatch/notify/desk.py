"""Where it comes together: happenings go into the rules, messages into the store, and one sender a channel takes them from there.

Behaviour over time: `take` is cheap and never waits. Within `TURN_S` what the rules made of it is a row, together with their own state; at an
orderly end at once. A server that is killed in between tells it again from its feeds (alarms, conditions; events since the last turn). New settings
end the senders of channels that are others now, and begin new ones; what waits goes on, under the same keys. Owner of rules, feeds and senders: the server's loop.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.base.tasks import Tasks, ended
from longwatch.model.alarms import Alarm
from longwatch.model.said import Words
from longwatch.notify.browsers import Browsers
from longwatch.notify.feeds import AlarmFeed, ConditionFeed, Wrong
from longwatch.notify.happening import Happening, Phase
from longwatch.notify.letter import Channel, Enclose, Enclosure, Letter, SendingError
from longwatch.notify.mqtt_trial import Trial
from longwatch.notify.options import DAY_US, NOTHING, PUSH, ChannelOptions, Options
from longwatch.notify.rules import MOST_OF_MESSAGE, Message, Recipient, Rules
from longwatch.notify.sending import Pulse, Sender
from longwatch.notify.store import ChannelCounts, Draft, NotifyStore
from longwatch.notify.words import Reader
from longwatch.server_db import ServerDb

TURN_S = 0.5
_AGE_EVERY_US = 3_600_000_000
_log = structlog.get_logger(__name__)
Make = Callable[[ChannelOptions], Channel]


class _Broken:
    """A channel that could not be made: its letters wait, and it says why."""

    def __init__(self, why: str) -> None:
        self._why = why

    async def send(self, _letter: Letter) -> None:
        raise SendingError(self._why)

    async def aclose(self) -> None:
        return None


class Desk:
    """See the module. key: the file of the push key. says: what is to be said of an alarm."""

    def __init__(
        self, db: ServerDb, key: Path, options: Options, clock: Clock, says: Callable[[Alarm], Words], make: Make | None = None
    ) -> None:  # fmt: skip
        self.enclose: Enclose | None = None
        """Set before `start`, where there is footage to go with messages."""
        self.try_broker: Callable[[], Awaitable[Trial | None]] | None = None
        """Set by who has the broker: None where the settings name none."""
        self._db = db
        self._store = NotifyStore(db)
        self.browsers = Browsers(db)
        self.key = key
        self.options = options
        self._clock = clock
        self._make = make or self._channel
        self._rules = self._made_rules(options)
        self._alarms = AlarmFeed(says)
        self._conditions = ConditionFeed()
        self._senders: dict[str, Sender] = {}
        self._tasks = Tasks("notify")
        self._sending: dict[str, asyncio.Task[None]] = {}
        self._broken: set[str] = set()
        self._unkept: list[Draft] = []
        self._kept = 0
        self._aged_us = 0
        self._turning = asyncio.Lock()
        self._reloading = asyncio.Lock()
        self.messages = 0

    # ---- life -------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """State is read, and what waits is sent on. Settings that became others already have begun their senders."""
        async with self._reloading:
            self._restore(await self._db.call(self._store.load))
            await self._begin_senders(set(self._senders))
            self._tasks.start("turns", self._turns())

    def _restore(self, saved: Mapping[str, Any]) -> None:
        for name, one in (("rules", self._rules), ("alarms", self._alarms), ("conditions", self._conditions)):
            if name not in saved:
                continue
            try:
                one.restore(saved[name])
            except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
                _log.error("what was kept of messages cannot be read; it begins anew", part=name, error=repr(error))

    async def aclose(self) -> None:
        """What was taken is a row; what was not sent waits for the next start."""
        await self._tasks.aclose()
        for sender in self._senders.values():
            await sender.aclose()
        await self.turn()

    async def reload(self, options: Options) -> None:
        """Settings are another now. Nothing happens where they are not."""
        async with (
            self._reloading
        ):  # two at once would leave two senders of one channel, and people hear all of it twice
            if options == self.options:
                return
            stay = {one.name for one in options.channels if one in self.options.channels and self._goes_on(one.name)}
            async with self._turning:
                saved = self._rules.saved()
                self.options = options
                self._rules = self._made_rules(options)
                self._rules.restore(saved)
                self._kept = -1
            await ended(task for name, task in self._sending.items() if name not in stay)
            for name, sender in self._senders.items():
                if name not in stay:
                    await sender.aclose()
            await self._begin_senders(stay)

    def _goes_on(self, name: str) -> bool:
        """Whether its sender may stay as it is: what it is about to send is sent once, and that it is dead is not forgotten."""
        task = self._sending.get(name)
        return task is not None and not task.done() and name not in self._broken

    async def _begin_senders(self, stay: Collection[str] = ()) -> None:
        # Until all are made those before stay in the list: on a busy disk the pages, health and metrics had no such channel meanwhile.
        await self._db.call(self._store.give_up, [one.name for one in self.options.channels], self._clock.wall_us())
        self._senders = {name: sender for name, sender in self._senders.items() if name in stay}
        self._sending = {name: task for name, task in self._sending.items() if name in stay}
        self._broken = set()
        for one in self.options.channels:
            if one.name in stay:
                continue
            try:
                channel = self._make(one)
            except (LongwatchError, OSError) as error:
                _log.error("a channel cannot be made", channel=one.name, reason=str(error))
                channel = _Broken(str(error))
                self._broken.add(one.name)
            enclose = None if one.attach == NOTHING or self.enclose is None else partial(self._enclosed, one.attach)
            sender = Sender(one.name, channel, self._db, self._clock, enclose=enclose)
            self._senders[one.name] = sender
            self._sending[one.name] = self._tasks.start(f"channel {one.name}", sender.run())

    async def _enclosed(self, attach: str, letter: Letter) -> tuple[Enclosure, ...]:
        assert self.enclose is not None
        return await self.enclose(letter, attach)

    def _channel(self, one: ChannelOptions) -> Channel:
        """Each kind is imported with its first channel: most posts have none, and an HTTP client is 90 modules."""
        if one.lacking:
            raise UsageError(one.lacking)
        if one.kind == "webhook":
            from longwatch.notify.webhook import Webhook

            return Webhook(
                one.url, one.secret, lambda: self.options.post, self._clock, one.ca, lambda: self.options.address
            )  # fmt: skip
        if one.kind == PUSH:
            from longwatch.notify.push import Push

            return Push(self._db, self.key, lambda: self.options, self._clock)
        from longwatch.notify.apprise_channel import AppriseChannel

        return AppriseChannel(one.url)

    @staticmethod
    def _made_rules(options: Options) -> Rules:
        return Rules(options.rules, {one.name: one for one in options.recipients}, options.timezone)

    # ---- what happens -----------------------------------------------------------------------------------------------

    def take(self, happening: Happening) -> None:
        """Cheap; never waits, never raises."""
        self._rules.take(happening, self._clock.wall_us())

    def look_at_alarms(self, listed: Sequence[Alarm], *, whole: bool = True) -> None:
        """All that are not over or not acknowledged."""
        for happening in self._alarms.look(listed, self._clock.wall_us(), whole=whole):
            self.take(happening)

    def look_at_conditions(self, found: Sequence[Wrong]) -> None:
        """All that is wrong now, but what alarms say."""
        for happening in self._conditions.look(found, self._clock.wall_us()):
            self.take(happening)

    def settled(self, thread: str) -> None:
        """Somebody dealt with it."""
        now_us = self._clock.wall_us()
        self.take(Happening(thread, (), Phase.SETTLED, now_us, now_us))

    async def acknowledge(self, number: int, subject: int) -> bool:
        """A message: all that it speaks of goes no further. False where there is none."""
        if await self._db.call(self._store.one, number) is None:
            return False
        for thread in await self._db.call(self._store.settle, number, self._clock.wall_us(), subject):
            self.settled(thread)
        await self.turn()
        return True

    # ---- what is said -----------------------------------------------------------------------------------------------

    async def _turns(self) -> None:
        while True:
            await self._clock.sleep(TURN_S)
            try:
                await self.turn()
            except Exception as error:  # noqa: BLE001  the boundary: a disk that is full now must not end all messages for ever
                _log.error("messages could not be kept; they are tried again", error=repr(error))

    async def turn(self) -> None:
        """What is to be said by now becomes rows, and senders are woken."""
        async with self._turning:
            now_us = self._clock.wall_us()
            said = self._rules.due(now_us)
            if not said and not self._unkept and self._rules.changes == self._kept:
                return
            made = [await self._draft(message) for message in said]
            self._unkept += [
                draft for draft in made if draft.ways or draft.grave
            ]  # what is light and reaches nobody leaves no row
            drafts, changes = list(self._unkept), self._rules.changes
            kept = {
                "rules": self._rules.saved(),
                "alarms": self._alarms.saved(),
                "conditions": self._conditions.saved(),
                "turned": now_us,
            }
            await self._db.call(self._store.keep, drafts, kept)
            self._unkept, self._kept = [], changes
            self.messages += len(drafts)
            for way in {way for draft in drafts for way in draft.ways}:
                if way[0] in self._senders:
                    self._senders[way[0]].wake()
        await self._age(now_us)

    async def _age(self, now_us: int) -> None:
        if abs(now_us - self._aged_us) > _AGE_EVERY_US:
            self._aged_us = now_us
            await self._db.call(self._store.age, now_us - max(self.options.keep_us, DAY_US))

    async def turned_us(self) -> int:
        """When state was kept last; 0 where it never was. Events since then may not have been told."""
        return int((await self._db.call(self._store.load)).get("turned", 0))

    async def _draft(self, message: Message) -> Draft:
        options, names = self.options, dict(self.options.cameras)
        recipient = next(one for one in options.recipients if one.name == message.to)
        cameras = tuple(
            dict.fromkeys([item.camera for item in message.items] + [c for w, c, _ in message.counts if w != "other"])
        )
        link = next((item.link for item in message.items if item.link), "")
        own, ways = await self._ways(recipient, cameras)
        words = {
            language: (reader.title(message, options.name), reader.body(message))
            for language in dict.fromkeys([own, *(way[2] for way in ways)])
            for reader in [Reader(names, language, recipient.timezone or options.timezone)]
        }
        title, body = words.pop(own)
        return Draft(
            message.key, message.rule, message.to, message.why, title, body, self.link(link), message.grave, message.count, message.held,
            message.at_us, tuple(dict.fromkeys(item.thread for item in message.items))[:MOST_OF_MESSAGE], cameras, ways, words,
        )  # fmt: skip

    async def _ways(
        self, recipient: Recipient, cameras: tuple[str, ...]
    ) -> tuple[str, tuple[tuple[str, str, str], ...]]:
        """The language of a recipient, and (channel, target, language) for each way."""
        kinds = {one.name: one.kind for one in self.options.channels}
        own = recipient.language
        if not own and recipient.user:
            own = await self._db.call(self.browsers.language_of, recipient.user)
        ways: list[tuple[str, str, str]] = []
        for channel in recipient.channels:
            if kinds.get(channel) == PUSH:
                targets = await self._db.call(self.browsers.targets, recipient.user, cameras)
                ways += [
                    (channel, target, recipient.language or spoken or self.options.language)
                    for target, spoken in targets.items()
                ]
            elif channel in kinds:
                ways.append((channel, "", own or self.options.language))
        return own or self.options.language, tuple(ways)

    def link(self, path: str) -> str:
        """To a place of the console. Where its address is not known it begins with a slash: the browsers that were told know the rest."""
        return f"{self.options.address}/#/{path}" if path else ""

    # ---- trying, and looking ----------------------------------------------------------------------------------------

    async def test(self, channel: str, by: str, target: str = "") -> int:
        """A message that says it is a trial, by one channel. Its number. Raises UsageError where there is no such channel."""
        if channel not in self._senders:
            raise UsageError(f"there is no channel {channel[:40]!r}", remedy="see notify.channels in the settings")
        spoken = (await self._db.call(self.browsers.targets, "", ())).get(target, "") if target else ""
        language = spoken or self.options.language
        return await self._tried(f"{channel}-{target}", by, language, ((channel, target, language),))

    async def test_recipient(self, name: str) -> int:
        """A message that says it is a trial, by every way to one recipient, as a rule would tell them. Its number. Raises UsageError where there is none."""
        recipient = next((one for one in self.options.recipients if one.name == name), None)
        if recipient is None:
            raise UsageError(f"there is no recipient {name[:40]!r}", remedy="see notify.people in the settings")
        own, ways = await self._ways(recipient, ())
        return await self._tried(f"to-{name}", name, own, ways)

    async def _tried(self, what: str, to: str, own: str, ways: tuple[tuple[str, str, str], ...]) -> int:
        now_us = self._clock.wall_us()
        key = f"test-{what}-{now_us:x}"
        words = {
            language: Reader({}, language).trial(self.options.name)
            for language in dict.fromkeys([own, *(way[2] for way in ways)])
        }
        title, body = words.pop(own)
        draft = Draft(
            key, "", to, "test", title, body, self.link("profile"), False, 0, 0, now_us, (), (), ways, words,
        )  # fmt: skip
        await self._db.call(self._store.keep, [draft], {})
        for channel in {way[0] for way in ways} & self._senders.keys():
            self._senders[channel].wake()
        return await self._db.call(self._store.number_of, key)

    def pulses(self) -> dict[str, Pulse]:
        """How each channel is."""
        return {name: sender.pulse for name, sender in self._senders.items()}

    async def counts(self) -> dict[str, ChannelCounts]:
        """What waits, and what became of the rest."""
        return await self._db.call(self._store.counts)

    async def browser_count(self) -> int:
        """Browsers that take web push."""
        return await self._db.call(self.browsers.count)

    def held_back(self) -> dict[str, int]:
        """Messages that were held back, by rule, since ever."""
        return dict(self._rules.held_back)

    async def listed(self, before: int | None, limit: int) -> list[dict[str, Any]]:
        """Messages with their deliveries, the newest first."""
        return await self._db.call(self._store.listed, before, limit)

    async def one(self, number: int) -> dict[str, Any] | None:
        """One, with each attempt."""
        return await self._db.call(self._store.one, number)

    async def kick(self, channel: str) -> None:
        """Try what waits now."""
        with contextlib.suppress(KeyError):
            await self._db.call(self._store.wake, channel, self._clock.wall_us())
            self._senders[channel].wake()
