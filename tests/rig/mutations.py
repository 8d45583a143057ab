"""What somebody may do to a post's data, at random, with what it must be blamed for: figure 12 of the reliability table.

Each generator takes the post as it stands (`State`), an earlier state of it, and a random generator, and gives a `Mutation`: the files
as they are afterwards, the seconds it touches, and whether these can be told from what is left. None where the draw has no sense.
It knows the format and nothing of the verifier.
"""

from __future__ import annotations

import json
import random
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.rig.mutations_post import Segment, State

from longwatch.formats import bmff
from longwatch.ledger import canonical, leaf_hash, parse_entry, root
from longwatch.ledger.checkpoint import Checkpoint, parse_unverified, public_pem, sign
from longwatch.ledger.story import Place
from longwatch.ledger.tiles import ENTRIES, Frontier, bundle, tiles_of
from longwatch.model.stores import FragmentRow

Files = dict[str, bytes | None]
SEGMENT, FILES, LOG, ENTRY, INDEX, HEAD = (
    "segment",
    "media file",
    "log file",
    "ledger row",
    "index row",
    "against a checkpoint",
)


@dataclass
class Mutation:
    """kind: how it is counted. files: what is written, None for what is removed. touched: the seconds that may be blamed. located:
    whether what is left tells which those are. checkpoint: an earlier head that is kept outside, "" for none. silent: nothing that is
    read differs.
    """

    kind: str
    files: Files
    touched: list[Place]
    located: bool = True
    checkpoint: str = ""
    silent: bool = False


Generator = Callable[[State, State, random.Random], Mutation | None]


def _flip(data: bytes, low: int, high: int, rng: random.Random) -> bytes:
    at = rng.randrange(low, high)
    return data[:at] + bytes([data[at] ^ rng.randrange(1, 256)]) + data[at + 1 :]


# -- within a segment


def _segment(state: State, rng: random.Random) -> tuple[Segment, str, bytes]:
    segment = rng.choice(state.segments)
    name = f"{segment.volume}/{segment.path}"
    return segment, name, state.files[name]


def byte_of_a_segment(state: State, _: State, rng: random.Random) -> Mutation:
    segment, name, data = _segment(state, rng)
    wanted = rng.choice(("header", "guard", "moof", "mdat", "closing box"))
    part, low, high, place = rng.choice([each for each in segment.parts if each[0] == wanted])
    return Mutation(f"{SEGMENT}: {part} changed", {name: _flip(data, low, high, rng)}, [place])


def zeros_in_a_segment(state: State, _: State, rng: random.Random) -> Mutation | None:
    segment, name, data = _segment(state, rng)
    first, end, place = rng.choice(segment.fragments)
    at = rng.randrange(first, end - 64)
    changed = data[:at] + bytes(64) + data[at + 64 :]
    return None if changed == data else Mutation(f"{SEGMENT}: a sector of nothing", {name: changed}, [place])


def fragment_removed(state: State, _: State, rng: random.Random) -> Mutation:
    segment, name, data = _segment(state, rng)
    first, end, place = rng.choice(segment.fragments)
    return Mutation(f"{SEGMENT}: fragment removed", {name: data[: first - 8] + data[end:]}, [place])


def fragments_reordered(state: State, _: State, rng: random.Random) -> Mutation:
    segment, name, data = _segment(state, rng)
    n = rng.randrange(len(segment.fragments) - 1)
    (a, b, one), (c, d, other) = segment.fragments[n : n + 2]
    swapped = data[: a - 8] + data[c - 8 : d] + data[a - 8 : b] + data[d:]
    return Mutation(f"{SEGMENT}: fragments reordered", {name: swapped}, [one, other])


def fragment_inserted(state: State, _: State, rng: random.Random) -> Mutation:
    segment, name, data = _segment(state, rng)
    other, _, source = _segment(state, rng)
    first, end, _ = rng.choice(other.fragments)
    n = rng.randrange(len(segment.fragments))
    at = segment.fragments[n][0] - 8
    touched = [place for _, _, place in segment.fragments[max(0, n - 1) : n + 1]]
    return Mutation(f"{SEGMENT}: fragment inserted", {name: data[:at] + source[first - 8 : end] + data[at:]}, touched)


def segment_made_anew(state: State, _: State, rng: random.Random) -> Mutation:
    """Fragments changed, taken out or put in another order, and the closing box written to fit."""
    segment, name, data = _segment(state, rng)
    closing = bmff.parse_closing(data)
    assert closing is not None
    order = list(range(len(segment.fragments)))
    how = rng.choice(("changed", "removed", "reordered", "inserted"))
    n = rng.randrange(len(order))
    if how == "removed":
        del order[n]
    elif how == "reordered":
        n = rng.randrange(len(order) - 1)
        order[n], order[n + 1] = order[n + 1], order[n]
    elif how == "inserted":
        order.insert(n, rng.choice(order))
    out, rows = bytearray(data[: segment.fragments[0][0] - 8]), []
    for place, number in enumerate(order):
        first, end, _ = segment.fragments[number]
        content = data[first:end]
        if how == "changed" and place == n:
            content = _flip(content, 8, len(content), rng)
        out += bmff.LIFTED + b"free"
        row = closing.fragments[number]
        import hashlib

        rows.append(
            FragmentRow(
                len(out),
                len(content),
                row.start_90k,
                row.end_90k,
                row.sync_offsets_90k,
                hashlib.sha256(content).digest(),
            )
        )
        out += content
    box = bmff.closing(rows, closing.sample_index, wall_end_us=closing.wall_end_us, damaged=closing.damaged)
    out += bmff.guard(len(box)) + box
    return Mutation(f"{SEGMENT}: {how}, and closed anew", {name: bytes(out)}, [segment.place])


