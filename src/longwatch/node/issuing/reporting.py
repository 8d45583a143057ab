"""`longwatch report`: gathered from the archive, written, and attested by an entry of the ledger that names its files by their hashes.

Here the settings' plans, the room `reports` and the ledger's attestation meet.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from longwatch import __version__
from longwatch.accounting import PowerPlan, Schedule
from longwatch.accounting.alarm_words import sentence
from longwatch.archive import ArchiveReader, LedgerReader
from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.ledger import kinds
from longwatch.ledger.proofs import parse_proof, proof_text
from longwatch.reports import (
    Checked,
    Post,
    Report,
    Source,
    Unwanted,
    Wish,
    as_csv,
    as_json,
    check,
    gather,
    page,
    usual_span,
)

if TYPE_CHECKING:
    from longwatch.node.by_recorder.attest import Attestation
    from longwatch.node.recorder.options import RecorderOptions

_MINUTE_US = 60_000_000
_WRITERS: Mapping[str, Callable[[Report], bytes]] = {".html": page, ".csv": as_csv, ".json": as_json}
NAME = "report"
PROOF, KEY = "tlog-proof", "pem"
_MOST_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class MadeReport:
    """What was written. files: paths; entry: number of its entry."""

    report: Report
    files: tuple[Path, ...]
    entry: int
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Fleet:
    """What a hub knows of its posts. names: of their cameras, by `post.camera`."""

    source: Source
    names: Mapping[str, str]


def look(
    options: RecorderOptions,
    post: Post,
    span: tuple[int | None, int | None],
    clock: Clock,
    cameras: frozenset[str] | None = None,
    fleet: Fleet | None = None,
) -> Report:
    """Work a report out. span: microseconds; None: the usual one. cameras: of these alone; None: of all. fleet: at a hub, what its posts told. Raises
    UsageError, LongwatchError.
    """
    own = ArchiveReader(options.volumes)
    reader: Source = own if fleet is None else fleet.source
    names = {camera.id: camera.name for camera in options.cameras} if fleet is None else fleet.names
    ledger = LedgerReader(options.volumes)
    try:
        usual = usual_span(reader, post.timezone)
        from_us, to_us = usual[0] if span[0] is None else span[0], usual[1] if span[1] is None else span[1]
        if from_us >= to_us:
            raise UsageError(
                "the span is empty", why="--from is not before --to", remedy="give a stretch that is not empty"
            )
        unwanted = _Plans(options)
        wish = Wish(
            post, from_us, to_us, clock.wall_us(), __version__, names,
            {camera.id: plan for camera in options.cameras if (plan := unwanted.of(camera.id)) is not None}, sentence, cameras,
        )  # fmt: skip
        return gather(reader, own, ledger, wish)
    except ValueError as error:
        raise UsageError("there is no report of that span", why=str(error)) from error
    finally:
        ledger.close()
        own.close()


class _Plans:
    """When the plan of a camera wants no recording, to the minute; cameras with the same plan share what was worked out."""

    def __init__(self, options: RecorderOptions) -> None:
        self._options = options
        self._cameras = {camera.id: camera for camera in options.cameras}
        self._known: dict[object, dict[int, bool]] = {}

    def of(self, camera_id: str) -> Unwanted | None:
        """None where it is always to be recorded."""
        camera = self._cameras[camera_id]
        if camera.windows is None and camera.power_windows is None and not camera.never:
            return None
        known = self._known.setdefault((camera.windows, camera.power_windows, camera.never), {})
        schedule, plan = self._options.schedule(camera), self._options.power_plan(camera)
        return lambda from_us, to_us: _unwanted_us(known, schedule, plan, from_us, to_us)


def _unwanted_us(known: dict[int, bool], schedule: Schedule, plan: PowerPlan, from_us: int, to_us: int) -> int:
    total = 0
    at_us = from_us
    while at_us < to_us:
        minute = at_us // _MINUTE_US
        end_us = min(to_us, (minute + 1) * _MINUTE_US)
        if minute not in known:
            start_us = minute * _MINUTE_US
            known[minute] = bool(schedule.not_planned(start_us) or plan.asleep(start_us))
        if known[minute]:
            total += end_us - at_us
        at_us = end_us
    return total


# ---- writing --------------------------------------------------------------------------------------------------------


def make(options: RecorderOptions, report: Report, out: Path, person: dict[str, Any]) -> MadeReport:
    """Write a report to `out`: a file .html, .csv or .json with its proof and key beside it; or all three in a folder or .zip.

    The entry is durable before anything is written. person: {"subject", "text"}. Raises UsageError, LongwatchError.
    """
    content = _content(report, out)
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in content.items()}
    body: dict[str, object] = {"from_us": report.from_us, "to_us": report.to_us, "files": hashes}
    from longwatch.node.by_recorder.attest import (
        attest,  # where no recorder runs it is one itself, and imports what that takes
    )

    made = asyncio.run(attest(options.volumes, kinds.REPORT_MADE, body, person))
    proof = _with_entry(made)
    try:
        files = _write(out, content, proof, made.key)
    except OSError as error:
        raise LongwatchError(
            f"the report could not be written to {out}",
            why=error.strerror or str(error),
            remedy="its entry stands; make another",
        ) from error
    return MadeReport(report, files, made.seq, made.fingerprint)


def _content(report: Report, out: Path) -> dict[str, bytes]:
    writer = _WRITERS.get(out.suffix.lower())
    if writer is not None and not out.is_dir():
        return {out.name: writer(report)}
    if out.suffix.lower() not in {"", ".zip"} and not out.is_dir():
        raise UsageError(
            f"{out} is no report's name",
            remedy="end it with .html, .csv, .json or .zip, or name a folder for all three",
        )
    return {f"{NAME}{suffix}": write(report) for suffix, write in _WRITERS.items()}


def _with_entry(made: Attestation) -> str:
    """The proof, with the entry that it is about inside: one file to keep beside the report."""
    proof = parse_proof(made.proof)
    return proof_text(proof.index, proof.path, proof.checkpoint, made.entry.encode("utf-8"))


def _write(out: Path, content: Mapping[str, bytes], proof: str, key: str) -> tuple[Path, ...]:
    if out.suffix.lower() == ".zip" and not out.is_dir():
        fresh = out.with_name(f".{out.name}.{os.getpid()}")
        with zipfile.ZipFile(fresh, "w", zipfile.ZIP_DEFLATED) as package:
            for name, data in {**content, f"{NAME}.{PROOF}": proof.encode(), f"{NAME}.{KEY}": key.encode()}.items():
                package.writestr(name, data)
        fresh.replace(out)
        return (out,)
    alone = out.suffix.lower() in _WRITERS and not out.is_dir()
    folder, stem = (out.parent, out.name) if alone else (out, NAME)
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, data in {**content, f"{stem}.{PROOF}": proof.encode(), f"{stem}.{KEY}": key.encode()}.items():
        fresh = folder / f".{name}.{os.getpid()}"
        fresh.write_bytes(data)
        fresh.replace(folder / name)
        files.append(folder / name)
    return tuple(files)


# ---- checking -------------------------------------------------------------------------------------------------------


def check_report(path: Path, expected: str | None) -> Checked:
    """Whether a report (a file with its proof beside it, a folder, or a zip) is what its post's ledger speaks of. Raises UsageError."""
    files = _read_report(path)
    proofs = [name for name in files if name.endswith(f".{PROOF}")]
    keys = [name for name in files if name.endswith(f".{KEY}")]
    if len(proofs) != 1 or len(keys) != 1:
        raise UsageError(
            f"{path} has no proof and key beside it", remedy=f"keep the .{PROOF} and .{KEY} files with the report"
        )
    proof, key = files.pop(proofs[0]).decode("utf-8", "replace"), files.pop(keys[0]).decode("utf-8", "replace")
    return check(files, proof, key, expected)


def _read_report(path: Path) -> dict[str, bytes]:
    if not path.exists():
        raise UsageError(f"there is no {path}")
    if path.is_dir():
        return _read_files([path / f"{NAME}{suffix}" for suffix in (*_WRITERS, f".{PROOF}", f".{KEY}")])
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as package:
            if sum(item.file_size for item in package.infolist()) > _MOST_BYTES:
                raise UsageError(f"{path} is too large for a report")
            return {item.filename: package.read(item) for item in package.infolist()}
    return _read_files([path, path.with_name(f"{path.name}.{PROOF}"), path.with_name(f"{path.name}.{KEY}")])


def _read_files(paths: Sequence[Path]) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in paths if path.is_file() and path.stat().st_size <= _MOST_BYTES}
