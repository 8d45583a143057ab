"""Whole sessions, read like a transcript: `talk.us` is what we say, `talk.camera` what comes back."""

from tests.support.conversation import Conversation

from longwatch.formats.rtsp import Described, End, Ended, Playing, SetUp, TrackReady, Transport

SDP = "v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:trackID=1\r\nm=audio 0 RTP/AVP 0\r\na=control:trackID=2\r\n"
VIDEO = SetUp(0, Transport(channels=(0, 1)))
AUDIO = SetUp(1, Transport(channels=(2, 3)))


def described(talk: Conversation, *, public: str = "DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER") -> None:
    talk.start()
    talk.us("OPTIONS rtsp://cam/live RTSP/1.0\nCSeq: 1")
    talk.camera(f"RTSP/1.0 200 OK\nCSeq: 1\nPublic: {public}")
    talk.us("DESCRIBE rtsp://cam/live RTSP/1.0\nCSeq: 2\nAccept: application/sdp")
    talk.camera("RTSP/1.0 200 OK\nCSeq: 2\nContent-Type: application/sdp\nServer: Cam/1.0", SDP)
    told = talk.expect(Described)
    assert isinstance(told, Described)
    assert [m.encoding for m in told.description.media] == ["H264", "PCMU"]


def playing(talk: Conversation, session: str = "12345678;timeout=60", **how: str) -> None:
    described(talk, **how)
    talk.set_up(VIDEO)
    talk.us("SETUP rtsp://cam/live/trackID=1 RTSP/1.0\nCSeq: 3\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1")
    talk.camera(f"RTSP/1.0 200 OK\nCSeq: 3\nSession: {session}\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1")
    talk.expect(TrackReady)
    identity = session.partition(";")[0]
    talk.us(f"PLAY rtsp://cam/live RTSP/1.0\nCSeq: 4\nSession: {identity}\nRange: npt=0.000-")
    talk.camera(
        f"RTSP/1.0 200 OK\nCSeq: 4\nSession: {identity}\nRTP-Info: url=rtsp://cam/live/trackID=1;seq=0;rtptime=1;"
    )


def test_video_and_audio_from_options_to_teardown(talk: Conversation) -> None:
    described(talk)
    talk.set_up(VIDEO, AUDIO)
    talk.us("""
        SETUP rtsp://cam/live/trackID=1 RTSP/1.0
        CSeq: 3
        Transport: RTP/AVP/TCP;unicast;interleaved=0-1
    """)
    talk.camera(
        "RTSP/1.0 200 OK\nCSeq: 3\nSession: abc;timeout=30\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1;ssrc= 1F2B"
    )
    assert talk.expect(TrackReady) == TrackReady(0, Transport(channels=(0, 1), ssrc=0x1F2B))
    talk.us("""
        SETUP rtsp://cam/live/trackID=2 RTSP/1.0
        CSeq: 4
        Session: abc
        Transport: RTP/AVP/TCP;unicast;interleaved=2-3
    """)
    talk.camera(
        "RTSP/1.0 200 OK\nCSeq: 4\nSession: abc;timeout=30\nTransport: RTP/AVP/TCP;unicast;interleaved=2-3;ssrc=nonsense;"
    )
    assert talk.expect(TrackReady) == TrackReady(1, Transport(channels=(2, 3)))
    talk.us("PLAY rtsp://cam/live RTSP/1.0\nCSeq: 5\nSession: abc\nRange: npt=0.000-")
    talk.camera("RTSP/1.0 200 OK\nCSeq: 5\nSession: abc")
    assert talk.expect(Playing) == Playing("abc", 15.0)
    talk.close()
    talk.us("TEARDOWN rtsp://cam/live RTSP/1.0\nCSeq: 6\nSession: abc")


