"""What depacketizing costs: H.264 in FU-A packets of 1400 bytes, as one camera of 1080p25 at 4 Mbit/s sends them.

Prints microseconds a packet, and CPU milliseconds a camera-second. Packets come as the interleaved TCP stream would hand
them on: in one buffer per read. `python -m benchmarks.rtp_depacketize`.
"""

from __future__ import annotations

import base64
import struct
import time

from longwatch.formats.media import Sample
from longwatch.formats.rtp import TrackReceiver, packetize, receiver_for
from longwatch.formats.sdp import Media

FRAMES = 2500
FRAME_BYTES = 4_000_000 // 8 // 25
_SPS = bytes.fromhex("67428016965406 01bd35 06 06 0640 00 00 03 0040 00 00 0661".replace(" ", ""))
_PPS = bytes.fromhex("68ce3520")


def frames(read_bytes: int | None) -> list[tuple[bytes, list[tuple[int, int]]]]:
    """Buffers and the spans of the packets in them, one buffer a frame or one for `read_bytes`."""
    reads = []
    buffer, spans, seq = bytearray(), [], 0
    for number in range(FRAMES):
        first = b"\x65" if number % 50 == 0 else b"\x41"
        nal = first + b"\x88" + bytes(FRAME_BYTES - 2)
        parts = packetize.h264(nal, 1388)
        for index, part in enumerate(parts):
            second = 96 | (0x80 if index == len(parts) - 1 else 0)
            packet = struct.pack(">BBHII", 0x80, second, seq & 0xFFFF, number * 3600, 7) + part
            buffer += b"$\x00" + struct.pack(">H", len(packet))
            spans.append((len(buffer), len(buffer) + len(packet)))
            buffer += packet
            seq += 1
            if read_bytes is not None and len(buffer) >= read_bytes:
                reads.append((bytes(buffer), spans))
                buffer, spans = bytearray(), []
        if read_bytes is None:
            reads.append((bytes(buffer), spans))
            buffer, spans = bytearray(), []
    return reads


def receiver() -> TrackReceiver:
    """The receiver of one such camera."""
    sets = ",".join(base64.b64encode(nal).decode() for nal in (_SPS, _PPS))
    media = Media("video", 96, "H264", 90_000, fmtp={"sprop-parameter-sets": sets}, payload_types=(96,))
    made = receiver_for(0, media, reorder=False)
    assert made is not None
    return made


def measure(read_bytes: int | None, kind: type = bytes) -> tuple[float, float]:
    """(microseconds a packet, milliseconds a camera-second) of the best of five passes."""
    reads = [(kind(buffer), spans) for buffer, spans in frames(read_bytes)]
    packets = sum(len(spans) for _, spans in reads)
    best = float("inf")
    for _ in range(5):
        track = receiver()
        taken, at_us = 0, 0
        begin = time.process_time()
        for buffer, spans in reads:
            for each in track.push(buffer, spans, at_us):
                taken += type(each) is Sample
            at_us += 40_000
        best = min(best, time.process_time() - begin)
        assert taken >= FRAMES - 1, taken
        assert not track.lost
    return best / packets * 1e6, best / FRAMES * 25 * 1e3


def main() -> None:
    """Print the table."""
    print(f"{'H.264 FU-A, 1400-byte packets':<44}{'µs/packet':>12}{'ms/camera-s':>14}")
    for name, read_bytes, kind in (
        ("one frame a read, bytes", None, bytes),
        ("one frame a read, bytearray", None, bytearray),
        ("64 KiB a read, bytes", 65_536, bytes),
        ("4 KiB a read, bytes", 4096, bytes),
        ("one packet a read (UDP), bytes", 1, bytes),
    ):
        packet_us, camera_ms = measure(read_bytes, kind)
        print(f"{name:<44}{packet_us:>12.2f}{camera_ms:>14.3f}")


if __name__ == "__main__":
    main()
