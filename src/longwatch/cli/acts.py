"""`longwatch alarms`, `acknowledge`, `pause`, `resume` and `stop`."""

from __future__ import annotations

import re
from typing import Annotated, Any

import typer

from longwatch.base.errors import UsageError
from longwatch.base.rfc3339 import format_us
from longwatch.cli import options
from longwatch.cli.output import say, say_json, say_rows

_UNITS_S = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}
_MOST = 1000
Reason = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept with the entry, beside the ledger.")
]
MaybeReason = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why.")]
Camera = Annotated[str, typer.Argument(metavar="CAMERA")]


def add_to(app: typer.Typer) -> None:
    """Hang the verbs of this file into the tree."""
    for verb in (alarms, acknowledge, pause, resume, stop):
        app.command(verb.__name__)(verb)


def alarms(
    all_: Annotated[bool, typer.Option("--all", help="Also those that are over and dealt with.")] = False,
    config: options.Config = None,
    json: options.Json = False,
) -> None:
    """What was raised and is not over, or is over and nobody has acknowledged it; the newest first.

    Example: `longwatch alarms`
    """
    from longwatch.accounting.alarm_words import sentence
    from longwatch.archive import ArchiveReader
    from longwatch.config import find, load_lacking

    settings = load_lacking(find(config))
    reader = ArchiveReader(settings.volumes)
    try:
        found = reader.alarms(everything=all_, limit=_MOST)
    finally:
        reader.close()
    names = {camera.id: camera.name for camera in settings.cameras.values()}
    if json:
        say_json({"items": [_told(alarm, sentence(alarm, names.get(alarm.camera, ""))) for alarm in found]})
        return
    if not found:
        say("no alarm stands" if not all_ else "there was no alarm")
        return
    rows = [
        (str(alarm.id), format_us(alarm.raised_us), _state(alarm), sentence(alarm, names.get(alarm.camera, "")))
        for alarm in found
    ]
    say_rows(("id", "raised", "state", "what"), rows)
    if any(alarm.acknowledged is None for alarm in found):
        say("deal with one: longwatch acknowledge ID --reason TEXT")


def _state(alarm: Any) -> str:
    if alarm.acknowledged is not None:
        return "acknowledged" if alarm.ended_us is None else "over, acknowledged"
    return "stands" if alarm.ended_us is None else "over, not acknowledged"


def _told(alarm: Any, says: str) -> dict[str, Any]:
    by = alarm.acknowledged
    return {
        "id": alarm.id, "kind": str(alarm.kind), "camera": alarm.camera or None, "cause": alarm.cause or None,
        "evidence": dict(alarm.evidence), "raised": format_us(alarm.raised_us),
        "ended": None if alarm.ended_us is None else format_us(alarm.ended_us),
        "acknowledged": None if by is None else {"at": format_us(by.at_us), "by": by.by, "reason": by.reason, "entry": by.seq},
        "repeats": alarm.repeats, "says": says,
    }  # fmt: skip


def acknowledge(
    number: Annotated[int, typer.Argument(metavar="ID", min=1)],
    reason: Reason,
    config: options.Config = None,
    json: options.Json = False,
) -> None:
    """Deal with an alarm, and say why. It is not said again; what is wrong stays listed until it is over.

    Example: `longwatch acknowledge 7 --reason "the electrician is at work until noon"`
    """
    answer = _act(config, "acknowledge", reason, alarm=number)
    _say(answer, f"alarm {number} is acknowledged: entry {answer['seq']}", json=json)


def pause(
    camera: Camera,
    reason: Reason,
    for_: Annotated[
        str | None, typer.Option("--for", metavar="TIME", help="As 90s, 30m, 2h or 1d. Default: until resumed.")
    ] = None,
    privacy: Annotated[
        bool, typer.Option("--privacy", help="For somebody's privacy: the session with the camera ends, live view too.")
    ] = False,
    config: options.Config = None,
    json: options.Json = False,
) -> None:
    """Record nothing of a camera, for a while or until it is resumed. The gap's cause says so.

    Example: `longwatch pause gate --reason "roof is being mended" --for 2h`
    """
    seconds = None if for_ is None else _seconds(for_)
    answer = _act(config, "pause", reason, camera=camera, for_s=seconds, privacy=privacy)
    until = "until it is resumed" if answer["until_us"] is None else f"until {format_us(answer['until_us'])}"
    _say(answer, f"{camera} is paused {until}: entry {answer['seq']}", json=json)


def resume(
    camera: Camera, reason: MaybeReason = None, config: options.Config = None, json: options.Json = False
) -> None:
    """Record a paused camera again.

    Example: `longwatch resume gate`
    """
    answer = _act(config, "resume", reason or "", camera=camera)
    _say(answer, f"{camera} is recorded again: entry {answer['seq']}", json=json)


def stop(reason: Reason, config: options.Config = None, json: options.Json = False) -> None:
    """Stop recorder, server and `longwatch run` in order, with an entry that says who and why.

    Example: `longwatch stop --reason "moving the cabinet"`
    """
    from longwatch.config import find, load_lacking
    from longwatch.node.by_recorder.acts import stop as do

    path = find(config)
    answer = do(load_lacking(path).volumes, path, reason=reason, person=_person())
    _say(answer, f"stopped: entry {answer['seq']}", json=json)


def _act(config: Any, kind: str, reason: str, **fields: Any) -> dict[str, Any]:
    from longwatch.config import find, load_lacking
    from longwatch.node.by_recorder.acts import act

    settings = load_lacking(find(config))
    return act(
        settings.volumes, settings.post.id, kind, frozenset(settings.cameras), reason=reason, person=_person(), **fields
    )


def _person() -> dict[str, object]:
    from longwatch.accounts.who import at_the_post

    return at_the_post().person()


def _say(answer: dict[str, Any], text: str, *, json: bool) -> None:
    if json:
        say_json({key.removesuffix("_us"): _moment(key, value) for key, value in answer.items()})
        return
    if answer.get("by") == "verb":
        text += "; no recorder runs, so it takes effect at the next start"
    say(text)


def _moment(key: str, value: Any) -> Any:
    return format_us(value) if key.endswith("_us") and value is not None else value


def _seconds(text: str) -> int:
    found = re.fullmatch(r"(\d{1,9})\s*(s|m|min|h|d)", text.strip())
    if found is None:
        raise UsageError(f"{text[:40]!r} is no length of time", remedy="write it as 90s, 30m, 2h or 1d")
    seconds = int(found[1]) * _UNITS_S[found[2]]
    if seconds == 0:
        raise UsageError("a pause lasts at least a second")
    return seconds
