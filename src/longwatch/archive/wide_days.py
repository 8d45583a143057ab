"""Days that are over, made beforehand by the recorder and read by everyone: for wide views (timeline/wide.py says what they hold), and
as exact tilings of many streams at once (timeline/days.py).

A row of `wide_day`, and the one of `tile_day` that is made with it, is nothing but what spans, gaps and removals of that day say;
triggers of the schema drop it with any change of those. Where there is no row, the rows themselves are read: the answer is the
same, and only slower. So nothing here has to be mended: a row that is wrong is dropped (`check`), and made again.
"""

from __future__ import annotations

import functools
import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from longwatch.archive.index import Index
from longwatch.model.causes import Cause
from longwatch.model.stores import Fate, GapSpan, Provenance, RecordedSpan, discarded
from longwatch.timeline import Tile, Tiling, days, tile
from longwatch.timeline.placing import split
from longwatch.timeline.wide import DAY_US, Piece, WideRows, clipped, joined, pack, pieces_of, unpack

MOST_AT_ONCE = 40  # of one transaction: a tick waits for it
_SLICE_S = 0.02
_FEW_STREAMS = 8
_ROUNDS = 60
_NEWEST_DAYS = 3
_PROVENANCE = tuple(Provenance)
_CAUSE = {str(cause): cause for cause in Cause}


class Stretch(NamedTuple):
    """A part of a stream's time, and since when the stream is set up."""

    stream_id: int
    from_us: int
    to_us: int
    set_up_us: int | None


_ASKED = (
    "WITH w AS MATERIALIZED (SELECT key AS n, json_extract(value, '$[0]') AS stream, json_extract(value, '$[1]') AS begins,"
    " json_extract(value, '$[2]') AS ends FROM json_each(?)) "
)


def _both(columns: str, table: str, reaches: str, long: str) -> str:
    """Rows that reach into each stretch: those that begin in it or a day before, and those few that are longer than a day."""
    return (
        f"SELECT w.n, {columns} FROM w CROSS JOIN {table} d NOT INDEXED ON d.stream_id = w.stream"  # noqa: S608  constants
        f" AND d.from_us >= w.begins - {DAY_US} AND d.from_us < w.ends AND {reaches}"
        f" UNION ALL SELECT w.n, {columns} FROM w CROSS JOIN {table} d INDEXED BY {table}_long ON d.stream_id = w.stream"
        f" AND d.from_us < w.begins - {DAY_US} AND {long} AND {reaches}"
    )


_OF_MANY = "d.from_us < :ends AND d.stream_id IN (SELECT value FROM json_each(:streams))"


def _by_end(columns: str, table: str, long: str) -> str:
    """Rows of many streams that reach into one stretch: those that end in it or up to `last`, which stand side by side, whichever
    stream they are of; and those few that end later than that, so that they are longer than a day. `last`: a day after the stretch, or the
    end of time.
    """
    return (
        f"SELECT d.stream_id, {columns} FROM {table} d INDEXED BY {table}_by_end"  # noqa: S608  constants
        f" WHERE d.to_us > :begins AND d.to_us <= :last AND {_OF_MANY}"
        f" UNION ALL SELECT d.stream_id, {columns} FROM json_each(:long) w CROSS JOIN {table} d INDEXED BY {table}_long"
        f" ON d.stream_id = w.value AND {long} AND d.from_us < :ends AND d.to_us > :last"
    )


def _numbered(rows: str) -> str:
    """With the number of each row's run."""
    return f"SELECT s.*, r.number FROM ({rows}) s CROSS JOIN run r ON r.id = s.run_id ORDER BY 1, 2, 5"  # noqa: S608  constants


class _Asking(NamedTuple):
    """The three questions of one way to ask. told: gaps with their evidence."""

    spans: str
    gaps: str
    gaps_told: str
    gone: str


