"""A watcher that says nothing is killed, and another one is started."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.post import is_running
from tests.support.wait import until
from tests.unit.node.watch.test_looking import WATCHER, Case, case, state

from longwatch.node.watch import looking

__all__ = ["case"]


async def test_one_that_hangs_is_killed_and_started_again(case: Case, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(looking, "SILENT_S", 1.0)
    pids = case.folder / "pids"
    says_who = f'with open("{pids}", "a") as file: file.write(str(os.getpid()) + " ")\n'
    Path(case.folder / "watcher.py").write_text(
        WATCHER.replace("folder = sys.argv[1]\n", "folder = sys.argv[1]\n" + says_who)
    )
    case.says(state("gate", []))
    case.start()
    await until(lambda: pids.exists() and len(pids.read_text().split()) >= 2, "another one is started")
    first = int(pids.read_text().split()[0])
    assert not is_running(first)
