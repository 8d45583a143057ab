"""Rows of the index against the story: what contradicts, and what a recorder may leave that only looks so."""

from __future__ import annotations

from dataclasses import replace

from longwatch.ledger.findings import Finding
from longwatch.ledger.judging_index import (
    GapFact,
    GoneFact,
    IndexFacts,
    IndexJudge,
    PersonalFact,
    SegmentFact,
    SpanFact,
)
from longwatch.ledger.story import Gap, Gone, Place, Seal, Story

BOOT = "ab" * 16
SECOND = 1_000_000


def seal(run: int, sequence: int, from_s: float, to_s: float) -> Seal:
    return Seal(
        10 * run + sequence, "gate", "main", BOOT, run, sequence, bytes(32), bytes(32), 3, 900, int(from_s * SECOND),
        int(to_s * SECOND), "ntp", False, False,
    )  # fmt: skip


def story(*seals: Seal) -> Story:
    return Story(seals={each.key: each for each in seals})


def row(of: Seal) -> SegmentFact:
    return SegmentFact(
        of.camera, of.stream, of.boot, of.run, of.sequence, "v", True, of.damaged, of.recovered, of.provenance, of.fragments, 100,
        of.durable_bytes, 1000, 0, 1, of.wall_start_us, of.wall_end_us - of.wall_start_us, of.root,
    )  # fmt: skip


def span(run: int, from_s: float, to_s: float, provenance: str = "ntp") -> SpanFact:
    return SpanFact("gate", "main", BOOT, run, int(from_s * SECOND), int(to_s * SECOND), provenance)


def judged(told: Story, facts: IndexFacts, *, unproven: bool = False) -> list[Finding]:
    facts.segments = facts.segments or [row(each) for each in told.seals.values()]
    return list(IndexJudge(told, facts, {}, {}, known=frozenset({"v"}), unproven=unproven).findings())


def said(findings: list[Finding]) -> list[tuple[str, float | None, float | None]]:
    return [
        (str(f.kind), None if f.from_us is None else f.from_us / SECOND, None if f.to_us is None else f.to_us / SECOND)
        for f in findings
    ]


ONE = (seal(1, 0, 0, 60), seal(1, 1, 60, 120))


def test_rows_that_agree() -> None:
    assert judged(story(*ONE), IndexFacts(spans=[span(1, 0, 120)])) == []


def test_a_row_that_says_otherwise_is_named_with_what_differs() -> None:
    wrong = row(ONE[1])._replace(durable_bytes=901, damaged=True)
    (finding,) = judged(story(*ONE), IndexFacts([row(ONE[0]), wrong], spans=[span(1, 0, 120)]))
    assert (finding.kind, finding.from_us) == ("changed", 60 * SECOND)
    assert "durable_bytes is 901, should be 900; damaged" in finding.detail


def test_rows_too_few_and_too_many() -> None:
    facts = IndexFacts([row(ONE[0]), row(seal(1, 7, 500, 560))], spans=[span(1, 0, 120)])
    assert sorted(said(judged(story(*ONE), facts))) == [("inserted", 500, 560), ("removed", 60, 120)]
    facts = IndexFacts([row(ONE[0]), row(seal(1, 7, 500, 560))], spans=[span(1, 0, 120)])
    assert ("changed", 500, 560) in said(judged(story(*ONE), facts, unproven=True))


def test_a_span_to_the_millisecond() -> None:
    assert said(judged(story(*ONE), IndexFacts(spans=[span(1, 0, 119.99)]))) == [("removed", 119.99, 120)]
    assert said(judged(story(*ONE), IndexFacts(spans=[span(1, 0, 120.5)]))) == [("inserted", 120, 120.5)]
    assert said(judged(story(*ONE), IndexFacts(spans=[span(1, 0, 50), span(1, 50.2, 120)]))) == [("removed", 50, 50.2)]
    assert said(judged(story(*ONE), IndexFacts(spans=[span(1, 0, 70), span(1, 50, 120)]))) == [("changed", 50, 70)]
    assert judged(story(*ONE), IndexFacts(spans=[span(1, 0, 120.0005)])) == []


def test_what_is_believed_of_time_may_change_at_the_first_picture_of_a_segment() -> None:
    """The segment was opened under the old belief, which is what its seal says; the span from there on is of the new one."""
    first, second, third = (seal(1, n, 60 * n, 60 * (n + 1)) for n in range(3))
    told = story(*(replace(each, provenance="rtc") for each in (first, second)), third)
    changed_within = IndexFacts(spans=[span(1, 0, 70, "rtc"), span(1, 70, 180)])
    changed_there = IndexFacts(spans=[span(1, 0, 60, "rtc"), span(1, 60, 180)])
    assert judged(told, changed_within) == []
    assert judged(told, changed_there) == []
    assert said(judged(told, IndexFacts(spans=[span(1, 0, 180)]))) == [("changed", 0, 180)]
    assert said(judged(told, IndexFacts(spans=[span(1, 0, 60), span(1, 60, 180)]))) == [
        ("changed", 0, 60),
        ("changed", 60, 180),
    ]
    assert said(judged(told, IndexFacts(spans=[span(1, 0, 180, "rtc")]))) == [("changed", 0, 180)]


