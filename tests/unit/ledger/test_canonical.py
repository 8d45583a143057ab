"""The canonical form: the vectors of docs/ref/ledger-format.md, and that one value has one form."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longwatch.ledger import NotCanonicalError, canonical, entry_bytes, kinds, leaf_hash
from longwatch.model.sessions import StreamKey

PAGE = Path(__file__).parents[3] / "docs/ref/ledger-format.md"


def test_the_vectors_of_the_reference_page() -> None:
    entry = entry_bytes(
        0, 1_767_225_600_000_000, "0" * 32, kinds.GAP_OPENED,
        kinds.gap_opened(StreamKey("gate", "main"), 1, 1_767_225_600_000_000, "camera_unreachable", {"detail": "Tür zu"}),
    )  # fmt: skip
    page = PAGE.read_text(encoding="utf-8")
    assert entry.decode() in page
    assert leaf_hash(entry).hex() in page


def test_every_kind_is_on_the_reference_page_and_no_other() -> None:
    listed = set(re.findall(r"^\| `([a-z_]+)` \|", PAGE.read_text(encoding="utf-8"), re.M))
    assert listed == {value for name, value in vars(kinds).items() if name.isupper()}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"b": 1, "a": [True, None, -5]}, b'{"a":[true,null,-5],"b":1}'),
        ({"\u20ac": 1, "\u00e9": 2, "e": 3}, '{"e":3,"\u00e9":2,"\u20ac":1}'.encode()),
        ("e\u0301", '"\u00e9"'.encode()),
        ('"\\\n\t\x01/\u2028', b'"\\"\\\\\\n\\t\\u0001/\xe2\x80\xa8"'),
        ((1 << 53) - 1, b"9007199254740991"),
        ((), b"[]"),
    ],
)
def test_known_forms(value: object, expected: bytes) -> None:
    assert canonical(value) == expected


@pytest.mark.parametrize(
    "value",
    [1.0, float("nan"), 1 << 53, -(1 << 53), b"x", {1: 2}, {"\ud800": 1}, "\udfff", {"é": 1, "e\u0301": 2}, {1}],
)
def test_what_has_no_canonical_form(value: object) -> None:
    with pytest.raises(NotCanonicalError):
        canonical(value)


def test_depth_is_capped() -> None:
    deep: object = 1
    for _ in range(40):
        deep = [deep]
    with pytest.raises(NotCanonicalError):
        canonical(deep)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 53) + 1, (1 << 53) - 1)
    | st.text(st.characters(codec="utf-8"), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc\u00e9\u4e2d", max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(json_values)
def test_read_back_and_written_again_it_is_the_same(value: object) -> None:
    once = canonical(value)
    assert canonical(json.loads(once)) == once
