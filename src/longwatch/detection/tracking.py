"""From look to look: which blob is the same thing, and which thing has really moved. Pure.

A track belongs to one camera and one event; its number starts over with the looker and means nothing elsewhere. What only flickers or sways goes nowhere: a track is
*confirmed* when it has gone some way, and rather straight.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from longwatch.detection import going
from longwatch.detection.going import Box, Step
from longwatch.detection.motion import Blob

MOST_TRACKS = 20
MOST_STEPS = 24
FORGET_S = 2.5
"""A track that is not seen for so long, and for two looks, is over."""
LENGTHS_S, FARTHEST = 5.5, 0.4
"""Of its own lengths a second a thing moves at most (a car at 80 km/h: 5), and of the picture's width from look to look."""
LEAP = 60.0
"""Times as large, or as small, from one look to the next is nothing that went there: light that spreads swallows what flickered in its place."""
KNOWN_HITS, KNOWN_LENGTHS_S = 8, 2.0
"""Who was seen so often is no faster than half as fast again as he was, or than so many lengths a second: what flickered at one place for seconds does not leap to another."""
STOOD_US = 10_000_000
"""Who has not moved for so long sets out by lengths of his own: by those of a larger thing far off, that thing would be taken for him, and he would have moved."""
PRESENT, PRESENT_PART = 0.7, 0.25
"""Of the last looks, the part in which a thing must have been seen; each look counts for a quarter of what is known of it."""
SURELY_PRESENT = 0.77
"""The same in a crowd, which is not come to by four flakes in a row where something else was seen seconds ago."""
WAY_CELLS = 3.0
SAME_TEXTURE = 0.55
"""Mean likeness of the ground's texture before and after, over the life of a track: above it is light, or a branch, and nothing that hides the ground."""
LIT_HITS, LIT = 3, 0.75
"""What was seen so often and left the ground's texture as it was is light or a branch: whoever hides the ground elsewhere is not it, and would never be told for it."""
HURRY, SMALL = 0.55, 0.16
"""Picture widths a second, and part of the width: what is faster and smaller is an insect before the lens. Up and down half of that: nobody runs there."""
SPECK = 30.0
"""Cells: what is smaller, and not surely solid, takes a fourth look."""
SMALL_PART = 0.02
"""Of the picture: what is smaller is not confirmed in unrest. A light that sweeps, and an exposure that answers it, leave such ghosts all around."""
PASSED_TEXTURE, PASSED_CONTRAST = 0.4, 12.0
WENT_ON = 0.5
"""What was there in two looks and went on between them may be so much smaller than what one look alone saw. Of seen scenes that was never nobody."""
ARRIVED_HITS, ONE_SIDED = 5, 0.02
"""Looks in which what arrived must stand there, and has not stood twice as long; and the least part of it that is lighter than the ground, and that is darker: less is a lamp that went on or out."""
CROWD = 0.5
"""Passing blobs in a look, on average, from which on it snows or rains: then a thing must be larger than flakes are, and be seen longer."""
CROWD_S = 8.0
CLEAR_LOOKS = 6
"""So many key frames in a row, seconds apart, in which nothing passes say that it snows no more, or that the insects are gone, though no close look came to see it."""
OVER_CROWD, MOST_FLAKE = 1.4, 24.0
"""So much larger than what passes, or than so many cells: no flake or drop is as large, whatever branches and lamps have added to the crowd."""
STRAIGHT_IN_CROWD = 4.0
"""Times what its steps stray, that it must have got on where many flakes pass: some always lie in a line."""
LEAST_IN_CROWD = 16.0
"""Cells, where pictures are seconds apart: of many flakes some always lie in a line."""
OVER_DENSE = 2.0
"""Times that, where many pass in each look: the largest of some hundred flakes is half as large again as the second largest of a look."""
FAR_OVER_CROWD = 4.0
"""So much larger still than what passes, and solid, it need not be seen longer than elsewhere: a lorry that crosses in a second is no flake."""
PLUNGE, OVER_PLUNGE = 0.3, 2.0
"""Picture heights a second, and times what it takes to be none of what falls: what comes down faster, and is no larger, is a flake or a drop, however long a line it is seen on."""
CROWD_STEPS, SMALL_STEPS, SMALL_OVER, FALLING = 5, 6, 0.5, 6.0
"""Steps one soon after another that it takes in a crowd; and what it takes of whoever is no larger than flakes and does not fall (cells a second, and more down than aside): a drop is
not seen twice, and a flake falls. Where so many pass that one is taken for the next he must still be half as large as it takes to be none of them."""
SMALL_LENGTHS_S = 6.0
"""Of its own lengths a second, that whoever is no larger than flakes may go: nobody who runs and no car is faster, and of drops that are taken one for the next the line is."""
DENSE_LENGTHS_S, OVER_DARTS, DARTS_STEPS = 2.5, 2.0, 8
"""The same from first to last of so many steps, where so many pass that there is always one a little farther on; and how much larger than it takes to be none of them he is of whom that is not asked. Who runs
goes two and a half of his lengths a second. Of seen scenes drops that were told went 2.4 to 6.3, and things at most 2.3."""
LEFT, LEFT_HITS, LEFT_US, LEFT_CELLS, LEFT_PART = 6, 2, 5_000_000, 2.0, 0.5
"""So many that were seen so often before, began so lately, and are no further from where they began than so many cells, or that part of their longer side, are what a lamp left: nothing is confirmed meanwhile."""
BURST = 8
"""So many that began in one look are what a flash left: none of them went on to where the next look sees something."""
LONG_HITS, DENSE = 9, 2.5
"""Key frames on one line, of which not so many are taken from flakes. Not where so many pass in a look that one is taken for the next: there `lines` tells."""
MOST = 0.65
"""Part of the picture: what is larger is the light or the view, and no thing; or all would be held, and never learnt."""
HUGE, HUGE_HITS = 0.2, 8
"""Part of the picture: what is larger must be seen so often, since mostly it is light;"""
SOLID_EDGE, SOLID_TEXTURE = 1.5, 0.45
"""unless it ends sharply all around and hides the ground: a lorry before the lens is gone in two seconds;"""
SOFT_EDGE = 0.6
"""What ends more softly, on average over all that was seen of it, is the shade of a cloud, or what light leaves where it goes."""
GLOWING, OUT_OF_FOCUS, LEAST_GLOW, MOST_GLOW = 0.97, 0.5, 20, 1000
"""By night: what is everywhere brighter, and bends by less than this part of its contrast on average over all looks, is a glow, though single looks of it are sharper (`motion.Blob.is_glow`);
cells. Of seen scenes spiders that were told had 0.39 to 0.49, and things 0.6 and more."""
POOL, POOL_EDGE = 0.03, 0.8
"""Part of the picture: what is larger, everywhere brighter and ends no more sharply than this, on average, is the pool of headlights. Painted things so large had 1.27 and more; a plain, bright block, as a white van may be, has 0.96."""
SHINING, BURNING = 0.9, 0.1
"""Parts of it: what is lighter nearly everywhere and burnt out in more than so much is not surely solid, since where headlights burn the ground out its texture is gone and the edge is sharp."""
HARD_EDGE = 4.0
"""or so sharply, as no light does, that less of the ground needs to be hidden: large panes are as plain as what is behind them."""
MOST_BURST, FIRST_BURST = 2.0, 8.0
"""A look teaches at most so many times the usual size of what passes, and so many cells more: flakes grow with the snow, and a lorry's parts pass in two seconds."""
BLURRED_FIRST = 2.5
"""Times as large as its smaller later boxes: what was seen first was it together with its light, or with what is beside it."""
STOOD_HITS, AWAY = 24, 0.35
"""Who was there for so many looks and went nowhere must get so far, in parts of its first box's longer side: what stood at the beginning and crumbles is the background that was wrong."""
CLOSE_STEPS = 5
"""So many steps tell by themselves whether it gets on."""
SPARSE_S, SPARSE_STEPS = 1.5, 3
"""Between two looks, from which on two sightings are enough: the pictures are too far apart to wait for a third."""
UNSURE_CELLS, UNSURE_HITS = 0.7, 8
"""Whom two pictures seconds apart confirmed, and no look since saw go on by so much, may be two things that lay in a line. Seen so often without it he is taken for unconfirmed again."""