def bytes_moved(state: State, _: State, rng: random.Random) -> Mutation:
    segment, name, data = _segment(state, rng)
    at, count = rng.randrange(len(data)), rng.randrange(1, 40)
    if rng.random() < 0.5:
        return Mutation(
            f"{SEGMENT}: bytes inserted", {name: data[:at] + rng.randbytes(count) + data[at:]}, [segment.place]
        )
    return Mutation(f"{SEGMENT}: bytes removed", {name: data[:at] + data[at + count :]}, [segment.place])


def segment_cut(state: State, _: State, rng: random.Random) -> Mutation:
    segment, name, data = _segment(state, rng)
    at = rng.randrange(len(data))
    touched = [place for _, end, place in segment.fragments if end > at] or [segment.place]
    return Mutation(
        f"{SEGMENT}: truncated", {name: data[:at]}, touched if at > segment.fragments[0][0] else [segment.place]
    )


def guard_hidden(state: State, _: State, rng: random.Random) -> Mutation:
    """What a power cut leaves: a guard that was not lifted. The file means the same."""
    segment, name, data = _segment(state, rng)
    first, end, place = rng.choice(segment.fragments)
    return Mutation(
        f"{SEGMENT}: guard not lifted",
        {name: data[: first - 8] + bmff.guard(end - first) + data[first:]},
        [place],
        silent=True,
    )


# -- whole files


def file_removed(state: State, _: State, rng: random.Random) -> Mutation:
    segment, name, _data = _segment(state, rng)
    return Mutation(f"{FILES}: removed", {name: None}, [segment.place])


def files_swapped(state: State, _: State, rng: random.Random) -> Mutation | None:
    (one, a, x), (other, b, y) = _segment(state, rng), _segment(state, rng)
    return None if a == b else Mutation(f"{FILES}: reordered", {a: y, b: x}, [one.place, other.place])


def file_replaced(state: State, _: State, rng: random.Random) -> Mutation | None:
    (one, a, _x), (other, b, y) = _segment(state, rng), _segment(state, rng)
    return None if a == b else Mutation(f"{FILES}: replaced by another", {a: y}, [one.place, other.place])


def file_renamed(state: State, _: State, rng: random.Random) -> Mutation:
    segment, name, data = _segment(state, rng)
    other = _other_name(name, rng)
    return Mutation(f"{FILES}: renamed", {name: None, other: data}, [segment.place])


def _other_name(name: str, rng: random.Random) -> str:
    head, _, tail = name.rpartition("-")
    return f"{head}-{int(tail.removesuffix('.mp4')) + rng.randrange(50, 90)}.mp4"


def file_copied(state: State, _: State, rng: random.Random) -> Mutation:
    segment, name, data = _segment(state, rng)
    return Mutation(f"{FILES}: inserted, a copy", {_other_name(name, rng): data}, [segment.place])


def file_made_up(state: State, _: State, rng: random.Random) -> Mutation:
    """A segment that nobody recorded, in a run that went on after it, or of a run between others."""
    segment, name, data = _segment(state, rng)
    header = bmff.parse_header(data)
    identity = header.identity
    run = rng.choice((0, identity.run)) if identity.run > 1 else 0
    from dataclasses import replace

    made = replace(
        identity, run=run, sequence=rng.randrange(40, 80) if run == 0 else 0, wall_start_us=identity.wall_start_us + 5
    )
    if run == identity.run and identity.sequence == 0:
        made = replace(made, run=0)
    new = bmff.segment_header(made, list(header.tracks))
    place = segment.place._replace(from_us=made.wall_start_us, to_us=(segment.place.to_us or 0) + 5)
    path = f"{name.rpartition('/')[0]}/{name.rpartition('/')[2][:24]}_{made.boot[:8]}-{made.run}-{made.sequence}.mp4"
    return Mutation(f"{FILES}: inserted, made up", {path: new + data[header.header_bytes :]}, [place, segment.place])


def stray_file(state: State, _: State, rng: random.Random) -> Mutation:
    segment, name, _data = _segment(state, rng)
    path = f"{name.rpartition('/')[0]}/{rng.randrange(1 << 30):x}.{rng.choice(('mp4', 'txt', 'tmp'))}"
    return Mutation(
        f"{FILES}: inserted, a stray", {path: rng.randbytes(200)}, [Place(segment.place.camera, segment.place.stream)]
    )


# -- files of the log


def _log_files(state: State, *, tiles: bool) -> list[str]:
    wanted = [name for name in state.files if "/ledger/1/tile/" in name and ("/entries/" in name) != tiles]
    return sorted(wanted)


def _in_bundle(name: str) -> int:
    """Number of the first entry of a bundle."""
    path = name.partition("/tile/entries/")[2].partition(".p")[0]
    return int(path.replace("x", "").replace("/", "")) * 256


def _places(state: State, numbers: Sequence[int]) -> list[Place]:
    found = []
    for n in numbers:
        if n < len(state.entries):
            found += state.story.places(parse_entry(state.entries[n]))
    return found


