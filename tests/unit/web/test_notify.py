"""Messages to people over HTTP: who sees them, who acknowledges, and whose browsers are whose."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from tests.support.receivers import PushedBrowser
from tests.support.site import PASSWORD, Running, running_site
from tests.support.wait import until

from longwatch.accounting.alarm_words import sentence
from longwatch.accounts import Role
from longwatch.notify import ChannelOptions, Happening, Options, Phase, Recipient, Rule, Step
from longwatch.notify.desk import Desk
from longwatch.notify.mqtt_trial import Trial
from longwatch.notify.options import PUSH
from longwatch.notify.words import Reader

pytestmark = pytest.mark.asyncio(loop_scope="module")
SERVICE = "https://updates.push.services.mozilla.com/wpush/v2/"


@pytest_asyncio.fixture(loop_scope="module")
async def site(tmp_path: Path):
    async with running_site(tmp_path) as running:
        hook = ChannelOptions("hook", "webhook", "http://127.0.0.1:9/token-of-a-receiver", "a-secret-of-a-receiver")
        every = (ChannelOptions(PUSH, PUSH), hook)
        rule = Rule("all", ("hook",), group_us=0, escalate=(Step(60_000_000, (PUSH,)),))
        given = Options(
            "ridge",
            "Ridge",
            channels=every,
            recipients=tuple(Recipient(one.name, (one.name,)) for one in every),
            rules=(rule,),
        )
        assert running.deps.notify is not None
        await running.deps.notify.reload(given)
        await running.accounts.add_user("kari", PASSWORD, Role.VIEWER)
        yield running


async def told(site: Running, camera: str = "yard") -> int:
    """Number of a message about that camera."""
    desk, now_us = site.deps.notify, site.clock.wall_us()
    assert desk is not None
    desk.take(Happening("alarm/7", ("disk", "alarm"), Phase.BEGAN, now_us, now_us, camera, says="Something."))
    await desk.turn()
    return int((await desk.listed(None, 1))[0]["id"])


async def call(site: Running, who: str, method: str, path: str, **more: Any) -> httpx.Response:
    async with site.client(site.tokens[who]) as client:
        return await client.request(method, f"/api/v1/{path}", **more)


async def test_channels_are_an_admins(site: Running) -> None:
    for who in ("viewer", "operator", "gate-only"):
        for method, path in (
            ("GET", "notify"),
            ("GET", "notifications"),
            ("GET", "notifications/1"),
            ("POST", "notify/channels/hook/test"),
            ("POST", "notify/recipients/hook/test"),
            ("POST", "notify/channels/hook/retry"),
            ("POST", "notify/broker/test"),
        ):
            assert (await call(site, who, method, path)).status_code == 403, (who, path)
    found = await call(site, "admin", "GET", "notify")
    assert [one["name"] for one in found.json()["rules"]] == ["all"]
    assert "token-of-a-receiver" not in found.text
    assert "a-secret-of-a-receiver" not in found.text
    assert (await call(site, "admin", "POST", "notify/channels/nobody/test")).status_code == 404
    made = await call(site, "admin", "POST", "notify/channels/hook/test")
    assert made.status_code == 202
    one = (await call(site, "admin", "GET", f"notifications/{made.json()['message']}")).json()
    assert (one["why"], one["deliveries"][0]["channel"]) == ("test", "hook")
    assert (await call(site, "admin", "POST", "notify/channels/hook/retry")).status_code == 204
    assert (await call(site, "admin", "GET", "notifications?cursor=zzz")).status_code == 422


async def test_a_recipient_is_tried_by_every_way_to_them(site: Running) -> None:
    desk = site.deps.notify
    assert desk is not None
    ada = Recipient("ada", ("hook", PUSH), user="ada", language="fr")
    await desk.reload(replace(desk.options, recipients=(*desk.options.recipients, ada)))
    assert (await call(site, "admin", "POST", "notify/recipients/nobody/test")).status_code == 404
    made = await call(site, "admin", "POST", "notify/recipients/ada/test")
    assert made.status_code == 202
    one = (await call(site, "admin", "GET", f"notifications/{made.json()['message']}")).json()
    assert (one["why"], one["to"], [way["channel"] for way in one["deliveries"]]) == ("test", "ada", ["hook"])
    assert one["title"] == Reader({}, "fr").trial("Ridge")[0], "in their language"
    nobody = await call(site, "admin", "POST", "notify/recipients/push/test")
    told = (await call(site, "admin", "GET", f"notifications/{nobody.json()['message']}")).json()
    assert told["deliveries"] == [], "no browser was switched on: it is said that it reached nobody"


async def test_the_broker_is_tried_and_the_answer_says_what_is_wrong(site: Running) -> None:
    desk = site.deps.notify
    assert desk is not None
    none = await call(site, "admin", "POST", "notify/broker/test")
    assert (none.status_code, none.json()["what"]) == (404, "the settings name no broker")
    said = Trial("login", "[code:135] Not authorized", 12, "longwatch/ridge/trial")

    async def try_broker() -> Trial:
        return said

    desk.try_broker = try_broker
    told = {"why": "login", "detail": "[code:135] Not authorized", "took_ms": 12, "topic": "longwatch/ridge/trial"}
    assert (await call(site, "admin", "POST", "notify/broker/test")).json() == told
    said = replace(said, why="", detail="")
    assert (await call(site, "admin", "POST", "notify/broker/test")).json()["why"] is None
    codes = [(await call(site, "admin", "POST", "notify/broker/test")).status_code for _ in range(5)]
    assert codes[-1] == 429


async def test_messages_are_listed_page_by_page(site: Running) -> None:
    for n in range(5):
        desk, now_us = site.deps.notify, site.clock.wall_us()
        assert desk is not None
        desk.take(
            Happening(f"alarm/{n}", ("disk", "alarm"), Phase.BEGAN, now_us, now_us, "gate", says=f"Something {n}.")
        )
        await desk.turn()
    seen, cursor = [], ""
    while True:
        page = (await call(site, "admin", "GET", f"notifications?limit=2{cursor}")).json()
        seen += [item["body"].split("  ")[-1] for item in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert seen == [f"Something {n}." for n in reversed(range(5))]


async def test_who_may_not_see_it_all_acknowledges_no_message(site: Running) -> None:
    number = await told(site)
    assert (await call(site, "viewer", "POST", f"notifications/{number}/acknowledge")).status_code == 403
    for any_number in (number, 999_999):  # numbers tell nothing
        assert (await call(site, "gate-only", "POST", f"notifications/{any_number}/acknowledge")).status_code == 403
    assert (await call(site, "operator", "POST", "notifications/999999/acknowledge")).status_code == 404
    assert (await call(site, "operator", "POST", f"notifications/{number}/acknowledge")).status_code == 204
    assert (await call(site, "admin", "GET", f"notifications/{number}")).json()["acknowledged"] is not None
    assert (await call(site, "operator", "GET", f"notifications/{number}/acknowledge")).status_code in {404, 405}
    desk = site.deps.notify
    assert desk is not None
    before = len(await desk.listed(None, 100))
    site.clock.tick(120_000_000)
    await desk.turn()
    assert len(await desk.listed(None, 100)) == before  # it went no further


async def signed_in(site: Running, name: str) -> httpx.AsyncClient:
    client = site.client()
    assert (await client.post("/api/v1/login", json={"name": name, "password": PASSWORD})).status_code == 200
    return client


async def test_a_browser_is_its_users_alone(site: Running) -> None:
    ada, kari = await signed_in(site, "ada"), await signed_in(site, "kari")
    browser = PushedBrowser(SERVICE + "one")
    body = {"endpoint": browser.endpoint, "keys": {"p256dh": browser.p256dh, "auth": browser.auth}}
    number = (await kari.post("/api/v1/me/push", json=body)).json()["id"]
    own = (await kari.get("/api/v1/me/push")).json()
    assert ([one["id"] for one in own["browsers"]], own["told"], len(own["key"])) == ([number], False, 87)
    assert browser.endpoint not in (await kari.get("/api/v1/me/push")).text
    assert (await ada.get("/api/v1/me/push")).json()["browsers"] == []
    assert (await ada.delete(f"/api/v1/me/push/{number}")).status_code == 404
    assert (await ada.post(f"/api/v1/me/push/{number}/test")).status_code == 404
    answers = [(await kari.post(f"/api/v1/me/push/{number}/test")).status_code for _ in range(6)]
    assert answers == [202] * 5 + [429]
    assert (await kari.delete(f"/api/v1/me/push/{number}")).status_code == 204
    assert (await kari.delete(f"/api/v1/me/push/{number}")).status_code == 404
    assert (await call(site, "viewer", "GET", "me/push")).status_code == 422  # a token is no person
    await ada.aclose()
    await kari.aclose()


async def test_the_server_sends_nowhere_but_to_known_push_services(site: Running) -> None:
    kari, browser = await signed_in(site, "kari"), PushedBrowser("")
    keys = {"p256dh": browser.p256dh, "auth": browser.auth}
    for endpoint in (
        "http://127.0.0.1:8460/api/v1/me", "https://10.0.0.1/x", "https://fcm.googleapis.com.evil.example/x", "https://fcm.googleapis.com:8443/x",
        "https://user@fcm.googleapis.com/x", "https://evil.example/?fcm.googleapis.com", "file:///etc/passwd", "https://[", "not an address",
    ):  # fmt: skip
        answer = await kari.post("/api/v1/me/push", json={"endpoint": endpoint, "keys": keys})
        assert answer.status_code == 422, endpoint
    for wrong in (
        {"p256dh": "AAAA", "auth": browser.auth},
        {"p256dh": "B" + "A" * 86, "auth": browser.auth},  # 4, and 0 twice: no point of the curve
        {"p256dh": browser.p256dh, "auth": "é"},
        {"p256dh": browser.p256dh},
    ):
        assert (await kari.post("/api/v1/me/push", json={"endpoint": SERVICE + "x", "keys": wrong})).status_code == 422
    for n in range(21):
        answer = await kari.post("/api/v1/me/push", json={"endpoint": f"{SERVICE}{n}", "keys": keys})
    assert answer.status_code == 422  # too many
    await kari.aclose()


def senders_of(channel: str) -> list[str]:
    return [name for task in asyncio.all_tasks() if (name := task.get_name()) == f"notify/channel {channel}"]


async def test_a_change_of_people_leaves_the_senders_of_channels_as_they_are(site: Running) -> None:
    desk = site.deps.notify
    assert desk is not None
    await desk.test("hook", "trial")
    await until(lambda: desk.pulses()["hook"].failing, "nobody listens there")
    pulse = desk.pulses()["hook"]
    more = (*desk.options.recipients, Recipient("ada", ("hook",)))
    await desk.reload(replace(desk.options, recipients=more))
    assert desk.pulses()["hook"] is pulse, "that it is failing is not forgotten"
    other = ChannelOptions("hook", "webhook", "http://127.0.0.1:9/another", "a-secret-of-a-receiver")
    await desk.reload(replace(desk.options, channels=(desk.options.channels[0], other)))
    assert desk.pulses()["hook"] is not pulse, "it goes elsewhere now"


async def test_two_changes_at_once_leave_one_sender_of_each_channel(site: Running) -> None:
    """Two would send every message twice."""
    desk = site.deps.notify
    assert desk is not None
    push, hook = desk.options.channels
    two = [replace(desk.options, channels=(push, replace(hook, url=hook.url + tail))) for tail in ("/1", "/2")]
    await asyncio.gather(*(desk.reload(one) for one in two))
    assert (len(senders_of("hook")), len(senders_of(PUSH))) == (1, 1)
    assert desk.options == two[1]


async def test_trials_are_a_few_a_minute_of_each_way(site: Running) -> None:
    for way in ("channels", "recipients"):
        answers = [(await call(site, "admin", "POST", f"notify/{way}/hook/test")).status_code for _ in range(6)]
        assert answers == [202] * 5 + [429], way
    assert (await call(site, "admin", "POST", "notify/recipients/push/test")).status_code == 202


async def test_each_of_many_trials_at_once_has_its_number(site: Running) -> None:
    desk = site.deps.notify
    assert desk is not None

    async def tried() -> int:
        site.clock.tick(1)
        return await desk.test("hook", "trial")

    numbers = await asyncio.gather(*(tried() for _ in range(30)))
    assert len(set(numbers)) == 30


async def test_a_channel_that_becomes_another_is_in_the_list_all_the_while(site: Running) -> None:
    """On a busy disk the page Notifications, health and the metrics had no such channel for a moment, and said so for five seconds."""
    desk = site.deps.notify
    assert desk is not None
    busy = threading.Event()
    waits = asyncio.ensure_future(site.accounts.db.call(busy.wait))  # as a disk that does not answer
    other = ChannelOptions("hook", "webhook", "http://127.0.0.1:9/third", "a-secret-of-a-receiver")
    assert other not in desk.options.channels
    change = asyncio.ensure_future(desk.reload(replace(desk.options, channels=(desk.options.channels[0], other))))
    try:
        await until(lambda: not senders_of("hook"), "the sender of before has ended")
        assert not change.done()
        assert set(desk.pulses()) == {PUSH, "hook"}
    finally:
        busy.set()
    await change
    await waits
    assert set(desk.pulses()) == {PUSH, "hook"}
    assert len(senders_of("hook")) == 1


async def test_settings_that_change_while_it_starts_leave_one_sender_of_each_channel(site: Running) -> None:
    """A secret that comes in the first two seconds of the server: from two senders people hear all of it twice."""
    assert site.deps.notify is not None
    given = site.deps.notify.options
    hook = ChannelOptions("early", "webhook", "http://127.0.0.1:9/early", "a-secret-of-a-receiver")
    desk = Desk(site.accounts.db, Path("push-key.pem"), Options("ridge", "Ridge"), site.clock, sentence)
    try:
        changed = replace(given, channels=(given.channels[0], hook), recipients=(), rules=())
        await asyncio.gather(desk.reload(changed), desk.start())
        await until(lambda: senders_of("early"), "its sender is there")
        assert len(senders_of("early")) == 1
        assert set(desk.pulses()) == {PUSH, "early"}
    finally:
        await desk.aclose()
    assert not senders_of("early")
