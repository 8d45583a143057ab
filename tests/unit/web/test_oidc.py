"""Signing in by a provider of identities: a real one on loopback, right and wrong; and the local way in without it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import pytest_asyncio
from joserfc.jwk import RSAKey
from tests.support.provider import CLIENT, SECRET, FakeProvider, running_provider
from tests.support.site import PASSWORD, Running, running_site

from longwatch.accounts import Administration, Role, Who
from longwatch.accounts.identities import role_of
from longwatch.accounts.provider import ProviderOptions, is_safe
from longwatch.base.clock import ManualClock

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]
ROLES = (("chiefs", Role.INSPECTOR), ("rangers", Role.VIEWER))
CALLBACK = "/api/v1/login/oidc/callback"


@pytest_asyncio.fixture(loop_scope="module")
async def both(tmp_path: Path):
    clock = ManualClock()
    async with running_provider(clock) as provider:
        options = ProviderOptions(provider.issuer, CLIENT, SECRET, "Head office", role_claim="groups", roles=ROLES)
        async with running_site(tmp_path, clock=clock, provider=options) as site:
            yield site, provider


Both = tuple[Running, FakeProvider]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kept(tmp_path_factory: pytest.TempPathFactory):
    clock = ManualClock()
    async with running_provider(clock) as provider:
        options = ProviderOptions(provider.issuer, CLIENT, SECRET, "Head office", role_claim="groups", roles=ROLES)
        async with running_site(tmp_path_factory.mktemp("oidc"), clock=clock, provider=options) as site:
            yield site, provider


@pytest_asyncio.fixture(loop_scope="module")
async def shared(kept: Both):
    """One for the tests that let nobody in: what was known of the provider, and of tries, is forgotten by its age."""
    site, provider = kept
    site.clock.tick(3_700_000_000)
    provider.wrong, provider.say = {}, {}
    provider.asked.clear()
    return site, provider


async def way_back(one: httpx.AsyncClient, address: str) -> str:
    """What the browser brings back from the provider."""
    async with httpx.AsyncClient(timeout=20) as abroad:
        back = await abroad.get(address)
    assert back.status_code == 302
    parts = urlsplit(back.headers["location"])
    assert parts.path == CALLBACK
    return f"{parts.path}?{parts.query}"


async def enter(one: httpx.AsyncClient) -> httpx.Response:
    asked = await one.post("/api/v1/login/oidc")
    assert asked.status_code == 200, asked.text
    return await one.get(await way_back(one, asked.json()["address"]))


def went(answer: httpx.Response) -> str:
    assert answer.status_code == 303
    return answer.headers["location"]


@contextlib.asynccontextmanager
async def signed_in(site: Running, name: str) -> AsyncIterator[httpx.AsyncClient]:
    async with site.client() as one:
        assert (await one.post("/api/v1/login", json={"name": name, "password": PASSWORD})).status_code == 200
        yield one


async def entries(site: Running) -> list[dict[str, Any]]:
    await site.accounts.journal.settle(all_that_waits=True)
    await site.accounts.journal.deliver(site.deps.recorder)
    return site.recorder.taken


async def test_nobody_is_asked_before_somebody_signs_in_by_it(both: Both) -> None:
    site, provider = both
    async with site.client() as one:
        assert (await one.get("/api/v1/login/ways")).json()["provider"] == "Head office"
        assert (await one.post("/api/v1/login", json={"name": "ada", "password": PASSWORD})).status_code == 200
    assert provider.asked == []


@pytest.mark.parametrize("basic", [True, False])
async def test_somebody_with_a_role_at_the_provider_gets_an_account_of_their_own(both: Both, basic: bool) -> None:
    site, provider = both
    provider.basic = basic
    async with site.client() as one:
        answer = await enter(one)
        assert went(answer) == "/?way=in"
        assert "samesite=strict" in answer.headers["set-cookie"].lower()
        me = (await one.get("/api/v1/me")).json()
        assert (me["name"], me["role"], me["kind"]) == ("oda", "viewer", "user")
        [identity] = (await one.get("/api/v1/me/ways")).json()["identities"]
        assert (identity["issuer"], identity["provisioned"]) == (provider.issuer, True)
        assert (await one.delete(f"/api/v1/me/identities/{identity['id']}")).status_code == 422  # the only way in
        first = me["subject"]
    async with site.client() as one:
        await enter(one)
        assert (await one.get("/api/v1/me")).json()["subject"] == first
    told = [(entry["kind"], entry["body"].get("what"), entry["body"]["by"]) for entry in await entries(site) if entry["person"]["subject"] == first]  # fmt: skip
    assert told == [("account_changed", "added", "provider"), ("login", None, "oidc"), ("login", None, "oidc")]


async def test_an_account_of_the_same_name_is_somebody_elses(both: Both) -> None:
    """Neither name nor e-mail binds: only issuer and subject do."""
    site, provider = both
    provider.claims = {"sub": "u-2", "preferred_username": "ada", "email": "ada@example.org", "groups": ["chiefs"]}
    async with site.client() as one:
        await enter(one)
        me = (await one.get("/api/v1/me")).json()
        assert (me["name"], me["role"]) == ("ada (2)", "inspector")


async def test_the_role_follows_the_provider_and_its_end_ends_what_is_open(both: Both) -> None:
    site, provider = both
    async with site.client() as one, site.client() as other:
        await enter(one)
        provider.claims["groups"] = ["chiefs", "rangers"]
        await enter(other)
        assert (await one.get("/api/v1/me")).json()["role"] == "inspector"
        provider.claims["groups"] = []
        async with site.client() as third:
            assert went(await enter(third)) == "/?way=unknown"
            assert (await third.get("/api/v1/me")).status_code == 401
        assert (await one.get("/api/v1/me")).status_code == 401
        assert (await other.get("/api/v1/me")).status_code == 401


async def test_an_account_of_this_post_binds_an_identity_while_signed_in(both: Both) -> None:
    site, provider = both
    provider.claims = {"sub": "u-9"}
    await site.accounts.add_user("kari", PASSWORD, Role.OPERATOR, frozenset({"gate"}))
    async with signed_in(site, "kari") as kari:
        address = (await kari.post("/api/v1/me/identities")).json()["address"]
        assert went(await kari.get(await way_back(kari, address))) == "/#/profile"
        assert (await kari.get("/api/v1/me")).json()["name"] == "kari"
    async with site.client() as one:
        assert went(await enter(one)) == "/?way=in"
        me = (await one.get("/api/v1/me")).json()
        assert (me["name"], me["role"], me["cameras"]) == ("kari", "operator", ["gate"])
    async with signed_in(site, "ada") as ada:
        address = (await ada.post("/api/v1/me/identities")).json()["address"]
        assert went(await ada.get(await way_back(ada, address))) == "/#/profile?way=taken"


async def test_binding_asks_for_a_fresh_login(both: Both) -> None:
    site, _ = both
    async with signed_in(site, "ada") as ada:
        site.clock.tick(901_000_000)
        assert (await ada.post("/api/v1/me/identities")).status_code == 422


async def test_a_disabled_account_stays_out(both: Both) -> None:
    site, _ = both
    async with site.client() as one, site.client() as again:
        await enter(one)
        subject = (await one.get("/api/v1/me")).json()["subject"]
        await Administration(site.accounts).set_disabled(subject, Who(0), "left", disabled=True)
        assert went(await enter(again)) == "/?way=refused"
        assert (await again.get("/api/v1/me")).status_code == 401


async def test_a_way_back_that_another_browser_began_is_not_taken(shared: Both) -> None:
    """Login CSRF: the cookie of the one who began it is missing."""
    site, _ = shared
    async with site.client() as attacker, site.client() as victim:
        address = (await attacker.post("/api/v1/login/oidc")).json()["address"]
        back = await way_back(attacker, address)
        assert went(await victim.get(back)) == "/?way=again"
        assert (await victim.get("/api/v1/me")).status_code == 401
        assert went(await attacker.get(back)) == "/?way=again"  # it was used up


@pytest.mark.parametrize(
    "query", ["", "?state=", "?state=x&code=y", "?code=y", "?error=access_denied&state=" + "x" * 5000]
)
async def test_a_way_back_from_nowhere(shared: Both, query: str) -> None:
    site, provider = shared
    async with site.client() as one:
        assert went(await one.get(CALLBACK + query)) == "/?way=again"
    assert provider.asked == []


async def test_the_provider_lets_nobody_in(both: Both) -> None:
    site, provider = both
    provider.refuses = True
    async with site.client() as one:
        assert went(await enter(one)) == "/?way=refused"
    assert [entry["kind"] for entry in await entries(site)][-1] == "login_refused"


@pytest.mark.parametrize(
    "wrong",
    [
        {"nonce": "another"}, {"nonce": None}, {"aud": "another"}, {"aud": [CLIENT, "another"]}, {"iss": "http://127.0.0.1:1"},
        {"exp": 1_000}, {"exp": None}, {"iat": 4_000_000_000}, {"sub": None}, {"sub": ""}, {"sub": 5}, {"azp": "another"}, {"sub": "x" * 300},
    ],
    ids=str,
)  # fmt: skip
async def test_a_token_that_does_not_hold_opens_nothing(shared: Both, wrong: dict[str, Any]) -> None:
    site, provider = shared
    provider.wrong = wrong
    async with site.client() as one:
        assert went(await enter(one)) == "/?way=refused"
        assert (await one.get("/api/v1/me")).status_code == 401
    assert not [user for user in await Administration(site.accounts).users() if user.issuers]


async def test_a_token_that_somebody_else_signed_opens_nothing_and_a_new_key_is_learnt(both: Both) -> None:
    site, provider = both
    async with site.client() as one:
        provider.signs_with = RSAKey.generate_key(2048)
        assert went(await enter(one)) == "/?way=refused"
        provider.signs_with, provider.key = (
            None,
            RSAKey.generate_key(2048, {"kid": "new", "alg": "RS256", "use": "sig"}),
        )
        assert went(await enter(one)) == "/?way=in"


@pytest.mark.parametrize(
    "say",
    [
        {"issuer": "https://evil.example"}, {"issuer": None}, {"token_endpoint": "http://10.0.0.1/token"}, {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": None}, {"padding": "x" * 300_000},
    ],
    ids=lambda say: next(iter(say)),
)  # fmt: skip
async def test_a_provider_that_is_not_the_one_is_not_followed(shared: Both, say: dict[str, Any]) -> None:
    site, provider = shared
    provider.say = say
    async with site.client() as one:
        answer = await one.post("/api/v1/login/oidc")
        assert answer.status_code == 503
        assert SECRET not in answer.text
        assert set(provider.asked) == {"metadata"}


async def test_while_the_provider_is_away_the_local_way_goes_on(tmp_path: Path) -> None:
    options = ProviderOptions("http://127.0.0.1:9", CLIENT, SECRET)
    async with running_site(tmp_path, provider=options) as site, site.client() as one:
        away = await one.post("/api/v1/login/oidc")
        assert (away.status_code, away.json()["what"]) == (503, "the provider cannot be asked")
        assert away.json()["remedy"] == "sign in with your password meanwhile"
        assert (await one.post("/api/v1/login", json={"name": "ada", "password": PASSWORD})).status_code == 200


async def test_without_one_there_is_no_button_and_nobody_to_ask(tmp_path: Path) -> None:
    async with running_site(tmp_path) as site, site.client() as one:
        assert (await one.get("/api/v1/login/ways")).json()["provider"] is None
        assert (await one.post("/api/v1/login/oidc")).status_code == 503
        assert went(await one.get(CALLBACK + "?state=x&code=y")) == "/?way=away"


async def test_asking_is_bounded(both: Both) -> None:
    site, _ = both
    async with site.client() as one:
        answers = [(await one.post("/api/v1/login/oidc")).status_code for _ in range(25)]
    assert (answers[0], answers[-1]) == (200, 429)


@pytest.mark.parametrize(
    ("claim", "claims", "role"),
    [
        ("groups", {"groups": ["x", "rangers"]}, Role.VIEWER), ("groups", {"groups": "chiefs"}, Role.INSPECTOR),
        ("groups", {"groups": ["rangers", "chiefs"]}, Role.INSPECTOR), ("groups", {"groups": [["rangers"]]}, None), ("groups", {}, None),
        ("realm_access.roles", {"realm_access": {"roles": ["rangers"]}}, Role.VIEWER), ("realm_access.roles", {"realm_access": "rangers"}, None),
        ("", {"": ["rangers"]}, Role.VIEWER), ("groups", {"groups": {"rangers": True}}, None),
    ],
)  # fmt: skip
async def test_roles_come_from_the_claim_that_is_named(claim: str, claims: dict[str, Any], role: Role | None) -> None:
    assert role_of(ProviderOptions("https://x", CLIENT, SECRET, role_claim=claim, roles=ROLES), claims) is role


async def test_only_safe_places_are_asked() -> None:
    assert is_safe("https://login.example.org/token")
    assert is_safe("http://127.0.0.1:8080/token")
    for url in ("http://login.example.org", "file:///x", "", None, "https://", "https://[", "ftp://localhost"):
        assert not is_safe(url)


async def test_what_is_asked_for_says_nothing_but_what_it_must(shared: Both) -> None:
    site, _ = shared
    async with site.client() as one:
        address = (await one.post("/api/v1/login/oidc")).json()["address"]
    asked = parse_qs(urlsplit(address).query)
    assert set(asked) == {
        "response_type", "client_id", "redirect_uri", "scope", "state", "nonce", "code_challenge", "code_challenge_method",
    }  # fmt: skip
    assert asked["redirect_uri"] == [site.base + CALLBACK]
