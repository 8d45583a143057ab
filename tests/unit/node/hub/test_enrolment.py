"""Joining, renewing and revoking over real TLS on loopback: a hub's desk and door, and the dialling end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.support.wait import until
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus

from longwatch import trust
from longwatch.accounts import Who
from longwatch.archive.published import PublishedLog
from longwatch.base.clock import ManualClock
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.fleet import Fleet, FleetDb
from longwatch.fleet.certificates import Verdict
from longwatch.node.by_recorder.entering import recorder_or_folder
from longwatch.node.hub.desk import HubDesk, HubOptions
from longwatch.node.hub.listener import MOST_RENEWALS, MOST_TRIES, HubListener, Tries
from longwatch.node.post.joining import Joiner, Joining, Rotation
from longwatch.trust import Peer, SigningKey, authority_of, client_context, enrolment_of
from longwatch.trust.exchange import REASON_HEADER, parse_asking
from longwatch.wire.uplink import SUBPROTOCOL

pytestmark = pytest.mark.slow
WHO = Who(12, user="ada")
DAY_S = 86_400


@dataclass
class Ledger:
    """Takes entries, or is away."""

    entries: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    is_away: bool = False

    async def request(self, kind: str, /, *, timeout_s: float = 10.0, **fields: Any) -> dict[str, Any]:
        assert kind == "entry"
        assert timeout_s > 0
        if self.is_away:
            raise LongwatchError("nobody answers")
        assert {"subject", "text"} == set(fields["person"])
        self.entries.append((fields["kind"], fields["body"]))
        return {"seq": len(self.entries)}

    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.entries]


class HubCase:
    """A hub that listens. connected: sites whose connection stands."""

    def __init__(self, folder: Path, clock: ManualClock, hub: str = "hq", life_s: int = 90 * DAY_S) -> None:
        self.clock = clock
        self.ledger = Ledger()
        folder.mkdir(parents=True)
        self.db = FleetDb(folder / "fleet.db")
        self.fleet = Fleet(self.db, wall_us=clock.wall_us)
        self.authority = authority_of(folder, hub)
        options = HubOptions(hub, "Headquarters", "", folder)
        self.desk = HubDesk(options, self.authority, self.fleet, self.ledger, clock, life_s=life_s)
        self.listener = HubListener(self.desk, clock, self._serve)
        self.connected: set[str] = set()

    async def _serve(self, connection: ServerConnection, peer: Peer) -> None:
        self.connected.add(peer.site)
        try:
            with contextlib.suppress(ConnectionClosed):
                async for _ in connection:
                    pass
        finally:
            self.connected.discard(peer.site)

    async def start(self) -> None:
        await self.listener.start("127.0.0.1", 0)
        self.desk.options = replace(self.desk.options, address=f"127.0.0.1:{self.listener.port}")

    async def invite(self, post: str) -> str:
        code, _ = await self.desk.invite(post, WHO)
        return code.text()

    async def aclose(self) -> None:
        await self.listener.aclose()
        self.db.close()


class PostCase:
    """A site that joins: a data folder with a ledger that was begun."""

    def __init__(self, folder: Path, clock: ManualClock, post: str = "ridge") -> None:
        self.folder = folder
        self.ledger = Ledger()
        self.joining = Joining(lambda: Joiner(post, post.capitalize(), "post", (folder,)), self.ledger, clock)

    @property
    def enrolment(self) -> trust.Enrolment:
        found = enrolment_of(self.folder)
        assert found is not None
        return found

    @contextlib.asynccontextmanager
    async def dial(self, path: str = "/uplink") -> AsyncIterator[ClientConnection]:
        async with connect(
            f"wss://{self.enrolment.address}{path}",
            ssl=client_context(self.enrolment),
            subprotocols=[SUBPROTOCOL],
            proxy=None,
            compression=None,
        ) as socket:  # type: ignore[list-item]  # a NewType of str
            yield socket

    async def refused(self, path: str = "/uplink") -> tuple[int, str]:
        with pytest.raises(InvalidStatus) as caught:
            async with self.dial(path):
                pass
        return caught.value.response.status_code, caught.value.response.headers[REASON_HEADER]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def hub(tmp_path: Path, clock: ManualClock) -> AsyncIterator[HubCase]:
    case = HubCase(tmp_path / "hub", clock)
    await case.start()
    yield case
    await case.aclose()


async def begun(folder: Path, clock: ManualClock, post: str = "ridge") -> PostCase:
    async with recorder_or_folder([folder], fresh=post):
        await until(PublishedLog([folder]).head, "the ledger is signed", seconds=60)
    return PostCase(folder, clock, post)


@pytest.fixture
async def post(tmp_path: Path, clock: ManualClock) -> PostCase:
    return await begun(tmp_path / "post", clock)


# -- joining


async def test_a_code_lets_its_post_in_once_and_both_ledgers_say_so(hub: HubCase, post: PostCase) -> None:
    code = await hub.invite("ridge")
    enrolment = await post.joining.join(code, WHO)
    assert (enrolment.hub, enrolment.site, enrolment.cosigner) == ("hq", "ridge", hub.authority.cosigner.public)
    assert enrolment.courier.startswith("age1")
    async with post.dial():
        await until(lambda: hub.connected == {"ridge"}, seconds=30)
    row = hub.fleet.post("ridge")
    assert row is not None
    assert (row.serial, row.name, row.origin.startswith("longwatch/ridge/")) == (enrolment.serial, "Ridge", True)
    assert hub.ledger.kinds() == ["post_invited", "post_joined"]
    assert [kind for kind, _ in post.ledger.entries] == ["hub_joined"]
    assert not (post.folder / "trust" / "joining.key").exists()


async def silent(hub: HubCase, address: str) -> ClientConnection:
    """Somebody from this address who opens the door and says nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return await connect(
        f"wss://127.0.0.1:{hub.listener.port}/enrol", ssl=context, subprotocols=[SUBPROTOCOL], proxy=None, compression=None,
        local_addr=(address, 0),
    )  # type: ignore[list-item]  # fmt: skip


