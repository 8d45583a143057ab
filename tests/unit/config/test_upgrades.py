"""Who may bring new versions to a post: said at the post, and by nobody else."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.support.release_case import settings_of

from longwatch.config import SettingsError, compose, first_folder, resolved
from longwatch.config.leaving import changes_upgrades
from longwatch.trust import SigningKey

POST = "post: {id: ridge}\ndata: [data, /srv/more]\n"
KEY = SigningKey(Ed25519PrivateKey.generate())


def test_without_the_section_nobody_may(tmp_path: Path):
    settings = compose(tmp_path / "x.yml", POST, {}, tmp_path)
    assert settings.upgrades is None
    assert "upgrades" not in resolved(settings)


@pytest.mark.parametrize("origin", ["hand", "hub"])
def test_with_it_one_key_and_a_trial(tmp_path: Path, origin: str):
    settings = compose(tmp_path / "x.yml", POST + settings_of(KEY, "15m", origin), {}, tmp_path)
    assert settings.upgrades is not None
    assert (settings.upgrades.from_hub, settings.upgrades.trial) == (origin == "hub", 900)
    assert resolved(settings)["upgrades"]["from"] == origin, "a change of it is an entry"


@pytest.mark.parametrize(
    "section", ["{from: hub}", "{from: there, key: x}", "{key: 'longwatch-release+00000000+AAAA'}", "{key: ''}", "hub"]
)
def test_what_is_no_such_section(tmp_path: Path, section: str):
    with pytest.raises(SettingsError, match="upgrades"):
        compose(tmp_path / "x.yml", f"{POST}upgrades: {section}\n", {}, tmp_path)


def test_a_hub_has_none(tmp_path: Path):
    hub = "hub: {id: hq}\ndata: data\nuplink: {listen: '127.0.0.1:8461'}\n"
    with pytest.raises(SettingsError, match="upgraded by its package"):
        compose(tmp_path / "x.yml", hub + settings_of(KEY), {}, tmp_path)


def test_settings_from_elsewhere_may_not_change_it():
    mine, other = POST + settings_of(KEY), POST + settings_of(SigningKey(Ed25519PrivateKey.generate()))
    assert not changes_upgrades(mine, mine.replace("ridge}", "ridge, name: The ridge}"))
    assert changes_upgrades(mine, other)
    assert changes_upgrades(mine, mine.replace("hand", "hub"))
    assert changes_upgrades(mine, POST)
    assert changes_upgrades(POST, mine)
    anchored = f"x: &a {settings_of(KEY).removeprefix('upgrades: ').strip()}\n{POST}upgrades: *a\n"
    assert not changes_upgrades(mine, anchored)


def test_the_data_folder_of_settings_that_this_version_cannot_read(tmp_path: Path):
    path = tmp_path / "x.yml"
    path.write_text(POST + "of_a_newer_version: {a: 1}\n")
    assert first_folder(path) == tmp_path / "data"
    path.write_text("data: '/srv/$${x}'\n")
    assert first_folder(path) == Path("/srv/${x}")
    for text in ("data: [1]\n", "data: {}\n", "post: {id: x}\n", "- a\n", "{", "data: ${X}\n"):
        path.write_text(text)
        assert first_folder(path) is None
    assert first_folder(tmp_path / "gone.yml") is None
