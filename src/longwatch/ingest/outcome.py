"""What came of one attempt."""

from __future__ import annotations

from dataclasses import dataclass

from longwatch.model.sessions import Fault


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one attempt. fault: None where we ended it ourselves. streamed: samples had been delivered.

    retry_after_s: how long to leave the camera alone at least, where that is known. unfinished: the id of a session that
    could not be torn down. server: the camera's Server header.
    """

    fault: Fault | None
    detail: str
    streamed: bool = False
    retry_after_s: float | None = None
    unfinished: str = ""
    server: str = ""
