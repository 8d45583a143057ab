"""The tiny third process of `longwatch run`: it starts recorder and server, starts again what ends, and nothing more.

Only the standard library is imported here. Its own end, even by SIGKILL, stops neither: both live in sessions of their
own. A recorder or server that already runs on the data folder is adopted: who holds its lock stands in /proc/locks.
SIGTERM or SIGINT ends both, within 5 s; SIGHUP is passed on to both. Two supervisors would each adopt what the other
started, and the end of one would stop the recording of the other: while one lives, a second on the same settings ends
at once.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from longwatch.node.sd_notify import notify

PATIENCE_S = 4.5
BACK_OFF_S = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
_SOUND_AFTER_S = 60.0
_LOCKS = {"recorder": "lock", "server": "server.lock"}


def lock_holder(path: Path) -> int | None:
    """The process that holds the flock on `path`, as the kernel lists it. Trying the lock would get in its way."""
    try:
        inode = path.stat().st_ino
        lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    for line in lines:
        fields = line.split()
        if len(fields) >= 6 and fields[1] == "FLOCK" and fields[5].rpartition(":")[2] == str(inode):
            pid = int(fields[4])
            if pid > 0 and _has_open(pid, path):
                return pid
    return None


def _has_open(pid: int, path: Path) -> bool:
    """Whether it is really this file: inode numbers repeat over disks, and st_dev is not what the kernel lists (btrfs)."""
    try:
        wanted = path.stat()
        return any(os.path.samestat(fd.stat(), wanted) for fd in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


class Role:
    """One of the two processes: a child of ours, or one that was there before. pidfd: readable once it has ended."""

    def __init__(self, name: str, config: Path, data: Path, say: Callable[[str], None]) -> None:
        self.name = name
        self.pidfd = -1
        self.pid = 0
        self.due = 0.0
        self._command = [sys.executable, "-m", f"longwatch.node.{name}", "--config", str(config)]
        self._lock = data / _LOCKS[name]
        self._last_good = data / "settings.last-good"
        self._say = say
        self._child: subprocess.Popen[bytes] | None = None
        self._began = 0.0
        self._failures = 0

    @property
    def holds_lock(self) -> bool:
        """Whether it has come so far as to hold its lock."""
        return self.pid > 0 and lock_holder(self._lock) == self.pid

    def begin(self, now: float) -> None:
        """Adopt it or start it. Never raises: what fails is tried again later."""
        pid = lock_holder(self._lock)
        try:
            if pid is not None:
                self.pidfd = os.pidfd_open(pid)
                self.pid = pid
                self._say(f"{self.name} runs already as process {pid}: adopted")
            else:
                environment = {key: value for key, value in os.environ.items() if key != "NOTIFY_SOCKET"}
                environment["LONGWATCH_LAST_GOOD"] = str(self._last_good)  # see config.last_good
                # A reload that comes before the child listens for it must not end it: what is ignored stays so over exec.
                listening = signal.signal(signal.SIGHUP, signal.SIG_IGN)
                try:
                    self._child = subprocess.Popen(
                        self._command, stdin=subprocess.DEVNULL, start_new_session=True, env=environment
                    )
                finally:
                    signal.signal(signal.SIGHUP, listening)
                self.pid = self._child.pid
                self.pidfd = os.pidfd_open(self.pid)
            self._began = now
        except OSError as error:
            self._say(f"{self.name} cannot be started: {error}")
            self.ended(now)

    def ended(self, now: float, *, wanted: bool = False) -> None:
        """Its pidfd says that it is over: take note, and, unless that is wanted, set the time of the next start."""
        status = self._child.wait() if self._child is not None else None
        if self.pidfd >= 0:
            os.close(self.pidfd)
        if self._began and now - self._began >= _SOUND_AFTER_S:
            self._failures = 0
        wait_s = BACK_OFF_S[min(self._failures, len(BACK_OFF_S) - 1)]
        self._failures += 1
        self.due = now + wait_s
        self.pid, self.pidfd, self._child, self._began = 0, -1, None, 0.0
        again = "" if wanted else f"; it is started again in {wait_s:.0f} s"
        self._say(f"{self.name} ended ({_said(status)}){again}")

    def signal(self, number: signal.Signals) -> None:
        """Through the pidfd, so that a process that took over the number is never meant."""
        if self.pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.pidfd, number)


def _said(status: int | None) -> str:
    if status is None:
        return "adopted, so its exit code is not known"
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"exit {status}"


def _say(text: str) -> None:
    with contextlib.suppress(OSError):
        print(f"longwatch run: {text}", file=sys.stderr, flush=True)  # noqa: T201 - no logging library in this process


def data_folder(config: Path) -> Path | int:
    """The first volume of these settings; or the exit code, after its words, of the process that could not read them."""
    resolved = subprocess.run(
        [sys.executable, "-m", "longwatch.config", "resolve", str(config)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False,
    )  # fmt: skip
    if resolved.returncode:
        return resolved.returncode
    return Path(json.loads(resolved.stdout)["volumes"][0])


class Supervisor:
    """The loop. It sleeps in poll(2) until a process ends, a signal comes, or a start is due."""

    def __init__(self) -> None:
        """From here on signals are taken note of; `run` acts on them."""
        self.roles: list[Role] = []
        self._ready = False
        self._ending = False
        self._asked: list[signal.Signals] = []
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda got, _frame: self._asked.append(signal.Signals(got)))

    def run(self) -> int:
        """Until SIGTERM or SIGINT; 0 where both ended by themselves then, 1 where one had to be killed."""
        wake_r, wake_w = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        before = signal.set_wakeup_fd(wake_w, warn_on_full_buffer=False)
        try:
            while True:
                for number in self._taken():
                    if number is not signal.SIGHUP:
                        return self._end(wake_r)
                    for role in self.roles:
                        role.signal(number)
                now = time.monotonic()
                for role in self.roles:
                    if role.pidfd < 0 and role.due <= now:
                        role.begin(now)
                self._wait(wake_r, self._next(now))
        finally:
            signal.set_wakeup_fd(before)
            os.close(wake_r)
            os.close(wake_w)

    def _next(self, now: float) -> float | None:
        """Seconds until something is due; None where only an event matters."""
        if not self._ready and all(role.holds_lock for role in self.roles):
            self._ready = True
            notify("READY=1")
        due = [role.due - now for role in self.roles if role.pidfd < 0]
        if not self._ready:
            due.append(0.2)
        return max(0.0, min(due)) if due else None

    def _wait(self, wake_r: int, seconds: float | None) -> None:
        poll = select.poll()
        poll.register(wake_r, select.POLLIN)
        by_fd = {role.pidfd: role for role in self.roles if role.pidfd >= 0}
        for pidfd in by_fd:
            poll.register(pidfd, select.POLLIN)
        for fd, _ in poll.poll(None if seconds is None else seconds * 1000):
            if fd in by_fd:
                by_fd[fd].ended(time.monotonic(), wanted=self._ending)
            else:
                with contextlib.suppress(BlockingIOError):
                    os.read(wake_r, 512)

    def _taken(self) -> list[signal.Signals]:
        taken, self._asked = self._asked, []
        return taken

    def _end(self, wake_r: int) -> int:
        notify("STOPPING=1")
        self._ending = True
        running = [role for role in self.roles if role.pidfd >= 0]
        for role in running:
            role.signal(signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE_S
        while any(role.pidfd >= 0 for role in running) and (left := deadline - time.monotonic()) > 0:
            self._wait(wake_r, left)
        late = [role for role in running if role.pidfd >= 0]
        for role in late:
            _say(f"{role.name} did not end within {PATIENCE_S:g} s and is killed")
            role.signal(signal.SIGKILL)
        return 1 if late else 0


def supervise(config_path: Path) -> int:
    """Run a post until SIGTERM or SIGINT; the exit code. 2 where the settings are wrong, 1 where another supervisor runs
    it, which is then said on stderr.
    """
    config = config_path.absolute()
    supervisor = Supervisor()
    data = data_folder(config)
    if isinstance(data, int):
        return data
    with config.open("rb") as settings:
        if not _alone(settings.fileno()):
            _say(
                f"it runs already with these settings, as process {lock_holder(config) or 'unknown'}; stop that one first"
            )
            return 1
        supervisor.roles = [Role(name, config, data, _say) for name in _LOCKS]
        return supervisor.run()


def _alone(descriptor: int) -> bool:
    """Take the lock of a supervisor: on the settings file itself, which is there before the data folder is. It ends with
    this process. Where the file system has no locks, everybody is alone.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def main() -> int:
    """`python -m longwatch.node.supervise --config FILE`."""
    parser = argparse.ArgumentParser(prog="longwatch run")
    parser.add_argument("--config", type=Path, required=True)
    return supervise(parser.parse_args().config)


if __name__ == "__main__":
    sys.exit(main())
