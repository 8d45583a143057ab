"""In a process of the product that a test starts: what it waits for comes sooner. See tests/support/sooner.py."""

from __future__ import annotations

import importlib.abc
import json
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class _Sooner(importlib.abc.MetaPathFinder):
    """Runs a test's words in a module that was just loaded."""

    def __init__(self, words: dict[str, str]) -> None:
        self._words = words

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in self._words:
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(fullname, path, target)
            if spec is not None and spec.loader is not None:
                self._then(spec.loader, self._words[fullname])
                return spec
        return None

    def _then(self, loader: Any, words: str) -> None:
        """Loaders are made anew for each module."""
        load = loader.exec_module

        def both(module: ModuleType) -> None:
            load(module)
            exec(words, module.__dict__)

        loader.exec_module = both


sys.meta_path.insert(0, _Sooner(json.loads(os.environ.get("LONGWATCH_TEST_SOONER", "{}"))))
