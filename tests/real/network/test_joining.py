"""Hubs and posts as anyone would run them, joined by the command line."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from tests.support.asking import http
from tests.support.network import Hub, Network, Post, network
from tests.support.wait import until_now

from longwatch.ledger.checkpoint import open_note, parse_public_key
from longwatch.ledger.cosignature import cosigner_name, open_cosigned
from longwatch.trust import enrolment_of

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("joining")]


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    with network(tmp_path_factory.mktemp("network")) as made:
        yield made


@pytest.fixture(scope="module")
def hub(net: Network) -> Hub:
    return net.hub("hq")


@pytest.fixture(scope="module")
def ridge(net: Network, hub: Hub) -> Post:
    """Joined before it ever ran."""
    post = net.post("ridge", ["gate"], start=False)
    net.join(hub, post)
    post.start()
    return post


def test_a_hub_is_ready_without_a_camera(hub: Hub) -> None:
    until_now(lambda: hub.request("GET", "/readyz").json().get("ready") is True, "it is ready", 180)
    assert hub.get("/api/v1/cameras")["items"] == []
    assert hub.get("/api/v1/post")["role"] == "hub"


def test_a_post_that_joined_before_its_first_start_is_seen_with_its_cameras(hub: Hub, ridge: Post) -> None:
    found = hub.until_post("ridge", state="connected", cameras=1)
    assert found["last_contact"] is not None
    until_now(lambda: hub.post("ridge")["checkpoint"], "its ledger is verified", 180)
    until_now(
        lambda: [c for c in hub.get("/api/v1/cameras")["items"] if (c["id"], c["state"]) == ("ridge.gate", "recording")],
        "its camera is said to record", 120,
    )  # fmt: skip


def test_its_ledgers_head_is_countersigned_at_both_ends(hub: Hub, ridge: Post) -> None:
    hub.until_post("ridge", state="connected")
    until_now(lambda: hub.post("ridge")["checkpoint"], "its ledger is verified", 180)
    enrolment = enrolment_of(ridge.data)
    assert enrolment is not None
    key = parse_public_key(ridge.request("GET", "/api/v1/ledger/key").text)
    text = hub.request("GET", "/api/v1/posts/ridge/checkpoint").text
    assert open_cosigned(text, cosigner_name("hq"), enrolment.cosigner) > 1_600_000_000
    assert open_note(text, key).size > 0
    kept = ridge.data / "hub" / "cosigned"
    until_now(kept.exists, "the post keeps what the hub signed", 180)
    assert open_note(kept.read_text(), key).size > 0


def test_both_ledgers_say_who_joined_whom(hub: Hub, ridge: Post) -> None:
    until_now(lambda: ridge.entries("hub_joined"), "it is entered at the post", 180)
    assert [(e["body"]["hub"], e["body"]["site"]) for e in ridge.entries("hub_joined")] == [("hq", "ridge")]
    assert [entry["body"]["post"] for entry in hub.entries("post_joined")] == ["ridge"]
    assert "ridge" in [entry["body"]["post"] for entry in hub.entries("post_invited")]


def test_at_a_post_there_are_no_posts(ridge: Post) -> None:
    assert ridge.request("GET", "/api/v1/posts").status_code == 404
    assert ridge.run("hub", "posts").returncode == 2


def test_a_post_joins_while_it_runs_is_revoked_while_it_is_connected_and_comes_back(net: Network, hub: Hub) -> None:
    swamp = net.post("swamp")
    assert swamp.get("/api/v1/link")["joined"] is False
    said = hub.request("POST", "/api/v1/posts/swamp/invite", json={"reason": "a new tower"})
    assert said.status_code == 201
    until_now(lambda: hub.post("swamp").get("state") == "never", "it is listed as invited", 180)
    answer = swamp.verb("join", said.json()["code"])
    assert "swamp has joined the hub hq" in answer
    hub.until_post("swamp", state="connected")
    again = swamp.run("join", hub.invite("swamp"))
    assert again.returncode == 2
    assert "belongs to the hub hq" in again.stderr
    hub.verb("hub", "revoke", "swamp", "--reason", "stolen")
    found = hub.until_post("swamp", state="revoked")
    assert found["revoked"]["reason"] == "stolen"
    until_now(lambda: swamp.get("/api/v1/link")["state"] == "revoked", "the post knows", 240)
    swamp.verb("join", hub.invite("swamp"), "--leave", "--reason", "found again")
    hub.until_post("swamp", state="connected")
    assert hub.request("DELETE", "/api/v1/posts/swamp", json={"reason": "closed"}).status_code == 204
    hub.until_post("swamp", state="revoked")
    swamp.verb("join", "--leave", "--reason", "closed")
    until_now(lambda: swamp.get("/api/v1/link")["joined"] is False, "the post's server knows")
    swamp.stop()


def test_the_rights_to_posts(hub: Hub, ridge: Post) -> None:
    hub.until_post("ridge", state="connected")
    viewer = hub.verb("token", "add", "v", "--role", "viewer", "--camera", "ridge.gate").split()[-1]
    other = hub.verb("token", "add", "o", "--role", "operator", "--camera", "swamp.gate").split()[-1]

    def asked(method: str, path: str, token: str, **more: object) -> httpx.Response:
        return http().request(method, hub.base + path, headers={"Authorization": f"Bearer {token}"}, timeout=90, **more)  # type: ignore[arg-type]  # keywords of httpx

    assert [item["id"] for item in asked("GET", "/api/v1/posts", viewer).json()["items"]] == ["ridge"]
    assert "ridge" not in [item["id"] for item in asked("GET", "/api/v1/posts", other).json()["items"]]
    assert asked("GET", "/api/v1/posts/ridge", other).status_code == 404
    assert asked("GET", "/api/v1/posts/nowhere", other).status_code == 404
    assert asked("GET", "/api/v1/posts/ridge", viewer).status_code == 200
    assert asked("DELETE", "/api/v1/posts/ridge", viewer, json={"reason": "x"}).status_code == 403
    assert asked("POST", "/api/v1/posts/ridge/invite", other, json={}).status_code == 403
    assert http().get(f"{hub.base}/api/v1/posts").status_code == 401


def test_a_hub_above_a_hub_sees_its_posts_through_it(net: Network, hub: Hub, ridge: Post) -> None:
    top = net.hub("top")
    hub.until_post("ridge", state="connected")
    net.join(top, hub)
    top.until_post("hq", state="connected")
    found = top.until_post("ridge", 120, via=["hq"])
    assert found["name"]
    until_now(lambda: top.post("ridge")["checkpoint"], "its ledger is verified there too", 180)
    refused = top.run("hub", "invite", "ridge")
    assert refused.returncode == 2
    assert "belongs to the hub hq" in refused.stderr
    top.stop()


def test_a_server_that_is_killed_lets_its_posts_in_again(hub: Hub, ridge: Post) -> None:
    hub.until_post("ridge", state="connected")
    before = hub.post("ridge")["checkpoint"]["size"]
    hub.kill_server()
    until_now(hub._answers, "the hub answers again", 180)
    found = hub.until_post("ridge", 120, state="connected")
    assert found["checkpoint"]["size"] >= before
