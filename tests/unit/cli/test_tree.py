"""Only the verb that is called is put together; no verb is forgotten by that."""

from __future__ import annotations

import importlib
import pkgutil

import typer
from typer.testing import CliRunner

from longwatch import cli
from longwatch.cli.app import ROOMS, tree


def _verbs(app: typer.Typer) -> list[str | None]:
    return [each.name for each in (*app.registered_commands, *app.registered_groups)]


def test_the_table_names_every_verb_of_every_room() -> None:
    for room, verbs in ROOMS.items():
        app = typer.Typer()
        importlib.import_module(f"longwatch.cli.{room}").add_to(app)
        assert sorted(map(str, _verbs(app))) == sorted(verbs), room
    rooms = {module.name for module in pkgutil.iter_modules(cli.__path__)}
    parts = {name for name in rooms if hasattr(importlib.import_module(f"longwatch.cli.{name}"), "add_to")} - set(ROOMS)
    assert parts <= {"hub_upgrade", "upgrade_post"}, "rooms of a tree's own"


def test_a_call_puts_one_room_together_and_any_other_word_all_of_them() -> None:
    everything = [verb for verbs in ROOMS.values() for verb in verbs]
    assert _verbs(tree(["token", "list"])) == ["user", "token"]
    for words in ([], ["--help"], ["nonsense"], ["--version"]):
        assert sorted(map(str, _verbs(tree(words)))) == sorted(everything)
    assert CliRunner().invoke(tree(["token"]), ["token", "--help"]).exit_code == 0
