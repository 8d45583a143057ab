"""`server.lock`: whoever holds it is the one writer of `server.db`."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from longwatch.base.errors import LongwatchError


class DataLock:
    """An exclusive `flock` on a file; the kernel releases it with the process, so a crash leaves nothing behind."""

    def __init__(self, path: Path) -> None:
        """Take it now. Raises LongwatchError where another process has it."""
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._fd)
            raise LongwatchError(
                f"another server already uses {path.parent}",
                why=f"{path.name} is held",
                remedy="stop it first, or use another data folder",
            ) from error

    def release(self) -> None:
        """Give it up."""
        os.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.release()
