"""Messages to people: what was sent and what became of it, trials, acknowledging, and one's own browsers. docs/design/notify.md."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Annotated, Any

from fastapi import Path, Query
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from longwatch.accounts import Principal, Right
from longwatch.base.errors import UsageError
from longwatch.base.messages import language_of
from longwatch.base.rfc3339 import format_us
from longwatch.base.secrets import scrub
from longwatch.notify import Rule
from longwatch.notify.browsers import Browser, check_endpoint, check_keys
from longwatch.notify.desk import Desk
from longwatch.notify.options import PUSH
from longwatch.notify.push_key import key_at, public_text
from longwatch.notify.week import Hours
from longwatch.web.api import Api, Problem
from longwatch.web.deps import Deps
from longwatch.web.errors import RefusedError
from longwatch.web.guard import principal_of
from longwatch.web.models_notify import BrokerTrial, Made, Message, Messages, OwnPush, PushAdded, PushBrowser, Telling
from longwatch.web.people import agent_of
from longwatch.web.policy import ADMINISTER, OPERATE, SIGNED_IN
from longwatch.web.times import cursor_of, read_cursor, written

MessageId = Annotated[str, Path(alias="id", pattern="^[0-9]{1,15}$", description="as in /api/v1/notifications")]
BrowserId = Annotated[str, Path(alias="id", pattern="^[0-9]{1,15}$", description="as in /api/v1/me/push")]
ChannelName = Annotated[str, Path(alias="name", max_length=40, pattern="^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$")]
_MOST_TRIALS = 5
_TRIALS_US = 60_000_000


def register(api: Api, deps: Deps) -> None:
    """notify, notifications, me/push."""
    _of_admins(api, deps)
    _of_everybody(api, deps)
    _acknowledging(api, deps)


def _desk(deps: Deps) -> Desk:
    if deps.notify is None:
        raise RefusedError(503, "nobody is told anything from here", remedy="start the server in full")
    return deps.notify


def _whole(request: Request, deps: Deps) -> Desk:
    """About every camera, so for whoever administers all of them."""
    principal = principal_of(request)
    if principal is None or principal.cameras is not None:
        raise RefusedError(403, "this is about every camera", remedy="ask somebody who administers all of them")
    return _desk(deps)


class _Trials:
    """A few a minute of each way: one that is tried again and again is a flood at somebody's door."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._lately: dict[str | int, list[int]] = {}

    def take(self, what: str | int) -> None:
        """Raises RefusedError."""
        now_us = self._deps.clock.boottime_us()
        lately = {
            each: [at_us for at_us in times if now_us - at_us < _TRIALS_US] for each, times in self._lately.items()
        }
        self._lately = {each: times for each, times in lately.items() if times}
        if len(self._lately.get(what, ())) >= _MOST_TRIALS:
            raise RefusedError(429, "too many trials", remedy="wait a minute")
        self._lately.setdefault(what, []).append(now_us)