@dataclass(slots=True)
class Track:
    """One thing. Boxes and centres in cells. steps: its last (wall_us, x of centre, y of foot, y of centre, x of its left and of its right side, y of its top). way: all the steps it took, in cells.
    moved_us: when it last was elsewhere than shortly before.
    """

    number: int
    first_us: int
    last_us: int
    box: tuple[float, float, float, float]
    x: float
    y: float
    cells: float
    contrast: float
    first_box: tuple[float, float, float, float]
    first_x: float
    first_y: float
    first_cells: float
    texture: float = 0.0
    edge: float = 0.0
    """How sharply it ends, on average, as `motion.Blob` has it."""
    brighter: float = 0.5
    """The part of it that is lighter than the ground, on average."""
    burnt: float = 0.0
    """The part of it that is burnt out, on average."""
    sharp: float = 1.0
    """How much it bends, in its contrast, on average (`motion.Blob`)."""
    vx: float = 0.0
    vy: float = 0.0
    hits: int = 1
    missed: int = 0
    """Looks since the last one that saw it."""
    present: float = 1.0
    """The part of the last looks that saw it."""
    way: float = 0.0
    confirmed: bool = False
    confirmed_us: int = 0
    """Since when it is."""
    unsure: Box | None = None
    """Where it was when pictures seconds apart confirmed it, until a look sees that it goes on: till then it is not told."""
    unsure_hits: int = 0
    moved_us: int = 0
    anchor_x: float = 0.0
    anchor_y: float = 0.0
    anchor: Box = (0.0, 0.0, 0.0, 0.0)
    steps: list[Step] = field(default_factory=list)
    inside: dict[str, int] = field(default_factory=dict)
    """Zone to since when its foot stands in it."""
    dwelling: list[str] = field(default_factory=list)

    @property
    def hides(self) -> bool:
        """Whether it ends sharply and hides the ground."""
        sharp = self.edge >= SOLID_EDGE and self.texture <= SOLID_TEXTURE
        return sharp or (self.edge >= HARD_EDGE and self.texture <= SAME_TEXTURE)

    @property
    def solid(self) -> bool:
        """Whether it surely hides the ground, and is no light: then less has to be seen of it."""
        return self.hides and not (self.brighter > SHINING and self.burnt > BURNING)

    @property
    def sure(self) -> bool:
        """Whether it is confirmed, and has gone on since if pictures seconds apart did so."""
        return self.confirmed and self.unsure is None

    @property
    def far(self) -> float:
        """How far it is from where it was first seen, in cells."""
        return math.hypot(self.x - self.first_x, self.y - self.first_y)

    def confirm(self, now_us: int) -> None:
        """It is known for a thing from now on, and is one that moves."""
        self.confirmed, self.confirmed_us, self.moved_us = True, now_us, now_us


