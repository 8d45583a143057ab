"""The hub's receipts on a disk that came back: verified, noted, and what they confirm told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from longwatch.base.errors import LongwatchError
from longwatch.courier import form
from longwatch.courier.form import DiskError, Receipt
from longwatch.courier.packing import pack_folders, read_plain
from longwatch.courier.travelling import Pack, SegmentName, Travelling

_MOST_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Returned:
    """A receipt of ours. segments: those of which the hub has committed all. new: it was not known, or says more than the one that was."""

    pack: Pack
    receipt: Receipt
    segments: tuple[SegmentName, ...]
    new: bool


def returned(disk: Path, travelling: Travelling, post: str, hub: str, public_key: bytes) -> list[Returned]:
    """Every receipt on this disk that is ours. public_key: of the hub's cosigner. Raises DiskError for one that is not what it says."""
    known = {pack.pack: pack for pack in travelling.packs()}
    found = []
    for folder in pack_folders(disk):
        path = folder / form.RECEIPT_FILE
        pack = known.get(folder.name)
        if pack is None:
            continue
        try:
            data = read_plain(path, _MOST_BYTES)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise LongwatchError(f"{path} cannot be read", why=error.strerror or str(error)) from error
        receipt = Receipt.decode(data, public_key)
        if (receipt.pack, receipt.post, receipt.hub) != (pack.pack, post, hub):
            raise DiskError(f"{path} is the receipt of another pack", remedy="nothing is taken from it")
        new = pack.receipt is None or len(receipt.files) > len(pack.receipt.files) or (
            receipt.at_us > pack.receipt.at_us and pack.confirmed(receipt) != pack.confirmed(pack.receipt)
        )  # fmt: skip
        found.append(Returned(pack, receipt, tuple(pack.confirmed(receipt)), new))
    return found
