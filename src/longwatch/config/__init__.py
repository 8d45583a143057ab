"""The one file of settings: read, checked with line and column, and composed into each service's own options.

Comes in: a YAML file, the environment, a secrets file. Promises: every problem is named with its line, its column and
what would be right; `${NAME}` is expanded after YAML and URL are parsed; every secret is registered with `base.secrets`
before anything is said about it. Nobody else knows that a file exists: the recorder gets `resolved` as JSON.

`load(path) -> Settings`; `load_kept`, the same with the last good ones to fall back on; `find(path | None) -> Path`; `resolved(settings) -> dict`; `schema() -> dict`.
`python -m longwatch.config resolve PATH` is how the recorder, which imports no Pydantic, reads its settings.
"""

from longwatch.config.last_good import load_kept
from longwatch.config.loader import compose, find, load
from longwatch.config.model import Camera, Settings, StreamUrl
from longwatch.config.problems import Problem, SettingsError
from longwatch.config.resolved import resolved
from longwatch.config.schema import schema

__all__ = [
    "Camera",
    "Problem",
    "Settings",
    "SettingsError",
    "StreamUrl",
    "compose",
    "find",
    "load",
    "load_kept",
    "resolved",
    "schema",
]
