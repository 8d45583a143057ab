"""A checkpoint's way to a real authority and back into the ledger; and authorities that are none."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.archive_case import KEEP_ALL, opened
from tests.support.timestamps import Authority, served
from tests.support.wait import until

from longwatch.archive import Archive, ArchiveReader, Flushing
from longwatch.archive.published import PublishedLog
from longwatch.archive.stamps import stamps_of, store
from longwatch.archive.verifying import verify_folder
from longwatch.base.clock import ManualClock, SystemClock
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.ledger import kinds, stamps
from longwatch.ledger.checkpoint import parse_unverified
from longwatch.node.recorder.stamps import stamp
from longwatch.node.server.stamping import Stamping, StampOptions

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tsa"))


class Recorder:
    """The recorder's part over a real archive."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self.asked: list[dict[str, Any]] = []

    async def request(self, kind: str, /, *, timeout_s: float = 10.0, **fields: Any) -> dict[str, Any]:
        assert kind == "stamp"
        self.asked.append(fields)
        return await stamp(self.archive, Flushing(), fields)


@contextlib.asynccontextmanager
async def post(volumes: list[Path]) -> AsyncIterator[Recorder]:
    """An archive whose first head is published."""
    async with opened(volumes, KEEP_ALL, SystemClock()) as (archive, _):
        log = PublishedLog(volumes)
        await archive.ledger.publish()
        await until(lambda: log.checkpoint() is not None)
        yield Recorder(archive)


def entries(folder: Path, kind: str) -> list[dict]:
    reader = ArchiveReader([folder])
    try:
        found = [json.loads(row.entry) for row in reader.entries(0, 100_000)]
    finally:
        reader.close()
    return [entry["body"] for entry in found if entry["kind"] == kind]


async def test_a_checkpoint_is_stamped_kept_on_every_volume_and_entered(tmp_path: Path, authority: Authority) -> None:
    volumes = [tmp_path / "a", tmp_path / "b"]
    clock = ManualClock(SystemClock().wall_us())
    with served(authority) as how:
        async with post(volumes) as recorder:
            options = StampOptions(how.url, 3600, authority.ca)
            stamping = Stamping(volumes, recorder, clock, lambda: options)
            assert await stamping.run_once()
            [told] = entries(volumes[0], kinds.CHECKPOINT_STAMPED)
            for volume in volumes:
                [found] = stamps_of(volume / "ledger" / "1")
                checked = stamps.verify(found.response, found.checkpoint, authority.ca.read_bytes())
                assert (told["token_sha256"], told["size"]) == (checked.sha256.hex(), found.size)
                assert parse_unverified(found.checkpoint)[0].size == found.size
            assert (told["authority"], told["at_us"]) == ("CN=Test stamps", checked.at_us)
            assert not await stamping.run_once()  # not before its time, though the log grew by the entry
            clock.tick(3_601_000_000)
            await recorder.archive.ledger.publish()
            assert await stamping.run_once()
            assert len(entries(volumes[0], kinds.CHECKPOINT_STAMPED)) == 2
            assert (await recorder.request("stamp", **recorder.asked[0]))["seq"] >= 0  # handed over again: entered once
            assert len(entries(volumes[0], kinds.CHECKPOINT_STAMPED)) == 2
        assert len(how.asked) == 2
        assert all(len(query) < 100 for query in how.asked)  # a hash, and nothing else of the post


async def test_a_volume_that_was_away_gets_what_it_lacks_with_the_next(tmp_path: Path, authority: Authority) -> None:
    volumes = [tmp_path / "a", tmp_path / "b"]
    clock = ManualClock(SystemClock().wall_us())
    with served(authority) as how:
        async with post(volumes) as recorder:
            stamping = Stamping(volumes, recorder, clock, lambda: StampOptions(how.url, 60))
            await stamping.run_once()
            for file in (volumes[1] / "ledger" / "1" / "stamps").iterdir():
                file.unlink()
            clock.tick(61_000_000)
            await recorder.archive.ledger.publish()
            await stamping.run_once()
            assert list(stamps_of(volumes[0] / "ledger" / "1")) == list(stamps_of(volumes[1] / "ledger" / "1"))
            assert len(list(stamps_of(volumes[1] / "ledger" / "1"))) == 2


