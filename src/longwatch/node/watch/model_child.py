"""Whether a model for objects can be used here, and what a picture costs: `python -m longwatch.node.watch.model_child DIR`, started by `node.watch.modelling` alone.

It reads the folder, gives up what a look child gives up, opens the model, asks it about noise, and says what came of it as one line of JSON on its standard output.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from longwatch.detection.inference import Model
from longwatch.detection.manifest import ModelError, read_folder
from longwatch.node.watch.look_child import MEMORY_BYTES
from longwatch.node.watch.look_objects import memory_for
from longwatch.pictures.limits import confine

_MOST_S = 60
_ROUNDS, _ENOUGH_S = 300, 2.0


def told(folder: Path, parent: int) -> dict[str, Any]:
    """What is known of it. Raises ModelError, MemoryError."""
    read = read_folder(folder)
    noise = np.random.default_rng(0).integers(0, 255, (180, 180, 3), np.uint8)  # now: it is imported at its first use
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    confine(memory_bytes=MEMORY_BYTES + memory_for(read), descriptors=5, cpu_seconds=_MOST_S, parent=parent)
    model = Model(read)
    began, rounds = time.process_time(), 0
    while rounds < _ROUNDS and time.process_time() - began < _ENOUGH_S:
        model.find(noise)
        rounds += 1
    crop_s = (time.process_time() - began) / rounds  # the mean of many: some kernels count in ticks
    manifest = read.manifest
    return {
        "ok": True, "name": manifest.name, "version": manifest.version, "licence": manifest.licence, "about": manifest.about, "layout": manifest.layout,
        "input": [manifest.input.width, manifest.input.height], "bytes": len(read.data), "sha256": manifest.sha256,
        "classes": dict(zip(manifest.classes, manifest.kinds, strict=True)), "finds": list(manifest.says),
        "crop_s": round(crop_s, 6), "memory_bytes": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024,
    }  # fmt: skip


def main() -> int:
    """The exit code: 0 where something could be said."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    try:
        said = told(Path(sys.argv[1]), os.getppid())
    except ModelError as error:
        said = {"ok": False, "what": error.what, "why": error.why, "remedy": error.remedy}
    except MemoryError:
        said = {
            "ok": False,
            "what": "the model needs more memory than it may have",
            "why": "",
            "remedy": "take a smaller one",
        }
    out.write(json.dumps(said) + "\n")
    out.flush()
    return 0


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)
