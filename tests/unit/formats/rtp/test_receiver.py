"""Sequence numbers, sources and reports of one track."""

from __future__ import annotations

import struct

import pytest
from tests.support.rtp import SSRC, packet, push_all, samples

from longwatch.formats.media import Loss, SenderReport
from longwatch.formats.rtp import TrackReceiver, receiver_for, rtcp
from longwatch.formats.rtp.clock import MediaClock
from longwatch.formats.sdp import Media

NTP_2026 = 3_976_214_400  # 2026-01-01 in NTP seconds


def _audio(*, reorder: bool = False) -> TrackReceiver:
    """G.711: every packet is a sample, so the sequence shows."""
    receiver = receiver_for(3, Media("audio", 0, "PCMU", 8000), reorder=reorder)
    assert receiver is not None
    return receiver


def _packets(*numbers: int, ssrc: int = SSRC) -> list[bytes]:
    return [packet(struct.pack(">H", n & 0xFFFF), n, n * 160, payload_type=0, ssrc=ssrc) for n in numbers]


def _numbers(out: list) -> list[int]:
    return [int.from_bytes(s.data, "big") for s in samples(out)]


def _sr(ssrc: int, seconds: int, timestamp: int, fraction: int = 0) -> bytes:
    return struct.pack(">BBHIIIIII", 0x80, 200, 6, ssrc, seconds, fraction, timestamp, 1, 2)


def test_duplicates_are_dropped_and_old_packets_do_not_start_anew() -> None:
    receiver = _audio()
    assert _numbers(push_all(receiver, _packets(5, 6, 6, 5, 7))) == [5, 6, 7]
    assert (receiver.duplicates, receiver.packets, receiver.lost) == (2, 3, 0)


def test_two_in_a_row_elsewhere_make_a_new_sequence() -> None:
    receiver = _audio()
    out = push_all(receiver, _packets(5, 6, 40_000, 40_001, 40_002))
    assert _numbers(out) == [5, 6, 40_001, 40_002]
    assert [each.detail for each in out if isinstance(each, Loss)] == ["sequence numbers jumped"]
    assert receiver.lost == 0


def test_reordered_packets_wait_for_each_other_on_udp_alone() -> None:
    order = (1, 3, 2, 6, 5, 4, 7)
    assert _numbers(push_all(_audio(reorder=True), _packets(*order))) == [1, 2, 3, 4, 5, 6, 7]
    tcp = _audio()
    assert _numbers(push_all(tcp, _packets(*order))) == [1, 3, 6, 7]
    assert tcp.lost == 3


def test_a_missing_packet_is_given_up_after_200_ms_or_64_packets() -> None:
    receiver = _audio(reorder=True)
    assert _numbers(push_all(receiver, _packets(1, 3, 4), 0)) == [1]
    assert _numbers(push_all(receiver, _packets(5), 100_000)) == []
    out = push_all(receiver, _packets(6), 250_000)
    assert _numbers(out) == [3, 4, 5, 6]
    assert out[0] == Loss(3, 1, 250_000, "1 packets missing")
    receiver = _audio(reorder=True)
    out = push_all(receiver, _packets(1, *range(3, 70)), 0)
    assert _numbers(out) == [1, *range(3, 70)]
    assert receiver.lost == 1


def test_a_missing_packet_that_comes_late_with_the_next_read_is_not_lost() -> None:
    receiver = _audio(reorder=True)
    assert _numbers(push_all(receiver, _packets(1, 3), 0)) == [1]
    assert _numbers(push_all(receiver, _packets(2, 4), 300_000)) == [2, 3, 4]
    assert receiver.lost == receiver.duplicates == 0


def test_what_waits_at_the_end_is_delivered() -> None:
    receiver = _audio(reorder=True)
    push_all(receiver, _packets(1, 3, 5))
    out = receiver.flush()
    assert _numbers(out) == [3, 5]
    assert receiver.lost == 2


def test_a_sequence_wraps_in_the_middle_of_reordering() -> None:
    receiver = _audio(reorder=True)
    numbers = [65534, 0x10000, 65535, 0x10001]
    assert _numbers(push_all(receiver, _packets(*numbers))) == [65534, 65535, 0, 1]
    assert receiver.lost == 0


def test_a_stray_packet_of_another_source_changes_nothing_but_two_in_a_row_do() -> None:
    receiver = _audio()
    out = push_all(receiver, _packets(1, 2) + _packets(900, ssrc=9) + _packets(3) + _packets(901, ssrc=9) + _packets(4))
    assert _numbers(out) == [1, 2, 3, 4]
    assert receiver.foreign == 2
    out = push_all(receiver, _packets(902, 903, 904, ssrc=9))
    assert _numbers(out) == [902, 903, 904]
    assert isinstance(out[0], Loss)
    assert push_all(receiver, _packets(*range(5, 54))) == []  # a source that we left needs fifty
    assert _numbers(push_all(receiver, _packets(54))) == list(range(5, 55))


