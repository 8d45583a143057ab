"""What `longwatch upgrade pack` asks beside the files: the program in the wheel, and the lock file."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from longwatch.base.errors import LongwatchError, UsageError
from longwatch.trust.release import Written
from longwatch.trust.wheels import normal

_PATIENCE_S = 60
_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([A-Za-z0-9.+!_]+)")
_ASK = "import sys, runpy; sys.path.insert(0, sys.argv[1]); runpy.run_module('longwatch.node.release_formats', run_name='__main__')"


def formats_of(wheel: Path) -> dict[str, Written]:
    """What the program in a wheel says that it reads and writes: it is run for it, in a child, as it will be signed in a moment. Raises LongwatchError."""
    if not wheel.is_file():
        raise UsageError(f"there is no wheel {wheel}")
    asked = [sys.executable, "-I", "-c", _ASK, str(wheel.resolve())]
    try:
        told = subprocess.run(asked, capture_output=True, text=True, timeout=_PATIENCE_S, check=True)
        said = json.loads(told.stdout)
        return {str(name): Written(each["reads"], each["writes"]) for name, each in said.items()}
    except subprocess.CalledProcessError as error:
        why = (error.stderr or "").strip().splitlines()[-1:]
        raise LongwatchError(
            f"the program in {wheel.name} does not say what it reads and writes", why=" ".join(why)
        ) from error
    except (OSError, subprocess.TimeoutExpired, ValueError, KeyError, TypeError, AttributeError) as error:
        raise LongwatchError(
            f"the program in {wheel.name} does not say what it reads and writes", why=str(error)[:200]
        ) from error


def locked(path: Path) -> dict[str, str]:
    """Distributions and versions of a lock file, by their normalized names. Raises UsageError."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the lock file {path} cannot be read", why=str(error)) from error
    found = {normal(match[1]): match[2] for line in lines if (match := _PIN.match(line))}
    if not found:
        raise UsageError(f"{path} is no lock file", why="no line in it is NAME==VERSION")
    return found
