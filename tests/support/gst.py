"""GStreamer's RTSP server as a fixture: started, asked for its port, always stopped."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

PYTHON = "/usr/bin/python3"  # the system's: GObject introspection is not a package of a virtual environment
_NEEDED = (
    "import gi; gi.require_version('Gst','1.0'); gi.require_version('GstRtspServer','1.0'); "
    "from gi.repository import Gst, GstRtspServer; Gst.init(None); "
    "import sys; sys.exit(0 if all(Gst.ElementFactory.find(e) for e in "
    "('x264enc','x265enc','avenc_aac','jpegenc','rtph265pay','rtpmp4gpay')) else 1)"
)

PICTURE = "videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=15/1"
SOUND = "audiotestsrc is-live=true samplesperbuffer=1024 ! audio/x-raw,rate=48000,channels=2"
H264 = f"{PICTURE} ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15 ! rtph264pay name=pay0 pt=96"
H264_B = f"{PICTURE} ! x264enc bframes=2 b-adapt=false speed-preset=ultrafast key-int-max=15 ! video/x-h264,profile=main ! rtph264pay name=pay0 pt=96"
H265 = f"{PICTURE} ! x265enc tune=zerolatency speed-preset=ultrafast key-int-max=15 ! rtph265pay name=pay0 pt=96"
MJPEG = f"{PICTURE},format=I420 ! jpegenc ! rtpjpegpay name=pay0 pt=26"
AAC = f"{SOUND} ! avenc_aac ! rtpmp4gpay name=pay1 pt=97"
PCMU = "audiotestsrc is-live=true ! audio/x-raw,rate=8000,channels=1 ! mulawenc ! rtppcmupay name=pay1 pt=0"
OPUS = f"{SOUND} ! opusenc ! rtpopuspay name=pay1 pt=98"

MOUNTS = {
    "/h264": H264,
    "/b-frames": H264_B,
    "/h265": H265,
    "/mjpeg": MJPEG,
    "/h264-aac": f"{H264} {AAC}",
    "/h265-aac": f"{H265} {AAC}",
    "/h264-pcmu": f"{H264} {PCMU}",
    "/h264-opus": f"{H264} {OPUS}",
}


def missing() -> str:
    """Why the server cannot run here; empty where it can."""
    if not Path(PYTHON).exists():
        return f"{PYTHON} is not there"
    done = subprocess.run([PYTHON, "-c", _NEEDED], capture_output=True, check=False, timeout=180)
    return (
        ""
        if done.returncode == 0
        else "gir1.2-gst-rtsp-server-1.0 or a plugin is missing: run tools/system-packages test"
    )


@contextlib.contextmanager
def gst_server(user: str = "", password: str = "") -> Iterator[str]:
    """The server with all MOUNTS; gives `127.0.0.1:PORT`. Skips where GStreamer is not installed, with the reason."""
    why = missing()
    if why:
        pytest.skip(why)
    child = subprocess.Popen(
        [PYTHON, str(Path(__file__).with_name("gst_server.py"))], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        child.stdin.write(json.dumps({"mounts": MOUNTS, "user": user, "password": password}).encode() + b"\n")
        child.stdin.flush()
        yield f"127.0.0.1:{json.loads(child.stdout.readline())['port']}"
    finally:
        child.stdin.close()
        try:
            child.wait(60)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        child.stdout.close()
