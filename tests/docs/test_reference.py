"""What the reference names exists, and what exists is named: commands, options, settings, faults, files, routes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic import BaseModel

from longwatch.cli.app import app
from longwatch.config import model, schema
from longwatch.config.loader import _model_in
from longwatch.simulate.faults import FAULTS

ROOT = Path(__file__).parents[2]
REF = ROOT / "docs" / "ref"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
COMMANDS = (REF / "commands.md").read_text()
SETTINGS = (REF / "settings.md").read_text()


def commands(group: Any = None, names: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """Every command there is, by its words."""
    group = group or typer.main.get_command(app)
    found = {}
    for name, command in group.commands.items():
        inner = getattr(command, "commands", None)
        found |= commands(command, (*names, name)) if inner else {(*names, name): command}
    return found


THERE = commands()


def sections() -> dict[tuple[str, ...], str]:
    """The reference, by command."""
    found = {}
    for part in COMMANDS.split("\n## ")[1:]:
        head, _, body = part.partition("\n")
        words = [word for word in head.strip("`").split(" ")[1:] if word.islower()]
        found[tuple(words)] = head + body
    return found


def options(command: Any) -> set[str]:
    named = {name for p in command.params if p.param_type_name == "option" for name in [*p.opts, *p.secondary_opts]}
    return {name for name in named if name.startswith("--")} - {"--help"}


def test_every_command_is_described_and_none_that_there_is_not():
    assert set(sections()) == set(THERE)


@pytest.mark.parametrize("words", THERE, ids=" ".join)
def test_every_option_is_described_and_none_that_there_is_not(words):
    said = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", sections()[words]))
    assert options(THERE[words]) == said


@pytest.mark.parametrize("words", THERE, ids=" ".join)
def test_every_command_has_help_with_an_example(words):
    text = THERE[words].help or ""
    assert f"Example: `longwatch {' '.join(words)}" in text, text


def test_every_fault_is_described():
    for name, text in FAULTS.items():
        assert f"| `{name}` | {text} |" in COMMANDS


WHOLE = {
    "schedule",
    "power_windows",
    "uplink.windows",
    "uplink.strips",
    "uplink.pictures",
    "uplink.clips",
    "detect",
}  # lists, or `off`


def keys(section: type[BaseModel], before: str = "") -> set[str]:
    """The dotted keys of a section."""
    found = set()
    for name, field in section.model_fields.items():
        key = f"{before}{field.alias or name}"
        below = _model_in(field.annotation)
        if below is None or key in {"web.tls", "port"}:
            found.add(key)
        if below is not None and key != "cameras":
            found |= keys(below, f"{key}.") | ({key} if key in WHOLE else set())
    return found


def test_every_setting_is_described_and_none_that_there_is_not():
    wanted = keys(model.Settings) - {"cameras", "defaults"} | keys(model.Camera)
    said = set(re.findall(r"^\| `([a-z_.]+)` \|", SETTINGS, re.MULTILINE))
    assert said == wanted - {"cameras", "defaults"}
    assert "`defaults`" in SETTINGS
    assert "`cameras.ID`" in SETTINGS


def test_the_published_schema_is_current():
    published = json.loads((REF / "settings.schema.json").read_text())
    assert published == schema(), "run: python -m longwatch.config schema > docs/ref/settings.schema.json"


def test_the_example_of_the_reference_is_right(tmp_path):
    from longwatch.config import compose

    for page in (SETTINGS, (ROOT / "README.md").read_text()):
        for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL):
            text = block.replace("secrets: secrets.env", "# ")
            found = compose(
                Path("x.yml"), text, {"GATE_PASSWORD": "x", "PASSWORD": "y", "HOOK_SECRET": "z" * 16}, tmp_path
            )
            assert found.cameras or found.role == "hub"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_command_named_anywhere_exists(page):
    text = page.read_text()
    groups = {words[:n] for words in THERE for n in range(1, len(words) + 1)}
    for line in re.findall(
        r"longwatch ((?:[a-z-]+ ?)+)", "\n".join(re.findall(r"`([^`]*)`", text)) + "\n" + _shell(text)
    ):
        words = tuple(line.split())
        assert words[:1] in groups, f"{page.name} names `longwatch {line}`"
        if words[:1] not in THERE and len(words) > 1:
            assert words[:2] in groups, f"{page.name} names `longwatch {line}`"
    for line in _shell(text).splitlines():
        for words, command in THERE.items():
            if f"longwatch {' '.join(words)}" in line:
                said = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", line.split("#")[0]))
                assert said <= options(command) | {"--help"}, f"{page.name}: {line}"


def _shell(text: str) -> str:
    return "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)|<img src=\"([^\"]+)\"", page.read_text()):
        link = target[0] or target[1]
        if not link.startswith(("http:", "https:", "mailto:")):
            assert (page.parent / link).exists(), f"{page.name} links to {link}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_make_verb_named_exists(page):
    verbs = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = page.read_text()
    for verb in re.findall(r"`make ([a-z-]+)`", text) + re.findall(r"^make ([a-z-]+)", _shell(text), re.MULTILINE):
        assert verb in verbs, f"{page.name} names make {verb}"


def routes() -> set[str]:
    """The routes of the code, read from where they are declared."""
    declared = set()
    for file in (ROOT / "src/longwatch/web").rglob("*.py"):
        declared |= set(re.findall(r"\"((?:/api/v1)?/[a-z][^\"\s]*)\"", file.read_text()))
    return {re.sub(r"\{[^}]*\}", "{}", route) for route in declared}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_route_named_exists(page):
    declared = routes()
    for route in re.findall(
        r"`(?:GET |POST |DELETE |WS )?(/(?:api/v1|healthz|readyz|metrics)[^`?\s]*)", page.read_text()
    ):
        assert re.sub(r"\{[^}]*\}", "{}", route) in declared, f"{page.name} names {route}"
