"""Which log a folder keeps when it opens, and with which key: step R1b of docs/design/publishing.md.

Files and index are held against each other before anything new is written. An index that is behind what was published takes the
rest from the bundles (`restoring`), or it would give numbers a second time that were signed already. Where what was signed cannot
be kept, another log begins, names the one before, and says why. Owner: the index thread.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from longwatch.archive.flushing import Flushing
from longwatch.archive.index import Index
from longwatch.archive.log_files import FoundHead, claimed_head, heads, log_folder, log_numbers
from longwatch.archive.log_key import LogKey, load_key, make_key
from longwatch.archive.restoring import Restored, take_tail
from longwatch.archive.signed_log import SignedLog, begin_log, read_log, write_log
from longwatch.base.errors import LongwatchError

FIRST_START = "the first start"
KEY_LOST = "the key was lost"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class OpenedLog:
    """The log that goes on. restored: what came back from files, None where nothing had to. begun: why another log was begun, "" where
    none was.
    """

    log: SignedLog
    key: LogKey
    restored: Restored | None
    begun: str


class LogOpening:
    """One opening. volumes: row to path of those that are there. post, data_id: of the origin of a log that is begun.

    absent: volumes of the folder that are not there, and may have carried a larger head than those that are.
    """

    def __init__(
        self, index: Index, volumes: Mapping[int, Path], post: str, data_id: str, absent: int, flushing: Flushing
    ) -> None:
        self._index = index
        self._volumes = dict(sorted(volumes.items()))
        self._post = post
        self._data_id = data_id
        self._absent = absent
        self._flushing = flushing
        self._restored: Restored | None = None

    def keys(self, first: Path) -> tuple[LogKey, bool]:
        """The key, and whether it was made just now. Raises LongwatchError, OSError."""
        key = load_key(first)
        if key is not None:
            return key, False
        return make_key(first, self._flushing), True

    def run(self, first: Path, *, index_lost: bool) -> OpenedLog:
        """All of it, within the caller's transaction. first: the first volume, where the key lies."""
        key, made = self.keys(first)
        log = read_log(self._index.connection)
        newest = self._newest(key, log)
        why = ""
        if newest is not None and (log is None or (newest.number, newest.checkpoint.size) > (log.number, log.size)):
            log, why = self._catch_up(newest, index_lost=index_lost)
        elif log is None:
            why = FIRST_START if not self._numbers() else "the checkpoints of the log before cannot be read"
        if log is not None and not why and log.key != key.public:
            why = KEY_LOST if made else "the key was exchanged"
        if why:
            return self._begin(log, key, why)
        assert log is not None
        return OpenedLog(log, key, self._restored, "")

    def _numbers(self) -> list[int]:
        return sorted({number for path in self._volumes.values() for number in log_numbers(path)})

    def _newest(self, key: LogKey, log: SignedLog | None) -> FoundHead | None:
        """The largest head of the newest log that holds, over all volumes: by this key, or by the one that is published with it."""
        known = log.key if log is not None else key.public
        found: list[FoundHead] = []
        for path in self._volumes.values():
            try:
                found += heads(path, known)
            except (
                OSError
            ) as error:  # recording goes before the ledger's files: what cannot be read is as good as absent
                self._absent += 1
                _log.error("the ledger's files on a volume cannot be read", volume=str(path), error=str(error))
        return max(found, key=lambda head: (head.number, head.checkpoint.size), default=None)

    def _catch_up(self, newest: FoundHead, *, index_lost: bool) -> tuple[SignedLog, str]:
        """The index takes what it lacks. The log it then keeps, and why another must begin, "" where it need not."""
        folders = [log_folder(path, newest.number) for path in self._volumes.values()]
        restored = take_tail(self._index, newest, folders, index_lost=index_lost)
        self._restored = restored
        head = newest.checkpoint
        kept = SignedLog(newest.number, head.origin, newest.key, head.size, head.root, newest.text)
        write_log(self._index.connection, kept)
        if restored.problem:
            return kept, restored.problem
        if self._absent:
            return kept, f"{self._absent} volumes are not there, and may hold more of it than was restored"
        return kept, ""

    def _begin(self, log: SignedLog | None, key: LogKey, why: str) -> OpenedLog:
        numbers = self._numbers()
        number = 1 + max([log.number if log is not None else 0, *numbers])
        previous = log.head if log is not None else self._claimed(numbers)
        begun = begin_log(self._index, self._post, self._data_id, number, key.public, previous, why)
        if number > 1:
            _log.error("a new log begins", why=why, origin=begun.origin)
        return OpenedLog(begun, key, self._restored, "" if number == 1 else why)

    def _claimed(self, numbers: list[int]) -> dict[str, object] | None:
        """What the newest checkpoint says that nobody can vouch for any more."""
        for number in reversed(numbers):
            for path in self._volumes.values():
                head = claimed_head(log_folder(path, number))
                if head is not None:
                    return {"origin": head.origin, "size": head.size, "root": head.root.hex()}
        return None


def open_log(
    index: Index, volumes: Mapping[int, Path], first: Path, post: str, data_id: str, absent: int, flushing: Flushing,
    *, index_lost: bool,
) -> OpenedLog:  # fmt: skip
    """See the module; within the caller's transaction. Raises LongwatchError, OSError, sqlite3.Error."""
    opening = LogOpening(index, volumes, post, data_id, absent, flushing)
    try:
        return opening.run(first, index_lost=index_lost)
    except OSError as error:
        raise LongwatchError(
            "the ledger's files cannot be read", why=str(error), remedy="see that every volume is there and readable"
        ) from error
