"""Reports for the page: the same as `longwatch report` makes them, from the settings in force."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from longwatch.base.clock import Clock
from longwatch.config import Settings, resolved
from longwatch.reports import Post, as_json

if TYPE_CHECKING:
    from longwatch.node.issuing.reporting import Fleet
    from longwatch.node.recorder.options import RecorderOptions


class ServerReports:
    """`web.deps.Reporting`. What makes a report is imported with the first one: it is half of a recorder. settings: those in force, asked at each call. fleet: at a hub, what its posts told. Stateless."""

    def __init__(
        self, settings: Callable[[], Settings], clock: Clock, fleet: Callable[[], Fleet | None] = lambda: None
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._fleet = fleet

    def look(self, from_us: int, to_us: int, cameras: frozenset[str] | None) -> bytes:
        """As JSON, of these cameras; None for all. Blocks. Raises LongwatchError."""
        from longwatch.node.issuing.reporting import look

        options, post = self._of_now()
        return as_json(look(options, post, (from_us, to_us), self._clock, cameras, self._fleet()))

    def make(self, from_us: int, to_us: int, person: dict[str, Any]) -> bytes:
        """Signed, as a zip. Blocks. Raises LongwatchError."""
        from longwatch.node.issuing.reporting import look, make

        options, post = self._of_now()
        report = look(options, post, (from_us, to_us), self._clock, fleet=self._fleet())
        with tempfile.TemporaryDirectory(prefix="longwatch-report-") as folder:
            out = Path(folder) / "report.zip"
            make(options, report, out, person)
            return out.read_bytes()

    def _of_now(self) -> tuple[RecorderOptions, Post]:
        from longwatch.node.recorder.options import decode

        settings = self._settings()
        post = Post(settings.post.id, settings.post.name, settings.post.timezone)
        return decode(resolved(settings)), post
