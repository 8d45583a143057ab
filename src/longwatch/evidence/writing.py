"""Making an evidence package: begun in the ledger, gathered, written, signed through the ledger, whole or not at all.

Steps, in this order: (1) `export_begun` is entered, and what is open of the stream sealed, before anything is read; (2) the
span is gathered; (3) segments, mp4, C2PA copy, entries, page and script are written beside the file to be, then the manifest
that names each by its SHA-256; (4) `export_made` with the manifest's hash is entered and a checkpoint signed; (5) the proofs of
every entry up to that checkpoint follow; (6) the file is flushed, checked as a stranger would, and takes its name.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Protocol

from longwatch.archive import ArchiveReader, LedgerReader
from longwatch.archive.ops import Person
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.base.rfc3339 import format_us
from longwatch.evidence import c2pa_copy, layout
from longwatch.evidence.archive_file import PackageFile
from longwatch.evidence.entries import Progress, Told, Wanted, check_root, find, leaves_file, tree
from longwatch.evidence.gathering import Cut, Gathered, MakeVideo, Source, Video, gather, set_up_us
from longwatch.evidence.manifest import LogHead, Operator, Post, manifest
from longwatch.evidence.page import page
from longwatch.evidence.post_proof import PostLedger, Sealed
from longwatch.evidence.verifying import verify_package
from longwatch.ledger import canonical, kinds, people, segment_root
from longwatch.ledger.checkpoint import parse_unverified
from longwatch.ledger.proofs import inclusion, proof_text
from longwatch.model.sessions import StreamKey
from longwatch.model.stores import SegmentRow

_CHUNK = 1 << 20


class Attestation(Protocol):
    """An entry that was made and published. entry: its canonical text; proof, checkpoint: C2SP; key: PEM."""

    @property
    def seq(self) -> int: ...
    @property
    def entry(self) -> str: ...
    @property
    def proof(self) -> str: ...
    @property
    def checkpoint(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def fingerprint(self) -> str: ...


class Proving(Protocol):
    """What a hub knows of the ledger of the post that recorded a stream."""

    def ledger(self) -> PostLedger: ...
    def sealed(self, row: SegmentRow) -> Sealed: ...
    def gap_entries(self, gaps: frozenset[int]) -> list[int]:
        """The entries that open these."""
        ...


Attest = Callable[[str, dict[str, object], Person, Sequence[StreamKey]], Attestation]
"""Seals what is open of the streams, enters kind, body and person, publishes, and answers with the proof."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for. to_us may lie ahead: it is clipped to what is accounted for. made_us: what the post's clock says."""

    key: StreamKey
    from_us: int
    to_us: int
    post: Post
    writer: tuple[str, str]
    made_us: int
    person: Person


@dataclass(frozen=True, slots=True)
class Made:
    """A package that was written. warnings: what whoever hands it over should know."""

    size: int
    from_us: int
    to_us: int
    manifest_sha256: str
    seq: int
    origin: str
    fingerprint: str
    manifest: Mapping[str, Any]
    warnings: tuple[str, ...]


def write_package(
    out: Path,
    order: Order,
    volumes: Sequence[Path],
    *,
    attest: Attest,
    video: Callable[[Source], MakeVideo],
    progress: Progress = lambda *_: None,
    source: Callable[[], Source] | None = None,
    prove: Callable[[Source], Proving] | None = None,
) -> Made:
    """Write the package of an order to `out`; an older file there is replaced, once the new one is whole.
    source, prove: at a hub, the footage that it holds, and the ledger of its post.

    Raises UsageError for an order that cannot be, LongwatchError where it cannot be made; nothing is left then but the entry
    that it was begun.
    """
    if not out.parent.is_dir():
        raise UsageError(f"there is no folder {out.parent}", remedy="make it, or choose another --out")
    reader: Source = ArchiveReader(volumes) if source is None else source()
    try:
        set_up_us(reader, order.key)
        to_us = min(order.to_us, reader.accounted_until_us(None if source is None else order.key))
        if order.from_us >= to_us:
            raise UsageError("nothing is known of that span yet", why=f"it lies after {format_us(to_us)}")
        body = kinds.export_begun(order.key, order.from_us, to_us, evidence=True)
        begun = attest(kinds.EXPORT_BEGUN, body, order.person, (order.key,))
        with tempfile.TemporaryDirectory(prefix=".longwatch-export-", dir=out.parent) as folder:
            proving = None if prove is None else prove(reader)
            work = _Work(Path(folder), order, to_us, reader, volumes, begun, progress, proving)
            try:
                made = work.run(attest, video(reader))
                (work.folder / "package").replace(out)
            finally:
                work.close()
        _flush_folder(out.parent)
    except OSError as error:
        raise LongwatchError(f"cannot write {out}", why=error.strerror or str(error)) from error
    finally:
        reader.close()
    return made


