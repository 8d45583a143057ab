"""The settings through the API: nothing leaks, nothing wrong is saved, nobody's change is lost, comments stay."""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path
from urllib.parse import quote

import pytest
from tests.support.site import Running, running_site

from longwatch.config import load, load_lacking
from longwatch.config.hiding import STAND_IN
from longwatch.web.settings_desk import SettingsDesk

TEXT = """# the ridge
post: {id: ridge, name: Ridge, timezone: Europe/Oslo}
data: DATA      # one disk
cameras:
  # west of the hut
  gate:
    name: Gate
    streams:
      main: rtsp://user:lit-eral@10.0.0.5/1  # hd
      sub: rtsp://user:${GATE_PASSWORD}@10.0.0.5/2
secrets: secrets.env
"""
NOTHING = {
    "sha256": "0" * 64, "reduces": [], "added": [], "removed": [], "changed": [], "interrupted": [], "restart_needed": [], "values": [],
}  # fmt: skip


class Desk:
    """A site with a settings file of its own."""

    def __init__(self, site: Running, folder: Path) -> None:
        self.site = site
        self.file = folder / "etc" / "longwatch.yml"
        self.secrets = self.file.with_name("secrets.env")
        self.file.parent.mkdir()
        self.file.write_text(TEXT.replace("DATA", str(folder / "volume")))
        self.secrets.touch(0o600)
        self.secrets.write_text("# ours\nGATE_PASSWORD=of the gate\n")
        self.reread = 0
        site.recorder.answers |= {"settings_preview": dict(NOTHING), "settings_apply": {"seq": 7}}
        site.deps.settings = SettingsDesk(self.file, site.deps.recorder, self._read_again, lambda: load_lacking(self.file).web.model_dump(mode="json", by_alias=True))  # fmt: skip

    async def _read_again(self) -> None:
        self.reread += 1

    async def get(self, path: str = "settings", token: str = "admin"):
        async with self.site.client(token) as client:
            return await client.get(f"/api/v1/{path}")

    async def post(self, path: str, body: dict, token: str = "admin"):
        async with self.site.client(token) as client:
            return await client.post(f"/api/v1/settings/{path}", json=body)

    async def put(self, text: str, revision: str, **more: str):
        async with self.site.client("admin") as client:
            return await client.put(
                "/api/v1/settings", json={"text": text, **more}, headers={"If-Match": f'"{revision}"'}
            )

    def asked(self, kind: str) -> list[dict]:
        return [fields for name, fields in self.site.recorder.requests if name == kind]


@pytest.fixture
async def desk(tmp_path: Path):
    async with running_site(tmp_path / "site") as site:
        yield Desk(site, tmp_path)


async def test_the_file_is_shown_without_the_passwords_that_stand_in_it(desk: Desk) -> None:
    answer = await desk.get()
    shown = answer.json()
    assert "lit-eral" not in answer.text
    assert "of the gate" not in answer.text
    assert "${GATE_PASSWORD}" in shown["text"]
    assert shown["wrong"] == []
    assert answer.headers["etag"] == f'"{shown["revision"]}"'
    assert "cameras" in shown["schema"]["properties"]


async def test_saved_as_it_was_shown_it_is_the_same_file(desk: Desk) -> None:
    before = desk.file.read_bytes()
    shown = (await desk.get()).json()
    answer = await desk.put(shown["text"], shown["revision"])
    assert (answer.status_code, answer.json()["entry"]) == (200, 7)
    assert desk.file.read_bytes() == before
    assert desk.reread == 1


async def test_a_change_keeps_comments_and_mode_and_names_who_asked(desk: Desk) -> None:
    desk.file.chmod(0o640)
    shown = (await desk.get()).json()
    answer = await desk.put(shown["text"].replace("name: Gate", "name: West gate"), shown["revision"], reason="clearer")
    assert answer.status_code == 200
    text = desk.file.read_text()
    assert "name: West gate" in text
    assert "lit-eral@10.0.0.5/1  # hd" in text
    assert stat.S_IMODE(desk.file.stat().st_mode) == 0o640
    assert [path.name for path in desk.file.parent.iterdir()] != []
    assert sorted(path.name for path in desk.file.parent.iterdir()) == ["longwatch.yml", "secrets.env"]
    applied = desk.asked("settings_apply")[0]
    assert applied["reason"] == "clearer"
    assert '"token":"admin"' in applied["person"]["text"]


