"""Whether a folder can be used, or a file be replaced, asked without making anything. Only the standard library is imported here: the supervisor asks too."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def why_unusable(path: Path) -> str:
    """Why nothing can be written in `path`, by the user that asks; "" where it can, or where it is not there and can be made.

    What only the disk itself would say (full, failing) is not asked.
    """
    try:
        if path.is_dir():
            return _why_not_ours(path)
        if _is_there(path):
            return f"{path} is not a folder"
        above = path.parent
        while not _is_there(above) and above != above.parent:
            above = above.parent
        if not above.is_dir():
            return f"{above} is not a folder, so {path} cannot be made"
        why = _why_not_ours(above)
    except OSError as error:
        return f"{path} cannot be reached by {_user()}: {error.strerror}"
    return f"{path} is not there and cannot be made: {why}" if why else ""


def why_not_replaced(path: Path) -> str:
    """Why no new file may be renamed over `path`: a device, a pipe or a folder stands there, and `/dev/null` would be gone for the whole machine. "" where an
    ordinary file stands there, a link, or nothing, and where one may not look. A link into `/proc` is the machine's too: `/dev/stdout` is one.
    """
    try:
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode) and str(path.readlink()).startswith("/proc/"):
            return f"{path} leads to what belongs to a process"
    except OSError:
        return ""
    return "" if stat.S_ISREG(mode) or stat.S_ISLNK(mode) else f"{path} is no ordinary file"


def _is_there(path: Path) -> bool:
    """Also a link that leads nowhere. Raises OSError where it may not be looked at."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _why_not_ours(folder: Path) -> str:
    if os.access(folder, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
        return ""
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        return f"{folder} is on a file system that is mounted read-only"
    return f"{folder} may not be written by {_user()}"


def _user() -> str:
    if os.geteuid() == 0:
        return "root"
    try:
        import pwd

        return f"the user {pwd.getpwuid(os.geteuid()).pw_name}"
    except (ImportError, KeyError):
        return f"user {os.geteuid()}"
