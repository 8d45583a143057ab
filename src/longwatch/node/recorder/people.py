"""Entries that come from elsewhere, people's clear text and its end: the recorder's part. docs/design/people.md.

An entry is durable once the request is answered. One that comes with a key is taken once, however often it is handed over, so
that an answer that was lost costs nothing. Erasing answers when the text is gone from index and file, or says that it is not yet.
Owner of the state: the recorder's loop.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from longwatch.archive import Archive, Keyed, RetentionTime
from longwatch.archive.ops import Entry, Person
from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.ledger import kinds

FROM_ELSEWHERE = frozenset({
    kinds.LOGIN, kinds.LOGIN_REFUSED, kinds.LOGOUT, kinds.ACCOUNT_CHANGED, kinds.VIEWING, kinds.AUDIT_READ,
    kinds.ENTRIES_DROPPED, kinds.EXPORT_BEGUN, kinds.EXPORT_MADE, kinds.EXPORT_TAKEN, kinds.EXPORT_DELETED,
    kinds.HUB_JOINED, kinds.HUB_LEFT, kinds.POST_INVITED, kinds.POST_JOINED, kinds.POST_RENEWED, kinds.POST_REVOKED,
    kinds.FOOTAGE_ASKED, kinds.REQUEST_MADE, kinds.REQUEST_WITHDRAWN, kinds.COURIER_BEGUN, kinds.COURIER_PACKED, kinds.COURIER_CONFIRMED,
    kinds.COURIER_UNPACKED, kinds.COMMAND_GIVEN, kinds.COMMAND_WITHDRAWN, kinds.COMMAND_TAKEN, kinds.COMMAND_RETURNED,
    kinds.UPGRADE_ORDERED, kinds.UPGRADE_SWITCHED, kinds.UPGRADE_ENDED, kinds.RELEASE_ADDED, kinds.RELEASE_REMOVED, kinds.ROLLOUT_ORDERED,
    kinds.ROLLOUT_STOPPED,
})  # fmt: skip
_OWN = frozenset(value for name, value in vars(kinds).items() if name.isupper()) - FROM_ELSEWHERE
MOST_ITEMS = 200
MOST_TEXT_BYTES = 4_096
_PURGE_TRIES = 40
_PURGE_EVERY_S = 0.1
_log = structlog.get_logger(__name__)


class People:
    """See the module. held_back: why clear text that is too old stays, "" where none does. unpurged: what was erased may still stand in
    the index's log of writes.
    """

    def __init__(self, archive: Archive, clock: Clock) -> None:
        self.held_back = ""
        self.unpurged = False
        self._archive = archive
        self._clock = clock
        self.commands: dict[str, Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]] = {
            "entry": self.entry, "entries": self.entries, "erase": self.erase,
        }  # fmt: skip

    async def entry(self, fields: dict[str, Any]) -> dict[str, Any]:
        """One entry. Raises UsageError for a kind that is the recorder's own, LongwatchError where it cannot be written."""
        return {"seq": await self._archive.enter(entry_of(fields))}

    async def entries(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Several with keys, in one transaction: all or none. The same key again is the same entry."""
        items = fields.get("items")
        if not isinstance(items, list) or not 0 < len(items) <= MOST_ITEMS:
            raise UsageError(f"`items` is a list of 1 to {MOST_ITEMS} entries")
        return {"seqs": await self._archive.take([_keyed(item) for item in items])}

    async def erase(self, fields: dict[str, Any]) -> dict[str, Any]:
        """The clear text of `subject`; `person` asks for it, with a reason."""
        subject, by = fields.get("subject"), person_of(fields)
        if not _is_number(subject) or by is None:
            raise UsageError("`erase` wants a subject, and the person who asks")
        erased = await self._archive.erase_subject(int(str(subject)), by)
        gone = await self._purged()
        return {
            "count": erased.count, "seq": erased.seq, "gone_from_file": gone, "left_behind": self._archive.left_behind(),
        }  # fmt: skip

    async def expire(self, now: RetentionTime) -> None:
        """What is too old goes; what a cut or a reader left in the log of writes goes too. Called every half minute."""
        try:
            erased, self.held_back = await self._archive.expire_personal(now)
            if erased.count:
                _log.info("personal text expired", entries=erased.count)
            await self._purged()
        except LongwatchError as error:
            _log.error("personal text could not be erased; it is tried again", reason=str(error))

    async def _purged(self) -> bool:
        """Readers look only for moments: within seconds nobody is in the way."""
        for _ in range(_PURGE_TRIES):
            if await self._archive.purge_personal():
                self.unpurged = False
                return True
            await self._clock.sleep(_PURGE_EVERY_S)
        self.unpurged = True
        return False

    def health(self) -> list[dict[str, str]]:
        """What is wrong here, in words."""
        if not self.unpurged:
            return []
        return [{"what": "erased text may still stand in the index's log of writes", "why": "a reader keeps it open"}]


def entry_of(fields: dict[str, Any]) -> Entry:
    """`kind`, `body` and `person` of a request. Raises UsageError."""
    kind, body = fields.get("kind"), fields.get("body")
    if not isinstance(kind, str) or not isinstance(body, dict) or kind in _OWN:
        raise UsageError("`entry` wants a kind that is not the recorder's own, and a body")
    person = person_of(fields)
    if kind in FROM_ELSEWHERE and person is None:
        raise UsageError(f"an entry {kind} is about a person")
    return Entry(kind, body, person)


def person_of(fields: dict[str, Any]) -> Person | None:
    """`person` of a request: {"subject": number, "text": canonical JSON}. Raises UsageError."""
    person = fields.get("person")
    if person is None:
        return None
    subject = person.get("subject") if isinstance(person, dict) else None
    text = person.get("text") if isinstance(person, dict) else None
    if not _is_number(subject) or not isinstance(text, str) or len(text.encode("utf-8", "replace")) > MOST_TEXT_BYTES:
        raise UsageError(f"`person` is {{subject, text}}, its text at most {MOST_TEXT_BYTES} bytes")
    return Person(int(str(subject)), text)


def _keyed(item: object) -> Keyed:
    if not isinstance(item, dict) or not isinstance(item.get("key"), str) or not 0 < len(item["key"]) <= 100:
        raise UsageError("each of `items` has a key")
    return Keyed(item["key"], entry_of(item))


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53
