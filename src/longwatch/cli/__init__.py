"""Verbs of the command line. Each is thin: it reads settings, calls a room, prints.

Promises: `--help` with an example on every command; `--json` where data is printed; exit 0 on success, 1 on a failed
check or operation, 2 on wrong use or settings; never a traceback for a person's mistake, never a secret in the output.
What a verb needs is imported when it runs, so that `--help` is quick.
"""

from __future__ import annotations

from longwatch.base import starting  # noqa: F401 - first, for its effect: see there

# isort: split
import sys

from longwatch.base.errors import LongwatchError
from longwatch.base.secrets import scrub


def main() -> None:
    """The entry point `longwatch`."""
    from longwatch.cli.app import tree
    from longwatch.cli.handing_on import hand_on

    try:
        hand_on(sys.argv[1:])
        tree(sys.argv[1:])()
    except LongwatchError as error:
        sys.stderr.write(scrub(f"longwatch: {error}\n"))
        raise SystemExit(error.exit_code) from None
    except OSError as error:  # a file that is not there, a disk that is full: the person's to mend
        subject = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(scrub(f"longwatch: {subject}{error.strerror or error}\n"))
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
