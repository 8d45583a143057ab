from pathlib import Path

import pytest

from longwatch.formats.sdp import MAX_BODY_BYTES, Media, SdpError, base_url, parse, resolve_control

GOLDEN = Path(__file__).parents[2] / "golden" / "sdp"


def golden(name: str) -> bytes:
    return (GOLDEN / f"{name}.sdp").read_bytes()


def test_an_ordinary_camera() -> None:
    told = parse(golden("ordinary"))
    assert told.name == "Media Presentation"
    assert told.control == "*"
    video, audio, metadata = told.media
    assert video == Media(
        kind="video",
        payload_type=96,
        encoding="H264",
        clock_rate=90000,
        fmtp={
            "packetization-mode": "1",
            "profile-level-id": "640028",
            "sprop-parameter-sets": "Z2QAKKwbGoB4AiflwFuAgICgAAB9AAAOph0MAHz4AAjJdd5caGAD58AARkuu8uFAAA==,aO44MAA=",
        },
        control="trackID=1",
        direction="recvonly",
        payload_types=(96,),
    )
    assert (audio.encoding, audio.clock_rate, audio.channels, audio.fmtp["config"]) == (
        "MPEG4-GENERIC",
        16000,
        1,
        "1408",
    )
    assert (metadata.kind, metadata.encoding) == ("application", "VND.ONVIF.METADATA")


def test_tp_link_unparseable_media_costs_that_medium_alone() -> None:
    told = parse(golden("tp-link"))
    assert [m.encoding for m in told.media] == ["H264", "PCMA"]
    assert told.unread == ("application/TP-LINK RTP/AVP smart/1/90000",)
    assert told.media[1].control == "track2"  # the attributes of what was not read went with it


def test_flir_bad_timing_no_origin_and_trailing_spaces() -> None:
    told = parse(golden("flir"))
    assert [(m.encoding, m.control) for m in told.media] == [("H264", "rtsp://192.168.0.3:554/avc/track1")]


def test_static_payload_types_need_no_rtpmap() -> None:
    told = parse(b"m=audio 0 RTP/AVP 0\r\nm=audio 0 RTP/AVP 8\r\nm=video 0 RTP/AVP 26\r\nm=audio 0 RTP/AVP 10\r\n")
    assert [(m.encoding, m.clock_rate, m.channels) for m in told.media] == [
        ("PCMU", 8000, 1),
        ("PCMA", 8000, 1),
        ("JPEG", 90000, 1),
        ("L16", 44100, 2),
    ]


def test_the_first_payload_type_that_means_something_is_taken() -> None:
    media = parse(
        b"m=video 0 RTP/AVP 99 96 97\na=rtpmap:97 H265/90000\na=rtpmap:96 H264/90000\na=fmtp:96 a=1\na=fmtp:97 a=2\n"
    ).media[0]
    assert (media.payload_type, media.encoding, media.fmtp, media.payload_types) == (
        96,
        "H264",
        {"a": "1"},
        (99, 96, 97),
    )


def test_a_lone_rtpmap_under_another_number_is_meant() -> None:
    media = parse(b"m=video 0 RTP/AVP 35\na=rtpmap:96 H264/90000\na=fmtp:96 x=y\n").media[0]
    assert (media.payload_type, media.encoding, media.fmtp) == (35, "H264", {"x": "y"})


def test_a_rate_that_is_missing_or_senseless_is_the_usual_one() -> None:
    told = parse(b"m=video 0 RTP/AVP 96\na=rtpmap:96 H264\nm=audio 0 RTP/AVP 97\na=rtpmap:97 OPUS/0/x\n")
    assert [(m.clock_rate, m.channels) for m in told.media] == [(90000, 1), (8000, 1)]


@pytest.mark.parametrize(
    "body", [b"", b"v=0\r\n", b"m=\r\n", b"m=video 0 RTP/AVP smart\r\n", b"\xff\xfe\x00", b"m=video 0 RTP/AVP 128"]
)
def test_nothing_that_can_be_read(body: bytes) -> None:
    with pytest.raises(SdpError, match="no medium"):
        parse(body)


