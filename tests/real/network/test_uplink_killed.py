"""Hub and post as processes: the wire cut, either server killed in mid-flow, and in the end the hub has what the post has, by hash."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.support.network import Hub, Post, network
from tests.support.wait import until_now

from longwatch.ledger.checkpoint import open_note, parse_unverified

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("uplink")]


def entries(post: Post) -> list[bytes]:
    with closing(sqlite3.connect(f"file:{post.data}/index.db?mode=ro", uri=True)) as db:
        return [row[0] for row in db.execute("SELECT entry FROM ledger ORDER BY seq")]


def confirmed(post: Post) -> tuple[int, int]:
    """Sealed segments that a hub has confirmed, and all of them."""
    with closing(sqlite3.connect(f"file:{post.data}/index.db?mode=ro", uri=True)) as db:
        found = db.execute("SELECT coalesce(sum(confirmed), 0), count(*) FROM segment WHERE flags & 1").fetchone()
        return int(found[0]), int(found[1])


def at_hub(hub: Hub) -> dict[int, bytes]:
    """Entries that the hub's database holds, by number."""
    with closing(sqlite3.connect(f"file:{hub.data}/fleet/fleet.db?mode=ro", uri=True)) as db:
        return dict(db.execute("SELECT seq, entry FROM entries").fetchall())


def recording(post: Post) -> bool:
    return [camera["state"] for camera in post.get("/api/v1/cameras")["items"]] == ["recording"]


def held(hub: Hub) -> int:
    return int((hub.post("ridge").get("checkpoint") or {}).get("size") or 0)


def test_cut_and_killed_in_mid_flow_the_hub_equals_the_post(tmp_path: Path) -> None:
    with network(tmp_path) as net:
        hub = net.hub("hq", start=False)
        wire = net.wire(hub)
        hub.start()
        ridge = net.post("ridge", ["gate"], uplink={"bulk": True, "rate": "6Mbit", "strips": "off", "clips": "off"})
        net.join(hub, ridge)
        hub.until_post("ridge", state="connected")
        faults = [[wire.cut, hub.kill_server], [ridge.kill_server]]
        for number, together in enumerate(faults):
            until_now(lambda: recording(ridge), "the camera is recorded", 180)
            time.sleep(2)  # so much footage is to be on its way when it is cut
            os.kill(
                until_now(lambda: ridge.recorder_pid, "a recorder runs"), signal.SIGTERM
            )  # what is open is sealed by that
            until_now(lambda n=number: confirmed(ridge)[1] > n, "one more segment is sealed", 180)
            for fault in together:
                fault()
            time.sleep(0.5)  # it stays cut while others try
            wire.mend()
        sealed = confirmed(ridge)[1]
        until_now(
            lambda: confirmed(ridge)[0] >= sealed, f"the recorder knows that the hub has them: {confirmed(ridge)}", 180
        )
        size = len(entries(ridge))
        until_now(lambda: held(hub) >= size, f"the hub has verified {size} entries: {hub.post('ridge')}", 180)
        theirs, ours = at_hub(hub), entries(ridge)
        assert sorted(theirs) == list(range(len(theirs)))
        assert [theirs[number] for number in sorted(theirs)] == ours[: len(theirs)]

        def told() -> dict[str, Any]:
            answer = ridge.request("GET", "/api/v1/link")
            return answer.json() if answer.status_code == 200 else {}

        def all_went() -> bool:
            """A segment that is sealed meanwhile is on its way for a moment."""
            link = told()
            return bool(link) and link["state"] == "connected" and link["backlog"]["bulk"] == 0

        until_now(all_went, "its link says that nothing waits", 180)
        assert told()["joined"]
        until_now(lambda: told()["countersigned"] >= size, "the hub has countersigned it", 180)
        note = (ridge.data / "hub" / "cosigned").read_text()
        signers = [each.name for each in parse_unverified(note)[1]]
        assert "longwatch-hub/hq" in signers
        key = ridge.request("GET", "/api/v1/ledger/checkpoint").text
        assert open_note(note, _key(ridge)).origin == parse_unverified(key)[0].origin
        metric = 'longwatch_uplink_connected{hub="hq"} 1.0'
        until_now(lambda: metric in ridge.request("GET", "/metrics").text, "it is in the metrics")


def _key(post: Post) -> bytes:
    from longwatch.ledger.checkpoint import parse_public_key

    return parse_public_key((post.data / "ledger" / "1" / "key.pem").read_text())
