"""Stamps by a real authority, judged here and by openssl alike; forged and damaged ones are refused and never crash."""

from __future__ import annotations

import hashlib
import random
import subprocess
from pathlib import Path

import pytest
from tests.support.timestamps import Authority

from longwatch.ledger import stamps

TEXT = "longwatch/ridge/d/1\n5\nAAAA\n\n— longwatch/ridge/d/1 Az3grl\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tsa"))


@pytest.fixture(scope="module")
def response(authority: Authority) -> bytes:
    return authority.stamp(stamps.request(TEXT).data)


def test_a_stamp_holds_here_and_for_openssl(authority: Authority, response: bytes, tmp_path: Path) -> None:
    stamp = stamps.verify(response, TEXT, authority.ca.read_bytes())
    assert (stamp.authority, stamp.trusted, stamp.sha256) == ("CN=Test stamps", True, hashlib.sha256(response).digest())
    assert stamps.read(response, TEXT).at_us == stamp.at_us
    assert not stamps.read(response, TEXT).trusted
    (tmp_path / "5.tsr").write_bytes(response)
    (tmp_path / "5.checkpoint").write_text(TEXT)
    said = subprocess.run(
        ["openssl", "ts", "-verify", "-in", tmp_path / "5.tsr", "-data", tmp_path / "5.checkpoint", "-CAfile", authority.ca],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Verification: OK" in said.stdout, said.stderr


def test_the_answer_to_another_request_is_refused(authority: Authority) -> None:
    asked = stamps.request(TEXT)
    answer = authority.stamp(asked.data)
    assert stamps.verify(answer, TEXT, authority.ca.read_bytes(), asked.nonce).trusted
    with pytest.raises(stamps.StampError, match="another request"):
        stamps.read(answer, TEXT, asked.nonce + 1)
    assert asked.nonce != stamps.request(TEXT).nonce


def test_a_stamp_of_another_text_or_by_another_authority_is_refused(
    authority: Authority, response: bytes, tmp_path: Path
) -> None:
    for check in (stamps.read, lambda r, t: stamps.verify(r, t, authority.ca.read_bytes())):
        with pytest.raises(stamps.StampError, match="another text"):
            check(response, TEXT + " ")
    other = Authority(tmp_path / "other")
    with pytest.raises(stamps.StampError, match="does not hold"):
        stamps.verify(response, TEXT, other.ca.read_bytes())
    with pytest.raises(stamps.StampError, match="no certificate"):
        stamps.verify(response, TEXT, b"nothing")


def test_a_refusal_is_one(authority: Authority) -> None:
    query = bytearray(stamps.request(TEXT).data)
    at = bytes(query).index(bytes.fromhex("608648016503040201"))
    query[at + 8] = 3  # SHA-512 with the length of SHA-256
    with pytest.raises(stamps.StampError):
        stamps.read(authority.stamp(bytes(query)), TEXT)


def test_damaged_ones_are_refused_whatever_is_damaged(authority: Authority, response: bytes) -> None:
    """Each byte that counts: a changed stamp never holds, and nothing else than StampError is raised."""
    roots = authority.ca.read_bytes()
    random.seed(3161)
    held = 0
    for n in range(1500):
        data = bytearray(response)
        how = n % 3
        if how == 0:
            data[random.randrange(len(data))] ^= 1 << random.randrange(8)
        elif how == 1:
            del data[random.randrange(len(data)) :]
        else:
            at = random.randrange(len(data))
            data[at:at] = random.randbytes(random.randrange(1, 9))
        try:
            stamp = stamps.verify(bytes(data), TEXT, roots)
        except stamps.StampError:
            continue
        held += 1  # what no signature covers, such as the words of the status
        assert stamp.at_us == stamps.read(response, TEXT).at_us
    assert held < 60, held
    for data in (b"", b"\x30", b"0" * 70_000, random.randbytes(2000)):
        with pytest.raises(stamps.StampError):
            stamps.read(data, TEXT)
