"""What the recorder answers on its socket, and live samples on their way to the server. docs/design/socket.md."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from longwatch.base.errors import LongwatchError, UsageError
from longwatch.formats.media import Sample, TrackFormat
from longwatch.model.sessions import StreamKey
from longwatch.node.link import Peer
from longwatch.node.recorder.looks import Look, Round
from longwatch.node.recorder.notes import Notes
from longwatch.recording import LiveTap
from longwatch.wire.frames import encode
from longwatch.wire.media import encode_format, encode_sample

_numbers = itertools.count(1)
Command = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


class Subscription:
    """One neighbour's view of one stream. What it does not take is dropped up to the next sync sample, counted and said."""

    def __init__(self, peer: Peer, key: StreamKey, tap: LiveTap) -> None:
        self.key = key
        self.dropped = 0
        self._peer = peer
        self._tap = tap
        self._number = next(_numbers)
        self._waiting_for_sync = False
        self._said = 0
        peer.on_gone.append(self.end)

    def begin(self) -> None:
        """Formats and the open group of pictures at once, then all that comes."""
        self._tap.subscribe(self._number, self._formats, self._samples)

    def end(self) -> None:
        """No more."""
        self._tap.unsubscribe(self._number)

    def _formats(self, generation: int, tracks: tuple[TrackFormat, ...]) -> None:
        if not tracks:
            self._peer.push(encode({"type": "live_over", "stream": list(self.key), "generation": generation}))
            return
        self._waiting_for_sync = not self._peer.push(encode_format(self.key, generation, tracks))

    def _samples(self, generation: int, batch: Sequence[Sample]) -> None:
        if self._waiting_for_sync:
            batch = self._from_sync(batch)
            if not batch:
                return
        data = b"".join([encode_sample(self.key, generation, sample) for sample in batch])
        if self.dropped > self._said:
            data = encode({"type": "live_dropped", "stream": list(self.key), "samples": self.dropped}) + data
            self._said = self.dropped
        if not self._peer.push(data):
            self.dropped += len(batch)
            self._waiting_for_sync = True

    def _from_sync(self, batch: Sequence[Sample]) -> Sequence[Sample]:
        for index, sample in enumerate(batch):
            if sample.sync and sample.track == self._tap.video:
                self._waiting_for_sync = False
                self.dropped += index
                return batch[index:]
        self.dropped += len(batch)
        return ()


class RecorderSocket:
    """The handler of the recorder's LinkServer. taps: the live side of each stream; commands: what else may be asked."""

    def __init__(self, taps: Callable[[StreamKey], LiveTap | None], commands: dict[str, Command]) -> None:
        self._taps = taps
        self._commands = commands
        self._subscriptions: dict[tuple[Peer, StreamKey], Subscription] = {}
        self._looks: dict[tuple[Peer, StreamKey], Look] = {}
        self._rounds: dict[Peer, Round] = {}
        self._notes: dict[tuple[Peer, StreamKey], Notes] = {}

    async def handle(self, peer: Peer, kind: str, fields: dict[str, Any]) -> dict[str, Any]:
        """Answer one request. Raises LongwatchError."""
        if kind == "subscribe":
            return self._subscribe(peer, _key(fields))
        if kind == "unsubscribe":
            subscription = self._subscriptions.pop((peer, _key(fields)), None)
            if subscription is not None:
                subscription.end()
            return {"dropped": subscription.dropped if subscription is not None else 0}
        if kind == "look":
            return self._look(peer, _key(fields), fields)
        if kind == "unlook":
            look = self._looks.pop((peer, _key(fields)), None)
            if look is not None:
                look.end()
            return {"dropped": look.dropped if look is not None else 0}
        if kind == "notes":
            return self._note(peer, _key(fields))
        if kind == "unnotes":
            notes = self._notes.pop((peer, _key(fields)), None)
            if notes is not None:
                notes.end()
            return {"dropped": notes.dropped if notes is not None else 0}
        command = self._commands.get(kind)
        if command is None:
            raise LongwatchError(
                f"the recorder does not know {kind!r}", remedy="upgrade the older of the two processes"
            )
        return await command(fields)

    def _subscribe(self, peer: Peer, key: StreamKey) -> dict[str, Any]:
        tap = self._taps(key)
        if tap is None:
            raise UsageError(f"there is no stream {key.camera}/{key.stream}")
        old = self._subscriptions.pop((peer, key), None)
        if old is not None:
            old.end()
        subscription = self._subscriptions[peer, key] = Subscription(peer, key, tap)
        peer.on_gone.append(lambda: self._forget(peer, key, subscription))
        subscription.begin()
        return {"generation": tap.generation}

    def _look(self, peer: Peer, key: StreamKey, fields: dict[str, Any]) -> dict[str, Any]:
        """Begin, or go on otherwise: `whole` says whether all samples come with their bytes."""
        key_us, between_us, whole = fields.get("key_us"), fields.get("between_us"), fields.get("whole") is True
        look, tap = self._looks.get((peer, key)), self._taps(key)
        if tap is None:
            raise UsageError(f"there is no stream {key.camera}/{key.stream}")
        if look is None or look.tap is not tap:
            if look is not None:
                look.end()
            beside = self._rounds.get(peer)
            if beside is None:
                beside = self._rounds[peer] = Round(peer)
                peer.on_gone.append(lambda: self._forget_round(peer))
            look = self._looks[peer, key] = Look(peer, key, tap, 0, beside)
            peer.on_gone.append(lambda: self._forget_look(peer, key, look))
            look.begin()
        if isinstance(key_us, int):
            look.key_us = key_us
        if isinstance(between_us, int):
            look.between_us = between_us
        look.give_all(on=whole, again=fields.get("again") is True)
        return {"dropped": look.dropped}

    def _note(self, peer: Peer, key: StreamKey) -> dict[str, Any]:
        """Begin; where it has begun already nothing changes."""
        notes, tap = self._notes.get((peer, key)), self._taps(key)
        if tap is None:
            raise UsageError(f"there is no stream {key.camera}/{key.stream}")
        if notes is None or notes.tap is not tap:
            if notes is not None:
                notes.end()
            notes = self._notes[peer, key] = Notes(peer, key, tap)
            peer.on_gone.append(lambda: self._forget_notes(peer, key, notes))
            notes.begin()
        return {"dropped": notes.dropped}

    def _forget_notes(self, peer: Peer, key: StreamKey, notes: Notes) -> None:
        if self._notes.get((peer, key)) is notes:
            del self._notes[peer, key]

    def _forget_round(self, peer: Peer) -> None:
        self._rounds.pop(peer, None)

    def _forget_look(self, peer: Peer, key: StreamKey, look: Look) -> None:
        if self._looks.get((peer, key)) is look:
            del self._looks[peer, key]

    def _forget(self, peer: Peer, key: StreamKey, subscription: Subscription) -> None:
        if self._subscriptions.get((peer, key)) is subscription:
            del self._subscriptions[peer, key]


def _key(fields: dict[str, Any]) -> StreamKey:
    stream = fields.get("stream")
    if not (isinstance(stream, list) and len(stream) == 2 and all(isinstance(part, str) for part in stream)):
        raise UsageError("`stream` is [camera, stream]")
    return StreamKey(*stream)
