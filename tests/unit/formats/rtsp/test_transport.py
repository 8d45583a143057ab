import pytest

from longwatch.formats.rtsp.transport import TrackStart, Transport, parse_rtp_info, parse_session, parse_transport


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('RTP/AVP/TCP;unicast;interleaved=2-3;ssrc=3C9F0E2A;mode="play"', Transport(channels=(2, 3), ssrc=0x3C9F0E2A)),
        ("RTP/AVP/TCP;unicast;interleaved=0", Transport(channels=(0, 1))),
        ("RTP/AVP/TCP;interleaved=0-1;ssrc=  5f2d ;", Transport(channels=(0, 1), ssrc=0x5F2D)),
        ("RTP/AVP/TCP;interleaved=0-1;ssrc=123456789abc", Transport(channels=(0, 1))),
        ("RTP/AVP/TCP;interleaved=256-257", Transport()),
        (
            "RTP/AVP;unicast;client_port=5000-5001;server_port=0-0",
            Transport(client_ports=(5000, 5001), server_ports=(0, 0)),
        ),
        ("RTP/AVP;client_port=70000-70001", Transport()),
        ("", Transport()),
        ("RTP/AVP/TCP;Interleaved=4-5,RTP/AVP;client_port=1-2", Transport(channels=(4, 5))),
    ],
)
def test_transports(value: str, expected: Transport) -> None:
    assert parse_transport(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("abc", ("abc", 60)),
        ("abc;timeout=30", ("abc", 30)),
        (" abc ; timeout = 30 ;", ("abc", 30)),
        ("abc;timeout=0", ("abc", 60)),
        ("abc;timeout=soon", ("abc", 60)),
        ("abc;timeout=999999999", ("abc", 86400)),
        ("", ("", 60)),
    ],
)
def test_sessions(value: str, expected: tuple[str, int]) -> None:
    assert parse_session(value) == expected


def test_rtp_info_that_means_nothing() -> None:
    """Hikvision and Tapo write 0 or 1 whatever they send; a trailing `;` is no error."""
    assert parse_rtp_info(
        "url=rtsp://c/1;seq=0;rtptime=0;,url=rtsp://c/2;seq=1,url=rtsp://c/3;seq=4711;rtptime=4294967295;"
    ) == [
        TrackStart("rtsp://c/1", None, 0),
        TrackStart("rtsp://c/2", None, None),
        TrackStart("rtsp://c/3", 4711, 4294967295),
    ]
    assert parse_rtp_info("") == []
    assert parse_rtp_info(";;,,;=") == []
