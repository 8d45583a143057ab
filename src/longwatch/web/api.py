"""How routes are added: with a policy, always, and with the errors that each may answer documented."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import FastAPI
from starlette.responses import JSONResponse

from longwatch.web.model import Model
from longwatch.web.policy import Policy, declare

_E = TypeVar("_E", bound=Callable[..., Any])
MOST_BODY_BYTES = 64 << 10


class Problem(Model):
    """Every error: what failed, why, and what to do next."""

    what: str
    why: str
    remedy: str


class Api:
    """A thin front of FastAPI's router that cannot forget the policy.

    What is only documented of a route (its answers and their models) is kept aside until somebody asks for the description: FastAPI would
    build a validator for each answer of each route when the server starts, a thousand of them, and none would ever be used.
    """

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._described: dict[str, Any] | None = None
        self._routes: list[tuple[str, Any, dict[str, Any]]] = []

    def described(self) -> dict[str, Any]:
        """The OpenAPI description of all routes; made once."""
        if self._described is None:
            whole = FastAPI(title=self._app.title, version=self._app.version)
            for path, endpoint, documented in self._routes:
                whole.add_api_route(path, endpoint, **documented)
            self._described = whole.openapi()
        return self._described

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

    def put(self, path: str, policy: Policy, **documented: Any) -> Callable[[_E], _E]:
        """PUT; its body is at most 64 KiB."""

        def add(endpoint: _E) -> _E:
            self._add("PUT", path, endpoint, policy, documented)
            return endpoint

        return add

    def delete(self, path: str, policy: Policy, **documented: Any) -> Callable[[_E], _E]:
        """DELETE; a reason, where one is asked for, is in its body, which is at most 64 KiB."""

        def add(endpoint: _E) -> _E:
            self._add("DELETE", path, endpoint, policy, documented)
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
        if method in {"POST", "PUT", "DELETE"}:
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
        documented.setdefault("max_body_size", MOST_BODY_BYTES)
        documented["methods"] = [method]
        self._app.add_api_route(path, endpoint, **documented)
        if documented.get("include_in_schema", True):
            self._routes.append((path, endpoint, {**documented, "responses": responses}))
