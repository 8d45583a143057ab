"""Entries read back: only what is written is read."""

import json

import pytest
from hypothesis import given, settings
from tests.unit.ledger.test_canonical import json_values

from longwatch.ledger import EntryError, NotCanonicalError, entry_bytes, parse_entry

DATA = entry_bytes(3, -5, "0" * 32, "gap_closed", {"gap": 1, "text": "Tür"})


def test_what_is_written_is_read() -> None:
    entry = parse_entry(DATA)
    assert (entry.seq, entry.kind, entry.boot, entry.wall_us) == (3, "gap_closed", "0" * 32, -5)
    assert entry.body == {"gap": 1, "text": "Tür"}


@pytest.mark.parametrize(
    "data",
    [
        b"", b"[]", b"{}", b"\xff", DATA + b"\n", b" " + DATA, DATA.replace(b'"gap":1', b'"gap":1.0'),
        DATA.replace(b'"gap":1', b'"gap":NaN'), DATA.replace(b'"gap":1', b'"gap":1,"gap":1'), DATA.replace(b'"v":1', b'"v":2'),
        DATA.replace(b'"v":1', b'"v":true'), DATA.replace(b'"seq":3', b'"seq":-3'), DATA.replace(b'"seq":3', b'"seq":"3"'),
        DATA.replace("Tür".encode(), "Tu\u0308r".encode()), DATA.replace("ü".encode(), b"\\u00fc"),
        DATA.replace(b'"boot":"', b'"boat":"'), b"[" * 100_000, DATA.replace(b'"gap":1', b'"gap":9007199254740992'),
        DATA.replace(b'"gap":1', b'"gap":' + b"[" * 17 + b"]" * 17), DATA.replace(b'"gap":1', b'"gap":-0'),
        DATA.replace(b'"body":{"gap":1,"text":', b'"body":{"text":').replace(b'},"boot"', b',"gap":1},"boot"'),
    ],
)  # fmt: skip
def test_any_other_form_is_refused(data: bytes) -> None:
    with pytest.raises(EntryError):
        parse_entry(data)


@settings(max_examples=100, deadline=None)
@given(json_values)
def test_what_is_canonical_is_read(value: object) -> None:
    try:
        data = entry_bytes(0, 0, "", "x", {"value": value})
    except NotCanonicalError:
        return
    assert parse_entry(data).body["value"] == json.loads(data)["body"]["value"]
