"""Fuzz targets of looking at pictures and of events: what reads headers in the watcher, what decodes in its child, what a child may say once a camera has taken
it over, what it may have had kept, and what a post may tell its hub of events.
"""

from __future__ import annotations

import contextlib
import functools
import json
import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
from tests.support.looked import camera_frame, clip, format_frame, frame_of, job_frame

from longwatch.base.clock import ManualClock
from longwatch.base.errors import LongwatchError
from longwatch.detection.gate import Gate
from longwatch.detection.heat_hours import CELLS, HOUR_US, HOURS, HeatHours
from longwatch.detection.manifest import ModelError, manifest_of
from longwatch.detection.state import packed, unpacked
from longwatch.detection.stream_watch import StreamWatch
from longwatch.detection.told import sighting_of
from longwatch.events.making import Maker
from longwatch.events.temperatures import Limit, Options, Temperatures
from longwatch.formats import onvif_radiometry
from longwatch.formats.codecs.bits import CodecError
from longwatch.formats.codecs.h264_qp import SliceQp, parameter_sets
from longwatch.formats.media import Codec, Kind, Sample, TrackFormat
from longwatch.model.event_rows import ToldEvent
from longwatch.model.events import OBJECTS
from longwatch.node.watch.look_child import Looks
from longwatch.node.watch.watcher import Watcher
from longwatch.node.watch.watcher_cameras import Watching
from longwatch.simulate.radiometry import document
from longwatch.wire.frames import Decoder, encode
from longwatch.wire.looking import ROW, measured, row_of

_CODECS = {"h264": "libx264", "h265": "libx265"}


@functools.cache
def _clip(codec: str) -> tuple[object, list[Sample]]:
    return _stills() if codec == "mjpeg" else clip(2, (0, 2), codec=_CODECS[codec])


def _stills() -> tuple[TrackFormat, list[Sample]]:
    """Of a camera that sends JPEG."""
    chance = np.random.default_rng(5)
    pictures = []
    for _ in range(10):
        ok, data = cv2.imencode(".jpg", chance.integers(40, 200, (120, 160, 3), np.uint8))
        assert ok
        pictures.append(data.tobytes())
    track = TrackFormat(Kind.VIDEO, Codec.MJPEG, 90_000, b"", "", 160, 120, 5.0)
    return track, [Sample(0, n * 18_000, 0, True, data, 1_000_000 + n * 200_000) for n, data in enumerate(pictures)]


@functools.cache
def _looks(codec: str) -> Looks:
    looks = Looks()
    looks.take(frame_of(camera_frame(codec)))
    looks.take(frame_of(format_frame(codec, _clip(codec)[0])))  # type: ignore[arg-type]  # what functools.cache forgets
    return looks


def _decoded(codec: str, data: bytes) -> None:
    """Any bytes in place of a sample, between good ones: pictures fewer, and nothing else."""
    track, samples = _clip(codec)
    bad = [Sample(0, s.dts, 0, s.sync, data if n % 2 else s.data, s.arrival_boot_us) for n, s in enumerate(samples[:3])]
    (answer,) = _looks(codec).take(frame_of(job_frame(1, codec, track, bad, fresh=True)))  # type: ignore[arg-type]  # as above
    told = frame_of(answer).header
    assert "looking failed" not in told["why"], told["why"]
    assert told["decoded"] == len(bad)


def heads(data: bytes) -> None:
    """Any bytes are a sample, its head and its parameters."""
    for codec in (Codec.H264, Codec.H265):
        size, head, _ = measured(codec, data)
        assert 0 <= size <= len(data)
        assert len(row_of(Sample(0, 0, 0, True, data, 1), codec, whole=False)[0]) == ROW.size
        track, _ = _clip("h264")
        got = SliceQp(*parameter_sets(track.sample_entry)).of_slice(head or data[:40])  # type: ignore[attr-defined]  # as above
        assert got is None or 0 <= got <= 51
    try:
        SliceQp(*parameter_sets(b"avcC" + data)).of_slice(data[:40])
    except CodecError:
        return


def temperatures(data: bytes) -> None:
    """Any bytes are a metadata document: read or refused, and what is read is bounded and judged."""
    try:
        said = onvif_radiometry.parse(data)
    except ValueError:
        return
    assert len(said.readings) <= onvif_radiometry.MOST_READINGS
    watched = Temperatures("oven", Options((Limit("a", above=30), Limit("b", of="lowest", below=0))))
    for at_us in (0, 1_000_000):
        assert all(len(each.detail) < 300 for each in watched.read(said, at_us))


