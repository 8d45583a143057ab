"""What holds between the keys about switches and the cameras behind them."""

from __future__ import annotations

import difflib

from longwatch.config.model import Camera, Settings
from longwatch.config.problems import Problem
from longwatch.config.tree import Tree


def of_camera(settings: Settings, camera: Camera, tree: Tree) -> list[Problem]:
    """`behind` names a switch, and a port is of one."""
    path = ("cameras", camera.id)
    if camera.behind is None:
        if camera.port is None:
            return []
        return [tree.problem((*path, "port"), "of which switch is this port?", "add `behind:` with the switch's name")]
    if camera.behind not in settings.switches:
        close = difflib.get_close_matches(camera.behind, settings.switches, 1, 0.6)
        known = ", ".join(settings.switches)
        remedy = f"did you mean {close[0]}?" if close else f"known are: {known}" if known else "add it to `switches:`"
        return [tree.problem((*path, "behind"), f"there is no switch {camera.behind!r}", remedy)]
    return []


def of_switches(settings: Settings, tree: Tree) -> list[Problem]:
    """Each can be asked as its version wants, and feeds one camera at each port."""
    problems = []
    for name, switch in settings.switches.items():
        snmp, path = switch.snmp, ("switches", name, "snmp")
        if snmp is None:
            continue
        if snmp.version == "2c":
            wrong = [
                key for key in ("user", "auth", "auth_password", "privacy", "privacy_password") if getattr(snmp, key)
            ]
            if wrong:
                problems.append(tree.problem((*path, wrong[0]), "version 2c knows no users", "write `version: 3`"))
            continue
        if not snmp.user:
            problems.append(tree.problem(path, "version 3 asks for a user", "add `user:`"))
        if snmp.community is not None:
            problems.append(tree.problem((*path, "community"), "version 3 knows no community", "take it out"))
        for one, other in (("auth", "auth_password"), ("privacy", "privacy_password")):
            if bool(getattr(snmp, one)) != bool(getattr(snmp, other)):
                missing = other if getattr(snmp, one) else one
                problems.append(tree.problem(path, f"`{one}` and `{other}` go together", f"add `{missing}:`"))
        if snmp.privacy and not snmp.auth:
            problems.append(tree.problem((*path, "privacy"), "privacy needs a known user", "add `auth:`"))
    return problems + _shared_ports(settings, tree)


def _shared_ports(settings: Settings, tree: Tree) -> list[Problem]:
    """Two cameras may share a port (a switch of its own behind it), but then its power says nothing of one of them."""
    seen: dict[tuple[str, int, int], str] = {}
    problems = []
    for camera in settings.cameras.values():
        if camera.behind is None or camera.port is None:
            continue
        key = (camera.behind, camera.port.group, camera.port.poe)
        other = seen.setdefault(key, camera.id)
        if other != camera.id:
            what = f"{other} stands at this port of {camera.behind} already"
            problems.append(tree.problem(("cameras", camera.id, "port"), what, "each camera has a port of its own"))
    return problems
