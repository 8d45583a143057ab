"""How the post is: what keeps it from recording, its disks, memory, clock, power and ledger; and how long footage is kept."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from longwatch.accounts import Right
from longwatch.base import process
from longwatch.base.secrets import scrub
from longwatch.health import Issue, Snapshot, VolumeState, examine, is_ready
from longwatch.model.sessions import StreamKey
from longwatch.web.api import Api
from longwatch.web.deps import Deps
from longwatch.web.guard import principal_of
from longwatch.web.models_condition import Health
from longwatch.web.policy import SIGNED_IN

_DAY_S = 86_400


def register(api: Api, deps: Deps) -> None:
    """Health."""

    @api.get("/api/v1/health", SIGNED_IN, responses={200: {"model": Health}})
    async def health(request: Request) -> Response:
        """Of disks, processes and the ledger only those hear who may see every camera."""
        principal = principal_of(request)
        assert principal is not None
        snapshot = await deps.status.now()
        issues = [
            issue for issue in examine(snapshot) if issue.camera is None or principal.may(Right.VIEW, issue.camera)
        ]
        whole = principal.cameras is None
        waiting, _ = await deps.accounts.journal.waiting()
        memory = process.machine_memory()
        told: dict[str, Any] = {
            "ready": is_ready(issues),
            "remarks": [_remark(issue) for issue in issues],
            "versions": {"server": deps.options.version, "recorder": snapshot.version},
            "clock": snapshot.provenance,
            "mains": snapshot.around.mains,
            "battery_percent": snapshot.around.battery_percent,
            "runtime_s": snapshot.around.runtime_s,
            "devices": [{"name": name, "answers": answers} for name, answers in snapshot.around.devices]
            if whole
            else [],
            "disks": [_disk(volume) for volume in snapshot.volumes] if whole else [],
            "keeping": await deps.read(_keeping, deps, snapshot) if whole else None,
            "processes": _processes(snapshot) if whole else [],
            "memory_bytes": memory[0] if memory and whole else None,
            "memory_free_bytes": memory[1] if memory and whole else None,
            "ledger": asdict(snapshot.ledger) if whole and snapshot.running else None,
            "entries_waiting": waiting if whole else 0,
        }
        return JSONResponse(told)


def _remark(issue: Issue) -> dict[str, Any]:
    return {name: value if value is None else scrub(str(value)) for name, value in asdict(issue).items()}


def _disk(volume: VolumeState) -> dict[str, Any]:
    return {**asdict(volume), "path": scrub(volume.path), "detail": scrub(volume.detail)}


def _processes(snapshot: Snapshot) -> list[dict[str, Any]]:
    own = process.described()
    recorder = asdict(snapshot.process)
    return [_process("recorder", recorder), _process("server", own)]


def _process(name: str, said: dict[str, int | None]) -> dict[str, Any]:
    cpu_us, up_us = said["cpu_us"], said["up_us"]
    return {
        "name": name,
        "resident_bytes": said["resident_bytes"],
        "cpu": round(cpu_us / up_us, 5) if cpu_us is not None and up_us else None,
        "up_s": None if up_us is None else up_us // 1_000_000,
    }


def _keeping(deps: Deps, snapshot: Snapshot) -> dict[str, Any]:
    """How long the room lasts at the rate of now: what arrives this second, on what is there and not to be kept free. Blocks."""
    site = deps.site()
    held = sum(deps.index.stats(StreamKey(camera, stream)).bytes for camera, stream, _ in deps.index.cameras())
    arriving = sum(t.bitrate or 0 for s in snapshot.streams if s.recording for t in s.tracks) / 8
    room = held + sum(volume.free_bytes or 0 for volume in snapshot.volumes)
    room -= sum(site.keeping.keep_free_of(volume.size_bytes or 0) for volume in snapshot.volumes)
    if site.keeping.max_size_bytes is not None:
        room = min(room, site.keeping.max_size_bytes)
    return {
        "max_age_s": site.keeping.max_age_s,
        "max_size_bytes": site.keeping.max_size_bytes,
        "held_bytes": held,
        "bytes_per_day": round(arriving * _DAY_S),
        "days_of_room": round(max(0, room) / (arriving * _DAY_S), 1) if arriving else None,
    }
