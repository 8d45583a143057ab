"""Logging in to cameras, as a transcript. The digests are those of RFC 7616, worked out apart from the code under test."""

import hashlib

from tests.support.conversation import Conversation

from longwatch.formats.rtsp import Described, End, Ended, Login, Playing, SetUp, TrackReady, Transport

SDP = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
ODD = Login("admin", 'p@ss:w/o?r"d')


def h(text: str, name: str = "md5") -> str:
    return hashlib.new(name, text.encode()).hexdigest()


def greeted(login: Login | None = ODD) -> Conversation:
    talk = Conversation(login=login)
    talk.start()
    talk.us("OPTIONS rtsp://cam/live RTSP/1.0\nCSeq: 1")
    talk.camera("RTSP/1.0 200 OK\nCSeq: 1")
    talk.us("DESCRIBE rtsp://cam/live RTSP/1.0\nCSeq: 2\nAccept: application/sdp")
    return talk


def test_basic() -> None:
    talk = greeted()
    talk.camera('RTSP/1.0 401 Unauthorized\nCSeq: 2\nWWW-Authenticate: Basic realm="cam"')
    talk.us(
        "DESCRIBE rtsp://cam/live RTSP/1.0\nCSeq: 3\nAuthorization: Basic YWRtaW46cEBzczp3L28/ciJk\nAccept: application/sdp"
    )
    talk.camera("RTSP/1.0 200 OK\nCSeq: 3", SDP)
    talk.expect(Described)
    talk.over()


def test_digest_md5_as_old_cameras_do_it() -> None:
    talk = greeted()
    talk.camera(
        'RTSP/1.0 401 Unauthorized\nCSeq: 2\nWWW-Authenticate: Digest realm="IP Camera(1)", nonce="abc", stale="FALSE"'
    )
    ha1 = h('admin:IP Camera(1):p@ss:w/o?r"d')
    response = h(f"{ha1}:abc:{h('DESCRIBE:rtsp://cam/live')}")
    talk.us(
        f"""
        DESCRIBE rtsp://cam/live RTSP/1.0
        CSeq: 3
        Authorization: Digest username="admin", realm="IP Camera(1)", nonce="abc", uri="rtsp://cam/live", response="{response}"
        Accept: application/sdp
        """
    )
    talk.over()


def test_sha256_is_preferred_and_counts_its_uses() -> None:
    talk = greeted()
    talk.camera(
        "RTSP/1.0 401 Unauthorized\nCSeq: 2\n"
        'WWW-Authenticate: Basic realm="r"\n'
        'WWW-Authenticate: Digest realm="r", nonce="m", algorithm=MD5, qop="auth"\n'
        'WWW-Authenticate: Digest realm="r", nonce="s", algorithm=SHA-256, qop="auth,auth-int", opaque="o"'
    )

    def authorization(method: str, uri: str, nc: str) -> str:
        ha1, ha2 = h('admin:r:p@ss:w/o?r"d', "sha256"), h(f"{method}:{uri}", "sha256")
        response = h(f"{ha1}:s:{nc}:c0ffee:auth:{ha2}", "sha256")
        return (
            f'Authorization: Digest username="admin", realm="r", nonce="s", uri="{uri}", response="{response}", '
            f'algorithm=SHA-256, opaque="o", qop=auth, nc={nc}, cnonce="c0ffee"'
        )

    first = authorization("DESCRIBE", "rtsp://cam/live", "00000001")
    talk.us(f"DESCRIBE rtsp://cam/live RTSP/1.0\nCSeq: 3\n{first}\nAccept: application/sdp")
    talk.camera("RTSP/1.0 200 OK\nCSeq: 3", SDP)
    talk.expect(Described)
    talk.set_up(SetUp(0, Transport(channels=(0, 1))))
    second = authorization("SETUP", "rtsp://cam/live", "00000002")
    talk.us(f"SETUP rtsp://cam/live RTSP/1.0\nCSeq: 4\n{second}\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1")
    talk.over()


def test_a_wrong_password_is_not_tried_again_on_the_same_connection() -> None:
    talk = greeted()
    talk.camera('RTSP/1.0 401 Unauthorized\nCSeq: 2\nWWW-Authenticate: Digest realm="r", nonce="1"')
    talk.expect_login()
    talk.camera('RTSP/1.0 401 Unauthorized\nCSeq: 3\nWWW-Authenticate: Digest realm="r", nonce="2"')
    assert talk.expect(Ended) == Ended(End.LOGIN_REFUSED, "the camera refuses this user and password", 401)
    talk.over()