class Tracker:
    """Of one camera. width, height: of the picture in cells. is_worth: whether a track is larger than what comes to nothing here: it is asked where pictures are too far apart to
    see that for oneself.
    """

    def __init__(self, width: int, is_worth: Callable[[Track], bool] = lambda _: True) -> None:
        self.width = width
        self.height = width
        self._is_worth = is_worth
        self.tracks: list[Track] = []
        self.unrest = self.night = self.silent = False
        """Set by whoever looks: much of the picture is new, or was a moment ago; infra-red may light what is on the lens; the background was begun a moment ago, and nothing is said
        yet: what it was begun with may have gone since, and would be held for a minute."""
        self.crowd = 0.0
        self.crowd_cells = 0.0
        self._clear, self._lit = 0, False
        self._looked, self._passing, self._passing_cells = 0, 0.0, 0
        """Close looks so far; how many passed in them, on average, and how large the second largest of one was at most. Known from the first look on, and held against nobody who is told."""
        self._counts: int | None = None
        self._next = 1

    def follow(self, found: Sequence[Blob], now_us: int, passed_s: float) -> tuple[list[Track], list[Track]]:
        """(tracks that were seen now, tracks that are over). Blobs are taken to the nearest track that may be the same, nearest pair first."""
        over = [
            track
            for track in self.tracks
            if (track.missed >= 2 and now_us - track.last_us > FORGET_S * 1e6) or self._is_lost(track)
        ]
        self.tracks = [track for track in self.tracks if track not in over]
        pairs = self._pairs(found, now_us)
        taken: dict[int, int] = {}
        used: set[int] = set()
        for _, i, j in pairs:
            if i not in taken and j not in used:
                taken[i] = j
                used.add(j)
        self._lit = self._is_lit(now_us)
        confirmed = [track.confirmed for track in self.tracks]
        seen: list[Track] = []
        stay: list[Track] = []
        for i, track in enumerate(self.tracks):
            if i in taken:
                self._step(track, found[taken[i]], now_us, passed_s)
                seen.append(track)
                stay.append(track)
            else:
                track.missed += 1
                track.present *= 1 - PRESENT_PART
                gone = track.missed >= 2 and now_us - track.last_us > FORGET_S * 1e6
                (over if gone else stay).append(track)
        self.tracks = stay
        claimed = {j for i, j in taken.items() if confirmed[i]}
        self._count([blob.cells for j, blob in enumerate(found) if j not in claimed], passed_s)
        for j, blob in enumerate(found):
            if j not in used and (len(self.tracks) < MOST_TRACKS or self._room_for(blob)):
                self.tracks.append(self._begun(blob, now_us))
        return seen, over

    def is_all(self, track: Track) -> bool:
        """Whether it is so large that it is the light or the view."""
        return track.cells > MOST * self.width * self.height

    def _is_lost(self, track: Track) -> bool:
        """Whether it was confirmed and may be flakes by now that are taken for it: it is no larger, and was not seen in most of the last looks."""
        return track.confirmed and self.crowd > CROWD and track.cells < self._over_crowd() and track.present < PRESENT

    def _room_for(self, blob: Blob) -> bool:
        """Make room by giving up the smallest of what is not seen now and never went anywhere: in snow there is always one."""
        idle = [track for track in self.tracks if track.missed and not track.confirmed and track.cells < blob.cells]
        if idle:
            self.tracks.remove(min(idle, key=lambda track: (track.cells, track.number)))
        return bool(idle)

    def _count(self, passing: Sequence[int], passed_s: float) -> None:
        """Learn how much comes and goes, and how large it is: the second largest of a look, so that one thing on its way counts for nothing."""
        if passed_s >= SPARSE_S:
            self._clear = 0 if passing else self._clear + 1
            if self._clear >= CLEAR_LOOKS:
                self.crowd *= math.exp(-min(passed_s, CROWD_S) / CROWD_S)
            return
        part = 1 - math.exp(-passed_s / CROWD_S)
        second = sorted(passing)[-2] if len(passing) > 1 else 0
        self._looked += 1
        self._passing += max(part, 1 / self._looked) * (len(passing) - self._passing)
        self._passing_cells = max(self._passing_cells, second)
        if self._counts is not None:
            self._counts += 1
            if 1 / self._counts > part:
                part = 1 / self._counts
            else:
                self._counts = None
        self.crowd += part * (len(passing) - self.crowd)
        size = min(second, MOST_BURST * self.crowd_cells + FIRST_BURST)
        self.crowd_cells += min(part * (3.0 if size > self.crowd_cells else 0.5), 1.0) * (size - self.crowd_cells)

    def count_anew(self) -> None:
        """The light is another: what passes is told from the next looks, and not from what was to be seen of it before. Infra-red lights the rain."""
        self._counts = 0

    def passed(self, least_cells: float, now_us: int) -> list[Track]:
        """What large things were there in the look before this one alone, or went on in the two before it, and hid the ground: they passed between looks. From now on they are confirmed."""
        made = [
            track
            for track in self.tracks
            if track.missed == 1 and not track.confirmed
            and track.texture <= PASSED_TEXTURE and track.contrast >= PASSED_CONTRAST and track.edge >= SOFT_EDGE
            and self._has_passed(track, least_cells)
        ]  # fmt: skip
        for track in made:
            track.confirm(now_us)
        return made

    def _has_passed(self, track: Track, least_cells: float) -> bool:
        """Whether one look saw it, or two between which it went on, and it was large enough for that; as large in the first of them, since it may be leaving."""
        cells = max(track.cells, track.first_cells)
        if track.hits == 1:
            return cells >= least_cells
        if sum(other.first_us == track.first_us for other in self.tracks) > BURST or self._darts_by(track):
            return False
        return track.hits == 2 and cells >= WENT_ON * least_cells and going.goes(track.steps, WAY_CELLS, self._size)

    def arrived(self, least_cells: float, now_us: int, *, lamps: bool = True) -> list[Track]:
        """What large things stand there, and went nowhere that was seen: they came between two looks. They hide the ground, end sharply, and are no light. From now on they are confirmed. lamps: whether there are any, which no thermal camera sees."""
        made = [
            track
            for track in (() if self._lit else self.tracks)
            if not track.confirmed and not track.missed and ARRIVED_HITS <= track.hits < 2 * ARRIVED_HITS
            and track.cells >= least_cells and not self.is_all(track)
            and track.hides and (track.solid or track.edge >= HARD_EDGE) and track.contrast >= PASSED_CONTRAST
            and (not lamps or ONE_SIDED <= track.brighter <= 1 - ONE_SIDED) and track.present >= SURELY_PRESENT
        ]  # fmt: skip
        for track in made:
            track.confirm(now_us)
        return made

    def unknown(self) -> list[Track]:
        """What is seen now, hides the ground, and is not known for a thing."""
        return [
            track
            for track in self.tracks
            if not track.missed and not track.confirmed and track.texture <= SAME_TEXTURE and not self.is_all(track)
            and not self._is_lit_up(track)
        ]  # fmt: skip

    def outdoes(self, track: Track, *, young: bool) -> bool:
        """Whether it is larger than what passes. Where that is much, a close look tells nothing else from it. young: it is little known yet what comes to nothing; then what the first
        looks saw pass speaks for that.
        """
        if young:
            return self._passing < CROWD or track.cells >= OVER_CROWD * min(self._passing_cells, MOST_FLAKE)
        return self.crowd < DENSE or track.cells >= self._over_crowd()

    @property
    def dense(self) -> bool:
        """Whether so many pass that one is taken for the next."""
        return self.crowd >= DENSE

    def drop(self) -> list[Track]:
        """End all: the pictures before and after have nothing to do with each other."""
        over, self.tracks = self.tracks, []
        return over

    def _pairs(self, found: Sequence[Blob], now_us: int) -> list[tuple[float, int, int]]:
        """(cost, number of a track, number of a blob) of all that may be the same, the likeliest first. In snow twenty tracks meet as many blobs: what is asked of a track alone is asked once."""
        blobs = [(j, blob, blob.x, blob.y, max(blob.width, blob.height)) for j, blob in enumerate(found)]
        farthest = FARTHEST * self.width
        pairs = []
        for i, track in enumerate(self.tracks):
            passed = max((now_us - track.last_us) / 1e6, 0.02)
            ahead = min(passed, 1.5)
            x, y, box = track.x, track.y, track.box
            ahead_x, ahead_y, side = track.vx * ahead, track.vy * ahead, max(box[2], box[3])
            slow = track.hits >= KNOWN_HITS
            own = side if slow and now_us - track.moved_us > STOOD_US else 0.0
            known = 1.5 * math.hypot(track.vx, track.vy) if slow else 0.0
            lit = track.hits >= LIT_HITS and track.texture > LIT
            cells = max(track.cells, 1)
            for j, blob, blob_x, blob_y, blob_side in blobs:
                size = max(blob_side, side)
                fastest = size * LENGTHS_S
                if slow:
                    fastest = min(fastest, max((own or size) * KNOWN_LENGTHS_S, known))
                reach = 2 + 0.5 * size + min(fastest * passed, farthest)
                dx = blob_x - x - ahead_x
                if dx > reach or -dx > reach:
                    continue
                apart = math.hypot(dx, blob_y - y - ahead_y)
                if apart > reach:
                    continue
                ratio = blob.cells / cells
                if ratio < 1:
                    ratio = 1 / max(ratio, 1e-3)
                if ratio > LEAP or (ratio > 6 and not _overlap(box, blob)):
                    continue
                if lit and blob.texture <= SAME_TEXTURE and apart > 2 + 0.5 * size:
                    continue
                pairs.append((apart / reach + 0.15 * math.log2(ratio), i, j))
        return sorted(pairs)

    def _begun(self, blob: Blob, now_us: int) -> Track:
        box = _box(blob)
        track = Track(
            self._next, now_us, now_us, box, blob.x, blob.y, blob.cells, blob.contrast, box, blob.x, blob.y, blob.cells,
            texture=blob.texture, edge=blob.edge, brighter=blob.brighter, burnt=blob.burnt, sharp=blob.sharp, moved_us=now_us, anchor_x=blob.x, anchor_y=blob.y, anchor=box, steps=[_step(blob, now_us)],
        )  # fmt: skip
        self._next += 1
        return track

    def _step(self, track: Track, blob: Blob, now_us: int, passed_s: float) -> None:
        passed = max((now_us - track.last_us) / 1e6, 0.02)
        dx, dy = blob.x - track.x, blob.y - track.y
        track.vx += 0.5 * (dx / passed - track.vx)
        track.vy += 0.5 * (dy / passed - track.vy)
        track.way += math.hypot(dx, dy)
        track.x, track.y, track.box = blob.x, blob.y, _box(blob)
        track.cells += 0.5 * (blob.cells - track.cells)
        track.texture += (blob.texture - track.texture) / min(track.hits + 1, 8)
        track.edge += (blob.edge - track.edge) / min(track.hits + 1, 8)
        track.brighter += (blob.brighter - track.brighter) / min(track.hits + 1, 8)
        track.burnt += (blob.burnt - track.burnt) / min(track.hits + 1, 8)
        track.sharp += (blob.sharp - track.sharp) / min(track.hits + 1, 8)
        track.contrast = max(track.contrast, blob.contrast)
        track.hits += 1
        track.missed = 0
        track.present += PRESENT_PART * (1 - track.present)
        track.last_us = now_us
        track.steps = [*track.steps[-(MOST_STEPS - 1) :], _step(blob, now_us)]
        if self._is_elsewhere(track):
            track.anchor_x, track.anchor_y, track.anchor, track.moved_us = track.x, track.y, track.box, now_us
        if track.unsure is not None:
            self._make_sure(track, track.unsure)
        if not track.confirmed:
            track.confirmed, track.confirmed_us = self._has_gone(track, passed_s), now_us
            if track.confirmed and passed_s >= SPARSE_S:
                track.unsure, track.unsure_hits = track.box, 0

    def _make_sure(self, track: Track, was: Box) -> None:
        """What two pictures seconds apart confirmed goes on where it really went. Two drops, or a drop and what a lamp lit, stay where the second was. What is much larger or
        smaller than it was is judged from here on: that is how one is taken for another.
        """
        track.unsure_hits += 1
        left, top, width, height = track.box
        dx, dy = left - was[0] + (width - was[2]) / 2, top - was[1] + (height - was[3]) / 2
        if going.has_grown(track.box, was):
            track.unsure = track.box
        elif math.hypot(dx, dy) >= UNSURE_CELLS and going.is_elsewhere(track.box, was, (dx, dy), self._size):
            track.unsure = None
        if track.unsure is not None and track.unsure_hits >= UNSURE_HITS:
            track.unsure, track.confirmed = None, False

    @property
    def _size(self) -> tuple[int, int]:
        return self.width, self.height

    def _is_elsewhere(self, track: Track) -> bool:
        """Whether it has moved from where it was when it last did: its middle, and both sides of it, or it grew. What only flickers at one side stays where it is."""
        dx, dy = track.x - track.anchor_x, track.y - track.anchor_y
        if math.hypot(dx, dy) <= max(2.0, 0.15 * min(track.box[2:])):
            return self._has_grown(track)
        return going.is_elsewhere(track.box, track.anchor, (dx, dy), self._size)

    @staticmethod
    def _has_grown(track: Track) -> bool:
        """Whether it comes straight on, or goes straight away: then its middle stays where it is."""
        was = track.anchor[2] * track.anchor[3] + 1
        changed = abs(math.log((track.box[2] * track.box[3] + 1) / was)) > going.GROWN
        return changed and going.grows(_close(track.steps))

    def _over_crowd(self) -> float:
        """How many cells it takes to be none of what falls."""
        return OVER_CROWD * (self.crowd_cells if self.crowd >= DENSE else min(self.crowd_cells, MOST_FLAKE))

    def _over_many(self) -> float:
        """The same where pictures are seconds apart, and one is easily taken for another."""
        return max(self._over_crowd(), LEAST_IN_CROWD) * (OVER_DENSE if self.crowd >= DENSE else 1.0)

    def _has_gone(self, track: Track, passed_s: float) -> bool:
        if self._lit or self.silent:
            return False
        if track.texture > SAME_TEXTURE or track.edge < SOFT_EDGE or track.hits < 2 or self.is_all(track):
            return False
        if self._is_lit_up(track):
            return False
        if math.hypot(track.vx, 2 * track.vy) > HURRY * self.width and self._is_small(track):
            return False
        if self.unrest and track.cells < SMALL_PART * self.width * self.height:
            return False
        if track.present < (SURELY_PRESENT if self.crowd > CROWD and passed_s < SPARSE_S else PRESENT):
            return False
        if track.hits > STOOD_HITS and track.far < AWAY * max(track.first_box[2:]):
            return False
        if track.hits < HUGE_HITS and track.cells > HUGE * self.width * self.height and not track.solid:
            return False
        least = WAY_CELLS + min(0.2 * min(track.box[2:]), 4.0)
        if passed_s >= SPARSE_S and self.crowd > CROWD and track.cells < self._over_many():
            long = track.steps[-LONG_HITS:]  # a flake is not seen in so many key frames, still less on one line
            return self.crowd < DENSE and going.goes(long, least, self._size, going.SURELY_STRAIGHT, LONG_HITS)
        if passed_s < SPARSE_S:
            return self._is_seen(track) and self._gets_on(track, least)
        return self._gets_on(track, least) and (
            self._is_worth(track) or going.goes(track.steps, least, self._size, going.SURELY_STRAIGHT, SPARSE_STEPS)
        )

    def _is_lit(self, now_us: int) -> bool:
        """Whether much began lately, all over the view, and stands where it was: what a lamp left that went on or out. Its pieces crumble, and one is taken for the next."""
        lately = [
            track
            for track in self.tracks
            if track.hits >= LEFT_HITS and not track.missed and now_us - track.first_us <= LEFT_US
        ]
        return sum(track.far < max(LEFT_CELLS, LEFT_PART * max(track.first_box[2:])) for track in lately) >= LEFT

    def _is_lit_up(self, track: Track) -> bool:
        """Whether it is a glow on the lens or a pool of light, by all that was seen of it: single looks of both are sharper."""
        if not self.night or track.brighter <= GLOWING:
            return False
        if track.cells > POOL * self.width * self.height:
            return track.edge < POOL_EDGE
        return track.sharp < OUT_OF_FOCUS and LEAST_GLOW <= track.cells <= MOST_GLOW

    def _darts_by(self, track: Track) -> bool:
        """Whether two looks saw an insect: it is small, and went faster between them than anybody goes."""
        if len(track.steps) < 2:
            return False
        before, last = track.steps[-2:]
        passed = max((last[0] - before[0]) / 1e6, 0.02)
        far = math.hypot(last[1] - before[1], 2 * (last[3] - before[3]))
        return far > HURRY * self.width * passed and self._is_small(track)

    def _is_small(self, track: Track) -> bool:
        """As an insect is: what leaves at the border is small at last, and was not."""
        side = SMALL * self.width
        return max(track.box[2:]) < side and track.cells < side * side / 2

    def _gets_on(self, track: Track, least: float) -> bool:
        """Asked last: it is dearer than all other questions together."""
        steps = _close(track.steps)
        straight = STRAIGHT_IN_CROWD if self.crowd >= DENSE and not track.solid else going.STRAIGHT
        return (
            going.goes(_alone(steps, going.LONG_STEPS), least, self._size, straight)
            or (len(steps) > going.LONG_STEPS and going.goes(steps[-going.LONG_STEPS :], least, self._size, straight))
            or going.grows(_alone(track.steps, MOST_STEPS + 1))  # also over a gap: who is another grows by a jump
        )

    def _is_seen(self, track: Track) -> bool:
        """Often enough, where pictures come some times a second: in a crowd, often and large, or once more."""
        if self.crowd > CROWD:
            over = track.cells / max(self._over_crowd(), 1.0)
            surely = over >= FAR_OVER_CROWD and track.solid
            close, down = _since_gap(track.steps), track.vy > abs(track.vx)
            if down and track.vy > PLUNGE * self.height and over < OVER_PLUNGE:
                return False
            if over < OVER_DARTS and self.dense and _lengths_s(track.steps[-DARTS_STEPS:]) > DENSE_LENGTHS_S:
                return False
            if over >= 1.0:
                return track.hits >= 3 if surely else close >= CROWD_STEPS
            known = self.crowd < DENSE or over >= SMALL_OVER
            darts = math.hypot(track.vx, track.vy) > SMALL_LENGTHS_S * max(track.box[2:])
            return known and close >= SMALL_STEPS and not darts and not (down and track.vy > FALLING)
        return track.hits >= (3 if track.solid or track.cells >= SPECK else 4)

    def saved(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "next": self._next,
            "crowd": [self.crowd, self.crowd_cells],
            "tracks": [asdict(track) for track in self.tracks],
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Back from `saved`. Raises KeyError, TypeError or ValueError where it has another form."""
        self._next = int(saved["next"])
        self.crowd, self.crowd_cells = (float(value) for value in saved["crowd"])
        self.tracks = [_track(each) for each in list(saved["tracks"])[:MOST_TRACKS]]


def _lengths_s(steps: Sequence[Step]) -> float:
    """How many of its own lengths a second it got on, from the first to the last of them."""
    first, last = steps[0], steps[-1]
    sides = sorted(max(right - left, foot - top) for _, _, foot, _, left, right, top in steps)
    far = math.hypot(last[1] - first[1], last[3] - first[3])
    return far / max(sides[len(sides) // 2], 1.0) / max((last[0] - first[0]) / 1e6, 0.02)


def _since_gap(steps: Sequence[Step]) -> int:
    """How many came one soon after another, to the last. Among flakes one key frame's is easily taken for the next one's."""
    for at in range(len(steps) - 1, 0, -1):
        if steps[at][0] - steps[at - 1][0] >= SPARSE_S * 1e6:
            return len(steps) - at
    return len(steps)


def _close(steps: Sequence[Step]) -> Sequence[Step]:
    """Those that came one soon after another, where they are enough: between pictures seconds apart what flickers here may be taken for what flickers there."""
    close = _since_gap(steps)
    return steps[-close:] if close >= CLOSE_STEPS else steps


def _alone(steps: Sequence[Step], fewer: int) -> Sequence[Step]:
    """Without the first step where its box was far larger than those after it, of fewer steps than so many."""
    if not 4 <= len(steps) < fewer:
        return steps
    areas = [(step[5] - step[4]) * (step[2] - step[6]) for step in steps]
    return steps[1:] if areas[0] > BLURRED_FIRST * max(areas[1:]) else steps


def _said(track: Track) -> dict[str, Any]:
    """For JSON, short: centimetres of a cell are enough."""
    said = asdict(track)
    said["steps"] = [(at, *(round(each, 2) for each in rest)) for at, *rest in track.steps]
    return {name: round(value, 3) if isinstance(value, float) else value for name, value in said.items()}


def _track(said: Mapping[str, Any]) -> Track:
    track = Track(**{name: value for name, value in said.items() if name != "came"})  # older versions had it
    track.box, track.first_box, track.anchor = _four(track.box), _four(track.first_box), _four(track.anchor)
    track.unsure = None if track.unsure is None else _four(track.unsure)
    track.steps = [(int(at), *_six(rest)) for at, *rest in track.steps[-MOST_STEPS:]]
    track.inside = {str(zone): int(at) for zone, at in track.inside.items()}
    track.dwelling = [str(zone) for zone in track.dwelling]
    for name in (
        "x",
        "y",
        "cells",
        "contrast",
        "first_x",
        "first_y",
        "first_cells",
        "vx",
        "vy",
        "way",
        "anchor_x",
        "anchor_y",
    ):
        setattr(track, name, float(getattr(track, name)))
    for name in ("number", "first_us", "last_us", "hits", "missed", "moved_us", "confirmed_us", "unsure_hits"):
        setattr(track, name, int(getattr(track, name)))
    return track


def _four(values: Sequence[Any]) -> tuple[float, float, float, float]:
    a, b, c, d = (float(value) for value in values)
    return a, b, c, d


def _six(values: Sequence[Any]) -> tuple[float, float, float, float, float, float]:
    a, b, c, d, e, f = (float(value) for value in values)
    return a, b, c, d, e, f


def _step(blob: Blob, now_us: int) -> Step:
    foot = float(blob.top + blob.height)
    return now_us, blob.x, foot, blob.y, float(blob.left), float(blob.left + blob.width), float(blob.top)


def _box(blob: Blob) -> tuple[float, float, float, float]:
    return float(blob.left), float(blob.top), float(blob.width), float(blob.height)


def _overlap(box: tuple[float, float, float, float], blob: Blob) -> bool:
    across = min(box[0] + box[2], blob.left + blob.width) - max(box[0], blob.left)
    down = min(box[1] + box[3], blob.top + blob.height) - max(box[1], blob.top)
    return across > 0 and down > 0
