"""manifest.json: everything a package says, as one value in the ledger's canonical JSON (docs/ref/evidence-package.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longwatch.base.rfc3339 import format_us
from longwatch.base.secrets import scrub
from longwatch.evidence import layout
from longwatch.evidence.entries import Identity, Told, corrections
from longwatch.evidence.gathering import Cut, Gathered
from longwatch.ledger import kinds
from longwatch.model.stores import Held, SegmentRow
from longwatch.timeline import State, Tile


@dataclass(frozen=True, slots=True)
class Post:
    """Whose camera it is, for people. timezone: IANA name."""

    id: str
    name: str
    timezone: str
    camera_name: str


@dataclass(frozen=True, slots=True)
class Operator:
    """Who exports, and why. text, salt: what the commitment in `export_begun` was made of. commitment: 64 hex digits."""

    subject: int
    user: str
    reason: str
    text: str
    salt: str
    commitment: str


@dataclass(frozen=True, slots=True)
class LogHead:
    """The log at the begin of the export. checkpoint: the signed note. begun: number of the `export_begun`."""

    origin: str
    fingerprint: str
    checkpoint: str
    size: int
    begun: int


def manifest(
    *, writer: str, made_us: int, post: Post, asked: tuple[int, int], gathered: Gathered, operator: Operator, log: LogHead,
    told: Sequence[Told], paths: Sequence[str], faults: Sequence[Mapping[str, object]], signed: Mapping[str, object] | None,
) -> dict[str, Any]:  # fmt: skip
    """The manifest without its list of files. paths: of the volumes, which are taken out of every text."""
    sealed = {_identity(each): each.seq for each in told if each.kind == kinds.SEGMENT_SEALED and not each.withheld}
    segments = [_segment(cut, sealed, told) for cut in gathered.cuts]
    timeline = [_tile(part) for part in gathered.tiles]
    made = {
        "kind": layout.KIND, "v": layout.VERSION, "writer": writer,
        "post": {"id": post.id, "name": post.name, "timezone": post.timezone},
        "camera": {"id": gathered.key.camera, "name": post.camera_name}, "stream": gathered.key.stream,
        "asked": _span(*asked), "span": _span(gathered.from_us, gathered.to_us),
        "made": {"us": made_us, "utc": format_us(made_us)},
        "operator": {
            "commitment": operator.commitment, "reason": operator.reason, "salt": operator.salt, "subject": operator.subject,
            "text": operator.text, "user": operator.user,
        },
        "log": {
            "begun": log.begun, "checkpoint": log.checkpoint, "fingerprint": log.fingerprint, "origin": log.origin,
            "size": log.size,
        },
        "timeline": timeline, "totals": totals(gathered.tiles, segments), "segments": segments,
        "missing": [{**_row(row), "detail": detail} for row, detail in gathered.missing],
        "faults": [dict(fault) for fault in faults],
        "corrections": corrections(told, gathered.key), "entries": [_entry(each) for each in told],
        "video": _video(gathered, segments), "signed": None if signed is None else dict(signed),
    }  # fmt: skip
    clean: dict[str, Any] = _clean(made, [path for path in paths if path != "/"])
    return clean | {"operator": made["operator"]}  # whose text is what the ledger commits to; it was scrubbed before


def _span(from_us: int, to_us: int) -> dict[str, object]:
    return {"from": format_us(from_us), "from_us": from_us, "to": format_us(to_us), "to_us": to_us}


def _identity(told: Told) -> Identity:
    body = told.body
    return body["boot"], body["run"], body["sequence"]


def _tile(part: Tile) -> dict[str, object]:
    said: dict[str, object] = {"from_us": part.from_us, "to_us": part.to_us, "state": str(part.state)}
    if part.cause is not None:
        said |= {"cause": str(part.cause), "evidence": dict(part.evidence), "gap": part.gap}
    if part.state is State.RECORDED:
        said |= {
            "also": list(part.also), "held": str(part.held),
            "provenance": "" if part.provenance is None else part.provenance.name.lower(), "run": part.run,
        }  # fmt: skip
    return said


def _row(row: SegmentRow) -> dict[str, object]:
    return {
        "boot": row.boot, "run": row.run, "sequence": row.sequence, "from_us": row.wall_start_us, "to_us": row.wall_end_us,
        "provenance": row.provenance.name.lower(), "sealed": row.sealed, "recovered": row.recovered,
        "damaged": row.damaged, "verified": row.verified,
    }  # fmt: skip


def _segment(cut: Cut, sealed: Mapping[Identity, int], told: Sequence[Told]) -> dict[str, Any]:
    row = cut.row
    seq = sealed.get((row.boot, row.run, row.sequence))
    entry = next((each for each in told if each.seq == seq), None)
    return {
        **_row(row),
        "file": layout.segment_name(Path(row.path).name),
        "entry": seq,
        "root": "" if entry is None else entry.body["root"],
        "header_bytes": row.header_bytes,
        "leaves": [cut.header_sha256.hex(), *(each.sha256.hex() for each in cut.fragments)],
        "first": cut.first + 1,
        "lossy": [n - cut.first for n in cut.lossy],
        "fragments": [[each.size, cut.wall_us(each.start_90k), cut.wall_us(each.end_90k)] for each in cut.rows],
    }


def _entry(told: Told) -> dict[str, object]:
    said: dict[str, object] = {"kind": told.kind, "seq": told.seq, "wall_us": told.wall_us}
    return said | {"leaf": told.leaf.hex(), "withheld": told.withheld} if told.withheld else said


def _video(gathered: Gathered, segments: Sequence[Mapping[str, Any]]) -> dict[str, object] | None:
    """The mp4: its own head, then ranges of the segment files of the package, by their number in `segments`."""
    video = gathered.video
    if video is None:
        return {"none": gathered.no_video}
    number = {cut.row.id: n for n, cut in enumerate(gathered.cuts)}
    pieces: list[list[int]] = []
    for row, offset, size in video.pieces:
        n = number[row.id]
        at = gathered.cuts[n].place(offset)
        if pieces and pieces[-1][0] == n and pieces[-1][1] + pieces[-1][2] == at:
            pieces[-1][2] += size
        else:
            pieces.append([n, at, size])
    return {
        "file": layout.VIDEO, "head_bytes": video.head_bytes, "pieces": pieces, "duration_us": video.duration_us,
        "from_us": video.shown_from_wall_us, "segments": len(segments),
        "gaps": [
            {"at_us": gap.at_us, "cause": str(gap.cause), "from_us": gap.from_us, "to_us": gap.to_us} for gap in video.gaps
        ],
    }  # fmt: skip


def totals(tiles: Sequence[Tile], segments: Sequence[Mapping[str, Any]]) -> dict[str, object]:
    """Microseconds of each state; of gaps also by cause. unsealed: of segments that no entry of the ledger speaks of."""
    by_cause: dict[str, int] = {}
    recorded = gone = 0
    for part in tiles:
        length = part.to_us - part.from_us
        if part.cause is not None:
            by_cause[str(part.cause)] = by_cause.get(str(part.cause), 0) + length
        elif part.state is State.RECORDED:
            recorded += length
            gone += length if part.held is Held.GONE else 0
    unsealed = sum(each["to_us"] - each["from_us"] for each in segments if each["entry"] is None)
    return {
        "gap_us": sum(by_cause.values()),
        "gaps": by_cause,
        "gone_us": gone,
        "recorded_us": recorded,
        "unsealed_us": unsealed,
    }


def _clean(value: Any, paths: Sequence[str]) -> Any:
    """The same without known secrets and without paths of the post."""
    if isinstance(value, str):
        for path in paths:
            value = value.replace(path, "the volume")
        return scrub(value)
    if isinstance(value, Mapping):
        return {str(name): _clean(item, paths) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item, paths) for item in value]
    return value
