"""The settings file as something that a program changes: read with its revision; new, flushed, renamed; its neighbour of secrets.

A revision is a hash of the bytes, so that a change by hand is noticed whatever the clock says. Owner and mode of a file that is
there stay as they are where that is allowed; a link is followed, so that what it points to is replaced. Calls block.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from longwatch.base.errors import LongwatchError, UsageError
from longwatch.base.folders import why_not_replaced
from longwatch.config import expand, values
from longwatch.config.loader import compose
from longwatch.config.problems import Problem, SettingsError, Wrong
from longwatch.config.tree import MAX_BYTES

SECRETS_NAME = "secrets.env"


@dataclass(frozen=True, slots=True)
class Stand:
    """A file as it stood. raw: its bytes; None where it was not there."""

    raw: bytes | None = field(repr=False)

    @property
    def revision(self) -> str:
        """Of these very bytes."""
        return hashlib.sha256(self.raw or b"").hexdigest()[:32]

    @property
    def text(self) -> str:
        """Raises SettingsError where it is not UTF-8."""
        try:
            return (self.raw or b"").decode("utf-8-sig")
        except UnicodeDecodeError:
            raise SettingsError(None, [Problem(1, 1, "", "not UTF-8 text", "save the file as UTF-8")]) from None


class ChangedMeanwhileError(LongwatchError):
    """Somebody else wrote the file since it was read. stand: as it is now."""

    def __init__(self, stand: Stand) -> None:
        super().__init__(
            "the settings were changed meanwhile", why="somebody else saved them, or the file was edited by hand",
            remedy="look at the difference, and save again on top of what is there now",
        )  # fmt: skip
        self.stand = stand


class SettingsFile:
    """One file and the folder it stands in."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = path.absolute().parent

    def read(self) -> Stand:
        """Raises LongwatchError where it cannot be read."""
        return _read(self.path)

    def why_not(self) -> str:
        """Why it cannot be written; "" where it can."""
        return _why_not(Path(os.path.realpath(self.path)))

    def replace(self, text: str, revision: str) -> Stand:
        """Write new, flush, rename; what stood there before.

        Raises ChangedMeanwhileError where it is not of that revision any more, LongwatchError where it cannot be written.
        """
        before = self.read()
        if before.revision != revision:
            raise ChangedMeanwhileError(before)
        content = text.encode("utf-8")
        if len(content) > MAX_BYTES:
            raise UsageError(f"settings are at most {MAX_BYTES >> 20} MiB")
        put(self.path, content, 0o600)
        return before

    def put_back(self, before: Stand, text: str) -> None:
        """Undo a `replace`, unless somebody has changed it since."""
        with contextlib.suppress(LongwatchError):
            if self.read().raw == text.encode("utf-8") and before.raw is not None:
                put(self.path, before.raw, 0o600)

    def secrets_path(self, named: object) -> Path:
        """Where the secrets are. named: what `secrets` says."""
        return self.folder / (named if isinstance(named, str) else SECRETS_NAME)


def first(path: Path, post: str, data: Path, listen: str) -> None:
    """Write settings to begin with, mode 0600, where none are. Raises UsageError: they would be wrong, or a file is there already."""
    lines = [
        "# Cameras and all else are added in the browser, or here: see docs/ref/settings.md.",
        f"post: {{id: {json.dumps(post)}}}",
        f"data: {json.dumps(str(data), ensure_ascii=False)}",
        f"web: {{listen: {json.dumps(listen)}, tls: {'off' if _is_loopback(listen) else 'self-signed'}}}",
        "",
        "cameras: {}",
    ]
    text = "\n".join(lines) + "\n"
    compose(path, text, {}, path.absolute().parent)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{path} is there already", remedy="edit it, or name another file with --config") from None
    except OSError as error:
        raise LongwatchError(f"{path} cannot be written", why=str(error.strerror)) from error


def _is_loopback(listen: str) -> bool:
    try:
        return values.listen(listen).is_loopback
    except Wrong:
        return True  # what is wrong with it is said where it is composed


def secrets_of(path: Path) -> tuple[Stand, dict[str, str]]:
    """A secrets file and its values; nothing where it is not there. Raises UsageError where it cannot be used.

    Its values are registered with `base.secrets`, as when the settings are loaded.
    """
    if not path.exists():
        return Stand(None), {}
    try:
        values = expand.secrets_file(path)  # first: it waits for no writer of a FIFO
        return _read(path), values
    except Wrong as wrong:
        raise UsageError(wrong.what, remedy=wrong.remedy) from None


def _read(path: Path) -> Stand:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise LongwatchError(f"cannot read {path}", why=str(error.strerror)) from error
    if len(raw) > MAX_BYTES:
        raise UsageError(f"{path} is larger than {MAX_BYTES >> 20} MiB", remedy="these are not settings")
    return Stand(raw)


def _why_not(path: Path) -> str:
    folder = path.parent
    why = why_not_replaced(path)
    if why:
        return why
    if path.exists() and not os.access(path, os.W_OK):
        return f"{path} is read-only to the server"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"the server may not write in {folder}"
    return ""


def put(path: Path, content: bytes, mode: int) -> None:
    """Write new, flush, rename. mode: of a file that was not there. Raises LongwatchError; what was there stays then."""
    path = Path(os.path.realpath(path))
    why = _why_not(path)
    if why:
        raise _cannot(path, why)
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            _like(path, file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        _flush_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
        why = "it is mounted by itself: mount its folder instead" if error.errno == errno.EBUSY else str(error.strerror)
        raise _cannot(path, why) from error


def _like(path: Path, descriptor: int, mode: int) -> None:
    """Mode and owner as before. Who may not give a file away keeps it."""
    try:
        status = path.stat()
    except FileNotFoundError:
        os.fchmod(descriptor, mode)
        return
    with contextlib.suppress(PermissionError):
        os.fchown(descriptor, status.st_uid, status.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(status.st_mode))


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _cannot(path: Path, why: str) -> LongwatchError:
    return LongwatchError(
        f"{path.name} cannot be written", why=why,
        remedy="let the server's user write it and its folder; or change the file by hand and run `longwatch settings apply`",
    )  # fmt: skip
