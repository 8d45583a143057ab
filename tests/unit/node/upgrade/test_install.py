"""What a release takes over from the environment that runs: the very version, file by file, each by its hash; and what it can do without."""

from __future__ import annotations

import json
import re
from importlib.metadata import Distribution, PathDistribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from tests.support import release_case

from longwatch.base.errors import LongwatchError
from longwatch.node.upgrade import children as upgrade_children
from longwatch.node.upgrade import install as upgrade_install
from longwatch.node.upgrade.checks import RefusedError
from longwatch.node.upgrade.children import run_child
from longwatch.node.upgrade.install import OPTIONAL, files_of, name_of, needed_here, take_over
from longwatch.node.upgrade.state import is_name
from longwatch.trust.release import Release
from longwatch.trust.wheels import normal

HEAVY = ("numpy", "onnxruntime", "opencv-python-headless")


def release(requires: dict[str, str]) -> Release:
    return Release("1.2.3rc1.post2", "", (), requires, sha256=bytes(32))


def closure(names: list[str]) -> set[str]:
    """These distributions and all that they need, as their metadata says."""
    seen: set[str] = set()
    todo = list(names)
    while todo:
        name = normal(todo.pop())
        if name in seen:
            continue
        seen.add(name)
        for text in distribution(name).requires or ():
            wanted = Requirement(text)
            if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
                todo.append(wanted.name)
    return seen


def test_what_a_post_may_lack_is_what_only_looking_needs():
    locked = set(release_case.locked())
    assert set(HEAVY) <= locked
    assert closure(list(HEAVY)) - closure(["longwatch"]) == OPTIONAL
    assert locked >= OPTIONAL


def test_the_very_version_is_taken_and_nothing_else_is():
    found = needed_here(release({"pyyaml": distribution("pyyaml").version}))
    assert [normal(each.metadata["Name"]) for each in found] == ["pip", "pyyaml"]
    with pytest.raises(LongwatchError, match=r"pyyaml 0\.1 \(here is .*nothing-like-it 2\.0"):
        needed_here(release({"pyyaml": "0.1", "nothing-like-it": "2.0"}))


def test_a_post_that_looks_at_nothing_needs_nothing_for_that(monkeypatch: pytest.MonkeyPatch):
    whole = upgrade_install.distribution

    def without(name: str) -> Distribution:
        if name in OPTIONAL:
            raise upgrade_install.PackageNotFoundError(name)
        return whole(name)

    monkeypatch.setattr(upgrade_install, "distribution", without)
    assert len(needed_here(release(dict.fromkeys(OPTIONAL, "1.0")))) == 1


@pytest.fixture
def installed(tmp_path: Path) -> PathDistribution:
    """Two modules, a script and what was compiled, with their RECORD."""
    site = tmp_path / "lib" / "site-packages"
    info = site / "thing-1.0.dist-info"
    info.mkdir(parents=True)
    files = {
        "thing.py": b"x = 1\n",
        "deep/er.py": b"y = 2\n",
        "thing-1.0.dist-info/METADATA": b"Name: thing\nVersion: 1.0\n",
    }
    for name, content in files.items():
        (site / name).parent.mkdir(exist_ok=True)
        (site / name).write_bytes(content)
    lines = [f"{name},sha256={release_case.hash_of(content)},{len(content)}" for name, content in files.items()]
    lines += ["__pycache__/thing.cpython-311.pyc,,", "../../bin/thing,sha256=x,1", "thing-1.0.dist-info/RECORD,,"]
    (info / "RECORD").write_text("\n".join(lines))
    return PathDistribution(info)


def test_its_modules_come_with_it_and_scripts_do_not(installed: PathDistribution, tmp_path: Path):
    target = tmp_path / "new"
    take_over(installed, target)
    assert sorted(str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()) == [
        "deep/er.py", "thing-1.0.dist-info/METADATA", "thing-1.0.dist-info/RECORD", "thing.py",
    ]  # fmt: skip
    assert (target / "thing.py").read_bytes() == b"x = 1\n"


def test_what_was_changed_since_is_not_taken(installed: PathDistribution, tmp_path: Path):
    (tmp_path / "lib" / "site-packages" / "deep" / "er.py").write_bytes(b"y = 3\n")
    with pytest.raises(LongwatchError, match=r"deep/er\.py is not what was installed"):
        take_over(installed, tmp_path / "new")


def test_where_nothing_can_be_linked_it_is_copied(
    installed: PathDistribution, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(upgrade_install.os, "link", refused)
    take_over(installed, tmp_path / "new")
    assert (tmp_path / "new" / "thing.py").stat().st_nlink == 1


def test_a_file_that_nobody_hashed_is_not_taken(installed: PathDistribution):
    record = Path(str(installed.locate_file("thing-1.0.dist-info/RECORD")))
    record.write_text(re.sub(r"(deep/er\.py),.*", r"\1,,", record.read_text()))
    with pytest.raises(LongwatchError, match="no hash"):
        list(files_of(installed))
    record.unlink()
    with pytest.raises(LongwatchError, match="no RECORD"):
        list(files_of(installed))


def test_an_environment_is_named_by_version_and_hash():
    name = name_of(release({}))
    assert name.name == "1.2.3rc1.post2-00000000"
    assert is_name(name.name)


async def test_a_child_says_one_thing(monkeypatch: pytest.MonkeyPatch):
    assert await run_child(["-c", "print('noise'); print('{\"done\": 1}')"], 60) == {"done": 1}
    for code, word in (
        ('print(\'{"failed": "no"}\')', "^no$"),
        ("raise SystemExit('it is so')", "it ended with 1: it is so"),
        ("import os; os.kill(os.getpid(), 9)", "without a word"),
        ("print([])", "without a word"),
    ):
        with pytest.raises(RefusedError, match=word):
            await run_child(["-SEc", code], 60)
    with pytest.raises(RefusedError, match="not done within"):
        await run_child(
            ["-SEc", "import time; time.sleep(600)"], 0.01
        )  # it is ended long before: the test waits for no sleep
    with pytest.raises(RefusedError, match="cannot be started"):
        await run_child([], 60, python="/nowhere/python")
    assert json.dumps(upgrade_children._answer(b"{}\n{\n")) == "{}"
