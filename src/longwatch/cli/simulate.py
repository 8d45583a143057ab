"""`longwatch simulate camera`, `switch`, `relay` and `fleet`."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from longwatch.cli import options
from longwatch.cli.output import say, say_json, say_rows

if TYPE_CHECKING:
    from longwatch.config.values import Listen


class LoginName(enum.StrEnum):
    """How the simulated camera asks for a login."""

    DIGEST = "digest"
    DIGEST_SHA256 = "digest-sha256"
    BASIC = "basic"
    ANY = "any"


def add_to(app: typer.Typer) -> None:
    """Hang the verbs of this file into the tree."""
    group = typer.Typer(
        help="Cameras, switches and relays that are not there, for trying things.", no_args_is_help=True
    )
    group.callback()(lambda: None)
    group.command("camera", epilog=_faults())(camera)
    group.command("switch")(switch)
    group.command("relay")(relay)
    group.command("fleet")(fleet)
    app.add_typer(group, name="simulate")


def _faults() -> str:
    from longwatch.simulate.faults import FAULTS

    return "Faults:\n\n" + "\n".join(f"- `{name}` {text}" for name, text in FAULTS.items())


def camera(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE.mp4", help="H.264 or H.265 video, with AAC where there is sound.")
    ] = None,
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
    timecode: Annotated[
        bool, typer.Option("--timecode", help="No file: each picture shows the camera's clock, for programs to read.")
    ] = False,
    celsius: Annotated[
        float | None,
        typer.Option(metavar="DEGREES", help="A thermal camera: it measures this, and says so beside its picture."),
    ] = None,
) -> None:
    """An RTSP camera that loops a file: TCP and UDP, H.264, H.265 and AAC, digest login, faults on request.

    Example: `longwatch simulate camera clip.mp4 --listen 127.0.0.1:8654 --user admin --digest --fault stall:10@30`
    """
    from longwatch.base import secrets
    from longwatch.base.errors import UsageError
    from longwatch.simulate.camera import SimulatedCamera
    from longwatch.simulate.serving import serve

    if (file is None) is not timecode:
        raise UsageError("a camera sends a file or a time code", remedy="give FILE.mp4, or --timecode and no file")
    if timecode and celsius is not None:
        raise UsageError("a camera that shows a time code measures nothing", remedy="leave one of the two out")
    place = _place(listen)
    secrets.register_login(user, password)
    kind = "digest" if digest else login.value
    simulated = SimulatedCamera(
        {"main": file or Path(), "sub": sub} if sub else file or Path(),
        host=place.host,
        port=place.port,
        user=user,
        password=password,
        login=kind if user else "",
        faults=fault or (),
        offset_s=offset,
        clock_offset_s=clock_offset,
        clock_ppm=clock_ppm,
        timecode=timecode,
        celsius=celsius,
    )

    def ready() -> None:
        for stream in ("main", "sub") if sub else ("main",):
            say(simulated.url_of(stream, login=False))
        say("Ctrl-C ends it.")

    serve([simulated], ready)


def _place(listen: str) -> Listen:
    from longwatch.base.errors import UsageError
    from longwatch.config.values import listen as address

    try:
        return address(listen)
    except ValueError as error:
        raise UsageError(str(error), remedy="write it as 127.0.0.1:8654") from None


def switch(
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where its SNMP agent answers; port 0 takes a free one.")
    ] = "127.0.0.1:8661",
    ports: Annotated[int, typer.Option(min=1, max=512, help="How many ports it has.")] = 8,
    community: Annotated[str, typer.Option(help="Who knows this may read and switch (SNMP v2c).")] = "public",
) -> None:
    """A PoE switch: an SNMP agent with POWER-ETHERNET-MIB, IF-MIB and an uptime, whose ports can be switched by SNMP.

    Example: `longwatch simulate switch --listen 127.0.0.1:8661 --ports 8`
    """
    from longwatch.base import secrets
    from longwatch.simulate.serving import serve
    from longwatch.simulate.switch import SimulatedSwitch

    place = _place(listen)
    if community != "public":
        secrets.register(community)
    simulated = SimulatedSwitch(ports, host=place.host, port=place.port, community=community)

    def ready() -> None:
        say(f"{simulated.address}, SNMP v2c, {ports} ports")
        say(f"port 3 off: snmpset -v2c -c COMMUNITY {simulated.address} 1.3.6.1.2.1.105.1.1.1.3.1.3 i 2")
        say("Ctrl-C ends it.")

    serve([simulated], ready)


def relay(
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where it answers; port 0 takes a free one.")
    ] = "127.0.0.1:8662",
    watts: Annotated[float, typer.Option(help="What is drawn while it is on.")] = 6.2,
) -> None:
    """A relay with a meter: answers as Shelly (both generations) and Tasmota do, and is switched as a Shelly is.

    Example: `longwatch simulate relay --listen 127.0.0.1:8662`
    """
    from longwatch.simulate.relay import SimulatedRelay
    from longwatch.simulate.serving import serve

    place = _place(listen)
    simulated = SimulatedRelay(host=place.host, port=place.port, watts=watts)

    def ready() -> None:
        say(f"http://{simulated.address}/rpc/Switch.GetStatus?id=0")
        say(f"off: http://{simulated.address}/relay/0?turn=off")
        say("Ctrl-C ends it.")

    serve([simulated], ready)


def fleet(
    posts: Annotated[int, typer.Option(min=1, max=9999, help="How many posts.")] = 1000,
    cameras: Annotated[int, typer.Option(min=1, max=100, help="Of each.")] = 10,
    hub_config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Settings of a hub that runs here: its codes are made by the way."),
    ] = None,
    codes: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Or codes of `longwatch hub invite`, one a line, for sim-0001 and so on."),
    ] = None,
    for_: Annotated[
        float | None, typer.Option("--for", metavar="SECONDS", help="How long; default until Ctrl-C.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of all that is left to chance; the same seed tells the same lives.")] = 1,
    seal: Annotated[float, typer.Option(metavar="SECONDS", min=1.0, help="How long a segment is.")] = 60.0,
    fails_every: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.0, help="Mean time between two failures of a camera; 0 is never.")
    ] = 14400.0,
    pictures_every: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.0, help="Mean time between two pictures of a camera; 0 is never.")
    ] = 600.0,
    cut_every: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.0, help="Mean time between two cuts of a post's link; 0 is never.")
    ] = 1800.0,
    cut_for: Annotated[float, typer.Option(metavar="SECONDS", min=1.0, help="How long a cut is, on average.")] = 60.0,
    all_cut_at: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="When all links are cut at once, for half a minute.")
    ] = None,
    returning: Annotated[int, typer.Option(min=0, help="So many were away before, and come with all of it.")] = 0,
    away: Annotated[float, typer.Option(metavar="DAYS", min=0.0, help="For so long.")] = 7.0,
    prefix: Annotated[str, typer.Option(help="Of the posts' ids.")] = "sim",
    page: Annotated[
        str, typer.Option(metavar="URL", help="The hub's console: how long it takes to the page is measured there.")
    ] = "",
    token: Annotated[
        str, typer.Option(envvar="LONGWATCH_TOKEN", help="For that, a token; better given by the environment.")
    ] = "",
    json: options.Json = False,
) -> None:
    """A fleet of posts at a hub: they join, dial in as real ones do, send signed ledgers and pictures, lose their links and come back. A table at the end.

    Example: `longwatch simulate fleet --posts 1000 --cameras 10 --hub-config hub.yml --for 600`
    """
    from longwatch.base import secrets
    from longwatch.base.errors import UsageError
    from longwatch.base.ids import is_slug
    from longwatch.config import load
    from longwatch.node.demo.fleet import Fleet, codes_of_file, codes_of_hub, simulate
    from longwatch.simulate.fleet_life import Habits

    if (hub_config is None) is (codes is None):
        raise UsageError(
            "posts join by codes", remedy="give --hub-config FILE of a hub that runs here, or --codes FILE"
        )
    if not is_slug(f"{prefix}-0001") or returning > posts:
        raise UsageError(
            "--prefix is no part of an id" if returning <= posts else "more posts return than there are",
            remedy="a-z, 0-9 and -; and --returning at most --posts",
        )
    if bool(page) is not bool(token):
        raise UsageError(
            "--page asks for a token, and a token for a page",
            remedy="`longwatch token add fleet --role viewer` at the hub",
        )
    secrets.register(token)
    made = Fleet(
        posts, cameras, seed, Habits(seal, fails_every, 90.0, pictures_every), cut_every, cut_for, all_cut_at, 30.0, returning, away * 86_400.0, for_,
        min(60.0, posts / 50), prefix,
    )  # fmt: skip
    asked = codes_of_file(codes) if codes is not None else codes_of_hub(load(hub_config or Path()))
    done = simulate(made, asked, (lambda _: None) if json else say, (page, token) if page else None)
    if json:
        say_json(dict(done.report()))
        return
    say("")
    say_rows(("what", "how much"), done.report())
