"""Answers of `/api/v1/health`, `/api/v1/report`, `/api/v1/verification` and `/api/v1/notice`."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from longwatch.web.model import Model


class Remark(Model):
    """Something that keeps the post from recording as planned. camera: null where it is about the post."""

    rule: str
    subject: str
    what: str
    why: str
    remedy: str
    camera: str | None


class Disk(Model):
    """A volume. state: `ok`, or what is wrong. days_left: at the rate of now, until it is full; null where that is not known."""

    path: str
    state: str
    detail: str
    size_bytes: int | None
    free_bytes: int | None


class Process(Model):
    """One of the post's processes. cpu: share of one core since it began."""

    name: Literal["recorder", "server"]
    resident_bytes: int | None
    cpu: float | None
    up_s: int | None


class Keeping(Model):
    """How long footage is kept. days_of_room: what the disks hold at the rate of now; null where nothing arrives."""

    max_age_s: int
    max_size_bytes: int | None
    held_bytes: int
    bytes_per_day: int
    days_of_room: float | None


class LedgerHealth(Model):
    """The log: entries that are signed, and published on every volume."""

    origin: str
    fingerprint: str
    signed: int
    published: int
    problems: list[str]


class Health(Model):
    """How the post is. Of disks, processes and the ledger only those hear who may see every camera."""

    ready: bool
    remarks: list[Remark]
    versions: dict[str, str]
    clock: str = Field(description="Provenance of the post's time: ntp, rtcp, rtc or inferred.")
    mains: str | None
    battery_percent: int | None
    runtime_s: int | None
    devices: list[dict[str, Any]]
    disks: list[Disk]
    keeping: Keeping | None
    processes: list[Process]
    memory_bytes: int | None
    memory_free_bytes: int | None
    ledger: LedgerHealth | None
    entries_waiting: int


class ReportWish(Model):
    """The span of a report."""

    from_: datetime = Field(alias="from")
    to: datetime


class Verification(Model):
    """The last proof of the whole data folder, or the one under way. findings: what fails first, at most 200."""

    state: Literal["never", "running", "done", "failed"]
    begun: datetime | None
    ended: datetime | None
    part: str
    done: int
    of: int
    ok: bool | None
    summary: str
    fingerprint: str
    size: int
    findings: list[dict[str, Any]]


class NoticeCamera(Model):
    """What a camera records, for those whom it may see."""

    name: str
    covers: str
    kind: str
    audio: bool
    record: str
    scheduled: bool
    masks: int
    shades: int
    max_age_s: int


class Notice(Model):
    """Who runs the post, what it records, for how long, whom to ask."""

    id: str
    name: str
    timezone: str
    operator: str
    purpose: str
    contact: str
    max_age_s: int
    cameras: list[NoticeCamera]
