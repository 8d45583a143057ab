"""Whether an access unit is worth decoding, told from its size and type, and from the motion vectors of one now and then. Pure.

An encoder spends bits where pictures change: while nothing moves, pictures between two sync samples are small and alike. The gate learns what they usually are
(one level, an offset for each place in the group of pictures, how far they stray, and what each hour of the day is like) and *opens* where they are larger for a
moment, or far smaller: covered, frozen. While it is open all is decoded from the last sync sample on; while it is closed one sync sample in a few seconds is.

Sizes are one sense of three. What looks find (`found`) opens it as well; where a look finds what sizes did not tell, the gate becomes more wary, and where it opened
and nothing was found, less. The third are motion vectors of single pictures (`stirs`), which tell where in noise something goes by; while they are to be had, no more pictures than key frames are decoded on suspicion.
Where sizes tell nothing (all of them alike to a hair), it stays open and says so: `Why.UNTOLD`.
"""

from __future__ import annotations

import enum
import json
import math
from dataclasses import dataclass

from longwatch.detection.heed import Heed
from longwatch.model.watching import Attention

_HOUR_US = 3_600_000_000
_PLACES = 8
_LONGEST_STEP_US = 2_000_000
_SAVED_VERSION = 2
_PER_STEP = 0.1
"""Of the quantizer: by so much the size of a picture goes down, as a logarithm, when it is coded one step more coarsely. ln(2) / 6 at high rates, less at low ones. What a stream does beside that when its
quantizer goes up and down from picture to picture is learnt: one that has noise to code may make twice as large what it codes more coarsely."""
_USUAL_COARSE, _COARSE_STRAY, _PER_LEARNT = 0.01, 0.25, 0.004
"""How fast the usual quantizer and how far it strays are learnt, by picture; least square of what it strays; how fast that."""


_LESS_VAIN = 0.08
"""By how much it is less wary after it opened for nothing; what it becomes again meanwhile is as much in `vain_us`."""


