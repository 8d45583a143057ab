"""One upgrade of a post, from order to end, with its children, ledger and clocks as the test says; interrupted at every step."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support import release_case
from tests.support.wait import until

import longwatch
from longwatch.base.clock import ManualClock
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.config import Settings
from longwatch.config.loader import compose
from longwatch.ledger import kinds
from longwatch.node.upgrade import upgrading as module
from longwatch.node.upgrade.checks import RefusedError
from longwatch.node.upgrade.files import Places, change, read_state
from longwatch.node.upgrade.order import MOST_ATTEMPTS, Order, Stage
from longwatch.node.upgrade.state import BASE, RELEASE, SPOKEN, back, kept, returned
from longwatch.node.upgrade.upgrading import Upgrading, as_line, described
from longwatch.trust.release import key_of, new_key, sha256_of

PERSON = {"subject": 7, "text": '{"user":"anna"}'}
VERSION = "9.0.0"
pytestmark = pytest.mark.asyncio


class Ledger:
    """A recorder that answers; `away`: it does not. release: what it runs from."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []
        self.stops: list[int] = []
        self.away = False
        self.release = ""
        self.recording = True

    async def request(self, kind: str, /, *, timeout_s: float = 10.0, **fields: Any) -> dict[str, Any]:
        if self.away:
            raise LongwatchError("nobody answers")
        if kind == "entry":
            self.entries.append(fields)
            return {"seq": len(self.entries)}
        if kind == "stop":
            self.stops.append(fields["again"])
            return {"seq": 0}
        stream = {
            "camera": "gate",
            "stream": "main",
            "recording": self.recording,
            "planned": True,
            "pause": None,
            "cause": None,
        }
        return {"release": self.release, "streams": [stream]}

    def kinds(self) -> list[str]:
        return [entry["kind"] for entry in self.entries]


class Link:
    connected = False

    def __init__(self) -> None:
        self.told: list[Callable[[Any], None]] = []

    def on_connect(self, told: Callable[[Any], None]) -> None:
        self.told.append(told)


class KilledError(BaseException):
    """As SIGKILL: nothing after it is done."""