def _of_admins(api: Api, deps: Deps) -> None:
    trials = _Trials(deps)

    @api.get("/api/v1/notify", ADMINISTER, responses={200: {"model": Telling}})
    async def telling(request: Request) -> Response:
        """Channels and how they are, rules and recipients as the settings have them. No address of a channel."""
        desk, state = _whole(request, deps), (await deps.status.now()).telling
        held = desk.held_back()
        return JSONResponse(
            {
                "channels": [
                    {
                        "name": one.name, "kind": one.kind, "dead": one.dead, "failing": one.failing, "since": written(one.since_us),
                        "problem": scrub(one.problem), "waiting": one.waiting, "oldest": written(one.oldest_us), "sent": one.sent,
                        "failed": one.failed, "summarised": one.summarised,
                    }
                    for one in state.channels
                ],
                "rules": [_rule(rule, held.get(rule.name, 0)) for rule in desk.options.rules],
                "recipients": [
                    {"name": one.name, "channels": list(one.channels), "quiet": _hours(one.quiet), "user": one.user}
                    for one in desk.options.recipients
                ],
                "broker": None
                if state.broker is None
                else {
                    "connected": state.broker.connected, "problem": scrub(state.broker.problem), "since": written(state.broker.since_us),
                    "published": state.broker.published, "dropped": state.broker.dropped,
                },
                "browsers": state.browsers,
                "address": desk.options.address,
            }
        )  # fmt: skip

    @api.get("/api/v1/notifications", ADMINISTER, responses={200: {"model": Messages}})
    async def messages(
        request: Request,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        cursor: Annotated[str | None, Query(max_length=200, description="`next` of the answer before")] = None,
    ) -> Response:
        """What was told, and what became of it; the newest first."""
        rows = await _whole(request, deps).listed(None if cursor is None else _number(cursor), limit + 1)
        rest = cursor_of(rows[limit - 1]["id"]) if len(rows) > limit else None
        return JSONResponse({"items": [_message(row) for row in rows[:limit]], "next": rest})

    @api.get("/api/v1/notifications/{id}", ADMINISTER, responses={200: {"model": Message}, 404: {"model": Problem}})
    async def message(request: Request, number: MessageId) -> Response:
        """One, with each attempt."""
        row = await _whole(request, deps).one(int(number))
        if row is None:
            raise RefusedError(404, f"there is no message {number}", remedy="see /api/v1/notifications")
        return JSONResponse(_message(row))

    @api.post(
        "/api/v1/notify/channels/{name}/test",
        ADMINISTER,
        status_code=202,
        responses={202: {"model": Made}, 404: {"model": Problem}, 429: {"model": Problem}},
    )
    async def test(request: Request, name: ChannelName) -> Response:
        """Send a trial message by this channel, a few a minute; what became of it stands in `/api/v1/notifications/{id}`."""
        desk = _whole(request, deps)
        if name == PUSH or name not in desk.pulses():
            raise RefusedError(
                404,
                f"there is no channel {name!r}",
                remedy="see /api/v1/notify; browsers are tried in one's own profile",
            )
        trials.take(f"channel {name}")
        return JSONResponse({"message": await desk.test(name, "trial")}, 202)

    @api.post(
        "/api/v1/notify/recipients/{name}/test",
        ADMINISTER,
        status_code=202,
        responses={202: {"model": Made}, 404: {"model": Problem}, 429: {"model": Problem}},
    )
    async def test_recipient(request: Request, name: ChannelName) -> Response:
        """Send a trial message to a person, or to whoever else a rule may name, by every way to them; a few a minute."""
        desk = _whole(request, deps)
        if all(one.name != name for one in desk.options.recipients):
            raise RefusedError(404, f"there is no recipient {name!r}", remedy="see /api/v1/notify")
        trials.take(f"recipient {name}")
        return JSONResponse({"message": await desk.test_recipient(name)}, 202)

    @api.post(
        "/api/v1/notify/broker/test", ADMINISTER,
        responses={200: {"model": BrokerTrial}, 404: {"model": Problem}, 429: {"model": Problem}},
    )  # fmt: skip
    async def test_broker(request: Request) -> Response:
        """Connect to the MQTT broker of the settings, say something and hear it again: answers within some ten seconds. A few a minute."""
        desk = _whole(request, deps)
        trials.take("the broker")
        said = None if desk.try_broker is None else await desk.try_broker()
        if said is None:
            raise RefusedError(404, "the settings name no broker", remedy="add `mqtt:`")
        return JSONResponse(
            {"why": said.why or None, "detail": said.detail, "took_ms": said.took_ms, "topic": said.topic}
        )

    @api.post("/api/v1/notify/channels/{name}/retry", ADMINISTER, status_code=204, response_class=Response)
    async def retry(request: Request, name: ChannelName) -> Response:
        """What waits there is tried now rather than later."""
        await _whole(request, deps).kick(name)
        return Response(status_code=204)


def _acknowledging(api: Api, deps: Deps) -> None:
    @api.post(
        "/api/v1/notifications/{id}/acknowledge",
        OPERATE,
        status_code=204,
        response_class=Response,
        responses={404: {"model": Problem}},
    )
    async def acknowledge(request: Request, number: MessageId) -> Response:
        """Somebody has seen it: it goes no further. Alarms themselves are acknowledged with a reason, at `/api/v1/alarms`."""
        principal = principal_of(request)
        assert principal is not None
        desk = _desk(deps)
        row = await desk.one(int(number))
        if row is None or not all(_may(principal, camera) for camera in row["cameras"]):
            if principal.cameras is not None:  # numbers tell nothing to who may not see all
                raise RefusedError(
                    403,
                    f"{principal.role} {principal.name!r} has no right to what this is about",
                    remedy="ask an admin",
                )
            raise RefusedError(404, f"there is no message {number}", remedy="see /api/v1/notifications")
        await desk.acknowledge(int(number), principal.subject)
        return Response(status_code=204)


def _may(principal: Principal, camera: str) -> bool:
    return principal.cameras is None if not camera else principal.may(Right.OPERATE, camera)


