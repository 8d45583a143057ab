"""A real Mosquitto on a port of the system's, with a login; it can be killed and come back on the same port."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from tests.support.ports import free_port
from tests.support.wait import until_now

PROGRAM = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
USER, PASSWORD = "longwatch", "a-password-of-a-broker"


class Broker:
    """certificates: folder with ca.pem, server.pem, server.key; then it speaks TLS and wants a client's certificate. rights: lines of an `acl_file`."""

    def __init__(self, folder: Path, certificates: Path | None = None, rights: str = "") -> None:
        if not Path(PROGRAM).exists():
            # It is a Debian package, which only root installs by itself (tools/system-packages).
            pytest.skip("there is no mosquitto: install the Debian package of that name")
        self._folder = folder
        self.port = free_port()
        passwords = folder / "passwords"
        passwords.touch(0o600)
        subprocess.run(["mosquitto_passwd", "-b", passwords, USER, PASSWORD], check=True, capture_output=True)
        lines = [
            f"listener {self.port} 127.0.0.1",
            "allow_anonymous false",
            f"password_file {passwords}",
            "persistence false",
            "user root",
        ]
        if rights:
            (folder / "rights").write_text(rights)
            (folder / "rights").chmod(0o600)
            lines.append(f"acl_file {folder / 'rights'}")
        if certificates is not None:
            lines += [
                f"cafile {certificates}/ca.pem", f"certfile {certificates}/server.pem", f"keyfile {certificates}/server.key",
                "require_certificate true",
            ]  # fmt: skip
        (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """On the same port as ever. Blocks until it listens."""
        with (self._folder / "mosquitto.log").open("ab") as log:
            self._process = subprocess.Popen([PROGRAM, "-c", self._folder / "mosquitto.conf"], stdout=log, stderr=log)

        def listens() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0

        until_now(listens, "mosquitto listens")

    def kill(self) -> None:
        """As a power cut would: retained messages are gone too."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None
