"""PostgreSQL 15 for a test: a server of its own in a temporary folder, as an unprivileged user, on a Unix socket, stopped always."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg

BIN = Path("/usr/lib/postgresql/15/bin")
_READY_S = 60.0
_MEMORY = Path("/dev/shm")
_ROOM_BYTES = 2 << 30


def absent() -> str:
    """Why there is none; "" where there is."""
    return "" if (BIN / "postgres").exists() else f"{BIN}/postgres is not there (Debian package postgresql-15)"


@dataclass
class Postgres:
    """A running server. folder: of data and socket. Safe settings as shipped: fsync is on unless a test says otherwise."""

    folder: Path
    process: subprocess.Popen[bytes] | None = None
    numbers: Iterator[int] = None  # type: ignore[assignment]  # made below
    fsync: bool = False

    def __post_init__(self) -> None:
        self.numbers = count(1)

    def start(self) -> None:
        """Until it answers."""
        options = ["-k", str(self.folder), "-c", "listen_addresses=", "-c", f"fsync={'on' if self.fsync else 'off'}"]
        options += ["-c", "max_connections=60", "-c", "shared_buffers=64MB"]
        options += [] if self.fsync else ["-c", "max_wal_size=128MB"]  # it may lie in memory
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [BIN / "postgres", "-D", self.folder / "data", *options], stdout=log, stderr=log, cwd="/", **_user()
            )
        until = time.monotonic() + _READY_S
        while True:
            try:
                psycopg.connect(host=str(self.folder), user="postgres", dbname="postgres").close()
            except psycopg.OperationalError as error:
                if time.monotonic() > until or self.process.poll() is not None:
                    raise RuntimeError((self.folder / "log").read_text()) from error
                time.sleep(0.05)
            else:
                return

    def database(self, template: str = "template1") -> str:
        """A fresh one: its URL. template: the name of one to copy."""
        name = f"fleet{next(self.numbers)}"
        with psycopg.connect(host=str(self.folder), user="postgres", dbname="postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return f"postgresql://postgres@/{name}?host={self.folder}"

    def drop(self, url: str) -> None:
        """Away with it, whoever is connected."""
        name = url.partition("@/")[2].partition("?")[0]
        with psycopg.connect(host=str(self.folder), user="postgres", dbname="postgres", autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def kill(self) -> None:
        """As a power cut would, as far as processes go: SIGKILL to all of them."""
        assert self.process is not None
        children = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, text=True, check=False
        ).stdout.split()
        for pid in [self.process.pid, *map(int, children)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        for pid in map(int, children):  # the shared memory is free once they are gone
            until = time.monotonic() + _READY_S
            while Path(f"/proc/{pid}").exists() and time.monotonic() < until:
                time.sleep(0.01)

    def stop(self) -> None:
        """At once, in order."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(120)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def _user() -> dict[str, object]:
    """The server refuses to run as root."""
    if os.getuid() != 0:
        return {}
    known = pwd.getpwnam("postgres")
    return {"user": known.pw_uid, "group": known.pw_gid, "extra_groups": []}


def _in_memory() -> Path:
    """For what need not be safe: a new database is three hundred files, which on a disk cost ten times the processor time; where there is no room, on that all the same."""
    try:
        room = os.statvfs(_MEMORY)
    except OSError:
        return Path("/tmp")
    return _MEMORY if room.f_bavail * room.f_frsize > _ROOM_BYTES else Path("/tmp")


@contextlib.contextmanager
def postgres(*, fsync: bool = False) -> Iterator[Postgres]:
    """A server, and away with it."""
    folder = Path(tempfile.mkdtemp(prefix="lwpg", dir="/tmp" if fsync else _in_memory()))
    try:
        if os.getuid() == 0:
            known = pwd.getpwnam("postgres")
            os.chown(folder, known.pw_uid, known.pw_gid)
        subprocess.run(
            [BIN / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
            check=True, capture_output=True, cwd="/", **_user(),
        )  # fmt: skip
        server = Postgres(folder, fsync=fsync)
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