def _strange(data: bytes, said: Any) -> Any:
    """Something like it, with a few of its parts in another form: which, the bytes decide."""
    chance = random.Random(data)
    made = json.loads(json.dumps(said))
    for _ in range(chance.choice((1, 1, 2, 5))):
        at: Any = made
        while True:
            keys = list(at) if isinstance(at, dict) else range(len(at))
            if not len(keys):
                break
            key = chance.choice(keys)
            if isinstance(at[key], dict | list) and at[key] and chance.random() < 0.8:
                at = at[key]
                continue
            if isinstance(at, dict) and chance.random() < 0.1:
                del at[key]
            else:
                at[key] = chance.choice([*_ODD, data.decode("utf-8", "surrogateescape")])
            break
    return made


def _json(data: bytes, usual: Any) -> Any:
    """What the bytes say, or, where that is nothing, the usual made strange by them."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return _strange(data, usual)


def sightings(data: bytes) -> None:
    """A child may say that it saw anything: no sighting, or one that can be made an event of, stored, and told by a hub's own measure."""
    told = _json(data, _SIGHTING)
    maker = Maker("gate")
    for one in told if isinstance(told, list) else [told]:
        try:
            seen = sighting_of("gate", one)
        except (LookupError, TypeError, ValueError, AttributeError):
            continue
        for change in (*maker.sighting(seen), *maker.idle(seen.at_us + 60_000_000)):
            row = json.dumps(ToldEvent(change.event).as_json())
            assert len(row) < 100_000
            if all(len(zone) <= 80 for zone in change.event.zones):
                assert ToldEvent.from_json(json.loads(row)).event.id == change.event.id


def manifest(data: bytes) -> None:
    """Any bytes are what a folder says of its model: refused in words, or a manifest whose every class is one of seven words or left out."""
    try:
        told = manifest_of(data, "model.json" if data[:1] == b"{" else "model.yml")
    except ModelError:
        return
    assert len(told.kinds) == len(told.classes)
    assert set(told.says) <= set(OBJECTS)
    assert "/" not in told.file


def movement(data: bytes) -> None:
    """Any bytes are a file of what moved where, or what a child says moved: refused, or within bounds for ever."""
    now_us = 500_000 * HOUR_US
    try:
        kept = HeatHours.restored(data)
    except ValueError:
        kept = HeatHours()
    for n, cells in enumerate((b"", data, data[: 2 * CELLS].ljust(2 * CELLS, b"\0"))):
        with contextlib.suppress(ValueError):
            kept.add(now_us + n * HOUR_US, len(data), cells)
    told = kept.within(now_us + 2 * HOUR_US, HOURS)
    assert max(told.seconds) <= HOURS * 3600
    assert max(told.hours) <= HOURS
    again = HeatHours.restored(kept.saved())
    assert again.within(now_us + 2 * HOUR_US, HOURS) == told


def rows(data: bytes) -> None:
    """A post may tell its hub of any event: none, or one of bounded size."""
    try:
        told = ToldEvent.from_json(_json(data, _ROW))
    except ValueError:
        return
    assert len(json.dumps(told.as_json())) < 100_000


class _Out:
    said = b""

    def get_write_buffer_size(self) -> int:
        return 0

    def write(self, data: bytes) -> None:
        self.said = data


def child(data: bytes) -> None:
    """A child may answer anything: its camera has that job behind it, the others have what they had, and what is told the server is a frame."""
    clock, out = ManualClock(), _Out()
    made: Any = Watcher(clock, out)  # type: ignore[arg-type]  # only what is said to it
    for name in ("gate", "yard"):
        made._cameras[name] = Watching(name, "sub", {}, StreamWatch(5.0), b"before", 0)
    running = SimpleNamespace(known={"gate": 1}, job=1, camera="gate")
    slot = SimpleNamespace(running=running, done=lambda: setattr(running, "job", None))
    header = _json(data, random.Random(data).choice((_LOOKED, _SAVED)))
    try:
        frames = Decoder().feed(encode(header, data if len(data) % 2 else bytes(4608)))
    except (LongwatchError, ValueError):
        return
    for frame in frames:
        made._answered(slot, frame)
    told = Decoder().feed(out.said)
    assert all(each.header["camera"] == "gate" for each in told)
    assert made._cameras["yard"].saved == b"before"
    assert made._scheduler._account("gate").used_us <= 20_000_000


def kept(data: bytes) -> None:
    """A child may have had anything kept as what a looker and a gate have learnt: refused, or they go on with it."""
    codec = "h264"
    track, samples = _clip(codec)
    looks = Looks()
    looks.take(frame_of(camera_frame(codec, data)))
    looks.take(frame_of(format_frame(codec, track)))  # type: ignore[arg-type]  # as above
    for single in (samples[0], samples[5]):
        (answer,) = looks.take(frame_of(job_frame(1, codec, track, [single], fresh=True, single=True)))  # type: ignore[arg-type]  # as above
        assert frame_of(answer).header["decoded"] >= 0
    looks.take(frame_of(encode({"type": "save", "camera": codec})))
    with contextlib.suppress(ValueError):
        gate = Gate.restored(None, data)
        for number in range(40):
            gate.sample(3000 + 17 * number, number % 10 == 0, number * 200_000)
        assert len(gate.saved()) < 64 << 10


