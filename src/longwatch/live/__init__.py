"""Live view: samples from the recorder's socket, made into chunks once and handed to everybody who watches.

Comes in: `live_format` and `live_sample` frames of the socket. Goes out, per viewer: a JSON text, an initialization
segment, then live chunks (one moof+mdat per sample), from the last sync sample on. A stream is subscribed only while
somebody watches it. No polling and no timer stands between a sample and its viewers. Nothing is stored.
Owner of the state: the server's event loop.
"""

from longwatch.live.feed import Feed
from longwatch.live.formats import LiveFormat
from longwatch.live.hub import Hub, RecorderLink, WatchedStream
from longwatch.live.viewer import Viewer

__all__ = ["Feed", "Hub", "LiveFormat", "RecorderLink", "Viewer", "WatchedStream"]
