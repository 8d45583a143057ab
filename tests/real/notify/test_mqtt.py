"""A real Mosquitto: what stands there, what is said, what is heard; also after the broker was killed. Home Assistant's schema of discovery."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import json
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.support.home_assistant import refused
from tests.support.mosquitto import PASSWORD, USER, Broker
from tests.support.ports import free_port
from tests.support.wait import until

from longwatch.base.clock import ManualClock, SystemClock
from longwatch.base.tasks import ended
from longwatch.model.events import Event, EventChange, Phase
from longwatch.notify import MqttOptions, discovery
from longwatch.notify.mqtt import MOST_SWITCHES, Bridge
from longwatch.notify.mqtt_topics import CameraFacts, PostFacts
from longwatch.notify.mqtt_trial import try_broker

pytestmark = pytest.mark.slow
GATE = CameraFacts("gate", "Gate", recording=True, connected=True, state="recording")
RIDGE = PostFacts("ridge", "North ridge", "1.0", "https://ridge.lan", True, cameras=(GATE, replace(GATE, id="yard", name="Yard", kind="thermal")))  # fmt: skip


class Around:
    """The rest of a server."""

    def __init__(self) -> None:
        self.now = RIDGE
        self.switched: list[tuple[str, bool]] = []

    async def facts(self) -> PostFacts:
        return self.now

    async def record(self, camera: str, *, on: bool) -> None:
        self.switched.append((camera, on))
        cameras = tuple(replace(one, record=on) if one.id == camera else one for one in self.now.cameras)
        self.now = replace(self.now, cameras=cameras)

    async def picture(self, event: str) -> bytes | None:
        return b"\xff\xd8 of " + event.encode()


class Listener:
    """Somebody who listens to everything, from the first retained message on."""

    def __init__(self) -> None:
        self.standing: dict[str, bytes] = {}
        self.events: list[dict[str, Any]] = []

    async def run(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            payload = bytes(message.payload)  # type: ignore[arg-type]  aiomqtt hands bytes
            if str(message.topic).endswith("/events"):
                self.events.append(json.loads(payload))
            else:
                self.standing[str(message.topic)] = payload

    def text(self, topic: str) -> str:
        return self.standing.get(topic, b"").decode()


@asynccontextmanager
async def listening(port: int) -> AsyncIterator[tuple[Listener, aiomqtt.Client]]:
    async with aiomqtt.Client("127.0.0.1", port, username=USER, password=PASSWORD) as client:
        await client.subscribe("#", qos=1)
        listener = Listener()
        task = asyncio.ensure_future(listener.run(client))
        try:
            yield listener, client
        finally:
            await ended([task])


@asynccontextmanager
async def bridged(options: MqttOptions, around: Around, patience_s: float = 20.0) -> AsyncIterator[Bridge]:
    bridge = Bridge(options, around, SystemClock(), patience_s)
    task = asyncio.ensure_future(bridge.run())
    try:
        yield bridge
    finally:
        await ended([task])


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    one = Broker(tmp_path)
    yield one
    one.kill()


def options(broker: Broker, **more: Any) -> MqttOptions:
    return MqttOptions("127.0.0.1", broker.port, USER, PASSWORD, **more)


def change(phase: Phase, number: int = 1, camera: str = "gate", kind: str = "motion") -> EventChange:
    begin = 1_767_268_800_000_000 + number
    return EventChange(
        phase,
        Event(f"e{number}", camera, kind, begin, begin + 5 if phase is Phase.END else None, begin, 0.9, ("yard",)),
    )


async def test_what_stands_what_is_said_and_what_is_heard_also_after_the_broker_was_killed(broker: Broker) -> None:
    around = Around()
    async with bridged(options(broker, commands=True), around) as bridge:
        async with listening(broker.port) as (heard, client):
            standing = {  # a broker tells in any order what stands
                "longwatch/ridge/available": "online",
                "longwatch/ridge/gate/connectivity/state": "ON",
                "longwatch/ridge/gate/motion/state": "OFF",
            }
            await until(lambda: {topic: heard.text(topic) for topic in standing} == standing)
            picture = "homeassistant/camera/longwatch_ridge/gate_picture/config"
            await until(lambda: heard.text("longwatch/ridge/state") and heard.text(picture))
            assert json.loads(heard.text("longwatch/ridge/state"))["ready"]
            assert json.loads(heard.text(picture))["topic"] == "longwatch/ridge/gate/picture"
            for phase in (Phase.NEW, Phase.UPDATE):
                bridge.take(change(phase))
            await until(lambda: heard.text("longwatch/ridge/gate/motion/state") == "ON")
            await until(lambda: heard.standing.get("longwatch/ridge/gate/picture") == b"\xff\xd8 of e1")
            bridge.take(change(Phase.END))
            bridge.take(change(Phase.NEW, 2, "yard", "tamper.covered"))
            await until(lambda: heard.text("longwatch/ridge/yard/blind/state") == "ON")
            await until(lambda: len(heard.events) >= 4)
            assert [(each["type"], each["id"]) for each in heard.events] == [
                ("new", "e1"),
                ("update", "e1"),
                ("end", "e1"),
                ("new", "e2"),
            ]
            await until(lambda: heard.text("longwatch/ridge/gate/motion/state") == "OFF")
            await client.publish("longwatch/ridge/gate/record/set", "OFF", qos=1)
            await until(lambda: heard.text("longwatch/ridge/gate/record/state") == "OFF")
            await client.publish("longwatch/ridge/nobody/record/set", "OFF", qos=1)
            await client.publish("longwatch/ridge/gate/record/set", "perhaps", qos=1)
            await client.publish("longwatch/ridge/gate/record/set", "ON", qos=1)
            await until(lambda: heard.text("longwatch/ridge/gate/record/state") == "ON")
            assert around.switched == [("gate", False), ("gate", True)]
            before = {topic for topic, payload in heard.standing.items() if payload and not topic.endswith("/set")}
        broker.kill()
        await until(lambda: not bridge.pulse.connected)
        bridge.take(change(Phase.NEW, 3))
        broker.start()
        async with listening(broker.port) as (heard, client):
            await until(lambda: heard.text("longwatch/ridge/available") == "online")
            await until(lambda: {topic for topic, payload in heard.standing.items() if payload} >= before)
            await until(lambda: [each["id"] for each in heard.events] == ["e3"])
            around.now = replace(around.now, cameras=around.now.cameras[:1])
            await until(lambda: heard.text("longwatch/ridge/yard/motion/state") == "")  # what is gone is cleared
            del heard.standing["homeassistant/switch/longwatch_ridge/gate_record/config"]
            await client.publish("homeassistant/status", "online", qos=1)  # Home Assistant was started anew
            await until(lambda: "homeassistant/switch/longwatch_ridge/gate_record/config" in heard.standing)
    async with listening(broker.port) as (heard, _):
        await until(lambda: heard.text("longwatch/ridge/available") == "offline")


async def test_who_switches_without_an_end_writes_no_ledger_full(broker: Broker) -> None:
    """Each switch is an entry that is kept for ever. What was wished last is what holds."""
    around = Around()
    async with bridged(options(broker, commands=True), around) as bridge, listening(broker.port) as (heard, client):
        await until(lambda: bridge.pulse.connected)
        for number in range(600):
            await client.publish("longwatch/ridge/gate/record/set", ("OFF", "ON")[number % 2], qos=1)
        await client.publish("longwatch/ridge/yard/record/set", "OFF", qos=1)
        await until(lambda: ("yard", False) in around.switched, "another camera is switched all the same")
        await until(lambda: heard.text("longwatch/ridge/yard/record/state") == "OFF")
        assert len([camera for camera, _ in around.switched if camera == "gate"]) <= MOST_SWITCHES
        assert not set(bridge._wishes) - {"gate"}, "of the others nothing waits"


async def test_a_large_message_that_stands_at_the_broker_keeps_nobody_out(broker: Broker) -> None:
    """Anybody who may publish there can leave one."""
    around = Around()
    async with aiomqtt.Client("127.0.0.1", broker.port, username=USER, password=PASSWORD) as client:
        for topic in (
            "homeassistant/status",
            "longwatch/ridge/gate/record/set",
            f"longwatch/ridge/{'x' * 60_000}/record/set",
        ):
            await client.publish(topic, b"ON" + bytes(5 << 20), qos=1, retain=True)
            await client.publish(topic, b"OFF" + bytes(5 << 20), qos=1)
    async with bridged(options(broker, commands=True), around) as bridge, listening(broker.port) as (heard, client):
        await until(lambda: bridge.pulse.connected)
        await client.publish("longwatch/ridge/gate/record/set", b"OFF" + bytes(5 << 20), qos=1)
        await client.publish("longwatch/ridge/gate/record/set", "OFF", qos=1)
        await until(lambda: heard.text("longwatch/ridge/gate/record/state") == "OFF")
        assert around.switched == [("gate", False)]
        assert bridge.pulse.problem == ""


async def test_the_last_wish_holds_once_it_may(broker: Broker) -> None:
    around, clock = Around(), ManualClock()
    bridge = Bridge(options(broker, commands=True), around, clock)
    task = asyncio.ensure_future(bridge._switch())
    try:
        for number in range(MOST_SWITCHES):
            bridge._wishes["gate"] = bool(number % 2)
            await until(lambda: not bridge._wishes)
        for on in (False, True, False):
            bridge._wishes["gate"] = on
        bridge._wishes["yard"] = False
        await until(lambda: around.switched[-1] == ("yard", False))
        assert len(around.switched) == MOST_SWITCHES + 1
        await clock.advance(600)
        await until(lambda: around.switched[-1] == ("gate", False), "what was wished last, and nothing of before")
        assert len(around.switched) == MOST_SWITCHES + 2
    finally:
        await ended([task])


async def test_without_leave_nobody_switches_anything(broker: Broker) -> None:
    around = Around()
    async with bridged(options(broker), around) as bridge, listening(broker.port) as (heard, client):
        await until(lambda: heard.text("longwatch/ridge/available") == "online")
        await client.publish("longwatch/ridge/gate/record/set", "OFF", qos=1)
        bridge.take(change(Phase.NEW))
        await until(lambda: heard.events)
        assert not any("/switch/" in topic for topic in heard.standing)
        assert around.switched == []


async def test_a_wrong_password_is_said_and_a_killed_server_is_said_to_be_gone(broker: Broker) -> None:
    async with bridged(replace(options(broker), password="wrong"), Around()) as bridge:
        await until(lambda: "not authori" in bridge.pulse.problem.lower())
        assert "wrong" not in bridge.pulse.problem


async def test_by_tls_with_a_client_certificate(tmp_path: Path) -> None:
    certificates(tmp_path)
    broker = Broker(tmp_path, tmp_path)
    try:
        given = options(
            broker, tls=True, ca=tmp_path / "ca.pem", cert=tmp_path / "client.pem", key=tmp_path / "client.key"
        )
        async with bridged(given, Around()) as bridge:
            await until(lambda: bridge.pulse.connected)
        async with bridged(replace(given, cert=None, key=None), Around(), 2.0) as bridge:
            await until(lambda: bridge.pulse.problem)
            assert not bridge.pulse.connected
        async with bridged(replace(given, ca=None), Around()) as bridge:
            await until(lambda: "certificate" in bridge.pulse.problem.lower())
    finally:
        broker.kill()


async def test_a_trial_hears_its_own_message_and_leaves_nothing(broker: Broker) -> None:
    async with bridged(options(broker), Around()) as bridge:
        await until(lambda: bridge.pulse.connected)
        published = bridge.pulse.published
        async with listening(broker.port) as (heard, _):
            said = await try_broker(options(broker), "ridge", SystemClock())
            assert (said.why, said.detail, said.topic) == ("", "", "longwatch/ridge/trial")
            await until(lambda: heard.text("longwatch/ridge/available") == "online")
        async with listening(broker.port) as (heard, _):
            await until(lambda: heard.text("longwatch/ridge/available") == "online")
            assert "longwatch/ridge/trial" not in heard.standing
        assert bridge.pulse.connected, "the bridge's own connection is another"
        assert bridge.pulse.published == published
    again = await try_broker(options(broker, prefix="fleet/south"), "ridge", SystemClock())
    assert (again.why, again.topic) == ("", "fleet/south/ridge/trial")


async def test_a_trial_says_what_is_wrong(broker: Broker) -> None:
    async def why(given: MqttOptions) -> str:
        said = await try_broker(given, "ridge", SystemClock(), 5.0)
        assert PASSWORD not in said.detail
        return said.why

    assert await why(replace(options(broker), password="another")) == "login"
    assert await why(replace(options(broker), port=free_port())) == "refused"
    assert await why(replace(options(broker), tls=True)) == "no_tls"
    for unusable in ("/none.pem", "/dev/zero", "/", __file__):
        assert await why(replace(options(broker), tls=True, ca=Path(unusable))) == "files", unusable
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mute = MqttOptions("127.0.0.1", silent.getsockname()[1])
        assert (await try_broker(mute, "ridge", SystemClock(), 1.0)).why == "no_answer"


@pytest.mark.parametrize(
    ("rights", "why"),
    [
        (f"user {USER}\ntopic write longwatch/#\n", "not_back"),
        (f"user {USER}\ntopic read longwatch/#\n", "not_back"),
        (f"user {USER}\ntopic readwrite longwatch/#\n", ""),
    ],
)
async def test_a_trial_says_what_a_user_may_not(tmp_path: Path, rights: str, why: str) -> None:
    broker = Broker(tmp_path, rights=rights)
    try:
        assert (await try_broker(options(broker), "ridge", SystemClock(), 3.0)).why == why
    finally:
        broker.kill()


async def test_a_trial_that_may_not_listen_says_so() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Welcome; and 128 to whoever subscribes, as brokers with rights of their own do."""
        while packet := await reader.read(4096):
            if packet[0] == 0x10:
                writer.write(b"\x20\x02\x00\x00")
            elif packet[0] == 0x82:
                writer.write(b"\x90\x03" + packet[2:4] + b"\x80")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        given = MqttOptions("127.0.0.1", server.sockets[0].getsockname()[1])
        assert (await try_broker(given, "ridge", SystemClock(), 5.0)).why == "not_heard"


