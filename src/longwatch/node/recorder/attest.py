"""Entries that leave the post with their proof: what is exported or reported is signed by way of the ledger. docs/design/publishing.md.

`attest` seals what is open of the streams it names, writes the entry, publishes, and answers with the entry's way to the signed head. A
seal waits for the stream's next sync sample, so that the next segment begins with one. Owner of the state: the recorder's loop.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from longwatch.archive import Archive
from longwatch.archive.ops import Entry
from longwatch.base.clock import Clock
from longwatch.base.errors import UsageError
from longwatch.ledger import kinds
from longwatch.ledger.proofs import proof_text
from longwatch.model.sessions import StreamKey
from longwatch.node.recorder.patience import SEAL_PATIENCE_S
from longwatch.node.recorder.people import person_of
from longwatch.node.recorder.streams import StreamUnit
from longwatch.node.recorder.ticks import Ticks

KINDS = frozenset({kinds.EXPORT_BEGUN, kinds.EXPORT_MADE, kinds.REPORT_MADE, kinds.STATEMENT_MADE})
GUARDED_S = 600
Lease = Callable[[str, Sequence[tuple[str, str]], tuple[int, int], int], None]
_LOOK_S = 0.1
_MOST_STREAMS = 1000


class Attesting:
    """See the module. units: every stream; ticks: None where nothing is recorded (a verb that holds the folder). lease: keeps what is exported
    from retention for a while.
    """

    def __init__(self, archive: Archive, clock: Clock, units: Mapping[object, StreamUnit], ticks: Ticks | None,
        lease: Lease = lambda *_: None,
    ) -> None:  # fmt: skip
        self._archive = archive
        self._clock = clock
        self._units = units
        self._ticks = ticks
        self._lease = lease
        self.commands: dict[str, Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]] = {
            "attest": self.attest, "publish": self.publish,
        }  # fmt: skip

    async def attest(self, fields: dict[str, Any]) -> dict[str, Any]:
        """The entry, its proof, the checkpoint and the key, all durable. Raises LongwatchError."""
        kind, body, seal = fields.get("kind"), fields.get("body"), fields.get("seal") or []
        if kind not in KINDS or not isinstance(body, dict):
            raise UsageError(f"`attest` wants a kind of {', '.join(sorted(KINDS))}, and a body")
        entry = Entry(str(kind), body, person_of(fields))
        if kind == kinds.EXPORT_BEGUN:
            self._guard(body)
        unsealed = await self._seal(_keys(seal))
        seq = await self._archive.enter(entry)
        proven = await self._archive.prove(seq)
        key = self._archive.ledger.key
        return {
            "seq": seq, "entry": proven.entry.decode(), "proof": proof_text(seq, proven.path, proven.checkpoint),
            "checkpoint": proven.checkpoint, "key": key.pem, "fingerprint": key.fingerprint,
            "unsealed": [list(stream) for stream in unsealed],
        }  # fmt: skip

    def _guard(self, body: dict[str, Any]) -> None:
        """What is going to be exported stays for a while; who needs longer asks again (`protect`)."""
        camera, stream, from_us, to_us = (body.get(name) for name in ("camera", "stream", "from_us", "to_us"))
        if isinstance(from_us, int) and isinstance(to_us, int):
            name = f"{camera}/{stream} {from_us} {to_us}"[:80]
            with contextlib.suppress(UsageError):  # too many at once: those that came first are kept whole
                self._lease(name, [(str(camera), str(stream))], (from_us, to_us), GUARDED_S)

    async def publish(self, _: dict[str, Any]) -> dict[str, Any]:
        """All that is committed, signed and on a volume. Raises LongwatchError."""
        await self._archive.ledger.publish()
        return self._archive.ledger.describe()

    async def _seal(self, keys: Sequence[StreamKey]) -> list[StreamKey]:
        """Segments that are open now are sealed, and their seals committed. Answers which were not, in the time there is."""
        waiting: dict[StreamKey, tuple[StreamUnit, int]] = {}
        for key in keys:
            unit = self._units.get(key)
            token = unit.recorder.open_token if unit is not None else None
            if unit is not None and token is not None:
                unit.recorder.seal_wanted = True
                waiting[key] = (unit, token)
        volumes = {unit.volume.row: unit.volume for unit, _ in waiting.values()}
        until_us = self._clock.boottime_us() + round(SEAL_PATIENCE_S * 1e6)
        while waiting and self._clock.boottime_us() < until_us:
            await self._clock.sleep(_LOOK_S)
            waiting = {k: (unit, token) for k, (unit, token) in waiting.items() if unit.recorder.open_token == token}
        for volume in volumes.values():
            if self._ticks is not None:
                await self._ticks.once(volume)  # behind the tick that carries the seals
        return list(waiting)


def _keys(seal: object) -> list[StreamKey]:
    if not isinstance(seal, list) or len(seal) > _MOST_STREAMS:
        raise UsageError(f"`seal` is a list of at most {_MOST_STREAMS} streams")
    keys = []
    for stream in seal:
        if not (isinstance(stream, list) and len(stream) == 2 and all(isinstance(part, str) for part in stream)):
            raise UsageError("`seal` is a list of [camera, stream]")
        keys.append(StreamKey(*stream))
    return keys
