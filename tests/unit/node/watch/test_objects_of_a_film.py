"""A painted film from end to end: decoded and looked at as a child does, with the model of the package; what comes out are events of the right class."""

from __future__ import annotations

from itertools import pairwise

import pytest
from tests.support.looked import OFFSET_US, camera_frame, format_frame, frame_of, job_frame
from tools.paint_film import CAST

from longwatch.detection.inference import Model
from longwatch.detection.manifest import read_folder
from longwatch.detection.told import sighting_of
from longwatch.events.making import Maker
from longwatch.formats.bmff import Mp4File
from longwatch.formats.media import Codec, Kind, Sample, TrackFormat
from longwatch.model.events import OBJECTS, Event
from longwatch.node.watch.look_child import Looks
from longwatch.node.watch.look_objects import Objects
from longwatch.simulate.camera import MODEL, PAINTED

_BEGIN_US = 1_000_000


def film() -> tuple[TrackFormat, list[Sample]]:
    """As the recorder would hand it on."""
    file = Mp4File.from_bytes(PAINTED.read_bytes())
    (track,) = file.tracks
    made = TrackFormat(Kind.VIDEO, Codec.H264, track.timescale, track.sample_entry, "", track.width, track.height, 6.25)
    return made, [
        Sample(0, s.dts, s.cts_offset, s.sync, file.data(s), _BEGIN_US + round(s.dts * 1e6 / track.timescale))
        for s in track.samples
    ]


def events_of(track: TrackFormat, samples: list[Sample]) -> list[Event]:
    """What a post would keep of it."""
    looks = Looks(objects=Objects(Model(read_folder(MODEL))))
    looks.take(frame_of(camera_frame("gate", objects=OBJECTS)))
    looks.take(frame_of(format_frame("gate", track)))
    maker, events = Maker("gate"), dict[str, Event]()
    begins = [n for n, sample in enumerate(samples) if sample.sync] + [len(samples)]
    for number, (first, last) in enumerate(pairwise(begins)):
        (answer,) = looks.take(frame_of(job_frame(number, "gate", track, samples[first:last], fresh=True, asks=2)))
        for told in frame_of(answer).header["sightings"]:
            events |= {change.event.id: change.event for change in maker.sighting(sighting_of("gate", told))}
    return list(events.values())


def at_s(at_us: int) -> float:
    return (at_us - OFFSET_US - _BEGIN_US) / 1e6


@pytest.mark.slow
def test_what_moves_becomes_events_of_its_class():
    said = [event for event in events_of(*film()) if event.kind.startswith("object.")]
    for kind, begin_s, end_s, *_ in CAST:
        during = {event.kind for event in said if begin_s <= at_s(event.from_us) <= end_s}
        assert during == {f"object.{kind}"}, (kind, said)
    assert len(said) <= 2 * len(CAST)
