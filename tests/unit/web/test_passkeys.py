"""Passkeys over HTTP, with an authenticator that does right and wrong."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from tests.support.authenticator import Authenticator, b64
from tests.support.site import PASSWORD, Running, running_site

from longwatch.accounts import Role

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def site(tmp_path: Path):
    async with running_site(tmp_path) as running:
        await running.accounts.add_user("kari", PASSWORD, Role.OPERATOR)
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kept(tmp_path_factory: pytest.TempPathFactory):
    async with running_site(tmp_path_factory.mktemp("passkeys")) as running:
        await running.accounts.add_user("kari", PASSWORD, Role.OPERATOR)
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def shared(kept: Running):
    """One for the tests of wrong answers: tries are forgotten by their age."""
    kept.clock.tick(120_000_000)
    return kept


def by_name(site: Running) -> str:
    """The same server by a name: an address has no passkeys."""
    return site.base.replace("127.0.0.1", "localhost")


def client(site: Running) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=by_name(site), timeout=20)


@contextlib.asynccontextmanager
async def signed_in(site: Running, name: str = "kari") -> AsyncIterator[httpx.AsyncClient]:
    async with client(site) as one:
        assert (await one.post("/api/v1/login", json={"name": name, "password": PASSWORD})).status_code == 200
        yield one


async def make(one: httpx.AsyncClient, device: Authenticator, name: str = "key") -> httpx.Response:
    asked = (await one.post("/api/v1/me/passkeys/options", json={"password": PASSWORD})).json()
    body = {"id": asked["id"], "credential": device.make(asked["publicKey"]), "name": name}
    return await one.post("/api/v1/me/passkeys", json=body)


async def enter(one: httpx.AsyncClient, device: Authenticator, **change: Any) -> httpx.Response:
    asked = (await one.post("/api/v1/login/passkey/options")).json()
    body = {"id": asked["id"], "credential": device.get(asked["publicKey"], **change)}
    return await one.post("/api/v1/login/passkey", json=body)


async def test_a_passkey_is_made_and_opens_without_a_name(site: Running) -> None:
    device = Authenticator(by_name(site))
    async with signed_in(site) as kari, client(site) as fresh:
        made = await make(kari, device, "  my\ttelephone ")
        assert (made.status_code, made.json()["name"], made.json()["host"]) == (200, "my telephone", "localhost")
        entered = await enter(fresh, device)
        assert (entered.status_code, entered.json()["name"], entered.json()["role"]) == (200, "kari", "operator")
        assert (await fresh.get("/api/v1/me")).json()["name"] == "kari"
        [key] = (await kari.get("/api/v1/me/ways")).json()["passkeys"]
        assert (key["here"], key["used"] is not None) == (True, True)
        assert "kari" not in b64(device.handle)
    await site.accounts.journal.deliver(site.deps.recorder)
    told = [(entry["kind"], entry["body"].get("by"), entry["body"].get("what")) for entry in site.recorder.taken]
    assert ("account_changed", "api", "passkey_added") in told
    assert ("login", "passkey", None) in told


async def test_the_password_is_asked_for_before_a_key_is_made(shared: Running) -> None:
    async with signed_in(shared) as kari:
        for password in ("", "wrong password"):
            asked = await kari.post("/api/v1/me/passkeys/options", json={"password": password})
            assert (asked.status_code, asked.json()["what"]) == (422, "the password is wrong")


async def test_an_answer_is_good_once(site: Running) -> None:
    device = Authenticator(by_name(site))
    async with signed_in(site) as kari, client(site) as fresh:
        assert (await make(kari, device)).status_code == 200
        asked = (await fresh.post("/api/v1/login/passkey/options")).json()
        body = {"id": asked["id"], "credential": device.get(asked["publicKey"])}
        assert (await fresh.post("/api/v1/login/passkey", json=body)).status_code == 200
        assert (await fresh.post("/api/v1/login/passkey", json=body)).status_code == 401
        late = (await fresh.post("/api/v1/login/passkey/options")).json()
        site.clock.tick(301_000_000)
        body = {"id": late["id"], "credential": device.get(late["publicKey"])}
        assert (await fresh.post("/api/v1/login/passkey", json=body)).status_code == 401


def _other_origin(device: Authenticator) -> None:
    device.origin = "https://evil.example"


def _other_host(device: Authenticator) -> None:
    device.host = "evil.example"


def _unverified(device: Authenticator) -> None:
    device.verifies = False


def _copied(device: Authenticator) -> None:
    device.count = -1  # a copy that has signed less often than the original


def _other_key(device: Authenticator) -> None:
    device.key = Authenticator("").key


def _other_user(device: Authenticator) -> None:
    device.handle = b"x" * 32


def _other_id(device: Authenticator) -> None:
    device.id = b"y" * 16


@pytest.mark.parametrize(
    "spoil", [_other_origin, _other_host, _unverified, _copied, _other_key, _other_user, _other_id]
)
async def test_an_answer_that_is_not_right_opens_nothing(
    shared: Running, spoil: Callable[[Authenticator], None]
) -> None:
    device = Authenticator(by_name(shared))
    async with signed_in(shared) as kari, client(shared) as fresh:
        assert (await make(kari, device)).status_code == 200
        assert (await enter(fresh, device)).status_code == 200
        fresh.cookies.clear()
        spoil(device)
        assert (await enter(fresh, device)).status_code == 401
        assert (await fresh.get("/api/v1/me")).status_code == 401


@pytest.mark.parametrize("spoil", [_other_origin, _unverified])
async def test_a_key_that_is_not_right_is_not_kept(shared: Running, spoil: Callable[[Authenticator], None]) -> None:
    device = Authenticator(by_name(shared))
    spoil(device)
    async with signed_in(shared, "ada") as ada:
        assert (await make(ada, device)).status_code == 422
        assert (await ada.get("/api/v1/me/ways")).json()["passkeys"] == []


@pytest.mark.parametrize(
    "credential",
    [
        {}, {"rawId": 5}, {"id": "", "rawId": "", "response": None}, {"id": "x", "rawId": "!!", "type": "public-key", "response": {}},
        {"id": "eQ", "rawId": "eQ", "type": "public-key", "response": {"clientDataJSON": "e30", "authenticatorData": "AA", "signature": "AA"}},
        {"id": "eQ", "rawId": "eQ", "type": "public-key", "response": {"clientDataJSON": "e30", "attestationObject": "oA"}},
    ],
)  # fmt: skip
async def test_nonsense_is_refused_and_never_an_error_of_ours(shared: Running, credential: dict[str, Any]) -> None:
    async with signed_in(shared) as kari, client(shared) as fresh:
        asked = (await fresh.post("/api/v1/login/passkey/options")).json()
        answer = await fresh.post("/api/v1/login/passkey", json={"id": asked["id"], "credential": credential})
        assert answer.status_code == 401
        asked = (await kari.post("/api/v1/me/passkeys/options", json={"password": PASSWORD})).json()
        body = {"id": asked["id"], "credential": credential, "name": ""}
        assert (await kari.post("/api/v1/me/passkeys", json=body)).status_code == 422


async def test_what_was_asked_of_one_is_not_answered_by_another(shared: Running) -> None:
    async with signed_in(shared) as kari, signed_in(shared, "ada") as ada:
        asked = (await kari.post("/api/v1/me/passkeys/options", json={"password": PASSWORD})).json()
        credential = Authenticator(by_name(shared)).make(asked["publicKey"])
        body = {"id": asked["id"], "credential": credential}
        assert (await ada.post("/api/v1/me/passkeys", json=body)).status_code == 422
        assert (await ada.get("/api/v1/me/ways")).json()["passkeys"] == []


async def test_several_keys_one_removed_and_the_password_shut_off(site: Running) -> None:
    first, second = Authenticator(by_name(site)), Authenticator(by_name(site))
    async with signed_in(site) as kari, client(site) as fresh:
        assert (await kari.put("/api/v1/me/passkey-only", json={"only": True})).status_code == 422
        keys = [(await make(kari, device)).json()["id"] for device in (first, second)]
        assert (await make(kari, first)).status_code == 422  # known already
        assert (await kari.put("/api/v1/me/passkey-only", json={"only": True})).status_code == 204
        shut = await fresh.post("/api/v1/login", json={"name": "kari", "password": PASSWORD})
        assert (shut.status_code, shut.json()["what"]) == (403, "this account signs in with a passkey only")
        assert (await fresh.post("/api/v1/login", json={"name": "kari", "password": "wrong"})).status_code == 401
        assert (await kari.delete(f"/api/v1/me/passkeys/{keys[0]}")).status_code == 204
        assert (await enter(fresh, first)).status_code == 401
        assert (await enter(fresh, second)).status_code == 200
        last = await kari.delete(f"/api/v1/me/passkeys/{keys[1]}")
        assert (last.status_code, last.json()["what"]) == (422, "this passkey is the only way in")
        assert (await kari.put("/api/v1/me/passkey-only", json={"only": False})).status_code == 204
        assert (await kari.delete(f"/api/v1/me/passkeys/{keys[1]}")).status_code == 204


async def test_by_an_address_there_are_none_and_it_says_why(site: Running) -> None:
    async with site.client() as at_address, client(site) as at_name:
        offer = (await at_address.get("/api/v1/login/ways")).json()["passkey"]
        assert offer == {"offered": False, "why": "address", "host": ""}
        assert (await at_address.post("/api/v1/login/passkey/options")).status_code == 422
        offer = (await at_name.get("/api/v1/login/ways")).json()["passkey"]
        assert offer == {"offered": True, "why": "", "host": "localhost"}
        named = {"Host": "north.example:8460"}
        assert (await at_address.get("/api/v1/login/ways", headers=named)).json()["passkey"]["why"] == "insecure"


async def test_asking_is_bounded(site: Running) -> None:
    async with client(site) as fresh:
        answers = [(await fresh.post("/api/v1/login/passkey/options")).status_code for _ in range(40)]
    assert (answers[0], answers[-1]) == (200, 429)
