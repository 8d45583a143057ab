"""What this program reads and writes, as a bundle of it says: whoever packs a release asks the very wheel, by `python -m longwatch.node.release_formats` in a child.

A post compares it with what it has before it switches: what a new version migrates has to be copied first, and what it cannot read is refused.
"""

from __future__ import annotations

import re
from importlib import resources

from longwatch.archive.index import migrations

FORMATS = ("data_folder", "index", "server_db", "supervisor")
DATA_FOLDER = 1
"""Raised when a release writes media, ledger or other files of a data folder that the release before does not read."""
SUPERVISOR = 1
"""Between the supervisor, which stays, and the roles that it starts from another environment."""


def formats() -> dict[str, dict[str, int]]:
    """By name: the oldest form that is read, and the one that is written. Of a database: the number of its newest migration."""
    server_db = max(
        int(match[1])
        for file in (resources.files("longwatch.server_db") / "migrations" / "versions").iterdir()
        if (match := re.match(r"v(\d{4})_", file.name))
    )
    return {
        "data_folder": {"reads": 1, "writes": DATA_FOLDER},
        "index": {"reads": 1, "writes": len(migrations())},
        "server_db": {"reads": 1, "writes": server_db},
        "supervisor": {"reads": 1, "writes": SUPERVISOR},
    }