def test_sizes_are_capped() -> None:
    with pytest.raises(SdpError, match="limit"):
        parse(b"a" * (MAX_BODY_BYTES + 1))
    with pytest.raises(SdpError, match="lines"):
        parse(b"a=x\r\n" * 3000)
    with pytest.raises(SdpError, match="more than 32 media"):
        parse(b"m=video 0 RTP/AVP 96\n" * 33)


@pytest.mark.parametrize(
    ("offered", "location", "expected"),
    [
        ("", "", "rtsp://cam:554/live?x=1"),
        ("rtsp://cam/live/", "", "rtsp://cam/live/"),
        ("", "rtsp://cam/there", "rtsp://cam/there"),
        ("10.0.0.5:8554/live/", "", "rtsp://10.0.0.5:8554/live/"),  # Anjvision
        ("/live/", "", "rtsp://cam:554/live/"),
        ("//cam/live", "", "rtsp://cam/live"),
        ("rtsp://cam/live/;", "", "rtsp://cam/live/"),
        ("http://cam/live/", "", "rtsp://cam:554/live?x=1"),
        ("rtsp://", "", "rtsp://cam:554/live?x=1"),
        ("rtsp://user:pass@cam/live", "", "rtsp://cam/live"),
        ("rtsp://ca m/live", "", "rtsp://cam:554/live?x=1"),
    ],
)
def test_the_base(offered: str, location: str, expected: str) -> None:
    assert base_url("rtsp://u:p@cam:554/live?x=1", offered, location) == expected


@pytest.mark.parametrize(
    ("base", "control", "expected"),
    [
        ("rtsp://cam/live", "trackID=1", "rtsp://cam/live/trackID=1"),
        ("rtsp://cam/live/", "trackID=1", "rtsp://cam/live/trackID=1"),
        ("rtsp://cam/live/", "/trackID=1", "rtsp://cam/live/trackID=1"),
        ("rtsp://cam/live", "/trackID=1", "rtsp://cam/live/trackID=1"),
        ("rtsp://cam/live", "?ctype=video", "rtsp://cam/live?ctype=video"),
        ("rtsp://cam/live", "*", "rtsp://cam/live"),
        ("rtsp://cam/live", "", "rtsp://cam/live"),
        ("rtsp://cam/live", "RTSP://other/track", "RTSP://other/track"),
        ("rtsp://cam/live", "rtsp://u:p@cam/track", "rtsp://cam/track"),
        (
            "rtsp://cam/cam/realmonitor?channel=1&subtype=0/",
            "trackID=0",
            "rtsp://cam/cam/realmonitor?channel=1&subtype=0/trackID=0",
        ),
        ("rtsp://cam/live", "http://evil/x", "rtsp://cam/live/http://evil/x"),
        ("rtsp://cam/live", "rtsp://\x00\x01", "rtsp://cam/live"),  # found by fuzzing
        ("rtsp://cam/live", "rtsp://cam/\x00a b", "rtsp://cam/ab"),
        ("rtsp://cam/live", "a\x00b c", "rtsp://cam/live/abc"),
    ],
)
def test_controls(base: str, control: str, expected: str) -> None:
    assert resolve_control(base, control) == expected


def test_what_would_steer_a_terminal_does_not_come_in() -> None:
    body = b"v=0\r\ns=a\x1b]0;owned\x07\r\nm=video\x1b[2J 0 RTP/AVP 96\r\na=rtpmap:96 E\x1b[31mV\xe2\x80\xaeIL/90000\r\na=control:\x9b1\r\n"
    found = parse(body)
    assert found.name.isprintable()
    assert (found.media[0].kind, found.media[0].encoding) == ("video[2j", "E[31MVIL")
    assert found.media[0].control.isprintable()
