"""One proof of the data folder at a time, in a child of the server. Owner of its state: the server's loop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from longwatch.base.clock import Clock
from longwatch.base.rfc3339 import format_us
from longwatch.base.tasks import Tasks

_MOST_LINE = 4 << 20


class VerifyingJob:
    """See the module. volumes: asked when one begins. What is told is kept until the next one, or the server's end."""

    def __init__(self, volumes: Callable[[], Sequence[Path]], clock: Clock, tasks: Tasks) -> None:
        self._volumes = volumes
        self._clock = clock
        self._tasks = tasks
        self._task: asyncio.Task[None] | None = None
        self._told: dict[str, Any] = {
            "state": "never", "begun": None, "ended": None, "part": "", "done": 0, "of": 0, "ok": None, "summary": "",
            "fingerprint": "", "size": 0, "findings": [],
        }  # fmt: skip

    def start(self) -> None:
        """Begin, unless one is under way."""
        if self._task is not None and not self._task.done():
            return
        begun = format_us(self._clock.wall_us())
        self._told |= {
            "state": "running",
            "begun": begun,
            "ended": None,
            "part": "",
            "done": 0,
            "of": 0,
            "findings": [],
        }
        self._told |= {"ok": None, "summary": ""}
        self._task = self._tasks.start("verifying", self._run())

    def describe(self) -> dict[str, Any]:
        """`web.models_condition.Verification`."""
        return dict(self._told)

    async def _run(self) -> None:
        words = [sys.executable, "-m", "longwatch.node.children.verifying", *map(str, self._volumes())]
        try:
            await self._follow(words)
        except (OSError, ValueError) as error:
            self._told |= {"state": "failed", "summary": str(error)}
        if self._told["state"] == "running":
            self._told |= {"state": "failed", "summary": "the program that proves it ended early; see the log"}
        self._told["ended"] = format_us(self._clock.wall_us())

    async def _follow(self, words: list[str]) -> None:
        child = await asyncio.create_subprocess_exec(
            *words, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, limit=_MOST_LINE
        )
        assert child.stdout is not None
        try:
            async for line in child.stdout:
                self._take(json.loads(line))
        finally:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()

    def _take(self, said: dict[str, Any]) -> None:
        if "verdict" in said:
            self._told |= {"state": "done", **said["verdict"]}
        elif "failed" in said:
            self._told |= {"state": "failed", "summary": str(said["failed"])}
        else:
            self._told |= {name: said[name] for name in ("part", "done", "of")}
