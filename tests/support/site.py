"""A whole server without an archive: real accounts, real HTTP on loopback, a fake recorder on the real socket."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
from fastapi import FastAPI
from tests.support import made_once
from tests.support.accounts import open_accounts
from tests.support.fake_exports import NO_LIMIT, FakeMaker, NoNeighbours
from tests.support.fake_recorder import FakeRecorder
from tests.support.memory_index import MemoryIndex
from tests.support.wait import until

from longwatch.accounting.alarm_words import sentence
from longwatch.accounts import Accounts, Role
from longwatch.accounts.provider import ProviderOptions
from longwatch.base.clock import ManualClock
from longwatch.base.tasks import Tasks
from longwatch.exports import ExportDesk
from longwatch.health import RecorderStatus
from longwatch.live import Hub
from longwatch.model.causes import Cause
from longwatch.model.sessions import StreamKey
from longwatch.model.stores import GapSpan, Provenance, RecordedSpan
from longwatch.node.link import LinkClient, socket_path
from longwatch.node.server.http import http_server
from longwatch.node.server.options import Door
from longwatch.node.watch.watching import Options as WatchingOptions
from longwatch.node.watch.watching import Watching
from longwatch.notify import Options as NotifyOptions
from longwatch.notify.desk import Desk
from longwatch.playback import Stills
from longwatch.web import Deps, Options, Site, SiteCamera, create_app

T0_US = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z, where ManualClock begins
GATE = StreamKey("gate", "main")
YARD = StreamKey("yard", "main")
PASSWORD = "correct horse battery"


@dataclass
class Running:
    """What a test may reach for. tokens: one bearer token for each role; `gate-only` may see one camera."""

    app: FastAPI
    deps: Deps
    accounts: Accounts
    recorder: FakeRecorder
    index: MemoryIndex
    clock: ManualClock
    base: str
    tokens: dict[str, str]

    def client(self, token: str | None = None) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {self.tokens.get(token, token)}"} if token else {}
        return httpx.AsyncClient(base_url=self.base, headers=headers, timeout=180, verify=False)

    @property
    def ws(self) -> str:
        return self.base.replace("http", "ws")


def memory_index() -> MemoryIndex:
    """An hour of `gate` with a gap in its middle, and nothing of `yard` but that it was set up."""
    hour = 3_600_000_000
    gap = GapSpan(T0_US - hour // 2, T0_US - hour // 4, Cause.CAMERA_UNREACHABLE, {"detail": "no route"}, id=1)
    return MemoryIndex(
        set_up=[("gate", "main", T0_US - hour), ("yard", "main", T0_US - hour)],
        spans={
            GATE: [
                RecordedSpan(T0_US - hour, gap.from_us, 1, Provenance.NTP),
                RecordedSpan(gap.to_us, T0_US - 1_000_000, 2, Provenance.RTCP),
            ]
        },
        gap_list=[(GATE, gap), (YARD, GapSpan(T0_US - hour, None, Cause.CAMERA_REFUSED, {}, id=2))],
        until_us=T0_US - 1_000_000,
    )


def status_of_streams() -> dict[str, object]:
    """`gate` records, `yard` refuses."""
    track = {"codec": "h264", "kind": "video", "width": 1920, "height": 1080, "fps": 25.0, "bitrate": 4_000_000}
    return {
        "streams": [
            {
                "camera": "gate", "stream": "main", "activity": "streaming", "fault": None, "detail": "", "recording": True,
                "planned": True, "since_wall_us": T0_US - 900_000_000, "next_attempt_wall_us": None,
                "acked_wall_us": T0_US - 1_000_000, "tracks": [track, {"codec": "aac", "kind": "audio"}],
            },
            {
                "camera": "yard", "stream": "main", "activity": "waiting", "fault": "login_refused", "recording": False,
                "detail": "401 Unauthorized", "cause": "camera_refused", "planned": True, "since_wall_us": T0_US - 5_000_000,
                "next_attempt_wall_us": T0_US + 60_000_000, "acked_wall_us": None, "tracks": [],
            },
        ],
        "volumes": [{"path": "/data", "state": "ok", "detail": "", "free_bytes": 10**9}],
        "accounted_until_us": T0_US - 1_000_000,
        "health": [],
    }  # fmt: skip


@contextlib.asynccontextmanager
async def running_site(
    data: Path,
    *,
    set_up: bool = True,
    static: Path | None = None,
    certificate: Path | None = None,
    key: Path | None = None,
    proxies: tuple[str, ...] = (),
    clock: ManualClock | None = None,
    provider: ProviderOptions | None = None,
) -> AsyncIterator[Running]:
    """Serve until the block ends."""
    clock = clock or ManualClock()
    recorder = FakeRecorder(socket_path(data, "recorder"))
    recorder.status = status_of_streams()
    await recorder.start()
    accounts = open_accounts(data, clock)
    link = LinkClient(recorder.path, "server")
    hub = Hub(link, clock)
    stills = Stills()
    index = memory_index()
    cameras = (SiteCamera("gate", "Gate", streams=("main", "sub")), SiteCamera("yard", "Yard"))
    site = Site("north-ridge", "North ridge", "Europe/Oslo", cameras)
    options = Options(static=static or data / "no-console", version="0.1.0", provider=provider)
    deps = Deps(accounts, index, link, RecorderStatus(link, clock), hub, stills, clock, lambda: site, options)
    tokens = {}
    if set_up:
        for role in Role:
            tokens[role.value] = await accounts.add_token(role.value, role)
        tokens["gate-only"] = await accounts.add_token("gate-only", Role.ADMIN, frozenset({"gate"}))
        await accounts.add_user("ada", PASSWORD, Role.ADMIN)
    deps.exports = exports = ExportDesk(
        accounts.db, data / "exports", FakeMaker(), NoNeighbours(), clock, lambda: NO_LIMIT
    )
    accounts.on_erasure.append(exports.forget)
    cameras_known = frozenset(camera.id for camera in cameras)
    deps.events = watching = Watching(
        data,
        accounts.db,
        index,
        stills,
        link,
        clock,
        lambda: WatchingOptions(90 * 86_400_000_000, cameras_known),
        deps.read,
    )
    accounts.on_erasure.append(watching.forget)
    deps.notify = desk = Desk(
        accounts.db, data / "push-key.pem", NotifyOptions("north-ridge", "North ridge"), clock, sentence
    )
    await desk.start()
    await exports.start()
    with made_once.routes():
        app = create_app(deps)
    listening = socket.create_server(("127.0.0.1", 0))
    # asyncio's own loop leaves this to us where a socket is handed in; without it each answer waits 40 ms for an acknowledgement.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    port = listening.getsockname()[1]
    door = Door("127.0.0.1", port, certificate, key, proxies)
    server = http_server(app, door)
    tasks = Tasks("site")
    tasks.start("link", link.run())
    serving = tasks.start("http", server.serve(sockets=[listening]))
    await until(lambda: server.started and link.is_connected)
    try:
        yield Running(app, deps, accounts, recorder, index, clock, door.url.rstrip("/"), tokens)
    finally:
        await exports.aclose()
        await desk.aclose()
        await hub.aclose()
        server.should_exit = True
        await serving
        await tasks.aclose()
        await stills.aclose()
        deps.readers.shutdown()
        await accounts.aclose()
        await recorder.stop()