def test_keep_alive_at_half_the_timeout_by_get_parameter(talk: Conversation) -> None:
    playing(talk)
    assert talk.expect(Playing) == Playing("12345678", 30.0, talk_starts())
    talk.after(29.9)
    talk.silence()
    talk.after(0.2)
    talk.us("GET_PARAMETER rtsp://cam/live RTSP/1.0\nCSeq: 5\nSession: 12345678")
    talk.camera("RTSP/1.0 200 OK\nCSeq: 5")
    talk.after(30)
    talk.us("GET_PARAMETER rtsp://cam/live RTSP/1.0\nCSeq: 6\nSession: 12345678")


def talk_starts():  # what RTP-Info said: a sequence of 0 means nothing
    from longwatch.formats.rtsp.transport import TrackStart

    return (TrackStart("rtsp://cam/live/trackID=1", None, 1),)


def test_keep_alive_by_set_parameter_and_by_options(talk: Conversation) -> None:
    playing(talk, public="OPTIONS, DESCRIBE, SET_PARAMETER, PLAY")
    talk.expect(Playing)
    talk.after(30)
    talk.us("SET_PARAMETER rtsp://cam/live RTSP/1.0\nCSeq: 5\nSession: 12345678")
    talk.camera("RTSP/1.0 501 Not Implemented\nCSeq: 5")  # it said Public, and does not do it
    talk.silence()
    talk.after(30)
    talk.us("OPTIONS rtsp://cam/live RTSP/1.0\nCSeq: 6\nSession: 12345678")
    talk.camera("RTSP/1.0 200 OK\nCSeq: 6\nPublic: OPTIONS")
    talk.silence()


def test_keep_alive_never_more_often_than_every_five_seconds(talk: Conversation) -> None:
    playing(talk, session="s;timeout=4")
    played = talk.expect(Playing)
    assert isinstance(played, Playing)
    assert played.keep_alive_s == 5.0
    talk.after(4.9)
    talk.silence()
    talk.after(0.2)
    talk.us("GET_PARAMETER rtsp://cam/live RTSP/1.0\nCSeq: 5\nSession: s")


def test_unanswered_keep_alives_end_nothing(talk: Conversation) -> None:
    playing(talk)
    talk.expect(Playing)
    for cseq in range(5, 60):
        talk.after(30)
        talk.us(f"GET_PARAMETER rtsp://cam/live RTSP/1.0\nCSeq: {cseq}\nSession: 12345678")


def test_a_keep_alive_for_a_session_the_camera_forgot(talk: Conversation) -> None:
    playing(talk)
    talk.expect(Playing)
    talk.after(30)
    talk.us("GET_PARAMETER rtsp://cam/live RTSP/1.0\nCSeq: 5\nSession: 12345678")
    talk.camera("RTSP/1.0 454 Session Not Found\nCSeq: 5")
    assert talk.expect(Ended) == Ended(End.ENDED_BY_CAMERA, "the camera no longer knows our session", 454)


def test_the_session_id_changes_between_setups(talk: Conversation) -> None:
    described(talk)
    talk.set_up(VIDEO, AUDIO)
    talk.us("SETUP rtsp://cam/live/trackID=1 RTSP/1.0\nCSeq: 3\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1")
    talk.camera("RTSP/1.0 200 OK\nCSeq: 3\nSession: first\nTransport: RTP/AVP/TCP;interleaved=0-1")
    talk.expect(TrackReady)
    talk.us(
        "SETUP rtsp://cam/live/trackID=2 RTSP/1.0\nCSeq: 4\nSession: first\nTransport: RTP/AVP/TCP;unicast;interleaved=2-3"
    )
    talk.camera("RTSP/1.0 200 OK\nCSeq: 4\nSession: second\nTransport: RTP/AVP/TCP;interleaved=2-3")
    talk.expect(TrackReady)
    talk.us("PLAY rtsp://cam/live RTSP/1.0\nCSeq: 5\nSession: second\nRange: npt=0.000-")


