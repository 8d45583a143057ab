"""One's own account over HTTP: password, open logins, preferences."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from tests.support.site import PASSWORD, Running, running_site

from longwatch.accounts import Role
from longwatch.accounts.preferences import MOST_NAMES
from longwatch.accounts.who import Who

pytestmark = pytest.mark.asyncio(loop_scope="module")
NEW = "another good one"


@pytest_asyncio.fixture(loop_scope="module")
async def site(tmp_path: Path):
    async with running_site(tmp_path) as running:
        await running.accounts.add_user("kari", PASSWORD, Role.VIEWER)
        yield running


async def signed_in(site: Running, name: str = "kari", agent: str = "Firefox") -> httpx.AsyncClient:
    client = site.client()
    client.headers["User-Agent"] = agent
    assert (await client.post("/api/v1/login", json={"name": name, "password": PASSWORD})).status_code == 200
    return client


async def test_a_new_password_asks_for_the_old_one_and_ends_the_other_logins(site: Running) -> None:
    here, elsewhere = await signed_in(site), await signed_in(site)
    wrong = await here.post("/api/v1/me/password", json={"old": "not this", "new": NEW})
    assert (wrong.status_code, wrong.json()["what"]) == (422, "the password is wrong")
    for bad in ("short", "kari-kari-kari", "qwertyuiop12", "longwatch2026!"):
        assert (await here.post("/api/v1/me/password", json={"old": PASSWORD, "new": bad})).status_code == 422
    assert (await elsewhere.get("/api/v1/me")).status_code == 200
    assert (await here.post("/api/v1/me/password", json={"old": PASSWORD, "new": NEW})).status_code == 204
    assert (await here.get("/api/v1/me")).status_code == 200
    assert (await elsewhere.get("/api/v1/me")).status_code == 401
    assert await site.accounts.login("kari", PASSWORD, "10.0.0.9") is None
    assert await site.accounts.login("kari", NEW, "10.0.0.9") is not None
    await here.aclose()
    await elsewhere.aclose()


async def test_the_old_password_cannot_be_guessed_from_an_open_page(site: Running) -> None:
    here = await signed_in(site)
    answers = [await here.post("/api/v1/me/password", json={"old": f"guess {n}", "new": NEW}) for n in range(12)]
    assert [answer.status_code for answer in answers] == [422] * 10 + [429] * 2
    await here.aclose()


async def test_open_logins_are_listed_and_end_one_by_one_and_all_at_once(site: Running) -> None:
    here, tablet, phone = [await signed_in(site, agent=agent) for agent in ("Firefox", "Tablet", "Phone")]
    site.clock.tick(3_600_000_000)
    assert (await phone.get("/api/v1/me")).status_code == 200
    items = (await here.get("/api/v1/me/sessions")).json()["items"]
    by_agent = {item["agent"]: item for item in items}
    assert {agent: item["here"] for agent, item in by_agent.items()} == {
        "Firefox": True,
        "Tablet": False,
        "Phone": False,
    }
    assert (by_agent["Phone"]["seen"], by_agent["Tablet"]["seen"]) == ("2026-01-01T01:00:00Z", "2026-01-01T00:00:00Z")
    assert (by_agent["Phone"]["by"], by_agent["Phone"]["address"]) == ("password", "127.0.0.1")
    assert (await here.delete(f"/api/v1/me/sessions/{by_agent['Tablet']['id']}")).status_code == 204
    assert (await here.delete(f"/api/v1/me/sessions/{by_agent['Tablet']['id']}")).status_code == 422
    assert [(await one.get("/api/v1/me")).status_code for one in (here, tablet, phone)] == [200, 401, 200]
    assert (await here.post("/api/v1/me/sign-out", json={"keep_this": True})).status_code == 204
    assert [(await one.get("/api/v1/me")).status_code for one in (here, phone)] == [200, 401]
    assert (await here.post("/api/v1/me/sign-out", json={})).status_code == 204
    assert (await here.get("/api/v1/me")).status_code == 401
    for one in (here, tablet, phone):
        await one.aclose()


async def test_where_a_login_came_from_is_gone_after_an_erasure(site: Running) -> None:
    here = await signed_in(site)
    subject = (await here.get("/api/v1/me")).json()["subject"]
    site.recorder.answers["erase"] = {"count": 1, "seq": 7, "gone_from_file": True, "left_behind": []}
    async with site.client("inspector") as inspector:
        asked = {"subject": subject, "reason": "asked by letter"}
        assert (await inspector.post("/api/v1/audit/erase", json=asked)).status_code == 200
    [item] = (await here.get("/api/v1/me/sessions")).json()["items"]
    assert (item["agent"], item["address"]) == ("", "")
    kept = b"".join(path.read_bytes() for path in site.recorder.path.parents[1].glob("server.db*"))
    assert b"Firefox" not in kept
    await here.aclose()


async def test_preferences_are_kept_as_they_came(site: Running) -> None:
    here = await signed_in(site)
    assert (await here.get("/api/v1/me/preferences/wall")).json() is None
    value = {"grid": [3, 2], "names": ["Møre", "\N{GRINNING FACE}"], "deep": {"a": None}}
    assert (await here.put("/api/v1/me/preferences/wall", json=value)).status_code == 204
    assert (await here.put("/api/v1/me/preferences/look", json="dark")).status_code == 204
    assert (await here.get("/api/v1/me/preferences/wall")).json() == value
    assert (await here.delete("/api/v1/me/preferences/wall")).status_code == 204
    assert (await here.get("/api/v1/me/preferences/wall")).json() is None
    assert (await here.get("/api/v1/me/preferences/look")).json() == "dark"
    large = await here.put("/api/v1/me/preferences/wall", json="x" * (64 << 10))
    assert large.status_code in {413, 422}
    surrogate = await here.put(
        "/api/v1/me/preferences/odd", content=b'"\\ud800"', headers={"Content-Type": "application/json"}
    )
    assert surrogate.status_code == 204
    for name in ("UPPER", "-x", "a" * 41, "a.b"):
        assert (await here.put(f"/api/v1/me/preferences/{name}", json=1)).status_code == 422
    for number in range(MOST_NAMES - 2):
        assert (await here.put(f"/api/v1/me/preferences/n{number}", json=1)).status_code == 204
    assert (await here.put("/api/v1/me/preferences/more", json=1)).status_code == 422
    assert (await here.put("/api/v1/me/preferences/n0", json=2)).status_code == 204
    await here.aclose()


async def test_nobody_reaches_what_is_somebody_elses(site: Running) -> None:
    kari, ada = await signed_in(site), await signed_in(site, "ada")
    await ada.put("/api/v1/me/preferences/wall", json="ada's")
    assert (await kari.get("/api/v1/me/preferences/wall")).json() is None
    assert (await kari.delete("/api/v1/me/preferences/wall")).status_code == 204
    assert (await ada.get("/api/v1/me/preferences/wall")).json() == "ada's"
    [session] = (await ada.get("/api/v1/me/sessions")).json()["items"]
    assert (await kari.delete(f"/api/v1/me/sessions/{session['id']}")).status_code == 422
    assert len((await kari.get("/api/v1/me/sessions")).json()["items"]) == 1
    assert (await ada.get("/api/v1/me")).status_code == 200
    for place in ("/api/v1/me/passkeys/1", "/api/v1/me/identities/1"):
        assert (await kari.delete(place)).status_code == 422
    await kari.aclose()
    await ada.aclose()


async def test_a_token_is_no_person(site: Running) -> None:
    async with site.client("admin") as token:
        assert (await token.get("/api/v1/me")).json()["kind"] == "token"
        for method, place in (
            ("GET", "/api/v1/me/sessions"), ("GET", "/api/v1/me/ways"), ("GET", "/api/v1/me/preferences/wall"),
            ("PUT", "/api/v1/me/preferences/wall"), ("POST", "/api/v1/me/sign-out"), ("POST", "/api/v1/me/password"),
        ):  # fmt: skip
            assert (await token.request(method, place, json={"old": "x", "new": "y"})).status_code == 422, place


async def test_a_password_is_not_asked_for_where_there_is_none(site: Running) -> None:
    """A user of a provider: no password opens the account, and none can be changed."""
    row = await site.accounts.add_user("oda", PASSWORD, Role.VIEWER)
    oda = await signed_in(site, "oda")
    tell = site.accounts.tell("password", "user", Who(0))
    site.accounts.store.change_user(row.subject, {"password": ""}, tell, ends=False)
    assert (await oda.get("/api/v1/me/ways")).json()["has_password"] is False
    assert (await oda.post("/api/v1/me/password", json={"old": "x", "new": NEW})).status_code == 422
    assert await site.accounts.login("oda", "", "10.0.0.9") is None
    await oda.aclose()