def bundle_changed(state: State, _: State, rng: random.Random) -> Mutation:
    """One copy of the entries: the index and the other volume have them as they were."""
    name = rng.choice(_log_files(state, tiles=False))
    first = _in_bundle(name)
    entries = state.entries[first : first + 256]
    how = rng.choice(("byte", "removed", "reordered", "inserted", "meaning", "truncated", "file removed"))
    n = rng.randrange(len(entries) - 1)
    touched = [first + n]
    files: Files = {}
    if how == "byte":
        data = bundle(entries)
        at = rng.randrange(len(data))
        ends = [len(bundle(entries[: k + 1])) for k in range(len(entries))]
        touched = [first + next(k for k, end in enumerate(ends) if at < end)]
        files[name] = data[:at] + bytes([data[at] ^ rng.randrange(1, 256)]) + data[at + 1 :]
    elif how == "removed":
        files[name] = bundle(entries[:n] + entries[n + 1 :])
    elif how == "reordered":
        files[name] = bundle([*entries[:n], entries[n + 1], entries[n], *entries[n + 2 :]])
        touched = [first + n, first + n + 1]
    elif how == "inserted":
        other = rng.randrange(len(entries))
        files[name] = (
            bundle(entries[:n]) + bundle([entries[other]]) + bundle(entries[n:])
            if n
            else bundle([entries[other]]) + bundle(entries)
        )
        touched = [first + max(0, n - 1), first + n, first + n + 1, first + other]
    elif how == "meaning":
        files[name] = bundle([*entries[:n], _otherwise(entries[n], rng), *entries[n + 1 :]])
    elif how == "truncated":
        data = bundle(entries)
        cut = rng.randrange(1, len(data))
        ends = [len(bundle(entries[: k + 1])) for k in range(len(entries))]
        touched = [first + k for k, end in enumerate(ends) if end > cut]
        files[name] = data[:cut]
    else:
        files[name] = None
        touched = list(range(first, first + len(entries)))
    # what stands before an entry that speaks of no camera fails no second of one: the verdict names bundle and entry
    told = how != "inserted" or all(any(p.camera for p in _places(state, [k])) for k in (first + n, touched[-1]))
    return _if_changed(state, Mutation(f"{LOG}: bundle, {how}", files, _merged(_places(state, touched)), located=told))


def _claims(state: State, entry: bytes) -> list[Place]:
    """What an entry says of a camera, taken at its word; and whose segment it speaks of."""
    body = json.loads(entry)["body"]
    seal = state.story.seals.get((body.get("boot"), body.get("run"), body.get("sequence")))
    gap = state.story.gaps.get(body.get("gap"))
    others = [each.place for each in (seal, gap) if each is not None]
    said = [body, *(run for run in body.get("runs", []) if isinstance(run, dict))]
    return [
        Place(str(each["camera"]), str(each.get("stream", "")), each.get("from_us", each.get("wall_start_us")), None)
        for each in said
        if "camera" in each
    ] + others


def _merged(places: list[Place]) -> list[Place]:
    return list(dict.fromkeys(places))


def _if_changed(state: State, mutation: Mutation) -> Mutation | None:  # type: ignore[return-value]
    same = all(state.files.get(name) == data for name, data in mutation.files.items())
    return None if same else mutation


def tile_changed(state: State, _: State, rng: random.Random) -> Mutation | None:
    name = rng.choice(_log_files(state, tiles=True))
    data = state.files[name]
    how = rng.choice(("byte", "truncated", "file removed", "reordered", "inserted"))
    count = len(data) // 32
    files: Files = {name: None}
    if how == "byte":
        files[name] = _flip(data, 0, len(data), rng)
    elif how == "truncated":
        files[name] = data[: rng.randrange(len(data))]
    elif how == "reordered":
        if count < 2:
            return None
        n = rng.randrange(count - 1) * 32
        files[name] = data[:n] + data[n + 32 : n + 64] + data[n : n + 32] + data[n + 64 :]
    elif how == "inserted":
        n = rng.randrange(count + 1) * 32
        files[name] = data[:n] + rng.randbytes(32) + data[n:]
    return _if_changed(state, Mutation(f"{LOG}: tile, {how}", files, []))


def checkpoint_changed(state: State, earlier: State, rng: random.Random) -> Mutation | None:
    volume = rng.choice(state.volumes)
    name = f"{volume}/ledger/1/checkpoint"
    data = state.files[name]
    how = rng.choice(("byte", "removed", "unsigned", "of another key", "an earlier one"))
    files: Files = {name: None}
    if how == "byte":
        files[name] = _flip(data, 0, len(data), rng)
    elif how == "unsigned":
        head, _ = parse_unverified(data.decode())
        files[name] = data.replace(str(head.size).encode(), str(head.size - rng.randrange(1, 9)).encode())
    elif how == "of another key":
        head, _ = parse_unverified(data.decode())
        files[name] = _signed(Ed25519PrivateKey.generate(), head)
    elif how == "an earlier one":
        files[name] = earlier.files[name]
    return Mutation(f"{LOG}: checkpoint, {how}", files, [])


def key_changed(state: State, _: State, rng: random.Random) -> Mutation | None:
    name = f"{rng.choice(state.volumes)}/ledger/1/key.pem"
    how = rng.choice(("byte", "removed", "another"))
    files: Files = {name: None}
    if how == "byte":
        lines = state.files[name].split(b"\n")
        lines[1] = _flip(lines[1], 0, len(lines[1]), rng)
        files[name] = b"\n".join(lines)
    elif how == "another":
        files[name] = public_pem(Ed25519PrivateKey.generate().public_key().public_bytes_raw()).encode()
    return Mutation(f"{LOG}: key.pem, {how}", files, [])