async def test_a_cut_between_entry_and_files_is_made_good_by_another_stamp(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No stamp lies there that no entry tells of: `verify` would take it for somebody else's."""
    folder = tmp_path / "a"
    with served(authority) as how:
        async with post([folder]) as recorder:
            clock = ManualClock(SystemClock().wall_us())
            stamping = Stamping([folder], recorder, clock, lambda: StampOptions(how.url, 3600, authority.ca))

            def cut(*_: object) -> None:
                raise OSError("the disk is full")

            with monkeypatch.context() as patched:
                patched.setattr("longwatch.archive.stamps.store", cut)
                with pytest.raises(LongwatchError, match="disk is full"):
                    await stamping.run_once()
            assert list(stamps_of(folder / "ledger" / "1")) == []
            assert await stamping.run_once()
            told = entries(folder, kinds.CHECKPOINT_STAMPED)
            [found] = stamps_of(folder / "ledger" / "1")
            assert len(told) == 2
            assert told[1]["token_sha256"] == stamps.read(found.response, found.checkpoint).sha256.hex()
            await recorder.archive.ledger.publish(1)
    verdict = verify_folder(folder)
    assert verdict.ok, verdict.findings


async def test_without_settings_nobody_is_asked(tmp_path: Path) -> None:
    async with post([tmp_path / "a"]) as recorder:
        assert not await Stamping([tmp_path / "a"], recorder, ManualClock(), lambda: None).run_once()
    assert not await Stamping(
        [tmp_path / "nothing"], recorder, ManualClock(), lambda: StampOptions("http://x", 1)
    ).run_once()


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"status": 302, "headers": {"Location": "http://127.0.0.1:1/elsewhere"}}, "302"),
        ({"status": 500}, "500"),
        ({"content_type": "text/html"}, "text/html"),
        ({"mangle": lambda _: b"\x30\x82" + bytes(100_000)}, "too large"),
        ({"mangle": lambda data: data[:-9]}, "does not hold"),
        ({"mangle": lambda data: data.replace(b"Test stamps", b"Best stamps")}, "does not hold"),
        ({"mangle": lambda _: b""}, "does not hold"),
    ],
)
async def test_what_is_no_stamp_is_not_kept(tmp_path: Path, authority: Authority, how: dict, why: str) -> None:
    with served(authority) as server:
        for name, value in how.items():
            setattr(server, name, value)
        async with post([tmp_path / "a"]) as recorder:
            stamping = Stamping(
                [tmp_path / "a"], recorder, ManualClock(), lambda: StampOptions(server.url, 60, authority.ca)
            )
            with pytest.raises(LongwatchError, match=why):
                await stamping.run_once()
            assert recorder.asked == []
        assert len(server.asked) == 1  # no redirect was followed


async def test_an_older_answer_played_again_is_refused(tmp_path: Path, authority: Authority) -> None:
    """Without a root too: the nonce is ours."""
    with served(authority) as server:
        async with post([tmp_path / "a"]) as recorder:
            stamping = Stamping([tmp_path / "a"], recorder, ManualClock(), lambda: StampOptions(server.url, 60))
            text = PublishedLog([tmp_path / "a"]).checkpoint()
            old = authority.stamp(stamps.request(text).data)
            server.mangle = lambda _: old
            with pytest.raises(LongwatchError, match="another request"):
                await stamping.run_once()


async def test_an_authority_that_is_away_is_a_problem_and_no_more(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    async with post([tmp_path / "a"]) as recorder:
        stamping = Stamping(
            [tmp_path / "a"], recorder, ManualClock(), lambda: StampOptions(f"http://127.0.0.1:{port}/", 60)
        )
        with pytest.raises(LongwatchError, match="cannot be asked"):
            await stamping.run_once()


async def test_the_recorder_takes_only_stamps_of_its_own_checkpoints(tmp_path: Path) -> None:
    async with post([tmp_path / "a"]) as recorder, post([tmp_path / "other"]) as other:
        ours = PublishedLog([tmp_path / "a"]).checkpoint()
        theirs = PublishedLog([tmp_path / "other"]).checkpoint()
        good = {"checkpoint": ours, "response": base64.b64encode(b"x").decode(), "authority": "n", "at_us": 1}
        for wrong in (
            {"checkpoint": theirs}, {"checkpoint": "x"}, {"checkpoint": ours.replace("\n", "\n9", 1)}, {"response": "%"}, {"response": ""},
            {"response": base64.b64encode(bytes(65_537)).decode()}, {"at_us": -1}, {"at_us": True}, {"authority": None}, {"checkpoint": 3},
        ):  # fmt: skip
            with pytest.raises(UsageError):
                await recorder.request("stamp", **{**good, **wrong})
        assert not list(stamps_of(tmp_path / "a" / "ledger" / "1"))
        await recorder.request("stamp", **good)
        assert other.archive is not recorder.archive


def test_a_stamp_that_lacks_a_part_is_told_with_that_part_empty(tmp_path: Path) -> None:
    folder = tmp_path / "ledger" / "1" / "stamps"
    folder.mkdir(parents=True)
    (folder / "5.tsr").write_bytes(b"x")
    (folder / "6.tsr").write_bytes(bytes(70_000))
    (folder / "07.tsr").write_bytes(b"no such size")
    (folder / "../7.tsr").write_bytes(b"x")
    told = [(found.size, found.checkpoint, found.response) for found in stamps_of(tmp_path / "ledger" / "1")]
    assert told == [(6, "", b""), (5, "", b"x")]
    store(tmp_path, 1, [], Flushing())
