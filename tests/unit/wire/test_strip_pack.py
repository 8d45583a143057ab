"""Strip pictures of ten minutes as one object: there and back, and nothing else is taken for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longwatch.wire.strip_pack import StripPicture, decode, encode

PICTURES = st.lists(
    st.builds(StripPicture, st.integers(0, 1 << 60), st.integers(0, 1), st.binary(min_size=1, max_size=200)),
    min_size=1,
    max_size=20,
)


@given(PICTURES)
def test_there_and_back(pictures):
    data = encode(pictures)
    assert decode(data) == pictures
    assert data.startswith(pictures[0].jpeg), "it begins as a JPEG does"


@given(PICTURES, st.data())
def test_what_is_damaged_is_refused_or_is_another_pack(pictures, data):
    whole = bytearray(encode(pictures))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    try:
        found = decode(bytes(whole))
    except ValueError:
        return
    assert len(found) <= len(pictures)


@given(st.binary(max_size=300))
def test_rubbish_is_refused(data):
    with pytest.raises(ValueError, match="pack"):
        decode(data)


def test_no_pictures_are_no_pack():
    with pytest.raises(ValueError, match="0 pictures"):
        encode([])
