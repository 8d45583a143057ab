"""Asking the kernel: how an address is reached, and what it knows of a neighbour. No root needed, and no packet is sent."""

from __future__ import annotations

import errno
import itertools
import socket

from longwatch.formats import rtnetlink
from longwatch.formats.rtnetlink import IpAddress, Message, Neighbour, Refusal, Route


class Kernel:
    """One rtnetlink socket, made at the first question. The kernel answers within `send`: nothing here waits."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._sequence = itertools.count(1)

    def route(self, address: IpAddress) -> Route | None:
        """How `address` would be reached; None where it cannot be. Raises OSError."""
        sequence = self._next()
        answer = self._ask(rtnetlink.get_route(address, sequence), sequence)
        return answer if isinstance(answer, Route) else None

    def neighbour(self, address: IpAddress, interface: int) -> Neighbour | None:
        """What the neighbour table says of `address`; None where it has no entry. Raises OSError."""
        sequence = self._next()
        answer = self._ask(rtnetlink.get_neighbour(address, interface, sequence), sequence)
        return answer if isinstance(answer, Neighbour) else None

    def close(self) -> None:
        """Let go of the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _next(self) -> int:
        return next(self._sequence) & 0xFFFFFFFF

    def _ask(self, request: bytes, sequence: int) -> Message | None:
        if self._socket is None:
            self._socket = socket.socket(
                socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE
            )
            self._socket.bind((0, 0))
        self._socket.send(request)
        while True:
            try:
                messages = rtnetlink.parse(self._socket.recv(rtnetlink.MAX_BYTES))
            except BlockingIOError:
                return None
            except ValueError as error:
                raise OSError(errno.EPROTO, str(error)) from error
            for number, message in messages:
                if number == sequence:
                    return None if isinstance(message, Refusal) else message