def test_udp_asks_for_ports_and_hears_the_cameras(talk: Conversation) -> None:
    described(talk)
    talk.set_up(SetUp(0, Transport(client_ports=(5000, 5001))))
    talk.us("SETUP rtsp://cam/live/trackID=1 RTSP/1.0\nCSeq: 3\nTransport: RTP/AVP;unicast;client_port=5000-5001")
    talk.camera(
        "RTSP/1.0 200 OK\nCSeq: 3\nSession: u\nTransport: RTP/AVP;unicast;client_port=5000-5001;server_port=6000-6001;source=10.9.9.9"
    )
    assert talk.expect(TrackReady) == TrackReady(0, Transport(client_ports=(5000, 5001), server_ports=(6000, 6001)))
    talk.us("PLAY rtsp://cam/live RTSP/1.0\nCSeq: 4\nSession: u\nRange: npt=0.000-")


def test_the_wrong_transport_says_what_to_try(talk: Conversation) -> None:
    described(talk)
    talk.set_up(SetUp(0, Transport(client_ports=(5000, 5001))))
    talk.us("SETUP rtsp://cam/live/trackID=1 RTSP/1.0\nCSeq: 3\nTransport: RTP/AVP;unicast;client_port=5000-5001")
    talk.camera("RTSP/1.0 461 Unsupported Transport\nCSeq: 3")
    ended = talk.expect(Ended)
    assert isinstance(ended, Ended)
    assert (ended.end, ended.status) == (End.REFUSED, 461)
    assert "try the other transport" in ended.detail


def test_a_camera_that_refuses_options_and_leaves_out_content_type(talk: Conversation) -> None:
    talk.start()
    talk.us("OPTIONS rtsp://cam/live RTSP/1.0\nCSeq: 1")
    talk.camera("RTSP/1.0 405 Method Not Allowed\nCSeq: 1")
    talk.us("DESCRIBE rtsp://cam/live RTSP/1.0\nCSeq: 2\nAccept: application/sdp")
    talk.camera("RTSP/1.0 200 OK\nCSeq: 2\nContent-Base: 10.0.0.5:554/live/;", SDP)
    talk.expect(Described)
    talk.set_up(VIDEO)
    talk.us(
        "SETUP rtsp://10.0.0.5:554/live/trackID=1 RTSP/1.0\nCSeq: 3\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1"
    )


def test_answers_without_cseq_belong_to_the_oldest_request(talk: Conversation) -> None:
    talk.start()
    talk.us("OPTIONS rtsp://cam/live RTSP/1.0\nCSeq: 1")
    talk.camera("RTSP/1.0 200 OK\nPublic: DESCRIBE")
    talk.us("DESCRIBE rtsp://cam/live RTSP/1.0\nCSeq: 2\nAccept: application/sdp")
    talk.camera("RTSP/1.0 200 OK\nCSeq: 77", SDP)  # nobody waits for this one
    talk.silence()
    talk.camera("RTSP/1.0 200", SDP)
    talk.expect(Described)


def test_redirects_are_refused(talk: Conversation) -> None:
    talk.start()
    talk.us("OPTIONS rtsp://cam/live RTSP/1.0\nCSeq: 1")
    talk.camera("RTSP/1.0 200 OK\nCSeq: 1")
    talk.us("DESCRIBE rtsp://cam/live RTSP/1.0\nCSeq: 2\nAccept: application/sdp")
    talk.camera("RTSP/1.0 302 Moved Temporarily\nCSeq: 2\nLocation: rtsp://evil/live")
    assert talk.expect(Ended) == Ended(
        End.REFUSED, "the camera redirects elsewhere, and redirects are not followed", 302
    )
    talk.close()
    talk.silence()


def test_a_redirect_request_is_refused_too(talk: Conversation) -> None:
    playing(talk)
    talk.expect(Playing)
    talk.camera("REDIRECT rtsp://cam/live RTSP/1.0\nCSeq: 1\nLocation: rtsp://evil/live")
    ended = talk.expect(Ended)
    assert isinstance(ended, Ended)
    assert ended.end is End.REFUSED


