"""What holds for every test."""

from __future__ import annotations

import faulthandler
import functools
import gc
import os
import re
import sys
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
import pytest_timeout
from hypothesis import HealthCheck, settings
from tests.support import made_once
from tests.support.phases import BESIDE_NICE, Phase, Phased, is_beside

from longwatch.archive import index
from longwatch.base import secrets

index.RESERVE_BYTES = 4 << 20  # a thousand data folders with 64 MiB each fill the disk that the tests run on

# The suite draws the same examples on every machine, so that a run can be repeated; `pytest --hypothesis-profile=random` draws new
# ones. How long an example takes to draw or to try says how busy the machine is, and nothing about us: it fails no test.
_PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("suite", _PATIENT, derandomize=True, database=None)
settings.register_profile("random", _PATIENT, derandomize=False)
settings.load_profile("suite")

_HERE = Path(__file__).parent
_PHASES = {"rig": Phase.RIGS, "real": Phase.RIGS, "recovery": Phase.RIGS, "e2e": Phase.BROWSERS}
_TOLD_CHARACTERS = 6000
_LAST_RESORT_S = 60
_TIDIED_WITHIN_S = 300
_WHOLLY_SLOW = {"e2e", "real", "unit/simulate", "unit/web"}
_MARKED_SLOW = re.compile(r"^pytestmark = .*\bpytest\.mark\.slow\b", re.MULTILINE)
_EXAMPLES = 40


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """What `make check` leaves out it does not import either: half of its time went there."""
    if "not slow" not in config.option.markexpr or not collection_path.is_relative_to(_HERE):
        return None
    if collection_path.is_dir():
        return True if collection_path.relative_to(_HERE).as_posix() in _WHOLLY_SLOW else None
    if collection_path.suffix == ".py" and _MARKED_SLOW.search(collection_path.read_text()):
        return True
    return None


@pytest.hookimpl(tryfirst=True)  # before xdist puts the names of groups into those of tests
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """First what kills recorders and cuts power, last what runs in a browser, and everything else between them: a page whose seconds
    are measured never runs beside a rig. Within each, what has to stay on one worker comes first, the most of it first, so that no
    worker is left with a long rest. (xdist keeps to this order by --no-loadscope-reorder.) Small tests that share what their file makes once stay
    together too: else each worker makes it.
    """
    for item in items:
        _fewer_examples(item)
        if _phase(item) is not Phase.SMALL or item.get_closest_marker("slow"):
            # Real processes on a machine that belongs to others too: what fails is told, and tried once more; the end of the run says
            # which tests needed it (RERUN), and one that needs it often is mended.
            item.add_marker(pytest.mark.flaky(reruns=1))
        if _phase(item) is Phase.SMALL and not _group(item) and _shares(item):
            item.add_marker(
                pytest.mark.xdist_group(item.path.relative_to(_HERE).with_suffix("").as_posix().replace("/", "-"))
            )
    sizes = Counter(_group(item) for item in items)

    def place(item: pytest.Item) -> tuple[int, int]:
        group = _group(item)
        return _phase(item), -sizes[group] if group else 0

    items.sort(key=place)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """What drives real processes waits for them more than it works, so three of it nearly fill two processors; a fourth worker has small tests meanwhile. A
    browser fills one by itself: when it is the turn of these, two workers are left.
    """
    if config.getvalue("dist") != "loadgroup":
        return None

    def phase_of(test: str) -> Phase:
        return _phase_of(config.rootpath / test.partition("::")[0])

    return Phased(config, log, phase_of)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Failures are told when they happen: of a run that is ended from outside one knows more than an F."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_ToldAtOnce(config))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    """See `_has_its_time`."""
    _has_its_time(item)
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """See `_has_its_time`."""
    _has_its_time(item)
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """See `_has_its_time`."""
    _has_its_time(item)
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


def _has_its_time(item: pytest.Item) -> None:
    """The setup, the call and the teardown of each try have `--timeout` seconds each. pytest-timeout by itself counts once a test, so that what hung twice hung for ever: neither what
    a test leaves behind when its time is over has a limit then, nor its second try. Where a signal does not end it (it waits in a library), the worker ends itself, and says where.
    """
    limits = pytest_timeout._get_item_settings(item)
    if not limits.timeout or (not limits.disable_debugger_detection and pytest_timeout.is_debugging()):
        return
    hook = item.config.pluginmanager.hook
    hook.pytest_timeout_cancel_timer(item=item)  # with --timeout-method=thread each is a thread of its own
    hook.pytest_timeout_set_timer(item=item, settings=limits)
    if hasattr(item.config, "workerinput"):
        faulthandler.dump_traceback_later(limits.timeout + _LAST_RESORT_S, exit=True, file=sys.__stderr__)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, object, object]:
    """A worker that hangs in what it still has to do once its tests are over would be waited for without end; one that hangs when it has said so xdist kills. (One that is let go
    before the others has said so, and waits for them.)
    """
    if hasattr(session.config, "workerinput"):
        faulthandler.dump_traceback_later(_TIDIED_WITHIN_S, exit=True, file=sys.__stderr__)
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


class _ToldAtOnce:
    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is None or report.outcome not in ("failed", "rerun"):
            return
        again = " (and is tried again)" if report.outcome == "rerun" else ""
        reporter.ensure_newline()
        reporter.write_sep("_", f"{report.when} of {report.nodeid} failed after {report.duration:.0f} s{again}")
        reporter.write_line(report.longreprtext[-_TOLD_CHARACTERS:])


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported and found stays: to look through all of it for garbage time and again meanwhile is a quarter of a worker's start."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Groups that are not kept together make two posts of one, and tests that fail for no reason of theirs. A pytest whose numbers of
    tests xdist cannot write to keeps none, and neither of them says so (pytest-xdist #1386).
    """
    made_once.databases()
    _what_is_there_stays()
    if "eventlet" in sys.modules:
        raise pytest.UsageError(
            "eventlet is imported: servers of http.server then wait for ever (tests.support.swift_rings)"
        )
    if getattr(session.config.option, "loadgroup", False):  # on a worker, with --dist loadgroup
        astray = [item.nodeid for item in session.items if _group(item) and "@" not in item.nodeid]
        if astray:
            raise pytest.UsageError(
                f"this xdist keeps no groups together with pytest {pytest.__version__}: {astray[0]}"
            )
        worker = session.config.workerinput
        if is_beside(worker["workerid"], worker["workercount"]):
            os.nice(BESIDE_NICE)


