"""Whether the whole machine is going down: then a recorder that ends needs no reason of its own."""

from __future__ import annotations

import asyncio
from pathlib import Path

_BOOTED = Path("/run/systemd/system")
_SYSTEMCTL = (Path("/usr/bin/systemctl"), Path("/bin/systemctl"))
_PATIENCE_S = 1.0


def _program() -> Path | None:
    if not _BOOTED.is_dir():
        return None
    return next((path for path in _SYSTEMCTL if path.exists()), None)


async def is_going_down(patience_s: float = _PATIENCE_S) -> bool:
    """As the service manager says. False where there is none, or it does not say so in time."""
    program = _program()
    if program is None:
        return False
    try:
        child = await asyncio.create_subprocess_exec(
            str(program), "is-system-running", stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
    except OSError:
        return False
    try:
        async with asyncio.timeout(patience_s):
            said, _ = await child.communicate()
    except TimeoutError:
        child.kill()
        await child.wait()
        return False
    return said.strip() == b"stopping"
