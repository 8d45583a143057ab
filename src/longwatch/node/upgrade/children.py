"""Children of an upgrade: each says one JSON object, and ends with the server that started it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from typing import Any

from longwatch.base.secrets import scrub
from longwatch.node.upgrade.checks import RefusedError

_MOST_ANSWER = 1 << 20
_MOST_WORDS = 16 << 10


async def run_child(words: list[str], patience_s: float, *, python: str = sys.executable) -> dict[str, Any]:
    """What it answers. Raises RefusedError where it fails, says nothing, or takes too long. It has a session of its own: what it started ends with it."""
    environment = {
        name: value for name, value in os.environ.items() if python == sys.executable or not name.startswith("PYTHON")
    }
    try:
        child = await asyncio.create_subprocess_exec(
            python, *words, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environment,
            start_new_session=True, limit=_MOST_ANSWER,
        )  # fmt: skip
    except OSError as error:
        raise RefusedError(f"{python} cannot be started: {error}") from error
    try:
        async with asyncio.timeout(patience_s):
            out, words_said = await child.communicate()
    except TimeoutError:
        raise RefusedError(f"it was not done within {patience_s:.0f} s") from None
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        if child.returncode is None:
            await child.wait()
    said = _answer(out[-_MOST_ANSWER:])
    if said is None:
        last = [line for line in words_said[-_MOST_WORDS:].decode(errors="replace").splitlines() if line.strip()]
        raise RefusedError(scrub(f"it ended with {child.returncode}: {last[-1] if last else 'without a word'}")[:900])
    if "failed" in said:
        raise RefusedError(scrub(str(said["failed"]))[:900])
    return said


def _answer(out: bytes) -> dict[str, Any] | None:
    """The last line; a release that is tried may print more than it should."""
    for line in reversed(out.splitlines()):
        with contextlib.suppress(ValueError):
            said = json.loads(line)
            if isinstance(said, dict):
                return said
    return None
