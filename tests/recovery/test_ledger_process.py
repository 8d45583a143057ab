"""The ledger of a real recorder process: published while it records, whole after a kill, and back after its index is deleted."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.recovery.test_recorder_process import GATE, Post, causes, passes

from longwatch.archive import ArchiveReader
from longwatch.archive.log_files import read_head
from longwatch.ledger import leaf_hash, proofs, root
from longwatch.ledger.checkpoint import parse_public_key
from longwatch.node.by_recorder.attest import attest
from longwatch.simulate.camera import ROOM, SimulatedCamera
from longwatch.timeline import State

pytestmark = pytest.mark.slow


def entries(data: Path) -> list[bytes]:
    reader = ArchiveReader([data])
    try:
        return [row.entry for row in reader.entries(0, 1 << 40)]
    finally:
        reader.close()


def verified(data: Path) -> str:
    """What `longwatch verify` says; it must blame nothing."""
    done = subprocess.run(
        [sys.executable, "-m", "longwatch.cli", "verify", data],
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def test_killed_and_its_index_deleted_the_ledger_comes_back_whole(tmp_path: Path) -> None:
    post = Post(tmp_path)
    async with SimulatedCamera(ROOM) as camera:
        post.settings({"gate": camera.url})
        post.start()
        await post.recording()
        made = await attest([post.data], "report_made", {"files": {}}, {"subject": 0, "text": "{}"}, [GATE])
        described = await post.ask("publish")
        published = described["published"]
        before = entries(post.data)[:published]
        post.signal(signal.SIGKILL)
        await post.ended()
        for path in post.data.glob("index.db*"):
            path.unlink()
        post.start()
        await post.recording()
        await passes(post, 2)
        tiles = post.tiles()
        assert causes(tiles) == ["recorder_failed"]
        assert all(tile.gap is not None for tile in tiles if tile.state is State.GAP), "no second unexplained"
        await post.ask("publish")
        after = entries(post.data)
        assert after[:published] == before
        assert json.loads(after[published])["kind"] == "ledger_restored"
        said: dict[str, Any] = (await post.ask("status"))["ledger"]
        assert said["number"] == 1
        assert said["fingerprint"] == made.fingerprint
        head = read_head(post.data / "ledger" / "1")
        assert head is not None
        assert head.checkpoint.root == root(map(leaf_hash, after[: head.checkpoint.size]))
        key = parse_public_key(made.key)
        old = proofs.verify_proof(proofs.parse_proof(made.proof), leaf_hash(made.entry.encode()), key)
        path = proofs.consistency_path(old.size, head.checkpoint.size, proofs.from_leaves(list(map(leaf_hash, after))))
        assert proofs.verify_consistency(old.size, head.checkpoint.size, old.root, head.checkpoint.root, path)
        post.signal(signal.SIGTERM)
        assert await post.ended() == 0
    assert "restored" in verified(post.data)
    newest = read_head(post.data / "ledger" / "1")
    assert newest is not None
    assert newest.checkpoint.size == len(entries(post.data)), "an orderly end publishes all"
