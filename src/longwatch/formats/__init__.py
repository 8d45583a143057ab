"""Bytes to values and back, one module per standard. No I/O, no clock, no logging.

`media` tracks and samples; `sdp` (RFC 4566), `rtsp` (RFC 2326), `rtp` (RFC 3550 and a depacketizer per codec), `codecs`
(parameter sets), `bmff` (ISO/IEC 14496-12), `hls` (RFC 8216). Every parser caps sizes, raises its own error and nothing
else, and has a fuzz target.
"""
