"""One camera's pictures to sightings: motion, lines, dwelling, and what hides the view. Pure and deterministic; time is that of the pictures.

Pictures come as the gate lets them: a key frame every few seconds while all is quiet, some a second while something may be going on, and hours may be
left out. So nothing here counts pictures where it means time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longwatch.detection import light, motion, planes, steadiness, zones
from longwatch.detection.background import WEIGHT_S, Background
from longwatch.detection.blindness import Blindness
from longwatch.detection.curiosity import Curiosity, is_unsaid
from longwatch.detection.going import Step
from longwatch.detection.heat import Heat
from longwatch.detection.lines import SURELY, Lines
from longwatch.detection.pictures import LEAST_SIDE, MOST_SIDE, Picture, Span, is_grey, wrong_with
from longwatch.detection.planes import F32, U8
from longwatch.detection.replay import Replay
from longwatch.detection.sameness import Sameness
from longwatch.detection.settling import Settling
from longwatch.detection.state import StateError, packed, unpacked
from longwatch.detection.steadiness import Shift, Swing
from longwatch.detection.tracking import CROWD, Track, Tracker
from longwatch.model.events import MOTION, TAMPERS, Sighting, Watched

COLUMNS = 160
MOST_CELLS = 14_400
"""Cells across, and in all. A cell is 2 x 2 pixels of a picture of 320 x 180."""
LONGEST_GAP_S = 60.0
"""Between two pictures: beyond it, what was followed is over."""
LEAST_HITS = 3
"""Looks that saw it, before it is said: what two key frames saw opens the gate, and is seen again at once if it is there."""
STILL_S = 3.0
"""What has not moved for so long is no motion, though it may still be there."""
HELD_S = 60.0
"""For so long at least nothing is learnt where a thing stands."""
SETTLE_S = 4.0
"""After a fresh start nothing is said for so long."""
ANEW_S = 8.0
"""And for so long where the light or the view changed so much that all was learnt anew: exposure takes some seconds to answer."""
RESTED_S = 2.0
"""And for so long after the exposure has come to rest."""
BEFORE_S, MOST_HIDDEN, MOST_COVERED = 30.0, 0.5, 0.7
"""What moved so lately and hides no more of the picture than this is no sabotage: the rest of the view is judged without it. By its box; or, where that is more, by the cells it hides."""
MOVED_S = 1.5
GOES_S = 1.5
"""Who came before the lens on his own feet is seen to go within so long. What began with a light that blinds, and is confirmed later, is its glow, which exposure moves."""
LEAST_BEFORE = 0.2
"""Part of the picture: what hides more is left out where the light is told from the rest; of less the fit takes care."""
ARRIVES_S = 2.0
"""Of close looking, in which all pictures asked for are looked at, also where nothing is there yet: whoever made the gate open is on his way, and may be gone in a second."""
LARGE, VANISHED, PASSED_S = 0.02, 0.03, 1.5
"""Part of the picture, and seconds: a thing so large that is there in one look and in the next one not, nor much else, has passed."""
SETTLED_S = 15.0
"""A background that is younger shows much that comes to nothing."""
LINE, DWELL = "motion.line", "motion.dwell"
UNREST, UNREST_S = 0.2, 1.5
"""Part of the cells that are new, and for how long after it small things are not confirmed: a light that sweeps leaves ghosts."""
UPSET_S = 1.0
CHANGING = 0.2
"""Of what is new, the part that may be another from look to look where it stands."""
ALL_NEW = 0.75
"""Part of the cells: when more are new, it is the light or the view and nothing that moves."""
EDGES_S = 5.0
"""The background's edges are taken anew so often: it learns far more slowly."""
SHAKY, SHAKY_PART, FIRST_SHAKING = 0.15, 0.1, 0.5
"""The part of the last looks that were shaken, from which on a mast is asked about at each look; how fast that is learnt, by look; what is held of one that is not known."""
STEADY_S, FEW_NEW = 1.0, 0.001
"""A mast that does not shake is asked about at most once in so many seconds, and only where more than this part of the cells is new: nothing is found where nothing is."""
COLOUR_S = 1.5
"""So often it is asked whether a picture has colours."""
DARK = 55.0
"""Mean luma below which it is night."""


