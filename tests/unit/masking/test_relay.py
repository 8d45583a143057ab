"""What a masking child hands on: masked pictures and sound, and nothing else."""

from __future__ import annotations

import io
import threading
from dataclasses import replace

import pytest
from tests.support.fake_recorder import video_format

from longwatch.formats.media import Codec, Kind, Sample, TrackFormat
from longwatch.masking.relay import Relay
from longwatch.model.areas import Area
from longwatch.pictures.work import Out
from longwatch.wire.frames import Decoder
from longwatch.wire.media import decode_sample

VIDEO = video_format()
SOUND = TrackFormat(Kind.AUDIO, Codec.AAC, 16_000, b"", "mp4a.40.2")
MASKED, SECRET, HEARD = b"masked", b"secret", b"heard"


class _Work:
    """Makes of every picture the same one."""

    def begin(self, track: TrackFormat) -> None:
        assert track.kind is Kind.VIDEO

    def take(self, sample: Sample) -> list[Out]:
        return [Out("main", VIDEO if sample.sync else None, Sample(0, sample.dts, 0, sample.sync, MASKED, 0))]


def sample(track: int, data: bytes, *, sync: bool = True) -> Sample:
    return Sample(track, 0, 0, sync, data, 0)


def handed_on(tracks: tuple[TrackFormat, ...], batch: list[Sample]) -> list[bytes]:
    """The samples that leave the child."""
    out, done = io.BytesIO(), threading.Event()
    relay = Relay([Area("door", ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)))], ["main"], out, failed=pytest.fail, now_us=0)
    relay._work = _Work()  # type: ignore[assignment]  # what it makes is tried elsewhere
    relay.start()
    relay.opened(tracks)
    relay.samples(batch)
    relay._put(done.set)
    assert done.wait(60)
    return [decode_sample(f)[2].data for f in Decoder().feed(out.getvalue()) if f.type == "live_sample"]


def test_pictures_are_masked_and_sound_goes_on_as_it_came() -> None:
    batch = [sample(0, SECRET), sample(1, HEARD), sample(0, SECRET, sync=False)]
    assert handed_on((VIDEO, SOUND), batch) == [MASKED, HEARD, MASKED]


@pytest.mark.parametrize("other", [VIDEO, replace(SOUND, kind=Kind.METADATA, codec=Codec.ONVIF_METADATA)])
def test_another_picture_and_what_a_camera_says_of_one_do_not_go_on(other: TrackFormat) -> None:
    batch = [sample(0, SECRET), sample(1, SECRET), sample(2, HEARD), sample(3, SECRET), sample(9, SECRET)]
    assert handed_on((VIDEO, other, SOUND, other), batch) == [MASKED, HEARD]
