"""Cameras to samples: one owner task per stream, over RTSP by TCP, UDP or TLS. Knows nothing of files."""
