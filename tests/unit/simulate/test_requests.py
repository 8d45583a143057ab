"""Requests as a camera reads them."""

from __future__ import annotations

import pytest

from longwatch.simulate.requests import Interleaved, Request, RequestReader, answer, transport_options


def test_requests_and_packets_come_out_whatever_the_cuts():
    whole = (
        b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n"
        b"$\x01\x00\x04abcd"
        b"\r\nSET_PARAMETER rtsp://h/ RTSP/1.0\r\nCSeq: 2\r\nContent-Length: 3\r\n\r\nx:1"
    )
    wanted = [
        Request("OPTIONS", "*", {"cseq": "1"}),
        Interleaved(1, b"abcd"),
        Request("SET_PARAMETER", "rtsp://h/", {"cseq": "2", "content-length": "3"}, b"x:1"),
    ]
    for step in (1, 3, 7, len(whole)):
        reader = RequestReader()
        found = [item for at in range(0, len(whole), step) for item in reader.feed(whole[at : at + step])]
        assert found == wanted


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n\r\n", b"nonsense\r\n\r\n", b"x" * 70_000])
def test_what_is_no_request_is_an_error(data):
    with pytest.raises(ValueError, match=r"request"):
        RequestReader().feed(data)


def test_an_answer():
    assert answer(200, "7", [("Session", "1")], b"hi") == (
        b"RTSP/1.0 200 OK\r\nCSeq: 7\r\nServer: Longwatch simulated camera\r\nSession: 1\r\nContent-Length: 2\r\n\r\nhi"
    )


def test_transport_alternatives():
    assert transport_options("RTP/AVP;unicast;client_port=5000-5001,RTP/AVP/TCP;interleaved=0-1") == [
        ("RTP/AVP", {"unicast": "", "client_port": "5000-5001"}),
        ("RTP/AVP/TCP", {"interleaved": "0-1"}),
    ]
