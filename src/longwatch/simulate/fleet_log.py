"""The ledger of a post that is not there: real entries, really signed, in memory (`model.uplink.LogSource`).

What the hub has is forgotten, and what waits long is kept packed, so that a week of ten cameras is some megabytes. `digest` goes over every entry
that ever was: whoever reads them at the hub can tell that they are the same. For one thread.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping, Sequence

from longwatch.base.errors import LongwatchError
from longwatch.ledger import entry_bytes, leaf_hash
from longwatch.ledger.checkpoint import Checkpoint, origin_of, sign
from longwatch.ledger.peaks import Peaks
from longwatch.ledger.tiles import WIDTH
from longwatch.model.uplink import LogHead
from longwatch.trust import SigningKey

_NUMBER = 1
_END = b"\n"


class MemoryLog:
    """post: its id. data: id of its data folder. Owner of the log and of its key."""

    def __init__(self, post: str, data: str, boot: str, key: SigningKey) -> None:
        self.post = post
        self.origin = origin_of(post, data, _NUMBER)
        self.key = key
        self.size = 0
        self.head: LogHead | None = None
        self._boot = boot
        self._peaks = Peaks()
        self._sha256 = hashlib.sha256()
        self._packed: dict[int, bytes] = {}
        self._last: list[bytes] = []

    def add(self, kind: str, body: Mapping[str, object], wall_us: int) -> None:
        """One more entry."""
        entry = entry_bytes(self.size, wall_us, self._boot, kind, body)
        self._peaks.append(leaf_hash(entry))
        self._sha256.update(len(entry).to_bytes(4) + entry)
        self._last.append(entry)
        self.size += 1
        if len(self._last) == WIDTH:
            self._packed[self.size // WIDTH - 1] = zlib.compress(_END.join(self._last), 1)
            self._last = []

    def publish(self) -> LogHead:
        """Sign what there is."""
        note = sign(Checkpoint(self.origin, self.size, self._peaks.root()), self.key.sign, self.key.public)
        self.head = LogHead(self.post, _NUMBER, note, self.key.public, self.size)
        return self.head

    def forget(self, held: int) -> None:
        """The hub has so many, verified."""
        for index in [index for index in self._packed if (index + 1) * WIDTH <= held]:
            del self._packed[index]

    @property
    def digest(self) -> str:
        """SHA-256 of all entries, each after its length in 32 bits, in hex."""
        return self._sha256.hexdigest()

    # -- model.uplink.LogSource

    def posts(self) -> Sequence[str]:
        """The post itself."""
        return [self.post]

    def logs(self, post: str) -> Sequence[LogHead]:
        """The one there is, once it is signed."""
        return [self.head] if self.head is not None and post == self.post else []

    def entries(self, post: str, number: int, first: int, last: int) -> list[bytes]:
        """Up to the end of the bundle that `first` is in."""
        index, start = divmod(first, WIDTH)
        if (post, number) != (self.post, _NUMBER):
            raise LongwatchError(f"there is no log {number} of {post}")
        if index == self.size // WIDTH:
            bundle = self._last
        elif index in self._packed:
            bundle = zlib.decompress(self._packed[index]).split(_END)
        else:
            raise LongwatchError(f"entry {first} of {post} is not kept any more", why="the hub had it")
        return bundle[start : start + max(0, last - first)]
