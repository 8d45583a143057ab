import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from longwatch.base.errors import LongwatchError, UsageError
from longwatch.ledger.canonical import canonical
from longwatch.ledger.checkpoint import sign_text
from longwatch.trust import release
from longwatch.trust.keys import SigningKey
from longwatch.trust.release import ReleaseError, Written, order_of
from longwatch.trust.wheels import Host, Wheel, WheelError, fits

FORMATS = {"index": Written(1, 5), "server_db": Written(1, 8)}
HOST = Host((3, 11), "x86_64", (2, 36))


def wheel(folder: Path, name: str = "longwatch-1.2.3-py3-none-any.whl", content: bytes = b"the program") -> Path:
    """A wheel as far as a bundle looks into it."""
    distribution, version = name.split("-")[:2]
    path = folder / name
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(f"{distribution}/__init__.py", content)
        file.writestr(
            f"{distribution}-{version}.dist-info/METADATA",
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\nRequires-Python: >=3.11\n\nWords.\n",
        )
    return path


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    return release.new_key(tmp_path / "release.key")


@pytest.fixture
def bundle(tmp_path: Path, key: SigningKey) -> Path:
    wheels = [wheel(tmp_path), wheel(tmp_path, "Some.Lib-2.0-cp311-cp311-manylinux_2_17_x86_64.whl")]
    path = tmp_path / "bundle"
    release.pack(wheels, key, path, FORMATS, {"some-lib": "2.0", "other": "3.1"})
    return path


def test_what_was_packed_is_what_is_read(bundle: Path, key: SigningKey, tmp_path: Path) -> None:
    found = release.verify(bundle, [bytes(32), key.public])
    assert (found.version, found.python) == ("1.2.3", ">=3.11")
    assert [each.distribution for each in found.wheels] == ["longwatch", "some-lib"]
    assert found.missing == {"other": "3.1"}
    assert found.formats == FORMATS
    assert release.show(bundle)[0] == found
    folder = tmp_path / "wheels"
    folder.mkdir()
    assert release.extract(bundle, [key.public], folder) == found
    for each in found.wheels:
        assert (folder / each.name).read_bytes() == (tmp_path / each.name).read_bytes()


def test_the_same_wheels_make_the_same_bytes(bundle: Path, key: SigningKey, tmp_path: Path) -> None:
    again = tmp_path / "again"
    wheels = sorted(tmp_path.glob("*.whl"), reverse=True)
    release.pack(wheels, key, again, FORMATS, {"other": "3.1", "some-lib": "2.0"})
    assert again.read_bytes() == bundle.read_bytes()


def test_a_bundle_takes_the_place_of_no_device(tmp_path: Path, key: SigningKey) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(UsageError, match="cannot be written"):
        release.pack([wheel(tmp_path)], key, pipe, FORMATS)
    assert pipe.is_fifo()


def test_a_key_is_made_once_and_told_as_one_line(tmp_path: Path) -> None:
    path = tmp_path / "new" / "release.key"
    made = release.new_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert release.parse_verifier(release.verifier(made.public)) == made.public
    assert release.key_of(path).public == made.public
    with pytest.raises(UsageError):
        release.new_key(path)
    with pytest.raises(UsageError):
        release.key_of(tmp_path / "none")
    with pytest.raises(ReleaseError):
        release.parse_verifier("ssh-ed25519 AAAA")


def test_of_another_key_nothing_is_believed(bundle: Path, tmp_path: Path) -> None:
    other = release.new_key(tmp_path / "other.key")
    with pytest.raises(ReleaseError, match="not signed"):
        release.verify(bundle, [other.public])
    with pytest.raises(ReleaseError, match="not signed"):
        release.verify(bundle, [])
    assert not release.is_signed_by(bundle, other.public)