def _of_everybody(api: Api, deps: Deps) -> None:
    trials = _Trials(deps)

    @api.get("/api/v1/me/push", SIGNED_IN, responses={200: {"model": OwnPush}})
    async def own(request: Request) -> Response:
        """The browsers of whoever asks, and what a browser needs to become one."""
        person, desk = _person(request), _desk(deps)
        key = await asyncio.to_thread(key_at, desk.key)
        found = await deps.accounts.db.call(desk.browsers.of_user, person.id)
        told = any(_reaches(desk, name, person.name) for rule in desk.options.rules for name in rule.to)
        return JSONResponse({"key": public_text(key), "told": told, "browsers": [_browser(one) for one in found]})

    @api.post("/api/v1/me/push", SIGNED_IN, status_code=201, responses={201: {"model": PushAdded}})
    async def add(request: Request, body: PushBrowser) -> Response:
        """Tell this browser too. Messages go to it by its maker's service, encrypted."""
        person, desk = _person(request), _desk(deps)
        check_endpoint(body.endpoint, desk.options.push_services)
        check_keys(body.keys.p256dh, body.keys.auth)
        number = await deps.accounts.db.call(
            desk.browsers.add,
            person.id,
            body.endpoint,
            body.keys.p256dh,
            body.keys.auth,
            agent_of(request),
            deps.clock.wall_us(),
            language_of("", request.headers.get("accept-language", "")),
        )
        return JSONResponse({"id": number}, 201)

    @api.delete(
        "/api/v1/me/push/{id}", SIGNED_IN, status_code=204, response_class=Response, responses={404: {"model": Problem}}
    )
    async def remove(request: Request, number: BrowserId) -> Response:
        """Tell it no more."""
        if not await deps.accounts.db.call(_desk(deps).browsers.remove, _person(request).id, int(number)):
            raise RefusedError(404, f"there is no browser {number} of yours", remedy="see /api/v1/me/push")
        return Response(status_code=204)

    @api.post(
        "/api/v1/me/push/{id}/test", SIGNED_IN, status_code=202,
        responses={202: {"model": Made}, 404: {"model": Problem}, 429: {"model": Problem}},
    )  # fmt: skip
    async def test(request: Request, number: BrowserId) -> Response:
        """Send it a trial message; a few a minute."""
        person, desk = _person(request), _desk(deps)
        mine = await deps.accounts.db.call(desk.browsers.of_user, person.id)
        if int(number) not in {one.id for one in mine}:
            raise RefusedError(404, f"there is no browser {number} of yours", remedy="see /api/v1/me/push")
        trials.take(person.id)
        return JSONResponse({"message": await desk.test(PUSH, "trial", number)}, 202)


def _person(request: Request) -> Principal:
    principal = principal_of(request)
    assert principal is not None
    if principal.kind != "user":
        raise RefusedError(422, "a token is no person", why="this is about a person's own browsers", remedy="sign in")
    return principal


def _reaches(desk: Desk, name: str, user: str) -> bool:
    """Whether web push to this recipient goes to that user's browsers."""
    kinds = {one.name: one.kind for one in desk.options.channels}
    return any(
        one.name == name and one.user in {"", user} and any(kinds.get(channel) == PUSH for channel in one.channels)
        for one in desk.options.recipients
    )


def _browser(one: Browser) -> dict[str, Any]:
    mark = hashlib.sha256(one.endpoint.encode()).hexdigest()[:16]
    return {
        "id": one.id, "agent": one.agent, "created": format_us(one.created_us), "used": written(one.used_us), "mark": mark,
    }  # fmt: skip


def _message(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"], "rule": row["rule"], "to": row["recipient"], "why": row["why"], "title": scrub(row["title"]),
        "body": scrub(row["body"]), "link": row["link"], "grave": row["grave"], "count": row["count"], "held": row["held"],
        "made": format_us(row["made_us"]), "acknowledged": written(row["settled_us"]),
        "deliveries": [
            {
                "channel": way["channel"], "target": way["target"], "state": way["state"], "attempts": way["attempts"],
                "next": format_us(way["next_us"]) if way["state"] == "waiting" else None, "ended": written(way["ended_us"]),
                "problem": scrub(way["problem"]),
                "tries": [
                    {
                        "at": format_us(one["at_us"]), "took_ms": one["took_ms"], "outcome": one["outcome"],
                        "problem": scrub(one["problem"]),
                    }
                    for one in way.get("tries", [])
                ],
            }
            for way in row["deliveries"]
        ],
    }  # fmt: skip


def _rule(rule: Rule, held: int) -> dict[str, Any]:
    return {
        "name": rule.name, "to": list(rule.to), "kinds": list(rule.kinds), "cameras": list(rule.cameras), "zones": list(rule.zones),
        "hours": _hours(rule.hours), "group": rule.group_us / 1e6, "most": rule.most, "per": rule.per_us / 1e6,
        "repeat": rule.repeat_us / 1e6, "escalate": [{"after": step.after_us / 1e6, "to": list(step.to)} for step in rule.escalate],
        "ends": rule.ends, "urgent": rule.urgent, "held": held,
    }  # fmt: skip


def _hours(hours: tuple[Hours, ...]) -> list[dict[str, Any]]:
    return [{"days": sorted(one.days), "from_minute": one.from_minute, "to_minute": one.to_minute} for one in hours]


def _number(cursor: str) -> int:
    text = read_cursor(cursor)[0]
    if not text.isdecimal() or len(text) > 15:
        raise UsageError("the cursor is none of ours", remedy="use `next` of the answer before, unchanged")
    return int(text)
