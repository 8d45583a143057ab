from longwatch.formats.sdp import parse
from longwatch.ingest.options import Options
from longwatch.ingest.selection import choose

VIDEO = "m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\n"
ODD_VIDEO = "m=video 0 RTP/AVP 97\na=rtpmap:97 THEORA/90000\n"
AUDIO = "m=audio 0 RTP/AVP 0\n"
BACK = "m=audio 0 RTP/AVP 8\na=sendonly\n"
METADATA = "m=application 0 RTP/AVP 107\na=rtpmap:107 vnd.onvif.metadata/90000\n"


def chosen(sdp: str, options: Options | None = None) -> list[tuple[int, int]]:
    tracks = choose(parse(sdp.encode()), options or Options(), reorder=False)
    return [(track.index, track.media) for track in tracks]


def test_video_then_audio() -> None:
    assert chosen(VIDEO + AUDIO) == [(0, 0), (1, 1)]
    assert chosen(AUDIO + VIDEO) == [(0, 1), (1, 0)]


def test_what_cannot_be_stored_is_passed_over() -> None:
    assert chosen(ODD_VIDEO + VIDEO) == [(0, 1)]
    assert chosen(ODD_VIDEO + AUDIO) == []
    assert chosen(AUDIO) == []


def test_audio_and_metadata_as_wished() -> None:
    everything = VIDEO + AUDIO + METADATA
    assert chosen(everything, Options(audio=False)) == [(0, 0)]
    assert chosen(everything, Options(metadata=True)) == [(0, 0), (1, 1), (2, 2)]


def test_a_back_channel_is_the_last_choice() -> None:
    assert chosen(VIDEO + BACK + AUDIO) == [(0, 0), (1, 2)]
    assert chosen(VIDEO + BACK) == [(0, 0), (1, 1)]
