"""`longwatch user` and `longwatch token`: who may come in."""

from __future__ import annotations

import enum
import sys
from typing import Annotated, Any

import typer

from longwatch.base import secrets
from longwatch.base.errors import UsageError
from longwatch.base.ids import is_slug
from longwatch.base.rfc3339 import format_us
from longwatch.cli import options
from longwatch.cli.output import say, say_json


class RoleName(enum.StrEnum):
    """What a person or program may do."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    INSPECTOR = "inspector"
    ADMIN = "admin"


_LEAST = 10
Name = Annotated[str, typer.Argument(metavar="NAME")]
Role = Annotated[RoleName, typer.Option("--role", help="What it may do.")]
Cameras = Annotated[
    list[str] | None, typer.Option("--camera", metavar="ID", help="Only this camera; may be given again. Default: all.")
]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept beside the ledger.")]


def add_to(app: typer.Typer) -> None:
    """Hang the verbs of this file into the tree."""
    users = typer.Typer(help="People who may sign in.", no_args_is_help=True)
    users.command("add")(user_add)
    users.command("list")(user_list)
    users.command("set-role")(user_set_role)
    users.command("reset")(user_reset)
    users.command("disable")(user_disable)
    users.command("enable")(user_enable)
    users.command("remove")(user_remove)
    app.add_typer(users, name="user")
    tokens = typer.Typer(help="Bearer tokens for programs.", no_args_is_help=True)
    tokens.command("add")(token_add)
    tokens.command("list")(token_list)
    tokens.command("revoke")(token_revoke)
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


def user_list(config: options.Config = None, json: options.Json = False) -> None:
    """Who may sign in, and what they may do.

    Example: `longwatch user list`
    """
    _list("user", config, as_json=json)


def user_set_role(
    name: Name,
    role: Role,
    camera: Cameras = None,
    reason: Reason = "",
    config: options.Config = None,
    json: options.Json = False,
) -> None:
    """Change what a user may do, and at which cameras; what they have open is checked again at once.

    Example: `longwatch user set-role kari --role inspector --reason "head of the post since May"`
    """
    _ask(config, "user_rights", name=name, role=role.value, cameras=camera or None, reason=reason)
    if json:
        say_json({"name": name, "role": role.value, "cameras": camera or None})
    else:
        say(f"{name} is {role.value} now, of {', '.join(camera) if camera else 'all cameras'}")


def user_reset(name: Name, reason: Reason = "", config: options.Config = None, json: options.Json = False) -> None:
    """Void a user's password, end their logins, and print a code, once, with which they set a new one in the browser.

    Example: `longwatch user reset kari --reason "forgot it"`
    """
    answer = _ask(config, "user_code", name=name, reason=reason)
    if json:
        say_json({"name": name, "code": answer["code"], "until": answer["until"]})
    else:
        say(
            f"{name} sets a password at the sign-in page, as /#/code/CODE, until {answer['until']}; the code, shown this once: {answer['code']}"
        )


def user_disable(name: Name, reason: Reason = "", config: options.Config = None, json: options.Json = False) -> None:
    """Let nobody in by this account, at once; it stays.

    Example: `longwatch user disable kari --reason "on leave"`
    """
    _disabled(config, name, reason, disabled=True, as_json=json)


def user_enable(name: Name, reason: Reason = "", config: options.Config = None, json: options.Json = False) -> None:
    """Let a disabled user in again.

    Example: `longwatch user enable kari`
    """
    _disabled(config, name, reason, disabled=False, as_json=json)


def user_remove(name: Name, reason: Reason = "", config: options.Config = None, json: options.Json = False) -> None:
    """Remove a user; what the ledger has of them stays, under their number.

    Example: `longwatch user remove kari --reason "left the post"`
    """
    _ask(config, "user_remove", name=name, reason=reason)
    if json:
        say_json({"name": name})
    else:
        say(f"{name} is removed")


def token_list(config: options.Config = None, json: options.Json = False) -> None:
    """Which programs may come in, and until when.

    Example: `longwatch token list`
    """
    _list("token", config, as_json=json)


def token_revoke(name: Name, reason: Reason = "", config: options.Config = None, json: options.Json = False) -> None:
    """Let a token open nothing any more, at once.

    Example: `longwatch token revoke grafana`
    """
    _ask(config, "token_remove", name=name, reason=reason)
    if json:
        say_json({"name": name})
    else:
        say(f"the token of {name} opens nothing any more")


def _disabled(config: Any, name: str, reason: str, *, disabled: bool, as_json: bool) -> None:
    _ask(config, "user_disabled", name=name, disabled=disabled, reason=reason)
    if as_json:
        say_json({"name": name, "disabled": disabled})
    else:
        say(f"{name} {'is let in no more' if disabled else 'may sign in again'}")


def _list(noun: str, config: Any, *, as_json: bool) -> None:
    rows = [row for row in _ask(config, "accounts")["items"] if row["kind"] == noun]
    if as_json:
        say_json({"items": [_without(row, "kind") for row in rows]})
        return
    for row in rows:
        cameras = "all cameras" if row["cameras"] is None else ", ".join(row["cameras"]) or "no camera"
        until = f", until {format_us(row['expires_us'])}" if row["expires_us"] is not None else ""
        say(f"{row['name']}  {row['role']}, {cameras}{until}{', disabled' if row['disabled'] else ''}")
    if not rows:
        say(f"there is no {noun} yet")


def token_add(
    name: Name,
    role: Role,
    camera: Cameras = None,
    days: Annotated[
        int | None, typer.Option("--days", min=1, max=3650, help="How long it is good. Default: no end.")
    ] = None,
    config: options.Config = None,
    json: options.Json = False,
) -> None:
    """Make a bearer token and print it, once: it is kept only as a hash.

    Example: `longwatch token add grafana --role viewer`
    """
    answer = _ask(config, "token_add", name=name, role=role.value, cameras=camera or None, days=days)
    if json:
        say_json({"name": name, "role": role.value, "cameras": camera or None, "token": answer["token"]})
    else:
        say(f"The token of {name} ({role.value}), shown this once: {answer['token']}")


def _ask(config: Any, verb: str, **fields: Any) -> dict[str, Any]:
    from longwatch.config import find, first_folder, load_lacking
    from longwatch.node.server.commands import ask, ask_if_running

    path = find(config)
    if not fields.get("cameras"):  # then only the data folder is asked for, and a server that runs has read the rest
        data = first_folder(path)
        answer = None if data is None else ask_if_running(data, verb, **fields)
        if answer is not None:
            return answer
    settings = load_lacking(path)
    for camera in fields.get("cameras") or []:
        if settings.role == "hub" and all(is_slug(part) for part in camera.split(".")) and camera.count(".") == 1:
            continue  # `post.camera`: it may be of a post that has not told of it yet
        if camera not in settings.cameras:
            raise UsageError(
                f"there is no camera {camera!r}", remedy=f"one of {', '.join(settings.cameras) or 'none yet'}"
            )
    return ask(settings.volumes[0], verb, settings.volumes, **fields)


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