def test_sender_reports_are_in_the_samples_own_time() -> None:
    receiver = _audio()
    assert receiver.push_rtcp(_sr(SSRC, NTP_2026, 0), 5) == []  # no sample yet to tie it to
    (sample,) = samples(push_all(receiver, _packets(10), 0))
    reports = receiver.push_rtcp(_sr(SSRC, NTP_2026, 1600 + 800, 1 << 31), 7)
    assert reports == [SenderReport(3, sample.dts + 800, 1_767_225_600_500_000, 7)]
    assert receiver.push_rtcp(_sr(SSRC, 0, 0), 7) == []  # a camera without a clock


def test_times_beyond_2036_are_of_the_next_ntp_era() -> None:
    (report,) = rtcp.parse(_sr(1, 100, 0)).reports
    assert report.wall_us == (0x1_0000_0000 - 2_208_988_800 + 100) * 1_000_000


def test_a_bomb_of_reports_is_read_no_further_than_a_compound_packet_goes() -> None:
    receiver = _audio()
    push_all(receiver, _packets(0))
    assert len(receiver.push_rtcp(_sr(SSRC, NTP_2026, 0) * 2000, 7)) == 32


def test_goodbye_is_remembered() -> None:
    receiver = _audio()
    push_all(receiver, _packets(1))
    sdes = struct.pack(">BBHI", 0x81, 202, 2, SSRC) + b"\x01\x00\x00\x00"
    receiver.push_rtcp(_sr(SSRC, NTP_2026, 0) + sdes + struct.pack(">BBHI", 0x81, 203, 1, SSRC + 1), 0)
    assert not receiver.goodbye
    receiver.push_rtcp(struct.pack(">BBHI", 0x81, 203, 1, SSRC), 0)
    assert receiver.goodbye


@pytest.mark.parametrize(
    "data", [b"", b"\x80", b"\x80\xc8\xff\xff", _sr(1, 1, 1)[:20], b"\x00" * 40, b"\xbf\xcb\x00\x01abcd"]
)
def test_torn_reports_are_no_reports(data: bytes) -> None:
    assert rtcp.parse(data).reports == ()


def test_receiver_reports_say_what_was_lost() -> None:
    receiver = _audio()
    empty = receiver.receiver_report(0)
    assert empty[:4] == b"\x80\xc9\x00\x01"
    push_all(receiver, _packets(*range(100, 110)), 0)
    push_all(receiver, _packets(*range(115, 125)), 1_000_000)
    receiver.push_rtcp(_sr(SSRC, NTP_2026, 0, 0x8000_0000), 2_000_000)
    report = receiver.receiver_report(2_500_000)
    kind, own, source, loss, highest, jitter, last, delay = struct.unpack_from(">HxxIIIIIII", report)
    assert (kind, source, highest) == (0x81C9, SSRC, 124)
    assert own & 0xFFFF == 3
    assert (loss >> 24, loss & 0xFF_FFFF) == (5 * 256 // 25, 5)
    assert jitter > 0
    assert (last, delay) == ((NTP_2026 & 0xFFFF) << 16 | 0x8000, 32768)
    assert report[32:36] == b"\x81\xca\x00\x04"
    assert len(report) == 32 + 20
    again = struct.unpack_from(">HxxIIIIIII", receiver.receiver_report(3_000_000))
    assert again[3] >> 24 == 0


def test_highest_number_counts_wraps() -> None:
    receiver = _audio()
    push_all(receiver, _packets(65534, 65535, 65536, 65537))
    assert struct.unpack_from(">HxxIIII", receiver.receiver_report(0))[4] == 65537


def test_counters_of_what_is_delivered() -> None:
    receiver = _audio()
    push_all(receiver, _packets(1, 2, 3))
    assert (receiver.packets, receiver.bytes) == (3, 6)


def test_other_payload_types_of_the_same_media_line_are_not_read_as_ours() -> None:
    """`m=audio 0 RTP/AVP 0 8 97`: what SDP says of the first is not true of the others."""
    receiver = receiver_for(0, Media("audio", 0, "PCMU", 8000, payload_types=(0, 8, 97)), reorder=False)
    assert receiver is not None
    mixed = [packet(bytes([0, n]), n, n * 160, payload_type=0 if n % 2 else 97) for n in range(1, 6)]
    assert _numbers(push_all(receiver, mixed)) == [1, 3, 5]
    assert (receiver.lost, receiver.foreign, receiver.packets) == (0, 2, 3)


def test_a_wrap_among_lost_packets_is_counted() -> None:
    receiver = _audio()
    push_all(receiver, _packets(65_530, 65_540))
    assert receiver.lost == 9
    assert struct.unpack_from(">HxxIIII", receiver.receiver_report(0))[4] == 65_540


def test_a_jump_is_still_seen_after_a_day_with_a_slow_clock() -> None:
    """500 ppm are 43 s a day: the smallest delay creeps along, or a jump of 40 s would hide in it."""
    clock = MediaClock(90_000)
    for second in range(0, 86_400, 10):
        clock.unwrap(second * 90_000 * 9995 // 10_000 & 0xFFFF_FFFF, second * 1_000_000)
    before = clock.near(clock._timestamp)
    after = clock.unwrap(clock._timestamp + 50 * 90_000 & 0xFFFF_FFFF, 86_400_000_000)
    assert clock.jumps == 1
    assert after - before == 10 * 90_000