def test_a_stale_nonce_is_renewed_and_a_loop_of_them_ends() -> None:
    talk = greeted()
    talk.camera('RTSP/1.0 401 Unauthorized\nCSeq: 2\nWWW-Authenticate: Digest realm="r", nonce="1"')
    talk.expect_login()
    for cseq in (3, 4):
        talk.camera(
            f'RTSP/1.0 401 Unauthorized\nCSeq: {cseq}\nWWW-Authenticate: Digest realm="r", nonce="n{cseq}", stale=true'
        )
        talk.expect_login()
    talk.camera('RTSP/1.0 401 Unauthorized\nCSeq: 5\nWWW-Authenticate: Digest realm="r", nonce="n5", stale=true')
    assert talk.expect(Ended) == Ended(End.LOGIN_REFUSED, "the camera refuses this user and password", 401)
    talk.over()


def test_a_nonce_that_ages_without_saying_stale_is_renewed_in_a_session_that_worked() -> None:
    talk = greeted()
    talk.camera('RTSP/1.0 401 Unauthorized\nCSeq: 2\nWWW-Authenticate: Digest realm="r", nonce="1"')
    talk.expect_login()
    talk.camera("RTSP/1.0 200 OK\nCSeq: 3", SDP)
    talk.expect(Described)
    talk.set_up(SetUp(0, Transport(channels=(0, 1))))
    talk.expect_login()
    talk.camera("RTSP/1.0 200 OK\nCSeq: 4\nSession: s\nTransport: RTP/AVP/TCP;interleaved=0-1")
    talk.expect(TrackReady)
    talk.expect_login()
    talk.camera("RTSP/1.0 200 OK\nCSeq: 5\nSession: s")
    talk.expect(Playing)
    talk.after(30)
    talk.expect_login()
    talk.camera('RTSP/1.0 401 Unauthorized\nCSeq: 6\nWWW-Authenticate: Digest realm="r", nonce="2"')
    assert 'nonce="2"' in talk.expect_login()
    talk.camera('RTSP/1.0 401 Unauthorized\nCSeq: 7\nWWW-Authenticate: Digest realm="r", nonce="2"')
    talk.silence()  # a keep-alive that is refused is no reason to end what works
    talk.over()


def test_basic_after_digest_is_refused_so_that_the_password_never_goes_in_the_clear() -> None:
    talk = greeted()
    talk.camera('RTSP/1.0 401 Unauthorized\nCSeq: 2\nWWW-Authenticate: Digest realm="r", nonce="1"')
    talk.expect_login()
    talk.camera("RTSP/1.0 200 OK\nCSeq: 3", SDP)
    talk.expect(Described)
    talk.set_up(SetUp(0, Transport(channels=(0, 1))))
    talk.expect_login()
    talk.camera('RTSP/1.0 401 Unauthorized\nCSeq: 4\nWWW-Authenticate: Basic realm="r"')
    refused = Ended(End.LOGIN_REFUSED, "the camera asked for Digest first, and now for Basic", 401)
    assert talk.expect(Ended) == refused
    talk.over()


def test_no_login_set() -> None:
    talk = greeted(login=None)
    talk.camera('RTSP/1.0 401 Unauthorized\nCSeq: 2\nWWW-Authenticate: Basic realm="r"')
    assert talk.expect(Ended) == Ended(End.LOGIN_REFUSED, "the camera asks for a login, and none is set", 401)
    talk.over()


def test_a_scheme_nobody_knows() -> None:
    talk = greeted()
    talk.camera(
        'RTSP/1.0 401 Unauthorized\nCSeq: 2\nWWW-Authenticate: Digest realm="r", nonce="1", algorithm=SHA-512-256'
    )
    assert talk.expect(Ended) == Ended(End.LOGIN_REFUSED, "the camera asks for a login in a way we do not know", 401)
    talk.over()


def test_forbidden_is_a_refused_login() -> None:
    talk = greeted()
    talk.camera("RTSP/1.0 403 Forbidden\nCSeq: 2")
    assert talk.expect(Ended) == Ended(End.LOGIN_REFUSED, "the camera forbids DESCRIBE to this user", 403)
    talk.over()
