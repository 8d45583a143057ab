"""What the link cannot carry, on a disk by hand: packed for one hub alone, resumable, proven against the ledger, with a receipt that goes back."""

from longwatch.courier.form import DiskError, PackHead, Receipt
from longwatch.courier.packing import Packed, Packer, Parcel, pack_folders
from longwatch.courier.receipts import Returned, returned
from longwatch.courier.travelling import Pack, SegmentName, Travelling
from longwatch.courier.unpacking import Unpacked, Unpacker

__all__ = [
    "DiskError",
    "Pack",
    "PackHead",
    "Packed",
    "Packer",
    "Parcel",
    "Receipt",
    "Returned",
    "SegmentName",
    "Travelling",
    "Unpacked",
    "Unpacker",
    "pack_folders",
    "returned",
]
