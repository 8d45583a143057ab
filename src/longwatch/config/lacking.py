"""Settings of which some names stand for no secret: what needs those is left out, and all else is as it says.

Somebody tidied up the secrets file, or it cannot be read. A camera stays, and is not asked: the recorder answers for its time, and says why it has no
footage. A channel stays, and its messages wait. What only helps goes: who feeds a camera, a UPS, a broker, a provider of identities. What a hub keeps all
it has in cannot be left out, and is as wrong as ever.
"""

from __future__ import annotations

from typing import Any

from longwatch.config import expand, secret_places
from longwatch.config.model import Settings
from longwatch.config.problems import Problem
from longwatch.config.tree import Path_, Tree

Lacked = dict[Path_, tuple[str, ...]]
"""Where a name stands for nothing, and which."""
NOWHERE = "rtsp://secret-missing.invalid/"
_NOWHERE_BY_HTTP = "http://secret-missing.invalid/"
_HELPERS = frozenset({"ups", "mqtt"})


def left_out(tree: Tree, lacked: Lacked, names: expand.Names, problems: list[Problem]) -> list[Problem]:
    """Take out of the tree what cannot stand without its secrets. What cannot be left out goes to `problems`; the rest is told."""
    told: list[Problem] = []
    for path, missing in lacked.items():
        wrong = [names.not_set(name) for name in missing]
        said = [tree.problem(path, one.what, one.remedy) for one in wrong]
        (told if _take_out(tree.root, path) else problems).extend(said)
    return told


def _take_out(root: dict[str, Any], path: Path_) -> bool:
    if secret_places.is_stream(path):
        return True
    if secret_places.is_stills(path):
        _holder(root, path)["url"] = _NOWHERE_BY_HTTP
    elif secret_places.is_device(path):
        _holder(root, path[:-1]).pop(str(path[2]), None)
    elif path[0] == "switches" and path[2:3] == ("snmp",):
        _holder(root, path[:-1]).pop("snmp", None)
    elif path[0] in _HELPERS:
        root.pop(str(path[0]), None)
    elif path[:2] == ("web", "oidc"):
        _holder(root, ("web", "oidc")).pop("oidc", None)
    elif path[:2] == ("notify", "channels"):
        channel = _holder(root, path)
        channel |= {"url": NOWHERE}
        channel.pop("secret", None)
    else:
        return False
    return True


def _holder(root: dict[str, Any], path: Path_) -> dict[str, Any]:
    """What holds the last key of a path; an empty one where that was taken out already."""
    node: Any = root
    for key in path[:-1]:
        node = node.get(key) if isinstance(node, dict) else None
    return node if isinstance(node, dict) else {}


def mark(settings: Settings, lacked: Lacked) -> None:
    """Say of cameras and channels what they lack."""
    for path, missing in lacked.items():
        if secret_places.is_stream(path) or secret_places.is_stills(path):
            camera = settings.cameras.get(str(path[1]))
            if camera is not None:
                camera._lacking[str(path[3])] = missing  # noqa: SLF001 - none of its keys
        elif path[:2] == ("notify", "channels") and str(path[2]) in settings.notify.channels:
            channel = settings.notify.channels[str(path[2])]
            channel._lacking = tuple(dict.fromkeys((*channel._lacking, *missing)))  # noqa: SLF001 - none of its keys
