"""The link down for 72 hours, then thin, slow, lossy, cut and killed: `python -m tests.rig.link_campaign [seeds [first]]`.

Virtual time; both protocol cores are the real ones, and so is every byte between them. Each seed is a story of its own. Asserts that the hub equals the post by
hash: nothing lost, nothing twice; that what was on its way twice is bounded by what cuts and kills cost; and that the link was used.
"""

from __future__ import annotations

import hashlib
import os
import random
import sys
import time
from dataclasses import dataclass

from tests.support.simulated_link import US, WALL_US, Weather, World

from longwatch.model.uplink import Class

DOWN_US = 72 * 3600 * US
LIMIT_US = 12 * 3600 * US  # after that: everything must be there
KILLS = [0, 150, 600]


@dataclass
class Result:
    seed: int
    seconds: float  # from the first connection until the hub had all
    used: float
    lost: int
    twice: int
    again: float  # of the bytes of objects: sent though the hub had them
    cuts: int
    kills: int
    refused: int


def story(world: World) -> None:
    """Three days of a post with two cameras that nobody heard, and what goes on while it is told."""
    dice = world.dice
    for hour in range(72):
        world.at(hour * 3600 * US, lambda: _hour(world, dice))
    for minute in range(30):
        world.at(DOWN_US + minute * 60 * US, lambda: _minute(world, dice))


def _hour(world: World, dice: random.Random) -> None:
    at_us = WALL_US + world.now_us
    for part in range(12):
        seal(world, at_us + part * 300 * US, dice)
    if dice.random() < 0.5:
        alarm(world, at_us)
        world.want(world.media.put(dice.randbytes(dice.randrange(3000, 12000)), "picture", at_us=at_us), Class.PICTURE)
        if dice.random() < 0.3:
            world.want(world.media.put(dice.randbytes(dice.randrange(20_000, 120_000)), "piece"), Class.CLIP)
    world.want(world.media.put(dice.randbytes(dice.randrange(1500, 5000)), "strip", at_us=at_us), Class.STRIP)
    if dice.random() < 0.1:
        world.want(world.media.put(dice.randbytes(dice.randrange(50_000, 200_000)), "piece"), Class.BULK)
    world.log.publish()


def _minute(world: World, dice: random.Random) -> None:
    seal(world, WALL_US + world.now_us, dice)
    world.log.publish()
    world.wake()


def seal(world: World, at_us: int, dice: random.Random) -> None:
    world.log.write(
        "segment_sealed", at_us, camera="gate", stream="main", boot="5b0c6a52", run=1, sequence=len(world.log.written), fragments=60,
        closing=dice.randbytes(32).hex(), root=dice.randbytes(32).hex(), durable_bytes=2_000_000, wall_start_us=at_us, wall_end_us=at_us + 60 * US,
        provenance="ntp", recovered=False, damaged=False,
    )  # fmt: skip


def alarm(world: World, at_us: int) -> int:
    return world.log.write(
        "alarm_raised", at_us, alarm=1, kind="camera_silent", camera="gate", since_us=at_us, raised_us=at_us
    )


def play(seed: int) -> Result:
    """One story. Raises AssertionError with its seed."""
    dice = random.Random(seed)
    weather = Weather(
        delay_us=800_000 // 2 if dice.random() < 0.5 else 800_000, loss=0.3, down_until_us=DOWN_US, cuts_every_s=dice.choice([40, 120, 400]),
        kills_every_s=dice.choice(KILLS), calm_from_us=DOWN_US + 3600 * US,
    )  # fmt: skip
    world = World(seed, weather)
    story(world)
    ended = world.run(lambda: world.now_us > DOWN_US + 1800 * US and world.done(), DOWN_US + LIMIT_US)
    hub, post = world.hub, world.log
    missing = [sha for sha, data in world.media.data.items() if hub.objects.get(sha) != data]
    made_up = [sha for sha in hub.objects if sha not in world.media.data]
    said = hub.logs.get((post.post, post.number), [])
    assert ended, (
        f"seed {seed}: {len(missing)} of {len(world.media.data)} objects and {post.head.size - len(said)} entries never came"
    )
    assert not missing, f"seed {seed}: {len(missing)} objects lost"
    assert not made_up, f"seed {seed}: {len(made_up)} objects that no post has"
    assert said == post.written[: len(said)], f"seed {seed}: the ledgers differ"
    assert len(said) >= post.head.size, f"seed {seed}: entries are missing"
    assert hub.committed_twice == 0, f"seed {seed}: objects committed twice"
    assert all(hashlib.sha256(data).digest() == sha for sha, data in hub.objects.items())
    assert len(world.confirmed) == len(set(world.confirmed)), f"seed {seed}: confirmed twice"
    total = sum(len(data) for data in world.media.data.values())
    tally = world.tally
    return Result(
        seed, (world.now_us - DOWN_US) / US, tally.used, len(missing), hub.committed_twice, hub.bytes_again / total, tally.cuts, tally.kills,
        len(tally.refused),
    )  # fmt: skip


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    first = int(sys.argv[2]) if len(sys.argv) > 2 else int.from_bytes(os.urandom(3))
    begun = time.monotonic()
    results = []
    for seed in range(first, first + count):
        results.append(play(seed))
        if len(results) % 50 == 0:
            print(f"{len(results)} of {count}, {time.monotonic() - begun:.0f} s", flush=True)
    used = sorted(r.used for r in results)
    again = sorted(r.again for r in results)
    print(
        f"seeds {first} to {first + count - 1}: lost {sum(r.lost for r in results)}, twice {sum(r.twice for r in results)}"
    )
    print(
        f"cuts {sum(r.cuts for r in results)}, kills {sum(r.kills for r in results)}, refused {sum(r.refused for r in results)}"
    )
    print(
        f"link used: least {used[0]:.3f}, median {used[len(used) // 2]:.3f}; sent again: median {again[len(again) // 2]:.4f}, most {again[-1]:.4f}"
    )
    slow = max(results, key=lambda r: r.seconds)
    print(f"slowest: {slow}")


if __name__ == "__main__":
    main()
