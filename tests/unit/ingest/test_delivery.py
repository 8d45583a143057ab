import pytest
from tests.support.sinks import RememberingSink

from longwatch.formats.media import Codec, Kind, Loss, Sample, SenderReport, TrackFormat
from longwatch.ingest.bounds import ExcessError
from longwatch.ingest.delivery import Delivery
from longwatch.ingest.frozen import FrozenPicture
from longwatch.model.sessions import Fault

VIDEO = TrackFormat(Kind.VIDEO, Codec.H264, 90000, b"avc1", "avc1.42c01e", 640, 480)
WIDER = TrackFormat(Kind.VIDEO, Codec.H264, 90000, b"avc2", "avc1.42c01e", 1280, 720)
AUDIO = TrackFormat(Kind.AUDIO, Codec.PCMU, 8000, b"ulaw", "ulaw")
STILL = bytes(range(256)) * 20


def sample(at_s: float, *, track: int = 0, sync: bool = True, data: bytes = b"") -> Sample:
    return Sample(track, int(at_s * 90000), 0, sync, data or str(at_s).encode() * 50, int(at_s * 1e6))


def delivery(sink: RememberingSink) -> tuple[Delivery, list[Fault | None]]:
    said: list[Fault | None] = []
    made = Delivery(sink, FrozenPicture(15), lambda fault, _: said.append(fault))
    made.set_formats([VIDEO, AUDIO])
    return made, said


def test_a_session_begins_with_video() -> None:
    sink = RememberingSink()
    made, said = delivery(sink)
    made.take([sample(0, track=1)], 1)
    made.take([Loss(0, 1, 0)], 0)
    made.sender_reports([SenderReport(0, 0, 0, 0)], 0)
    assert not sink.open
    assert said == []
    made.take([sample(1)], 0)
    made.take([sample(1, track=1)], 1)
    made.sender_reports([SenderReport(0, 0, 0, 0)], 0)
    assert sink.tracks == (VIDEO, AUDIO)
    assert said == [None]
    assert (len(sink.video), len(sink.audio), len(sink.reports), len(sink.losses)) == (1, 1, 1, 0)


def test_formats_losses_and_samples_keep_their_order() -> None:
    sink = RememberingSink()
    made, _ = delivery(sink)
    made.take([VIDEO, sample(0), sample(1, sync=False), Loss(0, 3, 0), WIDER, sample(2), sample(3, sync=False)], 0)
    assert sink.tracks == (WIDER, AUDIO)
    assert [s.dts for s in sink.video] == [0, 90000, 180000, 270000]
    assert sink.losses == [Loss(0, 3, 0)]
    made.close(Fault.SILENT, "no packet")
    made.close(Fault.SILENT, "no packet")
    assert sink.sessions == [(Fault.SILENT, "no packet")]


def test_a_frozen_picture_ends_the_session_and_nothing_that_moves_is_lost() -> None:
    sink = RememberingSink()
    made, said = delivery(sink)
    for t in range(0, 20, 2):
        made.take([sample(t, data=STILL)], 0)
        made.take([sample(t + 1, data=b"skip", sync=False)], 0)
        made.take([sample(t + 1, track=1)], 1)
    assert sink.sessions[0][0] is Fault.FROZEN
    assert said == [None, Fault.FROZEN]
    assert made.frozen_since_us == 16_000_000
    before = len(sink.video)
    made.take([sample(20, data=STILL), sample(21, data=b"skip", sync=False)], 0)
    assert len(sink.video) == before
    made.take([sample(22, data=STILL[:3000], sync=False)], 0)  # something moves in the middle of a group of pictures
    assert [s.dts // 90000 for s in sink.video[before:]] == [20, 21, 22]
    assert sink.opened_count == 2
    assert said == [None, Fault.FROZEN, None]
    made.take([sample(23, track=1)], 1)
    assert sink.audio[-1].dts == 23 * 90000


def test_parameters_that_change_over_and_over_are_not_a_file_each() -> None:
    sink = RememberingSink()
    made, _ = delivery(sink)
    made.take([sample(0)], 0, 0)
    with pytest.raises(ExcessError, match="over and over"):
        for n in range(1000):
            made.take([(VIDEO, WIDER)[n % 2], sample(1 + n / 25)], 0, 1_000_000 + n * 40_000)
    assert 31 <= len(sink.video) <= 45, "thirty at once, and what a few seconds earn"


def test_parameters_that_change_every_ten_seconds_are_recorded_for_ever() -> None:
    sink = RememberingSink()
    made, _ = delivery(sink)
    for n in range(1000):
        made.take([(VIDEO, WIDER)[n % 2], sample(n * 10)], 0, n * 10_000_000)
    assert len(sink.video) == 1000


def test_more_pictures_than_any_camera_sends_are_refused_before_they_are_kept() -> None:
    sink = RememberingSink()
    made, _ = delivery(sink)
    with pytest.raises(ExcessError, match="a second"):
        for n in range(1000):
            made.take([sample(n + k / 1000) for k in range(100)], 0, 1_000_000)
    assert len(sink.video) == 10_000


def test_a_bomb_of_reports_is_refused() -> None:
    sink = RememberingSink()
    made, _ = delivery(sink)
    made.take([sample(0)], 0, 0)
    with pytest.raises(ExcessError, match="reports"):
        for _ in range(1000):
            made.sender_reports([SenderReport(0, 0, 0, 0)] * 32, 1_000_000)
    assert len(sink.reports) < 10_000


def test_a_backlog_of_a_minute_after_a_stall_is_no_excess() -> None:
    sink = RememberingSink()
    made, _ = delivery(sink)
    for n in range(60 * 75):
        made.take([sample(n / 75, data=str(n).encode() * 40)], 0, 60_000_000)
    assert len(sink.video) == 60 * 75
