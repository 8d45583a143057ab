"""ISO base media files (ISO/IEC 14496-12): segment files of ours, live chunks, and ordinary mp4 files of others.

`header` and `closing` frame a segment file (docs/ref/segment-file.md), `fragment` writes what stands between, `scan` reads
it back, torn tails too; `sample_index` is the packed table that playback needs; `mp4_file` reads anybody's file; `moov`
holds the boxes of tracks. Comes in: bytes, or a `Read` callable. Promises: no I/O, sizes capped, BmffError and no other
error from a parser.
"""

from longwatch.formats.bmff.boxes import BmffError, Read
from longwatch.formats.bmff.closing import ClosedFragment, Closing, closing, closing_size, parse_closing
from longwatch.formats.bmff.fragment import Run, Stored, StoredSample, fragment, live_chunk
from longwatch.formats.bmff.guard import GUARD_BYTES, LIFTED, guard
from longwatch.formats.bmff.header import (
    Header,
    SegmentIdentity,
    live_init,
    mime_type,
    parse_header,
    segment_header,
)
from longwatch.formats.bmff.mp4_file import Mp4File, Mp4Sample, Mp4Track
from longwatch.formats.bmff.sample_index import (
    DAMAGED,
    SYNC,
    IndexBuilder,
    SampleIndex,
    TrackIndex,
    pack_sample_index,
    unpack_sample_index,
)
from longwatch.formats.bmff.scan import (
    Recovered,
    ScannedFragment,
    ScannedRun,
    add_to_index,
    scan_fragments,
    whole_fragments,
)

__all__ = [
    "DAMAGED",
    "GUARD_BYTES",
    "LIFTED",
    "SYNC",
    "BmffError",
    "ClosedFragment",
    "Closing",
    "Header",
    "IndexBuilder",
    "Mp4File",
    "Mp4Sample",
    "Mp4Track",
    "Read",
    "Recovered",
    "Run",
    "SampleIndex",
    "ScannedFragment",
    "ScannedRun",
    "SegmentIdentity",
    "Stored",
    "StoredSample",
    "TrackIndex",
    "add_to_index",
    "closing",
    "closing_size",
    "fragment",
    "guard",
    "live_chunk",
    "live_init",
    "mime_type",
    "pack_sample_index",
    "parse_closing",
    "parse_header",
    "scan_fragments",
    "segment_header",
    "unpack_sample_index",
    "whole_fragments",
]
