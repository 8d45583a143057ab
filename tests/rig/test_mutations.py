"""A slice of figure 12: whatever is done to a post's data is found, and the seconds that were touched are named, and no others."""

from __future__ import annotations

import itertools
import random

import pytest
from tests.rig.mutation_campaign import judge, write, wrongs
from tests.rig.mutations import GENERATORS, Generator, mutations
from tests.rig.mutations_post import State, build

from longwatch.archive.verifying import verify_folder


@pytest.fixture(scope="module")
def post(tmp_path_factory: pytest.TempPathFactory) -> tuple[State, State]:
    folder = tmp_path_factory.mktemp("post")
    return build(folder / "post")


def test_a_post_that_nobody_touched_is_whole(post: tuple[State, State]) -> None:
    earlier, state = post
    verdict = verify_folder(state.root / "a", key=state.key, checkpoint=earlier.checkpoint)
    assert verdict.ok, verdict.blamed
    assert verdict.summary.startswith("whole, and signed by the key SHA256:")
    assert (verdict.entries, verdict.segments) == (len(state.entries), len(state.segments))


@pytest.mark.slow
@pytest.mark.parametrize("generator", GENERATORS, ids=lambda each: each.__name__)
def test_each_kind_of_mutation(post: tuple[State, State], generator: Generator) -> None:
    earlier, state = post
    rng, done = random.Random(generator.__name__), 0
    while done < 6:
        mutation = generator(state, earlier, rng)
        if mutation is None or all(state.files.get(name) == data for name, data in mutation.files.items()):
            continue
        done += 1
        verdict = judge(state, mutation)
        assert wrongs(mutation, verdict) == [], (mutation.kind, mutation.touched, verdict.blamed)


@pytest.mark.slow
def test_mutations_at_random(post: tuple[State, State]) -> None:
    earlier, state = post
    seed = random.SystemRandom().randrange(1 << 30)
    print(f"seed {seed}")
    for mutation in itertools.islice(mutations(state, earlier, random.Random(seed)), 100):
        verdict = judge(state, mutation)
        assert wrongs(mutation, verdict) == [], (seed, mutation.kind, mutation.touched, verdict.blamed)
    assert verify_folder(state.root / "a", key=state.key).ok, "everything was put back"


def test_a_silent_deletion_of_everything_is_found_with_the_key_alone(post: tuple[State, State]) -> None:
    _, state = post
    gone = {name: None for name in state.files if "/ledger/" in name or name.startswith("a/index.db")}
    write(state, gone)
    try:
        assert not verify_folder(state.root / "a", key=state.key).ok
    finally:
        write(state, {name: state.files[name] for name in gone})
