"""Logs that a hub between posts and this hub tells: it shows no certificate of theirs, so nothing that it could have made up stands against them.

Only what a post's own key signed does. A head that the entries here do not lead to is no fork yet: whoever passes them on may have changed them. It goes in steps,
each only where the one before did not mend it: entries that no head proved are dropped and asked for again; then all of the log is asked for, from its first entry,
and held beside what is verified. Where that leads to the signed root and differs from what the same key signed before, the post itself says two things: a fork.
Where it does not, the hub between says what is not so, and nothing more of that log is asked for twice until it fits.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

from longwatch.fleet.answers import Doubt
from longwatch.ledger import leaf_hash
from longwatch.ledger.checkpoint import Checkpoint
from longwatch.ledger.peaks import Peaks
from longwatch.model.uplink import Refused

_MOST = 20_000  # logs that are doubted at a time: whoever passes on makes their numbers up


@dataclass(slots=True)
class Trial:
    """All of a log once more, from its first entry, as it comes. differs: the first entry that is another one than is verified here, and its number."""

    peaks: Peaks = field(default_factory=Peaks)
    differs: tuple[int, bytes] | None = None

    @property
    def size(self) -> int:
        """Entries that came so far."""
        return self.peaks.size

    def add(self, given: Sequence[bytes], verified: Sequence[bytes]) -> None:
        """The next of them; verified: what of these is verified here, fewer where that ends."""
        for new, known in zip_longest(given, verified[: len(given)]):
            if known is not None and self.differs is None and bytes(new) != known:
                self.differs = self.peaks.size, bytes(new)
            self.peaks.append(leaf_hash(bytes(new)))

    def leads_to(self, head: Checkpoint) -> bool:
        """Whether these entries are the ones that it was signed for."""
        return self.peaks.size == head.size and self.peaks.root() == head.root


@dataclass(slots=True)
class _Doubted:
    """A log whose newest head does not fit. settled: what is answered once asking for all of it did not help either."""

    trial: Trial | None = None
    settled: Refused | None = None


class Relayed:
    """How far each log that does not fit has come, by post and number. In memory: after a restart it begins anew."""

    def __init__(self) -> None:
        self._doubted: OrderedDict[tuple[str, int], _Doubted] = OrderedDict()

    def trial(self, post: str, number: int) -> Trial | None:
        """The one that goes on now."""
        doubted = self._doubted.get((post, number))
        return None if doubted is None else doubted.trial

    def fits(self, post: str, number: int) -> None:
        """A head fitted: nothing is doubted any more."""
        self._doubted.pop((post, number), None)

    def settle(self, post: str, number: int, answer: Refused) -> Refused:
        """What there was to find out was found out: the answer from now on."""
        self._doubted[post, number] = _Doubted(settled=answer)
        return answer

    def next_step(self, post: str, number: int, why: str, *, whole: bool) -> Refused:
        """A head does not fit: what to answer. whole: whether there is anything before what was told last, so that all of it may show more."""
        doubted = self._doubted.get((post, number))
        if doubted is not None and doubted.settled is not None:
            return doubted.settled
        if doubted is None:
            self._doubted[post, number] = _Doubted()
            while len(self._doubted) > _MOST:
                self._doubted.popitem(last=False)
        elif doubted.trial is None and whole:
            doubted.trial = Trial()
        else:
            return self.settle(
                post,
                number,
                Refused(
                    Doubt.NOT_ITS_OWN, f"{why}, whole and told again: the hub between tells what the post did not sign"
                ),
            )
        return Refused(Doubt.HOLE, f"{why}: they are asked for again", later=True)
