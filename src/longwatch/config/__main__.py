"""`python -m longwatch.config resolve PATH [--last-good FILE]` and `python -m longwatch.config schema`.

resolve: JSON on standard output, for a pipe alone, since it holds passwords. Exit 0; or 2 with {"errors": [...]} where
the settings are wrong, and the same in words on standard error. With --last-good, settings that are right are also kept
as FILE (their text, without the secrets file); where PATH is wrong FILE is used instead, and the JSON has
`"errors"` beside all else, so that a slip in the file never keeps a recorder down.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from longwatch.base.errors import UsageError
from longwatch.base.secrets import scrub
from longwatch.config import compose, load, resolved, schema
from longwatch.config.problems import SettingsError


def _say(text: str) -> None:
    sys.stderr.write(scrub(text) + "\n")


def _keep(path: Path, last_good: Path) -> None:
    """Write new, flush, rename; a disk that refuses it costs only the copy."""
    fresh = last_good.with_name(f".{last_good.name}.{os.getpid()}")
    try:
        content = json.dumps({"folder": str(path.absolute().parent), "text": path.read_text("utf-8-sig")}).encode()
        if last_good.exists() and last_good.read_bytes() == content:
            return
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(last_good)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        _say(f"the last good settings could not be kept: {error.strerror}")


def _resolve(path: Path, last_good: Path | None) -> tuple[int, dict[str, Any]]:
    try:
        answer = resolved(load(path))
    except UsageError as error:
        errors = [problem.as_json() for problem in error.problems] if isinstance(error, SettingsError) else []
        errors = errors or [{"line": 1, "column": 1, "key": "", "what": scrub(str(error)), "remedy": error.remedy}]
        _say(str(error))
        if last_good is None or not last_good.exists():
            return 2, {"errors": errors}
        kept = json.loads(last_good.read_bytes())
        settings = compose(path, kept["text"], os.environ, Path(kept["folder"]))
        return 0, resolved(settings) | {"errors": errors}
    if last_good is not None:
        _keep(path, last_good)
    return 0, answer


def main(arguments: list[str]) -> int:
    """The verbs of this module. Returns the exit code."""
    if arguments == ["schema"]:
        sys.stdout.write(json.dumps(schema(), indent=2) + "\n")
        return 0
    if len(arguments) not in {2, 4} or arguments[0] != "resolve" or arguments[2:3] not in ([], ["--last-good"]):
        _say(__doc__ or "")
        return 2
    try:
        code, answer = _resolve(Path(arguments[1]), Path(arguments[3]) if len(arguments) == 4 else None)
    except UsageError as error:
        _say(str(error))
        code, answer = 2, {"errors": [{"line": 1, "column": 1, "key": "", "what": scrub(str(error)), "remedy": ""}]}
    json.dump(answer, sys.stdout)
    sys.stdout.write("\n")
    return code


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