def test_two_runs_that_are_joined_or_lie_over_each_other() -> None:
    after = story(*ONE, seal(2, 0, 120.015, 180))
    assert judged(after, IndexFacts(spans=[span(1, 0, 120.015), span(2, 120.015, 180)])) == []
    assert said(judged(after, IndexFacts(spans=[span(1, 0, 120.016), span(2, 120.015, 180)]))) != []
    over = story(*ONE, seal(2, 0, 119.4, 180))
    assert judged(over, IndexFacts(spans=[span(1, 0, 120), span(2, 120, 180)])) == []
    assert said(judged(over, IndexFacts(spans=[span(1, 0, 120), span(2, 120.1, 180)]))) != []


def test_a_span_over_a_gap_that_the_ledger_tells() -> None:
    told = story(seal(1, 0, 0, 60))
    told.gaps[3] = Gap(3, 5, "gate", "main", 20 * SECOND, 25 * SECOND, "packets_lost", {})
    rows = [GapFact(3, "gate", "main", 20 * SECOND, 25 * SECOND, "packets_lost", "{}")]
    assert judged(told, IndexFacts(spans=[span(1, 0, 20), span(1, 25, 60)], gaps=rows)) == []
    assert said(judged(told, IndexFacts(spans=[span(1, 0, 60)], gaps=rows))) == [("changed", 20, 25)]
    told.clock_set = True
    assert judged(told, IndexFacts(spans=[span(1, 0, 60)], gaps=rows)) == [], "some seconds were there twice"


def test_gap_rows() -> None:
    told = story()
    told.gaps[3] = Gap(3, 5, "gate", "main", 20, None, "unknown", {"a": 1})
    good = GapFact(3, "gate", "main", 20, None, "unknown", '{"a": 1}')
    assert judged(told, IndexFacts(gaps=[good])) == []
    for wrong in (
        good._replace(from_us=21), good._replace(to_us=30), good._replace(cause="network_down"), good._replace(evidence="{}"),
        good._replace(camera="road"), good._replace(evidence="not json"),
    ):  # fmt: skip
        assert [f.kind for f in judged(told, IndexFacts(gaps=[wrong]))] == ["changed"]
    assert [f.kind for f in judged(told, IndexFacts())] == ["removed"]
    assert [f.kind for f in judged(told, IndexFacts(gaps=[good, good._replace(id=4)]))] == ["inserted"]


def test_what_is_gone() -> None:
    told = story(*ONE)
    told.gone[BOOT, 1] = [Gone(9, "gate", "main", BOOT, 1, "max_age", ((0, 0),), 0, 60 * SECOND)]
    good = GoneFact("gate", "main", BOOT, 1, 0, 60 * SECOND, 0, 0)
    spans = [span(1, 0, 120)]
    here = [row(ONE[1])]
    assert judged(told, IndexFacts(here, spans=spans, gone=[good])) == []
    assert said(judged(told, IndexFacts(here, spans=spans))) == [("removed", 0, 60)]
    assert said(judged(told, IndexFacts(here, spans=spans, gone=[good._replace(last=1)]))) == [("inserted", 60, 120)]
    assert said(judged(told, IndexFacts(here, spans=spans, gone=[good._replace(to_us=1)]))) == [("changed", 0, 60)]
    told.gone[BOOT, 1] = [replace(told.gone[BOOT, 1][0], sequences=((0, 10**15),))]
    assert judged(told, IndexFacts(here, spans=spans, gone=[good])), "an absurd entry is judged at once"


def test_people() -> None:
    told = story()
    told.mentions[4] = (7, b"proof", Place("gate", "main", 1, 2))
    assert judged(told, IndexFacts(personal=[PersonalFact(4, 7, b"proof")])) == []
    assert [f.kind for f in judged(told, IndexFacts(personal=[PersonalFact(4, 7, b"other")]))] == ["changed"]
    assert [f.kind for f in judged(told, IndexFacts(personal=[PersonalFact(4, 8, b"proof")]))] == ["changed"]
    (erased,) = judged(told, IndexFacts())
    assert (erased.kind, "no entry says by whom" in erased.detail) == ("erased", True)
    told.erased.append((0, 9))
    (erased,) = judged(told, IndexFacts())
    assert "no entry" not in erased.detail
    assert [
        f.kind for f in judged(told, IndexFacts(personal=[PersonalFact(4, 7, b"proof"), PersonalFact(9, 7, b"")]))
    ] == ["inserted"]
