"""What the routes of settings and of trying a camera take and answer."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from longwatch.web.api import Problem
from longwatch.web.model import Model

Reason = Field(
    default=None, max_length=1000, description="Why; asked for where less is recorded, kept or accounted for."
)
Revision = Field(default=None, max_length=64, description="`revision` as it was read: another one is refused with 409.")


class Shown(Model):
    """The settings file. text: with a stand-in (three dots and eight digits) for each password that stands in it itself; saved, it is put
    back. writable: null, or why the server cannot write it. wrong: what is wrong with it as it stands.
    """

    path: str
    text: str
    revision: str
    read_only: str | None
    wrong: list[SettingsProblem]
    data_schema: dict[str, Any] = Field(alias="schema")


class SettingsProblem(Model):
    """One thing that is wrong. line, column: from 1; key: as `cameras.gate.transport`."""

    line: int
    column: int
    key: str
    what: str
    remedy: str


class ChangedValue(Model):
    """One setting. A secret is never a value of it."""

    key: str
    old: str | int | bool | None
    new: str | int | bool | None


class Difference(Model):
    """Against what runs. added, removed, changed: cameras; interrupted: those whose session ends and begins again. reduces: what it
    takes away; then a reason is asked for. restart_needed: what takes effect at the next start.
    """

    added: list[str]
    removed: list[str]
    changed: list[str]
    interrupted: list[str]
    restart_needed: list[str]
    reduces: list[str]
    values: list[ChangedValue]


class Check(Model):
    """A text as the editor has it."""

    text: str = Field(max_length=2 << 20)


class Checked(Model):
    """difference: null where something is wrong, or the recorder does not answer (then `unknown` says so)."""

    ok: bool
    problems: list[SettingsProblem]
    difference: Difference | None
    unknown: str | None


class Save(Model):
    """The whole file."""

    text: str = Field(max_length=2 << 20)
    reason: str | None = Reason


class Saved(Model):
    """What came of it. entry: its number in the ledger; null where nothing changed. text: absent keys stay as they were."""

    revision: str
    entry: int | None
    difference: Difference | None


class Unsaved(Problem):
    """Nothing was saved. problems: where the text is wrong; reduces: what asks for a reason; revision, text: of the file as it is
    now, where somebody else changed it.
    """

    problems: list[SettingsProblem] = Field(default_factory=list)
    reduces: list[str] = Field(default_factory=list)
    revision: str | None = None
    text: str | None = None


class CameraLogin(Model):
    """For each URL of the patch that has no login. The password goes into the secrets file."""

    user: str = Field(default="", max_length=200)
    password: str | None = Field(default=None, max_length=1000, description="Null: the one that is there stays.")


class SectionPatch(Model):
    """A JSON merge patch (RFC 7396) of one section: null takes a key out. check: only say what it would do."""

    patch: dict[str, Any]
    reason: str | None = Reason
    revision: str | None = Revision
    check: bool = False


class CameraPatch(SectionPatch):
    """Of one camera, which is made where it is not there."""

    login: CameraLogin | None = None


class CameraRemoval(Model):
    """Why it goes."""

    reason: str = Field(min_length=1, max_length=1000)
    revision: str | None = Revision


class SectionRemoval(Model):
    """A section that goes as a whole."""

    reason: str | None = Reason
    revision: str | None = Revision


class CameraSection(Model):
    """A camera as the file says it (without what it takes over from `defaults`), passwords as stand-ins."""

    id: str
    revision: str
    read_only: str | None
    camera: dict[str, Any]


class PostSections(Model):
    """What forms change beside cameras, as the file says it: passwords as stand-ins. notify: without `rules` the one rule that is built in holds."""

    revision: str
    read_only: str | None
    post: dict[str, Any]
    retention: dict[str, Any]
    notify: dict[str, Any]
    mqtt: dict[str, Any]
    zones: list[str] = Field(description="Names of zones and lines of all cameras, which rules may name.")


class Disk(Model):
    """A file system. used_by: the volume of the post that is on it, or null."""

    path: str
    kind: str
    size_bytes: int
    free_bytes: int
    used_by: str | None


class Disks(Model):
    """Disks of this machine that recordings could go to."""

    items: list[Disk]
    next: None = None


class ProbeRequest(Model):
    """An address to try. camera: where it has `${NAME}` or a stand-in, the camera of the settings that uses it."""

    url: str = Field(min_length=1, max_length=4096)
    transport: Literal["tcp", "udp"] = "tcp"
    verify_certificate: bool = True
    login: CameraLogin | None = None


class ProbedTrack(Model):
    """One track that would be recorded, as measured."""

    kind: str
    codec: str
    codec_string: str
    width: int | None
    height: int | None
    fps: float | None
    fps_announced: float | None
    bitrate: int | None
    sample_rate: int | None
    channels: int | None
    gop_s: float | None
    b_frames: bool
    samples: int
    packets: int
    lost: int
    notes: list[str]


class Finding(Model):
    """Something about what a camera sends. code: for programs; says: for people."""

    code: str
    level: Literal["bad", "warning", "note"]
    values: dict[str, float | str]
    says: str


class Probed(Model):
    """What a camera sends. fault: why it would not be recorded; null where it would. bytes_per_day: of all its tracks, as measured.
    picture: its first, as `data:image/jpeg;base64,...`; null where none came.
    """

    url: str
    transport: str
    ok: bool
    fault: str | None
    detail: str
    server: str
    offered: list[str]
    first_picture_s: float | None
    measured_s: float
    clock_offset_s: float | None
    tracks: list[ProbedTrack]
    findings: list[Finding]
    bytes_per_day: int | None
    picture: str | None


class Make(Model):
    """Where cameras of one make have their streams. main, sub: paths, `{channel}` being 1 for a camera."""

    make: str
    main: str
    sub: str | None
    note: str


class Makes(Model):
    """Paths of makes, for whoever does not know theirs."""

    items: list[Make]
    next: None = None


Shown.model_rebuild()
