"""The one-time code in `setup-code` that lets the owner make the first account from the browser."""

from __future__ import annotations

import hmac
import os
import secrets
from pathlib import Path

LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # none that are mistaken for another
_GROUPS = 5


class SetupCode:
    """The file (0600). Owner: the server. 25 letters of 32: 125 bits, so guessing is hopeless even without a limit."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._code: str | None = None

    def ensure(self) -> str:
        """The code; made where there is none that can be used."""
        if self._code is None:
            kept = self._read()
            self._code = kept if kept is not None and len(kept) >= _GROUPS * 5 else self._make()
        return self._code

    def matches(self, tried: str) -> bool:
        """Whether it is the code, written in capitals or not, with dashes or not."""
        if self._code is None:
            return False
        return hmac.compare_digest(plain(tried).encode(), plain(self._code).encode())

    def remove(self) -> None:
        """An account or token exists: the code is used up."""
        self._code = None
        self.path.unlink(missing_ok=True)

    def _read(self) -> str | None:
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return None
        with os.fdopen(fd, encoding="ascii", errors="replace") as file:
            os.fchmod(fd, 0o600)
            return file.read(200).strip()

    def _make(self) -> str:
        self.path.unlink(missing_ok=True)
        code = "-".join("".join(secrets.choice(LETTERS) for _ in range(5)) for _ in range(_GROUPS))
        with os.fdopen(
            os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w", encoding="ascii"
        ) as file:
            file.write(code + "\n")
            file.flush()
            os.fsync(file.fileno())
        return code


def plain(text: str) -> str:
    """A code as it is compared: in capitals, without dashes and blanks."""
    return text.strip().replace("-", "").replace(" ", "").upper()