@pytest.mark.parametrize("addresses", [1, 50])
async def test_strangers_who_say_nothing_keep_nobody_out(hub: HubCase, post: PostCase, addresses: int) -> None:
    code = await hub.invite("ridge")
    many = [await silent(hub, f"127.0.1.{1 + n % addresses}") for n in range(50)]
    assert (await post.joining.join(code, WHO)).site == "ridge"
    await until(lambda: sum(one.state.name == "OPEN" for one in many) <= 32, "the oldest made way", seconds=30)
    for one in many:
        await one.close()


async def test_a_stranger_who_says_nothing_is_sent_away_before_long(hub: HubCase) -> None:
    hub.listener._stranger_s = 0.05
    one = await silent(hub, "127.0.1.1")
    await asyncio.wait_for(one.wait_closed(), 30)


async def test_no_secret_of_a_code_stands_in_a_ledger_or_a_log(hub: HubCase, post: PostCase, capsys: Any) -> None:
    code = await hub.invite("ridge")
    await post.joining.join(code, WHO)
    secret = trust.parse_code(code).secret.hex()
    said = json.dumps([hub.ledger.entries, post.ledger.entries], default=str) + "".join(capsys.readouterr())
    assert secret not in said
    assert code not in said


async def test_a_code_is_used_once(hub: HubCase, post: PostCase, tmp_path: Path, clock: ManualClock) -> None:
    code = await hub.invite("ridge")
    await post.joining.join(code, WHO)
    other = await begun(tmp_path / "other", clock)
    with pytest.raises(LongwatchError, match="used already"):
        await other.joining.join(code, WHO)
    assert enrolment_of(other.folder) is None
    assert other.ledger.entries == []


async def test_an_answer_that_was_lost_is_had_by_asking_again(hub: HubCase, post: PostCase) -> None:
    code = await hub.invite("ridge")
    post.ledger.is_away = True  # it has the answer, and cannot enter it: nothing takes effect
    with pytest.raises(LongwatchError, match="nobody answers"):
        await post.joining.join(code, WHO)
    assert enrolment_of(post.folder) is None
    post.ledger.is_away = False
    enrolment = await post.joining.join(code, WHO)
    assert hub.ledger.kinds() == ["post_invited", "post_joined", "post_joined"]
    assert [body["again"] for kind, body in hub.ledger.entries if kind == "post_joined"] == [False, True]
    async with post.dial():
        await until(lambda: hub.connected == {"ridge"}, seconds=30)
    assert enrolment.serial == hub.ledger.entries[-1][1]["serial"]


