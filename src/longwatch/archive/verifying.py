"""`longwatch verify` of a data folder: offline, read-only, from a copy as well as in place. What it proves: docs/design/threat-model.md.

Order: volumes, index, the newest log and its key, the entries that its head speaks of (where copies disagree the root decides), the
story they tell; then every copy of the log, every media file and every row of the index against that; at last earlier heads.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from longwatch.archive.log_files import CHECKPOINT, KEY, log_folder, log_numbers
from longwatch.archive.verifying_folder import Folder
from longwatch.archive.verifying_log import Head, Volume, head_of, read_file, read_key
from longwatch.archive.verifying_media import MediaLook
from longwatch.archive.volumes import INDEX
from longwatch.base.errors import UsageError
from longwatch.ledger import EntryError, LedgerEntry, parse_entry
from longwatch.ledger.checkpoint import Checkpoint, KeyTextError, fingerprint, parse_public_key
from longwatch.ledger.findings import Finding, Kind, Verdict
from longwatch.ledger.judging_index import IndexJudge
from longwatch.ledger.judging_log import Places, read_signed
from longwatch.ledger.story import Gone, Place, Seal, Story

Progress = Callable[[str, int, int], None]
_FINGERPRINT = "SHA256:"
_TRIES = 3


def verify_folder(
    path: Path, *, more: Sequence[Path] = (), key: str | None = None, checkpoint: str | None = None, progress: Progress | None = None,
) -> Verdict:  # fmt: skip
    """Judge the data folder whose first volume is `path`. more: where other volumes may be, besides where they were seen last and beside
    it. key: text of a public key (PEM or verifier key) or a fingerprint. checkpoint: text of an earlier one.

    Raises UsageError where `path` is no data folder, or `key` no key; LongwatchError where it is of a newer format.
    """
    asked = _Asked(path, more, key, checkpoint, progress)
    for _ in range(_TRIES):
        before = _heads_on_disk(path)
        verdict = _judged(asked)
        if verdict.ok or _heads_on_disk(path) == before:
            break  # else a recorder wrote meanwhile, and what was read does not belong together
    return verdict


@dataclass(frozen=True, slots=True)
class _Asked:
    path: Path
    more: Sequence[Path]
    key: str | None
    checkpoint: str | None
    progress: Progress | None


def _judged(asked: _Asked) -> Verdict:
    try:
        return _Verification(asked).run()
    except sqlite3.Error as error:
        judge = _Verification(asked, without_index=True)
        judge.say(Kind.CHANGED, INDEX, f"the index is damaged, and was left out: {error}")
        return judge.run()


def _heads_on_disk(path: Path) -> list[bytes | None]:
    return [read_file(log_folder(path, number) / CHECKPOINT) for number in log_numbers(path)]


class _Verification:
    def __init__(self, asked: _Asked, *, without_index: bool = False) -> None:
        self._verdict = Verdict(key_given=asked.key is not None)
        self._wanted_key, self._wanted_print = _wanted(asked.key)
        self._earlier = asked.checkpoint
        self._progress = asked.progress
        self._later = Story()
        self._folder = Folder(asked.path, asked.more, self.say, without_index=without_index)

    def run(self) -> Verdict:
        try:
            self._judge()
        finally:
            self._folder.close()
        self._verdict.findings.sort(key=lambda f: (not f.kind.blames, f.camera, f.stream, f.from_us or 0))
        return self._verdict

    def say(self, kind: Kind, what: str, detail: str, place: Place | None = None) -> None:
        self._verdict.findings.append(Finding(kind, what, detail, *(place or Place())))

    # -- the log

    def _judge(self) -> None:
        heads = list(self._folder.heads())
        number = max([*self._folder.numbers(), *(head.number for head in heads)], default=0)
        if number == 0:
            self.say(Kind.REMOVED, "ledger", "there is no signed log here")
        key = self._choose_key(number, heads)
        newest = self._newest(number, key, heads)
        self._copies = self._folder.read_rows(number)
        self._settle(newest)
        self._tell_story()
        self._places = Places(self._story, self._copies.entry, settled=self._copies.settled)
        self._judge_copies(number, key, newest, heads)
        self._judge_media()
        self._judge_index()
        self._restorations()
        if self._earlier is not None:
            self._judge_earlier(self._earlier, number, key, newest)

    def _choose_key(self, number: int, heads: Sequence[Head]) -> bytes | None:
        """The key that the newest log is held against: the one asked for, else the one that most of its copies are signed with."""
        current = [head for head in heads if head.number == number]
        keys = list(
            dict.fromkeys([*self._folder.keys(number), *([self._wanted_key] if self._wanted_key is not None else [])])
        )
        signed = {key: sum(head.holds(key) for head in current) for key in keys}
        for key in keys:
            if self._is_wanted(key):
                if signed[key] or not any(signed.values()):
                    return key
                break
        own = max(keys, key=lambda key: (signed[key], self._folder.keys(number).count(key)), default=None)
        if self._verdict.key_given:
            theirs = "none is found here" if own is None else f"it is signed with {fingerprint(own)}"
            self.say(
                Kind.WRONG_KEY,
                f"log {number}",
                f"the newest log is not signed with the key that was asked for: {theirs}",
            )
        return own

    def _is_wanted(self, key: bytes) -> bool:
        return key == self._wanted_key or fingerprint(key) == self._wanted_print

    def _newest(self, number: int, key: bytes | None, heads: Sequence[Head]) -> Checkpoint | None:
        """The largest head of the newest log that holds."""
        if key is not None:
            self._verdict.key = fingerprint(key)
        held = [head.checkpoint for head in heads if head.number == number and key is not None and head.holds(key)]
        newest = max(held, key=lambda head: head.size, default=None)
        if newest is None:
            if number:
                self.say(Kind.CHANGED, f"log {number}", "no checkpoint of the newest log is signed with its key")
            return None
        self._verdict.origin, self._verdict.size, self._verdict.root = newest.origin, newest.size, newest.root
        return newest

    def _settle(self, newest: Checkpoint | None) -> None:
        copies = self._copies
        if newest is None:
            rows = len(copies.rows)
            copies.settle(Checkpoint("", rows, b""))
            return
        if not copies.settle(newest):
            detail = f"no copy of the entries leads to the root that was signed for {newest.size} of them"
            if len(copies.truth) < newest.size:
                detail += f"; entry {len(copies.truth)} is in none"
            kind = Kind.TRUNCATED if len(copies.truth) < newest.size else Kind.CHANGED
            self.say(kind, f"log {copies.number}", detail)

    def _tell_story(self) -> None:
        copies = self._copies
        self._story = Story(signed=len(copies.truth))
        self._lost: list[int] = []
        for n, entry in read_signed(copies.entry, len(copies.truth)):
            if entry is None:
                self._lost.append(n)
            else:
                self._story.add(entry)
            if self._progress is not None and n % 10_000 == 0:
                self._progress("entries", n, len(copies.truth))
        self._verdict.entries = len(copies.truth)
        for n in self._story.malformed:
            self.say(Kind.CHANGED, f"entry {n}", "it does not say what its kind says")
        self._add_tail()
        for seq in self._losses():
            self._story.lost_at(seq)

    def _losses(self) -> list[int]:
        """Entries behind which earlier ones are lost: another log that could not take them over, or an index from media alone."""
        found = [
            begun.seq
            for begun in self._story.logs
            if begun.previous is not None and self._copies.settled and not self._copies.agrees(begun.previous)
        ]
        return found + [entry.seq for entry in self._story.rebuilt]

    def _add_tail(self) -> None:
        """Entries behind the head: nothing protects them yet, and what they alone say of removals is no proof."""
        copies = self._copies
        tail = copies.tail(len(copies.truth))
        unsigned = Story()
        for n, (_, _, data) in enumerate(tail, len(copies.truth)):
            entry = _parse(data)
            if entry is None or entry.seq != n:
                break
            self._story.add(entry)
            unsigned.add(entry)
        if tail:
            self.say(
                Kind.UNSEALED,
                "index",
                f"{len(tail)} entries were written after the newest checkpoint: nothing protects them yet",
            )
        for rows in unsigned.gone.values():
            for gone in rows:
                place = Place(gone.camera, gone.stream, gone.from_us, gone.to_us)
                self.say(Kind.REMOVED, f"entry {gone.seq}", "says that segments were removed, and is not signed", place)

    # -- against it

    def _judge_copies(self, number: int, key: bytes | None, newest: Checkpoint | None, heads: Sequence[Head]) -> None:
        found = self._verdict.findings
        found += self._copies.judge_index(self._places)
        found += self._log_row(key, newest)
        keys = [key] if key is not None else []
        tokens = {str(e.body.get("token_sha256")): e.seq for e in self._story.stamps}
        for volume in self._folder.volumes:
            if number == 0:
                continue
            numbers = log_numbers(volume.path)
            if number not in numbers:
                kind = Kind.NOT_HERE if numbers else Kind.REMOVED
                self.say(kind, f"{volume.label}/ledger/{number}", "this volume has no copy of the newest log")
                continue
            what = f"{volume.label}/ledger/{number}"
            if not self._copies.files(volume):
                self.say(Kind.REMOVED, what, "this volume's copy of the log is gone")
                continue
            head = next((h for h in heads if h.what == f"{what}/{CHECKPOINT}"), None)
            own = self._own_head(volume, what, head, key, newest)
            pem = read_key(self._copies.folder(volume) / KEY)
            if pem is None or (key is not None and pem != key):
                gone = not (self._copies.folder(volume) / KEY).exists()
                self.say(
                    Kind.REMOVED if gone else Kind.CHANGED,
                    f"{what}/{KEY}",
                    "it is not the key that the log is signed with",
                )
            if own is not None:
                found += self._copies.judge_volume(volume, own, self._places)
            found += self._copies.judge_stamps(volume, keys, tokens)
        self._older_logs(number, heads)

    def _own_head(
        self, volume: Volume, what: str, head: Head | None, key: bytes | None, newest: Checkpoint | None
    ) -> Checkpoint | None:
        """The head that a volume's files belong to: its own where it holds, else the newest."""
        if head is None and newest is not None and not self._copies.fits(volume, newest):
            self.say(Kind.NOT_HERE, what, "this copy was never finished: it has no checkpoint")
            return None
        if head is None:
            self.say(Kind.REMOVED, f"{what}/{CHECKPOINT}", "there is no checkpoint, or what is there is none")
        elif key is None or not head.holds(key):
            self.say(Kind.CHANGED, f"{what}/{CHECKPOINT}", "its signature is not that of its text by the log's key")
        elif newest is not None and self._copies.settled and not self._copies.agrees(head.checkpoint):
            self.say(Kind.FORKED, f"{what}/{CHECKPOINT}", "it is signed, and the log does not lead back to it")
        elif newest is None or head.checkpoint.size == newest.size:
            return head.checkpoint
        elif not self._copies.fits(volume, head.checkpoint) and self._copies.fits(volume, newest):
            detail = (
                f"it is an earlier one, of {head.checkpoint.size} entries: the files beside it are of {newest.size}"
            )
            self.say(Kind.ROLLED_BACK, f"{what}/{CHECKPOINT}", detail)
        else:
            detail = f"this copy ends with entry {head.checkpoint.size - 1}, the log with {newest.size - 1}"
            self.say(Kind.NOT_HERE, what, detail)
            return head.checkpoint
        return newest

    def _log_row(self, key: bytes | None, newest: Checkpoint | None) -> Iterator[Finding]:
        """The row that keeps the largest head ever signed."""
        row = self._folder.log_row()
        if row is None:
            if self._folder.index is not None and newest is not None:
                yield Finding(Kind.REMOVED, "index row of the log", "the index does not know what was signed")
            return
        number, origin, own, size, signed_root, text = row
        if self._copies.number == 0:
            return
        head = head_of(text.encode(), "", number) if text else None
        said = (origin, size, bytes(signed_root))
        right = not text or (
            head is not None
            and head.holds(bytes(own))
            and said == (head.checkpoint.origin, head.checkpoint.size, head.checkpoint.root)
        )
        if (
            number != self._copies.number
            or (key is not None and bytes(own) != key)
            or not right
            or (newest is not None and origin != newest.origin)
        ):
            yield Finding(Kind.CHANGED, "index row of the log", "it is not the head that was signed")
        elif head is not None and self._copies.settled and not self._copies.agrees(head.checkpoint):
            yield Finding(Kind.FORKED, "index row of the log", "it is signed, and the log does not lead back to it")

    def _older_logs(self, current: int, heads: Sequence[Head]) -> None:
        """Logs of before: the newest one's tree holds their entries too, or an entry says that they could not be kept."""
        named = [begun.previous for begun in self._story.logs if begun.previous is not None]
        for head in heads:
            if head.number >= current or not self._copies.settled:
                continue
            if not any(head.holds(key) for key in self._folder.keys(head.number)):
                self.say(Kind.CHANGED, head.what, "a checkpoint of an older log whose signature does not hold")
            elif not self._copies.agrees(head.checkpoint):
                own = head.checkpoint
                if any(before.origin == own.origin and before.size >= own.size for before in named):
                    self.say(Kind.RESTORED, head.what, "this log could not be kept; the newer one names its head")
                else:
                    self.say(Kind.FORKED, head.what, "an older log that the newer one neither holds nor names")

    def _judge_media(self) -> None:
        facts = self._folder.facts
        homes = {fact.key: fact.volume for fact in facts.segments if fact.sealed}
        open_rows = frozenset(fact.key for fact in facts.segments if not fact.sealed)
        absent = self._folder.absent()
        for uuid in absent:
            self.say(Kind.NOT_HERE, f"volume {uuid}", "this volume was not given and not found")
        progress = self._progress
        look = MediaLook(
            self._story, {volume.uuid: volume.path for volume in self._folder.volumes}, homes,
            self._folder.index.table if self._folder.index is not None else lambda _: None, open_rows, absent=bool(absent),
            unproven=bool(self._lost) or not self._copies.settled,
            progress=None if progress is None else lambda done, count: progress("segments", done, count), since=self._removed_since,
        )  # fmt: skip
        self._media = look.run()
        self._verdict.findings += self._media.findings
        self._verdict.segments, self._verdict.bytes = len(self._media.examined), self._media.bytes
        for (camera, stream, why), (count, from_us, to_us) in sorted(_expired(self._story).items()):
            place = Place(camera, stream, from_us, to_us)
            self.say(Kind.EXPIRED, f"{count} segments", f"removed, as entries say: {why}", place)

    def _removed_since(self, seal: Seal) -> Gone | None:
        """A recorder at work goes on removing what has reached its age, and large archives take hours to read. What its newest entries
        say of that is taken on trust until the next proof, when a head has signed them.
        """
        for _, _, data in self._copies.newer():
            entry = _parse(data)
            if entry is not None:
                self._later.add(entry)
        gone = self._later.removal(*seal.key)
        return gone if gone is not None and (gone.camera, gone.stream) == (seal.camera, seal.stream) else None

    def _judge_index(self) -> None:
        if self._folder.index is not None:
            unproven = bool(self._lost) or not self._copies.settled
            judge = IndexJudge(
                self._story,
                self._folder.facts,
                self._media.examined,
                self._media.volumes,
                known=frozenset(self._folder.index.volumes()),
                unproven=unproven,
            )
            self._verdict.findings += judge.findings()

    def _restorations(self) -> None:
        for entry in self._story.restored:
            self.say(Kind.RESTORED, f"entry {entry.seq}", "the index was lost and was made again from the log's files")
        for entry in self._story.rebuilt:
            self.say(Kind.RESTORED, f"entry {entry.seq}", "the index was lost and was made again from the media")
        for begun in self._story.logs:
            if begun.previous is not None:
                before = begun.previous.origin
                self.say(Kind.RESTORED, f"entry {begun.seq}", f"another log begins here, after {before}: {begun.why}")

    # -- an earlier head

    def _judge_earlier(self, text: str, number: int, key: bytes | None, newest: Checkpoint | None) -> None:
        head = head_of(text.encode(), "the checkpoint that was given", 0)
        if head is None:
            raise UsageError(
                "what was given as a checkpoint holds none", remedy="give a checkpoint, a package or a report"
            )
        earlier = head.checkpoint
        family, _, of = earlier.origin.rpartition("/")
        mine = newest.origin if newest is not None else ""
        keys = [key] if key is not None else []
        if earlier.origin != mine:
            if family != mine.rpartition("/")[0] or not of.isdigit():
                self.say(Kind.FORKED, head.what, f"it is of another log: {earlier.origin}")
                return
            keys = [
                *self._folder.keys(int(of)),
                *_vkeys(begun.key for begun in self._story.logs if begun.origin == earlier.origin),
            ]
        if not any(head.holds(each) for each in keys):
            self.say(Kind.WRONG_KEY, head.what, f"it is not signed with the key of {earlier.origin} that is found here")
        elif of.isdigit() and int(of) > number:
            self.say(
                Kind.ROLLED_BACK, head.what, f"it is of log {of}, and the newest here is log {number}", self._end()
            )
        else:
            self._hold_against(head, newest, same=earlier.origin == mine)

    def _hold_against(self, head: Head, newest: Checkpoint | None, *, same: bool) -> None:
        earlier, copies = head.checkpoint, self._copies
        tail = [leaf for n, leaf in sorted(copies.rows.items()) if n >= len(copies.truth)]
        if newest is None or not copies.settled or copies.agrees(earlier):
            return
        named = [b.previous for b in self._story.logs if b.previous and b.previous.origin == earlier.origin]
        if not same and any(before.size >= earlier.size for before in named):
            self.say(Kind.RESTORED, head.what, f"{earlier.origin} could not be kept; a newer log names it")
            return
        if earlier.size > len(copies.truth):
            copies.truth.extend(tail)
            if not copies.agrees(earlier):
                detail = f"it knows of {earlier.size} entries, the log here has {newest.size}"
                self.say(Kind.ROLLED_BACK, head.what, detail, self._end())
            del copies.truth[len(copies.truth) - len(tail) :]
        else:
            self.say(
                Kind.FORKED, head.what, f"the first {earlier.size} entries here are not those that it was signed for"
            )

    def _end(self) -> Place:
        """From where on nothing is known."""
        size = len(self._copies.truth)
        data = self._copies.entry(size - 1) if size else None
        entry = None if data is None else _parse(data)
        return Place() if entry is None else Place("", "", entry.wall_us, None)


