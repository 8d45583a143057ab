"""Stored segments to what players get: progressive mp4, HLS, stills. Bytes are cut, never re-muxed by a library."""