def test_requests_of_the_camera_are_answered(talk: Conversation) -> None:
    playing(talk)
    talk.expect(Playing)
    talk.camera("OPTIONS * RTSP/1.0\nCSeq: 9")
    talk.us("RTSP/1.0 200 OK\nCSeq: 9")
    talk.camera("RECORD * RTSP/1.0\nCSeq: 10")
    talk.us("RTSP/1.0 501 Not Implemented\nCSeq: 10")


def test_too_many_viewers_waits_as_the_camera_says(talk: Conversation) -> None:
    described(talk)
    talk.set_up(VIDEO)
    talk.us("SETUP rtsp://cam/live/trackID=1 RTSP/1.0\nCSeq: 3\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1")
    talk.camera("RTSP/1.0 503 Service Unavailable\nCSeq: 3\nRetry-After: 17")
    ended = talk.expect(Ended)
    assert isinstance(ended, Ended)
    assert (ended.end, ended.status, ended.retry_after_s) == (End.REFUSED, 503, 17)


def test_a_stale_session_is_torn_down_when_its_id_is_known() -> None:
    talk = Conversation(unfinished="old")
    talk.start()
    talk.us("OPTIONS rtsp://cam/live RTSP/1.0\nCSeq: 1")
    talk.stray_packets()
    talk.us("TEARDOWN rtsp://cam/live RTSP/1.0\nCSeq: 2\nSession: old")
    ended = talk.expect(Ended)
    assert isinstance(ended, Ended)
    assert (ended.end, ended.retry_after_s) == (End.STALE_SESSION, 2.0)
    talk.over()


def test_a_stale_session_without_a_known_id_is_waited_out(talk: Conversation) -> None:
    talk.start()
    talk.us("OPTIONS rtsp://cam/live RTSP/1.0\nCSeq: 1")
    talk.stray_packets()
    ended = talk.expect(Ended)
    assert isinstance(ended, Ended)
    assert (ended.end, ended.retry_after_s) == (End.STALE_SESSION, 65.0)


def test_strays_after_our_own_setup_are_passed_over(talk: Conversation) -> None:
    playing(talk)
    talk.expect(Playing)
    talk.stray_packets()
    talk.silence()


def test_a_camera_that_stops_answering(talk: Conversation) -> None:
    described(talk)
    talk.set_up(VIDEO)
    talk.us("SETUP rtsp://cam/live/trackID=1 RTSP/1.0\nCSeq: 3\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1")
    talk.after(9.9)
    talk.silence()
    talk.after(0.2)
    assert talk.expect(Ended) == Ended(End.TIMED_OUT, "the camera did not answer SETUP within 10 s")


def test_a_range_that_is_not_liked_is_left_out(talk: Conversation) -> None:
    described(talk)
    talk.set_up(VIDEO)
    talk.us("SETUP rtsp://cam/live/trackID=1 RTSP/1.0\nCSeq: 3\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1")
    talk.camera("RTSP/1.0 200 OK\nCSeq: 3\nSession: s\nTransport: RTP/AVP/TCP;interleaved=0-1")
    talk.expect(TrackReady)
    talk.us("PLAY rtsp://cam/live RTSP/1.0\nCSeq: 4\nSession: s\nRange: npt=0.000-")
    talk.camera("RTSP/1.0 457 Invalid Range\nCSeq: 4")
    talk.us("PLAY rtsp://cam/live RTSP/1.0\nCSeq: 5\nSession: s")
    talk.camera("RTSP/1.0 200 OK\nCSeq: 5")
    talk.expect(Playing)


def test_a_description_without_media_cannot_be_used(talk: Conversation) -> None:
    talk.start()
    talk.us("OPTIONS rtsp://cam/live RTSP/1.0\nCSeq: 1")
    talk.camera("RTSP/1.0 200 OK\nCSeq: 1")
    talk.us("DESCRIBE rtsp://cam/live RTSP/1.0\nCSeq: 2\nAccept: application/sdp")
    talk.camera("RTSP/1.0 200 OK\nCSeq: 2", "v=0\r\n")
    assert talk.expect(Ended) == Ended(End.PROTOCOL_ERROR, "the SDP names no medium that can be read", 200)
