import pytest

from longwatch.formats.rtsp.messages import (
    MAX_BODY_BYTES,
    MAX_HEAD_BYTES,
    MAX_LINE_BYTES,
    Headers,
    Request,
    Response,
    RtspError,
    decode,
    encode,
)


def whole(data: bytes) -> Request | Response:
    found = decode(data, 0, len(data))
    assert found is not None
    assert found[1] == len(data)
    return found[0]


def test_an_answer_with_a_body() -> None:
    answer = whole(b"RTSP/1.0 200 OK\r\nCSeq: 7\r\nContent-length: 3\r\n\r\nabc")
    assert answer == Response(200, "OK", Headers([("CSeq", "7"), ("Content-length", "3")]), b"abc")
    assert isinstance(answer, Response)
    assert answer.cseq == 7
    assert answer.headers.get("cseq") == "7"
    assert answer.headers.get("Nothing") == ""


def test_a_request_there_and_back() -> None:
    request = Request("SET_PARAMETER", "rtsp://c/", Headers([("CSeq", "1")]), b"x: y")
    assert whole(encode(request)) == Request(
        "SET_PARAMETER", "rtsp://c/", Headers([("CSeq", "1"), ("Content-Length", "4")]), b"x: y"
    )


def test_every_beginning_of_a_message_is_a_message_not_whole_yet() -> None:
    data = b"RTSP/1.0 200 OK\r\nCSeq: 7\r\nContent-Length: 3\r\n\r\nabc"
    for end in range(1, len(data)):
        assert decode(data, 0, end) is None


def test_lines_that_end_in_lf_folded_lines_and_no_reason() -> None:
    answer = whole(b"RTSP/1.0 200\nPublic: OPTIONS,\n  PLAY\nno colon here\n\n")
    assert answer == Response(200, "", Headers([("Public", "OPTIONS, PLAY")]))


def test_a_cseq_that_is_none() -> None:
    answer = whole(b"RTSP/1.0 200 OK\r\nCSeq: seven\r\n\r\n")
    assert isinstance(answer, Response)
    assert answer.cseq is None


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "it speaks HTTP"),
        (b"SSH-2.0-OpenSSH_9\r\n", "not RTSP"),
        (b"\x00\x01\x02", "not RTSP"),
        (b"\xff" * 4, "not RTSP"),
        (b"GET / HTTP/1.1\r\n\r\n", "not RTSP"),
        (b"RTSP/1.0 abc\r\n\r\n", "without a status"),
        (b"RTSP/1.0 99 low\r\n\r\n", "without a status"),
        (b"RTSP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n", "Content-Length"),
        (b"RTSP/1.0 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "Content-Length"),
        (b"RTSP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1), "limit"),
        (b"RTSP/1.0 200 OK\r\n" + b"A: b\r\n" * 256 + b"\r\n", "256 header lines"),
        (b"RTSP/1.0 200 OK\r\nA: " + b"b" * MAX_LINE_BYTES + b"\r\n\r\n", "line beyond"),
        (b"RTSP/1.0 200 OK" + b"x" * MAX_LINE_BYTES, "not RTSP"),
        (b"RTSP/1.0 200 OK\r\n" + b"A: b\r\n" * (MAX_HEAD_BYTES // 6 + 1), "head beyond"),
    ],
)
def test_what_is_no_message(data: bytes, why: str) -> None:
    with pytest.raises(RtspError, match=why):
        decode(data, 0, len(data))


def test_control_characters_do_not_come_in() -> None:
    answer = whole(b"RTSP/1.0 200 O\x1b[31mK\r\nSession: a\0b\rc\x7f;timeout=1\r\n\r\n")
    assert answer == Response(200, "O[31mK", Headers([("Session", "abc;timeout=1")]))


def test_255_header_lines_are_fine() -> None:
    answer = whole(b"RTSP/1.0 200 OK\r\n" + b"A: b\r\n" * 255 + b"\r\n")
    assert len(answer.headers.lines) == 255


def test_no_line_can_be_smuggled_in() -> None:
    with pytest.raises(RtspError):
        encode(Request("PLAY", "rtsp://c/\r\nEvil: 1", Headers()))


def test_credentials_do_not_show() -> None:
    shown = repr(Request("PLAY", "rtsp://c/", Headers([("Authorization", "Basic c2VjcmV0")])))
    assert "c2VjcmV0" not in shown
