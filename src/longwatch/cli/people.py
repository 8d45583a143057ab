"""`longwatch user add` and `longwatch token add`."""

from __future__ import annotations

import enum
import sys
from typing import Annotated, Any

import typer

from longwatch.base import secrets
from longwatch.base.errors import UsageError
from longwatch.cli import options
from longwatch.cli.output import say, say_json


class RoleName(enum.StrEnum):
    """What a person or program may do."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    INSPECTOR = "inspector"
    ADMIN = "admin"


_LEAST = 8
Name = Annotated[str, typer.Argument(metavar="NAME")]
Role = Annotated[RoleName, typer.Option("--role", help="What it may do.")]
Cameras = Annotated[
    list[str] | None, typer.Option("--camera", metavar="ID", help="Only this camera; may be given again. Default: all.")
]


def add_to(app: typer.Typer) -> None:
    """Hang the verbs of this file into the tree."""
    users = typer.Typer(help="People who may sign in.", no_args_is_help=True)
    users.command("add")(user_add)
    users.callback()(lambda: None)
    app.add_typer(users, name="user")
    tokens = typer.Typer(help="Bearer tokens for programs.", no_args_is_help=True)
    tokens.command("add")(token_add)
    tokens.callback()(lambda: None)
    app.add_typer(tokens, name="token")


def user_add(
    name: Name,
    role: Role,
    password_stdin: Annotated[
        bool,
        typer.Option(
            "--password-stdin", help="Read the password from standard input, up to the end of its first line."
        ),
    ] = False,
    camera: Cameras = None,
    config: options.Config = None,
    json: options.Json = False,
) -> None:
    """Add someone who may sign in. The password is asked for, or read from standard input; never an argument.

    Example: `longwatch user add kari --role operator --password-stdin < password.txt`
    """
    password = _password(from_stdin=password_stdin)
    if len(password) >= _LEAST:  # a shorter one is refused, and as a mask it would eat ordinary words of the refusal
        secrets.register(password)
    answer = _ask(config, "user_add", name=name, role=role.value, password=password, cameras=camera or None)
    if json:
        say_json({"name": name, "role": role.value, "cameras": camera or None} | _without(answer, "password"))
    else:
        say(f"{name} may sign in as {role.value}")


def token_add(
    name: Name, role: Role, camera: Cameras = None, config: options.Config = None, json: options.Json = False
) -> None:
    """Make a bearer token and print it, once: it is kept only as a hash.

    Example: `longwatch token add grafana --role viewer`
    """
    answer = _ask(config, "token_add", name=name, role=role.value, cameras=camera or None)
    if json:
        say_json({"name": name, "role": role.value, "cameras": camera or None, "token": answer["token"]})
    else:
        say(f"The token of {name} ({role.value}), shown this once: {answer['token']}")


def _ask(config: Any, verb: str, **fields: Any) -> dict[str, Any]:
    from longwatch.config import find, load
    from longwatch.node.server_commands import ask

    settings = load(find(config))
    for camera in fields.get("cameras") or []:
        if camera not in settings.cameras:
            raise UsageError(
                f"there is no camera {camera!r}", remedy=f"one of {', '.join(settings.cameras) or 'none yet'}"
            )
    return ask(settings.volumes[0], verb, **fields)


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        line = sys.stdin.buffer.readline(4096)
        try:
            password = line.decode().removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            raise UsageError("the password is not UTF-8 text") from None
        if not password:
            raise UsageError("no password came on standard input", remedy="echo it in, or leave --password-stdin out")
        return password
    if not sys.stdin.isatty():
        raise UsageError("there is nobody to ask for a password", remedy="give --password-stdin and pipe it in")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))


def _without(answer: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != key}
