"""Whatever is done to a package is found, and what was done is blamed: by `verify`, and by the page that needs nothing."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
from tests.rig.mutations_package import MUTATIONS, Files, flip_zip, mutations, wrongs
from tests.support.evidence_case import FRAGMENT_US, files_of, make_package, record_post, run_check, write_zip

from longwatch.evidence import verify_package
from longwatch.evidence.reading import PackageReader


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Files, Files]:
    """Two whole packages of one post."""
    folder = tmp_path_factory.mktemp("post")
    from_us, to_us = asyncio.run(record_post(folder / "data"))
    make_package(folder / "data", folder / "one.zip", from_us, to_us)
    make_package(folder / "data", folder / "two.zip", from_us + 2 * FRAGMENT_US, to_us - 1_000_000)
    return files_of(folder / "one.zip"), files_of(folder / "two.zip")


@pytest.mark.slow
# Each seed draws other files of the same kinds of change; the first draws all kinds too.
@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.long) for n in range(1, 4))])
def test_every_mutation_is_found_and_nothing_else_is_blamed(two, tmp_path: Path, seed: int):
    one, other = two
    assert verify_package(write_zip(tmp_path / "whole.zip", one)).ok
    wrong, kinds = [], set()
    for made in mutations(one, other, random.Random(seed)):
        verdict = verify_package(write_zip(tmp_path / "p.zip", made.files))
        wrong += wrongs(made, [(f.what, f.from_us, f.to_us) for f in verdict.blamed])
        kinds.add(made.name)
    assert wrong == []
    assert len(kinds) >= len(MUTATIONS) - 2, "which files are taken is drawn by lot"


@pytest.mark.slow
def test_a_zip_whose_own_bytes_were_changed_fails_or_reads_as_before(two, tmp_path: Path):
    path = write_zip(tmp_path / "p.zip", two[0])
    data, rng, unseen = path.read_bytes(), random.Random(11), 0
    for _ in range(400):
        path.write_bytes(flip_zip(data, rng))
        if not verify_package(path).ok:
            continue
        unseen += 1
        with PackageReader(path) as reader:
            assert {name: b"".join(reader.chunks(name)) for name in reader.names} == two[0]
    assert 0 < unseen < 400, "dates, checksums and the like change nothing that is parsed"


@pytest.mark.slow
def test_the_page_finds_them_too(two, tmp_path: Path):
    one, other = two
    assert run_check(write_zip(tmp_path / "whole.zip", one))[0] == 0
    wrong = []
    for made in mutations(one, other, random.Random(7)):
        code, said = run_check(write_zip(tmp_path / "p.zip", made.files))
        named = [line for line in said if line.startswith("FAIL ")]
        files = [each.split(": ")[0] for each in made.blamed]
        if code != 1 or not named or said[-1] != "FAILED":
            wrong.append(f"undetected: {made.name} {made.blamed}: {said}")
        wrong += [
            f"falsely blamed: {line} for {made.name} {made.blamed}"
            for line in named
            if not any(f in line for f in files)
        ]
    assert wrong == []
