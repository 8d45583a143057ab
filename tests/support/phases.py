"""How `make test` gives out its tests: first many at once that wait for each other's processes, last few that each fill a processor."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any

from xdist.scheduler import LoadGroupScheduling

BESIDE_NICE = 10
MOST_AT_RIGS = 3
MOST_IN_BROWSERS = 2


class Phase(IntEnum):
    """In the order in which they run."""

    RIGS = 0
    """Whole posts and hubs, killed, cut off, with disks that fail. They wait more than they work."""
    SMALL = 1
    """All else."""
    BROWSERS = 2
    """Each fills a processor."""


def is_beside(worker: str, count: int) -> bool:
    """Whether a worker ("gw3", of so many) is the one that has small tests while the others have rigs: the first that these have no use for."""
    return worker == f"gw{MOST_AT_RIGS}" and count > MOST_AT_RIGS


class Phased(LoadGroupScheduling):
    """Groups in order, each on one worker, as `--dist loadgroup` does it, with two differences. Once a browser's turn has come, workers that come for more
    are let go until MOST_IN_BROWSERS are left. And as long as rigs are waiting, the worker that `is_beside` fills with small tests what they
    leave of the processors; it yields to them (BESIDE_NICE, which it sets itself), and is let go with the last of them. phase_of: a test's, by its id. Owner of the
    workers' queues: xdist.
    """

    def __init__(self, config: Any, log: Any, phase_of: Callable[[str], Phase]) -> None:
        super().__init__(config, log)
        self._phase_of = phase_of

    def _assign_work_unit(self, node: Any) -> None:
        if is_beside(node.gateway.id, self.numnodes):
            group = self._small_one()
            if group is None or self._next_phase() is not Phase.RIGS:
                node.shutdown()
                return
            self.workqueue.move_to_end(group, last=False)
        super()._assign_work_unit(node)

    def _reschedule(self, node: Any) -> None:
        if self.workqueue and not node.shutting_down and self._are_enough():
            node.shutdown()  # it still runs what it was given
        else:
            super()._reschedule(node)

    def _are_enough(self) -> bool:
        going_on = sum(not node.shutting_down for node in self.nodes)
        return self._next_phase() is Phase.BROWSERS and going_on > MOST_IN_BROWSERS

    def _next_phase(self) -> Phase:
        return self._phase(next(iter(self.workqueue)))

    def _phase(self, group: str) -> Phase:
        return self._phase_of(next(iter(self.workqueue[group])))

    def _small_one(self) -> str | None:
        """The last of them: the first are large groups, and a worker that yields to all others must not be left with one."""
        return next((group for group in reversed(self.workqueue) if self._phase(group) is Phase.SMALL), None)
