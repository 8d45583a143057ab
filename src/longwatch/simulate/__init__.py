"""Devices for trying it: RTSP servers that loop a file and fail on request, a PoE switch, a relay with a meter."""
