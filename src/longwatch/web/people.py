"""Who does what by a request, for the ledger: names, addresses and programs go beside it, never into it (docs/design/people.md)."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from longwatch.accounts import STRANGER, Look, Who
from longwatch.ledger import kinds
from longwatch.model.sessions import StreamKey
from longwatch.web.deps import Deps
from longwatch.web.guard import grant_of, principal_of

_SHOWN = frozenset({"video", "audio", "image"})


def address_of(connection: HTTPConnection) -> str:
    """Where a request comes from; a trusted proxy's word included."""
    return connection.client.host if connection.client else ""


def agent_of(connection: HTTPConnection) -> str:
    """The program that asks, as it says."""
    return connection.headers.get("user-agent", "")


def who_of(connection: HTTPConnection) -> Who:
    """Whoever the guard let in. With a signed URL: whoever signed it, at the address that uses it."""
    address, agent = address_of(connection), agent_of(connection)
    principal = principal_of(connection)
    if principal is not None:
        named = {"user" if principal.kind == "user" else "token": principal.name}
        return Who(principal.subject, address=address, agent=agent, **named)
    grant, signer = grant_of(connection), connection.scope.get("longwatch.signer")
    if grant is None or not isinstance(signer, int):
        return Who(STRANGER, address=address, agent=agent)
    kind, _, name = grant.owner.partition(":")
    return Who(signer, address=address, agent=agent, **{"user" if kind == "user" else "token": name})


async def enter_look(
    deps: Deps, request: Request, key: StreamKey, what: str, from_us: int, to_us: int, *, goes_on: bool = False
) -> None:
    """Before anything is shown: what is about to be seen. What lies ahead was not seen."""
    now_us = deps.clock.wall_us()
    look = Look(key.stream, what, min(from_us, now_us), min(to_us, now_us), grant_of(request) is not None)
    await deps.accounts.journal.looked(who_of(request), key.camera, look, goes_on=goes_on)


async def enter_looks(deps: Deps, request: Request, what: str, stretches: Sequence[tuple[StreamKey, int, int]]) -> None:
    """The same of several cameras, as one."""
    now_us, signed = deps.clock.wall_us(), grant_of(request) is not None
    looks = [
        (key.camera, Look(key.stream, what, min(from_us, now_us), min(to_us, now_us), signed))
        for key, from_us, to_us in stretches
    ]
    await deps.accounts.journal.looked_at(who_of(request), looks)


async def enter_part(deps: Deps, request: Request, key: StreamKey, from_us: int, to_us: int) -> None:
    """A part of a playlist: nothing new, where the playlist itself was entered. from_us, to_us: of what is in the part, not of what its
    URL says: that anybody may write.
    """
    look = Look(key.stream, "playlist", from_us, to_us, grant_of(request) is not None)
    await deps.accounts.journal.looked(who_of(request), key.camera, look, part=True)


async def enter_video(deps: Deps, request: Request, answer: Response, key: StreamKey, from_us: int, to_us: int) -> None:
    """`video.mp4`: viewing where it is played (an element of a page, or in ranges, as players ask), an export where the whole
    file goes out. Nothing, where no media goes out.
    """
    if request.method == "HEAD" or answer.status_code not in {200, 206}:
        return
    if request.headers.get("sec-fetch-dest") in _SHOWN or answer.status_code == 206:
        await enter_look(deps, request, key, "recorded", from_us, to_us)
        return
    now_us = deps.clock.wall_us()
    body = kinds.export_begun(key, min(from_us, now_us), min(to_us, now_us), evidence=False)
    if grant_of(request) is not None:
        body["signed"] = True
    await deps.accounts.journal.say_once(kinds.EXPORT_BEGUN, body, who_of(request))
