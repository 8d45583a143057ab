"""Exports, as the post makes them: entered in the ledger before anything is read; as an mp4, or as an evidence package.

Here `playback` (what a player gets), `evidence` (what a stranger can check) and the ledger's attestation meet.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from longwatch import __version__
from longwatch.archive import ArchiveReader
from longwatch.archive.ops import Person
from longwatch.base.clock import Clock
from longwatch.base.errors import UsageError
from longwatch.evidence import (
    Made,
    MakeVideo,
    Order,
    Post,
    Proving,
    Source,
    Video,
    missing_spans,
    set_up_us,
    timeline,
    write_package,
)
from longwatch.ledger import kinds
from longwatch.model.sessions import StreamKey
from longwatch.model.stores import GapSpan, Held
from longwatch.node.by_recorder.attest import Attestation, attest
from longwatch.playback import (
    ExportResult,
    LapseRequest,
    LapseResult,
    NoVideoError,
    VideoRequest,
    export,
    open_video,
    write_lapse,
)

WRITER = ("Longwatch", __version__)
_R = TypeVar("_R")
Open = Callable[[], Source]
"""Opens what holds the footage; closed when the export is over."""

Progress = Callable[[str, int, int], None]
"""What is done, how far, of how much (0: not known)."""


@dataclass(frozen=True, slots=True)
class Written:
    """A file that was written. from_us, to_us: what it shows. gaps: (from, to, cause). sha256: of the file, which `export_made` names.

    seq: number of that entry. pictures: of a time-lapse.
    """

    size: int
    from_us: int
    to_us: int
    gaps: tuple[tuple[int, int, str], ...]
    sha256: str
    seq: int
    pictures: int | None = None


def _enter(volumes: Sequence[Path], kind: str, body: dict[str, object], person: dict[str, Any]) -> int:
    return asyncio.run(attest(volumes, kind, body, person)).seq


def export_video(
    volumes: Sequence[Path], key: StreamKey, from_us: int, to_us: int, out: Path, person: dict[str, Any], *,
    progress: Progress = lambda *_: None, source: Open | None = None,
) -> Written:  # fmt: skip
    """The stretch as one mp4 at `out`: entered before anything is read, and with its SHA-256 once it is written.

    person: {"subject", "text"}. source: at a hub, what it holds of its posts. Raises as evidence.timeline and playback.export.
    """
    request = VideoRequest(key, from_us, to_us)

    def write(reader: Source, until_us: int, missing: Sequence[GapSpan]) -> ExportResult:
        told = partial(progress, "video")
        return export(reader, request, out, accounted_until_us=until_us, gaps=missing, progress=told)

    body = kinds.export_begun(key, from_us, to_us, evidence=False)
    made, digest, seq = _entered(volumes, key, (from_us, to_us), out, person, body, write, progress, source)
    return Written(made.size, made.from_us, made.to_us, made.gaps, digest, seq)


def export_lapse(
    volumes: Sequence[Path], key: StreamKey, from_us: int, to_us: int, every_us: int, out: Path, person: dict[str, Any], *,
    progress: Progress = lambda *_: None, source: Open | None = None,
) -> Written:  # fmt: skip
    """The stretch as a time-lapse at `out`, entered as an mp4 is. Raises as playback.write_lapse."""
    request = LapseRequest(key, from_us, to_us, every_us)

    def write(reader: Source, _: int, missing: Sequence[GapSpan]) -> LapseResult:
        return write_lapse(reader, request, out, gaps=missing, progress=partial(progress, "pictures"))

    body = kinds.export_begun(key, from_us, to_us, evidence=False, every_us=every_us)
    made, digest, seq = _entered(volumes, key, (from_us, to_us), out, person, body, write, progress, source)
    return Written(made.size, made.from_us, made.to_us, made.gaps, digest, seq, made.pictures)


def _entered(
    volumes: Sequence[Path], key: StreamKey, span: tuple[int, int], out: Path, person: dict[str, Any], begun: dict[str, object],
    write: Callable[[Source, int, Sequence[GapSpan]], _R], progress: Progress, source: Open | None,
) -> tuple[_R, str, int]:  # fmt: skip
    """What every mp4 goes through: `export_begun`, the file, `export_made` with its SHA-256."""
    reader = ArchiveReader(volumes) if source is None else source()
    try:
        set_up_us(reader, key)
        check_here(reader, key, *span)
        seq = _enter(volumes, kinds.EXPORT_BEGUN, begun, person)
        until_us = reader.accounted_until_us(key if source is not None else None)
        made = write(reader, until_us, missing_spans(timeline(reader, key, *span, until_us)))
    finally:
        reader.close()
    progress("fingerprint", 0, 1)
    digest = sha256_of(out)
    body = kinds.export_file(key, *span, digest, seq)
    return made, digest, _enter(volumes, kinds.EXPORT_MADE, body, person)


def check_here(reader: Source, key: StreamKey, from_us: int, to_us: int) -> None:
    """Raises UsageError where a part of it lies at its post: what is handed over has no holes that are none."""
    away_us = at_post_us(reader, key, from_us, to_us)
    if away_us:
        raise UsageError(
            f"{away_us / 1e6:.0f} s of {key.camera} are held at the post, and not here", remedy="ask for that stretch first"
        )  # fmt: skip


def at_post_us(reader: Source, key: StreamKey, from_us: int, to_us: int) -> int:
    """How much of what was recorded then is not here, and could be."""
    spans = reader.recorded_spans(key, from_us, to_us)
    away = ((max(s.from_us, from_us), min(s.to_us, to_us)) for s in spans if s.held is Held.POST)
    return sum(max(0, end - begin) for begin, end in away)


def sha256_of(path: Path) -> str:
    """Of a whole file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def export_evidence(
    volumes: Sequence[Path], key: StreamKey, from_us: int, to_us: int, out: Path, person: dict[str, Any], *,
    post: Post, clock: Clock, progress: Progress = lambda *_: None, source: Open | None = None, prove: Callable[[Source], Proving] | None = None,
) -> Made:  # fmt: skip
    """The stretch as an evidence package at `out`. person: {"subject", "text"}. Raises as evidence.write_package."""
    VideoRequest(key, from_us, to_us)  # the same bounds as for any other export, before anything is entered
    who = Person(int(person["subject"]), str(person["text"]))
    order = Order(key, from_us, to_us, post, WRITER, clock.wall_us(), who)
    if out.is_dir():
        raise UsageError(f"{out} is a folder", remedy="give the name of the file to write")
    return write_package(
        out, order, volumes, attest=_attest(volumes), video=_video(key), progress=progress, source=source, prove=prove
    )


def _attest(volumes: Sequence[Path]) -> Callable[[str, dict[str, object], Person, Sequence[StreamKey]], Attestation]:
    def attested(kind: str, body: dict[str, object], person: Person, seal: Sequence[StreamKey]) -> Attestation:
        return asyncio.run(attest(volumes, kind, body, {"subject": person.subject, "text": person.text}, seal))

    return attested


def _video(key: StreamKey) -> Callable[[Source], MakeVideo]:
    def of(reader: Source) -> MakeVideo:
        def make(from_us: int, to_us: int, gaps: Sequence[GapSpan]) -> Video | None:
            try:
                return open_video(reader, VideoRequest(key, from_us, to_us), accounted_until_us=to_us, gaps=gaps)
            except NoVideoError:
                return None

        return make

    return of
