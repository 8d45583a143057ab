"""`longwatch simulate camera`."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import typer

from longwatch.cli.output import say


class LoginName(enum.StrEnum):
    """How the simulated camera asks for a login."""

    DIGEST = "digest"
    DIGEST_SHA256 = "digest-sha256"
    BASIC = "basic"
    ANY = "any"


def add_to(app: typer.Typer) -> None:
    """Hang the verbs of this file into the tree."""
    group = typer.Typer(help="Cameras that are not there, for trying things.", no_args_is_help=True)
    group.callback()(lambda: None)
    group.command("camera", epilog=_faults())(camera)
    app.add_typer(group, name="simulate")


def _faults() -> str:
    from longwatch.simulate.faults import FAULTS

    return "Faults:\n\n" + "\n".join(f"- `{name}` {text}" for name, text in FAULTS.items())


def camera(
    file: Annotated[
        Path, typer.Argument(metavar="FILE.mp4", help="H.264 or H.265 video, with AAC where there is sound.")
    ],
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where it answers; port 0 takes a free one.")
    ] = "127.0.0.1:8654",
    sub: Annotated[Path | None, typer.Option(metavar="FILE.mp4", help="A second file, served as /sub.")] = None,
    user: Annotated[str, typer.Option(help="Ask for a login with this name.")] = "",
    password: Annotated[
        str,
        typer.Option(envvar="LONGWATCH_SIMULATE_PASSWORD", help="And this password; better given by the environment."),
    ] = "",
    login: Annotated[LoginName, typer.Option(help="The kind of login.")] = LoginName.DIGEST,
    digest: Annotated[bool, typer.Option("--digest", help="The same as --login digest.")] = False,
    fault: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[:ARGS]@SECONDS", help="What goes wrong, and when; may be given again."),
    ] = None,
    offset: Annotated[float, typer.Option(metavar="SECONDS", help="Where in the file it begins.")] = 0.0,
    clock_offset: Annotated[float, typer.Option(metavar="SECONDS", help="How wrong its clock is.")] = 0.0,
    clock_ppm: Annotated[float, typer.Option(metavar="PPM", help="How fast its clock runs.")] = 0.0,
) -> None:
    """An RTSP camera that loops a file: TCP and UDP, H.264, H.265 and AAC, digest login, faults on request.

    Example: `longwatch simulate camera clip.mp4 --listen 127.0.0.1:8654 --user admin --digest --fault stall:10@30`
    """
    from longwatch.base import secrets
    from longwatch.base.errors import UsageError
    from longwatch.config.values import listen as address
    from longwatch.simulate.camera import SimulatedCamera
    from longwatch.simulate.serving import serve

    try:
        place = address(listen)
    except ValueError as error:
        raise UsageError(str(error), remedy="write it as 127.0.0.1:8654") from None
    secrets.register_login(user, password)
    kind = "digest" if digest else login.value
    simulated = SimulatedCamera(
        {"main": file, "sub": sub} if sub else file,
        host=place.host,
        port=place.port,
        user=user,
        password=password,
        login=kind if user else "",
        faults=fault or (),
        offset_s=offset,
        clock_offset_s=clock_offset,
        clock_ppm=clock_ppm,
    )

    def ready() -> None:
        for stream in ("main", "sub") if sub else ("main",):
            say(simulated.url_of(stream, login=False))
        say("Ctrl-C ends it.")

    serve([simulated], ready)
