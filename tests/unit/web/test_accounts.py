"""Users and tokens over HTTP: what an administrator does, what it does at once, and what nobody may do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from tests.support.site import PASSWORD, Running, running_site

from longwatch.accounts import Role

pytestmark = pytest.mark.asyncio(loop_scope="module")
WHY = {"reason": "as agreed on Monday"}


@pytest_asyncio.fixture(loop_scope="module")
async def site(tmp_path: Path):
    async with running_site(tmp_path) as running:
        yield running


async def users(client: httpx.AsyncClient) -> dict[str, dict[str, Any]]:
    answer = await client.get("/api/v1/users")
    assert answer.status_code == 200
    return {one["name"]: one for one in answer.json()["items"]}


async def entries(site: Running) -> list[dict[str, Any]]:
    """What the recorder has been told, as soon as it was."""
    await site.accounts.journal.deliver(site.deps.recorder)
    return site.recorder.taken


async def signed_in(site: Running, name: str, password: str = PASSWORD) -> httpx.AsyncClient:
    client = site.client()
    assert (await client.post("/api/v1/login", json={"name": name, "password": password})).status_code == 200
    return client


async def test_somebody_new_sets_their_own_password_with_a_code_once(site: Running) -> None:
    async with site.client("admin") as admin, site.client() as kari:
        made = (
            await admin.post("/api/v1/users", json={"name": "kari", "role": "operator", "cameras": ["gate"]})
        ).json()
        assert (await users(admin))["kari"]["code_until"] == made["until"]
        assert (await kari.post("/api/v1/login", json={"name": "kari", "password": ""})).status_code == 422
        assert (await kari.post("/api/v1/login", json={"name": "kari", "password": "x"})).status_code == 401
        easy = await kari.post("/api/v1/login/code", json={"code": made["code"], "password": "password1234"})
        assert (easy.status_code, easy.json()["what"]) == (422, "the password is too easy to guess")
        named = await kari.post("/api/v1/login/code", json={"code": made["code"], "password": "North-Ridge-1"})
        assert named.status_code == 422
        right = await kari.post("/api/v1/login/code", json={"code": made["code"].lower(), "password": PASSWORD})
        assert (right.status_code, right.json()["role"], right.json()["cameras"]) == (200, "operator", ["gate"])
        assert (await kari.get("/api/v1/me")).json()["name"] == "kari"
        again = await kari.post("/api/v1/login/code", json={"code": made["code"], "password": "another good one"})
        assert again.status_code == 401
        assert (await users(admin))["kari"] | {"created": ""} == {
            "subject": made["subject"], "name": "kari", "role": "operator", "cameras": ["gate"], "disabled": False, "created": "",
            "has_password": True, "passkey_only": False, "passkeys": 0, "issuers": [], "sessions": 1, "code_until": None,
        }  # fmt: skip
    told = [(e["kind"], e["body"].get("what")) for e in await entries(site) if e["body"].get("account", {}).get("subject") == made["subject"]]  # fmt: skip
    assert told == [("account_changed", "added"), ("account_changed", "code"), ("account_changed", "password")]


async def test_a_code_ends_by_itself(site: Running) -> None:
    async with site.client("admin") as admin, site.client() as kari:
        made = (await admin.post("/api/v1/users", json={"name": "kari", "role": "viewer"})).json()
        site.clock.tick(2 * 86_400_000_000)
        late = await kari.post("/api/v1/login/code", json={"code": made["code"], "password": PASSWORD})
        assert late.status_code == 401


async def test_rights_change_at_once_and_with_a_reason(site: Running) -> None:
    row = await site.accounts.add_user("kari", PASSWORD, Role.VIEWER)
    async with site.client("admin") as admin:
        kari = await signed_in(site, "kari")
        place = f"/api/v1/users/{row.subject}/rights"
        assert (
            await admin.put(place, json={"role": "operator", "cameras": ["gate"], "reason": " "})
        ).status_code == 422
        assert (await admin.put(place, json={"role": "operator", "cameras": ["attic"], **WHY})).status_code == 422
        assert (await admin.put(place, json={"role": "operator", "cameras": ["gate"], **WHY})).status_code == 204
        me = (await kari.get("/api/v1/me")).json()
        assert (me["role"], me["cameras"]) == ("operator", ["gate"])
        assert [camera["id"] for camera in (await kari.get("/api/v1/cameras")).json()["items"]] == ["gate"]
        await kari.aclose()
    [changed] = [entry for entry in await entries(site) if entry["body"].get("what") == "rights"]
    assert changed["body"]["account"] == {
        "kind": "user",
        "subject": row.subject,
        "role": "operator",
        "cameras": ["gate"],
    }
    assert WHY["reason"] in changed["person"]["text"]
    assert "kari" not in str(changed)


async def test_disabled_lets_nobody_in_and_says_so_to_whoever_knows_the_password(site: Running) -> None:
    row = await site.accounts.add_user("kari", PASSWORD, Role.VIEWER)
    async with site.client("admin") as admin:
        kari = await signed_in(site, "kari")
        place = f"/api/v1/users/{row.subject}/disabled"
        assert (await admin.put(place, json={"disabled": True, **WHY})).status_code == 204
        assert (await kari.get("/api/v1/me")).status_code == 401
        right = await kari.post("/api/v1/login", json={"name": "kari", "password": PASSWORD})
        assert (right.status_code, right.json()["what"]) == (403, "this account is disabled")
        assert (await kari.post("/api/v1/login", json={"name": "kari", "password": "wrong"})).status_code == 401
        assert (await admin.put(place, json={"disabled": False, **WHY})).status_code == 204
        assert (await kari.post("/api/v1/login", json={"name": "kari", "password": PASSWORD})).status_code == 200
        await kari.aclose()


async def test_a_reset_voids_the_password_and_ends_what_is_open(site: Running) -> None:
    row = await site.accounts.add_user("kari", PASSWORD, Role.VIEWER)
    async with site.client("admin") as admin:
        kari = await signed_in(site, "kari")
        reset = (await admin.post(f"/api/v1/users/{row.subject}/reset", json=WHY)).json()
        assert (await kari.get("/api/v1/me")).status_code == 401
        assert (await kari.post("/api/v1/login", json={"name": "kari", "password": PASSWORD})).status_code == 401
        code = {"code": reset["code"], "password": "another good one"}
        assert (await kari.post("/api/v1/login/code", json=code)).status_code == 200
        await kari.aclose()


async def test_the_last_administrator_cannot_lock_everybody_out(site: Running) -> None:
    """In whatever way: and a confined one, or one without a way in, is no administrator left."""
    async with site.client("admin") as admin:
        ada = (await users(admin))["ada"]["subject"]
        await admin.post("/api/v1/users", json={"name": "no way in yet", "role": "admin"})
        await site.accounts.add_user("confined", PASSWORD, Role.ADMIN, frozenset({"gate"}))
        off = await site.accounts.add_user("off", PASSWORD, Role.ADMIN)
        assert (
            await admin.put(f"/api/v1/users/{off.subject}/disabled", json={"disabled": True, **WHY})
        ).status_code == 204
        tries = [
            await admin.put(f"/api/v1/users/{ada}/rights", json={"role": "operator", **WHY}),
            await admin.put(f"/api/v1/users/{ada}/rights", json={"role": "admin", "cameras": ["gate", "yard"], **WHY}),
            await admin.put(f"/api/v1/users/{ada}/disabled", json={"disabled": True, **WHY}),
            await admin.post(f"/api/v1/users/{ada}/reset", json=WHY),
            await admin.post(f"/api/v1/users/{ada}/remove", json=WHY),
        ]
        for tried in tries:
            assert tried.status_code == 422
            assert tried.json()["what"] == "nobody would be left who can administer this post"
        assert (await users(admin))["ada"]["role"] == "admin"
        await site.accounts.add_user("eve", PASSWORD, Role.ADMIN)
        assert (await admin.post(f"/api/v1/users/{ada}/remove", json=WHY)).status_code == 204
        assert "ada" not in await users(admin)


async def test_a_token_is_said_once_and_ends_when_it_should(site: Running) -> None:
    async with site.client("admin") as admin:
        asked = {"name": "grafana", "role": "viewer", "cameras": ["gate"], "days": 30}
        made = (await admin.post("/api/v1/tokens", json=asked)).json()
        listed = {one["name"]: one for one in (await admin.get("/api/v1/tokens")).json()["items"]}
        assert listed["grafana"]["expires"] == "2026-01-31T00:00:00Z"
        assert made["token"] not in (await admin.get("/api/v1/tokens")).text
        async with site.client(made["token"]) as grafana:
            assert (await grafana.get("/api/v1/me")).json()["kind"] == "token"
            place = f"/api/v1/tokens/{listed['grafana']['subject']}/remove"
            assert (await admin.post(place, json=WHY)).status_code == 204
            assert (await grafana.get("/api/v1/me")).status_code == 401
            assert (await admin.post(place, json=WHY)).status_code == 404


async def test_who_is_confined_reaches_no_account_beyond_their_cameras(site: Running) -> None:
    """Neither to see, nor to change, nor to make one with more."""
    inside = await site.accounts.add_user("inside", PASSWORD, Role.VIEWER, frozenset({"gate"}))
    outside = await site.accounts.add_user("outside", PASSWORD, Role.VIEWER, frozenset({"gate", "yard"}))
    async with site.client("gate-only") as gate, site.client("admin") as admin:
        assert set(await users(gate)) == {"inside"}
        assert {one["name"] for one in (await gate.get("/api/v1/tokens")).json()["items"]} == {"gate-only"}
        ada = (await users(admin))["ada"]["subject"]
        viewer = next(
            one["subject"] for one in (await admin.get("/api/v1/tokens")).json()["items"] if one["name"] == "viewer"
        )
        for subject in (ada, outside.subject, 10**30):
            for place, body in (
                ("rights", {"role": "viewer", "cameras": ["gate"], **WHY}), ("disabled", {"disabled": True, **WHY}),
            ):  # fmt: skip
                assert (await gate.put(f"/api/v1/users/{subject}/{place}", json=body)).status_code == 404
            for place in ("reset", "sign-out", "remove"):
                assert (await gate.post(f"/api/v1/users/{subject}/{place}", json=WHY)).status_code == 404
        assert (await gate.post(f"/api/v1/tokens/{viewer}/remove", json=WHY)).status_code == 404
        for cameras in (None, ["gate", "yard"]):
            body = {"name": "more", "role": "viewer", "cameras": cameras}
            assert (await gate.post("/api/v1/users", json=body)).status_code == 403
            assert (await gate.post("/api/v1/tokens", json=body)).status_code == 403
            more = {"role": "admin", "cameras": cameras, **WHY}
            assert (await gate.put(f"/api/v1/users/{inside.subject}/rights", json=more)).status_code == 403
        own = {"role": "operator", "cameras": ["gate"], **WHY}
        assert (await gate.put(f"/api/v1/users/{inside.subject}/rights", json=own)).status_code == 204
