"""Which message goes to whom, and when: a state machine over happenings. Pure; its state is JSON, kept with the messages it made.

Behaviour over time, all of it by the wall clock that the caller hands in (a clock that was set back makes nothing wait longer than it
would have from now on). A happening that a rule names begins a *group*; what follows within `group_us` is in the same message. A message
to somebody who has quiet hours, or who had `most` messages of this rule within `per_us`, is *held*: counted, and said in the next one,
which comes by itself as soon as it may. What was told is a *thread* until it ends or somebody settles it: while it is open it is said again
each `repeat_us`, and to the next recipients after each step of `escalate`. All of it is bounded: groups count what they do not list, and
the oldest threads go first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from longwatch.model.said import Words, as_json, from_json
from longwatch.notify.happening import Happening, Phase
from longwatch.notify.week import Hours, within

MOST_LISTED = 8
"""Sentences in a message; the rest is counted."""
MOST_COUNTED = 24
"""Different (word, camera) pairs that are counted apart."""
MOST_THREADS = 500
MOST_OF_MESSAGE = 50
"""Threads that one message names, so that acknowledging it settles them."""


@dataclass(frozen=True, slots=True)
class Step:
    """Where nobody has acknowledged it after so long, these are told too."""

    after_us: int
    to: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """kinds: words of `happening.WORDS`, by prefix (`object` is every class). cameras, zones: ids; empty is all. hours: empty is always.

    most, per_us: messages to one recipient. repeat_us: 0 is never. ends: None tells the end of what lasts. urgent: in quiet hours too.
    """

    name: str
    to: tuple[str, ...]
    kinds: tuple[str, ...] = ("all",)
    cameras: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    hours: tuple[Hours, ...] = ()
    group_us: int = 10_000_000
    most: int = 12
    per_us: int = 3_600_000_000
    repeat_us: int = 0
    escalate: tuple[Step, ...] = ()
    ends: bool | None = None
    urgent: bool = False

    def means(self, happening: Happening, timezone: str) -> bool:
        """Whether it is about this at all."""
        if not any(_called(kind, happening.words) for kind in self.kinds):
            return False
        if self.cameras and happening.camera not in self.cameras:
            return False
        if self.zones and not set(self.zones) & set(happening.zones):
            return False
        return not self.hours or within(self.hours, happening.at_us, timezone)

    def tells_end(self, *, lasts: bool) -> bool:
        """Whether the end of what it told is a message."""
        return lasts if self.ends is None else self.ends


def _called(kind: str, words: Sequence[str]) -> bool:
    return kind == "all" or any(word == kind or word.startswith(f"{kind}.") for word in words)


@dataclass(frozen=True, slots=True)
class Recipient:
    """channels: names. quiet: when they are told nothing but what is urgent. user: whose browsers web push goes to; "" is everybody's.
    language: "" is the user's own, else the post's. timezone: "" is the post's.
    """

    name: str
    channels: tuple[str, ...]
    quiet: tuple[Hours, ...] = ()
    user: str = ""
    language: str = ""
    timezone: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a message. over: it says that this ended."""

    thread: str
    word: str
    camera: str
    from_us: int
    says: Words
    over: bool = False
    link: str = ""
    grave: bool = True


@dataclass(frozen=True, slots=True)
class Message:
    """key: the same for ever, by which a receiver knows a repetition. why: new, again, escalated, held. count: of happenings in all; those
    beyond `items` stand in `counts` alone, as ((word, camera), number). held: messages that were held back before this one.
    """

    key: str
    rule: str
    to: str
    why: str
    at_us: int
    items: tuple[Item, ...]
    count: int
    counts: tuple[tuple[str, str, int], ...] = ()
    held: int = 0
    grave: bool = True
    since_us: int = 0


@dataclass(slots=True)
class _Heap:
    """Happenings of one message to be. messages: that were held back."""

    since_us: int = 0
    items: list[Item] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    count: int = 0
    messages: int = 0

    def add(self, item: Item, at_us: int) -> None:
        self.since_us = self.since_us or at_us
        self.count += 1
        key = f"{item.word} {item.camera}"
        if key not in self.counts and len(self.counts) >= MOST_COUNTED:
            key = "other "
        self.counts[key] = self.counts.get(key, 0) + 1
        self._list(item)

    def _list(self, item: Item) -> None:
        """The first are listed; what is grave takes the place of what is not."""
        if len(self.items) < MOST_LISTED:
            self.items.append(item)
        elif item.grave:
            for place in range(len(self.items) - 1, -1, -1):
                if not self.items[place].grave:
                    del self.items[place]
                    self.items.append(item)
                    break

    def pour(self, other: _Heap) -> None:
        """Take in what another holds."""
        self.since_us = min(self.since_us or other.since_us, other.since_us or self.since_us)
        self.count += other.count
        self.messages += other.messages
        for item in other.items:
            self._list(item)
        for key, number in other.counts.items():
            kept = key if key in self.counts or len(self.counts) < MOST_COUNTED else "other "
            self.counts[kept] = self.counts.get(kept, 0) + number


