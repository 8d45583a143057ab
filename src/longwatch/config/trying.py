"""A text tried as though it stood in the settings file: what is wrong with it, and what it says in full.

In a child (`python -m longwatch.config try PATH`), always: a password that is half typed would else be known as a secret to
the process that tries it, and be masked in all it says from then on.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from longwatch.base.errors import LongwatchError, UsageError
from longwatch.base.folders import why_unusable
from longwatch.config.loader import compose, load_lacking
from longwatch.config.model import Settings, TlsFiles
from longwatch.config.problems import Problem, SettingsError
from longwatch.config.resolving import resolved
from longwatch.config.tree import Tree, read


def tried(path: Path, text: str, typed: Mapping[str, str]) -> dict[str, Any]:
    """{"problems": [...]}; and, where there are none, "resolved" and "web". It holds passwords: for a pipe alone.

    typed: secrets that are to come into the secrets file with it.
    """
    names = {**typed, **os.environ}
    try:
        settings = compose(
            path,
            text,
            names,
            path.absolute().parent,
            secrets_to_come=bool(typed),
            lenient=_lacks_no_more(path, text, names),
        )
        said = resolved(settings)  # before anything else is read: its list of secrets is of this text alone
        problems = _would_not_start(settings, read(path, text), path)
    except SettingsError as error:
        return {"problems": [problem.as_json() for problem in error.problems]}
    except UsageError as error:
        return {"problems": [Problem(1, 1, "", error.what, error.remedy).as_json()]}
    if problems:
        return {"problems": [problem.as_json() for problem in sorted(problems)]}
    return {"problems": [], "resolved": said, "web": settings.web.model_dump(mode="json", by_alias=True)}


def _lacks_no_more(path: Path, text: str, names: Mapping[str, str]) -> bool:
    """Whether no more secrets are missing than are already: one camera's keeps nobody from changing another."""
    with contextlib.suppress(LongwatchError):
        before = {(problem.where, problem.what) for problem in load_lacking(path).lacking}
        if before:
            lacking = compose(path, text, names, path.absolute().parent, secrets_to_come=True, lenient=True).lacking
            return {(problem.where, problem.what) for problem in lacking} <= before
    return False


def _would_not_start(settings: Settings, tree: Tree, path: Path) -> list[Problem]:
    """What is right as it is written, and a post with it would still not come up here."""
    problems = []
    before = _now(path)
    for index, volume in enumerate(settings.volumes):
        why = why_unusable(volume) if before is None or volume not in before.volumes else ""
        if why:
            place: tuple[str | int, ...] = ("data", index) if ("data", index) in tree.values else ("data",)
            problems.append(tree.problem(place, why, "name a folder that the recorder's user may write"))
    if isinstance(settings.web.tls, TlsFiles):
        why = _no_certificate(settings.web.tls)
        if why:
            problems.append(tree.problem(("web", "tls", "cert"), why, "name PEM files that belong together"))
    if before is None or before.web.listen != settings.web.listen:
        why = _no_door(settings)
        if why:
            problems.append(tree.problem(("web", "listen"), why, "choose an address of this machine and a free port"))
    return problems


def _now(path: Path) -> Settings | None:
    try:
        return load_lacking(path)
    except LongwatchError:
        return None


def _no_certificate(files: TlsFiles) -> str:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(files.cert, files.key)
    except (OSError, ssl.SSLError, ValueError) as error:
        return f"this certificate and key cannot be used: {getattr(error, 'strerror', None) or error}"
    return ""


def _no_door(settings: Settings) -> str:
    listen = settings.web.listen
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            listen.host, listen.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as door:
            door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            door.bind(address)
    except OSError as error:
        return f"{listen} cannot be listened on: {error.strerror or error}"
    return ""
