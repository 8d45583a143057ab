"""The same picture for ever, judged from the compressed stream.

Conservative: a picture counts as the same only where the sync samples are equal byte for byte, several in a row and over
a stretch of time, with nothing between them but pictures that say "no change" (a live sensor's noise makes every sync
sample differ; a looped file's pictures in between are larger than that). Judging costs next to nothing: two short slices
of a sync sample are compared, and only where these agree is the whole of it hashed.
"""

from __future__ import annotations

from longwatch.formats.media import Sample

_REPEATS = 3
_QUIET_BYTES = 256
_QUIET_FRACTION = 100  # a picture without change is below a hundredth of a sync sample

Mark = tuple[int, bytes, int | None]


class FrozenPicture:
    """Watches the video samples of one stream. mark: the picture it stands at, to be handed to the next session."""

    __slots__ = ("_after_us", "_largest", "_repeats", "_since_us", "frozen", "mark")

    def __init__(self, after_s: float, mark: Mark | None = None) -> None:
        """mark: of a stream that was frozen when its last session ended; it counts as frozen until it shows otherwise."""
        self._after_us = int(after_s * 1e6)
        self._largest = 0
        self._repeats = 0
        self._since_us = 0
        self.mark = mark
        self.frozen = mark is not None

    def see(self, sample: Sample) -> bool:
        """Whether the picture is frozen, this sample included."""
        data = sample.data
        if sample.sync:
            self._sync(data, sample.arrival_boot_us)
        elif len(data) > self._largest:
            self._largest = len(data)
            if self.frozen and not self._quiet():
                self.frozen = False
        return self.frozen

    def _quiet(self) -> bool:
        size = self.mark[0] if self.mark is not None else 0
        return self._largest <= max(_QUIET_BYTES, size // _QUIET_FRACTION)

    def _sync(self, data: bytes, now_us: int) -> None:
        size = len(data)
        middle = size // 2
        mark: Mark = (size, data[-64:] + data[middle : middle + 64], None)
        old = self.mark
        if old is None or old[:2] != mark[:2] or not self._quiet():
            self.mark = mark
            self._repeats = 0
            self._since_us = now_us
            self.frozen = False
        else:
            whole = hash(data)
            self._repeats = self._repeats + 1 if old[2] in {None, whole} else 0
            if self._repeats == 0:
                self._since_us = now_us
                self.frozen = False
            elif self._repeats >= _REPEATS and now_us - self._since_us >= self._after_us:
                self.frozen = True
            self.mark = (*mark[:2], whole)
        self._largest = 0
