"""Releases and roll-outs over HTTP, over the real desk: who may, what is a bundle, what is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from tests.support.site import Running, running_site
from tests.unit.node.hub.test_upgrades import POSTS, Case

from longwatch.accounts import Role
from longwatch.web.models_upgrades import Candidates, Release, Rollout, Upgrades

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    async with running_site(tmp_path_factory.mktemp("upgrades")) as running:
        running.tokens["gate admin"] = await running.accounts.add_token(
            "gate-admin", Role.ADMIN, frozenset({"ridge.gate"})
        )
        yield running


@pytest.fixture
def case(site: Running, tmp_path: Path):
    made = Case(tmp_path)
    made.uplinks.here |= set(POSTS)
    site.deps.upgrades = made.desk
    yield made
    made.hub.close()


async def ask(site: Running, method: str, path: str, token: str | None = "admin", **more: Any) -> httpx.Response:
    headers = {} if token is None else {"Authorization": f"Bearer {site.tokens[token]}"}
    async with httpx.AsyncClient() as client:
        return await client.request(method, f"{site.base}/api/v1/upgrades{path}", headers=headers, **more)


async def test_upgrades_are_for_admins_of_every_camera(site: Running, case: Case) -> None:
    calls = [
        ("GET", ""), ("POST", "/releases"), ("DELETE", f"/releases/{case.sha256}"), ("GET", f"/releases/{case.sha256}/posts"), ("POST", "/rollouts"),
        ("DELETE", "/rollouts/1"),
    ]  # fmt: skip
    order = {"sha256": case.sha256, "posts": POSTS, "reason": "x"}
    for method, path in calls:
        body: dict[str, Any] = (
            {"content": case.bundle.read_bytes()}
            if path == "/releases"
            else {"json": order if path == "/rollouts" else {"reason": "x"}}
        )
        for token, status in ((None, 401), ("operator", 403), ("inspector", 403), ("gate admin", 403)):
            assert (await ask(site, method, path, token, **({} if method == "GET" else body))).status_code == status, (
                method,
                path,
                token,
            )
    assert case.kinds() == []
    assert not list(case.desk.folder.glob("*"))
    site.deps.upgrades = None
    assert (await ask(site, "GET", "")).status_code == 404


async def test_a_bundle_is_uploaded_rolled_out_followed_and_stopped(site: Running, case: Case) -> None:
    added = await ask(site, "POST", "/releases", params={"reason": "new"}, content=case.bundle.read_bytes())
    assert added.status_code == 201, added.text
    found = Release.model_validate(added.json())
    assert (found.version, found.sha256, found.wheels, found.needs) == ("1.2.3", case.sha256, 1, 0)
    posts = Candidates.model_validate((await ask(site, "GET", f"/releases/{case.sha256}/posts")).json())
    assert [(one.id, one.cannot) for one in posts.items] == [(post, None) for post in POSTS]
    ordered = await ask(site, "POST", "/rollouts", json={"sha256": case.sha256, "posts": POSTS, "reason": "a fix"})
    assert ordered.status_code == 201, ordered.text
    rollout = Rollout.model_validate(ordered.json())
    assert [one.stage for one in rollout.posts] == ["queued"] * 3
    await case.desk.look()
    await case.says("east", "trial", stage="installing")
    shown = Upgrades.model_validate((await ask(site, "GET", "")).json())
    assert [one.stage for one in shown.rollouts[0].posts] == ["installing", "queued", "queued"]
    assert (shown.rollouts[0].reason, shown.releases[0].by) == ("a fix", "admin")
    busy = await ask(site, "DELETE", f"/releases/{case.sha256}", json={"reason": "old"})
    assert busy.status_code == 422
    assert (await ask(site, "DELETE", f"/rollouts/{rollout.id}", json={"reason": ""})).status_code == 422
    assert (await ask(site, "DELETE", f"/rollouts/{rollout.id}", json={"reason": "wrong one"})).status_code == 204
    assert (await ask(site, "DELETE", f"/rollouts/{rollout.id}", json={"reason": "again"})).status_code == 422
    assert (await ask(site, "DELETE", f"/releases/{case.sha256}", json={"reason": "old"})).status_code == 204
    assert (await ask(site, "GET", f"/releases/{case.sha256}/posts")).status_code == 422


async def test_a_bundle_may_be_as_large_as_a_link_carries(site: Running, case: Case) -> None:
    """A real one is 9 MB: it reaches the desk, which says what is wrong with this one, and is not cut off as a request that is too large."""
    answer = await ask(site, "POST", "/releases", content=b"x" * (9 << 20))
    assert (answer.status_code, "is no bundle" in answer.text) == (422, True), answer.text
    assert not list(case.desk.folder.glob(".*"))


async def test_what_is_no_bundle_leaves_nothing_behind(site: Running, case: Case) -> None:
    whole = case.bundle.read_bytes()
    for content in (b"", b"x", whole[:-30], whole[:300] + b"x" + whole[301:]):
        assert (await ask(site, "POST", "/releases", content=content)).status_code == 422
    assert not list(case.desk.folder.glob("*"))
    assert not list(case.desk.folder.glob(".*"))
    assert case.kinds() == []
    order = {"sha256": case.sha256, "posts": POSTS, "reason": "x"}
    wrong = [
        order,
        {**order, "posts": []},
        {**order, "posts": ["../x"]},
        {**order, "sha256": "x"},
        {**order, "more": 1},
        {**order, "reason": ""},
    ]
    for body in wrong:
        assert (await ask(site, "POST", "/rollouts", json=body)).status_code == 422
    for path in ("/releases/x", "/releases/../x", "/rollouts/x"):
        assert (await ask(site, "DELETE", path, json={"reason": "x"})).status_code in {404, 405, 422}
