"""Exports in the server: the child that makes each file, and what the desk asks of recorder, ledger and settings."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from longwatch.accounts import POST, Journal, Who
from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError
from longwatch.config import Settings
from longwatch.exports import ExportDesk, ExportedFile, Job, Options
from longwatch.exports.jobs import Part
from longwatch.health import RecorderLink
from longwatch.ledger import kinds
from longwatch.model.holds import Hold
from longwatch.pictures import plain_environment
from longwatch.server_db import ServerDb
from longwatch.web import Site

FOLDER = ("derived", "exports")
_MOST_LINE = 1 << 20
_FLEET = "fleet"
_ENVIRON = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "SSL_CERT_FILE")


class Holds(Protocol):
    """An index, as far as it is asked here. Calls block."""

    def holds(self, *, everything: bool = False, number: int | None = None) -> list[Hold]: ...


def deleted_body(job: Job, why: str) -> dict[str, object]:
    """The body of `export_deleted`. A single camera stands in it as `camera`, so that the audit finds it by that."""
    order = job.order
    body: dict[str, object] = {
        "export": job.id, "kind": str(order.kind), "cameras": list(order.cameras), "stream": order.stream, "from_us": order.from_us,
        "to_us": order.to_us, "why": why, "files": [file.sha256 for file in job.files if file.sha256],
    }  # fmt: skip
    return {**body, "camera": order.cameras[0]} if len(order.cameras) == 1 else body


@dataclass(frozen=True, slots=True)
class CameraFacts:
    """name: for people. max_age_s: its own, None where it has none."""

    name: str
    max_age_s: int | None = None


class ChildMaker:
    """Starts a child for each file. settings: those in force. camera: what is known of one."""

    def __init__(self, settings: Callable[[], Settings], camera: Callable[[str], CameraFacts]) -> None:
        self._settings = settings
        self._camera = camera

    async def make(self, job: Job, part: Part, out: Path, said: Callable[[str, int, int], None]) -> ExportedFile:
        """See `exports.Maker`."""
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "longwatch.node.children.export", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            limit=_MOST_LINE, env=plain_environment(), start_new_session=True,
        )  # fmt: skip
        try:
            assert child.stdin is not None
            assert child.stdout is not None
            child.stdin.write(json.dumps(self._order(job, part, out)).encode() + b"\n")
            async for line in child.stdout:
                answer = json.loads(line)
                if "progress" in answer:
                    step, done, of = answer["progress"]
                    said(str(step), int(done), int(of))
                elif "problem" in answer:
                    raise LongwatchError(**answer["problem"])
                else:
                    return _file(out.name, part, answer["made"])
            raise LongwatchError("the export could not be made", why=f"its process ended with {await child.wait()}")
        except (OSError, ValueError) as error:
            raise LongwatchError("the export could not be made", why=str(error)) from error
        finally:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()

    def _order(self, job: Job, part: Part, out: Path) -> dict[str, Any]:
        settings = self._settings()
        return {
            "volumes": [str(path) for path in settings.volumes], "kind": str(job.order.kind), "key": [part.camera, job.order.stream],
            "from_us": part.from_us, "to_us": part.to_us, "every_us": job.order.every_us, "out": str(out),
            "person": {"subject": job.subject, "text": job.who}, "rate": settings.exports.rate,
            "post": [settings.post.id, settings.post.name, settings.post.timezone, self._camera(part.camera).name],
            "fleet": fleet_order(settings),
        }  # fmt: skip


def fleet_order(settings: Settings) -> dict[str, Any] | None:
    """What the child is told, through its pipe: where database and media are; None at a post. It may hold passwords."""
    if settings.role != "hub":
        return None
    folder = settings.volumes[0] / _FLEET
    return {
        "database": settings.database or "", "media": settings.media or "", "folder": str(folder),
        "environ": {name: os.environ[name] for name in _ENVIRON if name in os.environ},
    }  # fmt: skip


def _file(name: str, part: Part, made: dict[str, Any] | None) -> ExportedFile:
    if made is None:
        return ExportedFile(name, part.camera, part.from_us, part.to_us)
    return ExportedFile(
        name, part.camera, int(made["from_us"]), int(made["to_us"]), int(made["size"]), str(made["sha256"]), made["about"]
    )  # fmt: skip


class AroundExports:
    """See `exports.Neighbours`."""

    def __init__(
        self, link: RecorderLink, journal: Journal, index: Holds, settings: Callable[[], Settings], camera: Callable[[str], CameraFacts]
    ) -> None:  # fmt: skip
        self._link = link
        self._journal = journal
        self._index = index
        self._settings = settings
        self._camera = camera

    async def protect(self, job: Job, for_s: int) -> None:
        """By the recorder; while it is away nothing is removed either."""
        order = job.order
        streams = [[camera, order.stream] for camera in order.cameras]
        with contextlib.suppress(LongwatchError):
            await self._link.request(
                "protect",
                name=f"export {job.id}",
                streams=streams,
                from_us=order.from_us,
                to_us=order.to_us,
                for_s=for_s,
            )

    async def removed(self, job: Job, why: str) -> None:
        """An entry of the post's own."""
        await self._journal.say(kinds.EXPORT_DELETED, deleted_body(job, why), Who(POST))

    async def law_us(self, job: Job) -> int | None:
        """The strictest of its cameras, counted from its oldest footage; none where holds with authority and end cover all of it."""
        settings = self._settings()
        ages = [
            min(age for age in (settings.retention.max_age, own) if age is not None)
            for camera in job.order.cameras
            for own in (self._camera(camera).max_age_s,)
        ]
        if not await self._needs_law(job):
            return None
        return job.order.from_us + min(ages) * 1_000_000

    async def _needs_law(self, job: Job) -> bool:
        holds = await asyncio.to_thread(self._index.holds)
        order = job.order
        return not all(
            any(
                h.firm and h.covers(c, order.stream) and h.from_us <= order.from_us and h.to_us >= order.to_us
                for h in holds
            )
            for c in order.cameras
        )

    async def time_is_trusted(self) -> bool:
        """As the recorder says; not while it is away."""
        try:
            return bool((await self._link.request("status")).get("time_trusted"))
        except LongwatchError:
            return False


def camera_facts(settings: Callable[[], Settings], site: Callable[[], Site]) -> Callable[[str], CameraFacts]:
    """Of a camera of the settings; at a hub, as its post told."""

    def of(camera: str) -> CameraFacts:
        known = settings().cameras.get(camera)
        if known is not None:
            return CameraFacts(known.name, known.retention.max_age)
        told = site().camera(camera)
        return CameraFacts(camera) if told is None else CameraFacts(told.name, told.max_age_s)

    return of


def desk_of(
    db: ServerDb,
    link: RecorderLink,
    journal: Journal,
    index: Holds,
    settings: Callable[[], Settings],
    clock: Clock,
    site: Callable[[], Site],
) -> ExportDesk:
    """The desk of a post or hub. Its folder lies on the first volume."""

    def options() -> Options:
        given, keep = settings().exports, settings().retention.keep_free
        return Options(
            given.keep * 1_000_000,
            given.max_size,
            lambda size: max(keep.size_bytes or 0, int(size * (keep.fraction or 0))),
        )

    camera = camera_facts(settings, site)
    folder = settings().volumes[0].joinpath(*FOLDER)
    return ExportDesk(
        db, folder, ChildMaker(settings, camera), AroundExports(link, journal, index, settings, camera), clock, options
    )
