"""A post goes back from a version that wrote a newer index and died, with real processes. All the way, by a hub and through a power cut:
tests/real/network/test_upgrade_from_a_hub.py. All cases, and a kill at every step: `upgrade_campaign.py`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.e2e.post import Cameras
from tests.rig.upgrade_campaign import entries, verify
from tests.support.post import Post, running_post
from tests.support.wait import until_now

import longwatch
from longwatch.ledger import kinds
from longwatch.node.supervisor.release import boot_id, boottime_us
from longwatch.node.upgrade import copying as upgrade_copying
from longwatch.node.upgrade.files import Places, change, read_state
from longwatch.node.upgrade.state import Release, switched
from longwatch.simulate.camera import LOT, SimulatedCamera

pytestmark = pytest.mark.slow
NEW = Release("9.0.0-00112233", "9.0.0")


@pytest.fixture
def gate():
    cameras = Cameras()
    yield cameras.add("gate", lambda: SimulatedCamera(LOT)).url
    cameras.close()


_RECORDER = """#!/bin/sh
case "$*" in
*longwatch.node.recorder*) exec {python} -c "import sqlite3; db = sqlite3.connect('{index}'); db.execute('PRAGMA user_version = 999'); raise SystemExit(1)";;
*) exec {python} "$@";;
esac
"""
"""In place of a release's interpreter: its recorder migrates the index to a form that nobody knows, and dies."""


def test_back_from_a_version_that_wrote_a_newer_index_and_died(tmp_path: Path, gate: str):
    with running_post(tmp_path, {"gate": gate}) as post:
        data = post.data
        for name in ("index.db", "server.db"):
            Places(data).before.mkdir(parents=True, exist_ok=True)
            upgrade_copying.copy(data / name, Places(data).before / name)
        before = until_now(lambda: post.recorded_until("gate"))
        until_now(lambda: post.recorded_until("gate") > before, "more than the copy knows")
        post.stop()
        _switch(data)
        post.start()
        until_now(lambda: read_state(data, "").ended, "it goes back", 300)
        ended = read_state(data, longwatch.__version__).ended
        assert ended is not None
        assert "recorder, exit 1" in ended.why
        until_now(post.answers, "the old server")
        _records_on(post)
        assert list(data.glob("index.db.newer-*"))
        gaps = post.get("/api/v1/gaps", **{"from": before, "to": post.recorded_until("gate")}).json()["items"]
        assert [gap["cause"] for gap in gaps] == ["post_stopped"], (
            "what the copy did not know came back from files and ledger"
        )
    assert verify(post) == ""
    assert [entry["kind"] for entry in entries(post)].count(kinds.LEDGER_RESTORED) == 1


def _switch(data: Path) -> None:
    python = Places(data).python(NEW)
    python.parent.mkdir(parents=True)
    python.write_text(_RECORDER.format(python=sys.executable, index=data / "index.db"))
    python.chmod(0o755)
    change(
        data,
        longwatch.__version__,
        lambda state: switched(
            state,
            NEW,
            "hand/1",
            boot=boot_id(),
            now_us=boottime_us(),
            length_us=900_000_000,
            hub=False,
            cameras=("gate",),
        ),
    )


def _records_on(post: Post) -> None:
    before = until_now(lambda: post.recorded_until("gate"))
    until_now(lambda: post.recorded_until("gate") > before, "it is recorded on")
