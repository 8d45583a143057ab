"""The one file of settings: read, checked with line and column, and composed into each service's own options.

Comes in: a YAML file, the environment, a secrets file. Promises: every problem is named with its line, its column and
what would be right; `${NAME}` is expanded after YAML and URL are parsed; every secret is registered with `base.secrets`
before anything is said about it. Nobody else knows that a file exists: the recorder gets `resolved` as JSON.

`load(path) -> Settings`; `load_lacking`, the same without what needs secrets that are missing; `load_kept`, that with the last good ones to fall back on; `find(path | None) -> Path`; `resolved(settings) -> dict`; `schema() -> dict`.
`python -m longwatch.config resolve PATH` is how the recorder, which imports no Pydantic, reads its settings.

What reads settings is imported when it is first asked for: Pydantic and the models take a third of a second, and a verb that only looks where
the data folder is needs neither.
"""

from typing import TYPE_CHECKING

from longwatch.base.deferred import at_first_use
from longwatch.config.finding import find, first_folder
from longwatch.config.problems import Problem, SettingsError

if TYPE_CHECKING:
    from longwatch.config.data_folders import folder_problems
    from longwatch.config.last_good import load_kept
    from longwatch.config.loader import compose, load, load_lacking
    from longwatch.config.model import Camera, Settings, StreamUrl
    from longwatch.config.published import schema
    from longwatch.config.resolving import resolved

__all__ = [
    "Camera",
    "Problem",
    "Settings",
    "SettingsError",
    "StreamUrl",
    "compose",
    "find",
    "first_folder",
    "folder_problems",
    "load",
    "load_kept",
    "load_lacking",
    "resolved",
    "schema",
]

_AT_FIRST_USE = {
    "Camera": "model",
    "Settings": "model",
    "StreamUrl": "model",
    "compose": "loader",
    "folder_problems": "data_folders",
    "load": "loader",
    "load_kept": "last_good",
    "load_lacking": "loader",
    "resolved": "resolving",
    "schema": "published",
}


def __getattr__(name: str) -> object:
    return at_first_use(__name__, _AT_FIRST_USE, name)