@dataclass(slots=True)
class _Thread:
    """What a rule speaks of. told_us: 0 while it waits in a group. step: of the escalation, that was reached."""

    item: Item
    lasts: bool
    told_us: int = 0
    said_us: int = 0
    step: int = 0


class Rules:
    """See the module. Owner of the state: whoever calls; one at a time. changes: rises with each change of it."""

    def __init__(self, rules: Sequence[Rule], recipients: Mapping[str, Recipient], timezone: str) -> None:
        self._rules = {rule.name: rule for rule in rules}
        self._recipients = dict(recipients)
        self._timezone = timezone
        self._number = 0
        self._groups: dict[str, tuple[int, _Heap]] = {}
        self._held: dict[tuple[str, str], _Heap] = {}
        self._sent: dict[tuple[str, str], list[int]] = {}
        self._threads: dict[tuple[str, str], _Thread] = {}
        self.held_back: dict[str, int] = {}
        self.changes = 0

    # ---- what happens -----------------------------------------------------------------------------------------------

    def take(self, happening: Happening, now_us: int) -> None:
        """One step of one happening; what becomes of it comes out of `due`."""
        self.changes += 1
        for rule in self._rules.values():
            key = (rule.name, happening.id)
            if happening.phase is Phase.SETTLED:
                self._threads.pop(key, None)
            elif happening.phase is Phase.ENDED:
                self._ended(rule, key, happening, now_us)
            elif key not in self._threads:
                if rule.means(happening, self._timezone):
                    self._began(rule, key, happening, now_us)
            else:
                self._threads[key].item = _item(rule, happening)

    def _began(self, rule: Rule, key: tuple[str, str], happening: Happening, now_us: int) -> None:
        item = _item(rule, happening)
        self._threads[key] = _Thread(item, happening.lasts)
        if len(self._threads) > MOST_THREADS:
            self._forget_one()
        self._group(rule, item, now_us)

    def _forget_one(self) -> None:
        """The oldest of what is not grave, else the oldest."""
        light = next((key for key, thread in self._threads.items() if not thread.item.grave), None)
        del self._threads[light if light is not None else next(iter(self._threads))]

    def _ended(self, rule: Rule, key: tuple[str, str], happening: Happening, now_us: int) -> None:
        thread = self._threads.pop(key, None)
        if thread is not None and thread.told_us and rule.tells_end(lasts=thread.lasts):
            says = happening.says or thread.item.says
            ended = Item(
                key[1], thread.item.word, happening.camera, happening.from_us, says, True, happening.link, False
            )
            self._group(rule, ended, now_us)

    def _group(self, rule: Rule, item: Item, now_us: int) -> None:
        due_us, heap = self._groups.get(rule.name, (now_us + rule.group_us, _Heap()))
        heap.add(item, now_us)
        self._groups[rule.name] = (due_us, heap)

    # ---- what is to be said -----------------------------------------------------------------------------------------

    def due(self, now_us: int) -> list[Message]:
        """All that is to be said by now."""
        said: list[Message] = []
        for rule in self._rules.values():
            said += self._groups_due(rule, now_us)
            said += self._threads_due(rule, now_us)
        said += self._released(now_us)
        return said

    def _groups_due(self, rule: Rule, now_us: int) -> list[Message]:
        if rule.name not in self._groups:
            return []
        due_us, heap = self._groups[rule.name]
        if now_us < due_us <= now_us + rule.group_us:
            return []
        del self._groups[rule.name]
        self.changes += 1
        for key, thread in self._threads.items():
            if key[0] == rule.name and not thread.told_us:
                thread.told_us = thread.said_us = now_us
        return [said for name in rule.to for said in self._say(rule, name, "new", heap, now_us)]

    def _threads_due(self, rule: Rule, now_us: int) -> list[Message]:
        """Repetitions to all who were told, and the next step of what nobody has acknowledged: one message each for all that is due."""
        if not rule.repeat_us and not rule.escalate:
            return []
        again: dict[str, _Heap] = {}
        escalated: dict[str, _Heap] = {}
        for (name, _), thread in self._threads.items():
            if name != rule.name or not thread.told_us:
                continue
            thread.told_us, thread.said_us = min(thread.told_us, now_us), min(thread.said_us, now_us)
            if rule.repeat_us and now_us - thread.said_us >= rule.repeat_us:
                thread.said_us = now_us
                self.changes += 1
                for to in dict.fromkeys([*rule.to, *(n for step in rule.escalate[: thread.step] for n in step.to)]):
                    again.setdefault(to, _Heap()).add(thread.item, now_us)
            while thread.step < len(rule.escalate) and now_us - thread.told_us >= rule.escalate[thread.step].after_us:
                for to in rule.escalate[thread.step].to:
                    escalated.setdefault(to, _Heap()).add(thread.item, now_us)
                thread.step += 1
                self.changes += 1
        return [
            said
            for why, heaps in (("again", again), ("escalated", escalated))
            for to, heap in heaps.items()
            for said in self._say(rule, to, why, heap, now_us)
        ]

    def _released(self, now_us: int) -> list[Message]:
        """What was held, where it may be said now."""
        return [
            said
            for rule, to in list(self._held)
            if rule in self._rules and self._may(self._rules[rule], to, now_us)
            for said in self._say(self._rules[rule], to, "held", _Heap(), now_us)
        ]

    def _say(self, rule: Rule, to: str, why: str, heap: _Heap, now_us: int) -> list[Message]:
        if to not in self._recipients:
            return []
        if not self._may(rule, to, now_us):
            held = self._held.setdefault((rule.name, to), _Heap())
            held.pour(heap)
            held.messages += 1
            self.held_back[rule.name] = self.held_back.get(rule.name, 0) + 1
            return []
        held = self._held.pop((rule.name, to), _Heap())
        whole = _Heap()
        whole.pour(heap)
        whole.pour(held)
        self._sent.setdefault((rule.name, to), []).append(now_us)
        self._number += 1
        self.changes += 1
        counts = tuple(_counted(key, number) for key, number in whole.counts.items())
        return [
            Message(
                f"{rule.name}-{now_us:x}-{self._number}", rule.name, to, why, now_us, tuple(whole.items), whole.count, counts, held.messages,
                any(item.grave for item in whole.items), whole.since_us,
            )
        ]  # fmt: skip

    def _may(self, rule: Rule, to: str, now_us: int) -> bool:
        """Whether this recipient may have a message of this rule now."""
        recipient = self._recipients.get(to)
        if recipient is None or (
            not rule.urgent and within(recipient.quiet, now_us, recipient.timezone or self._timezone)
        ):
            return False
        sent = [at_us for at_us in self._sent.get((rule.name, to), []) if now_us - rule.per_us < at_us <= now_us]
        self._sent[rule.name, to] = sent
        return len(sent) < rule.most

    # ---- over a restart, and a change of the settings ---------------------------------------------------------------

    @property
    def open_threads(self) -> int:
        """Of what was told, or is about to be."""
        return len(self._threads)

    def knows(self, thread: str) -> bool:
        """Whether any rule speaks of it."""
        return any(key[1] == thread for key in self._threads)

    def threads(self) -> frozenset[str]:
        """Ids of all happenings that rules speak of."""
        return frozenset(key[1] for key in self._threads)

    def saved(self) -> dict[str, Any]:
        """As JSON, bounded."""
        return {
            "number": self._number,
            "groups": [[name, due_us, _heap_json(heap)] for name, (due_us, heap) in self._groups.items()],
            "held": [[*key, _heap_json(heap)] for key, heap in self._held.items()],
            "sent": [[*key, sent] for key, sent in self._sent.items() if sent],
            "threads": [
                [*key, _item_json(one.item), one.lasts, one.told_us, one.said_us, one.step] for key, one in self._threads.items()
            ],
            "held_back": self.held_back,
        }  # fmt: skip

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Go on from there. What is about a rule or recipient that is no more is dropped. Raises KeyError, TypeError, ValueError."""
        self._number = int(saved["number"])
        self._groups = {name: (int(due), _heap(heap)) for name, due, heap in saved["groups"] if name in self._rules}
        known = {(rule, to) for rule in self._rules for to in self._recipients}
        self._held = {(rule, to): _heap(heap) for rule, to, heap in saved["held"] if (rule, to) in known}
        self._sent = {(rule, to): [int(at) for at in sent] for rule, to, sent in saved["sent"] if (rule, to) in known}
        self._threads = {
            (rule, thread): _Thread(_read_item(item), bool(lasts), int(told), int(said), int(step))
            for rule, thread, item, lasts, told, said, step in saved["threads"]
            if rule in self._rules
        }
        self.held_back = {str(name): int(count) for name, count in saved.get("held_back", {}).items()}


def _counted(key: str, number: int) -> tuple[str, str, int]:
    word, _, camera = key.partition(" ")
    return word, camera, number


def _item_json(item: Item) -> dict[str, Any]:
    told = {each.name: getattr(item, each.name) for each in fields(item)}
    return told | {"says": as_json(item.says)}


def _read_item(saved: Mapping[str, Any]) -> Item:
    return Item(**{**saved, "says": from_json(saved["says"])})


def _heap_json(heap: _Heap) -> dict[str, Any]:
    told = {each.name: getattr(heap, each.name) for each in fields(heap)}
    return told | {"items": [_item_json(item) for item in heap.items], "counts": dict(heap.counts)}


def _heap(saved: Mapping[str, Any]) -> _Heap:
    return _Heap(
        int(saved["since_us"]), [_read_item(item) for item in saved["items"]], dict(saved["counts"]), int(saved["count"]),
        int(saved["messages"]),
    )  # fmt: skip


def _item(rule: Rule, happening: Happening) -> Item:
    word = next((word for word in happening.words for kind in rule.kinds if _called(kind, (word,))), happening.words[0])
    exact = happening.words[0] if word in {"alarm", "event"} else word
    return Item(
        happening.id, exact, happening.camera, happening.from_us, happening.says, False, happening.link, happening.grave
    )