class Why(enum.StrEnum):
    """Why it is decoded, or not."""

    QUIET = "quiet"
    KEY = "key"
    """A sync sample of a quiet scene: it is decoded alone."""
    MORE = "more"
    LESS = "less"
    STIRS = "stirs"
    """Motion vectors say that something goes by."""
    FOUND = "found"
    UNTOLD = "untold"
    FULL = "full"
    """It is to be looked at all the time."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """decode: with reason KEY this sample alone; else it and all since the last sync sample."""

    decode: bool
    reason: Why


_SYNCS, _SYNCS_LEARNT = 5, 4
"""Sync samples of which the middle one is the usual size: one thing is in one or two of them. So many more are needed to know how far they stray."""
_PEEK_APART_US = 1_500_000
"""After a glance: what it showed need not be seen again."""
_NEVER = 1 << 62
_ATTENDS_AFTER_US = 30_000_000
"""What a camera shows that has just begun may be a ghost of a background that is young."""
_SHUT = Why.QUIET
_QUIET, _KEY = Verdict(False, Why.QUIET), Verdict(True, Why.KEY)
_OPEN = {why: Verdict(True, why) for why in (Why.MORE, Why.LESS, Why.STIRS, Why.FOUND, Why.UNTOLD, Why.FULL)}


@dataclass(frozen=True, slots=True)
class GateOptions:
    """key_us: a quiet scene's sync samples are looked at about so often. hold_us: how long it stays open after sizes last said so; found_us: after something was surely found; wonder_us: after
    something that may be nothing; vain_after_us: so long after it opened, or something was last found, sizes alone hold it open no more. learn_us: how long sizes
    are watched before they open it. smooth_us: over how long sizes are averaged: one for what is sudden, one for what is small and lasts. level_us: how soon a
    new level is what is usual. deaf: where it opens only at more than so much (of the logarithm of sizes, averaged over the longer time) a sync sample is looked at
    twice as often, while it is attentive. vain_us: so often it may open for nothing; it becomes more or less wary until that is so. less_us: how long sizes are far smaller before that
    opens it; lull_us: what is over sooner is a lull, after which sizes tell nothing for after_us: a thermal camera holds its picture for a second while it calibrates,
    and its encoder then catches up. The next sync sample is looked at.

    attentive_us: for so long after something was surely found it takes *glances*: less than what opens it opens it for a moment (glance_us), apart_us after the last at the earliest; and where it is deaf it
    *peeks* into groups that last for peek_us or longer, once they are half over, for peeks_us. keen: how far beyond what
    strays that is, at first and at least; it settles where glances that find nothing come each glance_each_us. odd: how far a sync sample's size must be from the middle of the five before to be
    looked at, at first, at least and at most, and odd_least of the logarithm; it settles where such come each odd_each_us.

    ask_us: how long after the last look or question, at the earliest, a picture between is asked for its motion vectors: where nothing speaks for it and it is deaf; and where the gate is attentive, or sizes averaged are larger than usual by
    raised times what strays. stirs_us: how long what stirs opens it, once the recorder can be asked. heard_us: so long after vectors last answered they are taken to go on doing so: glances, peeks, odd sync samples and
    those twice as often are for who has none.
    """

    key_us: int = 4_000_000
    hold_us: int = 2_000_000
    found_us: int = 2_500_000
    wonder_us: int = 1_200_000
    vain_after_us: int = 2_500_000
    learn_us: int = 10_000_000
    smooth_us: tuple[int, int] = (300_000, 1_500_000)
    level_us: int = 30_000_000
    least_up: float = 0.04
    least_down: float = 0.7
    less_us: int = 1_200_000
    lull_us: int = 2_500_000
    after_us: int = 700_000
    attentive_us: int = 240_000_000
    glance_us: int = 500_000
    glance_each_us: int = 20_000_000
    apart_us: int = 3_000_000
    peek_us: int = 3_000_000
    peeks_us: int = 300_000
    keen: tuple[float, float] = (2.4, 1.6)
    odd: tuple[float, float, float] = (4.0, 3.0, 12.0)
    odd_least: float = 0.02
    odd_each_us: int = 30_000_000
    ask_us: tuple[int, int] = (1_950_000, 660_000)
    raised: float = 1.5
    stirs_us: int = 500_000
    heard_us: int = 60_000_000
    deaf: float = 0.12
    wary: float = 4.5
    most_wary: float = 3.6
    least_wary: float = 24.0
    vain_us: int = 600_000_000
    alike: float = 0.004
    untold_after_us: int = 60_000_000


class Gate:
    """Of one stream. Owner of its state; times are wall times, which may step: then it goes on from where it is."""

    def __init__(self, options: GateOptions | None = None) -> None:
        self.options = options or GateOptions()
        self._smooth_us, self._level_us = self.options.smooth_us, self.options.level_us
        self._learn_us, self._least_up, self._alike = self.options.learn_us, self.options.least_up, self.options.alike
        self._level = math.nan
        self._offsets = [0.0] * _PLACES
        self._visits = [0] * _PLACES
        self._stray = [0.0, 0.0]  # of the smoothed deviations, on average, while nothing is found
        self._rough = 0.0  # of each size, on average
        self._factor = self.options.wary
        self._hours: dict[int, tuple[float, float, float]] = {}
        self._hour = -1
        self._learnt_us = 0
        self._smooth = (0.0, 0.0)
        self._lull_us = 0  # since when sizes are far smaller; 0: they are not
        self._after_us = 0  # until when nothing is told from sizes after that
        self._coarse = 0
        self._usual_coarse, self._coarse_stray, self._per = 0.0, _COARSE_STRAY, 0.0
        self._place = 0
        self._last_us: int | None = None
        self._sync_us: int | None = None
        self._group_us = 0
        self._key_us: int | None = None
        self._why = Why.QUIET
        self._opened_us = 0
        self._until_us = 0
        self._found_us: int | None = None
        self._found_since_open = False
        self._opened_by_size = False
        self._attention, self._attentive_until_us = Attention.SPARING, -_NEVER
        self._keen = self.options.keen[0]
        self._glancing, self._glanced_us = False, -(1 << 62)
        self._peeking, self._peek_us = False, _NEVER
        self._heed, self._heard_us, self._asked_us = Heed(), -_NEVER, -_NEVER
        self._opened_by_stir = False
        self._syncs: list[float] = []  # sizes of the last few
        self._sync_stray, self._syncs_known = 0.0, 0
        self._odd = self.options.odd[0]
        self.told_until_us = 0
        """Up to when sizes came at once: what opens it in the midst of them is asked for after them."""
        self.missed = 0
        self.in_vain = 0
        self.glances = self.peeks = self.stirred = 0
        self.opened = 0

    def attend(self, attention: Attention) -> None:
        """How much is to be spent on it from now on; what was learnt stays."""
        if attention is self._attention:
            return
        was, self._attention = self._attention, attention
        self._attentive_until_us = -_NEVER if attention is Attention.SPARING else _NEVER
        if attention is Attention.FULL:
            self._open(Why.FULL, self._last_us or 0, by_size=False)
        elif was is Attention.FULL:
            self._until_us = self._last_us or 0

    @property
    def is_open(self) -> bool:
        """Whether all is decoded."""
        return self._why is not Why.QUIET

    @property
    def why(self) -> Why:
        """Why it is open; QUIET where it is not."""
        return self._why

    @property
    def glances_now(self) -> bool:
        """Whether it was opened for a moment, and nothing was found yet: few pictures do."""
        return self._glancing

    @property
    def peeks_now(self) -> bool:
        """Whether it was opened only because a long group is half over: what lies before that moment is decoded and not looked at."""
        return self._glancing and self._peeking

    @property
    def opened_us(self) -> int:
        """When it was opened last."""
        return self._opened_us

    @property
    def tells(self) -> bool:
        """Whether sizes say anything: not where all are alike to a hair (padded to a constant rate)."""
        return self._learnt_us < self.options.untold_after_us or self._rough > self.options.alike

    @property
    def knows(self) -> bool:
        """Whether sizes were watched for long enough to say what is usual: before that, quiet means nothing."""
        return self._learnt_us >= self.options.learn_us

    @property
    def group_us(self) -> int:
        """How long a group of pictures lasts, about; 0: not known."""
        return self._group_us

    def sample(
        self, size_bytes: int, sync: bool, wall_us: int, *, here: bool = True, coarse: int | None = None
    ) -> Verdict:
        """The next access unit of the stream, without what only fills it up. here: its bytes are at hand, so that it can be decoded.
        coarse: its quantizer, where that is known: an encoder of constant rate shows there what it hides in sizes.
        """
        if coarse is not None and not sync:
            self._coarse = coarse
        last_us = self._last_us
        step_us = -1 if last_us is None else wall_us - last_us
        if 0 <= step_us <= _LONGEST_STEP_US and wall_us // _HOUR_US % 24 == self._hour:
            self._last_us = wall_us
        else:
            step_us = self._step(wall_us)
        odd = False
        if sync:
            odd = self._sync(size_bytes, wall_us)
        else:
            self._between(size_bytes, step_us, wall_us)
        if self._why is not _SHUT:
            if wall_us >= self._until_us and self._attention is not Attention.FULL:
                self._close(wall_us)
            else:
                if sync:
                    self._key_us = wall_us
                return _OPEN[self._why]
        if wall_us >= self._peek_us and self._peeks(wall_us):
            return _OPEN[self._why]
        if odd and not here and self._gropes(wall_us):
            self._glance(wall_us)  # with the group that it begins it can be had
            return _OPEN[self._why]
        if sync and here and (odd or self._is_due(wall_us)):
            self._key_us = wall_us
            return _KEY
        return _QUIET

    def found(self, wall_us: int, *, something: bool, sure: bool = False) -> None:
        """What a look at the picture of that time found: something that is new or odd; surely something; or nothing."""
        if not something and not sure:
            return
        self._found_us = wall_us if self._found_us is None else max(self._found_us, wall_us)
        if self._why is Why.QUIET:
            self._open(Why.FOUND, wall_us, by_size=False)
        self._glancing = False
        if sure and self._learnt_us >= _ATTENDS_AFTER_US:
            self._attentive_until_us = max(self._attentive_until_us, wall_us + self.options.attentive_us)
        if sure and not self._found_since_open:
            self._found_since_open = True
            if not self._opened_by_size:
                self.missed += 1
                self._factor = max(self.options.most_wary, self._factor * 0.85)
        long = sure or self._attends(wall_us)
        self._until_us = max(self._until_us, wall_us + (self.options.found_us if long else self.options.wonder_us))

    def asks(self, wall_us: int) -> bool:
        """Whether the picture of that time is to be asked for its motion vectors; only while all is shut."""
        if self._why is not _SHUT or self._learnt_us == 0:
            return False
        close = self._attends(wall_us) or any(
            smooth > self.options.raised * stray for smooth, stray in zip(self._smooth, self._stray, strict=True)
        )
        if not close and self.knows and not self.is_deaf:
            return False  # sizes would say it
        return not 0 <= wall_us - max(self._asked_us, self._key_us or -_NEVER) < self.options.ask_us[close]

    def asked(self, wall_us: int) -> None:
        """The picture of that time was."""
        self._asked_us = wall_us

    def stirs(self, much: float, wall_us: int) -> bool:
        """What the motion vectors of the picture of that time say (`stirring`). Gives whether that opens it."""
        self._heard_us = wall_us
        if not self._heed.look(much, attentive=self._attends(wall_us)) or self._why is not _SHUT:
            return False
        self._open(Why.STIRS, wall_us, by_size=False)
        self._opened_by_stir = True
        self._until_us = max(wall_us, self.told_until_us) + self.options.stirs_us
        self.stirred += 1
        return True

    def doubted(self, until_us: int) -> None:
        """Until then all is looked at: another camera may be behind the stream."""
        if self._why is _SHUT and self._last_us is not None:
            self._open(Why.FOUND, self._last_us, by_size=False)
        self._glancing = False
        self._until_us = max(self._until_us, until_us)

    # -- inside

    def _attends(self, wall_us: int) -> bool:
        """Whether something was confirmed lately: activity comes in clusters."""
        return wall_us < self._attentive_until_us

    def _gropes(self, wall_us: int) -> bool:
        """Whether it looks closer where sizes say a little: it attends, and no vectors tell more of it for less."""
        return wall_us < self._attentive_until_us and not 0 <= wall_us - self._heard_us < self.options.heard_us

    def _step(self, wall_us: int) -> int:
        last, self._last_us = self._last_us, wall_us
        hour = wall_us // _HOUR_US % 24
        if last is None:
            self._begin_hour(hour, fresh=True)
            return 0
        step_us = wall_us - last
        if hour != self._hour:
            self._begin_hour(hour, fresh=step_us > _HOUR_US or step_us < -_HOUR_US)
        if not 0 <= step_us <= _LONGEST_STEP_US:
            self._again(wall_us, step_us)
            return 0
        return step_us

    def _again(self, wall_us: int, step_us: int) -> None:
        """The clock was set, or the stream stood still: what is measured in times of before means nothing."""
        self._smooth = (0.0, 0.0)
        self._lull_us = self._after_us = 0
        self._sync_us = None
        if step_us < 0 or step_us > self.options.key_us:
            self._key_us = None
            self._until_us = min(self._until_us, wall_us)
            self._found_us = None
        if step_us < 0:  # else it attends until the clock is there again, which may be years
            self._attentive_until_us += step_us
            self._glanced_us += step_us
            self._heard_us += step_us
            self._asked_us = -_NEVER
            self._peek_us = _NEVER

    def _begin_hour(self, hour: int, *, fresh: bool) -> None:
        if self._hour >= 0 and self._learnt_us >= self.options.learn_us and not math.isnan(self._level):
            self._hours[self._hour] = (self._level, self._stray[0], self._stray[1])
        self._hour = hour
        known = self._hours.get(hour)
        if fresh and known is not None:
            self._level, self._stray = known[0], [known[1], known[2]]

    def _sync(self, size_bytes: int, wall_us: int) -> bool:
        """A sync sample. Whether its size is an odd one: of short groups not each is looked at, and this one should be."""
        group_us = 0
        if self._sync_us is not None:
            group_us = wall_us - self._sync_us
            self._group_us = group_us if not self._group_us else (3 * self._group_us + group_us) // 4
        self._sync_us = wall_us
        self._place = 0
        self._peek_us = wall_us + self._group_us // 2 if self._group_us >= self.options.peek_us else _NEVER
        sizes, value = self._syncs, math.log(size_bytes + 32)
        sizes.append(value)
        if len(sizes) <= _SYNCS:
            return False
        del sizes[0]
        far, stray, options = abs(value - sorted(sizes)[_SYNCS // 2]), self._sync_stray, self.options
        self._syncs_known += 1
        known, shut = self._syncs_known > _SYNCS_LEARNT, self._why is _SHUT
        if shut or not self._found_since_open:
            most = max(3 * stray, 0.02) if known else 1.0
            self._sync_stray += max(1 / self._syncs_known, 0.04) * (min(most, far) - stray)
        if not known or not shut:
            return False
        first_odd = self._odd
        odd = far > max(first_odd * stray, options.odd_least)
        change = _LESS_VAIN * (odd - min(group_us, options.odd_each_us) / options.odd_each_us)
        self._odd = min(max(first_odd * (1 + change), options.odd[1]), options.odd[2])
        return odd

    def _is_due(self, wall_us: int) -> bool:
        """The sync sample nearest to the time: not the first after it, which may be a whole group later."""
        if self._key_us is None or wall_us < self._key_us:
            return True
        each_us = self.options.key_us
        if self._gropes(wall_us) and self.is_deaf:
            each_us //= 2
        return wall_us - self._key_us >= each_us - min(self._group_us, each_us) // 2

    @property
    def is_deaf(self) -> bool:
        """Whether sizes stray so far that they hide who passes by: then pictures are asked twice as often, for as long as it is attentive."""
        return self._factor * self._stray[1] > self.options.deaf

    def _between(self, size_bytes: int, step_us: int, wall_us: int) -> None:
        """A picture that builds on others."""
        options = self.options
        self._place += 1
        place = self._place if self._place < 4 else 4 + (self._place & 3)
        coarse = self._coarse
        value = math.log(size_bytes + 32) + _PER_STEP * coarse
        if math.isnan(self._level):
            self._level = value
        if not self._usual_coarse:
            self._usual_coarse = float(coarse)
        steps = coarse - self._usual_coarse
        away = value - self._level - self._offsets[place] - self._per * steps
        quick, slow = self._smooth
        quick_us, slow_us = self._smooth_us
        quick += (step_us / quick_us if step_us < quick_us else 1.0) * (away - quick)
        slow += (step_us / slow_us if step_us < slow_us else 1.0) * (away - slow)
        self._smooth = (quick, slow)
        if self._learnt_us < options.learn_us:
            self._learn(place, away, step_us, options.learn_us / 4)
        else:
            self._weigh(place, away, step_us, wall_us)
        self._usual_coarse += _USUAL_COARSE * steps
        if steps and self._why is _SHUT:
            self._coarse_stray += _USUAL_COARSE * (steps * steps - self._coarse_stray)
            held = away if -0.5 < away < 0.5 else math.copysign(0.5, away)
            self._per += _PER_LEARNT * held * steps / (self._coarse_stray + _COARSE_STRAY)

    def _weigh(self, place: int, away: float, step_us: int, wall_us: int) -> None:
        """What sizes say now, averaged; and what is learnt of the last."""
        options = self.options
        if self._lull_us and away > -options.least_down:
            self._lull_over(wall_us)
        if wall_us < self._after_us:
            self._smooth = (0.0, 0.0)
        quick, slow = self._smooth
        factor, least_up = self._factor, self._least_up
        if self._rough <= options.alike and not self.tells:
            if self._why is Why.QUIET:
                self._open(Why.UNTOLD, wall_us, by_size=False)
            self._until_us = wall_us + options.hold_us
            if abs(away) > 0.1:
                self._rough += 0.05 * abs(away)
        elif (quick > least_up and quick > factor * self._stray[0]) or (
            slow > least_up and slow > factor * self._stray[1]
        ):
            self._told(Why.MORE, wall_us)
        elif self._why is _SHUT and self._gropes(wall_us) and self._is_keen(quick, slow, wall_us):
            self._glance(wall_us)
        elif quick < -options.least_down and quick < -2 * factor * self._stray[0]:
            self._lull_us = self._lull_us or wall_us
            if wall_us - self._lull_us >= options.less_us:
                self._told(Why.LESS, wall_us)
        self._learn(place, away, step_us, self._level_us if self._why is _SHUT else self._pace_us(wall_us))

    def _is_keen(self, quick: float, slow: float, wall_us: int) -> bool:
        """Whether sizes are somewhat larger than usual, for who is attentive."""
        least, strays = self._least_up / 2, self._stray
        return wall_us - self._glanced_us > self.options.apart_us and (
            (quick > least and quick > self._keen * strays[0]) or (slow > least and slow > self._keen * strays[1])
        )

    def _glance(self, wall_us: int) -> None:
        """Open it for a moment, since sizes say a little."""
        self._open_for(wall_us, self.options.glance_us)
        self.glances += 1

    def _peeks(self, wall_us: int) -> bool:
        """Whether it opens for a moment because a long group is half over: sizes hide who passes by, and the next sync sample may come too late for him."""
        self._peek_us = _NEVER
        if not self._gropes(wall_us) or not self.is_deaf or wall_us - self._glanced_us <= _PEEK_APART_US:
            return False
        self._open_for(wall_us, self.options.peeks_us)
        self._peeking = True
        self.peeks += 1
        return True

    def _open_for(self, wall_us: int, lasts_us: int) -> None:
        """As long as it takes until the recorder is asked, and lasts_us."""
        self._open(Why.MORE, wall_us, by_size=False)
        self._glancing = True
        told_us = min(max(wall_us, self.told_until_us), wall_us + self.options.hold_us)
        self._until_us = told_us + lasts_us

    def _lull_over(self, wall_us: int) -> None:
        """Sizes are no longer far smaller than usual."""
        began_us, self._lull_us = self._lull_us, 0
        if self._why is _SHUT and wall_us - began_us < self.options.lull_us:
            self._after_us = wall_us + self.options.after_us
            self._key_us = None

    def _pace_us(self, wall_us: int) -> float:
        """How soon what is there now is what is usual: at once where it was looked at and is nothing, hardly while something is there."""
        if self._why is Why.QUIET:
            return self.options.level_us
        if self._glancing:
            return self.options.level_us
        if self._found_since_open:
            return 20.0 * self.options.level_us
        return max(1.0, self.options.level_us / 20) if wall_us - self._opened_us > 1_000_000 else self.options.level_us

    def _learn(self, place: int, away: float, step_us: int, pace_us: float) -> None:
        """Of what is usual: the level, the place in its group, how far sizes stray. Nothing of the latter two while something is there."""
        options = self.options
        known, is_open = self._learnt_us >= self._learn_us, self._why is not _SHUT
        held = away
        if known and not is_open:
            bound = 4 * self._rough if self._rough > 0.0125 else 0.05
            held = bound if away > bound else (max(-bound, away))
        part = step_us / pace_us
        self._level += (min(0.5, part)) * held
        self._learnt_us += step_us
        if is_open and self._found_since_open:
            return
        slow = (
            (step_us / (self._level_us if is_open else 2 * self._level_us)) if known else 4 * step_us / self._learn_us
        )
        slow = min(slow, 0.2)
        far = abs(away)
        self._rough += slow * ((far if far < 1 else 1.0) - self._rough)
        strays, smooth = self._stray, self._smooth
        for number in (0, 1):
            stray, here = strays[number], abs(smooth[number])
            most = (3 * stray if stray > 0.02 / 3 else 0.02) if known else 1.0
            strays[number] = stray + slow * ((min(most, here)) - stray)
        if not is_open:
            visits = self._visits[place] = self._visits[place] + 1
            self._offsets[place] += held / (4 if visits < 4 else min(200, visits))
            if self._factor > options.most_wary:
                self._factor *= 1 - _LESS_VAIN * step_us / options.vain_us
            if self._keen > options.keen[1] and (self._last_us or 0) < self._attentive_until_us:
                self._keen *= 1 - _LESS_VAIN * step_us / options.glance_each_us

    def _told(self, why: Why, wall_us: int) -> None:
        if self._why in {Why.QUIET, Why.UNTOLD} or self._glancing:
            self._open(why, wall_us, by_size=True)
        if wall_us - max(self._opened_us, self._found_us or 0) > self.options.vain_after_us:
            return
        self._until_us = max(self._until_us, wall_us + self.options.hold_us)

    def _open(self, why: Why, wall_us: int, *, by_size: bool) -> None:
        self._why = why
        self._glancing = self._peeking = False
        self._opened_us = wall_us
        self._opened_by_size, self._opened_by_stir = by_size, False
        self._found_since_open = False
        wonders = why is Why.FOUND and not self._attends(wall_us)
        self._until_us = wall_us + (self.options.wonder_us if wonders else self.options.hold_us)
        self.opened += 1

    def _close(self, wall_us: int) -> None:
        if self._glancing:
            if not self._peeking:
                self._keen = min(self._factor, self._keen * (1 + _LESS_VAIN))
            self._glancing, self._peeking, self._glanced_us = False, False, wall_us
        if self._opened_by_stir and not self._found_since_open:
            self._heed.vain()
        if self._opened_by_size:
            if self._found_since_open:
                self._factor += 0.02 * (self.options.wary - self._factor)
            else:
                self.in_vain += 1
                self._factor = min(self.options.least_wary, self._factor * (1 + _LESS_VAIN))
                self._level += 0.5 * self._smooth[1]
        self._why = Why.QUIET
        self._peek_us = _NEVER
        self._key_us = wall_us if self._key_us is None else self._key_us

    # -- kept over a restart

    def saved(self) -> bytes:
        """What it has learnt; less than 4 KiB."""
        hours = dict(self._hours)
        if self._hour >= 0 and self._learnt_us >= self.options.learn_us:
            hours[self._hour] = (self._level, self._stray[0], self._stray[1])
        told = {
            "v": _SAVED_VERSION,
            "level": None if math.isnan(self._level) else round(self._level, 5),
            "offsets": [round(each, 5) for each in self._offsets],
            "visits": [min(each, 200) for each in self._visits],
            "stray": [round(each, 6) for each in self._stray],
            "rough": round(self._rough, 6),
            "per": round(self._per, 5),
            "factor": round(self._factor, 4),
            "learnt_us": self._learnt_us,
            "hours": {str(hour): [round(each, 6) for each in known] for hour, known in sorted(hours.items())},
        }
        return json.dumps(told, separators=(",", ":")).encode()

    @classmethod
    def restored(cls, options: GateOptions | None, saved: bytes) -> Gate:
        """From what another one saved. Raises ValueError for what is none of it."""
        gate = cls(options)
        try:
            told = json.loads(saved)
            if told["v"] != _SAVED_VERSION:
                raise ValueError("of another version")
            if told["level"] is not None:
                gate._level = _number(told["level"], 40)
            gate._offsets = [_number(each, 40) for each in told["offsets"]]
            gate._visits = [int(_number(each, 1000)) for each in told["visits"]]
            gate._rough = _number(told["rough"], 40)
            gate._stray = [_number(told["stray"][number], 40) for number in (0, 1)]
            gate._factor = min(gate.options.least_wary, max(gate.options.most_wary, _number(told["factor"], 1000)))
            gate._per = _number(told.get("per", 0.0), 40)
            gate._learnt_us = int(_number(told["learnt_us"], 1e16))
            gate._hours = {
                int(hour): (_number(each[0], 40), _number(each[1], 40), _number(each[2], 40))
                for hour, each in told["hours"].items()
            }
        except (KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError) as error:
            raise ValueError("not what a gate saves") from error
        if len(gate._offsets) != _PLACES or len(gate._visits) != _PLACES:
            raise ValueError("not what a gate saves")
        return gate


def _number(value: object, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not -most <= value <= most:
        raise ValueError("not what a gate saves")
    return float(value)