class Post:
    """A post whose server may be started again, as what the supervisor would start."""

    def __init__(self, folder: Path, bundle: Path, origin: str = "hub") -> None:
        self.folder, self.data = folder, folder / "data"
        self.data.mkdir()
        self.bundle = bundle
        self.origin = origin
        self.ledger, self.link, self.clock = Ledger(), Link(), ManualClock()
        self.children: list[str] = []
        self.fail: dict[str, Exception | BaseException] = {}
        self.left = 0
        self.told: list[Order] = []
        self.settings = self._settings()

    def _settings(self) -> Settings:
        line = (self.bundle.parent / "settings").read_text().replace("from: hand", f"from: {self.origin}")
        text = f"post: {{id: ridge}}\ndata: data\n{line}cameras: {{gate: {{streams: {{main: 'rtsp://10.0.0.5/a'}}}}}}\nretention: {{keep_free: 0}}\n"
        return compose(self.folder / "longwatch.yml", text, {}, self.folder)

    async def child(self, words: list[str], patience_s: float, *, python: str = "") -> dict[str, Any]:
        """In place of `run_child`."""
        name = next(word for word in words if word.startswith("longwatch.node.")).replace("_", ".").rpartition(".")[2]
        self.children.append(name)
        if name in self.fail:
            raise self.fail.pop(name)
        if name == "trying":
            return {"version": VERSION, "problems": []}
        return {"done": {}}

    async def start(self, **environ: str) -> Upgrading:
        state = read_state(self.data, longwatch.__version__)
        given = {SPOKEN: "1", BASE: longwatch.__version__, RELEASE: "" if state.current is None else state.current.name}
        made = Upgrading(
            self.data, self.folder / "longwatch.yml", lambda: self.settings, self.ledger, self.link, self.clock, self._leave,
            environ=given | environ, boot=lambda: "a",
        )  # fmt: skip

        async def told(order: Order) -> None:
            self.told.append(order)

        made.on_stage.append(told)
        await made.begin()
        return made

    def _leave(self) -> None:
        self.left += 1

    async def by_hub(self, upgrading: Upgrading, version: str = VERSION, command: int = 17) -> Order:
        digest, size = sha256_of(self.bundle)
        return await upgrading.order(digest.hex(), size, version, PERSON, hub="hq", command=command)

    async def deliver(self, upgrading: Upgrading) -> None:
        spool = Places(self.data).spool
        spool.mkdir(parents=True, exist_ok=True)
        path = spool / "whole"
        path.write_bytes(self.bundle.read_bytes())
        wanted = upgrading.wanted()
        assert wanted is not None
        await upgrading.arrived(wanted[0], path)

    async def switched(self) -> Upgrading:
        """An upgrading server of the new version, right after the switch."""
        upgrading = await self.start()
        await self.by_hub(upgrading)
        await self.deliver(upgrading)
        await upgrading.look()
        assert self.left == 1
        return await self.start()

    def outcome(self) -> tuple[str, str]:
        last = self.ledger.entries[-1]
        assert last["kind"] == kinds.UPGRADE_ENDED
        return last["body"]["outcome"], last["body"]["why"]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a program that is a file: nothing of it is installed here."""
    folder = tmp_path_factory.mktemp("bundle")
    key = new_key(folder / "key")
    (folder / "settings").write_text(release_case.settings_of(key))
    return release_case.bundle(folder, key, VERSION, requires={}, small=True)


@pytest.fixture
def post(tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> Post:
    made = Post(tmp_path, bundle)
    monkeypatch.setattr(module, "run_child", made.child)
    return made


async def test_from_the_order_of_a_hub_to_its_end(post: Post):
    upgrading = await post.start()
    wanted: list[Any] = []
    upgrading.on_wanted.append(lambda: wanted.append(upgrading.wanted()))
    order = await post.by_hub(upgrading)
    assert order.stage is Stage.WAITING
    await upgrading.look()
    assert not post.children
    await post.deliver(upgrading)
    assert [each is None for each in wanted] == [False, True]
    await upgrading.look()
    assert post.children == ["install", "copying", "trying", "copying"]
    assert post.left == 1
    state = read_state(post.data, "")
    assert state.trial is not None
    assert (state.trial.hub, state.trial.cameras) == (True, ("gate",))

    new = await post.start()
    await new.look()
    assert post.ledger.stops == [1], "the recorder is started anew once the server is up"
    assert state.current is not None
    post.ledger.release = state.current.name
    await new.look()
    assert "hub" in described(post.data)["upgrade"]["why"]
    post.link.told[-1]({})
    await new.look()
    post.clock.tick(6_000_000)
    await new.look()
    assert post.outcome() == ("kept", "")
    assert [str(each.stage) for each in post.told if not each.why][-2:] == ["trial", "kept"]
    assert post.ledger.kinds() == [kinds.UPGRADE_ORDERED, kinds.UPGRADE_SWITCHED, kinds.UPGRADE_ENDED]
    assert all(entry["person"] == PERSON for entry in post.ledger.entries)
    assert read_state(post.data, "").trial is None
    assert "kept" in as_line(described(post.data))
    assert "anna" not in Places(post.data).order.read_text(), "who it was is for the ledger to keep, and to erase"
    await (await post.start()).look()
    assert len(post.ledger.entries) == 3, "told once"


async def test_a_version_that_does_not_reach_the_hub_is_gone_back_from_by_the_supervisor(post: Post):
    new = await post.switched()
    state = read_state(post.data, "")
    assert state.current is not None
    post.ledger.release = state.current.name
    for _ in range(2):
        await new.look()
        post.clock.tick(29_000_000)
    trial = read_state(post.data, "").trial
    assert trial is not None
    assert not trial.returning
    change(post.data, longwatch.__version__, lambda state: back(state, "it was not kept within its trial"))
    change(post.data, longwatch.__version__, returned)
    await (await post.start()).look()
    assert post.outcome() == ("returned", "it was not kept within its trial; last: the hub was not reached")


async def test_a_version_that_does_not_record_is_told_as_returned(post: Post):
    new = await post.switched()
    post.ledger.recording = False
    state = read_state(post.data, "")
    assert state.current is not None
    post.ledger.release = state.current.name
    await new.look()
    assert "gate" in described(post.data)["upgrade"]["why"]
    post.clock.tick(10_000_000)
    await new.look()
    assert described(post.data)["upgrade"]["stage"] == "returning"
    change(post.data, longwatch.__version__, returned)
    old = await post.start()
    await old.look()
    assert post.outcome() == ("returned", "not recorded again: gate")
    assert described(post.data)["release"] is None
    assert not list(Places(post.data).bundles.iterdir())


@pytest.mark.parametrize("child", ["install", "copying", "trying"])
async def test_what_a_child_says_no_to_is_refused_and_nothing_is_switched(post: Post, child: str):
    upgrading = await post.start()
    await post.by_hub(upgrading)
    await post.deliver(upgrading)
    post.fail[child] = RefusedError("no room")
    await upgrading.look()
    assert post.outcome() == ("refused", "no room")
    assert post.left == 0
    assert read_state(post.data, "").current is None
    assert (await post.by_hub(upgrading, command=18)).stage is Stage.WAITING, "another may be ordered"


@pytest.mark.parametrize("at", ["install", "copying", "trying", "second copying", "entry"])
async def test_killed_at_any_step_before_the_switch_it_is_begun_again(
    post: Post, monkeypatch: pytest.MonkeyPatch, at: str
):
    upgrading = await post.start()
    await post.by_hub(upgrading)
    await post.deliver(upgrading)
    whole = post.child

    async def child(words: list[str], patience_s: float, *, python: str = "") -> dict[str, Any]:
        said = await whole(words, patience_s, python=python)
        if post.children == ["install", "copying", "trying", "copying"] and at == "second copying":
            raise KilledError
        return said

    monkeypatch.setattr(module, "run_child", child)
    if at == "entry":
        monkeypatch.setattr(upgrading, "_change", _killed)
    elif at != "second copying":
        post.fail[at] = KilledError()
    with pytest.raises(KilledError):
        await upgrading.look()
    assert read_state(post.data, "").trial is None
    again = await post.start()
    await again.look()
    assert post.left == 1
    assert post.ledger.kinds().count(kinds.UPGRADE_ORDERED) == 1
    assert read_state(post.data, "").trial is not None


async def _killed(*_: Any) -> Any:
    raise KilledError


async def test_killed_right_after_the_switch_the_trial_goes_on(post: Post, monkeypatch: pytest.MonkeyPatch):
    upgrading = await post.start()
    await post.by_hub(upgrading)
    await post.deliver(upgrading)
    go = upgrading._go

    async def until_trial(order: Order) -> None:
        if order.stage is Stage.TRIAL:
            raise KilledError
        await go(order)

    monkeypatch.setattr(upgrading, "_go", until_trial)
    with pytest.raises(KilledError):
        await upgrading.look()
    assert post.left == 0
    old = await post.start(**{RELEASE: ""})
    await old.look()
    assert post.left == 1, "an old server that finds itself in a trial makes way"
    new = await post.start()
    await new.look()
    assert new.order_now is not None
    assert new.order_now.stage is Stage.TRIAL


async def test_killed_between_kept_and_its_entry_it_is_entered(post: Post):
    await post.switched()
    change(post.data, longwatch.__version__, lambda state: kept(state, "hq/17"))
    new = await post.start()
    await new.look()
    assert post.outcome() == ("kept", "")


async def test_a_bundle_that_ends_the_server_each_time_is_refused_in_the_end(post: Post):
    upgrading = await post.start()
    await post.by_hub(upgrading)
    await post.deliver(upgrading)
    for _ in range(MOST_ATTEMPTS):
        post.fail["install"] = KilledError()
        with pytest.raises(KilledError):
            await (await post.start()).look()
    await (await post.start()).look()
    assert post.outcome()[0] == "refused"
    assert "interrupted" in post.outcome()[1]


async def test_while_no_recorder_answers_nothing_is_ordered_and_an_end_waits(post: Post):
    upgrading = await post.start()
    post.ledger.away = True
    with pytest.raises(LongwatchError):
        await post.by_hub(upgrading)
    assert upgrading.order_now is None
    post.ledger.away = False
    await post.by_hub(upgrading)
    await post.deliver(upgrading)
    post.ledger.away = True
    post.fail["install"] = RefusedError("no")
    with pytest.raises(LongwatchError):
        await upgrading.look()
    post.ledger.away, post.fail = False, {"install": RefusedError("no")}
    await upgrading.look()
    assert post.outcome() == ("refused", "no")


async def test_at_the_switch_it_waits_for_a_recorder_that_is_away(post: Post):
    upgrading = await post.start()
    await post.by_hub(upgrading)
    await post.deliver(upgrading)
    post.ledger.away = True
    looking = asyncio.create_task(upgrading.look())
    await until(lambda: post.children[-1:] == ["trying"])
    await post.clock.advance(4)
    post.ledger.away = False
    async with asyncio.timeout(60):
        while not looking.done():
            await post.clock.advance(2)
    assert post.left == 1
    assert post.children.count("install") == 1


async def test_who_may_order(post: Post):
    upgrading = await post.start()
    with pytest.raises(UsageError, match="not newer"):
        await post.by_hub(upgrading, version=longwatch.__version__)
    unsupervised = await post.start(**{SPOKEN: ""})
    with pytest.raises(UsageError, match="cannot be upgraded so"):
        await post.by_hub(unsupervised)
    first = await post.by_hub(upgrading)
    assert await post.by_hub(upgrading) == first, "told again, it is the same"
    with pytest.raises(UsageError, match="not over"):
        await post.by_hub(upgrading, command=18)
    post.origin = "hand"
    post.settings = post._settings()
    with pytest.raises(UsageError, match="takes no new version that way"):
        await post.by_hub(await post.start(), command=19)
    assert post.ledger.kinds() == [kinds.UPGRADE_ORDERED]


async def test_by_hand_what_another_signed_is_not_even_copied(post: Post, tmp_path: Path):
    other = tmp_path / "other"
    other.mkdir()
    foreign = release_case.bundle(other, new_key(other / "key"), VERSION, requires={}, small=True)
    upgrading = await post.start()
    with pytest.raises(LongwatchError, match="not signed"):
        await upgrading.take(foreign, PERSON)
    assert not Places(post.data).folder.exists()
    order = await upgrading.take(post.bundle, PERSON)
    assert (order.stage, order.version, order.hub) == (Stage.VERIFYING, VERSION, "")
    await upgrading.look()
    state = read_state(post.data, "")
    assert state.trial is not None
    assert not state.trial.hub, "the hub was out of touch before too"


@pytest.mark.parametrize(
    ("forms", "word"),
    [
        ({"data_folder": {"reads": 1, "writes": 2}}, "data folders"),
        ({"supervisor": {"reads": 2, "writes": 2}}, "longwatch run"),
    ],
)
async def test_what_there_would_be_no_way_back_from(post: Post, tmp_path: Path, bundle: Path, forms: Any, word: str):
    post.bundle = release_case.bundle(
        tmp_path / "b", key_of(bundle.parent / "key"), VERSION, requires={}, small=True, forms=forms
    )
    upgrading = await post.start()
    await post.by_hub(upgrading)
    await post.deliver(upgrading)
    await upgrading.look()
    assert post.outcome()[0] == "refused"
    assert word in post.outcome()[1]
    assert not post.children


async def test_without_room_nothing_is_unpacked(post: Post, monkeypatch: pytest.MonkeyPatch):
    upgrading = await post.start()
    await post.by_hub(upgrading)
    await post.deliver(upgrading)
    monkeypatch.setattr(module, "space_needed", lambda release, data: 1 << 60)
    await upgrading.look()
    assert "room" in post.outcome()[1]
    assert not post.children


async def test_a_bundle_that_does_not_come(post: Post):
    upgrading = await post.start()
    await post.by_hub(upgrading)
    await upgrading.travel_failed("0" * 64, "another")
    assert upgrading.wanted() is not None
    await upgrading.travel_failed(sha256_of(post.bundle)[0].hex(), "it was withdrawn")
    assert upgrading.wanted() is None
    assert post.outcome() == ("refused", "it was withdrawn")


async def test_an_order_that_cannot_be_read_is_as_none(post: Post):
    upgrading = await post.start()
    await post.by_hub(upgrading)
    said = json.loads(Places(post.data).order.read_text())
    for wrong in ({**said, "stage": "else"}, {**said, "size": "1"}, {**said, "sha256": "../x"}, []):
        Places(post.data).order.write_text(json.dumps(wrong))
        assert (await post.start()).order_now is None
