"""Keys, earlier checkpoints, forms of a package."""

from __future__ import annotations

import asyncio
import base64
import shutil
import zipfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.rig.mutations_package import mended_manifest
from tests.support.archive_case import GATE
from tests.support.evidence_case import files_of, make_package, manifest_of, record_post, run_check, write_zip

from longwatch.archive import LedgerReader
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.evidence import entries, verify_package
from longwatch.ledger import root
from longwatch.ledger.checkpoint import (
    Checkpoint,
    fingerprint,
    parse_public_key,
    parse_unverified,
    public_pem,
    sign,
    vkey,
)
from longwatch.ledger.findings import Kind
from longwatch.ledger.proofs import from_leaves, inclusion
from longwatch.node.by_recorder.attest import attest


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A post, and a package of it."""
    folder = tmp_path_factory.mktemp("post")
    from_us, to_us = asyncio.run(record_post(folder / "data"))
    make_package(folder / "data", folder / "p.zip", from_us, to_us)
    return folder / "data", folder / "p.zip"


@pytest.fixture
def key(made) -> bytes:
    return parse_public_key(files_of(made[1])["ledger/key.pem"].decode())


def _private(data: Path) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    found = load_pem_private_key((data / "ledger.key").read_bytes(), None)
    assert isinstance(found, Ed25519PrivateKey)
    return found


def test_the_key_may_be_given_in_three_forms(made, key):
    for text in (fingerprint(key), public_pem(key), vkey("x", key), f"  {fingerprint(key)}\n"):
        verdict = verify_package(made[1], key=text)
        assert verdict.ok
        assert verdict.key_given
    assert "origin not shown" in verify_package(made[1]).summary
    with pytest.raises(UsageError):
        verify_package(made[1], key="no key")
    assert run_check(made[1], fingerprint(key))[0] == 0


def test_another_key_is_blamed_and_nothing_else(made):
    other = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    for text in (fingerprint(other), public_pem(other)):
        verdict = verify_package(made[1], key=text)
        assert [finding.kind for finding in verdict.blamed] == [Kind.WRONG_KEY]
    code, said = run_check(made[1], fingerprint(other))
    assert code == 1
    assert "wrong key" in said[0]


def test_a_folder_and_a_zip_are_judged_alike(made, tmp_path):
    with zipfile.ZipFile(made[1]) as zipped:
        zipped.extractall(tmp_path / "p")
    assert verify_package(tmp_path / "p").ok
    assert run_check(tmp_path / "p")[0] == 0
    (tmp_path / "p" / "notes.txt").write_text("mine")
    verdict = verify_package(tmp_path / "p")
    assert [(f.kind, f.what) for f in verdict.blamed] == [(Kind.INSERTED, "notes.txt")]
    assert run_check(tmp_path / "p")[0] == 1
    with pytest.raises(UsageError):
        verify_package(tmp_path / "q")


def test_a_zip_that_was_packed_again_is_as_good_and_a_change_in_it_is_named(made, tmp_path):
    """By any tool, compressed, with folders and dates of its own."""
    files = files_of(made[1])
    path = tmp_path / "again.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.mkdir("segments") if hasattr(zipped, "mkdir") else zipped.writestr("segments/", b"")
        for name, data in reversed(files.items()):
            zipped.writestr(name, data)
    assert verify_package(path).ok
    assert run_check(path)[0] == 0
    segment = manifest_of(files)["segments"][1]
    data = bytearray(files[segment["file"]])
    data[segment["header_bytes"] + segment["fragments"][0][0] + 50] ^= 1
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, each in files.items():
            zipped.writestr(name, bytes(data) if name == segment["file"] else each)
    (found,) = verify_package(path).blamed
    assert (found.camera, found.from_us, found.to_us) == ("gate", *segment["fragments"][1][1:])
    code, said = run_check(path)
    assert code == 1
    assert "fragment 2 of" in said[0]
    assert len([line for line in said if line.startswith("FAIL ")]) == 1


def test_every_earlier_head_of_the_log_can_be_held_against_it(made, key, tmp_path):
    data, package = made
    ledger = LedgerReader([data])
    try:
        leaves = ledger.leaves(0, ledger.size())
    finally:
        ledger.close()
    head = parse_unverified(files_of(package)["ledger/checkpoint"].decode())[0]
    private = _private(data)
    for size in range(1, head.size + 1):
        text = sign(Checkpoint(head.origin, size, root(leaves[:size])), private.sign, key)
        assert verify_package(package, checkpoint=text).ok
    (tmp_path / "kept").write_text(text)
    assert run_check(package, "", str(tmp_path / "kept"))[0] == 0
    forged = sign(Checkpoint(head.origin, 3, bytes(32)), private.sign, key)
    assert [f.kind for f in verify_package(package, checkpoint=forged).blamed] == [Kind.FORKED]
    (tmp_path / "kept").write_text(forged)
    code, said = run_check(package, "", str(tmp_path / "kept"))
    assert code == 1
    assert "forked" in said[0]
    later = sign(Checkpoint(head.origin, head.size + 5, bytes(32)), private.sign, key)
    assert [f.kind for f in verify_package(package, checkpoint=later).blamed] == [Kind.ROLLED_BACK]
    another = sign(Checkpoint(head.origin + "0", 3, root(leaves[:3])), private.sign, key)
    assert [f.kind for f in verify_package(package, checkpoint=another).blamed] == [Kind.FORKED]
    stranger = Ed25519PrivateKey.generate()
    unsigned = sign(
        Checkpoint(head.origin, 3, root(leaves[:3])), stranger.sign, stranger.public_key().public_bytes_raw()
    )
    assert [f.kind for f in verify_package(package, checkpoint=unsigned).blamed] == [Kind.WRONG_KEY]


def test_a_long_log_is_shown_from_some_entries_before(made, monkeypatch, tmp_path):
    """Hundreds of entries, of which the package keeps the newest: older ones by proofs and whole subtrees alone."""
    data = tmp_path / "data"
    shutil.copytree(made[0], data)
    for n in range(3):
        asyncio.run(attest([data], "export_begun", {"camera": "gate", "n": n}, None))
    from tests.support.archive_case import opened

    from longwatch.archive import ops
    from longwatch.ledger import kinds

    async def many() -> None:
        async with opened([data]) as (archive, _):
            await archive.commit([ops.Entry(kinds.SETTINGS_REFUSED, {"detail": str(n)}) for n in range(700)])

    asyncio.run(many())
    monkeypatch.setattr(entries, "LEAVES_KEPT", 300)
    said = manifest_of(files_of(made[1]))
    make_package(data, tmp_path / "p.zip", said["span"]["from_us"], said["span"]["to_us"])
    leaves = files_of(tmp_path / "p.zip")["ledger/leaves"]
    begin = int.from_bytes(leaves[:8], "big")
    assert begin == 512
    assert verify_package(tmp_path / "p.zip").ok
    assert run_check(tmp_path / "p.zip")[0] == 0
    old = manifest_of(files_of(made[1]))["log"]["checkpoint"]
    with pytest.raises(LongwatchError, match="cannot be held against"):
        verify_package(tmp_path / "p.zip", checkpoint=old)


def test_proofs_from_tiles_are_those_of_the_leaves(made):
    ledger = LedgerReader([made[0]])
    try:
        size = ledger.size()
        subtree, leaves = entries.tree(ledger, size), ledger.leaves(0, size)
        for seq in range(size):
            assert inclusion(seq, size, subtree) == inclusion(seq, size, from_leaves(leaves))
        entries.check_root(subtree, size, root(leaves))
        with pytest.raises(LongwatchError, match="its own checkpoint"):
            entries.check_root(subtree, size, bytes(32))
    finally:
        ledger.close()


def test_where_the_manifest_was_changed_the_segments_are_still_judged(made, tmp_path):
    """An enemy who changes pictures and says so in the manifest, and keeps the hashes that were sealed: they tell on him."""
    import hashlib
    import json

    files = files_of(made[1])
    name = next(each for each in files if each.startswith("segments/"))
    data = bytearray(files[name])
    data[len(data) // 2] ^= 1
    said = json.loads(files["manifest.json"])
    said["files"][name]["sha256"] = hashlib.sha256(data).hexdigest()
    text = json.dumps(said, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
    verdict = verify_package(write_zip(tmp_path / "p.zip", {**files, name: bytes(data), "manifest.json": text}))
    assert [f.what for f in verdict.blamed] == ["manifest.json", name]
    assert verdict.blamed[1].camera == GATE.camera
    assert verdict.blamed[1].from_us is not None


def test_a_package_signed_anew_by_somebody_else_needs_the_key_to_be_told(made, key, tmp_path):
    """All is changed and all is consistent: only the key from outside tells, as the documents say."""
    files = files_of(made[1])
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    head = parse_unverified(files["ledger/checkpoint"].decode())[0]
    note = sign(head, private.sign, public).encode()
    old = files["ledger/checkpoint"]
    forged = {name: data.replace(old, note) if name.startswith("ledger/") else data for name, data in files.items()}
    forged["ledger/key.pem"] = public_pem(public).encode()
    verdict = verify_package(write_zip(tmp_path / "p.zip", forged), key=fingerprint(key))
    assert Kind.WRONG_KEY in [finding.kind for finding in verdict.blamed]


def test_base64_has_one_form(made, tmp_path):
    """Stray bits in the last letter of a signature change nothing that is parsed: they are blamed all the same."""
    files = files_of(made[1])
    text = files["ledger/checkpoint"].decode()
    at = text.rindex("=") - 1
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    other = letters[letters.index(text[at]) ^ 1]
    changed = text[:at] + other + text[at + 1 :]
    assert base64.b64decode(changed.split(" ")[-1]) == base64.b64decode(text.split(" ")[-1])
    verdict = verify_package(write_zip(tmp_path / "p.zip", {**files, "ledger/checkpoint": changed.encode()}))
    assert [finding.what for finding in verdict.blamed] == ["ledger/checkpoint"]


def test_the_mutation_that_mends_the_manifest_is_what_it_says():
    assert mended_manifest({}, {}, None, "check.py") is None  # type: ignore[arg-type]  # nothing is drawn for another file