async def test_without_the_hubs_ledger_no_certificate_leaves_it(hub: HubCase, post: PostCase) -> None:
    code = await hub.invite("ridge")
    hub.ledger.is_away = True
    with pytest.raises(LongwatchError, match="nobody answers"):
        await post.joining.join(code, WHO)
    hub.ledger.is_away = False
    assert (await post.joining.join(code, WHO)).hub == "hq"


async def test_a_code_ends_after_a_day_by_the_hubs_clock(hub: HubCase, post: PostCase, clock: ManualClock) -> None:
    code = await hub.invite("ridge")
    clock.step_wall((DAY_S + 1) * 1_000_000)
    with pytest.raises(LongwatchError, match="too old"):
        await post.joining.join(code, WHO)


async def test_a_newer_code_voids_the_older(hub: HubCase, post: PostCase) -> None:
    older, newer = await hub.invite("ridge"), await hub.invite("ridge")
    with pytest.raises(LongwatchError, match="knows no such code"):
        await post.joining.join(older, WHO)
    assert (await post.joining.join(newer, WHO)).site == "ridge"


async def test_a_code_is_for_one_post(hub: HubCase, post: PostCase) -> None:
    code = trust.parse_code(await hub.invite("swamp"))
    with pytest.raises(UsageError, match="for the post 'swamp'"):
        await post.joining.join(code.text(), WHO)
    forged = replace(code, post="ridge")  # whoever has a code may write another id into it
    with pytest.raises(LongwatchError, match="for the post swamp, and not for ridge"):
        await post.joining.join(forged.text(), WHO)


async def test_a_guessed_secret_lets_nobody_in_and_soon_is_not_looked_at(hub: HubCase, post: PostCase) -> None:
    code = trust.parse_code(await hub.invite("ridge"))
    guess = replace(code, secret=bytes(16)).text()
    said = []
    for _ in range(MOST_TRIES + 1):
        with pytest.raises(LongwatchError) as caught:
            await post.joining.join(guess, WHO)
        said.append(str(caught.value))
    assert "knows no such code" in said[0]
    assert "too many have tried" in said[-1]
    with pytest.raises(LongwatchError, match="too many have tried"):
        await post.joining.join(code.text(), WHO)
    await hub.clock.advance(61)
    assert (await post.joining.join(code.text(), WHO)).hub == "hq"


def test_what_is_remembered_of_those_who_try_is_bounded(clock: ManualClock) -> None:
    tries = Tries(clock, most=2)
    for _ in range(2):
        assert tries.may("a")
        tries.failed("a")
    assert not tries.may("a")
    assert tries.may("b")
    for number in range(5000):
        tries.failed(f"10.0.{number // 256}.{number % 256}")
    assert len(tries._seen) <= 1024


# -- who stands between


async def test_another_hub_at_that_address_is_told_from_the_one_of_the_code(
    hub: HubCase, post: PostCase, tmp_path: Path
) -> None:
    between = HubCase(tmp_path / "between", hub.clock)
    await between.start()
    try:
        code = replace(trust.parse_code(await hub.invite("ridge")), address=between.desk.options.address)
        with pytest.raises(LongwatchError, match="is not the hub that made this code"):
            await post.joining.join(code.text(), WHO)
        assert between.ledger.entries == []
        assert enrolment_of(post.folder) is None
    finally:
        await between.aclose()


async def test_one_who_hands_out_the_hubs_ca_and_has_not_its_key_gets_no_secret(
    hub: HubCase, post: PostCase, tmp_path: Path
) -> None:
    between = HubCase(tmp_path / "between", hub.clock)
    await between.start()
    between.listener._ca = hub.listener._ca  # type: ignore[method-assign]  # what it shows first is the hub's own
    asked: list[Any] = []
    between.listener._asked = lambda _: asked.append(1)  # type: ignore[method-assign, assignment, return-value]  # must not be reached
    try:
        code = replace(trust.parse_code(await hub.invite("ridge")), address=between.desk.options.address)
        with pytest.raises(LongwatchError, match="is not this hub"):
            await post.joining.join(code.text(), WHO)
        assert asked == []
    finally:
        await between.aclose()


async def test_nobody_there_is_said_so(hub: HubCase, post: PostCase) -> None:
    code = await hub.invite("ridge")
    await hub.listener.aclose()
    with pytest.raises(LongwatchError, match="cannot be reached") as caught:
        await post.joining.join(code, WHO)
    assert "firewall" in caught.value.remedy


