"""What hides the view: covered, sprayed, turned, moved, defocused, fogged, blinded. Pure. (`frozen` and `replayed` are judged in `sameness` and `replay`.)

Each look is judged by itself (`judged`), and what is said needs looks that agree for some seconds (`Standing`): a lorry that stops before the lens, a thermal camera that
closes its shutter to calibrate, an exposure that settles are over by then. Once said it stands until the view is back, told from the same reference, which learns nothing meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from longwatch.detection.view import LEAST_BLOCKS, Likeness
from longwatch.model.events import TAMPERS

GONE = 0.45
"""Less of the structure than this is kept: something is wrong with the view."""
BACK = 0.62
"""More is kept: it is the view again."""
BLIND_GLARE = 0.12
GLOW, GLOWS = 45.0, 1.5
"""Deviation of the broad shades, in levels and against what is usual: one great light makes all else dark, once exposure has answered."""
GLARED, FAINT = 0.72, 0.45
"""Less of the structure is kept, or fine edges are weaker: the light hides something. Directions of edges are kept for long when exposure closes before a lamp; their strength is not."""
LEFT = 1.2
"""Energy of fine edges, of what the reference has, beyond which no light dazzles: it washes edges out and adds none. A dark lorry before the lens makes shades stray as much, and brings its own."""
STAYS = 0.25
"""With more energy than that (`LEFT`), and so much of the strength of its own fine edges, a view is there yet: the light is thrown on it, as by headlights into a room. A view that is turned keeps next to nothing of its edges, one before which a torch is held has less energy than before."""
LAMP_S, STRONGER, MORE_BURNT = 4.0, 1.15, 0.03
"""A torch dazzles at once. What was lit for so long before anything was lost, and is no stronger since (times, by its shades; part of the picture, by what is burnt out), is a lamp, beside which it gets dark."""
OUT, OUT_CALM, OUT_ALIKE, OUT_KEPT = 0.6, 0.5, 0.5, 0.33
"""Mean of the picture against that of the last look in which all was well, and deviation of its broad shades against what is usual: below both the light may have gone out, where shades are still so much alike and so much of the
structure is kept. What hides a part of the picture leaves the rest as strong as it was, or stronger once exposure has answered; fog makes nothing dark at once. Of 126 sabotages none was so for two looks in a row."""
UNIFORM, UNIFORM_PART = 14.0, 0.4
"""Deviation of the broad shades of a picture that shows next to nothing: in levels, and of what is usual."""
UNSHARP, UNSHARP_SURE = 0.6, 0.72
"""Strength of fine edges against that of broad shades, below which it is out of focus: in any light, and where light and edges are otherwise as they were."""
SAME_SHADES = 1.06
"""A blur makes no shades stronger: where they are, the light is another, and not all is as it was."""
UNSHARP_SAME, SHARP_SAME = 0.85, 0.78
"""Strength of the fine edges, and their energy, below which it is out of focus where nothing else whatever has changed: soft pictures, as thermal ones, have little left to lose. Live ones kept 0.93 and 0.91."""
ELSEWHERE = 1.5
"""Energy of fine edges against how strongly the old ones are there: a blur takes both alike (at most 1.1 in 24 scenes), a shift leaves the energy (1.9 and more). Headlights before the lens leave it too, and make shades stray (`GLOWS`)."""
SAME_LIGHT = 3.0
"""Levels by which the mean of the picture may be another then: a blur leaves it."""
RELIT, UNSHARP_RELIT = (1.1, 1.3), 0.45
"""The stronger shades are than they were, the more the light is another (dusk, infra-red), and fine edges are not what they were for that alone: then less of them must be left, from the first to the second step by step. A blur
leaves shades as they were (0.92 to 1.04 times in 17 of 18 scenes, 0.68 in one)."""
STRANGE = 0.25
"""With more blocks that show other edges than the reference, and a clear shift, it was moved, even where half of its blocks are like before by chance."""
STRANGE_SOFT, FINE_SOFT, KEPT_SOFT = 0.15, 0.85, 0.8
"""The same of a soft view, whose few broad edges a small shift hardly leaves: a field in a thermal picture. Of 15,000 looks at live scenes four were so, and then the shift has to be clear."""
STRANGE_BESIDE, FINE_BESIDE, BROAD_BESIDE = 0.15, 0.3, 0.6
"""What is beside a thing is as before, or that is no thing: a view that turns comes in from one side as a lorry does, and of the few blocks beside it many are alike by chance. Of 4,500 looks
past things of live scenes one had less of its fine edges there, for less than a second. Shades are those of the thing mostly; exposure, which answers it, takes so much of the edges at most."""
FOLDS, UNLIKE = 0.5, 0.2
"""Energy of fine edges, of what the reference has, and likeness of shades, below which other edges are the folds of a cover: another view has as many as this one, and its sky is above too."""
WHOLE, STRAYED, CREEPS_S, CREEP_EACH_S, CREPT = 0.9, 0.2, 1.2, 3.0, 0.15
"""Paint comes stroke by stroke on what was whole: shades stray so far, and for so long more of the structure is kept than in the end, by so much, in looks no farther apart. A hand is there at once, and under fog shades stay alike."""
PAINTED = frozenset({"covered", "fogged"})
"""What one look at paint may say."""
MOST_CREEPING = 64
VEILED, ALIKE_VEILED = 0.55, 0.4
"""Strength of shades, and of edges, of a veiled view; and how like they still are: a torch that exposure answered leaves a veil with a lamp in it."""
WASHED, WASHED_FINE, WASHED_BROAD = 0.4, 0.45, 0.8
"""Energy of fine edges below which a view that a light blinded is not back, whatever directions they keep; with their strength and that of shades below these, and lifted, something lies over the view. Of 15,300 live looks none was so."""
LIFTED = 25.0
"""Levels by which fog lifts a picture at least, over what its weaker contrast explains. The same shades, weak and not lifted, are a place whose lamp went out."""
SAY_S, SAY_SPARSE_S = 4.2, 3.2
"""For so long looks must agree before it is said; the shorter where they come seconds apart."""
SAY_VIEW_S = 3.0
"""The same where the view itself is another (`OF_THE_VIEW`): nothing that stops before the lens, and no exposure, does that."""
OF_THE_VIEW = frozenset({"moved", "defocused"})
RELIT_KEPT, RELIT_FINE, RELIT_STRANGE, RELIT_SHARP = 0.3, 0.7, 0.2, 0.3
"""Of a view after the filter has moved: what paint leaves in the parts that it spares, fine edges have lost as much of their strength as the view has of its structure; in a room whose lamps took over 0.42 to 0.47 were kept, and 0.77 to 0.83 of their strength."""
MANY = 5
"""Looks that said something: then a view that is not back is said as well by a look that names nothing."""
COMES_BACK = 0.15
"""With so much more of the structure than in the look before, the view comes back: nothing is said then. What is done to a camera stays; a lorry that stood before the lens drives off."""
LAPSE_S = 1.5
"""A look between that says nothing, while the view is not surely back, ends a doubt only after so long: an exposure on its way passes the bounds of two kinds."""
CLEAR_S = 2.0
CHANGE_S = 8.0


def judged(seen: Likeness, moved_cells: float, *, beside: bool = False, lamp: bool = False) -> str:
    """What one look says: a word of `model.events.TAMPERS`, or "" where nothing is wrong. moved_cells: how far the view is shifted, 0 where it cannot be told. beside: it is only what
    is to be seen beside a thing. lamp: its great light is one that dazzled nobody (`Lamp`).
    """
    if seen.blocks < LEAST_BLOCKS:
        return ""
    if not beside and is_shone_on(seen):
        return ""
    if not lamp and is_lit(seen) and (seen.kept < GLARED or faint(seen)):
        return "blinded"
    if seen.kept < GONE:
        return _lost(seen, moved_cells)
    if beside and seen.strange > STRANGE_BESIDE and seen.fine < FINE_BESIDE * min(max(seen.broad, BROAD_BESIDE), 1.0):
        return "turned"
    if moved_cells and seen.strange > max(seen.flat, STRANGE) and seen.fine < UNSHARP:
        return "moved"
    if moved_cells and is_soft_shift(seen):
        return "moved"
    sure = seen.alike > 0.95 and 0.8 < seen.broad < SAME_SHADES and seen.kept > 0.95
    unsharp = UNSHARP_SURE if sure else float(np.interp(seen.broad, RELIT, (UNSHARP, UNSHARP_RELIT)))
    if seen.alike > 0.6 and seen.broad > 0.3 and seen.fine < unsharp * min(seen.broad, 1.2 if sure else 1.0):
        if seen.broad < VEILED:
            return "fogged"
        if seen.sharp < ELSEWHERE * seen.fine:
            return "defocused"
        return "moved" if seen.calm < GLOWS * seen.usual_calm else ""
    if _same_but_soft(seen):
        return "defocused"
    if seen.broad < VEILED and seen.fine < VEILED and seen.raised > 20 and seen.alike > ALIKE_VEILED:
        return "fogged"
    if seen.sharp < WASHED and seen.fine < WASHED_FINE and seen.broad < WASHED_BROAD and seen.raised > LIFTED:
        return "fogged" if seen.alike > 0.75 else "blinded"
    return ""


def is_lit(seen: Likeness) -> bool:
    """Whether there is one great light that was not there."""
    return seen.more_glare > BLIND_GLARE or (_strays(seen) and seen.sharp < LEFT)


def is_shone_on(seen: Likeness) -> bool:
    """Whether a great light adds to the view, and leaves it what it had: more of it keeps its edges than has none left. Of what is to be seen beside a thing too little is known to say so."""
    lit = seen.more_glare > BLIND_GLARE or _strays(seen)
    return lit and seen.sharp >= LEFT and seen.fine >= STAYS and seen.kept > seen.flat


def _strays(seen: Likeness) -> bool:
    return seen.calm > max(GLOW, GLOWS * seen.usual_calm)


def is_soft_shift(seen: Likeness) -> bool:
    """Whether so much of a soft view is at another place that its shift is to be asked. Not where shades stray: headlights move edges too."""
    weaker = seen.fine < FINE_SOFT * min(max(seen.broad, 0.3), 1.0) and seen.calm < GLOWS * seen.usual_calm
    return weaker and seen.strange > max(seen.flat, STRANGE_SOFT) and seen.kept < KEPT_SOFT


def faint(seen: Likeness) -> bool:
    """Whether fine edges have lost most of their strength, for the shades there are. Not where contrasts are turned round: infra-red does that."""
    return seen.broad > 0.3 and seen.fine < FAINT * min(seen.broad, 1.0)


def is_relit(seen: Likeness) -> bool:
    """Whether it is the view in the other light of an infra-red filter that has moved: much of its structure went with the light that made it, but what is left is as strong as it was and hardly anything else came."""
    return (
        seen.kept > RELIT_KEPT
        and seen.fine > RELIT_FINE
        and seen.strange < RELIT_STRANGE
        and abs(seen.sharp - 1) < RELIT_SHARP
    )


def _same_but_soft(seen: Likeness) -> bool:
    """Whether light, shades and the places of edges are just as they were, and the fine edges are not. A small shift weakens `fine` too, but leaves `sharp`."""
    same = seen.alike > 0.99 and 0.94 < seen.broad < SAME_SHADES and seen.kept > 0.95
    if not same or abs(seen.mean - (seen.mean - seen.raised) / seen.broad) > SAME_LIGHT:
        return False
    return seen.fine < UNSHARP_SAME and seen.sharp < SHARP_SAME


def _lost(seen: Likeness, moved_cells: float) -> str:
    if seen.calm < min(UNIFORM, UNIFORM_PART * seen.usual_calm) and seen.broad < 0.22:
        return "fogged" if seen.alike > 0.45 and seen.calm > 1.5 else "covered"
    if seen.strange > seen.flat:
        if seen.sharp < FOLDS and seen.alike < UNLIKE:
            return "covered"
        return "moved" if moved_cells else "turned"
    if seen.alike > 0.75 and seen.broad > 0.2:
        if seen.broad >= VEILED:
            return "defocused"
        return "fogged" if seen.raised > LIFTED else ""
    if seen.kept < 0.15 and seen.dark > 0.6:
        return "covered"
    return "sprayed" if seen.kept > 0.12 else "covered"


@dataclass(slots=True)
class Lamp:
    """A great light, and whether it is a lamp. since_us: when it was first seen, or became stronger; calm, glare: how strong it was at most in the first moments after; dazzled: whether it hid anything."""

    since_us: int = 0
    calm: float = 0.0
    glare: float = 0.0
    dazzled: bool = False

    def is_one(self, seen: Likeness, now_us: int) -> bool:
        """Whether what is lit now burnt long before it hid anything."""
        if not is_lit(seen):
            self.since_us, self.dazzled = 0, False
            return False
        stronger = seen.calm > STRONGER * self.calm or seen.more_glare > self.glare + MORE_BURNT
        known = self.since_us and now_us - self.since_us >= LAMP_S * 1e6
        if not self.since_us or (known and stronger):
            self.since_us, self.calm, self.glare, known = now_us, 0.0, 0.0, False
        if not known:
            self.calm, self.glare = max(self.calm, seen.calm), max(self.glare, seen.more_glare)
        return bool(known) and not self.dazzled

    def dazzles(self) -> None:
        """It hides something: no lamp, as long as it is lit."""
        self.dazzled = True


@dataclass(slots=True)
class Unlit:
    """A place whose light went out: all of it is dark and weak at once, and still there. mean: of the last look in which all was well."""

    mean: float = 0.0

    def is_so(self, seen: Likeness) -> bool:
        """Whether that is what is seen."""
        dark = seen.mean < OUT * self.mean and seen.calm < OUT_CALM * seen.usual_calm
        return dark and seen.alike > OUT_ALIKE and seen.kept > OUT_KEPT


@dataclass(slots=True)
class Creeping:
    """How the view went. alike: of its shades while all was well. looks: when, and how much was kept, since shades strayed."""

    alike: float = 0.0
    looks: list[tuple[int, float]] = field(default_factory=list)

    def look(self, seen: Likeness, now_us: int) -> None:
        """One more."""
        if seen.alike >= self.alike - STRAYED:
            if seen.kept >= WHOLE:
                self.alike += 0.2 * (seen.alike - self.alike) if self.alike else seen.alike
                self.looks = []
            return
        if self.looks and now_us - self.looks[-1][0] > CREEP_EACH_S * 1e6:
            self.looks = []
        self.looks = [*self.looks[-MOST_CREEPING + 1 :], (now_us, seen.kept)]

    @property
    def crept(self) -> bool:
        """Whether it went little by little."""
        least = min((kept for _, kept in self.looks), default=0.0)
        more = [at_us for at_us, kept in self.looks if kept > least + CREPT]
        return bool(more) and more[-1] - more[0] >= CREEPS_S * 1e6


@dataclass(slots=True)
class Standing:
    """What is being said, and what is on its way to be said. kind: said now, or "". doubt: what looks say since since_us; looks: how many in a row."""

    kind: str = ""
    doubt: str = ""
    since_us: int = 0
    looks: int = 0
    names: dict[str, int] = field(default_factory=dict)
    """What the looks of this doubt said, and how often."""
    said_us: int = 0
    """When a look last said so."""
    well_us: int = 0
    """Since when all is well again, while something is said; 0: it is not."""
    other_us: int = 0

    def next(
        self, said: str, now_us: int, passed_s: float, *, well: bool, returns: bool = False, crept: bool = False
    ) -> str:
        """The kind to be said from now on. said: of this look. well: the view is surely back. returns: it comes back (`COMES_BACK`). crept: it went little by little."""
        if self.kind:
            return self._standing(said, now_us, well=well)
        if not said:
            if well or now_us - self.said_us > LAPSE_S * 1e6:
                self.doubt, self.looks, self.names = "", 0, {}
            elif self.looks >= MANY and not returns and now_us - self.since_us >= SAY_S * 1e6:
                self._say(self.doubt, crept=crept)
            return self.kind
        if not self.doubt:
            self.since_us = now_us
        self.doubt = said
        self.said_us = now_us
        self.looks += 1
        self.names[said] = self.names.get(said, 0) + 1
        lasted = (now_us - self.since_us) / 1e6
        least_s = SAY_VIEW_S if self.names.keys() <= OF_THE_VIEW else SAY_S
        if self.looks >= 2 and not returns and (lasted >= least_s or (lasted >= SAY_SPARSE_S and passed_s >= 1.5)):
            self._say(said, crept=crept)
        return self.kind

    def _say(self, said: str, *, crept: bool) -> None:
        self.kind = self._named(said, crept=crept)
        self.doubt, self.looks, self.well_us, self.other_us, self.names = "", 0, 0, 0, {}

    def _named(self, said: str, *, crept: bool) -> str:
        """By what most looks said, the last one in doubt; but a cover, or a fog, that came stroke by stroke is paint."""
        name = max(self.names, key=lambda name: (self.names[name], name == said))
        return "sprayed" if crept and name in PAINTED else name

    def _standing(self, said: str, now_us: int, *, well: bool) -> str:
        if well:
            self.well_us = self.well_us or now_us
            if now_us - self.well_us >= CLEAR_S * 1e6:
                self.kind = ""
            return self.kind
        self.well_us = 0
        if said and said != self.kind and not (self.kind == "sprayed" and said in PAINTED):
            self.other_us = self.other_us or now_us
            if now_us - self.other_us >= CHANGE_S * 1e6:
                self.kind, self.other_us = said, 0
        else:
            self.other_us = 0
        return self.kind

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Back from `asdict`. Raises KeyError, TypeError or ValueError where it has another form."""
        self.kind, self.doubt = str(saved["kind"]), str(saved["doubt"])
        if not {self.kind, self.doubt} <= {"", *TAMPERS}:
            raise ValueError("a kind of sabotage that is not known")
        self.since_us, self.looks, self.well_us, self.other_us = (
            int(saved[name]) for name in ("since_us", "looks", "well_us", "other_us")
        )
        self.said_us = int(saved.get("said_us", self.since_us))
        self.names = {name: int(count) for name, count in dict(saved.get("names", {})).items() if name in TAMPERS}
