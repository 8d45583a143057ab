"""What holds between the keys that say how a camera is looked at."""

from __future__ import annotations

import difflib

from longwatch.config.model import Camera, Settings
from longwatch.config.problems import Problem
from longwatch.config.tree import Tree
from longwatch.model.heat import WHOLE


def of_twins(settings: Settings, tree: Tree) -> list[Problem]:
    """Each camera has one twin at most, which is there and sees by the other means."""
    problems = []
    twin_of: dict[str, str] = {}
    for camera in settings.cameras.values():
        other = camera.twin
        if other is None:
            continue
        found = settings.cameras.get(other)
        if found is None:
            close = difflib.get_close_matches(other, settings.cameras, 1, 0.6)
            what, remedy = (
                f"there is no camera {other!r}",
                f"did you mean {close[0]}?" if close else "name a camera of this file",
            )
        elif found.kind == camera.kind:
            what, remedy = f"{camera.id} and {other} are both {camera.kind}", "of two twins one is `kind: thermal`"
        elif twin_of.get(camera.id, other) != other or twin_of.get(other, camera.id) != camera.id:
            taken = other if twin_of.get(camera.id, other) == other else camera.id
            what, remedy = f"{taken} is the twin of {twin_of[taken]} already", "a camera has one twin"
        else:
            twin_of |= {camera.id: other, other: camera.id}
            continue
        problems.append(tree.problem(("cameras", camera.id, "twin"), what, remedy))
    return problems


def of_camera(settings: Settings, camera: Camera, tree: Tree) -> list[Problem]:
    """Problems of one camera, each with its place."""
    problems = []
    where = ("cameras", camera.id)
    asked = camera.looked_at
    if asked is not None and asked.stream == "sub" and camera.streams.sub is None:
        remedy = "add `sub:` to its streams, or write `auto`"
        problems.append(tree.problem((*where, "detect", "stream"), "the camera has no stream `sub`", remedy))
    if settings.detection.model is None:
        what, remedy = "nothing classifies what moves: there is no model", "name its folder: `detection: {model: DIR}`"
        asking = [(n, zone.objects) for n, zone in enumerate(camera.zones)]
        problems += [tree.problem((*where, "zones", n, "objects"), what, remedy) for n, objects in asking if objects]
        if asked is not None and asked.objects:
            problems.append(tree.problem((*where, "detect", "objects"), what, remedy))
    taken: set[str] = set()
    named = [("zones", number, zone.name) for number, zone in enumerate(camera.zones)]
    for key, number, name in [*named, *(("lines", number, line.name) for number, line in enumerate(camera.lines))]:
        if name in taken:
            what = f"{name!r} is the name of another zone or line"
            problems.append(tree.problem((*where, key, number, "name"), what, "give each its own"))
        taken.add(name)
    problems += _of_radiometry(camera, tree)
    for number, line in enumerate(camera.lines):
        if line.from_ == line.to:
            problems.append(tree.problem((*where, "lines", number), "from and to are the same point", "draw it longer"))
    return problems


def _of_radiometry(camera: Camera, tree: Tree) -> list[Problem]:
    problems = []
    if camera.radiometry is None:
        return []
    where = ("cameras", camera.id, "radiometry")
    if camera.masks:
        problems.append(
            tree.problem(
                where,
                "a masked camera's metadata and stills are not taken",
                "its picture is made anew: leave one of the two out",
            )
        )
    problems += _of_stills(camera, tree)
    taken: set[str] = set()
    for number, alarm in enumerate(camera.radiometry.alarms):
        path = (*where, "alarms", number)
        if alarm.name in taken:
            problems.append(tree.problem((*path, "name"), f"{alarm.name!r} is there twice", "give each its own"))
        taken.add(alarm.name)
        if alarm.above is None and alarm.below is None:
            problems.append(tree.problem(path, "it says no temperature", "add `above: 80` or `below: 0`"))
        elif alarm.above is not None and alarm.below is not None and alarm.below >= alarm.above:
            problems.append(tree.problem((*path, "below"), "below is not under above", "between the two all is well"))
    return problems


def _of_stills(camera: Camera, tree: Tree) -> list[Problem]:
    stills = None if camera.radiometry is None else camera.radiometry.stills
    if stills is None:
        return []
    where = ("cameras", camera.id, "radiometry", "stills")
    problems = []
    if stills.gain == 0:
        problems.append(tree.problem((*where, "gain"), "every value would be the same temperature", "leave it out"))
    if stills.gain is None and stills.offset:
        problems.append(tree.problem((*where, "offset"), "an offset without `gain` says nothing", "add `gain`"))
    taken = {WHOLE}
    named = [("areas", number, area.name) for number, area in enumerate(stills.areas)]
    for key, number, name in [*named, *(("spots", number, spot.name) for number, spot in enumerate(stills.spots))]:
        if name in taken:
            what = f"{name!r} is the whole still" if name == WHOLE else f"{name!r} is there twice"
            problems.append(tree.problem((*where, key, number, "name"), what, "give each its own"))
        taken.add(name)
    return problems