@functools.cache
def _learnt() -> bytes:
    looks, (track, samples) = _looks("h264"), _clip("h264")
    looks.take(frame_of(job_frame(1, "h264", track, samples, fresh=True)))  # type: ignore[arg-type]  # as above
    saved = frame_of(looks.take(frame_of(encode({"type": "save", "camera": "h264"})))[0])
    return saved.body[saved.header["heat_bytes"] :]


def _unzipped(saved: bytes) -> Callable[[bytes], None]:
    """The arrays lie compressed: whatever is changed there is refused before it is read. So they are changed first."""

    def target(data: bytes) -> None:
        kept(data)
        head, arrays = unpacked(saved)
        chance = random.Random(data)
        name = chance.choice([name for name, array in arrays.items() if array.size])
        raw = bytearray(arrays[name].tobytes())
        for _ in range(chance.choice((1, 4, 64))):
            at = chance.randrange(len(raw))
            raw[at] = data[at % len(data)] if data else 255
        arrays[name] = np.frombuffer(bytes(raw), arrays[name].dtype).reshape(arrays[name].shape)
        try:
            changed = packed(_strange(data, head) if chance.random() < 0.5 else head, arrays)
        except (ValueError, TypeError):  # what cannot even be written down
            return
        kept(changed)

    return target


_ODD: list[Any] = [
    None, True, False, 0, -1, 1 << 63, -(1 << 63), 10**400, -(10**400), 0.5, 1e308, -1e308, float("inf"), float("nan"), "", "x" * 5000, "\ud800", "../../etc", "#",
    [], {}, [[]], [None] * 70, {"kind": "motion"}, "object.person", "gate",
]  # fmt: skip
_SIGHTING = {
    "kind": "object.person",
    "at": 1_800_000_000_000_000,
    "score": 0.5,
    "box": [0.1, 0.2, 0.3, 0.4],
    "track": 5,
    "zones": ["road"],
    "on": True,
    "detail": "left",
}
_LOOKED = {
    "type": "looked", "job": 1, "why": "", "pictures": 1, "decoded": 1, "failed": 0, "sightings": [_SIGHTING], "curious": False, "blind": False, "cpu_us": 1000,
    "asked": 1, "passed": 1, "model_why": "",
}  # fmt: skip
_SAVED = {"type": "saved", "camera": "gate", "looked": 600, "heat_bytes": 4608}
_ROW = ToldEvent(Maker("gate").sighting(sighting_of("gate", _SIGHTING))[0].event, _SIGHTING["at"], 1).as_json()  # type: ignore[arg-type]  # a mixed dict
_MANIFEST = f"""name: tiny
version: 1.0
file: tiny.onnx
sha256: "{"a" * 64}"
licence: ours
layout: yolov8
input: {{width: 64, height: 64, colours: rgb, mean: [0, 0, 0]}}
classes: {{0: person, 1: car, 2: dog}}
mapping: {{person: person, dog: null}}
threshold: 0.4
""".encode()


def _moved() -> bytes:
    made = HeatHours()
    for hour in range(3):
        made.add((500_000 + hour) * HOUR_US, 30_000, bytes(range(256)) * (2 * CELLS // 256))
    return made.saved()


TARGETS: dict[str, Callable[[bytes], None]] = {
    "heads": heads,
    "temperatures": temperatures,
    "h264-decoded": functools.partial(_decoded, "h264"),
    "h265-decoded": functools.partial(_decoded, "h265"),
    "mjpeg-decoded": functools.partial(_decoded, "mjpeg"),
    "sightings": sightings,
    "rows": rows,
    "child": child,
    "manifest": manifest,
    "movement": movement,
    "kept": _unzipped(_learnt()),
}
SEEDS: dict[str, list[bytes]] = {
    "temperatures": [document(20.0), document(-5.0) * 2],
    "heads": [s.data for s in _clip("h264")[1]],
    "h264-decoded": [s.data for s in _clip("h264")[1]],
    "h265-decoded": [s.data for s in _clip("h265")[1]],
    "mjpeg-decoded": [s.data for s in _clip("mjpeg")[1]],
    "sightings": [json.dumps(_SIGHTING).encode(), json.dumps([_SIGHTING, {**_SIGHTING, "on": False}]).encode()],
    "rows": [json.dumps(_ROW).encode()],
    "child": [json.dumps(_LOOKED).encode(), json.dumps(_SAVED).encode()],
    "manifest": [
        _MANIFEST,
        json.dumps({"name": "a", "classes": ["person"], "input": {"width": 64, "height": 64}}).encode(),
    ],
    "movement": [_moved()],
    "kept": [_learnt(), Gate().saved()],
}
