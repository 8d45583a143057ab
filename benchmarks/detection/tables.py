"""Tables of the exam, in Markdown, and their place in docs/detection.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.scenes import BUSY, QUIET, SABOTAGE
from tests.scenes.recipe import KINDS, LOOKS

from benchmarks.detection.exam import ATTACKED, Examined, Size, cpu_an_hour, total
from benchmarks.detection.scoring import Total, Verdict, poisson, wilson

BEGIN, END = "<!-- tables: begin -->", "<!-- tables: end -->"


def rows(items: Iterable[dict[str, object]]) -> str:
    """One table; the keys of the first row are its head."""
    items = list(items)
    if not items:
        return "None."
    head = list(items[0])
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(str(row.get(name, "")) for name in head) + " |" for row in items])


def heading(machine: str, first: int, size: Size) -> str:
    """What was run, when and on what."""
    return (
        f"`python -m benchmarks.detection --seed {first}`: seeds {first} to {first + size.quiet - 1} (quiet), from {first + 100} ({size.busy} busy) "
        f"and from {first + 200} (sabotage). {machine}."
    )


def cost(ours: list[Examined], theirs: list[Examined]) -> str:
    """Processor time, first of all."""
    made = []
    for family, least in ((QUIET, 10), (BUSY, 3)):
        mine, other = cpu_an_hour(ours, family), cpu_an_hour(theirs, family)
        made.append({
            "scenes": family, "Longwatch, CPU s a camera-hour": f"{mine:.1f}",
            "motion": f"{other:.1f}" if theirs else "", "ratio": f"{other / max(mine, 1e-9):.1f}" if theirs else "", "goal": f"{least}",
            "recall": _recall(total(ours, family)), "recall of motion": _recall(total(theirs, family)) if theirs else "",
        })  # fmt: skip
    return "### Cost\n\n" + rows(made)


def _recall(of: Total) -> str:
    if not of.wanted:
        return ""
    low, high = wilson(of.hits, of.wanted)
    return f"{of.recall:.3f} ({low:.3f} to {high:.3f}; {of.hits} of {of.wanted})"


def _false(of: Total) -> str:
    low, high = poisson(of.false)
    hours = max(of.hours, 1e-9)
    return f"{of.false_an_hour:.2f} ({low / hours:.2f} to {high / hours:.2f}; {of.false} in {of.hours:.2f} h)"


def events(ours: list[Examined], theirs: list[Examined]) -> str:
    """Recall and false events."""
    made = []
    for name, examined in (("Longwatch", ours), ("motion", theirs)):
        quiet, busy = total(examined, QUIET), total(examined, BUSY)
        both = Total(quiet.verdicts + busy.verdicts)
        made.append({
            "": name, "recall (goal 0.98)": _recall(busy), "false an hour, quiet": _false(quiet), "false an hour, busy": _false(busy),
            "false an hour, all (goal 1)": _false(both), "told after, median": f"{busy.delay_s:.1f} s" if busy.delay_s is not None else "",
        })  # fmt: skip
    return "### Events\n\nIn brackets: 95 % intervals.\n\n" + rows(made)


def attention(by_setting: Mapping[str, list[Examined]], theirs: list[Examined]) -> str:
    """The same scenes with each `detect.attention`: what it takes, and what it finds."""
    made = []
    for name, examined in [*by_setting.items(), *([("motion", theirs)] if theirs else [])]:
        quiet, busy = total(examined, QUIET), total(examined, BUSY)
        took = {family: cpu_an_hour(examined, family) for family in (QUIET, BUSY)}
        made.append({
            "`detect.attention`": name, "recall": _recall(busy), "false an hour": _false(Total(quiet.verdicts + busy.verdicts)),
            "false sabotage": quiet.false_tampers + busy.false_tampers if examined is not theirs else "",
            "quiet: CPU s a camera-hour": f"{took[QUIET]:.1f}", "busy": f"{took[BUSY]:.1f}",
        })  # fmt: skip
    return "### What attention finds and takes\n\n" + rows(made)


def looks(ours: list[Examined], theirs: list[Examined]) -> str:
    """The same, by look."""
    made = []
    for look in LOOKS:
        row: dict[str, object] = {"look": look}
        for name, examined in (("Longwatch", ours), ("motion", theirs)):
            if not examined:
                continue
            busy, both = (
                total(examined, BUSY, look),
                Total(total(examined, QUIET, look).verdicts + total(examined, BUSY, look).verdicts),
            )
            row |= {
                f"{name}: found": f"{busy.hits} of {busy.wanted}",
                f"{name}: false": f"{both.false} in {both.hours:.1f} h",
            }
        made.append(row)
    return "### By look\n\n" + rows(made)


def sabotage(ours: list[Examined]) -> str:
    """Raised in time, by kind and look, and what was raised in vain."""
    done = [each for each in ours if each.family == SABOTAGE]
    made = []
    for kind in KINDS:
        row: dict[str, object] = {"sabotage": kind}
        for look in ATTACKED:
            late = [r for each in done if each.look == look for k, r in each.verdict.raised if k == kind]
            row[look] = ", ".join("not in time" if r is None else f"{r:.1f} s" for r in late)
        row["by its name"] = (
            f"{sum(each.verdict.named for each in done if any(k == kind for k, _ in each.verdict.raised))}"
        )
        made.append(row)
    raised = [r for each in done for _, r in each.verdict.raised]
    hits = sum(r is not None for r in raised)
    quiet = Total([each.verdict for each in ours if each.family in {QUIET, BUSY}])
    hours = sum(each.seconds for each in ours if each.family in {QUIET, BUSY}) / 3600
    low, high = wilson(hits, len(raised))
    early = sum(len(each.verdict.false_tampers) for each in done)
    said = (
        f"Raised within 10 s of being due: {hits} of {len(raised)} ({low:.3f} to {high:.3f}; goal: all). False: {quiet.false_tampers} in {hours:.1f} h of quiet and "
        f"busy scenes, day, dusk and night (goal: none in an hour), and {early} in these scenes before anything was done.\n\n"
    )
    return "### Sabotage\n\n" + said + rows(made)


def misses(ours: list[Examined]) -> str:
    """Every miss, with what is needed to look at it."""
    made = []
    for each in ours:
        verdict = each.verdict
        wrong = [("missed " + label, span) for label, span in verdict.missed] + [
            ("false", span) for span in verdict.false
        ]
        wrong += [("false " + kind, span) for kind, span in verdict.false_tampers]
        wrong += [("not raised: " + kind, (0.0, each.seconds)) for kind, late in verdict.raised if late is None]
        made += [
            {"family": each.family, "seed": each.seed, "scene": verdict.sheet.name.split(" ", 2)[2], "what": label, "from": f"{a:.1f}", "to": f"{b:.1f}"}
            for label, (a, b) in wrong
        ]  # fmt: skip
    look = "`python -m benchmarks.detection.contact --family F --seed N --look L [--sabotage K] --from A --to B --out sheet.png` shows one.\n\n"
    return "### Misses\n\n" + look + rows(made)


def real(verdicts: list[tuple[str, str, Verdict]]) -> str:
    """Apart: real recordings."""
    made = [
        {
            "recording": name, "": who, "found": f"{v.wanted - len(v.missed)} of {v.wanted}", "missed": ", ".join(label for label, _ in v.missed),
            "false": len(v.false), "false sabotage": len(v.false_tampers),
        }
        for name, who, v in verdicts
    ]  # fmt: skip
    return "### Real recordings\n\n" + rows(made)


def write(document: Path, told: list[str]) -> None:
    """Between the marks of the document."""
    text = document.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    document.write_text(before + BEGIN + "\n\n" + "\n\n".join(told) + "\n\n" + END + after)