async def test_what_is_wrong_is_named_in_the_lines_that_are_shown_and_not_saved(desk: Desk) -> None:
    before = desk.file.read_bytes()
    shown = (await desk.get()).json()
    text = shown["text"].replace("timezone: Europe/Oslo", "timezone: Europe/Osl")
    checked = (await desk.post("check", {"text": text})).json()
    assert (checked["ok"], checked["problems"][0]["key"], checked["problems"][0]["line"]) == (False, "post.timezone", 2)
    refused = await desk.put(text, shown["revision"])
    assert (refused.status_code, refused.json()["problems"]) == (422, checked["problems"])
    assert desk.file.read_bytes() == before
    assert desk.asked("settings_apply") == []


async def test_a_problem_names_no_password_and_stands_where_it_is_shown(desk: Desk) -> None:
    shown = (await desk.get()).json()
    text = shown["text"].replace("@10.0.0.5/1", "@10.0.0.5/1 2")
    answer = await desk.post("check", {"text": text})
    assert not answer.json()["ok"]
    assert "lit-eral" not in answer.text


async def test_a_half_typed_password_is_masked_nowhere_else(desk: Desk) -> None:
    shown = (await desk.get()).json()
    text = shown["text"].replace("gate:\n", "gate:\n    relay: {url: 'http://x:i@10.0.0.9/', field: i}\n")
    await desk.post("check", {"text": text})
    assert "***" not in (await desk.get("cameras")).text


async def test_what_takes_away_asks_for_a_reason(desk: Desk) -> None:
    desk.site.recorder.answers["settings_preview"] = {
        **NOTHING,
        "reduces": ["camera gate is removed"],
        "removed": ["gate"],
    }
    shown = (await desk.get()).json()
    checked = (await desk.post("check", {"text": shown["text"]})).json()
    assert checked["difference"]["reduces"] == ["camera gate is removed"]
    refused = await desk.put(shown["text"], shown["revision"])
    assert (refused.status_code, refused.json()["reduces"]) == (422, ["camera gate is removed"])
    assert (await desk.put(shown["text"], shown["revision"], reason="it is gone")).status_code == 200


async def test_a_change_by_hand_meanwhile_is_409_with_the_file_as_it_is_now(desk: Desk) -> None:
    shown = (await desk.get()).json()
    desk.file.write_text(desk.file.read_text().replace("name: Gate", "name: By hand"))
    refused = await desk.put(shown["text"], shown["revision"])
    assert refused.status_code == 409
    assert "By hand" in refused.json()["text"]
    assert "lit-eral" not in refused.text
    assert "By hand" in desk.file.read_text()
    again = await desk.put(shown["text"], refused.json()["revision"])
    assert again.status_code == 200  # the stand-ins hold over the change


async def test_two_saves_at_once_do_not_overwrite_each_other(desk: Desk) -> None:
    shown = (await desk.get()).json()
    answers = await asyncio.gather(
        *(desk.put(shown["text"].replace("name: Gate", f"name: G{n}"), shown["revision"]) for n in range(3))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409]