async def test_what_is_no_hub_is_said_so(post: PostCase) -> None:
    async def babble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    code = trust.Code(f"127.0.0.1:{port}", "00" * 32, "ridge", bytes(16))
    try:
        with pytest.raises(
            LongwatchError, match=r"not this hub, or speaks no TLS|cannot be reached|ended the connection"
        ):
            await post.joining.join(code.text(), WHO)
    finally:
        server.close()


# -- who is let in


async def test_without_a_certificate_only_codes_are_taken(hub: HubCase, post: PostCase) -> None:
    context = trust.enrol_context(hub.authority.root_pem.decode())
    for path, status in (("/uplink", 401), ("/renew", 401), ("/", 404), ("/enrol/../uplink", 404)):
        with pytest.raises(InvalidStatus) as caught:
            async with connect(f"wss://{hub.desk.options.address}{path}", ssl=context, proxy=None):
                pass
        assert caught.value.response.status_code == status
    assert hub.connected == set()


async def test_another_hubs_certificate_ends_the_handshake(hub: HubCase, post: PostCase, tmp_path: Path) -> None:
    await post.joining.join(await hub.invite("ridge"), WHO)
    other = authority_of(tmp_path / "other", "hq")
    key = SigningKey(trust.pending_key(tmp_path / "thief").private)
    forged = other.sign(trust.make_request(key, "ridge"), "ridge", hub.clock.wall_us())
    trust.keep(post.folder, post.enrolment, forged, key)
    with pytest.raises((ssl.SSLError, ConnectionError, InvalidMessage, ConnectionClosed)):
        async with post.dial() as socket:
            await socket.recv()
    assert hub.connected == set()


async def test_a_certificate_of_ours_that_the_table_does_not_know_is_refused(hub: HubCase, post: PostCase) -> None:
    """The CA's key in other hands, say, or a table restored from before."""
    await post.joining.join(await hub.invite("ridge"), WHO)
    key = trust.pending_key(post.folder)
    forged = hub.authority.sign(trust.make_request(key, "ridge"), "ridge", hub.clock.wall_us())
    trust.keep(post.folder, post.enrolment, forged, key)
    assert await post.refused() == (403, "unknown")


async def test_older_tls_is_refused(hub: HubCase, post: PostCase) -> None:
    context = trust.enrol_context(hub.authority.root_pem.decode())
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises((ssl.SSLError, ConnectionError)):
        async with connect(f"wss://{hub.desk.options.address}/enrol", ssl=context, proxy=None):
            pass


async def test_a_post_whose_clock_says_1970_joins_and_dials_in(hub: HubCase, tmp_path: Path) -> None:
    early = ManualClock(wall_us=12_000_000)
    post = await begun(tmp_path / "post", early)
    enrolment = await post.joining.join(await hub.invite("ridge"), WHO)
    assert enrolment.joined_us == 12_000_000
    async with post.dial():
        await until(lambda: hub.connected == {"ridge"}, seconds=30)


async def test_a_database_that_cannot_be_asked_lets_nobody_in_and_says_later(hub: HubCase, post: PostCase) -> None:
    await post.joining.join(await hub.invite("ridge"), WHO)
    admit = hub.desk.certificates.admit

    def fails(*_: object) -> Verdict:
        with hub.db.write() as db:
            db.exec_driver_sql("SELECT * FROM nowhere")
        raise AssertionError

    hub.desk.certificates.admit = fails  # type: ignore[method-assign]  # as where PostgreSQL is away
    assert await post.refused() == (503, "later")
    hub.desk.certificates.admit = admit  # type: ignore[method-assign]  # and there again
    async with post.dial():
        await until(lambda: hub.connected == {"ridge"}, seconds=30)


# -- revoking


async def test_a_revoked_post_is_dropped_at_once_and_gets_nothing(hub: HubCase, post: PostCase) -> None:
    await post.joining.join(await hub.invite("ridge"), WHO)
    async with post.dial() as socket:
        await until(lambda: hub.connected == {"ridge"}, seconds=30)
        await hub.desk.revoke("ridge", WHO, "stolen")
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(socket.recv(), 30)
    assert hub.ledger.entries[-1] == ("post_revoked", {"post": "ridge", "serial": post.enrolment.serial})
    assert await post.refused() == (403, "revoked")
    with pytest.raises(LongwatchError, match="is revoked"):
        await post.joining.renew()