def mirror_removed(state: State, _: State, rng: random.Random) -> Mutation:
    volume = rng.choice(state.volumes)
    files: Files = {name: None for name in state.files if name.startswith(f"{volume}/ledger/")}
    return Mutation(f"{LOG}: a whole copy removed", files, [])


def words_between(state: State, _: State, rng: random.Random) -> Mutation:
    """A blank line in a key, a signature of a witness: what is read is the same."""
    volume = rng.choice(state.volumes)
    if rng.random() < 0.5:
        name = f"{volume}/ledger/1/key.pem"
        return Mutation(f"{LOG}: key.pem, white space", {name: state.files[name] + b"\n"}, [], silent=True)
    name = f"{volume}/ledger/1/checkpoint"
    line = "\u2014 witness.example/w1 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n".encode()
    return Mutation(f"{LOG}: checkpoint, a stranger's signature", {name: state.files[name] + line}, [], silent=True)


def _signed(private: Ed25519PrivateKey, head: Checkpoint) -> bytes:
    return sign(head, private.sign, private.public_key().public_bytes_raw()).encode()


# -- entries by their meaning


def _otherwise(entry: bytes, rng: random.Random) -> bytes:
    """The same entry saying something else, in canonical form."""
    value = json.loads(entry)
    for _ in range(20):
        said = _change(json.loads(entry), rng)
        if canonical(said) != entry:
            return canonical(said)
    value["wall_us"] += 1
    return canonical(value)


