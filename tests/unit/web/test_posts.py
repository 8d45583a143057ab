"""Posts of a hub over HTTP: who sees which, who may say who belongs, and that a post has none."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import pytest_asyncio
from tests.support.site import Running, running_site

from longwatch.accounts import Role, Who
from longwatch.health import Snapshot
from longwatch.web.models_posts import Post

pytestmark = pytest.mark.asyncio(loop_scope="module")
END_US = 1_767_225_600_000_000


def item(post: str, **more: Any) -> dict[str, Any]:
    said = {
        "id": post,
        "name": post.title(),
        "via": [],
        "state": "connected",
        "since": None,
        "last_contact": None,
        "enrolled": "2026-01-01T00:00:00Z",
    }
    return said | {"problems": [], **more}  # fmt: skip


@dataclass
class Posts:
    """Two posts, and what was asked of them."""

    asked: list[tuple[str, ...]] = field(default_factory=list)

    def items(self) -> list[dict[str, Any]]:
        invited = item("swamp", state="never")
        del invited["enrolled"]
        return [item("far"), item("ridge", problems=[{"what": "disk", "why": "full", "remedy": "buy"}]), invited]

    def changes(self, since: str) -> tuple[list[dict[str, Any]], str, bool]:
        return (self.items()[1:], "e-2", False) if since == "e-1" else (self.items(), "e-2", True)

    def item(self, post: str) -> dict[str, Any] | None:
        return next((one for one in self.items() if one["id"] == post), None)

    def checkpoint(self, post: str) -> str | None:
        return "head\n" if post == "ridge" else None

    def snapshot(self, own: Snapshot) -> Snapshot:
        return own

    async def invite(self, post: str, who: Who, reason: str) -> tuple[str, int]:
        self.asked.append(("invite", post, who.token, reason))
        return "lw1-code", END_US

    async def statement(self, post: str, who: Who, reason: str) -> bytes:
        self.asked.append(("statement", post, who.token, reason))
        return b"PK"

    async def revoke(self, post: str, who: Who, reason: str) -> None:
        self.asked.append(("revoke", post, who.token, reason))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    async with running_site(tmp_path_factory.mktemp("posts")) as running:
        tokens = running.tokens
        for role in (Role.VIEWER, Role.ADMIN):
            tokens[f"ridge {role}"] = await running.accounts.add_token(f"r{role}", role, frozenset({"ridge.gate"}))
        yield running


@pytest.fixture
def posts(site: Running) -> Posts:
    made = Posts()
    site.deps.posts = made
    return made


async def ask(site: Running, method: str, path: str, token: str | None, **more: Any) -> httpx.Response:
    headers = {} if token is None else {"Authorization": f"Bearer {site.tokens[token]}"}
    async with httpx.AsyncClient() as client:
        return await client.request(method, f"{site.base}/api/v1{path}", headers=headers, **more)


async def test_a_list_shows_the_posts_whose_cameras_one_may_see(site: Running, posts: Posts) -> None:
    for token, seen in (("viewer", ["far", "ridge", "swamp"]), ("ridge viewer", ["ridge"]), ("gate-only", [])):
        answer = await ask(site, "GET", "/posts", token)
        assert [one["id"] for one in answer.json()["items"]] == seen
        for one in answer.json()["items"]:
            Post.model_validate(one)
    assert (await ask(site, "GET", "/posts", None)).status_code == 401
    assert (await ask(site, "GET", "/post", "viewer")).json()["role"] == "hub"


async def test_who_may_not_see_a_post_does_not_learn_that_it_is_there(site: Running, posts: Posts) -> None:
    for path in ("/posts/{}", "/posts/{}/checkpoint"):
        hidden = await ask(site, "GET", path.format("far"), "ridge viewer")
        absent = await ask(site, "GET", path.format("nowhere"), "ridge viewer")
        assert hidden.status_code == absent.status_code == 404
        assert hidden.json()["what"].replace("far", "") == absent.json()["what"].replace("nowhere", "")
    assert (await ask(site, "GET", "/posts/ridge", "ridge viewer")).json()["id"] == "ridge"
    assert (await ask(site, "GET", "/posts/ridge/checkpoint", "ridge viewer")).text == "head\n"
    assert (await ask(site, "GET", "/posts/far/checkpoint", "viewer")).status_code == 404


async def test_who_belongs_here_is_for_admins_of_everything(site: Running, posts: Posts) -> None:
    for token, status in ((None, 401), ("operator", 403), ("inspector", 403), ("ridge admin", 403), ("gate-only", 403)):
        assert (await ask(site, "POST", "/posts/ridge/invite", token, json={})).status_code == status
        assert (await ask(site, "DELETE", "/posts/ridge", token, json={"reason": "x"})).status_code == status
        if token in {None, "operator", "inspector"}:  # before a body that is none
            assert (await ask(site, "POST", "/posts/ridge/invite", token, content=b"{")).status_code == status
        assert (await ask(site, "POST", "/posts/ridge/statement", token, json={"reason": "x"})).status_code == status
    assert posts.asked == []
    invited = await ask(site, "POST", "/posts/new-post/invite", "admin", json={"reason": "a tower"})
    assert (invited.status_code, invited.json()) == (201, {"code": "lw1-code", "expires": "2026-01-01T00:00:00Z"})
    assert invited.headers["Cache-Control"] == "no-store"
    assert (await ask(site, "DELETE", "/posts/ridge", "admin", json={"reason": "stolen"})).status_code == 204
    stated = await ask(site, "POST", "/posts/ridge/statement", "admin", json={"reason": "burnt"})
    assert (stated.status_code, stated.content) == (200, b"PK")
    assert (await ask(site, "POST", "/posts/nowhere/statement", "admin", json={"reason": "burnt"})).status_code == 404
    assert posts.asked.pop() == ("statement", "ridge", "admin", "burnt")
    assert posts.asked == [("invite", "new-post", "admin", "a tower"), ("revoke", "ridge", "admin", "stolen")]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [("ridge", {}, 422), ("ridge", {"reason": ""}, 422), ("ridge", {"reason": "x", "more": 1}, 422), ("nowhere", {"reason": "x"}, 404),
     ("swamp", {"reason": "x"}, 404), ("A%20B", {"reason": "x"}, 422)],
)  # fmt: skip
async def test_what_cannot_be_revoked(
    site: Running, posts: Posts, path: str, body: dict[str, Any], status: int
) -> None:
    assert (await ask(site, "DELETE", f"/posts/{path}", "admin", json=body)).status_code == status
    assert posts.asked == []


async def test_a_post_has_none(site: Running) -> None:
    site.deps.posts = None
    for method, path in (
        ("GET", "/posts"),
        ("GET", "/posts/ridge"),
        ("POST", "/posts/ridge/invite"),
        ("DELETE", "/posts/ridge"),
    ):
        answer = await ask(site, method, path, "admin", **({} if method == "GET" else {"json": {"reason": "x"}}))
        assert answer.status_code == 404
        assert "this is a post" in answer.json()["what"]
    assert (await ask(site, "GET", "/post", "viewer")).json()["role"] == "post"
