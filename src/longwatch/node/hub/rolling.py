"""How a release is rolled out over posts: one tries it for all, the others follow once it was kept there, and the first that goes back stops the rest. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from longwatch.fleet import CommandRow

KEPT, RETURNED, REFUSED, LOST, OPEN = "kept", "returned", "refused", "lost", "open"
_ENDS = {
    "done": KEPT,
    "returned": RETURNED,
    "refused": REFUSED,
    "withdrawn": LOST,
    "withdrawing": LOST,
    "expired": LOST,
}
STAGES = ("waiting", "verifying", "installing", "trying", "switching", "trial")
"""As a post says them, in order."""


@dataclass(frozen=True, slots=True)
class Step:
    """give: posts that are to be told now. end: "" while it goes on, `done`, or `stopping`; why: for people."""

    give: tuple[str, ...] = ()
    end: str = ""
    why: str = ""


def end_of(command: CommandRow) -> str:
    """What became of it at its post."""
    return _ENDS.get(command.state, OPEN)


def step_of(posts: Sequence[tuple[str, int | None]], commands: Mapping[str, CommandRow]) -> Step:
    """posts: in order, each with the number of its command. commands: of those that were told, by post. One that is told and whose row is gone is lost."""
    ends = {
        post: LOST if (row := commands.get(post)) is None else end_of(row)
        for post, number in posts
        if number is not None
    }
    back = [post for post, end in ends.items() if end == RETURNED]
    if back:
        return Step(end="stopping", why=f"{back[0]} went back: {_why(commands[back[0]])}")
    first = posts[0][0]
    if first not in ends:
        return Step(give=(first,))
    if ends[first] in {REFUSED, LOST}:
        said = commands.get(first)
        return Step(end="stopping", why=f"{first} did not take it: {'it was not told' if said is None else _why(said)}")
    if ends[first] == OPEN:
        return Step()
    rest = tuple(post for post, number in posts if number is None)
    if rest:
        return Step(give=rest)
    return Step(end="done") if all(end != OPEN for end in ends.values()) else Step()


def _why(command: CommandRow) -> str:
    why = command.answer.get("why")
    return why[:300] if isinstance(why, str) and why else command.state


def stage_of(command: CommandRow | None, have: int | None, *, over: bool) -> str:
    """Where a post is with it: `queued` (its turn comes later), `waiting` (it is off), `told`, `travelling`, a stage as the post says it, or its end:
    `kept`, `returned`, `refused`, `withdrawn`, `expired`; `skipped` where its roll-out stopped before. have: bytes that it has, as far as it asked.
    """
    if command is None:
        return "skipped" if over else "queued"
    if command.state == "done":
        return KEPT
    if command.state not in {"sent", "trial"}:
        return "withdrawn" if command.state == "withdrawing" else command.state
    stage = command.answer.get("stage") if command.state == "trial" else None
    if stage in STAGES[1:]:
        return str(stage)
    return "travelling" if have is not None else "told"
