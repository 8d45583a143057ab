"""The words of a message: a title and a few lines, in plain English. Pure; bounded whatever comes in."""

from __future__ import annotations

from collections.abc import Mapping

from longwatch.base.secrets import scrub
from longwatch.notify.rules import Item, Message
from longwatch.notify.week import local

MOST_TITLE, MOST_BODY, MOST_LINE = 120, 2_400, 300
_MOST_COUNTED = 6
_NAMES: Mapping[str, str] = {
    "not_recording": "not recording", "switched_off": "switched off", "disk": "disk", "power": "power", "post_silent": "post silent",
    "unexplained": "unexplained gap", "accounting": "less is accounted for", "ledger": "ledger", "hold": "hold", "removed": "removed early",
    "detection": "detection", "channel": "messages", "motion": "motion", "motion.line": "line crossed", "motion.dwell": "somebody stays",
    "blind": "view hidden", "thermal.hot": "hot spot", "thermal.cold": "cold spot", "all": "happenings", "other": "others",
}  # fmt: skip


def name_of(word: str) -> str:
    """What people call it."""
    if word in _NAMES:
        return _NAMES[word]
    group, _, kind = word.partition(".")
    return (kind or group).replace("_", " ")


def title(message: Message, post: str, names: Mapping[str, str]) -> str:
    """One line. names: of cameras, by id."""
    if not message.items:
        return _cut(f"{post}: {message.count} happenings", MOST_TITLE)
    first = message.items[0]
    where = names.get(first.camera, first.camera)
    said = name_of(first.word) + (f" at {where}" if where else "")
    if first.over:
        said += " is over"
    if message.count > 1:
        said += f", and {message.count - 1} more"
    lead = {"again": "Still: ", "escalated": "Nobody has acknowledged: "}.get(message.why, "")
    return _cut(_plain(f"{post}: {lead}{said}"), MOST_TITLE)


def body(message: Message, timezone: str, names: Mapping[str, str]) -> str:
    """What happened, what is only counted, and what was held back."""
    lines = [_line(item, timezone, names) for item in message.items]
    rest = message.count - len(message.items)
    if rest > 0:
        lines.append(f"and {rest} more; in all {_counted(message, names)}")
    if message.held:
        since = local(message.since_us, timezone).strftime("%d %b %H:%M")
        messages = "1 message was" if message.held == 1 else f"{message.held} messages were"
        lines.append(f"{messages} held back since {since}; what they had to say is in this one.")
    return _cut("\n".join(lines), MOST_BODY)


def _line(item: Item, timezone: str, names: Mapping[str, str]) -> str:
    at = local(item.from_us, timezone).strftime("%d %b %H:%M:%S")
    says = item.says or f"{name_of(item.word)} at {names.get(item.camera, item.camera)}"
    return _cut(f"{at}  {scrub(_plain(says))}", MOST_LINE)


def _counted(message: Message, names: Mapping[str, str]) -> str:
    most = sorted(message.counts, key=lambda each: -each[2])
    told = [
        f"{number} {name_of(word)}" + (f" at {names.get(camera, camera)}" if camera else "")
        for word, camera, number in most[:_MOST_COUNTED]
    ]
    beyond = sum(number for _, _, number in most[_MOST_COUNTED:])
    return ", ".join([*told, f"{beyond} others"] if beyond else told)


def _plain(text: str) -> str:
    """One line, whatever names hold that came from elsewhere: a title becomes a header of a mail."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
