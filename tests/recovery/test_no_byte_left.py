"""A post whose disk has not a byte left, its reserve given away too: the page opens and says so, and goes on by itself once there is room."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.support.network import Site
from tests.support.small_disks import small_disk
from tests.support.wait import until_now

pytestmark = [pytest.mark.slow, pytest.mark.root, pytest.mark.timeout(600)]
HEALTH = "/api/v1/health"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with small_disk(tmp_path / "data", "size=320m"):
        one = Site("ridge", tmp_path, {"post": {"id": "ridge", "timezone": "UTC"}, "cameras": {}})
        try:
            yield one
        finally:
            one.stop()


def fill(folder: Path) -> None:
    """All that is free, and the room that is held for last words: as a stranger who takes it in the moment it is given back."""
    os.truncate(folder / "reserve", 0)
    with (folder / "stranger").open("ab", buffering=0) as stranger:
        for size in (1 << 20, 4096, 1):
            try:
                while stranger.write(bytes(size)) == size:
                    pass
            except OSError:
                continue


def remarks(site: Site) -> list[str] | None:
    """What the page of health says; None while the server begins anew."""
    try:
        answer = site.request("GET", HEALTH)
    except httpx.HTTPError:
        return None
    return [one["what"] for one in answer.json()["remarks"]] if answer.status_code == 200 else None


def says_full(site: Site) -> bool:
    return any("in memory" in what for what in remarks(site) or ())


def is_as_ever(site: Site) -> bool:
    return remarks(site) == []


def test_a_page_opens_on_a_disk_without_a_byte_and_says_so(site: Site) -> None:
    site.start()
    assert site.token
    site.stop()
    fill(site.data)
    site.start()
    until_now(lambda: says_full(site), "the page says what is wrong", 120)
    refused = site.run("token", "add", "other", "--role", "viewer")
    assert refused.returncode == 1, refused.stdout
    assert "full" in refused.stderr
    (site.data / "stranger").unlink()
    until_now(lambda: is_as_ever(site), "the server goes on with its file", 120)
    assert site.verb("token", "add", "other", "--role", "viewer")


def test_a_disk_that_fills_under_a_running_server_takes_no_page_away(site: Site) -> None:
    site.start()
    assert site.token
    fill(site.data)
    pid = site.server_pid
    assert pid is not None
    until_now(lambda: says_full(site), "the server begins anew, from memory", 120)
    site.kill_server()
    until_now(lambda: site.server_pid not in {None, pid} and says_full(site), "and after a kill too", 120)
