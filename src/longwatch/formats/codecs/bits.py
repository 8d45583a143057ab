"""Bits of a raw byte sequence payload: fixed-length and Exp-Golomb codes (H.264 section 9.1, H.265 section 9.2)."""

from __future__ import annotations


class CodecError(ValueError):
    """The bytes are no parameter set, header or configuration that we can use."""


def unescape(nal: bytes) -> bytes:
    """Without emulation prevention bytes (H.264, 7.3.1): every 00 00 03 becomes 00 00."""
    if b"\x00\x00\x03" not in nal:
        return nal
    out = bytearray()
    start = 0
    while (at := nal.find(b"\x00\x00\x03", start)) >= 0:
        out += nal[start : at + 2]
        start = at + 3
    out += nal[start:]
    return bytes(out)


def escape(rbsp: bytes) -> bytes:
    """The other way: 00 00 is never followed by anything less than 4."""
    out = bytearray()
    zeros = 0
    for byte in rbsp:
        if zeros == 2 and byte <= 3:
            out.append(3)
            zeros = 0
        out.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(out)


class BitReader:
    """Reads from the most significant bit on. Raises CodecError beyond the end."""

    __slots__ = ("_left", "_value")

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = len(data) * 8

    @property
    def left(self) -> int:
        """Bits not yet read."""
        return self._left

    def u(self, bits: int) -> int:
        """An unsigned number of `bits` bits."""
        left = self._left - bits
        if left < 0:
            raise CodecError("ends too early")
        self._left = left
        value = self._value >> left
        self._value &= (1 << left) - 1
        return value

    def flag(self) -> bool:
        """One bit."""
        return self.u(1) == 1

    def skip(self, bits: int) -> None:
        """Pass over `bits` bits."""
        self.u(bits)

    def ue(self) -> int:
        """Unsigned Exp-Golomb, at most 32 bits."""
        zeros = self._left - self._value.bit_length()
        if self._value == 0 or zeros > 32:
            raise CodecError("an Exp-Golomb code is too long")
        return self.u(2 * zeros + 1) - 1

    def se(self) -> int:
        """Signed Exp-Golomb."""
        code = self.ue()
        return (code + 1) >> 1 if code & 1 else -(code >> 1)
