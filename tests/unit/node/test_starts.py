"""What a process does not import when it starts: each name here was once a part of every start of a post. Figures: docs/performance.md, "Starting"."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from types import ModuleType

import pytest

from longwatch import accounts, config

_HUB = "longwatch.node.hub longwatch.fleet longwatch.bus nats aiohttp obstore psycopg sqlalchemy.dialects.postgresql"
_WHEN_ASKED = "alembic authlib joserfc webauthn httpx c2pa longwatch.evidence apprise pywebpush rich pydantic.v1"
_LOOKING = "numpy av cv2 onnxruntime"
_SERVER_ALONE = "sqlalchemy fastapi starlette uvicorn pydantic"


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        (
            "longwatch.node.server.__main__",
            f"{_HUB} {_WHEN_ASKED} {_LOOKING} longwatch.ingest longwatch.node.recorder.streams",
        ),
        ("longwatch.node.server.hub", "nats aiohttp psycopg longwatch.node.recorder.streams"),
        ("longwatch.node.recorder.__main__", f"{_HUB} {_WHEN_ASKED} {_LOOKING} {_SERVER_ALONE} longwatch.config"),
        ("longwatch.config.__main__", f"{_WHEN_ASKED} asyncio cryptography structlog longwatch.config.trying"),
        ("longwatch.config.finding", "pydantic asyncio cryptography structlog"),
        ("longwatch.node.server.commands", f"{_SERVER_ALONE} {_WHEN_ASKED} longwatch.accounts longwatch.archive"),
        ("longwatch.node.by_recorder.acts, longwatch.accounts.who", f"{_SERVER_ALONE} {_WHEN_ASKED} longwatch.archive"),
    ],
)
def test_a_start_imports_no_more_than_it_needs(module: str, absent: str) -> None:
    code = f"import json, sys; import {module}; print(json.dumps([n for n in {absent.split()} if sys.modules.get(n)]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert json.loads(done.stdout) == []


@pytest.mark.parametrize("room", [accounts, config])
def test_no_module_of_a_room_hides_a_name_of_it(room: ModuleType) -> None:
    for name in room._AT_FIRST_USE:
        assert importlib.util.find_spec(f"{room.__name__}.{name}") is None
        assert not isinstance(getattr(room, name), ModuleType)
    assert set(room.__all__) >= set(room._AT_FIRST_USE)
    assert all(hasattr(room, name) for name in room.__all__)


def test_garbage_is_looked_for_again_once_a_process_is_up_and_always_in_others() -> None:
    code = """
import gc, sys, types
if sys.argv[1].startswith("longwatch."):
    sys.modules["__main__"].__spec__ = types.SimpleNamespace(name=sys.argv[1])
from longwatch.base import starting
before = gc.isenabled()
starting.is_over(then=900)
print(before, gc.isenabled(), gc.get_threshold()[0], gc.get_freeze_count() > 0)
"""

    def said(whose: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", code, whose], capture_output=True, text=True, check=True, timeout=60
        )
        return done.stdout.strip()

    assert said("longwatch.node.server.__main__") == "False True 900 True"
    assert said("another's") == "True True 900 True"
    assert (
        said("longwatch.cli.__main__") == "True True 900 True"
    )  # a verb may run for days, and never says that it is up
