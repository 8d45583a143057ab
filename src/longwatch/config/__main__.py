"""`python -m longwatch.config resolve PATH [--last-good FILE]`, `try PATH`, `try-afar`, `folder PATH` and `schema`.

resolve: JSON on standard output, for a pipe alone, since it holds passwords. Exit 0; or 2 with {"errors": [...]} where
the settings are wrong, and the same in words on standard error. Where only secrets are missing, the JSON has "lacking" beside what can be
used (see `lacking`). With --last-good, or LONGWATCH_LAST_GOOD in the
environment, the last good settings are used instead where there are any (see `last_good`), and the JSON has "errors"
beside all else.

try: on standard input {"text", "typed": {NAME: value}}; on standard output what `trying.tried` says of it. Exit 0.

try-afar: on standard input {"text", "before", "post"}; on standard output what `afar.tried_afar` says of it. Exit 0.

folder: the first data folder that the file names, whatever else is in it; exit 2 where none can be found (see `data_folders.first_folder`).
"""

from __future__ import annotations

from longwatch.base import starting  # noqa: F401 - first, for its effect: see there

# isort: split
import json
import sys
from pathlib import Path
from typing import Any

from longwatch.base.errors import UsageError
from longwatch.base.secrets import scrub
from longwatch.config import first_folder, load_kept, resolved, schema
from longwatch.config.problems import Problem, SettingsError


def _say(text: str) -> None:
    sys.stderr.write(scrub(text) + "\n")


def _listed(problems: list[Problem]) -> str:
    return "\n".join(f"  {problem}" for problem in sorted(problems))


def _resolve(path: Path, last_good: Path | None) -> tuple[int, dict[str, Any]]:
    try:
        settings, problems = load_kept(path, last_good)
    except UsageError as error:
        _say(str(error))
        problems = error.problems if isinstance(error, SettingsError) else [Problem(1, 1, "", error.what, error.remedy)]
        return 2, {"errors": [problem.as_json() for problem in problems]}
    if settings.lacking:
        _say(f"secrets are missing, and what needs them is left out:\n{_listed(settings.lacking)}")
    answer = resolved(settings)
    if problems:
        _say(str(SettingsError(path, problems)))
        answer["errors"] = [problem.as_json() for problem in problems]
    return 0, answer


def main(arguments: list[str]) -> int:
    """The verbs of this module. Returns the exit code."""
    if arguments == ["schema"]:
        sys.stdout.write(json.dumps(schema(), indent=2) + "\n")
        return 0
    if len(arguments) == 2 and arguments[0] == "try":
        from longwatch.config.trying import tried  # of three verbs each call is of one

        asked = json.load(sys.stdin)
        json.dump(tried(Path(arguments[1]), str(asked["text"]), dict(asked.get("typed", {}))), sys.stdout)
        return 0
    if arguments == ["try-afar"]:
        from longwatch.config.afar import tried_afar

        asked = json.load(sys.stdin)
        json.dump(tried_afar(*(str(asked[name]) for name in ("text", "before", "post"))), sys.stdout)
        return 0
    if len(arguments) == 2 and arguments[0] == "folder":
        folder = first_folder(Path(arguments[1]))
        if folder is None:
            return 2
        sys.stdout.write(f"{folder}\n")
        return 0
    if len(arguments) not in {2, 4} or arguments[0] != "resolve" or arguments[2:3] not in ([], ["--last-good"]):
        _say(__doc__ or "")
        return 2
    code, answer = _resolve(Path(arguments[1]), Path(arguments[3]) if len(arguments) == 4 else None)
    json.dump(answer, sys.stdout)
    sys.stdout.write("\n")
    return code


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