_REACHES, _LONG = "d.to_us > w.begins", f"d.to_us - d.from_us > {DAY_US}"
_LONG_OR_OPEN = f"(d.to_us IS NULL OR {_LONG})"
_SPAN, _GONE = "d.from_us, d.to_us, d.provenance, d.run_id", "d.run_id, d.from_us, d.to_us, d.fate"
_GAP, _GAP_TOLD = (f"d.from_us, d.to_us, d.cause, d.id, {evidence}" for evidence in ("'{}'", "d.evidence"))


def _gaps_by_stream(columns: str) -> str:
    return f"{_ASKED}{_both(columns, 'gap', f'(d.to_us IS NULL OR {_REACHES})', _LONG_OR_OPEN)} ORDER BY 1, 2, 5"


def _gaps_by_end(columns: str) -> str:
    """Those that are open have no end, and stand side by side too."""
    return (
        f"{_by_end(columns, 'gap', _LONG_OR_OPEN)} UNION ALL SELECT d.stream_id, {columns} FROM gap d INDEXED BY gap_by_end"  # noqa: S608  constants
        f" WHERE d.to_us IS NULL AND {_OF_MANY} ORDER BY 1, 2, 5"
    )


_BY_STREAM = _Asking(
    spans=_ASKED + _numbered(_both(_SPAN, "recorded_span", _REACHES, _LONG)),
    gaps=_gaps_by_stream(_GAP),
    gaps_told=_gaps_by_stream(_GAP_TOLD),
    gone=_ASKED + _both(_GONE, "gone_span", _REACHES, _LONG),
)
_BY_END = _Asking(
    spans=_numbered(_by_end(_SPAN, "recorded_span", _LONG)),
    gaps=_gaps_by_end(_GAP),
    gaps_told=_gaps_by_end(_GAP_TOLD),
    gone=_by_end(_GONE, "gone_span", _LONG),
)
_END_OF_TIME = (1 << 63) - 1


class _Rows(NamedTuple):
    """What was read for each stretch."""

    spans: list[list[RecordedSpan]]
    gaps: list[list[GapSpan]]


def exact(db: sqlite3.Connection, stretches: Sequence[Stretch], accounted_until_us: int) -> list[list[Piece]]:
    """The pieces of each stretch, from the rows that the timeline is made of, without evidence."""
    return [pieces_of(tiles) for tiles in tiled(db, stretches, accounted_until_us, evidence=False)]


def tiled(
    db: sqlite3.Connection,
    stretches: Sequence[Stretch],
    accounted_until_us: int,
    *,
    evidence: bool,
    by_end: bool = True,
) -> list[list[Tile]]:
    """The tiling of each stretch, from the rows that the timeline is made of: three questions for all, and three for each stretch that
    many streams are asked for. by_end: those may be answered from the indexes by end; else from the tables alone.
    """
    found = _Rows([[] for _ in stretches], [[] for _ in stretches])
    alone: list[int] = []
    for places in _alike(stretches):
        many = by_end and len(places) > _FEW_STREAMS
        if not (many and _read_by_end(db, stretches, places, accounted_until_us, found, evidence=evidence)):
            alone += places
    if alone:
        asked = (json.dumps([stretches[n][:3] for n in alone]),)
        _read(db, _BY_STREAM, asked, alone, found, evidence=evidence)
    return [
        tile(found.spans[n], found.gaps[n], of.from_us, of.to_us, accounted_until_us, of.set_up_us)
        for n, of in enumerate(stretches)
    ]


def _alike(stretches: Sequence[Stretch]) -> Iterable[list[int]]:
    """The places of stretches that are the same time of several streams."""
    found: dict[tuple[int, int], list[int]] = {}
    for n, of in enumerate(stretches):
        found.setdefault((of.from_us, of.to_us), []).append(n)
    return found.values()