def _change(value: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    places: list[tuple[Any, Any]] = []
    stack: list[Any] = [value["body"]]
    while stack:
        item = stack.pop()
        pairs = item.items() if isinstance(item, dict) else enumerate(item)
        for key, inner in pairs:
            if isinstance(inner, (dict, list)):
                stack.append(inner)
            else:
                places.append((item, key))
    if not places or rng.random() < 0.1:
        value["wall_us"] += rng.choice((1, -1_000_000))
        return value
    item, key = rng.choice(places)
    old = item[key]
    if isinstance(old, bool):
        item[key] = not old
    elif isinstance(old, int):
        item[key] = max(0, old + rng.choice((-1, 1, 1000, 60_000_000)))
    elif key == "camera":
        item[key] = rng.choice(("gate", "road", "dam"))
    elif isinstance(old, str) and len(old) == 64:
        item[key] = rng.randbytes(32).hex()
    else:
        item[key] = f"{old or ''}x"
    return value


class Editor:
    """The index of a state, changed: a copy in memory's file system."""

    def __init__(self, state: State) -> None:
        self._folder = tempfile.TemporaryDirectory(dir="/dev/shm")  # a thousand databases a minute
        self.path = Path(self._folder.name) / "index.db"
        self.path.write_bytes(state.files["a/index.db"])
        self.db = sqlite3.connect(self.path, isolation_level=None)
        self.db.execute("PRAGMA synchronous = OFF")
        self.db.execute("PRAGMA foreign_keys = OFF")

    def bytes(self) -> bytes:
        self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.db.close()
        data = self.path.read_bytes()
        self._folder.cleanup()
        return data


def ledger_row(state: State, _: State, rng: random.Random) -> Mutation:
    """The index's copy of an entry alone: the volumes have it as it was."""
    editor, n = Editor(state), rng.randrange(1, len(state.entries) - 1)
    how = rng.choice(("meaning", "meaning and leaf", "leaf", "removed", "reordered", "inserted", "truncated"))
    touched = [n]
    claimed: list[Place] = []
    run = editor.db.execute
    if how in {"meaning", "meaning and leaf"}:
        said = _otherwise(state.entries[n], rng)
        claimed = [*state.story.places(parse_entry(said)), *_claims(state, said)]
        run("UPDATE ledger SET entry = ? WHERE seq = ?", (said, n))
        if how == "meaning and leaf":
            run("UPDATE ledger SET leaf = ? WHERE seq = ?", (leaf_hash(said), n))
    elif how == "leaf":
        run("UPDATE ledger SET leaf = ? WHERE seq = ?", (rng.randbytes(32), n))
    elif how == "removed":
        run("DELETE FROM ledger WHERE seq = ?", (n,))
    elif how == "reordered":
        touched = [n, n + 1]
        for seq, entry in ((n, state.entries[n + 1]), (n + 1, state.entries[n])):
            run("UPDATE ledger SET entry = ?, leaf = ? WHERE seq = ?", (entry, leaf_hash(entry), seq))
    elif how == "inserted":
        touched = [n - 1, n, n + 1]
        said = _otherwise(state.entries[rng.randrange(len(state.entries))], rng)
        claimed = [*state.story.places(parse_entry(said)), *_claims(state, said)]
        run("UPDATE ledger SET seq = -seq - 1 WHERE seq >= ?", (n,))
        run("UPDATE ledger SET seq = -seq WHERE seq < 0")
        run("INSERT INTO ledger VALUES (?, ?, ?)", (n, leaf_hash(said), said))
    else:
        touched = list(range(n, len(state.entries)))
        run("DELETE FROM ledger WHERE seq >= ?", (n,))
    places = _merged([*_places(state, touched), *claimed])
    told = how != "inserted" or any(place.camera for place in claimed)
    return Mutation(f"{ENTRY}: {how}", {"a/index.db": editor.bytes()}, places, located=told)


def ledger_everywhere(state: State, _: State, rng: random.Random) -> Mutation:
    """An entry changed in every copy, its tiles too, without the key."""
    n = rng.randrange(1, len(state.entries))
    entries = list(state.entries)
    entries[n] = _otherwise(entries[n], rng)
    places = _merged([*_places(state, [n]), *state.story.places(parse_entry(entries[n])), *_claims(state, entries[n])])
    files = forged(state, entries, None, tiles=rng.random() < 0.7)
    return Mutation(f"{ENTRY}: meaning, in every copy", files, places, located=False)


def ledger_renumbered(state: State, _: State, rng: random.Random) -> Mutation:
    """An entry taken out of every copy, and those behind it numbered anew, without the key."""
    n = rng.randrange(1, len(state.entries) - 1)
    kept = [*state.entries[:n], *state.entries[n + 1 :]]
    entries = [canonical({**json.loads(entry), "seq": seq}) for seq, entry in enumerate(kept)]
    places = _merged(_places(state, range(n, len(state.entries))))
    return Mutation(f"{ENTRY}: removed from every copy", forged(state, entries, None), places, located=False)


def signed_by_another(state: State, _: State, rng: random.Random) -> Mutation:
    """The whole log made anew under a key of one's own: found by the key that is kept outside."""
    n = rng.randrange(1, len(state.entries))
    entries = list(state.entries)
    entries[n] = _otherwise(entries[n], rng)
    places = _merged([*_places(state, [n]), *state.story.places(parse_entry(entries[n])), *_claims(state, entries[n])])
    files = forged(state, entries, Ed25519PrivateKey.generate())
    return Mutation(f"{ENTRY}: the log under another key", files, places, located=False)


def forged(state: State, entries: Sequence[bytes], private: Ed25519PrivateKey | None, *, tiles: bool = True) -> Files:
    """Every copy of the log as these entries would have it. private: signs it; None: the checkpoints stay."""
    files: Files = {name: None for name in state.files if "/ledger/1/tile/" in name and (tiles or "/entries/" in name)}
    leaves = [leaf_hash(entry) for entry in entries]
    contents = Frontier().extend(leaves)
    head = None
    if private is not None:
        origin = parse_unverified(state.checkpoint)[0].origin
        head = Checkpoint(origin, len(entries), root(leaves))
    for volume in state.volumes:
        for tile in tiles_of(0, len(entries)):
            first = tile.index * 256
            if tile.level == ENTRIES:
                files[f"{volume}/ledger/1/{tile.path}"] = bundle(entries[first : first + tile.width])
            elif tiles:
                files[f"{volume}/ledger/1/{tile.path}"] = contents[tile]
        if head is not None and private is not None:
            files[f"{volume}/ledger/1/checkpoint"] = _signed(private, head)
            key = private.public_key().public_bytes_raw()
            files[f"{volume}/ledger/1/key.pem"] = public_pem(key).encode()
    editor = Editor(state)
    editor.db.execute("DELETE FROM ledger")
    editor.db.executemany(
        "INSERT INTO ledger VALUES (?, ?, ?)",
        [(n, leaf, entry) for n, (leaf, entry) in enumerate(zip(leaves, entries, strict=True))],
    )
    if head is not None and private is not None:
        editor.db.execute(
            "UPDATE log SET signed_size = ?, signed_root = ?, checkpoint = ?, key = ?",
            (head.size, head.root, _signed(private, head).decode(), private.public_key().public_bytes_raw()),
        )
    files["a/index.db"] = editor.bytes()
    return files


# -- rows of the index

_NUMBERS = ("sequence", "fragments", "header_bytes", "durable_bytes", "file_bytes", "start_90k", "duration_90k")


@dataclass
class _Row:
    """A row of a table: how it is found, and the seconds it speaks of."""

    where: str
    values: tuple[Any, ...]
    places: list[Place] = field(default_factory=list)


def segment_row(state: State, _: State, rng: random.Random) -> Mutation | None:
    segment = rng.choice(state.segments)
    identity = bmff.parse_header(state.files[f"{segment.volume}/{segment.path}"]).identity
    editor = Editor(state)
    row = editor.db.execute(
        "SELECT s.id FROM segment s JOIN run r ON r.id = s.run_id JOIN boot b ON b.id = r.boot_id"
        " WHERE b.boot = ? AND r.number = ? AND s.sequence = ?", (identity.boot, identity.run, identity.sequence),
    ).fetchone()  # fmt: skip
    number, touched = int(row[0]), [segment.place]
    how = rng.choice(
        (*_NUMBERS, "wall", "wall length", "flags", "provenance", "stream", "root", "table", "removed", "inserted")
    )
    run = editor.db.execute
    by = rng.choice((1, -1, 90, 5000))
    if how in _NUMBERS:
        if how == "sequence":
            by = 500
            touched.append(segment.place)
        run(f"UPDATE segment SET {how} = {how} + ? WHERE id = ?", (by, number))  # a name of this page
    elif how == "wall":
        run("UPDATE segment SET wall_start_us = wall_start_us + ? WHERE id = ?", (by * 1000, number))
        touched.append(_shifted(segment.place, by * 1000))
    elif how == "wall length":
        run("UPDATE segment SET wall_duration_us = wall_duration_us + ? WHERE id = ?", (by * 1000, number))
        touched.append(_shifted(segment.place, by * 1000))
    elif how == "flags":
        run("UPDATE segment SET flags = flags | ? WHERE id = ?", (rng.choice((2, 4)), number))
    elif how == "provenance":
        run("UPDATE segment SET provenance = ? WHERE id = ?", (rng.choice((1, 2, 3)), number))
    elif how == "stream":
        stream, camera = rng.choice(
            run("SELECT id, camera FROM stream WHERE camera != ?", (segment.place.camera,)).fetchall()
        )
        run("UPDATE segment SET stream_id = ? WHERE id = ?", (stream, number))
        touched.append(segment.place._replace(camera=camera))
    elif how == "root":
        run("UPDATE fragment_table SET root = ? WHERE segment_id = ?", (rng.randbytes(32), number))
    elif how == "table":
        table = run("SELECT fragments FROM fragment_table WHERE segment_id = ?", (number,)).fetchone()[0]
        run("UPDATE fragment_table SET fragments = ? WHERE segment_id = ?", (_flip(table, 0, len(table), rng), number))
    elif how == "removed":
        run("DELETE FROM fragment_table WHERE segment_id = ?", (number,))
        run("DELETE FROM segment WHERE id = ?", (number,))
    else:
        columns = "stream_id, run_id, volume_id, flags, provenance, fragments, header_bytes, durable_bytes, file_bytes, start_90k, duration_90k, wall_start_us, wall_duration_us"  # a list
        run(
            f"INSERT INTO segment (sequence, {columns}) SELECT sequence + 700, {columns} FROM segment WHERE id = ?",
            (number,),
        )  # names of this page
    return Mutation(f"{INDEX}: segment, {how}", {"a/index.db": editor.bytes()}, touched)


def _shifted(place: Place, by_us: int) -> Place:
    return place._replace(from_us=(place.from_us or 0) - abs(by_us), to_us=(place.to_us or 0) + abs(by_us))


_STREAM_OF = "SELECT camera, name FROM stream WHERE id = ?"


def span_row(state: State, _: State, rng: random.Random) -> Mutation:
    editor = Editor(state)
    run = editor.db.execute
    stream, from_us, run_id, to_us, provenance = rng.choice(run("SELECT * FROM recorded_span").fetchall())
    camera, name = run(_STREAM_OF, (stream,)).fetchone()
    key = (stream, from_us, run_id)
    how = rng.choice(("begin", "end", "removed", "inserted", "provenance", "reordered"))
    by = rng.choice((1_500, -1_500, 40_000, -40_000, 900_000, -900_000, 6_000_000, -2_000_000))
    touched = [Place(camera, name, from_us, to_us)]
    if how == "begin":
        run(
            "UPDATE recorded_span SET from_us = from_us + ? WHERE stream_id = ? AND from_us = ? AND run_id = ?",
            (by, *key),
        )
        touched = [Place(camera, name, min(from_us, from_us + by), max(from_us, from_us + by))]
    elif how == "end":
        run("UPDATE recorded_span SET to_us = to_us + ? WHERE stream_id = ? AND from_us = ? AND run_id = ?", (by, *key))
        touched = [Place(camera, name, min(to_us, to_us + by), max(to_us, to_us + by))]
    elif how == "removed":
        run("DELETE FROM recorded_span WHERE stream_id = ? AND from_us = ? AND run_id = ?", key)
    elif how == "provenance":
        run(
            "UPDATE recorded_span SET provenance = ? WHERE stream_id = ? AND from_us = ? AND run_id = ?",
            ((provenance + 1) % 4, *key),
        )
    elif how == "reordered":
        other, of, its = rng.choice(run("SELECT id, camera, name FROM stream WHERE id != ?", (stream,)).fetchall())
        run("UPDATE recorded_span SET stream_id = ? WHERE stream_id = ? AND from_us = ? AND run_id = ?", (other, *key))
        touched.append(Place(of, its, from_us, to_us))
    else:
        at = to_us + rng.randrange(2_000_000, 8_000_000)
        run("INSERT INTO recorded_span VALUES (?, ?, ?, ?, ?)", (stream, at, run_id, at + 1_000_000, provenance))
        touched = [Place(camera, name, at, at + 1_000_000)]
    return Mutation(f"{INDEX}: span, {how}", {"a/index.db": editor.bytes()}, touched)


def gap_row(state: State, _: State, rng: random.Random) -> Mutation:
    editor = Editor(state)
    run = editor.db.execute
    number, stream, from_us, to_us, cause, evidence = rng.choice(run("SELECT * FROM gap").fetchall())
    camera, name = run(_STREAM_OF, (stream,)).fetchone()
    how = rng.choice(("begin", "end", "cause", "evidence", "removed", "inserted", "reordered", "opened again"))
    by = rng.choice((1, -1, 1000, -500_000))
    touched = [Place(camera, name, from_us, to_us)]
    if how == "begin":
        run("UPDATE gap SET from_us = from_us + ? WHERE id = ?", (by, number))
    elif how == "end":
        run("UPDATE gap SET to_us = to_us + ? WHERE id = ?", (by, number))
    elif how == "cause":
        run("UPDATE gap SET cause = ? WHERE id = ?", ("not_scheduled", number))
    elif how == "evidence":
        run(
            "UPDATE gap SET evidence = ? WHERE id = ?",
            (json.dumps({**json.loads(evidence), "more": rng.randrange(99)}), number),
        )
    elif how == "removed":
        run("DELETE FROM gap WHERE id = ?", (number,))
    elif how == "opened again":
        run("UPDATE gap SET to_us = NULL WHERE id = ?", (number,))
    elif how == "reordered":
        other, of, its = rng.choice(run("SELECT id, camera, name FROM stream WHERE id != ?", (stream,)).fetchall())
        run("UPDATE gap SET stream_id = ? WHERE id = ?", (other, number))
        touched.append(Place(of, its, from_us, to_us))
    else:
        run("INSERT INTO gap VALUES (?, ?, ?, ?, ?, ?)", (number + 100, stream, from_us + 1, to_us, cause, evidence))
    return Mutation(f"{INDEX}: gap, {how}", {"a/index.db": editor.bytes()}, touched)


def gone_row(state: State, _: State, rng: random.Random) -> Mutation:
    editor = Editor(state)
    run = editor.db.execute
    stream, from_us, run_id, to_us, _first, last, confirmed = rng.choice(run("SELECT * FROM gone_span").fetchall())
    camera, name = run(_STREAM_OF, (stream,)).fetchone()
    how = rng.choice(("from_us", "to_us", "first_sequence", "last_sequence", "removed", "inserted"))
    touched = [Place(camera, name, from_us, to_us)]
    if how == "removed":
        run("DELETE FROM gone_span")
    elif how == "inserted":
        live = rng.choice([segment for segment in state.segments if segment.place.camera == camera])
        touched = [live.place]
        run(
            "INSERT INTO gone_span VALUES (?, ?, ?, ?, ?, ?, ?)",
            (stream, live.place.from_us, run_id, live.place.to_us, last + 1, last + 1, confirmed),
        )
    else:
        by = 1 if "sequence" in how else rng.choice((1_000, -1_000, 2_000_000))
        run(f"UPDATE gone_span SET {how} = {how} + ?", (by,))  # a name of this page
        place = touched[0]
        touched.append(
            place._replace(from_us=(place.from_us or 0) - abs(by), to_us=(place.to_us or 0) + abs(by) + 3_000_000)
        )
    return Mutation(f"{INDEX}: gone, {how}", {"a/index.db": editor.bytes()}, touched)


def placement_row(state: State, _: State, rng: random.Random) -> Mutation:
    editor = Editor(state)
    run = editor.db.execute
    number, run_id = rng.choice(
        run("SELECT id, run_id FROM placement WHERE run_id IN (SELECT run_id FROM segment)").fetchall()
    )
    boot, of = run(
        "SELECT b.boot, r.number FROM run r JOIN boot b ON b.id = r.boot_id WHERE r.id = ?", (run_id,)
    ).fetchone()
    places = [seal.place for seal in state.story.seals.values() if (seal.boot, seal.run) == (boot, of)]
    how = rng.choice(("wall_us", "rate_ppb", "removed", "inserted"))
    if how == "wall_us":
        run(
            "UPDATE placement SET wall_us = wall_us + ? WHERE id = ?",
            (rng.choice((1000, -1000, 3_600_000_000)), number),
        )
    elif how == "rate_ppb":
        run("UPDATE placement SET rate_ppb = rate_ppb + ? WHERE id = ?", (rng.choice((5_000, -600_000)), number))
    elif how == "removed":
        run("DELETE FROM placement WHERE run_id = ?", (run_id,))
    else:
        run(
            "INSERT INTO placement (run_id, at_90k, wall_us, rate_ppb, provenance, reason)"
            " SELECT run_id, at_90k, wall_us + ?, rate_ppb, provenance, 'corrected' FROM placement WHERE id = ?",
            (rng.choice((1_000, 3_600_000_000)), number),
        )  # fmt: skip
    return Mutation(f"{INDEX}: placement, {how}", {"a/index.db": editor.bytes()}, places)


def personal_row(state: State, _: State, rng: random.Random) -> Mutation:
    editor = Editor(state)
    run = editor.db.execute
    seq, text = rng.choice(run("SELECT seq, text FROM personal").fetchall())
    how = rng.choice(("text", "salt", "subject", "inserted"))
    touched = _places(state, [seq])
    if how == "text":
        run("UPDATE personal SET text = ? WHERE seq = ?", (text.replace("kari", "per"), seq))
    elif how == "salt":
        run("UPDATE personal SET salt = ? WHERE seq = ?", (rng.randbytes(32), seq))
    elif how == "subject":
        run("UPDATE personal SET subject = subject + 1 WHERE seq = ?", (seq,))
    else:
        run("INSERT INTO personal SELECT 0, subject, wall_us, salt, text FROM personal WHERE seq = ?", (seq,))
    return Mutation(
        f"{INDEX}: personal text, {how}", {"a/index.db": editor.bytes()}, touched, located=how != "inserted"
    )


def single_value(state: State, _: State, rng: random.Random) -> Mutation | None:
    """What stands in one place of the index, and an entry tells."""
    editor = Editor(state)
    run = editor.db.execute
    how = rng.choice(("set-up time", "set-up time", "set-up time, never", "next gap", "longest segment"))
    if how.startswith("set-up"):
        camera, name, at_us = rng.choice(run("SELECT camera, name, set_up_us FROM stream").fetchall())
        if (camera, name) not in state.story.set_up:
            return None
        by_us = rng.choice((1, -1, 5_000_000, -86_400_000_000))
        run(
            "UPDATE stream SET set_up_us = ? WHERE camera = ? AND name = ?",
            (None if how.endswith("never") else at_us + by_us, camera, name),
        )
        touched = [Place(camera, name, at_us - abs(by_us), at_us + abs(by_us))]
        return Mutation(f"{INDEX}: {how}", {"a/index.db": editor.bytes()}, touched)
    if how == "next gap":
        run("UPDATE meta SET value = 1 WHERE name = 'next_gap'")
    else:
        run("DELETE FROM meta WHERE name = 'longest_segment_us'")
    return Mutation(f"{INDEX}: {how}", {"a/index.db": editor.bytes()}, [], located=False)


def log_row(state: State, _: State, rng: random.Random) -> Mutation:
    editor = Editor(state)
    how = rng.choice(("origin", "key", "signed_size", "signed_root", "checkpoint", "removed"))
    run = editor.db.execute
    if how == "removed":
        run("DELETE FROM log")
    elif how == "origin":
        run("UPDATE log SET origin = origin || 'x'")
    elif how == "signed_size":
        run("UPDATE log SET signed_size = signed_size + ?", (rng.choice((1, -1)),))
    elif how == "checkpoint":
        text = state.checkpoint.encode()
        run("UPDATE log SET checkpoint = ?", (_flip(text, 0, len(text), rng).decode("latin-1"),))
    else:
        run(f"UPDATE log SET {how} = ?", (rng.randbytes(32),))  # a name of this page
    return Mutation(f"{INDEX}: log, {how}", {"a/index.db": editor.bytes()}, [], located=False)


def index_shuffled(state: State, _: State, rng: random.Random) -> Mutation:
    """The same rows, written anew."""
    editor = Editor(state)
    editor.db.execute(f"PRAGMA user_version = {editor.db.execute('PRAGMA user_version').fetchone()[0]}")
    editor.db.execute("VACUUM")
    return Mutation(f"{INDEX}: written anew", {"a/index.db": editor.bytes()}, [], silent=True)


# -- against a checkpoint that is kept outside


def rolled_back(state: State, earlier: State, _: random.Random) -> Mutation:
    """The whole folder as it once was, every byte of it genuine."""
    files: Files = {name: earlier.files.get(name) for name in {**state.files, **earlier.files}}
    return Mutation(f"{HEAD}: rolled back", files, [], located=False, checkpoint=state.checkpoint)


def truncated_and_signed(state: State, _: State, rng: random.Random) -> Mutation:
    """The end taken off and the rest signed with the post's own key."""
    size = rng.randrange(1, len(state.entries))
    files = forged(state, state.entries[:size], state.private())
    places = _merged(_places(state, range(size, len(state.entries))))
    return Mutation(
        f"{HEAD}: truncated, signed with the key", files, places, located=False, checkpoint=state.checkpoint
    )


def forked_and_signed(state: State, earlier: State, rng: random.Random) -> Mutation:
    """An entry changed, or taken out, or put in, and all of it signed with the post's own key."""
    how = rng.choice(("changed", "removed", "inserted", "reordered"))
    source = n = rng.randrange(1, len(earlier.entries) - 1)
    entries = list(state.entries)
    if how == "changed":
        entries[n] = _otherwise(entries[n], rng)
    elif how == "removed":
        del entries[n]
    elif how == "inserted":
        source = rng.randrange(len(entries))
        entries.insert(n, _otherwise(entries[source], rng))
    else:
        entries[n], entries[n + 1] = entries[n + 1], entries[n]
    entries = [canonical({**json.loads(entry), "seq": seq}) for seq, entry in enumerate(entries)]
    claims = [
        p for entry in entries[n : n + 2] for p in (*state.story.places(parse_entry(entry)), *_claims(state, entry))
    ]
    places = _merged([*_places(state, [n, n + 1, source]), *claims])
    files = forged(state, entries, state.private())
    return Mutation(
        f"{HEAD}: forked, {how}, signed with the key", files, places, located=False, checkpoint=earlier.checkpoint
    )


GENERATORS: dict[Generator, int] = {
    byte_of_a_segment: 30, zeros_in_a_segment: 3, fragment_removed: 3, fragments_reordered: 3, fragment_inserted: 3,
    segment_made_anew: 4, bytes_moved: 4, segment_cut: 4, guard_hidden: 1, file_removed: 2, files_swapped: 2, file_replaced: 2,
    file_renamed: 2, file_copied: 2, file_made_up: 2, stray_file: 1, bundle_changed: 12, tile_changed: 8, checkpoint_changed: 6,
    key_changed: 3, mirror_removed: 1, words_between: 1, ledger_row: 12, ledger_everywhere: 3, ledger_renumbered: 1,
    signed_by_another: 2, segment_row: 10, span_row: 8, gap_row: 7, gone_row: 4, placement_row: 3, personal_row: 3, single_value: 2, log_row: 2,
    index_shuffled: 1, rolled_back: 1, truncated_and_signed: 2, forked_and_signed: 3,
}  # fmt: skip
"""Each generator, and how often it is drawn."""


def mutations(state: State, earlier: State, rng: random.Random) -> Iterator[Mutation]:
    """Mutations without end, by the weights of `GENERATORS`."""
    makers, weights = list(GENERATORS), list(GENERATORS.values())
    while True:
        mutation = rng.choices(makers, weights)[0](state, earlier, rng)
        if mutation is not None and any(state.files.get(name) != data for name, data in mutation.files.items()):
            yield mutation
