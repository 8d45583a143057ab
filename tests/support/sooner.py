"""Real processes that wait less: the times that a person would not want to set, and a test does not want to sit through.

Only how long something is waited for is changed, in the started processes, as they load the module that says it. What the times are in the product
is held by the unit tests of those modules.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Mapping
from pathlib import Path

SITE = Path(__file__).with_name("sooner_site")

SILENT_CAMERA = {
    "longwatch.accounting.alarms": "SILENT_US = 3_000_000\nRAISE_AFTER_US = {AlarmKind.CAMERA_SILENT: SILENT_US}\nBACK_US |= {AlarmKind.CAMERA_SILENT: 1_000_000}"
}
"""A camera is silent after three seconds instead of ten, and back after one instead of five."""

NETWORK = {
    f"longwatch.node.{module}": words
    for module, words in {
        "post.confirming": "EVERY_S = 0.5",
        "hub.above": "EVERY_S = 1.0",
        "hub.keeping": "TELL_EVERY_S = 1.0",
        "hub.relay": "EVERY_S = 1.0",
        "hub.requests": "EVERY_S = 1.0",
        "hub.silence": "TELL_EVERY_S = 1.0",
        "hub.upgrades": "LOOK_S = 1.0",
        "post.obeying": "LOOK_S = 0.5",
        "post.hub_link": "LOOK_EVERY_S = 1.0",
        "post.media": "EVERY_S = 0.5",
        "post.uplink": "GOOD_AFTER_US = 2_000_000",
        "upgrade.upgrading": "LOOK_S = 0.5",
    }.items()
}
"""Posts and hubs look each second for what they look for every two to five; a connection that lasted two seconds instead of twenty was a good one, after
which the next one is tried at once.
"""


def environment(words: Mapping[str, str]) -> dict[str, str]:
    """For a process; words: Python by the name of the module that it is run in, once that is loaded."""
    if not words:
        return dict(os.environ)
    missing = [name for name in words if importlib.util.find_spec(name) is None]
    assert not missing, f"no module of these names is there to wait less: {missing}"
    path = os.pathsep.join(filter(None, [str(SITE), os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": path, "LONGWATCH_TEST_SOONER": json.dumps(dict(words))}