async def test_a_file_that_the_server_may_not_write_is_said_and_left(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("longwatch.config.file._why_not", lambda path: f"{path} is read-only to the server")
    shown = (await desk.get()).json()
    assert "read-only" in shown["read_only"]
    refused = await desk.put(shown["text"], shown["revision"])
    assert refused.status_code == 503
    assert "settings apply" in refused.json()["remedy"]


async def test_where_the_recorder_refuses_all_is_put_back(desk: Desk) -> None:
    del desk.site.recorder.answers["settings_apply"]
    desk.site.recorder.answers["settings_preview"] = {**NOTHING, "values": [{"key": "a", "old": None, "new": 1}]}
    before, secrets = desk.file.read_bytes(), desk.secrets.read_bytes()
    answer = await desk.post("camera/yard", {"patch": {"streams": {"main": "rtsp://u:new-word@10.0.0.6/1"}}})
    assert answer.status_code in {422, 503}
    assert (desk.file.read_bytes(), desk.secrets.read_bytes()) == (before, secrets)
    assert desk.reread == 0


async def test_a_password_typed_into_a_form_goes_into_the_secrets_file_alone(desk: Desk) -> None:
    body = {
        "patch": {"name": "Yard", "streams": {"main": "rtsp://10.0.0.6/1", "sub": "rtsp://10.0.0.6/2"}},
        "login": {"user": "admin", "password": "p@ss: #1"},
    }
    answer = await desk.post("camera/yard", body)
    assert answer.status_code == 200, answer.text
    assert "p@ss" not in answer.text
    assert "p@ss" not in desk.file.read_text()
    assert desk.secrets.read_text() == "# ours\nGATE_PASSWORD=of the gate\nYARD_PASSWORD=p@ss: #1\n"
    assert stat.S_IMODE(desk.secrets.stat().st_mode) == 0o600
    made = load(desk.file).cameras["yard"]
    assert str(made.streams.sub) == "rtsp://admin:p%40ss%3A%20%231@10.0.0.6/2"
    assert "# west of the hut" in desk.file.read_text()


async def test_a_password_in_a_url_is_moved_too_and_a_name_that_others_use_is_not_taken(desk: Desk) -> None:
    desk.file.write_text(desk.file.read_text() + "  # ${YARD_PASSWORD} is the ladder's\n")
    desk.secrets.write_text(desk.secrets.read_text() + "YARD_PASSWORD=ladder\n")
    answer = await desk.post("camera/yard", {"patch": {"streams": {"main": "rtsp://u:a%2Fb@10.0.0.6/1"}}})
    assert answer.status_code == 200, answer.text
    assert "YARD_PASSWORD=ladder\nYARD_PASSWORD_2=a/b\n" in desk.secrets.read_text()
    assert "rtsp://u:${YARD_PASSWORD_2}@10.0.0.6/1" in desk.file.read_text()


async def test_without_a_secrets_file_one_is_made(desk: Desk) -> None:
    desk.file.write_text(desk.file.read_text().replace("secrets: secrets.env\n", "").replace("${GATE_PASSWORD}", "x"))
    desk.secrets.unlink()
    answer = await desk.post("camera/yard", {"patch": {"streams": {"main": "rtsp://u:new-word@10.0.0.6/1"}}})
    assert answer.status_code == 200, answer.text
    assert load(desk.file).secrets == desk.secrets
    assert stat.S_IMODE(desk.secrets.stat().st_mode) == 0o600


async def test_one_camera_is_read_changed_tried_and_removed(desk: Desk) -> None:
    found = (await desk.get("settings/camera/gate")).json()
    assert found["camera"]["streams"]["main"].startswith("rtsp://user:•••")
    tried = await desk.post("camera/gate", {"patch": {"audio": False}, "check": True})
    assert (tried.status_code, tried.json()["ok"]) == (200, True)
    assert "audio" not in desk.file.read_text()
    mask = [{"days": "mon-fri", "from": "06:00", "to": "07:00"}]
    saved = await desk.post(
        "camera/gate", {"patch": {**found["camera"], "schedule": mask}, "revision": found["revision"]}
    )
    assert saved.status_code == 200, saved.text
    assert "lit-eral" not in desk.file.read_text(), (
        "a literal password is moved into the secrets file when its camera is saved"
    )
    assert (
        "GATE_PASSWORD_2=lit-eral" in desk.secrets.read_text() or "GATE_PASSWORD=lit-eral" in desk.secrets.read_text()
    )
    assert "schedule:\n" in desk.file.read_text()
    async with desk.site.client("admin") as client:
        gone = await client.request("DELETE", "/api/v1/settings/camera/gate", json={"reason": "sold"})
        twice = await client.request("DELETE", "/api/v1/settings/camera/gate", json={"reason": "sold"})
    assert (gone.status_code, twice.status_code) == (200, 404)
    assert load(desk.file).cameras == {}
    assert "# west of the hut" in desk.file.read_text()


async def test_the_post_is_named_and_its_id_stays(desk: Desk) -> None:
    answer = await desk.post("section/post", {"patch": {"name": "North", "timezone": "Africa/Nairobi"}})
    assert answer.status_code == 200, answer.text
    assert load(desk.file).post.name == "North"
    assert (await desk.post("section/post", {"patch": {"id": "other"}})).status_code == 422
    kept = (await desk.get("settings/section")).json()
    assert kept["post"]["timezone"] == "Africa/Nairobi"


HOOK = "https://hooks.example.org/t0ken-of-ours"


async def test_ways_people_and_rules_are_made_changed_and_removed(desk: Desk) -> None:
    people = {"ada": {"channels": ["hook", "push"], "quiet": [{"days": "daily", "from": "22:00", "to": "06:00"}]}}
    rules = {"outages": {"to": ["ada"], "kinds": ["not_recording"]}}
    hook = {"kind": "webhook", "url": HOOK, "secret": "of the receiver # 1"}
    revision = (await desk.get("settings/section")).json()["revision"]
    body = {"patch": {"channels": {"hook": hook}, "people": people, "rules": rules}, "revision": revision}
    made = await desk.post("section/notify", body)
    assert made.status_code == 200, made.text
    assert (made.json()["entry"], desk.reread) == (7, 1)
    text, secrets = desk.file.read_text(), desk.secrets.read_text()
    for word in ("t0ken-of-ours", "of the receiver"):
        assert word not in text + made.text + (await desk.get("settings/section")).text, (
            "it is in the secrets file alone"
        )
    assert f"NOTIFY_HOOK_URL={HOOK}\nNOTIFY_HOOK_SECRET=of the receiver # 1\n" in secrets
    assert "# west of the hut" in text
    said = load(desk.file).notify
    assert (said.channels["hook"].url, said.channels["hook"].secret) == (HOOK, "of the receiver # 1")
    assert said.people["ada"].quiet[0].from_ == 1320
    assert (await desk.post("section/notify", body)).status_code == 409, "somebody changed it meanwhile"

    kept = await desk.post("section/notify", {"patch": {"channels": {"hook": {"attach": "clip"}}}})
    assert kept.status_code == 200, kept.text
    assert (load(desk.file).notify.channels["hook"].url, load(desk.file).notify.channels["hook"].attach) == (
        HOOK,
        "clip",
    )
    assert desk.secrets.read_text() == secrets
    moved = await desk.post("section/notify", {"patch": {"channels": {"hook": {"url": HOOK + "/2"}}}})
    assert moved.status_code == 200, moved.text
    assert f"NOTIFY_HOOK_URL={HOOK}/2\n" in desk.secrets.read_text(), "the name is its own: it is not made anew"

    gone = {"people": {"ada": None}, "rules": {"outages": None}, "channels": {"hook": None}}
    assert (await desk.post("section/notify", {"patch": gone})).status_code == 200
    said = load(desk.file).notify
    assert (said.channels, said.people, said.rules) == ({}, {}, {})


@pytest.mark.parametrize(
    ("patch", "key", "what"),
    [
        ({"rules": {"a": {"to": ["nobody"]}}}, "notify.rules.a.to.0", "there is no person or channel"),
        ({"rules": {"a": {"to": ["push"], "kinds": ["ufo"]}}}, "notify.rules.a.kinds.0", "is nothing that is told"),
        ({"channels": {"a": {"kind": "webhook", "url": "ftp://h/", "secret": "x" * 20}}}, "notify.channels.a.url", "http or https"),
        ({"channels": {"a": {"kind": "apprise", "url": "mailtos://"}}}, "notify.channels.a.url", "Apprise does not take"),
        ({"channels": {"a": {"kind": "webhook", "url": HOOK, "secret": "short"}}}, "notify.channels.a.secret", "is signed"),
        ({"channels": {"push": {"kind": "apprise", "url": "mailto://h?to=a@example.org"}}}, "notify.channels.push", "`push` already"),
    ],
)  # fmt: skip
async def test_what_is_wrong_with_a_rule_or_way_is_said_and_not_saved(
    desk: Desk, patch: dict, key: str, what: str
) -> None:
    before = desk.file.read_bytes(), desk.secrets.read_bytes()
    refused = await desk.post("section/notify", {"patch": patch})
    assert refused.status_code == 422, refused.text
    problem = refused.json()["problems"][0]
    assert problem["key"] == key
    assert what in problem["what"]
    assert "t0ken-of-ours" not in refused.text
    assert (desk.file.read_bytes(), desk.secrets.read_bytes()) == before


async def test_a_broker_is_set_up_changed_and_removed_and_its_password_is_never_shown(desk: Desk) -> None:
    before = (await desk.get("settings/section")).json()
    assert before["mqtt"] == {}
    block = {"host": "broker.lan", "user": "post", "password": " of the broker "}
    saved = await desk.post("section/mqtt", {"patch": block, "revision": before["revision"]})
    assert saved.status_code == 200
    assert "password: ${MQTT_PASSWORD}" in desk.file.read_text()
    assert load(desk.file).mqtt.password == " of the broker "
    shown = await desk.get("settings/section")
    assert shown.json()["mqtt"] == {"host": "broker.lan", "user": "post", "password": "${MQTT_PASSWORD}"}
    assert "of the broker" not in shown.text
    assert (await desk.post("section/mqtt", {"patch": {"discovery": "off", "port": 1884}})).status_code == 200
    assert (load(desk.file).mqtt.discovery, load(desk.file).mqtt.password) == ("off", " of the broker ")
    wrong = await desk.post("section/mqtt", {"patch": {"prefix": "#"}})
    assert (wrong.status_code, wrong.json()["problems"][0]["key"]) == (422, "mqtt.prefix")
    async with desk.site.client("admin") as client:
        path = "/api/v1/settings/section/mqtt"
        stale = await client.request("DELETE", path, json={"revision": before["revision"]})
        assert stale.status_code == 409
        gone = await client.request(
            "DELETE", path, json={"revision": (await desk.get("settings/section")).json()["revision"]}
        )
        assert gone.status_code == 200
        assert (await client.request("DELETE", path, json={})).status_code == 404
    assert load(desk.file).mqtt is None
    assert desk.file.read_text().startswith(TEXT.splitlines()[0])


async def test_a_power_cut_between_secrets_and_settings_leaves_both_good(desk: Desk) -> None:
    hook = {"kind": "webhook", "url": HOOK, "secret": "of the receiver # 1"}
    assert (await desk.post("section/notify", {"patch": {"channels": {"way": hook}}})).status_code == 200
    mail = {"kind": "apprise", "url": "mailtos://ada:of-the-mail@mail.example.org?to=ada@example.org", "secret": None}
    for patch in ({"url": HOOK + "/2", "secret": "of the receiver # 2"}, mail, hook):
        before = desk.file.read_bytes()
        assert (await desk.post("section/notify", {"patch": {"channels": {"way": patch}}})).status_code == 200
        after = desk.file.read_bytes()
        desk.file.write_bytes(before)  # the secrets are new, and the file is as it was
        assert load(desk.file).notify.channels["way"].kind in {"webhook", "apprise"}
        desk.file.write_bytes(after)
        assert load(desk.file).notify.channels["way"].url == patch["url"]


@pytest.mark.parametrize("machine", [{"host": "other.lan"}, {"port": 1999}, {"tls": True}])
async def test_the_password_of_another_broker_is_never_said_to_the_one_before(
    desk: Desk, machine: dict[str, object]
) -> None:
    """Between the two files the server may read both, and a power cut leaves them so."""
    block = {"host": "broker.lan", "user": "post", "password": "of the broker"}
    assert (await desk.post("section/mqtt", {"patch": block})).status_code == 200
    before = desk.file.read_bytes()
    assert (await desk.post("section/mqtt", {"patch": {**machine, "password": "of another"}})).status_code == 200
    after = desk.file.read_bytes()
    desk.file.write_bytes(before)
    assert load(desk.file).mqtt.password == "of the broker"
    desk.file.write_bytes(after)
    assert load(desk.file).mqtt.password == "of another"
    assert (await desk.post("section/mqtt", {"patch": {"user": "two", "password": "a third"}})).status_code == 200
    assert desk.secrets.read_text().count("MQTT_PASSWORD") == 2, "at the same one it has the same name"


@pytest.mark.parametrize("by", ["its name", "its stand-in"])
async def test_no_password_is_read_back_as_the_account_of_somebody_who_is_told(desk: Desk, by: str) -> None:
    """`GET /api/v1/notify` shows it."""
    before = desk.file.read_bytes()
    stand_in = STAND_IN.search((await desk.get()).json()["text"])
    assert stand_in is not None
    user = "${GATE_PASSWORD}" if by == "its name" else stand_in[0]
    tried = await desk.post("section/notify", {"patch": {"people": {"eve": {"channels": ["push"], "user": user}}}})
    assert (tried.status_code, tried.json()["problems"][0]["key"]) == (422, "notify.people.eve.user")
    assert desk.file.read_bytes() == before


@pytest.mark.parametrize("section", ["mqtt: {host: broker.lan, user: %s}", "ups: {nut: ups@127.0.0.1, user: %s}"])
async def test_no_password_is_read_back_as_the_user_beside_one(desk: Desk, section: str) -> None:
    """A user is shown in clear: once the camera has another password, this one would be read there."""
    shown = (await desk.get()).json()
    stand_in = STAND_IN.search(shown["text"])
    assert stand_in is not None
    before = desk.file.read_bytes()
    text = shown["text"] + section % stand_in[0] + "\n"
    tried = await desk.put(text, shown["revision"])
    where = section.partition(":")[0] + ".user"
    assert (tried.status_code, tried.json()["problems"][0]["key"]) == (422, where)
    assert not (await desk.post("check", {"text": text})).json()["ok"]
    assert desk.file.read_bytes() == before
    desk.file.write_text(desk.file.read_text() + section % "lit-eral" + "\n")
    shown = (await desk.get()).json()
    assert "lit-eral" not in shown["text"], "what happens to be somebody's password is hidden there too"
    assert (await desk.put(shown["text"].replace("name: Gate", "name: West"), shown["revision"])).status_code == 200
    assert desk.file.read_text().count("lit-eral") == 2


async def test_what_lacks_its_secret_is_wrong_and_keeps_nobody_from_changing_something_else(desk: Desk) -> None:
    desk.secrets.write_text("# nothing\n")
    shown = (await desk.get()).json()
    assert [one["key"] for one in shown["wrong"]] == ["cameras.gate.streams.sub"]
    assert "GATE_PASSWORD" in shown["wrong"][0]["what"]
    answer = await desk.put(shown["text"].replace("name: Gate", "name: West"), shown["revision"])
    assert answer.status_code == 200
    assert "lacking" not in desk.asked("settings_preview")[-1]["resolved"]
    more = (await desk.get()).json()["text"] + "mqtt: {host: broker.lan, password: '${NOBODY}'}\n"
    assert not (await desk.post("check", {"text": more})).json()["ok"], "what is missing anew is refused"


async def test_a_way_whose_address_names_its_secret_stays_as_it_is_written(desk: Desk) -> None:
    desk.secrets.write_text(desk.secrets.read_text() + "MAIL=of the mail\nNOTIFY_MAIL_URL=somebody else's\n")
    desk.file.write_text(desk.file.read_text() + "# ${NOTIFY_MAIL_URL} is the ladder's\n")
    url = "mailtos://ada:${MAIL}@mail.example.org?to=ada@example.org"
    assert (
        await desk.post("section/notify", {"patch": {"channels": {"mail": {"kind": "apprise", "url": url}}}})
    ).status_code == 200
    assert url in desk.file.read_text()
    assert (await desk.get("settings/section")).json()["notify"]["channels"]["mail"]["url"] == url
    typed = {"channels": {"mail": {"url": "mailtos://ada:other@mail.example.org?to=ada@example.org"}}}
    assert (await desk.post("section/notify", {"patch": typed})).status_code == 200
    assert "${NOTIFY_MAIL_URL_2}" in desk.file.read_text(), "a name that something else uses is not taken"
    assert "NOTIFY_MAIL_URL=somebody else's\n" in desk.secrets.read_text()


@pytest.mark.parametrize("token", ["viewer", "operator", "inspector", "gate-only"])
async def test_it_is_for_whoever_administers_every_camera(desk: Desk, token: str) -> None:
    assert (await desk.get(token=token)).status_code == 403
    assert (await desk.get("settings/camera/gate", token)).status_code == 403
    assert (await desk.get("settings/camera/nowhere", token)).status_code == 403
    assert (await desk.get("disks", token)).status_code == 403
    assert (await desk.post("check", {"text": ""}, token)).status_code == 403
    assert (await desk.get("settings/section", token)).status_code == 403
    assert (await desk.post("section/notify", {"patch": {"rules": {}}}, token)).status_code == 403


BOMB = "a: &a [x, x, x, x, x, x, x, x]\n" + "".join(
    f"{c}: &{c} [*{b}, *{b}, *{b}, *{b}]\n" for b, c in zip("abcdefghi", "bcdefghij", strict=True)
)
TEXTS = [
    "", "\x00", "[]", "- a", "a: [", "!!python/object:os.system x", "? [a]\n: b", "\ud800", "•••00000000", "{",
    "%YAML 9.9\n---\na: 1", "cameras: 7", "post: {id: [1]}", "a: &a\n  b: *a\n", "x" * 70_000, BOMB,
]  # fmt: skip
PATCHES: list[tuple[str, dict]] = [
    ("gate", {"patch": {"streams": 7}}), ("gate", {"patch": {"streams": {"main": 7}}}),
    ("gate", {"patch": {"streams": {"main": "nonsense"}}}), ("gate", {"patch": {"streams": {"main": None}}}),
    ("gate", {"patch": {"name": {"a": {"b": [1, {"c": None}]}}}}), ("gate", {"patch": {"name": "•••00000000"}}),
    ("gate", {"patch": {"schedule": [[], {}, 1, None]}}), ("gate", {"patch": {"streams": {"main": "rtsp://u:a\nb@h/1"}}}),
    ("Gate", {"patch": {}}), ("a.b", {"patch": {}}), ("..", {"patch": {}}), ("x" * 50, {"patch": {}}), ("new", {"patch": {}}),
    ("new", {"patch": {"": ""}}),
    ("new", {"patch": {"streams": {"main": "rtsp://h/1"}}, "login": {"user": "a:b@c", "password": "x\x00y"}}),
    ("new", {"patch": {"streams": {"main": "rtsp://h/1"}, "name": "\ud800"}}),
]  # fmt: skip


# Each is tried in a process of its own. `make test` takes one of four, `make long` all.
ONE_OF_FOUR = pytest.mark.parametrize("step", [4, pytest.param(1, marks=pytest.mark.long)])


@pytest.mark.slow
@ONE_OF_FOUR
async def test_any_text_is_answered_and_a_wrong_one_not_saved(desk: Desk, step: int) -> None:
    headers = {"Content-Type": "application/json", "If-Match": (await desk.get()).json()["revision"]}
    async with desk.site.client("admin") as client:
        for text in TEXTS[step - 1 :: step]:
            body = json.dumps({"text": text}).encode()  # lone surrogates too
            answer = await client.post("/api/v1/settings/check", content=body, headers=headers)
            assert answer.status_code in {200, 422}, (text[:40], answer.text)
            assert answer.status_code == 422 or not answer.json()["ok"], text[:40]
        saved = await client.put("/api/v1/settings", content=body, headers=headers)
        assert saved.status_code == 422


@pytest.mark.slow
@ONE_OF_FOUR
async def test_any_patch_is_answered_and_a_wrong_one_changes_nothing(desk: Desk, step: int) -> None:
    before = desk.file.read_bytes(), desk.secrets.read_bytes()
    headers = {"Content-Type": "application/json"}
    async with desk.site.client("admin") as client:
        for camera, body in PATCHES[step - 1 :: step]:
            path = f"/api/v1/settings/camera/{quote(camera)}"
            answer = await client.post(path, content=json.dumps(body).encode(), headers=headers)
            assert answer.status_code in {404, 405, 422}, (camera, body, answer.status_code, answer.text)
            assert (desk.file.read_bytes(), desk.secrets.read_bytes()) == before


async def test_no_password_and_no_word_of_the_environment_can_be_written_where_people_read(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who may edit the settings may not learn by it what they hide."""
    monkeypatch.setenv("OF_THE_SERVER", "canary-of-the-environment")
    shown = (await desk.get()).json()
    text, revision = shown["text"], shown["revision"]
    stand_in = STAND_IN.search(text)[0]
    before = desk.file.read_bytes()
    for word in (stand_in, "${GATE_PASSWORD}", "${OF_THE_SERVER}", f"rtsp://a:{stand_in}@b/"):
        for answer in (
            await desk.post("camera/gate", {"patch": {"name": word}, "revision": revision}),
            await desk.post("camera/gate", {"patch": {"covers": word}, "check": True}),
            await desk.post("section/post", {"patch": {"name": word}, "revision": revision}),
            await desk.put(text.replace("name: Gate", f'name: "{word}"'), revision, reason="so"),
            await desk.post("check", {"text": text.replace("name: Ridge", f'name: "{word}"')}),
        ):
            assert answer.status_code == 422 or answer.json()["ok"] is False, answer.text
            assert "lit-eral" not in answer.text
            assert "of the gate" not in answer.text
            assert "canary" not in answer.text
    assert desk.file.read_bytes() == before
    moved = text.replace("main: rtsp", "sub: rtsp").replace("sub: rtsp://user:${", "main: rtsp://user:${")
    assert (await desk.put(moved, revision, reason="so")).status_code == 200, "where a password may stand it may"
