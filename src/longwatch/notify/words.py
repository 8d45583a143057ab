"""The words of a message: a title and a few lines, in the language of whoever reads them. Pure; bounded whatever comes in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from longwatch.base.messages import ENGLISH
from longwatch.base.secrets import scrub
from longwatch.model.said import Said, Words, first_of, has, in_words
from longwatch.notify.rules import Item, Message
from longwatch.notify.week import local

MOST_TITLE, MOST_BODY, MOST_LINE = 120, 2_400, 300
_MOST_COUNTED = 6
_OTHERS = {"alarm": "told.alarm", "event": "told.event", "other": "told.others", "all": "told.others"}


@dataclass(frozen=True, slots=True)
class Reader:
    """For whom it is written. names: of cameras, by id."""

    names: Mapping[str, str]
    language: str = ENGLISH
    timezone: str = "UTC"

    def _where(self, camera: str) -> str:
        return self.names.get(camera, camera)

    def title(self, message: Message, post: str) -> str:
        """One line."""
        if not message.items:
            return self._line(f"{post}: {self._say('told.happenings', n=message.count)}", MOST_TITLE)
        first = message.items[0]
        said = _at(name_of(first.word), self._where(first.camera))
        if first.over:
            said = Said("told.over", {"what": said})
        if message.count > 1:
            said = Said("told.more", {"what": said, "n": message.count - 1})
        if message.why in {"again", "escalated"}:
            said = Said(f"told.{message.why}", {"what": said})
        return self._line(f"{post}: {in_words(said, self.language)}", MOST_TITLE)

    def body(self, message: Message) -> str:
        """What happened, what is only counted, and what was held back."""
        lines = [self._item(item) for item in message.items]
        rest = message.count - len(message.items)
        if rest > 0:
            lines.append(self._line(self._say("told.rest", n=rest, counted=self._counted(message)), MOST_BODY))
        if message.held:
            lines.append(self._say("told.held", n=message.held, since=self._moment(message.since_us, "%H:%M")))
        return _cut("\n".join(lines), MOST_BODY)

    def summary(self, messages: int) -> str:
        """The title of what could not be delivered."""
        return self._say("told.summary", n=messages)

    def summary_rest(self, happenings: int) -> str:
        """What such a message has no room for."""
        return self._say("told.summaryRest", n=happenings)

    def trial(self, post: str) -> tuple[str, str]:
        """Title and body of a message that only tries a way."""
        return self._line(f"{post}: {self._say('told.trial')}", MOST_TITLE), self._say("told.trialSays")

    def _item(self, item: Item) -> str:
        says = item.says or _at(name_of(item.word), self._where(item.camera))
        return self._line(f"{self._moment(item.from_us, '%H:%M:%S')}  {in_words(says, self.language)}", MOST_LINE)

    def _counted(self, message: Message) -> str:
        most = sorted(message.counts, key=lambda each: -each[2])
        told = [
            f"{in_words(_at(name_of(word), self._where(camera)), self.language)}: {number}"
            for word, camera, number in most[:_MOST_COUNTED]
        ]
        beyond = sum(number for _, _, number in most[_MOST_COUNTED:])
        return "; ".join([*told, f"{self._say('told.others')}: {beyond}"] if beyond else told)

    def _moment(self, at_us: int, time: str) -> str:
        at = local(at_us, self.timezone)
        month = self._say("told.months").split(" ")[at.month - 1]
        return self._say("told.moment", day=f"{at.day:02}", month=month, time=at.strftime(time))

    def _say(self, key: str, **values: Words | float) -> str:
        return in_words(Said(key, values), self.language)

    def _line(self, text: str, most: int) -> str:
        return _cut(scrub(_plain(text)), most)


def name_of(word: str) -> Said:
    """What people call it."""
    if word in _OTHERS:
        return Said(_OTHERS[word])
    key, group = word.replace(".", "_"), word.partition(".")[0]
    return Said(first_of(f"notify.kind.{key}", f"events.kind.{key}", f"notify.kind.{group}"))


def named(word: str) -> bool:
    """Whether there are words for it."""
    return has(name_of(word).key)


def _at(what: Said, where: str) -> Said:
    return Said("told.at", {"what": what, "where": where}) if where else what


def _plain(text: str) -> str:
    """One line, whatever names hold that came from elsewhere: a title becomes a header of a mail."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
