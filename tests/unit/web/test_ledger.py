"""The published log over HTTP: a client that knows nothing but c2sp.org/tlog-tiles follows it; and no path leads elsewhere."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from urllib.parse import quote

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from tests.support.site import Running, running_site

from longwatch.archive.published import PublishedLog
from longwatch.ledger import leaf_hash
from longwatch.ledger.checkpoint import Checkpoint, public_pem, sign
from longwatch.ledger.tiles import Frontier, bundle, tiles_of

pytestmark = pytest.mark.asyncio(loop_scope="module")
SIZE = 600
ENTRIES = [f'{{"n":{n}}}'.encode() for n in range(SIZE)]


class Log:
    """A log as the recorder publishes it. Superseded partial tiles are gone."""

    def __init__(self, volume: Path, number: int = 1) -> None:
        self.volume = volume
        self.folder = volume / "ledger" / str(number)
        self.private = Ed25519PrivateKey.generate()
        self.key = self.private.public_key().public_bytes_raw()
        self.frontier = Frontier()

    def grow(self, size: int) -> None:
        before = self.frontier.size
        tiles = self.frontier.extend([leaf_hash(entry) for entry in ENTRIES[before:size]])
        for tile in tiles_of(before, size):
            data = tiles.get(tile)
            if data is None:
                data = bundle(ENTRIES[tile.index * 256 : tile.index * 256 + tile.width])
            path = self.folder / tile.path
            path.parent.mkdir(parents=True, exist_ok=True)
            for other in path.parent.glob("*"):
                if path.parent.name.endswith(".p"):
                    other.unlink()
            path.write_bytes(data)
        (self.folder / "key.pem").write_text(public_pem(self.key))
        (self.folder / "checkpoint").write_text(self.note(size))

    def note(self, size: int) -> str:
        return sign(Checkpoint("longwatch/ridge/d/1", size, self.frontier.root()), self.private.sign, self.key)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory):
    async with running_site(tmp_path_factory.mktemp("ledger")) as running:
        yield running


@pytest.fixture
def log(site: Running, tmp_path: Path) -> Log:
    log = Log(tmp_path / "a")
    log.grow(100)
    log.grow(SIZE)
    site.deps.log = PublishedLog([tmp_path / "away", tmp_path / "a"])
    return log


def name(n: int) -> str:
    text = f"{n % 1000:03}"
    while n := n // 1000:
        text = f"x{n % 1000:03}/{text}"
    return text


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def root_of(leaves: list[bytes]) -> bytes:
    """RFC 6962, 2.1, as it stands there."""
    if len(leaves) == 1:
        return leaves[0]
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return node(root_of(leaves[:half]), root_of(leaves[half:]))


async def test_a_client_of_the_standard_alone_follows_the_log(site: Running, log: Log) -> None:
    """Checkpoint, key, every tile of level 0 and every bundle, checked with nothing of ours."""
    async with site.client("inspector") as client:
        note = (await client.get("/api/v1/ledger/checkpoint")).text
        body, _, signatures = note.partition("\n\n")
        origin, size, root = body.split("\n")
        assert (origin, size) == ("longwatch/ridge/d/1", str(SIZE))
        pem = (await client.get("/api/v1/ledger/key")).text
        key = load_pem_public_key(pem.encode())
        signature = base64.b64decode(signatures.split(" ")[2])
        key.verify(signature[4:], (body + "\n").encode())  # type: ignore[union-attr, call-arg]
        hashes, entries = b"", []
        for n in range(0, SIZE, 256):
            width = min(256, SIZE - n)
            part = f".p/{width}" if width < 256 else ""
            hashes += (await client.get(f"/api/v1/ledger/tile/0/{name(n // 256)}{part}")).content
            data = (await client.get(f"/api/v1/ledger/tile/entries/{name(n // 256)}{part}")).content
            while data:
                length = int.from_bytes(data[:2], "big")
                entries.append(data[2 : 2 + length])
                data = data[2 + length :]
    leaves = [hashes[at : at + 32] for at in range(0, len(hashes), 32)]
    assert root_of(leaves) == base64.b64decode(root)
    assert [hashlib.sha256(b"\0" + entry).digest() for entry in entries] == leaves
    assert entries == ENTRIES


async def test_who_may_read_what_of_the_log(site: Running, log: Log) -> None:
    for role, tiles in (("viewer", 403), ("operator", 403), ("inspector", 200), ("admin", 200)):
        async with site.client(role) as client:
            assert (await client.get("/api/v1/ledger/checkpoint")).status_code == 200
            assert (await client.get("/api/v1/ledger/key")).status_code == 200
            assert (await client.get("/api/v1/ledger/tile/0/000")).status_code == tiles
    async with site.client() as client:
        assert (await client.get("/api/v1/ledger/checkpoint")).status_code == 401


async def test_a_partial_tile_that_made_way_for_a_wider_one_is_still_told(site: Running, log: Log) -> None:
    """A client holds the checkpoint of a moment ago."""
    async with site.client("inspector") as client:
        part = await client.get("/api/v1/ledger/tile/0/000.p/100")
        assert part.content == b"".join(leaf_hash(entry) for entry in ENTRIES[:100])
        assert "immutable" not in part.headers["cache-control"]
        assert (await client.get("/api/v1/ledger/tile/entries/000.p/100")).content == bundle(ENTRIES[:100])
        assert (await client.get("/api/v1/ledger/tile/0/002.p/88")).status_code == 200
        assert (await client.get("/api/v1/ledger/tile/0/002.p/89")).status_code == 404
        whole = await client.get("/api/v1/ledger/tile/0/000")
        assert "immutable" in whole.headers["cache-control"]


async def test_the_newest_head_that_holds_is_told(site: Running, log: Log, tmp_path: Path) -> None:
    behind = Log(tmp_path / "behind")
    behind.grow(10)
    forged = Log(tmp_path / "forged")
    forged.grow(SIZE)
    (forged.folder / "checkpoint").write_text((forged.folder / "checkpoint").read_text().replace("600", "900"))
    nothing = tmp_path / "broken" / "ledger" / "7"
    nothing.mkdir(parents=True)
    (nothing / "checkpoint").write_bytes(b"\xff\xfe")
    site.deps.log = PublishedLog([tmp_path / "behind", tmp_path / "forged", tmp_path / "broken", log.volume])
    async with site.client("viewer") as client:
        assert (await client.get("/api/v1/ledger/checkpoint")).text == log.note(SIZE)
        site.deps.log = PublishedLog([tmp_path / "forged"])
        assert (await client.get("/api/v1/ledger/checkpoint")).status_code == 404
        assert (await client.get("/api/v1/ledger/key")).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "../../key.pem", "..%2f..%2fkey.pem", "%2e%2e/checkpoint", "0/x000/000", "0/0", "0/0000", "0/000.p/0", "0/000.p/256",
        "0/000.p/001", "0/000.p/999", "64/000", "-1/000", "entries/000.p", "entries/", "0/" + "x999/" * 7 + "999", "0/000%00", "0/000/",
        "/0/000", "0//000", "1e1/000", "٠/000", "0/٠٠٠", "0/000?x", "key.pem", "checkpoint", "C:/000", "0/000.p/1.p/1", "x" * 5000,
    ],
)  # fmt: skip
async def test_no_path_leads_elsewhere(site: Running, log: Log, path: str) -> None:
    safe = quote(path, safe="/%?.")
    async with site.client("inspector") as client:
        answer = await client.get(f"/api/v1/ledger/tile/{safe}")
    if path == "0/000?x":
        assert answer.status_code == 200  # a query is no part of the path
        return
    assert answer.status_code == 404, answer.headers
    assert b"PUBLIC KEY" not in answer.content
    assert b"longwatch/ridge" not in answer.content