def _read_by_end(
    db: sqlite3.Connection, stretches: Sequence[Stretch], places: Sequence[int], accounted_until_us: int, found: _Rows, *, evidence: bool
) -> bool:  # fmt: skip
    """One stretch of many streams. False where the index is of an older version, and nothing was read.

    Of the newest days all that ends later is read too, since a span that grows is often long, and next to nothing ends after now.
    """
    _, begins, ends, _ = stretches[places[0]]
    first: dict[int, int] = {}
    for n in places:
        first.setdefault(stretches[n].stream_id, n)
    newest = ends + DAY_US >= accounted_until_us
    streams = json.dumps(list(first))
    asked = {
        "begins": begins, "ends": ends, "last": _END_OF_TIME if newest else ends + DAY_US, "streams": streams,
        "long": "[]" if newest else streams,
    }  # fmt: skip
    try:
        _read(db, _BY_END, asked, first, found, evidence=evidence)
    except sqlite3.OperationalError as error:
        if "no such index" not in str(error):
            raise
        for n in places:  # what one of the questions found already
            found.spans[n], found.gaps[n] = [], []
        return False
    for n in places:  # a stream may be asked for twice
        m = first[stretches[n].stream_id]
        found.spans[n], found.gaps[n] = found.spans[m], found.gaps[m]
    return True


def _read(
    db: sqlite3.Connection, asking: _Asking, asked: Any, place_of: Sequence[int] | Mapping[int, int], found: _Rows, *, evidence: bool
) -> None:  # fmt: skip
    """place_of: the stretch that a row is for, by the first of its columns."""
    gone: dict[tuple[int, int], list[tuple[int, int, int]]] = {}
    for key, from_us, to_us, cause, number, text in db.execute(asking.gaps_told if evidence else asking.gaps, asked):
        found.gaps[place_of[key]].append(GapSpan(from_us, to_us, _CAUSE[cause], told_evidence(text), id=number))
    for key, run, from_us, to_us, fate in db.execute(asking.gone, asked):
        gone.setdefault((key, run), []).append((from_us, to_us, fate))
        if fate == Fate.DISCARDED:
            found.gaps[place_of[key]].append(discarded(from_us, to_us))
    for key, from_us, to_us, provenance, run, number in db.execute(asking.spans, asked):
        span = RecordedSpan(from_us, to_us, number, _PROVENANCE[provenance])
        found.spans[place_of[key]] += split(span, gone.get((key, run), ())) if gone else (span,)


@functools.lru_cache(1024)
def told_evidence(text: str) -> dict[str, object]:
    """The same words make the same dict: nobody changes what a frozen row holds."""
    found: dict[str, object] = json.loads(text)
    return found


_COLUMN = {"wide_day": "pieces", "tile_day": "tiles"}


def _kept(
    db: sqlite3.Connection, table: str, streams: Sequence[int], first: int, last: int
) -> Iterator[tuple[int, int, bytes]]:
    """day, stream and what is kept of the days [first, last) that there are rows of."""
    if last <= first:
        return iter(())
    column = _COLUMN[table]
    if len(streams) > _FEW_STREAMS:  # one range of the table, whatever else is in it
        asked = f"SELECT day, stream_id, {column} FROM {table} WHERE day >= ? AND day < ?"  # noqa: S608  constants
        return iter(db.execute(asked, (first, last)))
    return iter(
        db.execute(
            f"SELECT w.day, w.stream_id, w.{column} FROM json_each(?) d CROSS JOIN json_each(?) s"  # noqa: S608  constants
            f" CROSS JOIN {table} w ON w.day = d.value AND w.stream_id = s.value",
            (json.dumps(list(range(first, last))), json.dumps(list(streams))),
        )
    )


def _days_of(
    db: sqlite3.Connection, table: str, streams: Sequence[int], from_us: int, to_us: int, accounted_us: int, serves: bytes
) -> dict[int, dict[int, bytes]]:  # fmt: skip
    """By stream and day: what is kept of the days that are over. serves: with which bytes that may begin."""
    first, last = from_us // DAY_US, min(-(-to_us // DAY_US), accounted_us // DAY_US)
    known: dict[int, dict[int, bytes]] = {stream: {} for stream in streams}
    try:
        for day, stream, blob in _kept(db, table, streams, first, last):
            if blob[0] in serves and stream in known:
                known[stream][day] = blob
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise
        # an index that its recorder has not brought up yet
    return known


