"""H.265 over RTP: aggregation, decoding order numbers, and pictures that lead a CRA."""

from __future__ import annotations

import pytest
from tests.support.rtp import Clip, Sender, encoded, push_all, push_units, samples

from longwatch.formats.media import Codec, Sample, TrackFormat
from longwatch.formats.rtp import TrackReceiver, packetize, receiver_for
from longwatch.formats.rtp.packetize import nal_units
from longwatch.formats.sdp import Media

_OPEN = "bframes=3:b-adapt=0:b-pyramid=0:keyint=8:min-keyint=8:open-gop=1:scenecut=0"


def _receiver(media: Media) -> TrackReceiver:
    receiver = receiver_for(0, media, reorder=False)
    assert receiver is not None
    return receiver


def _source() -> Clip:
    return encoded(Codec.H265, 20, (160, 96), "bframes=0:keyint=5:min-keyint=5:scenecut=0")


@pytest.mark.parametrize("numbered", [False, True])
def test_aggregated_and_fragmented_units_with_and_without_order_numbers(numbered: bool) -> None:
    source = _source()
    media = source.media()
    if numbered:
        media.fmtp["sprop-max-don-diff"] = "2"
    receiver, sender = _receiver(media), Sender()
    for number, (data, pts, _) in enumerate(source.units):
        aud = b"\x46\x01\x50"
        don = number.to_bytes(2, "big") if numbered else b""
        small = [aud, *source.sets]
        gathered = b"\x60\x01" + don
        for index, nal in enumerate(small):
            gathered += (b"\x00" if numbered and index else b"") + len(nal).to_bytes(2, "big") + nal
        parts = [gathered]
        for nal in nal_units(data):
            for part in packetize.h265(nal, 200):
                if not numbered:
                    parts.append(part)
                elif part[0] >> 1 & 0x3F == 49:
                    parts.append(part[:3] + (don if part[2] & 0x80 else b"") + part[3:])
                else:
                    parts.append(part[:2] + don + part[2:])
        taken = samples(push_all(receiver, sender.packets(parts, pts), number * 40_000))
        assert [s.data for s in taken] == [data]
    assert receiver.notes == []


def test_parameter_sets_in_band_make_the_format_before_the_first_sample() -> None:
    source = _source()
    receiver, sender = _receiver(source.media(with_sets=False)), Sender()
    assert receiver.format is None
    out = push_all(receiver, sender.packets([*source.sets, *packetize.payloads(Codec.H265, source.units[0][0])], 0))
    assert [type(each) for each in out] == [TrackFormat, Sample]
    assert out[0] == receiver.format == _receiver(source.media()).format
    assert (out[0].width, out[0].height, out[0].fps) == (160, 96, 25)
    assert out[0].codec_string.startswith("hvc1.1.6.L")


def test_rasl_pictures_behind_the_first_cra_are_left_out_and_later_ones_kept() -> None:
    source = encoded(Codec.H265, 40, (160, 96), _OPEN)

    def kinds(data: bytes) -> set[int]:
        return {nal[0] >> 1 & 0x3F for nal in nal_units(data)}

    cras = [n for n, (data, _, _) in enumerate(source.units) if 21 in kinds(data)]
    assert len(cras) >= 2
    begin = cras[0]
    sender = Sender()
    taken = samples(push_units(_receiver(source.media()), [sender.unit(source, n) for n in range(begin, 40)]))
    left_out = {data for data, _, _ in source.units[begin : cras[1]] if kinds(data) & {8, 9}}
    assert left_out
    assert [s.data for s in taken] == [data for data, _, _ in source.units[begin:] if data not in left_out]
    assert taken[0].sync
    assert not any(s.damaged for s in taken)


def test_rasl_pictures_behind_a_cra_that_follows_a_loss_are_damaged() -> None:
    source = encoded(Codec.H265, 40, (160, 96), _OPEN)
    cra = next(n for n, (data, _, _) in enumerate(source.units) if any(x[0] >> 1 & 0x3F == 21 for x in nal_units(data)))
    sender = Sender()
    units = [sender.unit(source, n) for n in range(cra + 7)]
    del units[cra - 2]
    taken = samples(push_units(_receiver(source.media()), units))
    by_data = {s.data: s.damaged for s in taken}
    assert not by_data[source.units[cra][0]]
    assert by_data[source.units[cra - 1][0]]
    for data, _, _ in source.units[cra + 1 : cra + 7]:
        leading = any(nal[0] >> 1 & 0x3F in {8, 9} for nal in nal_units(data))
        assert by_data[data] is leading


def test_other_layers_and_suffix_sei() -> None:
    source = _source()
    receiver = _receiver(source.media())
    data, pts, _ = source.units[0]
    suffix = b"\x50\x01\x84\x01\x00\x80"
    parts = [b"\x26\x09" + bytes(20), *packetize.payloads(Codec.H265, data), suffix]
    out = push_all(receiver, Sender().packets(parts, pts))
    assert [list(nal_units(s.data)) for s in samples(out)] == [[*nal_units(data), suffix]]
