"""Names that are imported at first use: from many threads at once, after a failure, and through pickle."""

from __future__ import annotations

import importlib
import pickle
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest

ROOM = """
from longwatch.base.deferred import at_first_use
_TABLE = {"Thing": "things", "Other": "others", "Lost": "things"}
def __getattr__(name):
    return at_first_use(__name__, _TABLE, name)
"""
THINGS = """
import time
time.sleep(0.05)  # so that all threads ask while it is being imported
class Thing:
    pass
"""


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    folder = tmp_path / "deferred_room"
    folder.mkdir()
    (folder / "__init__.py").write_text(ROOM)
    (folder / "things.py").write_text(THINGS)
    (folder / "others.py").write_text("import collections\nOther = collections.NoSuchThing\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    importlib.invalidate_caches()
    yield importlib.import_module("deferred_room")
    for name in [name for name in sys.modules if name.partition(".")[0] == "deferred_room"]:
        del sys.modules[name]


def test_many_threads_that_ask_at_once_get_one_and_the_same(room: ModuleType) -> None:
    with ThreadPoolExecutor(16) as pool:
        found = set(pool.map(lambda _: room.Thing, range(64)))
    assert len(found) == 1
    assert room.__dict__["Thing"] in found, "it is kept: the next look costs nothing"


def test_what_was_had_so_can_be_pickled(room: ModuleType) -> None:
    again = pickle.loads(pickle.dumps(room.Thing))
    assert again is room.Thing


def test_a_module_that_cannot_be_imported_says_why_and_is_tried_again(room: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(ImportError, match="NoSuchThing"):
        exec("from deferred_room import Other")
    (tmp_path / "deferred_room" / "others.py").write_text(
        "Other = 5\n# longer than before, so that no cache is taken\n"
    )
    importlib.invalidate_caches()
    assert room.Other == 5


def test_a_name_that_is_not_there_is_an_attribute_error_and_a_table_that_is_wrong_says_so(room: ModuleType) -> None:
    assert not hasattr(room, "Nothing")
    with pytest.raises(ImportError, match=r"'Lost' of deferred_room cannot be had from deferred_room\.things"):
        _ = room.Lost
