"""`make fuzz`: every parser of outside bytes against a million inputs (figure 14 of the reliability table).

Inputs are what `seeds` gives, changed: bits flipped, pieces cut, doubled, swapped, lengths made absurd; and bytes at random. A target
that raises is a crash, one that takes over two seconds of processor (or twenty by the clock: others may use this machine too) a hang, and memory that grows by more than 200 MB a leak.

    python -m tests.fuzz.campaign [INPUTS] [SEED] [WHICH: a target's name begins so]
"""

from __future__ import annotations

import importlib
import multiprocessing
import random
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

MAX_SECONDS = 2.0
MAX_BY_THE_CLOCK = 20.0
MAX_GROWTH_KB = 200 * 1024
_HERE = Path(__file__).parent
_GOLDEN = _HERE.parent / "golden"


def targets() -> dict[str, Callable[[bytes], None]]:
    """All targets of tests/fuzz/targets_*.py by name."""
    found: dict[str, Callable[[bytes], None]] = {}
    for path in sorted(_HERE.glob("targets_*.py")):
        module = importlib.import_module(f"tests.fuzz.{path.stem}")
        found |= {f"{path.stem.removeprefix('targets_')}.{name}": target for name, target in module.TARGETS.items()}
    return found


def seeds(name: str) -> list[bytes]:
    """Where a target's inputs begin: the golden files, and what its module gives as SEEDS."""
    module = importlib.import_module(f"tests.fuzz.targets_{name.split('.', maxsplit=1)[0]}")
    own = getattr(module, "SEEDS", {}).get(name.split(".", 1)[1], [])
    files = [path for path in sorted(_GOLDEN.rglob("*")) if path.is_file() and path.suffix != ".py"]
    return [*own, *(path.read_bytes()[:65536] for path in files), b""]


def mutate(data: bytes, rng: random.Random) -> bytes:
    """One input out of another."""
    if not data or rng.random() < 0.05:
        return rng.randbytes(rng.randrange(600))
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        if not out:
            break
        at = rng.randrange(len(out))
        kind = rng.randrange(7)
        if kind == 0:
            out[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            out[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF))
        elif kind == 2:
            out[at : at + 4] = rng.choice(
                (b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"\x7f\xff\xff\xff", rng.randbytes(4))
            )
        elif kind == 3:
            del out[at : at + rng.randrange(1, 64)]
        elif kind == 4:
            out[at:at] = out[rng.randrange(len(out)) :][: rng.randrange(1, 256)]
        elif kind == 5:
            del out[at:]
        else:
            out[at:at] = rng.randbytes(rng.randrange(1, 16))
    return bytes(out)


def run(name: str, inputs: int, seed: int) -> tuple[str, int, float, str]:
    """One target: its name, inputs tried, the slowest in seconds, and what went wrong ("" for nothing)."""
    target, begin, rng = targets()[name], seeds(name), random.Random(seed)
    slowest = 0.0
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(inputs):
        data = mutate(rng.choice(begin), rng)
        start, start_cpu = time.perf_counter(), time.process_time()
        try:
            target(data)
        except BaseException as error:
            return name, number + 1, slowest, f"{error!r} on {data.hex()}"
        took, waited = time.process_time() - start_cpu, time.perf_counter() - start
        slowest = max(slowest, took)
        if took > MAX_SECONDS or waited > MAX_BY_THE_CLOCK:
            return name, number + 1, slowest, f"{took:.1f} s, {waited:.1f} s by the clock, on {data.hex()}"
    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb
    return name, inputs, slowest, f"memory grew by {grown_kb} KB" if grown_kb > MAX_GROWTH_KB else ""


def main() -> int:
    """The campaign; 1 where anything was found."""
    total = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(1 << 31)
    names = [name for name in targets() if name.startswith(sys.argv[3] if len(sys.argv) > 3 else "")]
    each = total // len(names) + 1
    print(f"seed {seed}: {len(names)} targets, {each} inputs each", flush=True)
    failed = 0
    with multiprocessing.get_context("spawn").Pool(maxtasksperchild=1) as pool:
        jobs = [pool.apply_async(run, (name, each, seed + n)) for n, name in enumerate(names)]
        for job in jobs:
            name, tried, slowest, wrong = job.get()
            failed += bool(wrong)
            print(f"{name:32} {tried:8} inputs, slowest {1000 * slowest:8.1f} ms  {wrong[:400] or 'ok'}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
