"""How routes are added: with a policy, always, and with the errors that each may answer documented."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import FastAPI
from pydantic import BaseModel
from starlette.responses import JSONResponse

from longwatch.web.policy import Policy, declare

_E = TypeVar("_E", bound=Callable[..., Any])
MOST_BODY_BYTES = 64 << 10


class Problem(BaseModel):
    """Every error: what failed, why, and what to do next."""

    what: str
    why: str
    remedy: str


class Api:
    """A thin front of FastAPI's router that cannot forget the policy."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    def get(self, path: str, policy: Policy, *, head: bool = False, **documented: Any) -> Callable[[_E], _E]:
        """GET, and HEAD where asked for (undocumented: it is GET without the body)."""

        def add(endpoint: _E) -> _E:
            self._add("GET", path, endpoint, policy, documented)
            if head:
                self._add("HEAD", path, endpoint, policy, {**documented, "include_in_schema": False})
            return endpoint

        return add

    def post(self, path: str, policy: Policy, **documented: Any) -> Callable[[_E], _E]:
        """POST; its body is at most 64 KiB."""

        def add(endpoint: _E) -> _E:
            self._add("POST", path, endpoint, policy, documented)
            return endpoint

        return add

    def websocket(self, path: str, policy: Policy) -> Callable[[_E], _E]:
        """WS."""

        def add(endpoint: _E) -> _E:
            declare(endpoint, policy)
            self._app.add_api_websocket_route(path, endpoint)
            return endpoint

        return add

    def _add(self, method: str, path: str, endpoint: Any, policy: Policy, documented: dict[str, Any]) -> None:
        declare(endpoint, policy)
        statuses = {403, 422, 503} | (set() if policy.public else {401}) | ({404} if policy.camera else set())
        if method == "POST":
            statuses |= {400, 413}
        responses: dict[int | str, dict[str, Any]] = {status: {"model": Problem} for status in sorted(statuses)}
        responses |= documented.pop("responses", {})
        documented.setdefault("response_class", JSONResponse)
        documented.setdefault("response_model", None)
        if policy.right is not None and documented.get("include_in_schema", True):
            ways: list[dict[str, list[str]]] = [{"bearer": []}, {"cookie": []}]
            if policy.signed:
                ways.append({"signed": []})
            documented.setdefault("openapi_extra", {"security": ways})
        self._app.add_api_route(
            path, endpoint, methods=[method], responses=responses, max_body_size=MOST_BODY_BYTES, **documented
        )
