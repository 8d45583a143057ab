"""OpenStack Swift's S3 for a test: proxy, account, container and object servers on loopback, three devices as folders, away with it at the end.

Each device has servers of its own, as a machine of a small cluster would: `take_away` stops them and moves the device's folder out of sight. Three copies of
everything, of which two make a quorum. There is no memcached: the proxy asks its containers every time.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import obstore
from obstore.store import S3Store
from tests.support.ports import free_port

if TYPE_CHECKING:
    from obstore.store import S3Config

BIN = Path(sys.executable).parent
KINDS = ("account", "container", "object")
DEVICES = 3
BUCKET = "footage"
USER, KEY = "test:longwatch", "lookout"
_READY_S = 60.0


class Swift:
    """folder: on a file system with extended attributes. Owner of the processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ports = {(kind, n): free_port() for kind in KINDS for n in range(DEVICES)}
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._environ = {**os.environ, "SWIFT_TEST_DIR": str(folder)}
        for n in range(DEVICES):
            (folder / f"d{n}" / "disk").mkdir(parents=True)
        self._write()

    @property
    def media(self) -> str:
        """As `media` of a hub's settings names it, with its keys."""
        return f"s3://{USER.replace(':', '%3A')}:{KEY}@{BUCKET}?endpoint={self.address}"

    def _write(self) -> None:
        (self.folder / "swift.conf").write_text(
            "[swift-hash]\nswift_hash_path_suffix = a\nswift_hash_path_prefix = b\n"
            "[storage-policy:0]\nname = three\ndefault = yes\n"
        )
        ports = {kind: [self._ports[kind, n] for n in range(DEVICES)] for kind in KINDS}
        subprocess.run(
            [sys.executable, "-m", "tests.support.swift_rings", self.folder, json.dumps(ports)],
            cwd=Path(__file__).parents[2],
            check=True,
        )
        for kind in KINDS:
            for n in range(DEVICES):
                (self.folder / f"{kind}{n}.conf").write_text(
                    f"[DEFAULT]\nbind_ip = 127.0.0.1\nbind_port = {self._ports[kind, n]}\nworkers = 0\nmount_check = false\nuser = root\n"
                    f"swift_dir = {self.folder}\ndevices = {self.folder / f'd{n}'}\nlog_level = WARNING\n"
                    f"[pipeline:main]\npipeline = {kind}-server\n[app:{kind}-server]\nuse = egg:swift#{kind}\n"
                )
        (self.folder / "proxy.conf").write_text(
            f"[DEFAULT]\nbind_ip = 127.0.0.1\nbind_port = {self.port}\nworkers = 0\nuser = root\nswift_dir = {self.folder}\nlog_level = WARNING\n"
            "[pipeline:main]\npipeline = catch_errors proxy-logging s3api tempauth slo proxy-logging proxy-server\n"
            "[app:proxy-server]\nuse = egg:swift#proxy\naccount_autocreate = true\nconn_timeout = 2\nnode_timeout = 20\nerror_suppression_limit = 1\nerror_suppression_interval = 1\n"
            "[filter:catch_errors]\nuse = egg:swift#catch_errors\n"
            "[filter:proxy-logging]\nuse = egg:swift#proxy_logging\naccess_log_level = ERROR\n"
            "[filter:s3api]\nuse = egg:swift#s3api\ns3_acl = false\nallow_multipart_uploads = true\n"
            "[filter:slo]\nuse = egg:swift#slo\n"
            f"[filter:tempauth]\nuse = egg:swift#tempauth\nuser_{USER.replace(':', '_')} = {KEY} .admin\n"
        )

    def start(self) -> None:
        """Every server, and the bucket."""
        for n in range(DEVICES):
            self.bring_back(n)
        self._begin("proxy", "swift-proxy-server", self.folder / "proxy.conf")
        until = time.monotonic() + _READY_S
        while True:
            try:
                made = self._make_bucket()
                if made:
                    return
            except httpx.HTTPError:
                pass
            if time.monotonic() > until:
                raise RuntimeError(f"no bucket:\n{self.tail()}")
            time.sleep(0.2)  # its servers begin to answer in their own time

    def _make_bucket(self) -> bool:
        """By S3 itself: there is no memcached, and so no token of Swift's own."""
        config: S3Config = {
            "access_key_id": USER,
            "secret_access_key": KEY,
            "region": "us-east-1",
            "endpoint": self.address,
        }
        store = S3Store(BUCKET, config=config, client_options={"allow_http": True})
        return httpx.put(obstore.sign(store, "PUT", "", dt.timedelta(minutes=5)), timeout=30).status_code in {
            200,
            201,
            202,
        }

    def _begin(self, name: str, program: str, config: Path) -> None:
        with (self.folder / "log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [BIN / program, config, "-v"],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=self._environ,
                start_new_session=True,
            )

    def take_away(self, n: int) -> None:
        """A device goes, with the machine that it is in."""
        for kind in KINDS:
            self._end(f"{kind}{n}")
        (self.folder / f"d{n}").rename(self.folder / f"d{n}.away")

    def bring_back(self, n: int) -> None:
        """It is there again, with what was on it."""
        away = self.folder / f"d{n}.away"
        if away.exists():
            away.rename(self.folder / f"d{n}")
        for kind in KINDS:
            self._begin(f"{kind}{n}", f"swift-{kind}-server", self.folder / f"{kind}{n}.conf")
        for kind in KINDS:
            self._listening(self._ports[kind, n])

    def _listening(self, port: int) -> None:
        until = time.monotonic() + _READY_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 5).close()
            except OSError as error:
                if time.monotonic() > until:
                    raise RuntimeError(self.tail()) from error
                time.sleep(0.05)
            else:
                return

    def tail(self) -> str:
        """What the servers said last."""
        log = self.folder / "log"
        return log.read_text("utf-8", "replace")[-4000:] if log.exists() else ""

    def _end(self, name: str) -> None:
        process = self._running.pop(name, None)
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def close(self) -> None:
        """All of them."""
        for name in list(self._running):
            self._end(name)


@contextlib.contextmanager
def swift() -> Iterator[Swift]:
    """Running in a temporary folder of the disk."""
    with tempfile.TemporaryDirectory(prefix="swift", dir="/var/tmp", ignore_cleanup_errors=True) as folder:
        made = Swift(Path(folder))
        try:
            made.start()
            yield made
        finally:
            made.close()
