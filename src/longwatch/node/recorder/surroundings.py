"""What the recorder knows of the world around its cameras: `surroundings.Watch`, fed by what arrives and heard by the ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from longwatch.archive.ops import Entry
from longwatch.base.clock import Clock
from longwatch.model.sessions import StreamKey
from longwatch.model.surroundings import UNKNOWN, MainsState, Surroundings
from longwatch.node.recorder.streams import StreamUnit
from longwatch.recording import HostTime
from longwatch.surroundings import Options, Watch

_T = TypeVar("_T")


class Around:
    """A SurroundingsSource for accounting. Owner of its state: the recorder's loop. An error of ours in here is the death of a task,
    said as such, and never reaches recording: then nothing is known of the surroundings.
    """

    def __init__(
        self,
        options: Options,
        clock: Clock,
        host: HostTime,
        units: Mapping[object, StreamUnit],
        enter: Callable[[Entry], None],
        died: Callable[[str, BaseException], None],
        told: MainsState | None,
    ) -> None:
        """units: the recorder's streams, as they are at any moment. told: what the ledger said last of the mains."""
        self._units = units
        self._died = died
        self._said = ""
        self._streams: dict[str, tuple[StreamKey, ...]] = {}
        self._named(options)
        self._watch = Watch(
            options, clock, heard=self._heard, wall_us=lambda: host.wall_us(clock.boottime_us()), enter=enter, died=died,
            told=told,
        )  # fmt: skip

    async def run(self) -> None:
        """For ever. Ends only by cancellation."""
        await self._watch.run()

    def of(self, camera: str) -> Surroundings:
        """The newest of one camera."""
        return self._guarded(lambda: self._watch.of(camera), UNKNOWN)

    @property
    def mains(self) -> MainsState:
        """The post's own supply, as it is known now."""
        return self._watch.mains

    def apply(self, options: Options) -> None:
        """New settings; streams are not interrupted."""
        self._named(options)
        self._guarded(lambda: self._watch.apply(options), None)

    def status(self) -> dict[str, Any]:
        """`surroundings` of the answer to `status`."""
        return self._guarded(self._watch.status, {"mains": None, "devices": [], "cameras": []})

    def health(self) -> list[dict[str, str]]:
        """What is wrong with the devices around: remarks, since the cameras are recorded all the same."""
        said: list[dict[str, str]] = self._guarded(self._watch.issues, [])
        return [issue | {"weight": "remark"} for issue in said]

    def _guarded(self, ask: Callable[[], _T], otherwise: _T) -> _T:
        try:
            return ask()
        except Exception as error:  # noqa: BLE001 - boundary: what is around the cameras must never stop their recording
            if repr(error) != self._said:  # it is asked for each stream at each tick: once is enough
                self._said = repr(error)
                self._died("surroundings", error)
            return otherwise

    def _named(self, options: Options) -> None:
        self._streams = {
            place.camera: (StreamKey(place.camera, "main"), StreamKey(place.camera, "sub")) for place in options.places
        }

    def _heard(self, camera: str) -> int:
        """Bytes of samples that ever came of a camera, over its streams."""
        total = 0
        for key in self._streams[camera]:
            unit = self._units.get(key)
            if unit is not None:
                total += unit.recorder.bytes_in
        return total
