"""A post's published logs as an uplink sends them (`model.uplink.LogSource`): read from the files of `ledger/`, never from the index.

What is not published yet is not sent; what is sent is what anybody finds on the disks. Calls block. For one thread.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import structlog

from longwatch.archive.log_files import CHECKPOINT, FoundHead, log_folder, log_numbers, read_head, read_tile
from longwatch.base.errors import LongwatchError
from longwatch.ledger.tiles import ENTRIES, WIDTH, Tile, parse_bundle
from longwatch.model.silence import Stop
from longwatch.model.uplink import LogHead
from longwatch.node.last_words import LAST_ENTRIES, last_words

_KEPT_BUNDLES = 4
_log = structlog.get_logger(__name__)


class PostLog:
    """volumes: of the post; one that is away is passed over."""

    def __init__(self, post: str, volumes: Sequence[Path]) -> None:
        self._post = post
        self._volumes = tuple(volumes)
        self._stamps: tuple[object, ...] = ()
        self._found: dict[int, FoundHead] = {}
        self._bundles: OrderedDict[tuple[int, int, int], list[bytes]] = OrderedDict()

    def posts(self) -> Sequence[str]:
        """The post itself."""
        return [self._post]

    def logs(self, post: str) -> Sequence[LogHead]:
        """As they stand on the disks now."""
        self._look()
        return [
            LogHead(post, number, found.text, found.key, found.checkpoint.size)
            for number, found in sorted(self._found.items())
            if found.checkpoint.size
        ]

    def entries(self, post: str, number: int, first: int, last: int) -> list[bytes]:
        """Up to the end of the bundle that `first` is in."""
        found = self._found.get(number)
        if found is None or post != self._post:
            raise LongwatchError(f"there is no log {number} of {post}")
        index, start = divmod(first, WIDTH)
        bundle = self._bundle(found, index)
        return bundle[start : start + max(0, last - first)]

    def _look(self) -> None:
        stamps = tuple(_stamp(folder / CHECKPOINT) for folder in self._folders())
        if stamps == self._stamps:
            return
        best: dict[int, FoundHead] = {}
        for folder in self._folders():
            try:
                found = read_head(folder)
            except OSError:
                continue
            if found is not None and (
                found.number not in best or found.checkpoint.size > best[found.number].checkpoint.size
            ):
                best[found.number] = found
        self._stamps, self._found = stamps, best

    def _folders(self) -> list[Path]:
        folders = []
        for volume in self._volumes:
            try:
                folders += [log_folder(volume, number) for number in log_numbers(volume)]
            except OSError:
                continue
        return folders

    def _bundle(self, found: FoundHead, index: int) -> list[bytes]:
        width = min(WIDTH, found.checkpoint.size - index * WIDTH)
        key = (found.number, index, width)
        if key not in self._bundles:
            self._bundles[key] = self._read(found.number, index, width)
            while len(self._bundles) > _KEPT_BUNDLES:
                self._bundles.popitem(last=False)
        return self._bundles[key]

    def _read(self, number: int, index: int, width: int) -> list[bytes]:
        """The bundle, or a wider one that took its place meanwhile."""
        if width > 0:
            for wide in (width, *range(WIDTH, width, -1)):
                for volume in self._volumes:
                    try:
                        entries = parse_bundle(read_tile(log_folder(volume, number), Tile(ENTRIES, index, wide)))
                    except (OSError, ValueError):
                        continue
                    if len(entries) >= width:
                        return entries[:width]
        raise LongwatchError(f"bundle {index} of log {number} cannot be read", remedy="run `longwatch check --ledger`")


def _stamp(path: Path) -> tuple[str, int, int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - five times a second
    except OSError:
        return None
    return str(path), status.st_mtime_ns, status.st_ino, status.st_size


def own_last_words(post: str, volumes: Sequence[Path]) -> Stop:
    """How the published ledger of this post ends. Blocks."""
    log = PostLog(post, volumes)
    try:
        heads = log.logs(post)
        if not heads:
            return Stop.NONE
        newest, at = heads[-1], max(0, heads[-1].size - LAST_ENTRIES)
        entries: list[bytes] = []
        while at < newest.size and (found := log.entries(post, newest.number, at, newest.size)):
            entries += found
            at += len(found)
        return last_words(entries)[0]
    except (LongwatchError, OSError, ValueError) as error:
        _log.warning("how the ledger ends cannot be read", reason=str(error))
        return Stop.NONE
