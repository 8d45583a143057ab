"""A recorder on the real socket that records nothing: it answers, and pushes what a test hands it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from longwatch.accounting.reasons import reason_of
from longwatch.base.errors import UsageError
from longwatch.formats.media import Codec, Kind, Sample, TrackFormat
from longwatch.model.sessions import StreamKey
from longwatch.node.link import LinkServer, Peer
from longwatch.wire.media import encode_format, encode_sample


def video_format(width: int = 640, height: int = 360, codec: Codec = Codec.H264) -> TrackFormat:
    """A video track whose sample entry is as good as any where nobody decodes it."""
    entry = (16).to_bytes(4, "big") + b"avc1" + width.to_bytes(4, "big") + height.to_bytes(4, "big")
    return TrackFormat(Kind.VIDEO, codec, 90_000, entry, "avc1.4d401e", width, height, 25.0)


def audio_format(codec: Codec = Codec.AAC) -> TrackFormat:
    """An audio track."""
    entry = (8).to_bytes(4, "big") + b"mp4a"
    return TrackFormat(Kind.AUDIO, codec, 48_000, entry, "mp4a.40.2", channels=1)


def picture(n: int, sync: bool = False, size: int = 100, arrival_boot_us: int | None = None) -> Sample:
    """Picture n of a 25 fps stream; its first bytes say which it is."""
    data = n.to_bytes(4, "big") + bytes(size - 4)
    return Sample(0, 5_000_000 + n * 3600, 0, sync, data, n * 40_000 if arrival_boot_us is None else arrival_boot_us)


class FakeRecorder:
    """Owner of nothing. `subscribed` is what was asked for and not taken back, in order."""

    def __init__(self, path: Path) -> None:
        self.status: dict[str, Any] = {"streams": [], "volumes": [], "accounted_until_us": 0, "health": []}
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, dict[str, Any]] = {"retention_preview": {"items": []}}
        self.subscribed: list[StreamKey] = []
        self.unknown: set[StreamKey] = set()
        self.taken: list[dict[str, Any]] = []  # entries, as they were handed over
        self.path = path
        self._link: LinkServer | None = None
        self._peers: dict[StreamKey, Peer] = {}

    async def start(self) -> None:
        self._link = LinkServer(self.path, "recorder", self._answer)
        await self._link.start()

    async def stop(self) -> None:
        assert self._link is not None
        await self._link.aclose()
        self.subscribed.clear()
        self._peers.clear()

    async def _answer(self, peer: Peer, kind: str, fields: dict[str, Any]) -> dict[str, Any]:
        self.requests.append((kind, fields))
        reason_of(fields.get("reason"), needed=False)  # as the real one does
        if kind == "status":
            return self.status
        if kind == "subscribe":
            key = StreamKey(*fields["stream"])
            if key in self.unknown:
                raise UsageError(f"there is no stream {key.camera}/{key.stream}")
            self.subscribed.append(key)
            self._peers[key] = peer
            return {"generation": 1}
        if kind == "unsubscribe":
            self.subscribed.remove(StreamKey(*fields["stream"]))
            return {}
        if kind == "entries":
            self.taken += fields["items"]
            return {"seqs": list(range(len(self.taken) - len(fields["items"]), len(self.taken)))}
        if kind == "try_now":
            return {}
        if kind in self.answers:
            return self.answers[kind]
        raise UsageError(f"no {kind}")

    def send_format(self, key: StreamKey, generation: int, *tracks: TrackFormat) -> None:
        assert self._peers[key].push(encode_format(key, generation, tracks))

    def send(self, key: StreamKey, generation: int, *samples: Sample) -> None:
        for sample in samples:
            assert self._peers[key].push(encode_sample(key, generation, sample))