def _what_is_there_stays() -> None:
    """Modules and tests, a million objects: to look through them again and again for garbage is a tenth of the quick half's time. As a post's own
    processes do it once they are up (`longwatch.base.starting`).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def _fewer_examples(item: pytest.Item) -> None:
    """Of what draws stories and inputs `make test` tries the first few dozen of each, and `make long` all that the test asks for."""
    drawn = getattr(getattr(item, "obj", None), "_hypothesis_internal_use_settings", None)
    if drawn is None or drawn.max_examples <= _EXAMPLES:
        return
    if item.config.option.markexpr == "long":
        item.add_marker(pytest.mark.long)
    elif item.config.option.markexpr:  # a test that is run by its name tries all
        item.obj._hypothesis_internal_use_settings = settings(drawn, max_examples=_EXAMPLES)


def _phase(item: pytest.Item) -> Phase:
    return _phase_of(item.path)


@functools.cache
def _phase_of(path: Path) -> Phase:
    return _PHASES.get(path.relative_to(_HERE).parts[0], Phase.SMALL)


def _shares(item: pytest.Item) -> bool:
    """Whether it uses a fixture that its own file makes once."""
    info = getattr(item, "_fixtureinfo", None)
    made = [one for of in info.name2fixturedefs.values() for one in of] if info is not None else []
    return any(one.scope == "module" and one.baseid.endswith(item.path.name) for one in made)


def _group(item: pytest.Item) -> str:
    mark = item.get_closest_marker("xdist_group")
    return "" if mark is None else str(mark.args[0] if mark.args else mark.kwargs["name"])


@pytest.fixture(autouse=True)
def no_secrets_of_another_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test made up as a password must not be masked in what the next one reads."""
    monkeypatch.setattr(secrets, "_known", set())
    monkeypatch.setattr(secrets, "_registered", {})
    monkeypatch.setattr(secrets, "_ordered", ())
