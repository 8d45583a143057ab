"""Logging: structlog, as JSON lines or for a console, always scrubbed of known secrets, always to standard error.

A process imports this before anything else that logs: see below.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

from longwatch.base.secrets import scrub

# structlog imports rich, where there is one, for tracebacks in colours: 60 modules, 40 ms of a recorder's start. Ours are text. None in
# `sys.modules` means "there is none" (Python's reference, "The module cache"); whoever prints tables finds it again.
_hide_rich = not {"structlog", "rich"} & set(sys.modules)
if _hide_rich:
    sys.modules["rich"] = None  # type: ignore[assignment]  # as documented
import structlog  # noqa: E402 - after the lines above

if _hide_rich:
    del sys.modules["rich"]


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, (int, float, bool, type(None))):
        return value
    return scrub(str(value))


def _scrubbed(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        event[key] = _clean(value)
    return event


def configure(*, json: bool, level: str = "info") -> None:
    """Set up logging of this process. The traceback of an error is text, and scrubbed like all other text."""
    numeric = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}[level]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True)
            if json
            else structlog.processors.TimeStamper("%H:%M:%S", utc=False),
            structlog.processors.format_exc_info,
            _scrubbed,
            structlog.processors.JSONRenderer()
            if json
            else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(numeric),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