def _wanting_of(
    streams: Sequence[tuple[int, int | None]], known: Mapping[int, Mapping[int, bytes]], from_us: int, to_us: int
) -> tuple[list[Stretch], list[tuple[int, int]]]:
    """The stretches that have to be read from the rows; and of each which stream it is of, and before which of its days it comes."""
    wanting: list[Stretch] = []
    places: list[tuple[int, int]] = []
    for n, (stream, set_up_us) in enumerate(streams):
        for begin, end in _without(known[stream], from_us // DAY_US, -(-to_us // DAY_US)):
            wanting.append(Stretch(stream, max(from_us, begin * DAY_US), min(to_us, end * DAY_US), set_up_us))
            places.append((n, begin))
    return wanting, places


def _accounted(db: sqlite3.Connection) -> int:
    beat = db.execute("SELECT accounted_until_us FROM heartbeat").fetchone()
    return int(beat[0]) if beat else 0


def read_wide(
    db: sqlite3.Connection, streams: Sequence[tuple[int, int | None]], from_us: int, to_us: int, *, whole_quarters: bool
) -> WideRows:
    """The pieces of [from_us, to_us) of each stream (its id, and since when it is set up), within the caller's transaction.

    whole_quarters: the caller adds up or reduces by quarters of an hour, and the stretch lies on them: then days that were packed
    so will do. Else they are read exactly.
    """
    accounted_us = _accounted(db)
    ids = [stream for stream, _ in streams]
    known = _days_of(db, "wide_day", ids, from_us, to_us, accounted_us, b"\0\1" if whole_quarters else b"\0")
    wanting, places = _wanting_of(streams, known, from_us, to_us)
    read = exact(db, wanting, accounted_us) if wanting else []
    parts: list[dict[int, list[Piece]]] = [{} for _ in streams]
    for (n, begin), pieces in zip(places, read, strict=True):
        parts[n][begin] = pieces
    found = []
    for n, (stream, _) in enumerate(streams):
        of = parts[n]
        for day, blob in known[stream].items():
            if len(blob) > 1:
                of[day] = unpack(blob, day * DAY_US)[1]
        pieces = joined(of[begin] for begin in sorted(of))
        found.append(clipped(pieces, from_us, to_us) if from_us % DAY_US or to_us % DAY_US else pieces)
    return WideRows(accounted_us, found)


def read_tiles(
    db: sqlite3.Connection, streams: Sequence[tuple[int, int | None]], from_us: int, to_us: int
) -> tuple[int, list[Tiling]]:
    """Up to when all is accounted for, and the tiling of [from_us, to_us) of each stream (its id, and since when it is set up): what
    `tile` makes of its rows. Within the caller's transaction.
    """
    accounted_us = _accounted(db)
    if from_us >= to_us:
        return accounted_us, [Tiling.of([]) for _ in streams]
    known: dict[int, dict[int, bytes]] = {stream: {} for stream, _ in streams}
    if len(streams) > _FEW_STREAMS:  # of few, their rows stand closer together
        known = _days_of(db, "tile_day", list(known), from_us, to_us, accounted_us, days.READABLE)
    wanting, places = _wanting_of(streams, known, from_us, to_us)
    read = tiled(db, wanting, accounted_us, evidence=True) if wanting else []
    parts: list[dict[int, Tiling]] = [{} for _ in streams]
    for (n, begin), tiles in zip(places, read, strict=True):
        parts[n][begin] = Tiling.of(tiles)
    found = []
    for n, (stream, _) in enumerate(streams):
        of, kept = parts[n], known[stream]
        for following in _following(kept):
            of[following[0]] = days.unpack([(day * DAY_US, kept[day]) for day in following])
        tiling = Tiling.joined(of[begin] for begin in sorted(of)) if len(of) != 1 else of.popitem()[1]
        found.append(tiling.clipped(from_us, to_us) if from_us % DAY_US or to_us % DAY_US else tiling)
    return accounted_us, found


def _without(known: Mapping[int, bytes], first: int, last: int) -> Iterator[tuple[int, int]]:
    """The stretches of [first, last) that are not among the days."""
    if len(known) == last - first:
        return
    begin = first
    for day in sorted(known):
        if day > begin:
            yield begin, day
        begin = day + 1
    if begin < last:
        yield begin, last


def _following(known: Iterable[int]) -> list[list[int]]:
    """Days in groups, each of days that follow each other."""
    groups: list[list[int]] = []
    for day in sorted(known):
        if groups and groups[-1][-1] == day - 1:
            groups[-1].append(day)
        else:
            groups.append([day])
    return groups


# -- making them


class WideDays:
    """Makes the rows that are wanting, a little at a time: of the newest days first, then from the oldest on, so that a month lies in the
    file as it is read. Owner: the index thread.
    """

    def __init__(self, index: Index) -> None:
        self._index = index
        self._round: Iterator[int] | None = None  # the days that are still to be looked at; None: from the newest again
        self._day: int | None = None  # the one that is being looked at
        self._rounds = 0

    def step(self) -> bool:
        """One short transaction. Returns False where there is nothing left to do for a while. Raises sqlite3.Error.

        Of every sixty rounds one looks at all days: what is dropped long after its day is seldom.
        """
        db = self._index.connection
        beat = db.execute("SELECT accounted_until_us FROM heartbeat").fetchone()
        oldest = _oldest_day(db)
        if beat is None or oldest is None:
            return False
        newest = beat[0] // DAY_US - 1
        if self._round is None:
            self._rounds += 1
            self._round = _days_to_look_at(oldest, newest, everything=self._rounds % _ROUNDS == 1)
        began = time.monotonic()
        while time.monotonic() - began < _SLICE_S:
            if self._day is None:
                self._day = next(self._round, None)
            if self._day is None:
                self._round = None
                return False
            wanting = _wanting(db, self._day) if self._day <= newest else []  # the clock may have gone back
            if wanting:
                self._make(wanting, beat[0])
                return True
            self._day = None
        return True

    def _make(self, wanting: Sequence[Stretch], accounted_until_us: int) -> None:
        with self._index.transaction("W1", "W2") as db:
            made = list(zip(wanting, tiled(db, wanting, accounted_until_us, evidence=True), strict=True))
            db.executemany(
                "INSERT OR REPLACE INTO wide_day VALUES (?, ?, ?)",
                [(*_row_of(of), pack(pieces_of(tiles), of.from_us)) for of, tiles in made],
            )
            db.executemany(  # after the other: what drops that one drops this
                "INSERT OR REPLACE INTO tile_day VALUES (?, ?, ?)",
                [(*_row_of(of), days.pack(tiles)) for of, tiles in made],
            )


def _days_to_look_at(oldest: int, newest: int, *, everything: bool) -> Iterator[int]:
    late = max(oldest, newest - _NEWEST_DAYS)
    yield from range(newest, late - 1, -1)
    if everything:
        yield from range(oldest, late)


def _row_of(of: Stretch) -> tuple[int, int]:
    return of.from_us // DAY_US, of.stream_id


def _oldest_day(db: sqlite3.Connection) -> int | None:
    row = db.execute("SELECT min(set_up_us) FROM stream").fetchone()
    return None if row[0] is None else int(row[0]) // DAY_US


def _wanting(db: sqlite3.Connection, day: int) -> list[Stretch]:
    """Streams that were set up by the end of the day, and have no row of it, or one of another version. At most a transaction's worth."""
    rows = db.execute(
        "SELECT id, ?1 * ?2, (?1 + 1) * ?2, set_up_us FROM stream s WHERE set_up_us < (?1 + 1) * ?2"
        " AND NOT (EXISTS (SELECT 1 FROM wide_day w WHERE w.day = ?1 AND w.stream_id = s.id)"
        " AND EXISTS (SELECT 1 FROM tile_day t WHERE t.day = ?1 AND t.stream_id = s.id"
        " AND instr(?4, substr(t.tiles, 1, 1)) > 0)) LIMIT ?3",
        (day, DAY_US, MOST_AT_ONCE, days.OURS),
    )
    return [Stretch(*row) for row in rows]


# -- checking them


class WrongDay(NamedTuple):
    """A day of which a row does not say what the rows that it was made from say. by_end: an index by end does not say what its table says,
    of this day first.
    """

    day: int
    stream_id: int
    by_end: bool = False


def wrong_days(db: sqlite3.Connection) -> list[WrongDay]:
    """As of one moment. Raises ValueError where the rows that they were made from cannot be read."""
    there = {row[0] for row in db.execute("SELECT name FROM sqlite_schema")}
    inside = db.in_transaction
    if not inside:
        db.execute("BEGIN")
    try:
        found = {wrong for table in _COLUMN if table in there for wrong in _wrong_days(db, table)}
        for table in _ROW:
            if f"{table}_by_end" in there:
                found.update(_wrong_by_end(db, table))
        return sorted(found)
    except LookupError as error:
        raise ValueError(f"spans and gaps cannot be read: {error!r}") from error
    finally:
        if not inside:
            db.execute("COMMIT")


_ROW = {
    "recorded_span": "stream_id, from_us, run_id, to_us, provenance",
    "gap": "stream_id, from_us, id, to_us, cause, evidence",
    "gone_span": "stream_id, from_us, run_id, first_sequence, to_us, fate",
}


def _wrong_by_end(db: sqlite3.Connection, table: str) -> Iterator[WrongDay]:
    """The first day of each stream of which the table and its index by end say something else."""
    ways = [
        f"SELECT {_ROW[table]} FROM {table} INDEXED BY {index}"  # noqa: S608  constants
        for index in (f"sqlite_autoindex_{table}_1", f"{table}_by_end")
    ]
    first: dict[int, int] = {}
    for one, other in (ways, ways[::-1]):
        for stream, from_us in db.execute(f"SELECT stream_id, from_us FROM ({one} EXCEPT {other})"):  # noqa: S608  constants
            first[stream] = min(from_us, first.get(stream, from_us))
    return (WrongDay(from_us // DAY_US, stream, by_end=True) for stream, from_us in first.items())


def _wrong_days(db: sqlite3.Connection, table: str) -> Iterator[WrongDay]:
    accounted_us = _accounted(db)
    set_up = dict(db.execute("SELECT id, set_up_us FROM stream"))
    column, told = _COLUMN[table], table == "tile_day"
    last = (-1, -1)
    while rows := db.execute(
        f"SELECT day, stream_id, {column} FROM {table} WHERE (day, stream_id) > (?, ?) ORDER BY day, stream_id LIMIT 200",  # noqa: S608  constants
        last,
    ).fetchall():
        last = (rows[-1][0], rows[-1][1])
        stretches = [Stretch(row[1], row[0] * DAY_US, (row[0] + 1) * DAY_US, set_up.get(row[1])) for row in rows]
        true = tiled(db, stretches, accounted_us, evidence=told, by_end=False)
        for (day, stream, blob), tiles in zip(rows, true, strict=True):
            # beyond what is accounted for nobody reads it: the clock went back
            if (day + 1) * DAY_US > accounted_us:
                continue
            if told and blob[:1] not in days.OURS:  # nobody reads it, and it is made anew
                continue
            if bytes(blob) != (days.pack(tiles) if told else pack(pieces_of(tiles), day * DAY_US)):
                yield WrongDay(day, stream)


def drop_days(index: Index, wrong: Iterable[WrongDay]) -> None:
    """They are made again. Raises sqlite3.Error."""
    with index.transaction("W1", "W2") as db:
        rows = list(wrong)
        for table in _COLUMN:
            db.executemany(
                f"DELETE FROM {table} WHERE day = ? AND stream_id = ?",  # noqa: S608  constants
                [row[:2] for row in rows],
            )
        if any(row.by_end for row in rows):
            for table in _ROW:
                db.execute(f"REINDEX {table}_by_end")
