"""How `make test` gives out its tests: first many at once that wait for each other's processes, last few that each fill a processor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xdist.scheduler import LoadGroupScheduling


class Phased(LoadGroupScheduling):
    """Groups in order, each on one worker, as `--dist loadgroup` does it; but once the next one is crowded, workers that come for more are let go until `few` are
    left. is_crowded: of a test's id. Owner of the workers' queues: xdist.
    """

    def __init__(self, config: Any, log: Any, is_crowded: Callable[[str], bool], few: int) -> None:
        super().__init__(config, log)
        self._is_crowded = is_crowded
        self._few = few

    def _reschedule(self, node: Any) -> None:
        if self.workqueue and not node.shutting_down and self._are_enough():
            node.shutdown()  # it still runs what it was given
        else:
            super()._reschedule(node)

    def _are_enough(self) -> bool:
        following = next(iter(next(iter(self.workqueue.values()))))
        return self._is_crowded(following) and sum(not node.shutting_down for node in self.nodes) > self._few
