"""`python -m tests.rig.mutation_campaign [MUTATIONS] [SEED] [SECONDS]`: figure 12. Each kind counted: applied, detected, falsely blamed.

A post is recorded on tmpfs, changed, verified in this process with the key kept outside, and put back. Detected: the verdict blames
something; where what is left tells which seconds were touched, it blames seconds of theirs. Falsely blamed: it blames seconds of a
camera that were not touched.
"""

from __future__ import annotations

import itertools
import random
import shutil
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

from tests.rig.mutations import Files, Mutation, mutations
from tests.rig.mutations_post import State, build

from longwatch.archive.verifying import verify_folder
from longwatch.ledger.findings import Finding, Verdict
from longwatch.ledger.story import Place

SHM = Path("/dev/shm")  # a million small files


def write(state: State, files: Files) -> None:
    """Put files in their place; None removes one."""
    for name, data in files.items():
        path = state.root / name
        if data is None:
            path.unlink(missing_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


def put_back(state: State, mutation: Mutation) -> None:
    """As it was."""
    write(state, {name: state.files.get(name) for name in mutation.files})


def judge(state: State, mutation: Mutation) -> Verdict:
    """What a verification says of the changed post."""
    write(state, mutation.files)
    try:
        return verify_folder(state.root / "a", key=state.key, checkpoint=mutation.checkpoint or None)
    finally:
        put_back(state, mutation)


def wrongs(mutation: Mutation, verdict: Verdict) -> list[str]:
    """What is wrong with a verdict: "undetected", "not located", "falsely blamed". A silent mutation must not be blamed."""
    if mutation.silent:
        return ["falsely blamed"] if not verdict.ok else []
    if verdict.ok:
        return ["undetected"]
    found = []
    named = [finding for finding in verdict.blamed if finding.camera]
    hit = [finding for finding in named if touches(finding, mutation.touched)]
    wanted = [place for place in mutation.touched if place.camera]
    if mutation.located and wanted and not hit:
        found.append("not located")
    if len(hit) < len(named):
        found.append("falsely blamed")
    return found


def touches(finding: Finding, places: Iterable[Place]) -> bool:
    """Whether the seconds that are blamed are among these."""
    for place in places:
        if (finding.camera, finding.stream) != (place.camera, place.stream):
            continue
        if finding.from_us is None or place.from_us is None or finding.to_us is None or place.to_us is None:
            return True
        if finding.from_us <= place.to_us and place.from_us <= finding.to_us:
            return True
    return False


def run(state: State, earlier: State, count: int, seed: int) -> dict[str, Counter[str]]:
    """A number of mutations, by kind: what was counted. Prints what went wrong."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for n, mutation in enumerate(itertools.islice(mutations(state, earlier, random.Random(seed)), count)):
        verdict = judge(state, mutation)
        found = wrongs(mutation, verdict)
        counts[mutation.kind]["silent" if mutation.silent else "applied"] += 1
        counts[mutation.kind]["detected"] += not mutation.silent and not verdict.ok
        counts[mutation.kind].update(found)
        if found:
            print(f"seed {seed}, mutation {n}, {mutation.kind}: {found}; touched {mutation.touched[:4]}", flush=True)
            for finding in verdict.blamed[:6]:
                print(f"    {finding}", flush=True)
    return counts


def main() -> int:
    """1 where one was not detected, not located or falsely blamed."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(1 << 30)
    limit = float(sys.argv[3]) if len(sys.argv) > 3 else float("inf")
    total: dict[str, Counter[str]] = defaultdict(Counter)
    began, cpu = time.monotonic(), time.process_time()
    left, posts = count, 0
    while left > 0 and time.monotonic() - began < limit:
        folder = Path(tempfile.mkdtemp(prefix="longwatch-mutations-", dir=SHM))
        try:
            earlier, state = build(folder / "post", scale=40 if posts % 20 == 19 else 1)
            assert verify_folder(state.root / "a", key=state.key).ok
            part = min(left, 100 if posts % 20 == 19 else 500)
            print(
                f"seed {seed}: {part} mutations of {len(state.entries)} entries, {len(state.segments)} segments",
                flush=True,
            )
            for kind, counted in run(state, earlier, part, seed).items():
                total[kind] += counted
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        left, seed, posts = left - part, seed + 1, posts + 1
    _table(total)
    print(
        f"{count - left} mutations in {time.monotonic() - began:.0f} s, {time.process_time() - cpu:.0f} s of one core"
    )
    bad = sum(counted[word] for counted in total.values() for word in ("undetected", "not located", "falsely blamed"))
    return 1 if bad else 0


def _table(total: dict[str, Counter[str]]) -> None:
    words = ("applied", "detected", "undetected", "not located", "falsely blamed", "silent")
    print(f"{'kind':52}" + "".join(f"{word:>16}" for word in words))
    for kind in [*sorted(total), "all"]:
        counted = sum(total.values(), Counter()) if kind == "all" else total[kind]
        print(f"{kind:52}" + "".join(f"{counted[word]:16}" for word in words))


if __name__ == "__main__":
    sys.exit(main())
