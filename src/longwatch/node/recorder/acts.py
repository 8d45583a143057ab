"""Acts of people on a running recorder, and the alarms: pause, resume, acknowledge. docs/design/alarms.md.

What a person asks for is an entry, durable, before it takes effect. One owner of the state, the recorder's loop; a verb that finds no
recorder makes one of these over the archive alone (node/by_recorder/acts.py), and what it writes takes effect at the next start.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog

from longwatch.accounting.alarms import Alarms, Seen, Subject, Trouble
from longwatch.accounting.reasons import reason_of
from longwatch.archive import Archive, KeptActs, RecoveryReport, RetentionReport
from longwatch.archive.ops import (
    Act,
    AlarmAcknowledge,
    AlarmRaise,
    Entry,
    IndexOp,
    LogSeen,
    PauseBegin,
    PauseEnd,
    Person,
)
from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.base.ids import is_slug
from longwatch.ledger import canonical, kinds
from longwatch.ledger.canonical import MAX_INTEGER
from longwatch.model.alarms import ENDS_BY_ITSELF, AlarmKind
from longwatch.model.causes import Cause, Pause
from longwatch.model.sessions import StreamKey

LONGEST_PAUSE_S = 366 * 86_400
ANSWERED_WITHIN_S = 0.1
FIRST_LOG = "1"
_MOST_TEXT = 4_000
_BY_ROOM = ("max_size", "keep_free")
_log = structlog.get_logger(__name__)


class RecorderActs:
    """wall_us: the host's time as the recorder counts it. cameras: the ids of the settings. apply_pause: makes a pause, or its end, take
    effect on a camera.
    """

    def __init__(
        self,
        archive: Archive,
        clock: Clock,
        wall_us: Callable[[], int],
        cameras: Callable[[], frozenset[str]],
        apply_pause: Callable[[str, Pause | None], Awaitable[None]],
    ) -> None:
        self.has_hub: Callable[[], bool] = lambda: False  # whether this post has joined one
        self.pauses: dict[str, Pause] = {}
        self.kept = KeptActs()
        self._archive = archive
        self._clock = clock
        self._wall_us = wall_us
        self._cameras = cameras
        self._apply_pause = apply_pause
        self._deadlines: dict[str, int] = {}  # CLOCK_BOOTTIME: a clock that is set back draws no pause out
        self._owed: list[Act] = []
        self._alarms = Alarms((), 1, wall_us(), clock.boottime_us())
        self.commands: dict[str, Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]] = {
            "acknowledge": self.acknowledge, "pause": self.pause, "resume": self.resume, "ledger_doubted": self.ledger_doubted,
        }  # fmt: skip

    # ---- a start ----------------------------------------------------------------------------------------------------

    async def load(self, report: RecoveryReport) -> None:
        """What was left: the same alarms go on, and so do pauses. An index that cannot be read now costs the past, not recording."""
        try:
            self.kept = await self._archive.kept_acts(lost=report.rebuilt)
        except sqlite3.Error as error:
            _log.error("alarms and pauses could not be read", error=str(error))
        boot_us, wall_us = self._clock.boottime_us(), self._wall_us()
        cut = not report.fresh and not report.same_boot and report.heartbeat is not None
        self._alarms = Alarms(self.kept.standing, self.kept.next_alarm, wall_us, boot_us, after_power_cut=cut)
        self.pauses = dict(self.kept.pauses)
        self._set_deadlines(boot_us, wall_us)
        self._look_at_log(report, boot_us, wall_us)

    def _set_deadlines(self, boot_us: int, wall_us: int) -> None:
        for camera, pause in self.pauses.items():
            if pause.until_us is not None:
                whole_us = pause.until_us - pause.since_us
                self._deadlines[camera] = boot_us + min(max(pause.until_us - wall_us, 0), whole_us)

    def _look_at_log(self, report: RecoveryReport, boot_us: int, wall_us: int) -> None:
        """A ledger that was begun anew, or an index that was lost, is looked at by somebody."""
        seen, log = self.kept.log_seen, self.kept.log
        if report.rebuilt:
            self._owed += self._told(
                AlarmKind.LEDGER, "index lost", {"detail": "the index was lost and made again"}, boot_us, wall_us
            )
        if log and log != seen:
            number = log.split()[0]
            if seen or number != FIRST_LOG:
                detail = (
                    f"log {number} was begun; before it was {f'log {seen.split()[0]}' if seen else 'one that is lost'}"
                )
                self._owed += self._told(AlarmKind.LEDGER, f"log {log[:80]}", {"detail": detail}, boot_us, wall_us)
            self._owed.append(LogSeen(log))

    async def ledger_doubted(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Request `ledger_doubted {post, doubt, detail}`, of a hub's server: what a post sent contradicts what it signed. An alarm, once for each
        kind of doubt and post while it stands. Raises UsageError.
        """
        post, doubt, detail = (fields.get(name) for name in ("post", "doubt", "detail"))
        if not (
            isinstance(post, str)
            and is_slug(post)
            and isinstance(doubt, str)
            and doubt.isidentifier()
            and isinstance(detail, str)
        ):
            raise UsageError("`ledger_doubted` names a post, a doubt and says why")
        boot_us, wall_us = self._clock.boottime_us(), self._wall_us()
        evidence: dict[str, object] = {"detail": detail[:500], "post": post, "doubt": doubt[:40]}
        self._owed += self._told(AlarmKind.LEDGER, f"{doubt[:40]} {post}", evidence, boot_us, wall_us)
        await self._write()
        return {}

    def _told(
        self, kind: AlarmKind, subject: str, evidence: dict[str, object], boot_us: int, wall_us: int
    ) -> list[Act]:
        return self._alarms.told(Trouble(Subject(kind, subject), wall_us, evidence=evidence), boot_us, wall_us)

    # ---- alarms -----------------------------------------------------------------------------------------------------

    async def look(self, seen: Seen) -> None:
        """Once a second: what is raised, repeated and over is written, by itself and whatever the volumes do."""
        boot_us, wall_us = self._clock.boottime_us(), self._wall_us()
        self._owed += self._alarms.look(seen, boot_us, wall_us)
        for camera in [camera for camera, pause in self.pauses.items() if self._is_over(camera, pause)]:
            await self._resume(camera, PauseEnd(camera, "its time was over"))
        await self._write()

    async def _write(self) -> None:
        """A commit that failed keeps what it was given, and makes it good later; one that was not taken is asked for again."""
        if not self._owed:
            return
        owed, self._owed = self._owed, []
        try:
            await self._archive.commit(owed)
        except LongwatchError:
            self._owed = owed + self._owed
            raise

    def owed(self) -> list[Act]:
        """What was not written yet: for the last commit."""
        owed, self._owed = self._owed, []
        return owed

    def standing(self, kind: AlarmKind) -> frozenset[Subject]:
        """Of what alarms of a kind stand."""
        return frozenset(subject for subject in self._alarms.standing if subject.kind is kind)

    def gaps_told(self, key: StreamKey, said: Sequence[IndexOp]) -> None:
        """What a tick says of a stream's gaps."""
        self._owed += self._alarms.gap_told(key.camera, said, self._clock.boottime_us(), self._wall_us())

    def removed(self, report: RetentionReport) -> None:
        """Footage that no hub holds, and that had to go before its age: an alarm where there is a hub that should have it."""
        for_room = sum(report.by_why.get(why, 0) for why in _BY_ROOM)
        if for_room and report.unconfirmed and self.has_hub():
            evidence: dict[str, object] = {"segments": report.unconfirmed, "for_room": for_room}
            self._owed += self._told(
                AlarmKind.UNCONFIRMED_REMOVED, "retention", evidence, self._clock.boottime_us(), self._wall_us()
            )

    def hold_told(self, subject: str, evidence: dict[str, object]) -> None:
        """The law is going to take from a hold, or footage of one had to go: somebody must know."""
        self._owed += self._told(AlarmKind.HOLD, subject, evidence, self._clock.boottime_us(), self._wall_us())

    def reduced(self, subject: str, facts: dict[str, object]) -> list[AlarmRaise]:
        """Accounting was reduced, and nobody said why: for the transaction that says so."""
        trouble = Trouble(Subject(AlarmKind.ACCOUNTING_REDUCED, subject), self._wall_us(), facts=facts)
        said = self._alarms.told(trouble, self._clock.boottime_us(), trouble.since_us)
        return [op for op in said if isinstance(op, AlarmRaise)]

    def take_back(self, raised: Sequence[AlarmRaise]) -> None:
        """Their transaction failed: they never were."""
        for op in raised:
            self._alarms.acknowledged(op.id)

    async def acknowledge(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Request `acknowledge {alarm, reason, person}`. Raises UsageError."""
        number = fields.get("alarm")
        if not isinstance(number, int) or isinstance(number, bool) or not 0 < number < 1 << 53:
            raise UsageError("`alarm` is the number of an alarm")
        person = person_with_reason(fields)
        await self._write()
        subject = self._alarms.subject_of(number)
        ended_us = self._wall_us() if subject is not None and subject.kind not in ENDS_BY_ITSELF else None
        seq = await self._archive.act(AlarmAcknowledge(number, person, ended_us))
        self._alarms.acknowledged(number)
        return {"seq": seq}

    # ---- pauses -----------------------------------------------------------------------------------------------------

    async def pause(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Request `pause {camera, privacy, for_s, reason, person}`. Raises UsageError."""
        camera = self._camera(fields)
        for_s = fields.get("for_s")
        if for_s is not None and (
            not isinstance(for_s, int) or isinstance(for_s, bool) or not 0 < for_s <= LONGEST_PAUSE_S
        ):
            raise UsageError("a pause lasts from a second to a year", remedy="leave it out: until resumed")
        person = person_with_reason(fields)
        cause = Cause.PRIVACY_PAUSE if fields.get("privacy") else Cause.PAUSED_BY_OPERATOR
        since_us = self._wall_us()
        until_us = None if for_s is None else since_us + for_s * 1_000_000
        seq = await self._archive.act(PauseBegin(camera, cause, since_us, until_us, person))
        pause = self.pauses[camera] = Pause(cause, since_us, until_us, seq)
        self._deadlines.pop(camera, None)
        if for_s is not None:
            self._deadlines[camera] = self._clock.boottime_us() + for_s * 1_000_000
        await self._apply_pause(camera, pause)
        return {"seq": seq, "camera": camera, "kind": str(cause), "since_us": since_us, "until_us": until_us}

    async def resume(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Request `resume {camera, reason?, person}`. Raises UsageError where it is not paused."""
        camera = str(fields.get("camera"))[:80]
        if camera not in self.pauses:
            raise UsageError(f"camera {camera} is not paused")
        person = person_with_reason(fields, needed=False)
        return {"seq": await self._resume(camera, PauseEnd(camera, "resumed by a person", person)), "camera": camera}

    async def _resume(self, camera: str, end: PauseEnd) -> int:
        """A pause whose time is over ends, whether or not that can be written now: recording goes before telling."""
        try:
            seq = await self._archive.act(end)
        except LongwatchError as error:
            if end.person is not None:
                raise
            _log.error("the end of a pause could not be written", camera=camera, error=str(error))
            self._owed.append(end)
            seq = -1
        self.pauses.pop(camera, None)
        self._deadlines.pop(camera, None)
        await self._apply_pause(camera, None)
        return seq

    def _is_over(self, camera: str, pause: Pause) -> bool:
        deadline_us = self._deadlines.get(camera)
        return not pause.holds(self._wall_us()) or (
            deadline_us is not None and self._clock.boottime_us() >= deadline_us
        )

    def _camera(self, fields: dict[str, Any]) -> str:
        camera = fields.get("camera")
        if not isinstance(camera, str) or camera not in self._cameras():
            raise UsageError(
                f"there is no camera {str(camera)[:80]!r}", remedy=f"one of {', '.join(sorted(self._cameras())[:20])}"
            )
        return camera


def person_with_reason(fields: dict[str, Any], *, needed: bool = True) -> Person:
    """`person {subject, text}` of a request, its text a JSON object, with the `reason` that stands beside it (or in it).

    Raises UsageError where nobody is named, the text is no such object or too long, or a reason is missing.
    """
    person = fields.get("person")
    if not isinstance(person, dict):
        raise UsageError("this asks for `person`: {subject, text}")
    subject, text = person.get("subject"), person.get("text")
    if not isinstance(subject, int) or isinstance(subject, bool) or not 0 <= subject <= MAX_INTEGER:
        raise UsageError("`subject` of `person` is a number, from 0 on")
    if not isinstance(text, str) or len(text) > _MOST_TEXT:
        raise UsageError("`person` is {subject, text}, the text a JSON object of at most 4,000 characters")
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError("the text of `person` is not JSON", why=str(error)) from None
    if not isinstance(said, dict):
        raise UsageError("the text of `person` is a JSON object")
    reason = reason_of(fields.get("reason", said.get("reason")), needed=needed)
    said = {**said, "reason": reason} if reason else {k: v for k, v in said.items() if k != "reason"}
    try:
        return Person(subject, canonical(said).decode())
    except ValueError as error:
        raise UsageError("the text of `person` has no canonical form", why=str(error)) from None


class Stopping:
    """How a recorder comes to end: by somebody's word with a reason, with the machine, or just so. stop: what makes it end."""

    def __init__(self, archive: Archive, stop: Callable[[], None]) -> None:
        self.asked: int | None = None  # number of the entry `stop_asked`
        self.again = False  # only to be started anew
        self._archive = archive
        self._stop = stop

    async def ask(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Request `stop {reason, person, again?}`: the entry, then the end, once this is answered. again: the number of the upgrade for which it is
        only started anew. Raises UsageError.
        """
        again = fields.get("again")
        if again is not None and (type(again) is not int or not 0 <= again <= MAX_INTEGER):
            raise UsageError("`again` is the number of an entry")
        body: dict[str, object] = {} if again is None else {"again": again}
        self.asked = await self._archive.enter(Entry(kinds.STOP_ASKED, body, person_with_reason(fields)))
        self.again = again is not None
        asyncio.get_running_loop().call_later(ANSWERED_WITHIN_S, self._stop)
        return {"seq": self.asked}

    def last_words(self, acts: RecorderActs, sealed: int, *, host_ends: bool, going_back: str = "") -> list[IndexOp]:
        """The entry of the stop; and the alarm that nobody gave a reason, which stands at the next start. going_back: why the version before this
        one comes back, "" where it does not.
        """
        body: dict[str, object] = {"segments_sealed": sealed, "reason": "no reason given"}
        if self.asked is not None:
            body |= {"reason": "asked by a person", "asked": self.asked}
        elif host_ends:
            body["reason"] = "the host is shutting down"
        elif going_back:
            body |= {"reason": "the version before comes back", "why": going_back}
        unexplained = self.asked is None and not host_ends and not going_back
        alarms = acts.reduced("stop", {"by": "signal"}) if unexplained else []
        return [*acts.owed(), *alarms, Entry(kinds.STOP, body)]
