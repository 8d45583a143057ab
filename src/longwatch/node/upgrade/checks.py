"""What is asked of a release before anything is unpacked: whether it fits this post, may be gone back from, and finds room. Pure but for sizes on the disk."""

from __future__ import annotations

from pathlib import Path

from longwatch.base.errors import LongwatchError
from longwatch.node.upgrade.back import INDEX, SERVER
from longwatch.node.upgrade.formats import DATA_FOLDER, SUPERVISOR
from longwatch.node.upgrade.install import needed_here, size_of
from longwatch.node.upgrade.order import Order
from longwatch.trust.release import Release, misfit, order_of
from longwatch.trust.wheels import this_host

_UNPACKED = 4
"""A wheel is compressed, and what was compiled lies beside: so many times its size, its own among them."""
_ENVIRONMENT_BYTES = 32 << 20


class RefusedError(LongwatchError):
    """A bundle that is not going to be switched to, however often it is tried."""


def check(release: Release, order: Order, runs: str) -> None:
    """Raises RefusedError where it may not be switched to on this post. runs: the version that runs."""
    if order.version and release.version != order.version:
        raise RefusedError(f"the bundle holds version {release.version}, and {order.version} was ordered")
    if order.hub and order_of(release.version) <= order_of(runs):
        raise RefusedError(f"{release.version} is not newer than {runs}, which runs here")
    why = misfit(release, this_host())
    if why:
        raise RefusedError(f"it cannot run here: {why}")
    for name, ours, what in (
        ("data_folder", DATA_FOLDER, "data folders"),
        ("supervisor", SUPERVISOR, "what `longwatch run` starts"),
    ):
        form = release.formats.get(name)
        if form is None or not form.reads <= ours or form.writes != ours:
            said = "nothing" if form is None else f"{form.writes}"
            raise RefusedError(
                f"there would be no way back from it: its form of {what} is {said}, and this version's {ours}; install it by its package"
            )


def space_needed(release: Release, data: Path) -> int:
    """Bytes: its wheels and what comes of them, what is taken over from here, and both databases twice. Raises LongwatchError for what is lacking
    here, OSError.
    """
    wheels = sum(wheel.size for wheel in release.wheels)
    taken = sum(size_of(each) for each in needed_here(release))
    databases = sum(path.stat().st_size for name in (INDEX, SERVER) if (path := data / name).exists())
    return wheels * _UNPACKED + taken + 2 * databases + _ENVIRONMENT_BYTES