class _Work:
    """One package in the making. Owner of everything in `folder`."""

    def __init__(
        self, folder: Path, order: Order, to_us: int, reader: Source, volumes: Sequence[Path], begun: Attestation,
        progress: Progress, proving: Proving | None,
    ) -> None:  # fmt: skip
        self.folder = folder
        self._order = order
        self._to_us = to_us
        self._reader = reader
        self._volumes = volumes
        self._ledger = LedgerReader(volumes)
        self._begun = begun
        self._progress = progress
        self._faults: list[dict[str, object]] = []
        self._proving = proving
        self._via: dict[str, object] = {}

    def close(self) -> None:
        self._ledger.close()

    def run(self, attest: Attest, make_video: MakeVideo) -> Made:
        order = self._order
        gathered = gather(self._reader, order.key, order.from_us, self._to_us, make_video)
        head = parse_unverified(self._begun.checkpoint)[0]
        told = find(self._ledger, self._wanted(gathered), head.size, self._progress)
        self._check_roots(gathered, told)
        with (self.folder / "package").open("w+b") as out:
            with contextlib.closing(PackageFile(out)) as package:
                said, digest, attested = self._fill(package, gathered, told, attest)
            out.flush()
            os.fsync(out.fileno())
        self._check_like_a_stranger(attested)
        return Made(
            (self.folder / "package").stat().st_size, order.from_us, self._to_us, digest.hex(), attested.seq, head.origin,
            attested.fingerprint, said, tuple(warnings(said)),
        )  # fmt: skip

    def _fill(
        self, package: PackageFile, gathered: Gathered, told: Sequence[Told], attest: Attest
    ) -> tuple[dict[str, Any], bytes, Attestation]:
        """Every file of the package, in its order: the manifest, the hash of it, and what attests that."""
        for n, cut in enumerate(gathered.cuts, 1):
            self._add_segment(package, cut)
            self._progress("segments", n, len(gathered.cuts))
        if self._proving is not None:
            self._add_post(package, gathered, self._proving)
        signed = self._add_video(package, gathered)
        for each in told:
            if not each.withheld:
                package.add(layout.entry_name(each.seq), each.entry)
        package.add(layout.KEY, self._begun.key.encode())
        package.add(layout.SCRIPT, script())
        said = self._manifest(gathered, told, signed, package)
        text = canonical(said)
        package.add(layout.MANIFEST, text)
        digest = hashlib.sha256(text).digest()
        body = kinds.export_made(self._order.key, self._order.from_us, self._to_us, digest, self._begun.seq)
        attested = attest(kinds.EXPORT_MADE, body, self._order.person, ())
        self._add_proofs(package, told, attested)
        return said, digest, attested

    def _check_like_a_stranger(self, attested: Attestation) -> None:
        """What does not hold is not handed over, unless the manifest itself says so."""
        self._progress("check", 0, 1)
        verdict = verify_package(self.folder / "package", attested.fingerprint, self._begun.checkpoint)
        if verdict.blamed and not self._faults:
            first = verdict.blamed[0]
            raise LongwatchError(
                "the package does not hold when it is checked", why=f"{first.what}: {first.detail}",
                remedy="run `longwatch verify` on the data folder",
            )  # fmt: skip
        self._progress("check", 1, 1)

    def _wanted(self, gathered: Gathered) -> Wanted:
        rows = [cut.row for cut in gathered.cuts] + [row for row, _ in gathered.missing]
        identities = frozenset((row.boot, row.run, row.sequence) for row in rows)
        return Wanted(
            gathered.key, gathered.from_us, gathered.to_us, identities, gathered.gap_ids, self._begun.seq,
            gathered.named_entries,
        )  # fmt: skip

    def _check_roots(self, gathered: Gathered, told: Sequence[Told]) -> None:
        """Headers and lists of hashes that are not what was sealed: said in the package, not hidden by a package of their own."""
        roots = {
            (b["boot"], b["run"], b["sequence"]): b["root"]
            for b in (e.body for e in told if e.kind == kinds.SEGMENT_SEALED)
        }
        for cut in gathered.cuts:
            row = cut.row
            root = roots.get((row.boot, row.run, row.sequence))
            if (
                root is not None
                and root != segment_root(cut.header_sha256, (each.sha256 for each in cut.fragments)).hex()
            ):
                self._faults.append(
                    {
                        "file": layout.segment_name(Path(row.path).name), "fragment": 0, "from_us": row.wall_start_us,
                        "to_us": row.wall_end_us, "what": "its header or its list of hashes is not what was sealed",
                    }
                )  # fmt: skip

    def _add_segment(self, package: PackageFile, cut: Cut) -> None:
        """The header and the fragments, without what stands between them, each held against its hash on the way."""
        row, total = cut.row, sum(each.size for each in cut.rows)
        name = layout.segment_name(Path(row.path).name)

        def chunks() -> Iterator[bytes]:
            yield self._reader.read(row, 0, row.header_bytes)
            for n, fragment in enumerate(cut.rows):
                digest = hashlib.sha256()
                for at in range(fragment.offset, fragment.offset + fragment.size, _CHUNK):
                    data = self._reader.read(row, at, min(_CHUNK, fragment.offset + fragment.size - at))
                    digest.update(data)
                    yield data
                if digest.digest() != fragment.sha256:
                    self._fault(name, cut, n)

        package.add_stream(name, chunks(), row.header_bytes + total)

    def _add_post(self, package: PackageFile, gathered: Gathered, proving: Proving) -> None:
        """The ledger of the post that recorded it, as far as it speaks of this."""
        ledger = proving.ledger()
        seals = {layout.segment_name(Path(cut.row.path).name): proving.sealed(cut.row) for cut in gathered.cuts}
        seqs = [*(one.seq for one in seals.values()), *proving.gap_entries(gathered.gap_ids)]
        for name, data in ledger.files(seqs):
            package.add(name, data)
        self._via = ledger.said(seqs, seals)

    def _fault(self, name: str, cut: Cut, n: int) -> None:
        fragment = cut.rows[n]
        self._faults.append(
            {
                "file": name, "fragment": cut.first + n + 1, "from_us": cut.wall_us(fragment.start_90k),
                "to_us": cut.wall_us(fragment.end_90k), "what": "changed at the post since it was recorded",
            }
        )  # fmt: skip

    def _add_video(self, package: PackageFile, gathered: Gathered) -> dict[str, object] | None:
        """The mp4 and its C2PA copy."""
        video = gathered.video
        if video is None:
            return None
        plain, copy = self.folder / "video", self.folder / "copy"
        self._write_video(video, plain)
        who = c2pa_copy.identity(self._volumes[0], self._order.post.id)
        order = self._order
        c2pa_copy.sign_copy(
            plain, copy, who, title=f"{order.post.id}/{order.key.camera} {format_us(order.from_us)} to {format_us(self._to_us)}",
            writer=order.writer, when=format_us(order.made_us), facts=self._facts(gathered),
        )  # fmt: skip
        for name, path in ((layout.VIDEO, plain), (layout.SIGNED, copy)):
            package.add_stream(name, _read(path), path.stat().st_size)
            path.unlink()
        return {"alg": "ES256", "certificate_sha256": who.certificate_sha256, "file": layout.SIGNED}

    def _write_video(self, video: Video, path: Path) -> None:
        done = 0
        with path.open("wb") as out:
            for chunk in video.chunks():
                done += out.write(chunk)
                self._progress("video", done, video.size)

    def _facts(self, gathered: Gathered) -> dict[str, object]:
        """What the C2PA copy says of itself."""
        order = self._order
        return {
            "post": order.post.id, "camera": order.key.camera, "stream": order.key.stream, "from": format_us(order.from_us),
            "to": format_us(self._to_us), "timezone": order.post.timezone, "checkpoint": self._begun.checkpoint,
            "key": self._begun.fingerprint, "export_begun": self._begun.seq,
            "gaps": [
                {"from": format_us(part.from_us), "to": format_us(part.to_us), "cause": str(part.cause)}
                for part in gathered.tiles if part.cause is not None
            ],
        }  # fmt: skip

    def _manifest(
        self, gathered: Gathered, told: Sequence[Told], signed: dict[str, object] | None, package: PackageFile
    ) -> dict[str, Any]:
        """The manifest, after the page that shows it: every file but itself and what is made after it is named."""
        begun, order = self._begun, self._order
        head = parse_unverified(begun.checkpoint)[0]
        said = manifest(
            writer=" ".join(order.writer), made_us=order.made_us, post=order.post, asked=(order.from_us, order.to_us),
            gathered=gathered, operator=self._operator(),
            log=LogHead(head.origin, begun.fingerprint, begun.checkpoint, head.size, begun.seq), told=told,
            paths=[str(volume) for volume in self._volumes], faults=self._faults, signed=signed,
        )  # fmt: skip
        if self._via:
            said |= {"via": self._via, "totals": {**said["totals"], "unsealed_us": 0}}
        package.add(layout.PAGE, page({**said, "files": package.files}, begun.key).encode())
        return {**said, "files": package.files.copy()}

    def _operator(self) -> Operator:
        person, kept = self._order.person, self._ledger.personal(self._begun.seq)
        if kept is None or kept[1] != person.text:
            raise LongwatchError("the ledger does not hold who exports", why=f"at entry {self._begun.seq}")
        facts = json.loads(person.text)
        digest = people.commitment(kept[0], person.text).hex()
        user, reason = str(facts.get("name") or facts.get("user", "")), str(facts.get("reason", ""))
        return Operator(person.subject, user, reason, person.text, kept[0].hex(), digest)

    def _add_proofs(self, package: PackageFile, told: Sequence[Told], attested: Attestation) -> None:
        """What could not be named by the manifest, since the ledger names the manifest."""
        checkpoint = parse_unverified(attested.checkpoint)[0]
        subtree = tree(self._ledger, checkpoint.size)
        check_root(subtree, checkpoint.size, checkpoint.root)
        package.add(layout.CHECKPOINT, attested.checkpoint.encode())
        package.add(layout.MADE, attested.entry.encode())
        package.add(layout.MADE_PROOF, attested.proof.encode())
        for n, each in enumerate(told, 1):
            path = inclusion(each.seq, checkpoint.size, subtree)
            package.add(layout.proof_name(each.seq), proof_text(each.seq, path, attested.checkpoint).encode())
            self._progress("proofs", n, len(told))
        package.add(layout.LEAVES, leaves_file(self._ledger, subtree, checkpoint.size))


def script() -> bytes:
    """check.py, as it stands in every package."""
    return (resources.files("longwatch.evidence") / "check.py").read_bytes()


def warnings(said: Mapping[str, Any]) -> Iterator[str]:
    """What of a package is not as one would wish."""
    totals = said["totals"]
    if totals["gone_us"]:
        yield f"{totals['gone_us'] / 1e6:.3f} s were recorded and have expired: retention removed them"
    if totals["unsealed_us"]:
        yield f"{totals['unsealed_us'] / 1e6:.3f} s are of segments that no entry of the ledger seals: only this export vouches for them"
    for each in said["missing"]:
        yield f"from {format_us(each['from_us'])} to {format_us(each['to_us'])}: cannot be read: {each['detail']}"
    for each in said["faults"]:
        yield f"from {format_us(each['from_us'])} to {format_us(each['to_us'])}: {each['what']}"
    if said["video"].get("none"):
        yield f"there is no mp4: {said['video']['none']}"


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while data := file.read(_CHUNK):
            yield data


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
