"""ONVIF metadata: documents in pieces."""

from __future__ import annotations

from tests.support.rtp import Sender, push_all, samples

from longwatch.formats.media import Codec, Kind
from longwatch.formats.rtp import TrackReceiver, receiver_for
from longwatch.formats.rtp.onvif_metadata import MAX_DOCUMENT_BYTES
from longwatch.formats.sdp import Media

DOCUMENT = b'<?xml version="1.0"?><tt:MetadataStream>' + b"<a/>" * 500 + b"</tt:MetadataStream>"


def _receiver() -> TrackReceiver:
    receiver = receiver_for(2, Media("application", 96, "vnd.onvif.metadata", 90_000), reorder=False)
    assert receiver is not None
    return receiver


def _parts(document: bytes, size: int = 700) -> list[bytes]:
    return [document[at : at + size] for at in range(0, len(document), size)]


def test_a_document_ends_at_the_marker() -> None:
    receiver, sender = _receiver(), Sender()
    taken = samples(push_all(receiver, sender.packets(_parts(DOCUMENT), 0) + sender.packets([b"<b/>"], 900)))
    assert [s.data for s in taken] == [DOCUMENT, b"<b/>"]
    assert receiver.format is not None
    assert (receiver.format.kind, receiver.format.codec) == (Kind.METADATA, Codec.ONVIF_METADATA)
    assert b"application/vnd.onvif.metadata\x00" in receiver.format.sample_entry


def test_a_torn_document_is_dropped() -> None:
    receiver, sender = _receiver(), Sender()
    torn = sender.packets(_parts(DOCUMENT), 0)
    del torn[1]
    taken = samples(push_all(receiver, torn + sender.packets(_parts(DOCUMENT), 900)))
    assert [s.data for s in taken] == [DOCUMENT]


def test_a_document_without_end_is_dropped_at_a_megabyte() -> None:
    receiver, sender = _receiver(), Sender(marker=False)
    for _ in range(40):
        assert push_all(receiver, sender.packets([b"x" * 50_000], 0)) == []
    assert receiver._size <= MAX_DOCUMENT_BYTES
    sender.marker = True
    push_all(receiver, sender.packets([b"end"], 0))
    assert [s.data for s in samples(push_all(receiver, sender.packets([DOCUMENT], 900)))] == [DOCUMENT]
