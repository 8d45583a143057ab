"""`verify` of an evidence package, offline: which second of which camera fails, and how.

Order of trust. The checkpoint is signed by the key. The leaf hashes and the proofs lead to the checkpoint. `export_made` is in the
log and names the manifest; the manifest names every other file. Each segment leads to the entry that sealed it, apart from all
that: so where the manifest itself was changed, what was recorded can still be told from what was not.
What is blamed is what was changed: what hangs on a broken link is not blamed for it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from longwatch.base.errors import LongwatchError, UsageError
from longwatch.base.rfc3339 import format_us
from longwatch.evidence import layout
from longwatch.evidence.comparing import compare_segment, compare_untold, compare_video
from longwatch.evidence.post_proof import Shown, check_post
from longwatch.evidence.reading import PackageReader
from longwatch.evidence.said import ManifestError, Said, read_manifest
from longwatch.evidence.signed import Log
from longwatch.ledger import EntryError, LedgerEntry, kinds, leaf_hash, parse_entry, people, segment_root
from longwatch.ledger.checkpoint import CheckpointError, KeyTextError, fingerprint, open_note, parse_public_key
from longwatch.ledger.findings import Finding, Kind, Verdict

_AFTER = (layout.MANIFEST, layout.CHECKPOINT, layout.MADE, layout.MADE_PROOF, layout.LEAVES)


def verify_package(path: Path, key: str | None = None, checkpoint: str | None = None) -> Verdict:
    """Check a package: a zip, or the folder it was unpacked to. key: PEM, a verifier key, or a fingerprint, from outside.
    checkpoint: text of a signed head of the same log, kept earlier.

    Raises UsageError where there is nothing at `path`, LongwatchError where the earlier checkpoint is too old to be held against it.
    """
    if not path.exists():
        raise UsageError(
            f"there is no {path}", remedy="give an evidence package: a zip, or the folder it was unpacked to"
        )
    try:
        reader = PackageReader(path.resolve())
    except LongwatchError as error:
        return Verdict([Finding(Kind.CHANGED, path.name, f"cannot be read: {error.why}")])
    with reader:
        return _Check(reader, key, checkpoint).run()


class _Check:
    """One verification. Owner of its verdict."""

    def __init__(self, reader: PackageReader, key: str | None, checkpoint: str | None) -> None:
        self._reader = reader
        self._given = key
        self._earlier = checkpoint
        self._verdict = Verdict()
        self._entries: dict[int, LedgerEntry] = {}
        self._too_old = ""
        self._post = Shown(b"", frozenset(), frozenset())

    def run(self) -> Verdict:
        verdict = self._verdict
        for name, why in self._reader.strange:
            self._blame(Kind.INSERTED, name, why)
        log = self._log()
        said, trusted = self._manifest(log)
        if said is not None and trusted:
            self._names(said)
            self._files(said)
            if log is not None:
                self._listed(log, said)
            self._of_post(said)
            self._sealed(said)
            self._story(said)
        elif log is not None:
            self._untold(log, said)
        self._hold_against(log)
        verdict.findings.sort(key=lambda finding: not finding.kind.blames)
        if self._too_old and verdict.ok:
            raise LongwatchError(
                "the package cannot be held against that checkpoint", why=self._too_old,
                remedy="verify the data folder against it, or a package that was made sooner after it",
            )  # fmt: skip
        return verdict

    def _blame(self, kind: Kind, what: str, detail: str) -> None:
        self._verdict.findings.append(Finding(kind, what, detail))

    def _bytes(self, name: str, limit: int = layout.MAX_TEXT_BYTES) -> bytes | None:
        """A small file whole; None, and blamed, where it is missing or far too long."""
        if name not in self._reader.names:
            self._blame(Kind.REMOVED, name, "is not in the package")
            return None
        if self._reader.size(name) > limit:
            self._blame(Kind.CHANGED, name, f"is {self._reader.size(name)} bytes long")
            return None
        return self._reader.read(name, 0, limit)

    # -- the log

    def _log(self) -> Log | None:
        """The signed head and what leads to it; None where the key or the head cannot be used."""
        pem, note, proof = (self._bytes(name) for name in (layout.KEY, layout.CHECKPOINT, layout.MADE_PROOF))
        leaves = self._bytes(layout.LEAVES, layout.MAX_LEAVES_BYTES)
        key = self._key(pem)
        if key is None:
            return None
        log, broken = Log.open(key, note, proof, leaves)
        for name, detail in broken:
            self._blame(Kind.CHANGED, name, detail)
        if log is not None:
            verdict = self._verdict
            verdict.origin, verdict.size, verdict.root = log.head.origin, log.head.size, log.head.root
        return log

    def _key(self, pem: bytes | None) -> bytes | None:
        if pem is None:
            return None
        try:
            key = parse_public_key(pem.decode("ascii"))
        except (KeyTextError, UnicodeDecodeError) as error:
            self._blame(Kind.CHANGED, layout.KEY, f"is no public key: {error}")
            return None
        self._verdict.key = fingerprint(key)
        if self._given is not None:
            self._verdict.key_given = True
            if not is_key(self._given, key):
                self._blame(
                    Kind.WRONG_KEY,
                    layout.KEY,
                    f"the package is signed by {fingerprint(key)}, and not by the key that was given",
                )
        return key

    def _manifest(self, log: Log | None) -> tuple[Said | None, bool]:
        """What the manifest says, and whether the other files are to be held against it: not where it was changed."""
        text = self._bytes(layout.MANIFEST, layout.MAX_MANIFEST_BYTES)
        made = self._bytes(layout.MADE)
        entry = None if made is None else self._made(log, made)
        if text is None:
            return None, False
        said = wrong = None
        try:
            said = read_manifest(text)
        except ManifestError as error:
            wrong = str(error)
        if entry is not None and entry.body.get("manifest_sha256") != hashlib.sha256(text).hexdigest():
            self._blame(
                Kind.CHANGED,
                layout.MANIFEST,
                f"is not the one that entry {entry.seq} of the ledger names; what it says cannot be relied on",
            )
            return said, False
        if said is None:
            self._blame(Kind.CHANGED, layout.MANIFEST, str(wrong))
            return None, False
        if entry is not None:
            self._made_of(entry, said)
        return said, True

    def _made(self, log: Log | None, made: bytes) -> LedgerEntry | None:
        """`export_made`, once it is shown to stand in the log; blamed where it does not. Without a log it is taken as it is."""
        try:
            entry = parse_entry(made)
        except EntryError as error:
            self._blame(Kind.CHANGED, layout.MADE, str(error))
            return None
        if entry.kind != kinds.EXPORT_MADE:
            self._blame(Kind.CHANGED, layout.MADE, f"is an entry {entry.kind}")
            return None
        if log is not None:
            wrong = log.wrong_leaf(entry.seq, leaf_hash(made), log.made_proof)
            if wrong == "entry":
                self._blame(Kind.CHANGED, layout.MADE, f"is not entry {entry.seq} of the ledger")
                return None
            if wrong:
                self._blame(Kind.CHANGED, layout.MADE_PROOF, wrong)
        return entry

    def _made_of(self, entry: LedgerEntry, said: Said) -> None:
        body = {
            "begun": said.begun,
            "camera": said.camera,
            "from_us": said.from_us,
            "stream": said.stream,
            "to_us": said.to_us,
        }
        for name, value in body.items():
            if entry.body.get(name) != value:
                self._blame(
                    Kind.CHANGED, layout.MADE, f"its {name} is {entry.body.get(name)!r}, the manifest's {value!r}"
                )

    # -- what the manifest names

    def _names(self, said: Said) -> None:
        named = {*said.files, *_AFTER, *(layout.proof_name(each.seq) for each in said.entries)}
        blamed = {finding.what for finding in self._verdict.findings}
        segments = {each.file: each for each in said.segments}
        for name in sorted(named - self._reader.names - blamed):
            if name in segments:
                segment = segments[name]
                detail = "is not in the package"
                held = segment.parts[1:] or segment.parts
                self._verdict.findings.append(
                    Finding(Kind.REMOVED, name, detail, said.camera, said.stream, held[0].from_us, held[-1].to_us)
                )
            else:
                self._blame(Kind.REMOVED, name, "is not in the package")
        for name in sorted(self._reader.names - named):
            self._blame(Kind.INSERTED, name, "is not named by the manifest")

    def _files(self, said: Said) -> None:
        """Every file that the manifest names, by its bytes."""
        segments = {each.file: each for each in said.segments}
        whole = set()
        for name, file in said.files.items():
            if name not in self._reader.names:
                continue
            self._verdict.bytes += self._reader.size(name)
            if name in segments:
                found = compare_segment(self._reader, said, segments[name])
                whole |= set() if found else {name}
                self._verdict.findings += found
                self._verdict.segments += 1
            elif name != said.video and (
                self._reader.size(name) != file.size or self._reader.sha256(name) != file.sha256
            ):
                self._blame(Kind.CHANGED, name, "is not the file that the manifest names")
        if said.video in self._reader.names:
            self._verdict.findings += compare_video(self._reader, said, whole)

    def _listed(self, log: Log, said: Said) -> None:
        """Every entry that the manifest lists, and its proof."""
        for each in said.entries:
            name = layout.entry_name(each.seq)
            data = (
                b""
                if each.leaf is not None or name not in self._reader.names
                else self._reader.read(name, 0, layout.MAX_TEXT_BYTES)
            )
            self._verdict.entries += 1
            if each.leaf is None and hashlib.sha256(data).digest() != _named(said, name):
                continue  # blamed already
            leaf = each.leaf or leaf_hash(data)
            proof_name = layout.proof_name(each.seq)
            proof = (
                self._reader.read(proof_name, 0, layout.MAX_TEXT_BYTES) if proof_name in self._reader.names else None
            )
            wrong = log.wrong_leaf(each.seq, leaf, proof)
            if wrong == "entry":
                self._blame(Kind.CHANGED, name, f"is not entry {each.seq} of the ledger")
            elif wrong and proof is not None:
                self._blame(Kind.CHANGED, proof_name, wrong)
            if each.leaf is None:
                self._keep(each.seq, each.kind, name, data)

    def _keep(self, seq: int, kind: str, name: str, data: bytes) -> None:
        try:
            entry = parse_entry(data)
        except EntryError as error:
            self._blame(Kind.CHANGED, name, str(error))
            return
        if (entry.seq, entry.kind) != (seq, kind):
            self._blame(Kind.CHANGED, name, f"is entry {entry.seq}, {entry.kind}, and not {seq}, {kind}")
            return
        self._entries[seq] = entry

    def _of_post(self, said: Said) -> None:
        """A package from a hub: the post's own ledger, whose key may be the one that was given."""
        via = said.raw.get("via")
        if via is None:
            return
        if not isinstance(via, dict):
            self._blame(Kind.CHANGED, layout.MANIFEST, "its part `via` is none")
            return
        held = [each for each in said.segments if each.file in self._reader.names]
        leaves = {each.file: each.leaves for each in held}
        identity = {each.file: (each.boot, each.run, each.sequence) for each in held}
        self._post = check_post(
            self._reader, via, leaves, identity, said.stream, lambda name, why: self._blame(Kind.CHANGED, name, why)
        )
        if self._given is not None and self._post.key and is_key(self._given, self._post.key):
            self._verdict.findings[:] = [f for f in self._verdict.findings if f.kind is not Kind.WRONG_KEY]
        for from_us, _, state, gap in said.timeline:
            if state == "gap" and gap is not None and gap not in self._post.gaps:
                self._blame(
                    Kind.CHANGED, layout.MANIFEST, f"no entry of the post opens the gap at {format_us(from_us)}"
                )

    def _sealed(self, said: Said) -> None:
        """Each segment against the entry that sealed it."""
        shifts: dict[tuple[str, int], int] = {}
        for boot, run, shift_us in said.corrections:
            shifts[boot, run] = shifts.get((boot, run), 0) + shift_us
        for segment in said.segments:
            if segment.file in self._post.sealed:
                continue
            if segment.entry is None:
                self._say(
                    Kind.UNSEALED,
                    segment.file,
                    "no entry of the ledger seals it: the entry of the export alone vouches for it",
                    said,
                    segment,
                )
                continue
            entry = self._entries.get(segment.entry)
            if entry is None:
                continue  # blamed already
            body, identity = entry.body, (said.camera, said.stream, segment.boot, segment.run, segment.sequence)
            if identity != tuple(body.get(name) for name in ("camera", "stream", "boot", "run", "sequence")):
                self._say(Kind.REORDERED, segment.file, f"entry {entry.seq} seals another segment", said, segment)
            elif body.get("root") != segment_root(segment.leaves[0], segment.leaves[1:]).hex():
                self._say(
                    Kind.CHANGED,
                    segment.file,
                    f"is not what entry {entry.seq} sealed: it was changed at the post, before the export",
                    said,
                    segment,
                )
            elif body.get("wall_start_us") != segment.from_us - shifts.get((segment.boot, segment.run), 0):
                self._say(
                    Kind.REORDERED,
                    segment.file,
                    f"stands elsewhere on the clock than entry {entry.seq} sealed it, and no correction says so",
                    said,
                    segment,
                )

    def _say(self, kind: Kind, what: str, detail: str, said: Said, segment: object) -> None:
        from_us, to_us = getattr(segment, "from_us", None), getattr(segment, "to_us", None)
        self._verdict.findings.append(Finding(kind, what, detail, said.camera, said.stream, from_us, to_us))

    def _story(self, said: Said) -> None:
        """The timeline has no hole, the operator is the one of the ledger; and what is to be said without blame."""
        at_us = said.from_us
        for from_us, to_us, state, gap in said.timeline:
            if from_us != at_us or to_us <= from_us:
                self._blame(
                    Kind.CHANGED, layout.MANIFEST, f"its timeline has a hole or an overlap at {format_us(from_us)}"
                )
            at_us = to_us
            opened = [e for e in self._entries.values() if e.kind == kinds.GAP_OPENED and e.body.get("gap") == gap]
            if state == "gap" and gap is not None and not opened and self._has_all_gaps(said):
                self._blame(Kind.CHANGED, layout.MANIFEST, f"no entry opens the gap at {format_us(from_us)}")
        if at_us != said.to_us:
            self._blame(Kind.CHANGED, layout.MANIFEST, "its timeline does not end where its span does")
        begun = self._entries.get(said.begun)
        person = begun.body.get("person") if begun is not None else None
        if (
            isinstance(person, dict)
            and person.get("commitment") != people.commitment(said.operator_salt, said.operator_text).hex()
        ):
            self._blame(
                Kind.CHANGED, layout.MANIFEST, f"the operator is not the one that entry {said.begun} commits to"
            )
        for part in said.raw["timeline"]:
            if part.get("held") == "gone":
                self._verdict.findings.append(
                    Finding(
                        Kind.EXPIRED,
                        "recording",
                        "was recorded, and removed by retention before the export",
                        said.camera,
                        said.stream,
                        part["from_us"],
                        part["to_us"],
                    )
                )

    def _has_all_gaps(self, said: Said) -> bool:
        """Whether the package tells of its gaps by entries at all (an index made anew from files has gaps that no entry opens), and none
        of them is blamed or withheld.
        """
        listed = [each.seq for each in said.entries if each.kind == kinds.GAP_OPENED]
        return bool(listed) and all(seq in self._entries for seq in listed)

    # -- where the manifest was changed

    def _untold(self, log: Log, said: Said | None) -> None:
        """Without a manifest to rely on: entries against the log, segments against the entries that sealed them."""
        for name in sorted(self._reader.names):
            if not name.startswith("ledger/entries/") or self._reader.size(name) > layout.MAX_TEXT_BYTES:
                continue
            data = self._reader.read(name)
            try:
                entry = parse_entry(data)
            except EntryError as error:
                self._blame(Kind.CHANGED, name, str(error))
                continue
            proof_name = layout.proof_name(entry.seq)
            proof = (
                self._reader.read(proof_name, 0, layout.MAX_TEXT_BYTES) if proof_name in self._reader.names else None
            )
            wrong = log.wrong_leaf(entry.seq, leaf_hash(data), proof)
            if wrong == "entry":
                self._blame(Kind.CHANGED, name, f"is not entry {entry.seq} of the ledger")
            else:
                self._entries[entry.seq] = entry
        if said is not None:
            self._verdict.findings += compare_untold(self._reader, said, self._entries.values())

    # -- an earlier checkpoint

    def _hold_against(self, log: Log | None) -> None:
        if self._earlier is None or log is None:
            return
        try:
            earlier = open_note(self._earlier, log.key)
        except CheckpointError as error:
            self._blame(Kind.WRONG_KEY, "the earlier checkpoint", str(error))
            return
        if earlier.origin != log.head.origin:
            self._blame(
                Kind.FORKED, layout.CHECKPOINT, f"is of the log {log.head.origin}, the earlier one of {earlier.origin}"
            )
        elif earlier.size > log.head.size:
            self._blame(
                Kind.ROLLED_BACK, layout.CHECKPOINT,
                f"knows {log.head.size} entries, the other one {earlier.size}: that one is later, or the log was rolled back",
            )  # fmt: skip
        elif (found := log.root_at(earlier.size)) is None:
            self._too_old = f"it is of {earlier.size} entries, and the package shows the log from entry {log.begin} on"
        elif found != earlier.root:
            self._blame(
                Kind.FORKED,
                layout.CHECKPOINT,
                f"the log had other entries when the earlier checkpoint, of {earlier.size}, was signed",
            )


def _named(said: Said, name: str) -> bytes:
    file = said.files.get(name)
    return b"" if file is None else file.sha256


def is_key(given: str, key: bytes) -> bool:
    """Whether a key or fingerprint that somebody gave is this key."""
    given = given.strip()
    if given.startswith("SHA256:"):
        return given.rstrip("=") == fingerprint(key)
    try:
        return parse_public_key(given) == key
    except KeyTextError as error:
        raise UsageError(
            "the key that was given is none", why=str(error), remedy="give a PEM file, or SHA256:..."
        ) from error