@pytest.mark.parametrize(("ends_after", "why"), [(0x10, {"closed", "no_answer"}), (0x82, {"not_back"})])
async def test_a_broker_that_closes_in_the_midst_says_nothing_of_the_password(ends_after: int, why: set[str]) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Welcome, and leave to listen; but after that it closes."""
        while packet := await reader.read(4096):
            writer.write(b"\x20\x02\x00\x00" if packet[0] == 0x10 else b"\x90\x03" + packet[2:4] + b"\x01")
            if packet[0] == ends_after:
                break
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        given = MqttOptions("127.0.0.1", server.sockets[0].getsockname()[1])
        assert (await try_broker(given, "ridge", SystemClock(), 2.0)).why in why


@pytest.mark.parametrize("how", ["at once", "after the login", "by a reset"])
async def test_a_broker_that_ends_the_connection_before_its_welcome_is_not_waited_for(how: str) -> None:
    """As one does that wants TLS: the page says so, and not that nobody answers."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if how != "at once":
            await reader.read(4096)
        if how == "by a reset":
            writer.transport.abort()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        given = MqttOptions("127.0.0.1", server.sockets[0].getsockname()[1])
        async with asyncio.timeout(120):  # far less than its patience
            assert (await try_broker(given, "ridge", SystemClock(), 3_600.0)).why == "closed"