async def test_revoking_that_cannot_be_entered_does_not_happen(hub: HubCase, post: PostCase) -> None:
    await post.joining.join(await hub.invite("ridge"), WHO)
    hub.ledger.is_away = True
    with pytest.raises(LongwatchError, match="nobody answers"):
        await hub.desk.revoke("ridge", WHO, "stolen")
    async with post.dial():
        await until(lambda: hub.connected == {"ridge"}, seconds=30)
    hub.ledger.is_away = False
    for reason, known in (("", "ridge"), ("stolen", "swamp")):
        with pytest.raises(UsageError):
            await hub.desk.revoke(known, WHO, reason)


async def test_what_another_process_revoked_ends_within_seconds(hub: HubCase, post: PostCase) -> None:
    await post.joining.join(await hub.invite("ridge"), WHO)
    async with post.dial() as socket:
        await until(lambda: hub.connected == {"ridge"}, seconds=30)
        await hub.db.call(hub.desk.certificates.revoke, "ridge", "by a verb")  # nobody tells this listener
        await hub.clock.advance(6)
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(socket.recv(), 30)


async def test_a_revoked_post_comes_back_with_a_new_code(hub: HubCase, post: PostCase) -> None:
    await post.joining.join(await hub.invite("ridge"), WHO)
    await hub.desk.revoke("ridge", WHO, "lost")
    code = await hub.invite("ridge")
    with pytest.raises(UsageError, match="belongs to the hub hq"):
        await post.joining.join(code, WHO)
    await post.joining.join(code, WHO, leave=True, reason="found again")
    assert [kind for kind, _ in post.ledger.entries] == ["hub_joined", "hub_left", "hub_joined"]
    async with post.dial():
        await until(lambda: hub.connected == {"ridge"}, seconds=30)


# -- renewing


async def test_the_older_certificate_is_good_until_the_newer_was_used(hub: HubCase, post: PostCase) -> None:
    before = await post.joining.join(await hub.invite("ridge"), WHO)
    await hub.clock.advance(1)
    after = await post.joining.renew()
    assert after is not None
    assert after.serial != before.serial
    assert await _dials(post, before)  # the newer was not used yet
    assert await _dials(post, after)
    assert not await _dials(post, before)
    assert hub.ledger.kinds()[-1] == "post_renewed"


async def _dials(post: PostCase, enrolment: trust.Enrolment) -> bool:
    try:
        async with connect(f"wss://{enrolment.address}/uplink", ssl=client_context(enrolment), proxy=None):
            return True
    except InvalidStatus as error:
        return error.response.headers[REASON_HEADER] != "retired"


async def test_a_renewal_whose_answer_was_lost_is_had_again(hub: HubCase, post: PostCase) -> None:
    await post.joining.join(await hub.invite("ridge"), WHO)
    key = trust.pending_key(post.folder)
    from longwatch.node.post.dialling import ask_to_renew

    lost = await ask_to_renew(post.enrolment, trust.make_request(key, "ridge"))
    after = await post.joining.renew()
    assert after is not None
    assert after.serial == trust.serial_of(lost.certificate)
    assert await _dials(post, after)


async def test_one_that_ended_may_renew_and_nothing_else(hub: HubCase, post: PostCase) -> None:
    await post.joining.join(await hub.invite("ridge"), WHO)
    hub.clock.step_wall(91 * DAY_S * 1_000_000)  # a winter without a link
    assert await post.refused() == (403, "expired")
    assert await post.joining.renew() is not None
    async with post.dial():
        await until(lambda: hub.connected == {"ridge"}, seconds=30)


async def test_renewal_is_due_by_the_hubs_clock_counted_on_by_boot_time(hub: HubCase, post: PostCase) -> None:
    await post.joining.join(await hub.invite("ridge"), WHO)
    here = ManualClock(wall_us=5_000_000)  # 1970
    rotation = Rotation(post.joining, here)
    assert not rotation.is_due()
    rotation.told({"certificate": {"left_s": 90 * DAY_S, "life_s": 90 * DAY_S}})
    await here.advance(59 * DAY_S)
    assert not rotation.is_due()
    here.step_wall(10**15)  # whoever sets the clock does not matter
    assert not rotation.is_due()
    await here.advance(2 * DAY_S)
    assert rotation.is_due()
    for wrong in (
        {},
        {"certificate": None},
        {"certificate": {"left_s": "x", "life_s": 1}},
        {"certificate": {"left_s": 1, "life_s": 0}},
    ):
        fresh = Rotation(post.joining, here)
        fresh.told(wrong)
        assert not fresh.is_due()
    ended = Rotation(post.joining, here)
    ended.refused("revoked")
    assert not ended.is_due()
    ended.refused("expired")
    assert ended.is_due()