def _parse(data: bytes) -> LedgerEntry | None:
    try:
        return parse_entry(data)
    except EntryError:
        return None


def _vkeys(texts: Iterable[str]) -> Iterator[bytes]:
    for text in texts:
        with contextlib.suppress(KeyTextError):
            yield parse_public_key(text)


def _wanted(key: str | None) -> tuple[bytes | None, str]:
    """The key that was asked for, or its fingerprint."""
    if key is None:
        return None, ""
    text = key.strip()
    if text.startswith(_FINGERPRINT):
        return None, text
    try:
        return parse_public_key(text), ""
    except KeyTextError as error:
        raise UsageError(
            "what was given as a key is none", why=str(error), remedy="give PEM, a verifier key, or SHA256:..."
        ) from error


def _expired(story: Story) -> dict[tuple[str, str, str], tuple[int, int, int]]:
    """By stream and reason: how many segments entries say were removed, from when to when."""
    found: dict[tuple[str, str, str], tuple[int, int, int]] = {}
    for rows in story.gone.values():
        for gone in rows:
            count = sum(last - first + 1 for first, last in gone.sequences)
            if count:
                key = (gone.camera, gone.stream, gone.why)
                before = found.get(key, (0, gone.from_us, gone.to_us))
                found[key] = (before[0] + count, min(before[1], gone.from_us), max(before[2], gone.to_us))
    return found
