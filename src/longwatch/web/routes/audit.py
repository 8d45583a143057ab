"""Who did and who viewed what; and the end of the clear text of it. Reading is itself an entry.

Proportionate: an inspector sees all of it; who administers sees what is about accounts and acts, and of viewing only their own;
everybody else sees what is entered about themselves. docs/design/people.md says why.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Annotated, Any

from fastapi import Query
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from longwatch.accounts import Principal, Right, erase, subject_of
from longwatch.archive import Mention, Question
from longwatch.base.errors import UsageError
from longwatch.base.rfc3339 import format_us
from longwatch.base.secrets import scrub
from longwatch.ledger import kinds
from longwatch.web.api import Api, Problem
from longwatch.web.deps import Deps
from longwatch.web.errors import RefusedError
from longwatch.web.guard import principal_of
from longwatch.web.models import Audit, Erased, EraseRequest
from longwatch.web.people import who_of
from longwatch.web.places import check_camera
from longwatch.web.policy import AUDIT, VIEW_ASKED
from longwatch.web.times import From, To, cursor_of, read_cursor, span_us

PRIVATE = (
    kinds.VIEWING, kinds.EXPORT_BEGUN, kinds.EXPORT_MADE, kinds.EXPORT_TAKEN, kinds.EXPORT_DELETED, kinds.AUDIT_READ,
)  # fmt: skip
_MOST = 500
_NAMES = ("user", "token", "address", "agent", "reason")
Kinds = Annotated[
    list[Annotated[str, Query(pattern="^[a-z_]{1,40}$")]] | None, Query(alias="kind", max_length=10, description="may be repeated")
]  # fmt: skip


def register(api: Api, deps: Deps) -> None:
    """audit, audit/erase."""

    @api.get(
        "/api/v1/audit", VIEW_ASKED, responses={200: {"model": Audit}, 404: {"model": Problem}, 429: {"model": Problem}}
    )
    async def audit(
        request: Request,
        from_: From,
        to: To,
        camera: Annotated[str | None, Query(max_length=200)] = None,
        kind: Kinds = None,
        subject: Annotated[int | None, Query(ge=0, lt=1 << 53, description="the number of one person")] = None,
        newest: Annotated[bool, Query(description="the newest first")] = False,
        limit: Annotated[int, Query(ge=1, le=_MOST)] = 100,
        cursor: Annotated[str | None, Query(max_length=200, description="`next` of the answer before")] = None,
    ) -> Response:
        """Entries about people, in the order they happened or the newest first."""
        from_us, to_us = span_us(from_, to)
        principal = principal_of(request)
        assert principal is not None
        if camera is not None:
            await check_camera(deps, principal, camera)
        after = None if cursor is None else _after(cursor, from_us, to_us)
        asked, scope = _question(
            principal,
            Question(from_us, to_us, camera, kinds=kind, subject=subject, after=after, limit=limit + 1, newest=newest),
        )
        now_us = (
            deps.clock.wall_us()
        )  # what lies ahead is not there to be read; and a number of the ledger has its limit
        body: dict[str, object] = {"scope": scope, "from_us": min(from_us, now_us), "to_us": min(to_us, now_us)}
        if camera is not None:
            body["camera"] = camera
        if kind:
            body["kinds"] = sorted(set(kind))
        if subject is not None:
            body["subject"] = subject
        await deps.accounts.journal.say_once(kinds.AUDIT_READ, body, who_of(request))
        found = await deps.read_long(deps.index.audit, asked)
        rest = cursor_of(found[limit - 1].at_us, found[limit - 1].seq) if len(found) > limit else None
        return JSONResponse({"items": [_told(item) for item in found[:limit]], "scope": scope, "next": rest})

    @api.post("/api/v1/audit/erase", AUDIT, responses={200: {"model": Erased}})
    async def erase_text(request: Request, body: EraseRequest) -> Response:
        """Erase names, addresses and reasons behind one person's entries; the entries and their proofs stay."""
        principal = principal_of(request)
        assert principal is not None
        if principal.cameras is not None:
            raise RefusedError(403, "this is about every camera", remedy="ask someone who may audit all of them")
        if (body.subject is None) == (body.user is None):
            raise UsageError("say of whom", remedy="give either `subject` or `user`")
        subject = body.subject if body.user is None else await subject_of(deps.accounts, "user", body.user)
        assert subject is not None
        if subject == principal.subject:
            raise RefusedError(403, "nobody erases their own traces", remedy="ask another inspector")
        answer = await erase(deps.accounts, deps.recorder, subject, who_of(request), body.reason)
        return JSONResponse(
            {
                "entries": int(answer["count"]), "seq": answer["seq"], "gone_from_file": bool(answer["gone_from_file"]),
                "left_behind": [str(path).rpartition("/")[2] for path in answer["left_behind"]],
            }
        )  # fmt: skip


def _question(principal: Principal, asked: Question) -> tuple[Question, str]:
    """What this one may be told of it."""
    if principal.may(Right.AUDIT):
        return replace(asked, cameras=principal.cameras, own_subject=principal.subject), "all"
    if principal.may(Right.ADMINISTER):
        narrowed = replace(asked, cameras=principal.cameras, own_subject=principal.subject, private_kinds=PRIVATE)
        return narrowed, "rights"
    if asked.subject not in {None, principal.subject}:
        raise RefusedError(403, "you see what is entered about yourself", remedy="ask an inspector")
    return replace(asked, subject=principal.subject), "own"


def _after(cursor: str, from_us: int, to_us: int) -> tuple[int, int]:
    parts = read_cursor(cursor)
    if len(parts) != 2 or not all(part.isascii() and part.isdecimal() and len(part) <= 16 for part in parts):
        raise UsageError("the cursor is none of ours", remedy="use `next` of the answer before, unchanged")
    at_us, seq = int(parts[0]), int(parts[1])
    if not from_us <= at_us < to_us:
        raise UsageError("the cursor is not of this span", remedy="use `next` with the same from and to")
    return at_us, seq


def _told(item: Mention) -> dict[str, Any]:
    said = None
    if item.text is not None:
        words = json.loads(item.text)
        said = {name: scrub(words[name]) for name in _NAMES if isinstance(words.get(name), str)}
    return {
        "seq": item.seq,
        "at": format_us(item.at_us),
        "kind": item.kind,
        "camera": item.body.get("camera"),
        "subject": item.subject,
        "person": said,
        "erased": item.text is None,
        "body": {name: value for name, value in item.body.items() if name != "person"},
    }