async def test_what_is_due_is_renewed(hub: HubCase, post: PostCase, clock: ManualClock) -> None:
    before = await post.joining.join(await hub.invite("ridge"), WHO)
    rotation = Rotation(post.joining, clock)
    running = asyncio.get_running_loop().create_task(rotation.run())
    try:
        rotation.told(hub.desk.welcome(Peer("ridge", before.serial, clock.wall_us() + 10 * DAY_S * 1_000_000)))
        await until(lambda: post.enrolment.serial != before.serial, seconds=30)
    finally:
        running.cancel()


# -- leaving, and hubs above hubs


async def test_a_second_hub_is_joined_only_where_the_first_is_left(
    hub: HubCase, post: PostCase, tmp_path: Path
) -> None:
    other = HubCase(tmp_path / "other", hub.clock, "north")
    await other.start()
    try:
        await post.joining.join(await hub.invite("ridge"), WHO)
        code = await other.invite("ridge")
        with pytest.raises(UsageError, match="belongs to the hub hq"):
            await post.joining.join(code, WHO)
        with pytest.raises(UsageError, match="asks for a reason"):
            await post.joining.join(code, WHO, leave=True)
        assert other.ledger.kinds() == ["post_invited"]  # nothing was asked of it
        assert (await post.joining.join(code, WHO, leave=True, reason="moved")).hub == "north"
        assert await post.joining.leave(WHO, "closed down") == "north"
        assert enrolment_of(post.folder) is None
        with pytest.raises(UsageError, match="has joined no hub"):
            await post.joining.leave(WHO, "again")
    finally:
        await other.aclose()


async def test_a_hub_neither_invites_nor_joins_itself(hub: HubCase, tmp_path: Path, clock: ManualClock) -> None:
    with pytest.raises(UsageError, match="cannot be the id"):
        await hub.desk.invite("hq", WHO)
    twin = await begun(tmp_path / "twin", clock, "hq")
    code = replace(trust.parse_code(await hub.invite("ridge")), post="hq")
    with pytest.raises(LongwatchError, match="does not join itself"):
        await twin.joining.join(code.text(), WHO)


@pytest.mark.parametrize("said", [b"", b"{}", b"[1]", b"\xff\xfe", b'{"v":1}', b'{"v":2}', b"x" * 40_000])
async def test_what_is_no_request_is_refused_in_words(hub: HubCase, said: bytes) -> None:
    context = trust.enrol_context(hub.authority.root_pem.decode())
    async with connect(f"wss://{hub.desk.options.address}/enrol", ssl=context, proxy=None, compression=None) as socket:
        await socket.send(said)
        answer = json.loads(await asyncio.wait_for(socket.recv(), 30))
    assert answer["error"]["what"]
    assert hub.fleet.posts() == []


async def test_who_renews_for_ever_fills_no_ledger(hub: HubCase, post: PostCase) -> None:
    from longwatch.node.post.dialling import ask_to_renew

    await post.joining.join(await hub.invite("ridge"), WHO)
    for _ in range(MOST_RENEWALS):
        await ask_to_renew(post.enrolment, trust.make_request(fresh_key(), "ridge"))
    with pytest.raises(LongwatchError, match="too often"):
        await ask_to_renew(post.enrolment, trust.make_request(fresh_key(), "ridge"))
    assert hub.ledger.kinds().count("post_renewed") == MOST_RENEWALS
    await hub.clock.advance(3601)
    await ask_to_renew(post.enrolment, trust.make_request(fresh_key(), "ridge"))


def fresh_key() -> SigningKey:
    return SigningKey(Ed25519PrivateKey.generate())


def test_a_name_moves_no_cursor() -> None:
    asked = {
        "v": 1, "secret": "00" * 16, "post": "ridge", "name": "Ri\x1b[2Jdge\x00\ud800", "role": "post", "origin": "o", "key": "00" * 32,
        "csr": "",
    }  # fmt: skip
    assert parse_asking(json.dumps(asked)).name == "Ri[2Jdge"
