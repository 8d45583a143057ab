"""A word to systemd (sd_notify(3)), with the standard library alone."""

from __future__ import annotations

import contextlib
import os
import socket


def notify(message: str) -> None:
    """Send "READY=1" or the like where a service manager listens; elsewhere nothing happens."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.sendto(message.encode(), address.replace("@", "\0", 1) if address.startswith("@") else address)
