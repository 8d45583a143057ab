"""What an enemy may do to an evidence package: each kind of change, to each kind of file, and what must be blamed for it.

A package is a mapping of names to bytes. A mutation gives the changed mapping and what a verification may blame: names that its
findings must begin with, all of them and at least one; and, where seconds of a camera are hit, which.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

Files = dict[str, bytes]
MANIFEST, MADE = "manifest.json", "ledger/export_made.json"
PROOF, CHECKPOINT, KEY, LEAVES = "ledger/export_made.tlog-proof", "ledger/checkpoint", "ledger/key.pem", "ledger/leaves"


@dataclass(frozen=True)
class Mutated:
    """kind: removed, changed, reordered or inserted, as figure 12 counts them. blamed: what may be named. span: (from_us, to_us) that
    must be named, None where none is hit. same: nothing that is parsed differs.
    """

    name: str
    kind: str
    files: Files
    blamed: tuple[str, ...]
    span: tuple[int, int] | None = None


def class_of(name: str) -> str:
    """The kind of a file."""
    for folder in ("segments/", "ledger/entries/", "ledger/proofs/"):
        if name.startswith(folder):
            return folder
    return name


def one_of_each_class(files: Mapping[str, bytes], rng: random.Random) -> list[str]:
    """A name of every kind of file there is."""
    found: dict[str, list[str]] = {}
    for name in files:
        found.setdefault(class_of(name), []).append(name)
    return [rng.choice(names) for names in found.values()]


def _parts(files: Mapping[str, bytes], name: str) -> list[tuple[int, int, int, int]]:
    """(begin, end, from_us, to_us) of the header and of each fragment of a segment."""
    segment = next(each for each in json.loads(files[MANIFEST])["segments"] if each["file"] == name)
    parts, at = [(0, segment["header_bytes"], segment["from_us"], segment["to_us"])], segment["header_bytes"]
    for size, from_us, to_us in segment["fragments"]:
        parts.append((at, at + size, from_us, to_us))
        at += size
    return parts


def remove_file(files: Files, other: Files, rng: random.Random, name: str) -> Mutated:
    left = {each: data for each, data in files.items() if each != name}
    span = None
    if name.startswith("segments/"):
        parts = _parts(files, name)
        span = (parts[1][2], parts[-1][3])
    return Mutated("remove a file", "removed", left, (name,), span)


def flip_bit(files: Files, other: Files, rng: random.Random, name: str) -> Mutated:
    at = rng.randrange(len(files[name]))
    data = bytearray(files[name])
    data[at] ^= 1 << rng.randrange(8)
    span = None
    blamed = name
    if name.startswith("segments/"):
        number, part = next((n, p) for n, p in enumerate(_parts(files, name)) if p[0] <= at < p[1])
        span, blamed = part[2:], f"{name}: {f'fragment {number}' if number else 'header'}"
    return Mutated("flip a bit", "changed", {**files, name: bytes(data)}, (blamed,), span)


def cut_tail(files: Files, other: Files, rng: random.Random, name: str) -> Mutated:
    data = files[name]
    return Mutated("cut the tail", "removed", {**files, name: data[: rng.randrange(len(data))]}, (name,))


def add_tail(files: Files, other: Files, rng: random.Random, name: str) -> Mutated:
    return Mutated("add a tail", "inserted", {**files, name: files[name] + rng.randbytes(rng.randint(1, 400))}, (name,))


def insert_bytes(files: Files, other: Files, rng: random.Random, name: str) -> Mutated:
    data, at = files[name], rng.randrange(len(files[name]))
    return Mutated(
        "insert bytes", "inserted", {**files, name: data[:at] + rng.randbytes(rng.randint(1, 40)) + data[at:]}, (name,)
    )


def put_another_in_its_place(files: Files, other: Files, rng: random.Random, name: str) -> Mutated | None:
    """The file of the same kind from another package, which is whole in itself."""
    alike = [each for each in other if class_of(each) == class_of(name) and other[each] != files[name]]
    if not alike:
        return None
    return Mutated("another package's", "changed", {**files, name: other[rng.choice(alike)]}, (name,))


def swap_two(files: Files, other: Files, rng: random.Random, name: str) -> Mutated | None:
    alike = [each for each in files if class_of(each) == class_of(name) and files[each] != files[name]]
    if not alike:
        return None
    mate = rng.choice(alike)
    return Mutated("swap two files", "reordered", {**files, name: files[mate], mate: files[name]}, (name, mate))


def add_file(files: Files, other: Files, rng: random.Random, name: str) -> Mutated | None:
    """One that is named like those of its kind, and was never written."""
    head, dot, tail = name.rpartition(".")
    strange = f"{head}9{dot}{tail}" if dot else f"{name}9"
    if strange in files:
        return None
    return Mutated("add a file", "inserted", {**files, strange: files[name]}, (strange,))


def remove_fragment(files: Files, other: Files, rng: random.Random, name: str) -> Mutated | None:
    parts = _parts(files, name) if name.startswith("segments/") else []
    if len(parts) < 3:
        return None
    number = rng.randrange(1, len(parts))
    begin, end, *span = parts[number]
    data = files[name]
    return Mutated(
        "remove a fragment",
        "removed",
        {**files, name: data[:begin] + data[end:]},
        (f"{name}: fragment {number}",),
        tuple(span),
    )


def double_fragment(files: Files, other: Files, rng: random.Random, name: str) -> Mutated | None:
    parts = _parts(files, name) if name.startswith("segments/") else []
    if len(parts) < 2:
        return None
    begin, end, *_ = rng.choice(parts[1:])
    data = files[name]
    return Mutated("double a fragment", "inserted", {**files, name: data[:end] + data[begin:end] + data[end:]}, (name,))


def swap_fragments(files: Files, other: Files, rng: random.Random, name: str) -> Mutated | None:
    parts = _parts(files, name) if name.startswith("segments/") else []
    if len(parts) < 3:
        return None
    number = rng.randrange(1, len(parts) - 1)
    (a, b, from_us, _), (_, c, _, to_us) = parts[number], parts[number + 1]
    data = files[name]
    swapped = data[:a] + data[b:c] + data[a:b] + data[c:]
    return Mutated(
        "swap two fragments", "reordered", {**files, name: swapped},
        (f"{name}: fragment {number}", f"{name}: fragment {number + 1}"), (from_us, to_us),
    )  # fmt: skip


def foreign_fragment(files: Files, other: Files, rng: random.Random, name: str) -> Mutated | None:
    parts = _parts(files, name) if name.startswith("segments/") else []
    theirs = [each for each in other if each.startswith("segments/")]
    if len(parts) < 2 or not theirs:
        return None
    number = rng.randrange(1, len(parts))
    begin, end, *span = parts[number]
    source = rng.choice(theirs)
    a, b, *_ = rng.choice(_parts(other, source)[1:])
    fragment = other[source][a:b]
    if fragment in files[name]:
        return None
    data = files[name]
    return Mutated(
        "another package's fragment",
        "changed",
        {**files, name: data[:begin] + fragment + data[end:]},
        (name,),
        tuple(span),
    )


def whole_ledger_of_another(files: Files, other: Files, rng: random.Random, name: str) -> Mutated | None:
    """Signed by the same post, and true: but it speaks of another package."""
    if name != CHECKPOINT:
        return None
    mixed = {each: data for each, data in files.items() if not each.startswith("ledger/")}
    mixed |= {each: data for each, data in other.items() if each.startswith("ledger/")}
    return Mutated("another package's ledger", "changed", mixed, (MANIFEST,))


def mended_manifest(files: Files, other: Files, rng: random.Random, name: str) -> Mutated | None:
    """A fragment is changed, and every hash of it in the manifest is set right."""
    if not name.startswith("segments/"):
        return None
    changed = flip_bit(files, other, rng, name)
    import hashlib

    said = json.loads(files[MANIFEST])
    said["files"][name]["sha256"] = hashlib.sha256(changed.files[name]).hexdigest()
    segment = next(each for each in said["segments"] if each["file"] == name)
    for number, (begin, end, *_) in enumerate(_parts(files, name)):
        leaf = 0 if number == 0 else segment["first"] + number - 1
        segment["leaves"][leaf] = hashlib.sha256(changed.files[name][begin:end]).hexdigest()
    text = json.dumps(said, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
    return Mutated("a mended manifest", "changed", {**changed.files, MANIFEST: text}, (MANIFEST,))


def told_otherwise(files: Files, other: Files, rng: random.Random, name: str) -> Mutated | None:
    """The manifest says another cause, another operator, another time; the rest is as it was."""
    if name != MANIFEST:
        return None
    said = json.loads(files[MANIFEST])
    what = rng.randrange(4)
    if what == 0:
        said["operator"]["user"] = "somebody else"
    elif what == 1:
        said["span"]["from_us"] += 1
    elif what == 2:
        said["timeline"][-1]["cause"] = "unknown"
    else:
        said["timeline"].pop()
    text = json.dumps(said, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
    return Mutated("told otherwise", "changed", {**files, MANIFEST: text}, (MANIFEST,))


Mutation = Callable[[Files, Files, random.Random, str], Mutated | None]
MUTATIONS: tuple[Mutation, ...] = (
    remove_file, flip_bit, cut_tail, add_tail, insert_bytes, put_another_in_its_place, swap_two, add_file, remove_fragment,
    double_fragment, swap_fragments, foreign_fragment, whole_ledger_of_another, mended_manifest, told_otherwise,
)  # fmt: skip


def mutations(files: Files, other: Files, rng: random.Random) -> Iterator[Mutated]:
    """Every kind of mutation of one file of every kind. `other`: another whole package of the same post."""
    for name in one_of_each_class(files, rng):
        for mutation in MUTATIONS:
            made = mutation(files, other, rng, name)
            if made is not None and made.files != files:
                yield made


def wrongs(mutated: Mutated, blamed: list[tuple[str, int | None, int | None]]) -> list[str]:
    """What is wrong with a verification that blamed (what, from_us, to_us): undetected, falsely blamed, wrong seconds."""
    if not blamed:
        return [f"undetected: {mutated.name} {mutated.blamed}"]
    found = [
        f"falsely blamed: {what} for {mutated.name} {mutated.blamed}"
        for what, *_ in blamed
        if not what.startswith(mutated.blamed)
    ]
    if mutated.span is not None:
        times = [each for _, *span in blamed for each in span if each is not None]
        if not times or (min(times), max(times)) != mutated.span:
            found.append(f"wrong seconds: {times} for {mutated.name} {mutated.blamed}: {mutated.span}")
    return found


def flip_zip(data: bytes, rng: random.Random) -> bytes:
    """One bit of the zip itself: local headers, directory, end. What comes of it may read as before: those are counted apart."""
    from io import BytesIO
    from zipfile import ZipFile

    with ZipFile(BytesIO(data)) as zipped:
        infos = zipped.infolist()
        spots = [range(info.header_offset, info.header_offset + 30 + len(info.filename)) for info in infos]
        spots.append(range(zipped.start_dir, len(data)))
    places = rng.choice([*spots, spots[-1], spots[-1]])
    out = bytearray(data)
    out[rng.choice(places)] ^= 1 << rng.randrange(8)
    return bytes(out)
