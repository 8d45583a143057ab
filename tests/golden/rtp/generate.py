"""Makes the conversations of this folder: what cameras send that a tidy sender would not.

Each is a JSON file named by the camera that forced the quirk: the SDP media, the packets (base64) with their arrival, and
what must come of them, written down from intent and not from what our code does. `python -m tests.golden.rtp.generate`
writes them anew; the test reads the files only.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from collections.abc import Callable
from pathlib import Path

from tests.support.rtp import Clip, Sender, encoded, packet

from longwatch.formats.media import Codec
from longwatch.formats.rtp import packetize
from longwatch.formats.rtp.packetize import nal_units

HERE = Path(__file__).parent
FRAME = 3600
_OPTIONS = "bframes=0:keyint=5:min-keyint=5:scenecut=0"


def plain(frames: int = 12, size: tuple[int, int] = (64, 48), options: str = _OPTIONS) -> Clip:
    """Twelve frames, an IDR picture every five."""
    return encoded(Codec.H264, frames, size, options)


class Case:
    """One conversation: packets in order, and the samples that must come out: (unit, time, sync, damaged)."""

    def __init__(self, camera: str, quirk: str, clip: Clip, *, with_sets: bool = True, reorder: bool = False) -> None:
        self.about = {"camera": camera, "quirk": quirk}
        media = clip.media(with_sets=with_sets)
        self.media = {
            "kind": media.kind, "payload_type": 96, "encoding": media.encoding, "clock_rate": media.clock_rate,
            "fmtp": dict(media.fmtp),
        }  # fmt: skip
        self.clip = clip
        self.reorder = reorder
        self.packets: list[tuple[int, str]] = []
        self.expect: list[dict[str, object]] = []
        self.notes: list[str] = []
        self.lost = 0
        self.formats = 0

    def send(self, packets: list[bytes], at_us: int) -> None:
        self.packets += [(at_us, base64.b64encode(each).decode()) for each in packets]

    def want(self, unit: bytes, time: int, sync: bool, *, damaged: bool = False) -> None:
        """time: decode time relative to the first sample."""
        self.expect.append(
            {
                "size": len(unit),
                "sha256": hashlib.sha256(unit).hexdigest(),
                "dts": time,
                "sync": sync,
                "damaged": damaged,
            }
        )

    def want_unit(self, number: int, *, damaged: bool = False) -> None:
        data, pts, sync = self.clip.units[number]
        self.want(data, pts - self.clip.units[0][1], sync, damaged=damaged)

    def write(self, name: str) -> None:
        text = json.dumps(
            {
                **self.about, "media": self.media, "reorder": self.reorder, "packets": self.packets,
                "expect": {"samples": self.expect, "notes": self.notes, "lost": self.lost, "formats": self.formats},
            },
            separators=(",", ":"),
        )  # fmt: skip
        (HERE / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def _whole(case: Case, sender: Sender, payloads: Callable[[list[bytes], bool], list[bytes]] | None = None) -> Case:
    """Send every unit, its NAL units made to payloads by `payloads`, and want all of them."""
    for number, (data, pts, sync) in enumerate(case.clip.units):
        nals = list(nal_units(data))
        parts = (
            payloads(nals, sync) if payloads else [p for nal in nals for p in packetize.h264(nal, sender.max_payload)]
        )
        case.send(sender.packets(parts, pts), number * 40_000)
        case.want_unit(number)
    return case


def flir_m400() -> Case:
    """The last access unit has no end that could be seen: it is not delivered."""
    case = _whole(Case("FLIR M400", "the marker bit is never set", plain()), Sender(marker=False))
    case.expect.pop()
    return case


def marker_on_sei() -> Case:
    """The SEI of a frame goes out with the marker, the picture follows with the same timestamp."""
    case = Case("unnamed", "the marker bit is set on the SEI too", plain())
    sender = Sender()
    sei = bytes.fromhex("060502112280")
    for number, (data, pts, _) in enumerate(case.clip.units):
        first = sender.packets([sei], pts)
        rest = sender.packets([p for nal in nal_units(data) for p in packetize.h264(nal, 700)], pts)
        case.send(first + rest, number * 40_000)
        case.want(struct.pack(">I", len(sei)) + sei + data, pts, case.clip.units[number][2])
    return case


def costar_hd() -> Case:
    def payloads(nals: list[bytes], sync: bool) -> list[bytes]:
        return [bytes((nal[0] & 0xE0 | 28, 0xC0 | nal[0] & 0x1F)) + nal[1:] for nal in nals]

    return _whole(Case("CostarHD", "FU-A with the start and the end bit in one packet", plain()), Sender(), payloads)


def empty_fragments() -> Case:
    def payloads(nals: list[bytes], sync: bool) -> list[bytes]:
        out = []
        for nal in nals:
            head, kind = nal[0] & 0xE0 | 28, nal[0] & 0x1F
            half = len(nal) // 2
            out += [bytes((head, 0x80 | kind)), bytes((head, kind)) + nal[1:half], bytes((head, kind))]
            out += [bytes((head, kind)) + nal[half:], bytes((head, 0x40 | kind))]
        return out

    return _whole(Case("unnamed", "fragments without a payload", plain()), Sender(), payloads)


def tiandy() -> Case:
    """The fragments behind the first call an IDR picture type 1."""

    def payloads(nals: list[bytes], sync: bool) -> list[bytes]:
        out = []
        for nal in nals:
            parts = packetize.h264(nal, 60)
            out += [parts[0]] + [bytes((p[0], p[1] & 0xC0 | 1)) + p[2:] for p in parts[1:]] if len(parts) > 1 else parts
        return out

    return _whole(Case("Tiandy", "the NAL type changes between fragments", plain()), Sender(), payloads)


def v380() -> Case:
    case = Case(
        "V380", "Annex B inside RTP: start codes, parameter sets and picture in one unit", plain(), with_sets=False
    )

    def payloads(nals: list[bytes], sync: bool) -> list[bytes]:
        units = [*(case.clip.sets if sync else ()), *nals]
        return packetize.h264(b"\x00\x00\x00\x01".join(units), 400)

    case.notes = ["Annex B start codes inside RTP"]
    case.formats = 1
    return _whole(case, Sender(), payloads)


def reolink() -> Case:
    clip = plain(options=_OPTIONS + ":cqm=jvt:8x8dct=1")
    case = Case("Reolink", "bytes behind the SPS, and scaling lists in it", clip)
    sets = [nal + b"\x00\x00\x00\x80\x11\x22" if nal[0] & 0x1F == 7 else nal for nal in clip.sets]
    case.media["fmtp"]["sprop-parameter-sets"] = ",".join(base64.b64encode(nal).decode() for nal in sets)
    return _whole(case, Sender())


def no_sets_in_sdp() -> Case:
    case = Case("unnamed", "no parameter sets in the SDP, those in-band count", plain(), with_sets=False)
    case.formats = 1
    sender = Sender()
    for number, (_, _, sync) in enumerate(case.clip.units):
        case.send(sender.unit(case.clip, number, case.clip.sets if sync else ()), number * 40_000)
        case.want_unit(number)
    return case


def invalid_sets_in_sdp() -> Case:
    case = no_sets_in_sdp()
    case.about = {"camera": "unnamed", "quirk": "parameter sets in the SDP that are none"}
    case.media["fmtp"]["sprop-parameter-sets"] = "Z0IAKA==,aA==,%%%,"
    case.notes = ["invalid parameter sets"]
    return case


def parameter_change() -> Case:
    """The picture becomes larger in mid-stream: a new format stands before the sync sample that it begins with."""
    first, second = plain(7), plain(6, (96, 64))
    case = Case("unnamed", "parameter sets change in mid-stream", first)
    case.formats = 1
    sender = Sender()
    for number in range(7):
        case.send(sender.unit(first, number, first.sets if first.units[number][2] else ()), number * 40_000)
        case.want_unit(number)
    sender.offset = 7 * FRAME
    for number, (data, pts, sync) in enumerate(second.units):
        case.send(sender.unit(second, number, second.sets if sync else ()), (7 + number) * 40_000)
        case.want(data, pts + 7 * FRAME, sync)
    return case


def timestamp_wrap() -> Case:
    return _whole(
        Case("any", "timestamps and sequence numbers wrap", plain()), Sender(seq=0xFFFC, offset=0xFFFF_FFFF - 4 * FRAME)
    )


def _jumping(jump: int, camera: str, quirk: str, note: str) -> Case:
    """After six frames timestamps are `jump` elsewhere; arrival goes on, and so must decode times: 40 ms each."""
    case = Case(camera, quirk, plain())
    sender = Sender(offset=1_000_000_000)
    for number in range(12):
        if number == 6:
            sender.offset += jump
        case.send(sender.unit(case.clip, number), number * 40_000)
        case.want_unit(number)
    case.notes = [note]
    return case


def timestamp_jump() -> Case:
    return _jumping(3600 * 90_000, "unnamed", "timestamps jump an hour on (SNTP)", "timestamps jumped")


def timestamp_back() -> Case:
    return _jumping(-30 * 90_000, "unnamed", "timestamps go back 30 s (SNTP)", "timestamps jumped")


def timestamp_back_a_little() -> Case:
    return _jumping(-45_000, "unnamed", "timestamps go back half a second", "timestamps went back or stood still")


def geovision() -> Case:
    case = Case("Geovision", "packets of payload type 50 in the same sequence", plain())
    sender = Sender()
    for number in range(12):
        case.notes = ["packets of a payload type that SDP does not announce for this track"]
        case.send([packet(b"\x00" * 8, sender.seq, number, payload_type=50)], number * 40_000)
        sender.seq += 1
        case.send(sender.unit(case.clip, number), number * 40_000)
        case.want_unit(number)
    return case


def stale_session() -> Case:
    """Packets of a session that nobody ended, between ours."""
    case = Case("live555", "a stale session's packets on our channel", plain())
    old, sender = Sender(seq=77, ssrc=1), Sender()
    for number in range(12):
        if number == 0:
            case.send(old.unit(case.clip, 3), 0)
        case.send(sender.unit(case.clip, number), number * 40_000)
        case.send(old.unit(case.clip, 3), number * 40_000)
        case.want_unit(number)
    case.notes = ["the source of the stream (SSRC) changed"]
    return case


def hikvision_ssrc() -> Case:
    """An encoder restarts: new source, sequence and timestamps; the new one begins with an IDR picture."""
    case = Case("Hikvision", "the SSRC changes in mid-stream", plain(10))
    sender = Sender(offset=5000)
    for number in range(10):
        if number == 5:
            sender = Sender(seq=30_000, ssrc=9, offset=900_000_000)
        case.send(sender.unit(case.clip, number), number * 40_000)
        case.want_unit(number)
    case.notes = ["the source of the stream (SSRC) changed"]
    return case


def options_in_header() -> Case:
    """Header extension, a contributing source, and padding."""
    case = Case("unnamed", "padding, header extensions (ONVIF replay) and CSRC", plain())
    sender = Sender()
    for number in range(12):
        dressed = []
        for each in sender.unit(case.clip, number):
            head = bytes((0x80 | 0x20 | 0x10 | 1,)) + each[1:12]
            extension = struct.pack(">IHH", 5, 0xABAC, 3) + bytes(12)
            dressed.append(head + extension + each[12:] + b"\x00\x00\x00\x04")
        case.send(dressed, number * 40_000)
        case.want_unit(number)
    return case


def packet_lost() -> Case:
    """A packet inside the second frame is lost: that frame is not delivered, what follows is damaged up to the next IDR."""
    case = Case("any", "a packet lost inside an access unit", plain())
    sender = Sender(max_payload=60)
    for number in range(12):
        packets = sender.unit(case.clip, number)
        if number == 1:
            assert len(packets) > 1
            del packets[1 if len(packets) > 2 else 0]
        else:
            case.want_unit(number, damaged=1 < number < 5)
        case.send(packets, number * 40_000)
    case.notes = ["access units were incomplete"]
    case.lost = 1
    return case


def udp_reordered() -> Case:
    case = Case("any", "neighbouring packets change places, and come twice (UDP)", plain(), reorder=True)
    sender = Sender(max_payload=60)
    for number in range(12):
        packets = sender.unit(case.clip, number)
        if number:
            for at in range(0, len(packets) - 1, 2):
                packets[at], packets[at + 1] = packets[at + 1], packets[at]
        case.send([*packets, packets[0]], number * 40_000)
        case.want_unit(number)
    return case


def b_frames() -> Case:
    """Decode times apart from display times: they rise by one frame, beginning two frames before the first display."""
    clip = plain(16, options="bframes=3:b-adapt=0:b-pyramid=normal:keyint=16:scenecut=0")
    case = Case("unnamed", "B-frames", clip)
    sender = Sender()
    for number, (data, _, sync) in enumerate(clip.units):
        case.send(sender.unit(clip, number), number * 40_000)
        case.want(data, number * FRAME, sync)
    return case


def garbage() -> Case:
    """Truncated and invalid packets between good ones, each where a packet is missing."""
    case = Case("unnamed", "torn packets, wrong versions, wrong lengths", plain())
    sender = Sender()
    bad = [
        b"", b"\x80", b"\x80\x60\x00\x01", bytes(12), b"\x40" + bytes(30), b"\x9f\x60" + bytes(10) + b"\xff" * 4,
        b"\xff" * 11,
    ]  # fmt: skip
    for number in range(12):
        case.send([bad[number % len(bad)]], number * 40_000)
        case.send(sender.unit(case.clip, number), number * 40_000)
        case.want_unit(number)
    return case


CASES: dict[str, Callable[[], Case]] = {
    "flir-m400-no-marker": flir_m400,
    "marker-on-sei": marker_on_sei,
    "costarhd-start-and-end-in-one": costar_hd,
    "empty-fragments": empty_fragments,
    "tiandy-type-changes": tiandy,
    "v380-annex-b": v380,
    "reolink-long-sps": reolink,
    "no-parameter-sets": no_sets_in_sdp,
    "invalid-parameter-sets": invalid_sets_in_sdp,
    "parameter-change": parameter_change,
    "timestamp-wrap": timestamp_wrap,
    "timestamp-jump": timestamp_jump,
    "timestamp-back": timestamp_back,
    "timestamp-back-a-little": timestamp_back_a_little,
    "geovision-type-50": geovision,
    "live555-stale-session": stale_session,
    "hikvision-ssrc-change": hikvision_ssrc,
    "header-options": options_in_header,
    "packet-lost": packet_lost,
    "udp-reordered": udp_reordered,
    "b-frames": b_frames,
    "garbage": garbage,
}


if __name__ == "__main__":
    for name, make in CASES.items():
        make().write(name)
