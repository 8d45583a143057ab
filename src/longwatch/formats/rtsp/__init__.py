"""RTSP 1.0 (RFC 2326), the client's side, without I/O.

`messages` bytes to requests and answers; `interleaved` packets and messages on one connection, told apart in place;
`auth` Basic and Digest; `transport` the Transport, Session and RTP-Info headers; `client` the conversation: events in,
`commands` out. Raises RtspError on bytes that are no RTSP, and nothing else.
"""

from longwatch.formats.rtsp.auth import Login
from longwatch.formats.rtsp.client import STALE_SESSION_S, Client, SetUp
from longwatch.formats.rtsp.commands import Command, Described, End, Ended, Playing, Send, TrackReady
from longwatch.formats.rtsp.interleaved import MAX_ITEM_BYTES, Demultiplexer
from longwatch.formats.rtsp.messages import Headers, Message, Request, Response, RtspError
from longwatch.formats.rtsp.transport import Transport

__all__ = [
    "MAX_ITEM_BYTES",
    "STALE_SESSION_S",
    "Client",
    "Command",
    "Demultiplexer",
    "Described",
    "End",
    "Ended",
    "Headers",
    "Login",
    "Message",
    "Playing",
    "Request",
    "Response",
    "RtspError",
    "Send",
    "SetUp",
    "TrackReady",
    "Transport",
]
