"""A release from a hub to a post, with real processes from the order to `kept`: the link is cut and the server killed while it travels, the power cut on trial."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from tests.support import release_case
from tests.support.network import Hub, Post, network
from tests.support.wait import until_now

from longwatch.node.upgrade.files import Places
from longwatch.trust.release import new_key, verifier

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.xdist_group("far")]
PATIENCE_S = 300.0
VERSION = "9.0.0"


def until_stage(hub: Hub, *wanted: str) -> None:
    """Of the one post in the one roll-out."""
    seen: list[str] = []

    def found() -> bool:
        [each] = hub.get("/api/v1/upgrades")["rollouts"][0]["posts"]
        seen.append(each["stage"])
        assert each["stage"] not in {"refused", "returned", "expired"}, each
        return each["stage"] in wanted

    until_now(found, f"it is {wanted}; it was {dict.fromkeys(seen)}", PATIENCE_S)


def spooled(post: Post) -> int:
    """Bytes of it that are here, of what has not come to its end."""
    found = 0
    for path in (post.data / "upgrades" / "spool").glob("*.part"):
        with contextlib.suppress(FileNotFoundError):  # it has, since
            found += path.stat().st_size
    return found


@pytest.mark.timeout(900)
def test_a_release_travels_over_a_cut_and_a_kill_and_is_kept_through_a_power_cut_on_trial(tmp_path: Path) -> None:
    key = new_key(tmp_path / "release.key")
    bundle = release_case.bundle(tmp_path / "bundle", key, VERSION, release_case.soon_sure())
    with network(tmp_path) as net:
        hub = net.hub("hq", start=False)
        wire = net.wire(hub)
        hub.start()
        takes = {"from": "hub", "key": verifier(key.public), "trial": "30m"}
        ridge = net.post("ridge", ["gate"], start=False, upgrades=takes, uplink={"rate": "16mbit"})
        net.join(hub, ridge)
        ridge.start()
        hub.until_post("ridge", 120, state="connected", recording=1)
        hub.verb("hub", "upgrade", "add", str(bundle), "--reason", "the new one")
        hub.verb("hub", "upgrade", "order", VERSION, "ridge", "--reason", "a fix")

        until_now(lambda: spooled(ridge) > 500_000, "a part of it is here", PATIENCE_S)
        wire.cut()
        ridge.kill_server()
        wire.mend()
        until_stage(hub, "verifying", "installing", "trying", "switching", "trial", "kept")
        assert wire.down_bytes < bundle.stat().st_size * 1.3, "it went on behind what was there"

        until_stage(hub, "trial", "kept")
        pids = [ridge.server_pid, ridge.recorder_pid]
        ridge.kill_all()
        until_now(lambda: ridge.server_pid is None and ridge.recorder_pid is None, f"{pids} are gone")
        ridge.start()
        until_stage(hub, "kept")
        until_now(lambda: hub.post("ridge").get("version") == VERSION, "the hub hears the new version", PATIENCE_S)
        assert hub.get("/api/v1/upgrades")["rollouts"][0]["state"] in {"running", "done"}
        recorder = until_now(lambda: ridge.recorder_pid, "a recorder runs", PATIENCE_S)
        runs = Path(f"/proc/{recorder}/cmdline").read_bytes().split(b"\0")[0].decode()
        assert str(Places(ridge.data).releases) in runs
        assert [len(hub.entries(kind)) for kind in ("release_added", "rollout_ordered", "command_given")] == [1, 1, 1]
