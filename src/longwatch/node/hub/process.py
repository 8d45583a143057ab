"""That this process is one of its hub's: its name, its life, and the bus to the others. docs/design/broker.md."""

from __future__ import annotations

import asyncio
import secrets as random
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError
from longwatch.base.tasks import Tasks
from longwatch.bus import BusOptions
from longwatch.config import Settings
from longwatch.config.hub import CONSOLE
from longwatch.fleet import FleetDb, Processes
from longwatch.trust import SigningKey

if TYPE_CHECKING:  # most hubs have no broker
    from longwatch.bus import Bus

_log = structlog.get_logger(__name__)
SEEN_EVERY_S = 10.0
_BUS_KEY = "bus 1"


class HubProcess:
    """name: `console`, or the door's. bus: None where the settings name no broker. Owner of its row in `processes`.

    on_taken_over: called once another process took this name: nothing more may be done in it.
    """

    def __init__(self, processes: Processes, db: FleetDb, name: str, life: int, bus: Bus | None, clock: Clock) -> None:
        self.processes = processes
        self.name = name
        self.life = life
        self.bus = bus
        self.on_taken_over: list[Callable[[], None]] = []
        self._db = db
        self._clock = clock
        self._tasks = Tasks("hub-process")

    def start(self) -> None:
        """From now on it says that it is there."""
        self._tasks.start("here", self._say_here())
        if self.bus is not None:
            self._tasks.start("bus", self.bus.run())

    async def aclose(self) -> None:
        """It says that it ends, where it can."""
        await self._tasks.aclose()
        try:
            await self._db.call(self.processes.ended, self.name, self.life)
        except LongwatchError as error:
            _log.warning("that this process ends cannot be noted", reason=str(error))

    async def _say_here(self) -> None:
        while True:
            await self._clock.sleep(SEEN_EVERY_S)
            try:
                if await self._db.call(self.processes.seen, self.name, self.life):
                    continue
            except LongwatchError as error:
                _log.warning("that this process is there cannot be noted now", reason=str(error))
                continue
            _log.error("another process of this hub took this one's name, and this one ends", name=self.name)
            for told in self.on_taken_over:
                told()
            return


def process_of(settings: Settings, db: FleetDb, cosigner: SigningKey, clock: Clock) -> HubProcess | None:
    """Claim this process's name. None where the database is a file: then there is one process. Blocks. Raises LongwatchError."""
    if db.is_sqlite:
        return None
    name = settings.door or CONSOLE
    processes = Processes(db, clock.wall_us)
    life = processes.claim(
        name, _folder_id(settings.volumes[0] / "fleet"), settings.uplink.address, version("longwatch")
    )
    bus = None
    if settings.broker is not None:
        from longwatch.bus import Bus

        bus = Bus(BusOptions(settings.broker, settings.post.id, name, life, cosigner.secret_for(_BUS_KEY)), clock)
    return HubProcess(processes, db, name, life, bus, clock)


def _folder_id(folder: Path) -> str:
    """What names this data folder among those of a hub's processes; made where it is not there."""
    path = folder / "process-id"
    try:
        return path.read_text("ascii").strip()
    except FileNotFoundError:
        made = random.token_hex(16)
        path.write_text(made + "\n", "ascii")
        return made


async def claimed(settings: Settings, db: FleetDb, cosigner: SigningKey, clock: Clock) -> HubProcess | None:
    """As `process_of`, off the event loop; the bus belongs to the loop that calls."""
    return await asyncio.to_thread(process_of, settings, db, cosigner, clock)