def test_each_byte_that_is_changed_is_noticed(bundle: Path, key: SigningKey, tmp_path: Path) -> None:
    """Of what is installed: bits of zip's own fields that nobody reads (times, rights) may change, and change nothing."""
    whole, folder = bundle.read_bytes(), tmp_path / "into"
    wanted = {path.name: path.read_bytes() for path in tmp_path.glob("*.whl")}
    damaged = tmp_path / "damaged"
    noticed = 0
    for at in range(0, len(whole), 23):
        damaged.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        folder.mkdir()
        try:
            release.extract(damaged, [key.public], folder)
            assert {path.name: path.read_bytes() for path in folder.iterdir()} == wanted
        except LongwatchError:
            noticed += 1
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
    assert noticed > len(whole) // 23 * 0.8


def test_what_is_cut_off_is_no_bundle(bundle: Path, key: SigningKey, tmp_path: Path) -> None:
    whole = bundle.read_bytes()
    part = tmp_path / "part"
    for size in (0, 1, 100, len(whole) // 2, len(whole) - 1):
        part.write_bytes(whole[:size])
        with pytest.raises(ReleaseError):
            release.verify(part, [key.public])
    with pytest.raises(ReleaseError):
        release.verify(tmp_path / "none", [key.public])


def _made(
    path: Path, key: SigningKey, said: Mapping[str, object], files: Mapping[str, bytes], how: int = zipfile.ZIP_STORED
) -> Path:
    """A bundle with any content, signed as it should be."""
    manifest = canonical(said)
    with zipfile.ZipFile(path, "w", how) as file:
        file.writestr("bundle.json", manifest)
        file.writestr("bundle.note", sign_text(release._text(manifest), release.NAME, key.sign, key.public))
        for name, content in files.items():
            file.writestr(name, content)
    return path


def test_a_signed_bundle_of_another_form_is_refused_in_words(bundle: Path, key: SigningKey, tmp_path: Path) -> None:
    said = json.loads(zipfile.ZipFile(bundle).read("bundle.json"))
    files = {
        f"wheels/{path.name}": path.read_bytes()
        for path in sorted(tmp_path.glob("*.whl"), key=lambda path: path.name.lower())
    }
    path = tmp_path / "made"
    assert release.verify(_made(path, key, said, files), [key.public]).version == "1.2.3"
    wrong: list[dict[str, object]] = [
        {**said, "format": 2}, {**said, "version": "9.9.9"}, {**said, "more": 1}, {**said, "files": said["files"][1:]}, {**said, "files": []},
        {**said, "files": said["files"][:1] * 2}, {**said, "files": said["files"][::-1]}, {**said, "requires": []},
        {**said, "formats": {"index": {"reads": 9, "writes": 1}}}, {**said, "formats": {"../x": {"reads": 1, "writes": 1}}},
        {**said, "files": [{**said["files"][0], "name": "../../longwatch-1.2.3-py3-none-any.whl"}]}, {**said, "version": "1.2.3/../.."},
        {**said, "files": [{**said["files"][0], "sha256": "00"}]}, {**said, "tags": ["py3-none-any"]},
    ]  # fmt: skip
    for each in wrong:
        with pytest.raises(ReleaseError):
            release.verify(_made(path, key, each, files), [key.public])
    with pytest.raises(ReleaseError, match="does not hold"):
        release.verify(_made(path, key, said, {**files, "wheels/more": b"x"}), [key.public])
    with pytest.raises(ReleaseError, match="compressed"):
        release.verify(_made(path, key, said, files, zipfile.ZIP_DEFLATED), [key.public])
    first = next(iter(files))
    with pytest.raises(ReleaseError, match="does not hold"):
        release.verify(_made(path, key, said, {**files, first: b"short"}), [key.public])
    same = bytes(len(files[first]))
    with pytest.raises(ReleaseError, match="another hash"):
        release.verify(_made(path, key, said, {**files, first: same}), [key.public])


def test_wheels_that_do_not_belong_together_are_not_packed(tmp_path: Path, key: SigningKey) -> None:
    own, lib = wheel(tmp_path), wheel(tmp_path, "lib-2.0-py3-none-any.whl")
    twice = wheel(tmp_path, "longwatch-1.2.4-py3-none-any.whl")
    for wheels in ([], [lib], [own, twice]):
        with pytest.raises(UsageError):
            release.pack(wheels, key, tmp_path / "out", FORMATS)
    with pytest.raises(UsageError, match="lock file"):
        release.pack([own, lib], key, tmp_path / "out", FORMATS, {"lib": "2.1"})
    assert not (tmp_path / "out").exists()


def test_versions_sort_as_people_expect() -> None:
    sorted_ = [
        "1.0.dev2",
        "1.0a1",
        "1.0a2.dev1",
        "1.0a2",
        "1.0b1",
        "1.0rc1",
        "1.0",
        "1.0.post1",
        "1.0.1",
        "1.2",
        "1.10",
        "2",
    ]
    assert sorted(reversed(sorted_), key=order_of) == sorted_
    assert order_of("1.0+local.1") == order_of("1.0.0")
    for text in ("", "v1", "1.0-1", "1.0 ", "1..0", "../1", "1!2"):
        with pytest.raises(ReleaseError):
            order_of(text)


@pytest.mark.parametrize(
    ("name", "whether"),
    [
        ("a-1-py3-none-any.whl", True), ("a-1-py2.py3-none-any.whl", True), ("a-1-py2-none-any.whl", False), ("a-1-py312-none-any.whl", False),
        ("a-1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", True), ("a-1-cp310-cp310-manylinux_2_17_x86_64.whl", False),
        ("a-1-cp39-abi3-manylinux_2_28_x86_64.whl", True), ("a-1-cp312-abi3-manylinux_2_28_x86_64.whl", False),
        ("a-1-cp311-cp311-manylinux_2_17_aarch64.whl", False), ("a-1-cp311-cp311-manylinux_2_39_x86_64.whl", False),
        ("a-1-cp311-cp311-musllinux_1_2_x86_64.whl", False), ("a-1-cp311-cp311-linux_x86_64.whl", True), ("a-1-cp311-cp311-win_amd64.whl", False),
        ("a-1-cp311-cp311-manylinux2014_x86_64.whl", True), ("a-1-1-py3-none-any.whl", True),
    ],
)  # fmt: skip
def test_a_wheel_says_what_it_runs_on(name: str, whether: bool) -> None:
    assert fits(Wheel.named(name, "", 1), HOST) is whether


def test_what_is_no_wheel_has_no_name_of_one() -> None:
    for name in (
        "",
        "a.whl",
        "a-1.whl",
        "../a-1-py3-none-any.whl",
        "a-1-py3-none-any.zip",
        "a/b-1-py3-none-any.whl",
        "a-1-py3-none-any.whl\n",
    ):
        with pytest.raises(WheelError):
            Wheel.named(name, "", 1)


def test_a_release_that_does_not_fit_says_which_wheel(bundle: Path) -> None:
    found, _ = release.show(bundle)
    assert release.misfit(found, HOST) == ""
    said = release.misfit(found, Host((3, 12), "x86_64", None))
    assert (
        said
        == "Some.Lib-2.0-cp311-cp311-manylinux_2_17_x86_64.whl: not for Python 3.12 on x86_64 with another C library"
    )


def test_a_host_is_told_and_read() -> None:
    for host in (HOST, Host((3, 13), "aarch64", None)):
        assert Host.from_json(host.as_json()) == host
    for said in (
        None,
        {},
        {"python": "3", "machine": "x", "glibc": ""},
        {"python": "3.11", "machine": "a b", "glibc": ""},
    ):
        with pytest.raises(ValueError, match="no host"):
            Host.from_json(said)


def test_who_signed_is_told_and_what_was_uploaded_is_looked_at(bundle: Path, key: SigningKey, tmp_path: Path) -> None:
    found, note = release.examine(bundle)
    assert found.version == "1.2.3"
    assert release.signers(note) == [release.verifier(key.public).split("+")[1]]
    assert release.signers("nothing\n\n\u2014 other AAAA\n") == []
    said = json.loads(zipfile.ZipFile(bundle).read("bundle.json"))
    files = {f"wheels/{each['name']}": bytes(each["size"]) for each in said["files"]}
    with pytest.raises(ReleaseError, match="another hash"):
        release.examine(_made(tmp_path / "made", key, said, files))
