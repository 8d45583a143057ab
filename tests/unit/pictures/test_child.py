"""The child that encodes, spoken to as the server does."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tests.support.moving import moving_clip

from longwatch.formats.media import Codec, Sample
from longwatch.pictures.form import form_of
from longwatch.pictures.recoding import child_for
from longwatch.wire.frames import Decoder, encode, hello
from longwatch.wire.media import decode_format, decode_sample, encode_format, encode_sample

_AS_NOBODY = """
import os, sys
from longwatch.pictures import child
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
code = child.main(sys.argv[1:])
sys.stdout.flush()
os._exit(code)
"""


@pytest.mark.slow
@pytest.mark.parametrize("encoder", ["libx264", "libx265"])
def test_it_encodes_though_it_may_start_no_thread(encoder: str) -> None:
    """The kernel counts threads for everybody but root; libx265 waits for ever for one that it did not get."""
    clip, _ = moving_clip(encoder, "keyint=12")
    track = clip.tracks[0]
    output = {"name": "exact", "form": form_of(track).told(), "kept_90k": [0, 1 << 40], "preset": "ultrafast"}
    asked = hello("test") + encode_format(("", ""), 0, (track,))
    for dts, cts, _, sync, data, _ in clip.samples[0]:
        asked += encode_sample(("", ""), 0, Sample(0, dts, cts, sync, data, 0))
    asked += encode({"type": "flush"})
    (*_, job) = child_for(output)
    command = [sys.executable, "-c", _AS_NOBODY, job]
    done = subprocess.run(command, input=asked, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    said = list(Decoder().feed(done.stdout))
    assert said[-1].type == "done"
    [format_] = [decode_format(frame)[2][0] for frame in said if frame.type == "live_format"]
    assert format_.codec == (Codec.H265 if encoder == "libx265" else Codec.H264)
    made = [decode_sample(frame)[2] for frame in said if frame.type == "live_sample"]
    assert [sample.dts for sample in made] == sorted(dts + cts for dts, cts, *_ in clip.samples[0])