class Looker:
    """Of one camera. Owns what is learnt about it."""

    def __init__(self, watched: Watched) -> None:
        self.watched = watched
        self._size = (0, 0)
        self._span: Span | None = None
        self._shape = (0, 0)
        self._background: Background | None = None
        self._counted: U8 | None = None
        self._tracker = Tracker(COLUMNS, lambda track: self._curiosity.is_worth(track, self._shape))
        self._heat = Heat()
        self._lines = Lines()
        self._last_us = 0
        self._since_us = 0
        self._upset, self._upset_s = 0, 0.0
        self._blindness: Blindness | None = None
        self._sameness = Sameness()
        self._replay = Replay()
        self._said: list[str] = []
        self.again = self.less = self.anew = False
        """Set by whoever hands over the pictures (`repeats`, `gate`): the stream sends the very bytes of before; its sizes are far smaller than usual; it has just begun anew."""
        self._curiosity, self._wonders = Curiosity(), False
        self._edges: steadiness.Edges | None = None
        self._edges_us = 0
        self._shaking, self._steadied_us, self._swing = FIRST_SHAKING, -(1 << 62), Swing()
        self._grey: bool | None = None
        self._grey_us = -(1 << 62)
        self._settling, self._relit = Settling(), False
        self._close_us = -(1 << 62)
        """Since when pictures come some times a second."""
        self._unrest_us = -(1 << 62)
        self._stands: U8 | None = None
        self._stands_us = 0
        """What is new and stands though the background is hardly begun, and since when (`_is_uncovered`)."""
        self._covered: U8 | None = None
        """The cells that were new in the last look, in the boxes of what is confirmed."""

    def look(self, picture: Picture) -> list[Sighting]:
        """What is seen in the picture. Raises ValueError for a picture of an impossible form."""
        if wrong := wrong_with(picture):
            raise ValueError(wrong)
        passed_s = (picture.wall_us - self._last_us) / 1e6
        sightings: list[Sighting] = []
        if self._background is None or picture.size != self._size or (picture.raw is None) != (self._span is None):
            sightings += self._end(self._tracker.drop(), picture.wall_us)
            self._begin(picture)
            return sightings
        if not 0 < passed_s <= LONGEST_GAP_S:
            sightings += self._end(self._tracker.drop(), picture.wall_us)
            passed_s = min(max(passed_s, 0.05), LONGEST_GAP_S)
        if passed_s > PASSED_S:
            self._close_us = picture.wall_us
        self._last_us = picture.wall_us
        levels = self._levels(picture)
        cells = planes.shrunk(levels, self._shape[1], self._shape[0])
        luma = picture.luma if self._span is None else np.clip(levels, 0, 255).astype(np.uint8)
        settles = self._settles(picture, cells, self._background)
        blind = self._view(luma, cells, picture.wall_us, key=picture.key)
        if settles:
            self._wonders, self._upset = False, 0
            sightings += self._end(self._tracker.drop(), picture.wall_us)
        else:
            sightings += self._motion(picture, cells, self._background, passed_s, silent=blind)
        return sightings + self._tampers(picture.wall_us)

    def _levels(self, picture: Picture) -> U8 | F32:
        """What is looked at: luma, or of a thermal camera its 16-bit values."""
        return picture.luma if picture.raw is None or self._span is None else self._span.levels(picture.raw)

    def _view(self, luma: U8, cells: F32, now_us: int, *, key: bool) -> bool:
        """Whether something is wrong with the view, or may be."""
        if self._blindness is None or not self.watched.tamper:
            return False
        moves = self._settling.excuses(now_us)
        kind = self._blindness.look(luma, cells, now_us, self._before_view(now_us), filter_moves=moves)
        if not kind and not moves and not self._blindness.doubts:
            self._sameness.look(luma, now_us, key=key, moves=self._moves(now_us), less=self.less)
        return bool(kind)

    def _moves(self, now_us: int) -> bool:
        """Whether something moved a moment ago: no picture in which it does is frozen."""
        return any(track.confirmed and now_us - track.moved_us < MOVED_S * 1e6 for track in self._tracker.tracks)

    def _before_view(self, now_us: int) -> U8 | None:
        """Where things stand that came on their own feet, unless they are most of what is seen: that may be a hand. None: nowhere."""
        near = [
            track
            for track in self._tracker.tracks
            if track.confirmed and now_us - track.moved_us < BEFORE_S * 1e6 and not self._is_of_light(track)
        ]
        if not near:
            return None
        mask = self._filled(near)
        if planes.count(mask) <= MOST_HIDDEN * mask.size:
            return mask
        if self._covered is None or planes.count(self._covered) > MOST_COVERED * mask.size:
            return None
        return planes.both(mask, self._covered)

    def _is_of_light(self, track: Track) -> bool:
        """Whether it began with what blinds the camera, and went nowhere at first; or with a view that seems moved, whose pieces are elsewhere."""
        if self._blindness is None:
            return False
        moved_us, since_us = self._blindness.elsewhere_us, self._blindness.blinded_us
        if moved_us and track.first_us >= moved_us:
            return True
        late = track.confirmed_us - since_us >= GOES_S * 1e6
        return bool(since_us) and track.first_us >= since_us and late

    def _stands_before(self) -> U8 | None:
        """The cells that large things hid in the look before; None where that is little, or so much that the rest tells nothing either."""
        if self._covered is None:
            return None
        share = planes.count(self._covered) / self._covered.size
        return self._covered if LEAST_BEFORE < share <= MOST_COVERED else None

    def _tampers(self, now_us: int) -> list[Sighting]:
        """What is to be said of sabotage: all that stands, and what is over."""
        now: list[str] = []
        if self._blindness is not None and self.watched.tamper:
            stand = (
                self._blindness.kind,
                "frozen" if self._sameness.frozen else "",
                "replayed" if self.again or self._replay.replayed else "",
            )
            now = [kind for kind in stand if kind]
        over = [kind for kind in self._said if kind not in now]
        self._said = now
        made = [Sighting(self.watched.camera, f"tamper.{kind}", now_us, 0.0, on=False) for kind in over]
        return made + [Sighting(self.watched.camera, f"tamper.{kind}", now_us) for kind in now]

    @property
    def curious(self) -> bool:
        """Whether something differs from what is known, and is not enough to say: look closer."""
        return (
            self._wonders
            or self._upset > 0
            or self._settling.on
            or (self._blindness is not None and self._blindness.doubts)
            or self._sameness.doubts
        )

    @property
    def follows(self) -> bool:
        """Whether all that is new is known for a thing that moves: half as many pictures do then. Not where lines are crossed."""
        return not self.curious and not self.watched.lines and any(track.confirmed for track in self._tracker.tracks)

    @property
    def calm(self) -> bool:
        """Whether nothing is there that could be a thing, nor anything that passes: half as many pictures do then, until something is."""
        arrives = self._last_us - self._close_us < ARRIVES_S * 1e6
        return not arrives and not self.curious and not self._tracker.tracks and self._tracker.crowd < 1

    def heat(self) -> tuple[int, bytes]:
        """What moved where since it was last asked (`Heat.told`)."""
        return self._heat.told()

    def wants_colour(self, now_us: int) -> bool:
        """Whether a picture of that time is to come with its colours: by them it is told whether it is night, and that does not change from look to look."""
        return not self.watched.thermal and not 0 <= now_us - self._grey_us < COLOUR_S * 1e6

    def saved(self) -> bytes:
        """All that was learnt, for `restored`: about 160 KB, less than 256 KiB."""
        if self._background is None:
            return packed({"size": [0, 0]}, {})
        head = {
            "size": list(self._size), "span": [self._span.low, self._span.scale] if self._span else None, "last_us": self._last_us, "since_us": self._since_us, "upset": self._upset,
            "looks": self._background.looks, "age_s": self._background.age_s, "tracker": self._tracker.saved(), "blindness": self._blindness.head() if self._blindness else None, "sameness": self._sameness.head(), "replay": self._replay.head(), "said": self._said,
            "curious": [self._curiosity.everywhere, self._curiosity.often], "untold_s": self._heat.looked_s,
        }  # fmt: skip
        arrays = self._background.arrays() | (self._blindness.arrays() if self._blindness else {})
        arrays |= self._sameness.arrays() | self._replay.arrays() | self._lines.arrays()
        return packed(
            head,
            arrays | {"untold": self._heat.seconds, "vain": self._curiosity.here, "hiding": self._curiosity.hiding},
        )

    @classmethod
    def restored(cls, watched: Watched, saved: bytes) -> Looker:
        """Back from `saved`. Raises StateError (a ValueError) where no looker of this version wrote it."""
        head, arrays = unpacked(saved)
        made = cls(watched)
        try:
            made._restore(head, arrays)
        except (LookupError, TypeError, ValueError, OverflowError, AttributeError) as error:
            raise StateError("a looker's bytes have another form") from error
        return made

    def _restore(self, head: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
        width, height = (int(side) for side in head["size"])
        if not width:
            return
        if not all(LEAST_SIDE <= side <= MOST_SIDE for side in (width, height)):
            raise ValueError("an impossible size")
        self._span = Span(*(float(each) for each in head["span"])) if head["span"] else None
        self._resize((width, height))
        background = Background.of(arrays, int(head["looks"]), float(head.get("age_s", WEIGHT_S)))
        if background.shape != self._shape:
            raise ValueError("a background of another size")
        self._background = background
        if "untold" in arrays:  # one of an older version had a map that faded, and was never told
            self._heat = Heat(arrays["untold"].astype(np.float32), float(head["untold_s"]))
        self._last_us, self._since_us, self._upset = int(head["last_us"]), int(head["since_us"]), int(head["upset"])
        self._tracker.restore(head["tracker"])
        self._blindness = Blindness(self._shape)
        if head["blindness"]:
            self._blindness.restore(head["blindness"], arrays)
        self._sameness.restore(head["sameness"], arrays)
        self._replay.restore(head["replay"], arrays)
        self._lines.restore(arrays)
        self._said = [str(kind) for kind in head["said"]]
        if not set(self._said) <= set(TAMPERS) or len(self._said) > len(set(self._said)):
            raise ValueError("a kind of sabotage that is not known")
        if "vain" in arrays:
            everywhere, often = (float(each) for each in head["curious"])
            hiding = arrays["hiding"].astype(np.float32) if "hiding" in arrays else None
            self._curiosity = Curiosity(arrays["vain"].astype(np.float32), everywhere, often, hiding)

    def _resize(self, size: tuple[int, int]) -> None:
        self._size = size
        columns = min(COLUMNS, int((MOST_CELLS * size[0] / size[1]) ** 0.5))
        self._shape = (max(columns * size[1] // size[0], 8), columns)
        self._tracker.width, self._tracker.height = columns, self._shape[0]
        self._counted = zones.looked_at(self.watched, self._shape)

    def _begin(self, picture: Picture) -> None:
        self._resize(picture.size)
        self._background = Background(self._shape)
        self._span = None if picture.raw is None else Span.of(picture.raw)
        self._background.begin(planes.shrunk(self._levels(picture), self._shape[1], self._shape[0]))
        self._blindness = Blindness(self._shape)
        self._settling, self._lines = Settling(), Lines()  # what they hold has the size of before
        self._swing = Swing()
        self._stands = self._covered = None  # and these
        self._last_us = self._since_us = picture.wall_us
        self._upset = 0

    def _is_night(self, cells: F32) -> bool:
        """By infra-red, or dark. A thermal camera knows no night."""
        return not self.watched.thermal and (bool(self._grey) or planes.mean(cells) < DARK)

    def _settles(self, picture: Picture, cells: F32, background: Background) -> bool:
        """Whether the exposure is on its way. The first picture after it is the background."""
        if self.watched.thermal:
            return False
        was, before = self._grey, self._settling.on
        if picture.chroma is not None and self.wants_colour(picture.wall_us):
            self._grey, self._grey_us = is_grey(picture), picture.wall_us
        turned = was is not None and was is not self._grey
        on = self._settling.look(cells, background.usual, picture.wall_us, turned=turned)
        if before and not on:
            rested = self._settling.rested()
            background.begin(cells if rested is None else rested)
            self._since_us = picture.wall_us + round((RESTED_S - SETTLE_S) * 1e6)
            self._edges, self._swing, self._relit = None, Swing(), True
            self._tracker.count_anew()
        return on

    def _motion(
        self, picture: Picture, cells: F32, background: Background, passed_s: float, *, silent: bool
    ) -> list[Sighting]:
        night = self._is_night(cells)
        sensitivity = self.watched.night_sensitivity if night else self.watched.sensitivity
        shakes, plain = self._shaking > SHAKY, cells
        shift = self._shift(plain, background, picture.wall_us) if shakes else None
        if shift is not None:
            cells = steadiness.steadied(plain, shift)
        factor = 2.0 ** (1.0 - 2.0 * sensitivity)
        lit, level, new = self._compared(cells, background, factor, shift)
        before, asked = planes.count(new), shift
        if shift is not None and before > UNREST * new.size:
            asked = None
        elif (
            not shakes and before > FEW_NEW * new.size and not 0 <= picture.wall_us - self._steadied_us < STEADY_S * 1e6
        ):
            asked = self._shift(plain, background, picture.wall_us)
        if asked is not shift:
            other = plain if asked is None else steadiness.steadied(plain, asked)
            compared = self._compared(other, background, factor, asked)
            shown = planes.not_of(steadiness.unseen(self._shape, asked or shift or Shift()))
            # edges of light and shadow feign a shift, which makes more new
            if planes.count(planes.both(compared[2], shown)) < planes.count(planes.both(new, shown)):
                cells, shift, (lit, level, new) = other, asked, compared
        mask = motion.cleaned(new)
        doubtful = silent or self._sameness.frozen or self._blindness is None or self._blindness.doubts
        if (picture.key or self.anew) and self.watched.tamper and not doubtful:
            self._replay.look(
                level, background.usual, background.spread, picture.wall_us, mask, key=picture.key, anew=self.anew
            )
        if planes.count(new) > ALL_NEW * new.size:
            return self._all_new(picture, background, cells, passed_s)
        if self._is_uncovered(new, picture.wall_us):
            return self._begin_anew(picture, background, cells)
        self._upset, self._upset_s = 0, 0.0
        lamps = not self.watched.thermal
        found = [
            blob
            for blob in motion.blobs(mask, level, background.usual, sensitivity, cells if lamps else None)
            if not (blob.is_light or (lamps and blob.is_pool(new.size)))
            and not (night and (blob.is_glow or blob.is_wet_glow(dense=self._tracker.dense)))
        ]
        if self._is_unrest(new, picture.wall_us):
            self._unrest_us = picture.wall_us
        self._tracker.night, self._tracker.silent = night, picture.wall_us - self._since_us < SETTLE_S * 1e6
        self._tracker.unrest = 0 <= picture.wall_us - self._unrest_us < UNREST_S * 1e6
        seen, over = self._tracker.follow(found, picture.wall_us, passed_s)
        self._wonders = self._curiosity.look(
            self._tracker.tracks,
            over,
            self._shape,
            passed_s,
            learns=background.age_s > (RESTED_S if self._relit else SETTLED_S),
        )
        self._wonders = (
            self._wonders
            and not (self._relit and background.age_s < RESTED_S)
            and any(not track.missed and self._deserves(track, background) for track in self._tracker.tracks)
        )
        held = self._held(picture.wall_us)
        self._covered = None if held is None else planes.both(mask, held)
        background.learn(level, new, passed_s, self._unlearnt(held, shift))
        if lit.changed and lit.explained > 0.5:
            background.relight(1 + 0.3 * (lit.gain - 1), 0.3 * lit.offset)
        if self._tracker.silent or silent:
            return self._end(over, picture.wall_us)
        moving = [
            track
            for track in seen
            if track.sure and track.hits >= LEAST_HITS and picture.wall_us - track.moved_us <= STILL_S * 1e6
        ]
        if passed_s <= PASSED_S and planes.count(new) < VANISHED * new.size:
            moving += self._tracker.passed(LARGE * new.size, picture.wall_us)
        if passed_s <= PASSED_S and not (self._blindness is not None and self._blindness.is_of_the_view):
            moving += self._tracker.arrived(LARGE * new.size, picture.wall_us, lamps=lamps)
        moving += self._on_lines(picture.wall_us)
        self._heat.add(self._filled(moving) if moving else None, passed_s)
        sightings = [self._sighting(track, picture.wall_us) for track in moving]
        for track in seen:
            if track.sure:
                sightings += self._rules(track, picture.wall_us)
        return sightings + self._end(over, picture.wall_us)

    def _on_lines(self, now_us: int) -> list[Track]:
        """Who goes on one line, where so much passes that steps tell little: they are known for things from now on. Who may be one is worth a closer look."""
        if self._tracker.crowd <= CROWD or self._tracker.unrest:
            return []
        found = self._lines.look(self._tracker.unknown(), now_us, (self._shape[1], self._shape[0]))
        made = [track for track, evidence in found if evidence >= SURELY]
        for track in made:
            track.confirm(now_us)
        self._wonders = self._wonders or len(found) > len(made)
        return made

    def _is_unrest(self, new: U8, now_us: int) -> bool:
        """Whether so much is new that it is a light that sweeps. What is known and stands is none, however large: a lorry, or what a lamp lights that was taken for one."""
        most = UNREST * new.size
        if planes.count(new) <= most:
            return False
        stands = [
            track for track in self._tracker.tracks if track.confirmed and now_us - track.moved_us > STILL_S * 1e6
        ]
        return not stands or planes.count(new) - planes.count(planes.both(new, self._filled(stands))) > most

    def _deserves(self, track: Track, background: Background) -> bool:
        """Whether a closer look could tell it from what passes."""
        if track.confirmed:
            return is_unsaid(track)
        young = background.age_s <= SETTLED_S
        return self._tracker.outdoes(track, young=young) and self._curiosity.is_worth(track, self._shape)

    def _unlearnt(self, held: U8 | None, shift: Shift | None) -> U8 | None:
        """Where nothing is to be learnt: what is held, and what the picture did not show."""
        if shift is None:
            return held
        unseen = steadiness.unseen(self._shape, shift)
        return unseen if held is None else unseen | held

    def _compared(
        self, cells: F32, background: Background, factor: float, shift: Shift | None
    ) -> tuple[light.Light, F32, U8]:
        """(how light has changed, the picture in the background's light, what is new in it). shift: by which it was shifted back: nothing is new where nothing was seen."""
        apart = cells - background.usual
        lit = light.between(background.usual, cells, apart, self._stands_before())
        level = cells
        if lit.changed:
            level = lit.undone(cells)
            apart = level - background.usual
        level = level - light.local(apart)
        new = background.compare(level, factor)
        if shift is not None:
            new = planes.both(new, planes.not_of(steadiness.unseen(self._shape, shift)))
        return lit, level, new if self._counted is None else planes.both(new, self._counted)

    def _shift(self, cells: F32, background: Background, now_us: int) -> Shift | None:
        """By which the mast shakes; None where it does not."""
        passed_s, self._steadied_us = (now_us - self._steadied_us) / 1e6, now_us
        shift = steadiness.between(self._usual_edges(background, now_us), steadiness.edges(cells))
        if self._shaking > SHAKY:
            shift = self._swing.about(shift, passed_s)
        shaken = steadiness.is_shake(shift)
        self._shaking += SHAKY_PART * (shaken - self._shaking)
        return shift if shaken else None

    def _usual_edges(self, background: Background, now_us: int) -> steadiness.Edges:
        """Of the background, as it was at most EDGES_S ago."""
        if self._edges is None or not 0 <= now_us - self._edges_us < EDGES_S * 1e6 or background.age_s < 2 * EDGES_S:
            self._edges, self._edges_us = steadiness.edges(background.usual), now_us
        return self._edges

    def _all_new(self, picture: Picture, background: Background, cells: F32, passed_s: float) -> list[Sighting]:
        self._upset += 1
        self._upset_s += min(passed_s, 5.0)
        if self._upset < 3 and self._upset_s < UPSET_S:
            return []
        self._since_us = picture.wall_us + round((ANEW_S - SETTLE_S) * 1e6)
        return self._begin_anew(picture, background, cells)

    def _begin_anew(self, picture: Picture, background: Background, cells: F32) -> list[Sighting]:
        background.begin(cells)
        self._swing = Swing()
        self._upset, self._upset_s, self._stands = 0, 0.0, None
        return self._end(self._tracker.drop(), picture.wall_us)

    def _is_uncovered(self, new: U8, now_us: int) -> bool:
        """Whether much has been new and the same for a second while nothing is said yet: what the background was begun with has gone since, or the light is another."""
        before, self._stands = self._stands, None
        if now_us - self._since_us >= SETTLE_S * 1e6 or planes.count(new) <= UNREST * new.size:
            return False
        self._stands = new
        if before is None or np.count_nonzero(before != new) > CHANGING * planes.count(new):
            self._stands_us = now_us
        return now_us - self._stands_us >= UPSET_S * 1e6

    def _held(self, now_us: int) -> U8 | None:
        kept_us = max([HELD_S * 1e6, *(zone.dwell_us + 30e6 for zone in self.watched.zones)])
        held = [
            track
            for track in self._tracker.tracks
            if track.confirmed and now_us - track.moved_us < kept_us and not self._tracker.is_all(track)
        ]
        return self._filled(held) if held else None

    def _filled(self, tracks: Sequence[Track]) -> U8:
        mask = np.zeros(self._shape, np.uint8)
        for track in tracks:
            left, top, width, height = (int(side) for side in track.box)
            mask[max(top - 1, 0) : top + height + 1, max(left - 1, 0) : left + width + 1] = 1
        return mask

    def _sighting(
        self, track: Track, now_us: int, kind: str = MOTION, where: tuple[str, ...] | None = None, detail: str = ""
    ) -> Sighting:
        rows, columns = self._shape
        left, top, width, height = track.box
        box = (left / columns, top / rows, min((left + width) / columns, 1.0), min((top + height) / rows, 1.0))
        if where is None:
            where = tuple(zone.id for zone in zones.zones_at(self.watched.zones, self._foot(track.steps[-1]), kind))
        score = min(1.0, 0.3 + 0.1 * min(track.hits, 4) + track.contrast / 100)
        return Sighting(self.watched.camera, kind, now_us, score, box, track.number, where, detail=detail)

    def _foot(self, step: Step) -> tuple[float, float]:
        rows, columns = self._shape
        return (step[1] + 0.5) / columns, min(step[2] / rows, 0.999)

    def _rules(self, track: Track, now_us: int) -> list[Sighting]:
        """Lines that it has just crossed, and zones in which it has stood for long."""
        before, after = self._foot(track.steps[max(len(track.steps) - 2, 0)]), self._foot(track.steps[-1])
        made = [
            self._sighting(track, now_us, LINE, (line.id,), way)
            for line in self.watched.lines
            if (way := zones.crossed(line, before, after))
        ]
        return made + self._dwelling(track, now_us, after)

    def _dwelling(self, track: Track, now_us: int, foot: tuple[float, float]) -> list[Sighting]:
        made = []
        for zone in self.watched.zones:
            if not zone.dwell_us or zone.ignored:
                continue
            if not zones.within(foot, zone.points):
                track.inside.pop(zone.id, None)
                if zone.id in track.dwelling:
                    track.dwelling.remove(zone.id)
                    made.append(replace(self._sighting(track, now_us, DWELL, (zone.id,)), on=False))
            elif now_us - track.inside.setdefault(zone.id, now_us) >= zone.dwell_us:
                if zone.id not in track.dwelling:
                    track.dwelling.append(zone.id)
                made.append(self._sighting(track, now_us, DWELL, (zone.id,)))
        return made

    def _end(self, over: Sequence[Track], now_us: int) -> list[Sighting]:
        made: list[Sighting] = []
        for track in over:
            if not track.confirmed:
                continue
            gone = Sighting(self.watched.camera, MOTION, now_us, 0.0, None, track.number, on=False)
            made += [replace(gone, kind=DWELL, zones=(zone,)) for zone in track.dwelling]
            made.append(gone)
        return made
