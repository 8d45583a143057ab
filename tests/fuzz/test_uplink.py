"""The quick version of the campaign at the uplink."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fuzz.targets_uplink import TARGETS

from longwatch.wire.uplink import Body, Chunk, Entries, Message, deflate, encode

_SHA = "ab" * 32
_WORDS = st.sampled_from(
    [
        b"\n", b"J", b"j", b"E\x05north", b"C", b"B", b'{"m":"logs","items":[["north",1,5]]}', b'{"m":"logs","items":[["south",1,5]]}', b'{"m":"logs","items":[[1]]}',
        b'{"m":"head","post":"north","number":1,"note":"x","key":"' + b"00" * 32 + b'"}', b'{"m":"head","post":"north"}', b'{"m":"status","post":"north"}',
        b'{"m":"offer","class":1,"items":[{"sha256":"' + _SHA.encode() + b'","size":10,"kind":"strip","post":"north","camera":"gate"}]}', b'{"m":"offer"}',
        b'{"m":"need","items":[["' + _SHA.encode() + b'",0]]}', b'{"m":"need","items":[["' + b"01" * 32 + b'",-1]]}', b'{"m":"confirmed","items":["' + b"01" * 32 + b'"]}',
        b'{"m":"cursors","items":[["north",1,0]]}', b'{"m":"cursors","items":[["north",1,9999999]]}', b'{"m":"held","post":"north","number":1,"size":1,"note":"n"}',
        b'{"m":"refused","sha256":"' + b"01" * 32 + b'"}', b'{"m":"refused","post":"north","number":1,"cursor":0,"later":true}', b'{"m":"welcome"}', b'{"m":"hello","site":"north"}',
        b'{"m":"confirmed","items":[1]}', b"\xff", b"}", b"[", b"null", b"1e999",
    ]
)  # fmt: skip
_FRAMES = st.one_of(
    st.builds(lambda data: encode(Chunk(bytes.fromhex(_SHA), 0, data)), st.binary(min_size=1, max_size=20)),
    st.builds(lambda n, data: encode(Entries("north", 1, n, [data])), st.integers(0, 100), st.binary(max_size=20)),
    st.builds(lambda data: b"j" + deflate(data), st.binary(max_size=60)),
    st.builds(lambda data: encode(Body("live_frame", {"live": 1}, data)), st.binary(max_size=20)),
    st.builds(lambda value: encode(Message("held", {"post": "north", "size": value})), st.integers()),
)


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_no_input_breaks_a_promise(target: str) -> None:
    @settings(max_examples=200, deadline=2000, database=None)
    @given(
        st.lists(st.one_of(_WORDS, _FRAMES, st.binary(max_size=8)), max_size=12).map(b"".join)
        | st.lists(_WORDS, max_size=12).map(b"\n".join)
        | _FRAMES
    )
    def run(data: bytes) -> None:
        TARGETS[target](data)

    run()