async def test_a_trial_by_tls(tmp_path: Path) -> None:
    certificates(tmp_path)
    broker = Broker(tmp_path, tmp_path)
    given = options(broker, tls=True, ca=tmp_path / "ca.pem", cert=tmp_path / "client.pem", key=tmp_path / "client.key")
    try:
        for change, why in (
            ({}, ""),
            ({"ca": None}, "certificate"),
            ({"cert": None, "key": None}, "certificate"),
            ({"tls": False}, "closed"),
        ):
            said = await try_broker(replace(given, **change), "ridge", SystemClock(), 5.0)
            assert said.why == why, (change, said.detail)
    finally:
        broker.kill()


def test_home_assistant_takes_every_payload() -> None:
    facts = replace(RIDGE, mains=True, cameras=(*RIDGE.cameras, replace(GATE, id="dam.spillway", name="Spillway")))
    for commands in (False, True):
        made = discovery.messages("longwatch", "homeassistant", facts, commands=commands, pictures=True)
        assert {topic.split("/")[1] for topic in made} == {"binary_sensor", "sensor", "camera"} | (
            {"switch"} if commands else set()
        )
        ids = set()
        for topic, text in made.items():
            payload = json.loads(text)
            assert refused(topic, payload) == "", topic
            ids.add(payload["unique_id"])
        assert len(ids) == len(made)
    assert (
        refused("homeassistant/camera/n/o/config", {"topic": "a", "unique_id": "u", "image": 1})
        == "extra keys not allowed: image"
    )
    assert (
        refused("homeassistant/switch/n/o/config", {"state_topic": "a"}) == "required key not provided: command_topic"
    )
    assert refused("homeassistant/binary_sensor/n/o/config", {"state_topic": "a/#"}).startswith("state_topic")
    spillway = json.loads(made["homeassistant/binary_sensor/longwatch_ridge/dam_spillway_motion/config"])
    assert spillway["state_topic"] == "longwatch/ridge/dam/spillway/motion/state"


def certificates(folder: Path) -> None:
    """ca.pem, server.pem, server.key, client.pem, client.key."""
    now = dt.datetime.now(dt.UTC)
    root = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a broker's authority")])

    def made(name: str, key: ec.EllipticCurvePrivateKey, *, is_root: bool = False) -> x509.Certificate:
        subject = issuer if is_root else x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (
            x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key()), critical=False)
        )
        if is_root:
            usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
            builder = builder.add_extension(usage, critical=True)
        else:
            names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(root, hashes.SHA256())

    (folder / "ca.pem").write_bytes(made("", root, is_root=True).public_bytes(serialization.Encoding.PEM))
    for name in ("server", "client"):
        key = ec.generate_private_key(ec.SECP256R1())
        (folder / f"{name}.pem").write_bytes(made(name, key).public_bytes(serialization.Encoding.PEM))
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (folder / f"{name}.key").write_bytes(pem)
    ssl.create_default_context(cafile=str(folder / "ca.pem"))
