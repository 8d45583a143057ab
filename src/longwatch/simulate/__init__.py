"""Cameras for trying it: RTSP servers that loop a file and fail on request."""
