"""The tiny third process of `longwatch run`: it starts recorder and server (of a hub's door: the door alone), starts again what ends, and nothing more.

Only the standard library is imported here. Its own end, even by SIGKILL, stops neither: both live in sessions of their
own. What `longwatch stop` ended is not started again: then all of it ends. A recorder or server that already runs on the
data folder is adopted: who holds its lock stands in /proc/locks. SIGTERM or SIGINT ends both, within 5 s; SIGHUP is passed on to both. Two supervisors would each adopt what the other
started, and the end of one would stop the recording of the other: while one lives, a second on the same settings ends
at once. From which environment both are started `release` says: after an upgrade it is not the one of this process.
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

import longwatch
from longwatch.base.folders import why_unusable
from longwatch.node.sd_notify import notify
from longwatch.node.supervisor.release import SOUND_AFTER_S, Crossing, Releases
from longwatch.node.upgrade.files import Places, current
from longwatch.node.upgrade.state import AGAIN

PATIENCE_S = 4.5
STOPPED_BY_ORDER = 76
"""What a recorder ends with that `longwatch stop` was said to: it is not started again, and the rest ends too."""
BACK_OFF_S = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
_HOLD_EVERY_S = 5.0
"""How soon the lock follows a settings file that was replaced."""
_LOCKS = {"recorder": "lock", "server": "server.lock", "door": "door.lock"}
_OF_DOORS, _OF_OTHERS = ("door",), ("recorder", "server")


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
        descriptors = list(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False
    for descriptor in descriptors:
        with contextlib.suppress(OSError):  # one that was closed meanwhile
            if os.path.samestat(descriptor.stat(), wanted):
                return True
    return False


class Folder:
    """The first data folder. While nothing can be written there nothing is started: both would only end again. It is said once, and
    looked at with back-off: a disk may be mounted late.
    """

    def __init__(self, path: Path, say: Callable[[str], None]) -> None:
        self.path = path
        self._say = say
        self._said = ""

    def is_usable(self) -> bool:
        """Now."""
        why = why_unusable(self.path)
        if why and not self._said:
            self._say(f"nothing can be recorded: {why}")
            self._say(
                "make it as root and give it to that user, or name another as `data: ./data`; it is looked at again"
            )
        elif self._said and not why:
            self._say(f"{self.path} can be written now")
        self._said = why
        return not why


class Role:
    """One of the two processes: a child of ours, or one that was there before. pidfd: readable once it has ended."""

    def __init__(
        self, name: str, config: Path, folder: Folder, say: Callable[[str], None], releases: Releases | None = None
    ) -> None:
        self.name = name
        self.pidfd = -1
        self.pid = 0
        self.due = 0.0
        self.ordered = False
        self._command = [sys.executable, "-m", f"longwatch.node.{name}", "--config", str(config)]
        self._releases = releases
        self._release = ""
        self._folder = folder
        self._lock = folder.path / _LOCKS[name]
        self._last_good = folder.path / "settings.last-good"
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
        if pid is None and not self._folder.is_usable():
            self._wait_longer(now)
            return
        try:
            if pid is not None:
                self.pidfd = os.pidfd_open(pid)
                self.pid = pid
                self._say(f"{self.name} runs already as process {pid}: adopted")
            else:
                command, environment = self._what()
                environment["LONGWATCH_LAST_GOOD"] = str(self._last_good)  # see config.last_good
                # Of glibc: by default each of a dozen threads gets a heap of its own, and each keeps holes that no other thread fills
                # (docs/reliability.md, row 20). Who sets it has it as it is.
                environment.setdefault("MALLOC_ARENA_MAX", "2")
                # A reload that comes before the child listens for it must not end it: what is ignored stays so over exec.
                listening = signal.signal(signal.SIGHUP, signal.SIG_IGN)
                try:
                    self._child = subprocess.Popen(
                        command, stdin=subprocess.DEVNULL, start_new_session=True, env=environment
                    )
                finally:
                    signal.signal(signal.SIGHUP, listening)
                self.pid = self._child.pid
                self.pidfd = os.pidfd_open(self.pid)
            self._began = now
        except OSError as error:
            self._say(f"{self.name} cannot be started: {error}")
            self.ended(now)

    def _what(self) -> tuple[list[str], dict[str, str]]:
        if self._releases is None:
            return self._command, {key: value for key, value in os.environ.items() if key != "NOTIFY_SOCKET"}
        command, environment, self._release = self._releases.command(self.name)
        return command, environment

    def adopt(self) -> None:
        """One that runs, and that nobody here knows of yet."""
        pid = lock_holder(self._lock) if self.pidfd < 0 else None
        if pid is not None:
            with contextlib.suppress(OSError):
                self.pidfd, self.pid = os.pidfd_open(pid), pid

    def start_soon(self, now: float) -> None:
        """What failed before was of another environment."""
        self._failures, self.due = 0, now

    def ended(self, now: float, *, wanted: bool = False) -> None:
        """Its pidfd says that it is over: take note, and, unless that is wanted, set the time of the next start."""
        status = self._child.wait() if self._child is not None else None
        self.ordered = status == STOPPED_BY_ORDER
        if self.pidfd >= 0:
            os.close(self.pidfd)
        ran_s = now - self._began if self._began else SOUND_AFTER_S
        if ran_s >= SOUND_AFTER_S or (status == AGAIN and ran_s >= 1):
            self._failures = 0
        wait_s = self._wait_longer(now)
        if status == AGAIN and ran_s >= 1:
            wait_s, self.due = 0.0, now
        if self._releases is not None and self._child is not None and not wanted and not self.ordered:
            self._releases.ended(self._release, ran_s, status, f"{self.name}, {_said(status)}")
        self.pid, self.pidfd, self._child, self._began = 0, -1, None, 0.0
        again = "" if wanted or self.ordered else f"; it is started again in {wait_s:.0f} s"
        self._say(f"{self.name} ended ({_said(status)}){again}")

    def _wait_longer(self, now: float) -> float:
        """Set the time of the next start; gives the seconds until then."""
        wait_s = BACK_OFF_S[min(self._failures, len(BACK_OFF_S) - 1)]
        self._failures += 1
        self.due = now + wait_s
        return wait_s

    def signal(self, number: signal.Signals) -> None:
        """Through the pidfd, so that a process that took over the number is never meant."""
        if self.pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.pidfd, number)


def _said(status: int | None) -> str:
    if status is None:
        return "adopted, so its exit code is not known"
    if status == STOPPED_BY_ORDER:
        return "stopped by order"
    if status == AGAIN:
        return "to be started again"
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"exit {status}"


def _say(text: str) -> None:
    with contextlib.suppress(OSError):
        print(f"longwatch run: {text}", file=sys.stderr, flush=True)  # noqa: T201 - no logging library in this process


def data_folder(config: Path) -> tuple[Path, tuple[str, ...]] | int:
    """The first volume of these settings, and which processes belong there; or the exit code, after its words, of the process that could not read them.

    Settings that only a release which was put in since can read are read by that one.
    """
    resolved = _asked([sys.executable], "resolve", config)
    if resolved.returncode:
        folder = _asked([sys.executable], "folder", config)
        data = Path(os.fsdecode(folder.stdout).rstrip("\n")) if folder.returncode == 0 else None
        release = None if data is None else current(data, longwatch.__version__)
        if data is not None and release is not None:
            resolved = _asked([str(Places(data).python(release)), "-P"], "resolve", config)
    if resolved.returncode:
        sys.stderr.write(os.fsdecode(resolved.stderr))
        return resolved.returncode
    said = json.loads(resolved.stdout)
    return Path(said["volumes"][0]), _OF_DOORS if said.get("door") else _OF_OTHERS


def _asked(python: list[str], what: str, config: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*python, "-m", "longwatch.config", what, str(config)], stdin=subprocess.DEVNULL, capture_output=True, check=False
    )  # fmt: skip


class Supervisor:
    """The loop. It sleeps in poll(2) until a process ends, a signal comes, or a start is due."""

    def __init__(self) -> None:
        """From here on signals are taken note of; `run` acts on them."""
        self.roles: list[Role] = []
        self.hold: Hold | None = None
        self.releases: Releases | None = None
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
                crossing = None if self.releases is None else self.releases.look()
                if crossing is not None:
                    self._cross(crossing, wake_r)
                    continue
                now = time.monotonic()
                for role in self.roles:
                    if role.pidfd < 0 and role.due <= now:
                        role.begin(now)
                if self.hold is not None:
                    self.hold.renew()
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
        if self.hold is not None:
            due.append(_HOLD_EVERY_S)
        return max(0.0, min(due)) if due else None

    def _wait(self, wake_r: int, seconds: float | None) -> None:
        poll = select.poll()
        poll.register(wake_r, select.POLLIN)
        by_fd = {role.pidfd: role for role in self.roles if role.pidfd >= 0}
        for pidfd in by_fd:
            poll.register(pidfd, select.POLLIN)
        for fd, _ in poll.poll(None if seconds is None else seconds * 1000):
            if fd in by_fd:
                role = by_fd[fd]
                role.ended(time.monotonic(), wanted=self._ending)
                if role.ordered and not self._ending:
                    self._asked.append(signal.SIGTERM)
            else:
                with contextlib.suppress(BlockingIOError):
                    os.read(wake_r, 512)

    def _taken(self) -> list[signal.Signals]:
        taken, self._asked = self._asked, []
        return taken

    def _cross(self, crossing: Crossing, wake_r: int) -> None:
        """End both, let the databases be made fit, go on from the other environment. A signal that comes meanwhile is acted on first, and the
        next supervisor, or the next look, goes on with it.
        """
        assert self.releases is not None
        _say(f"the release that runs is gone back from: {crossing.why}")
        for role in self.roles:
            role.adopt()
        self._ending = True
        self._stop_all(wake_r)
        while any(role.pidfd >= 0 for role in self.roles) and not self._asked:
            self._wait(wake_r, None)  # one that a hung disk holds does not end even so
        self._ending = False
        if self._asked or not self._made_fit(crossing, wake_r):
            return
        self.releases.crossed(crossing)
        now = time.monotonic()
        for role in self.roles:
            role.start_soon(now)

    def _made_fit(self, crossing: Crossing, wake_r: int) -> bool:
        """False where a signal came between. What fails is said, and holds nothing up: whoever opens a database says more."""
        try:
            child = subprocess.Popen(crossing.command, stdin=subprocess.DEVNULL, env=crossing.environment)
        except OSError as error:
            _say(f"the databases could not be made fit: {error}")
            return True
        poll = select.poll()
        poll.register(wake_r, select.POLLIN)
        while child.poll() is None and not self._asked:
            poll.poll(200)
        if child.poll() is None:
            child.kill()
            child.wait()
            return False
        if child.returncode:
            _say(f"the databases could not all be made fit: {_said(child.returncode)}")
        return True

    def _stop_all(self, wake_r: int) -> list[Role]:
        """Those that had to be killed."""
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
        return late

    def _end(self, wake_r: int) -> int:
        notify("STOPPING=1")
        self._ending = True
        late = self._stop_all(wake_r)
        if any(role.ordered for role in self.roles) and "NOTIFY_SOCKET" in os.environ:
            return STOPPED_BY_ORDER  # to systemd: see RestartPreventExitStatus in deploy/
        return 1 if late else 0


def supervise(config_path: Path, known: tuple[Path, tuple[str, ...]] | None = None) -> int:
    """Run a post until SIGTERM or SIGINT; the exit code. 2 where the settings are wrong, 1 where another supervisor runs
    it, which is then said on stderr. known: what `data_folder` would find, of who has just read the settings.
    """
    config = config_path.absolute()
    supervisor = Supervisor()
    found = known or data_folder(config)
    if isinstance(found, int):
        return found
    data, names = found
    with contextlib.closing(Hold(config)) as hold:
        if not hold.taken():
            _say(
                f"it runs already with these settings, as process {lock_holder(config) or 'unknown'}; stop that one first"
            )
            return 1
        folder = Folder(data, _say)
        supervisor.hold = hold
        supervisor.releases = releases = Releases(data, config, _say)
        supervisor.roles = [Role(name, config, folder, _say, releases) for name in names]
        return supervisor.run()


class Hold:
    """The lock of a supervisor on its settings file. Who saves settings puts a new file there: the lock follows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("rb")

    def taken(self) -> bool:
        """Whether it is ours."""
        return _alone(self._file.fileno())

    def renew(self) -> None:
        """Take that of the file which is there now; what cannot be taken is tried again the next time."""
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(self._file.fileno()), self._path.stat()):
                return
            fresh = self._path.open("rb")
            if _alone(fresh.fileno()):
                self._file, fresh = fresh, self._file
            fresh.close()

    def close(self) -> None:
        """Let go."""
        self._file.close()


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
    """`python -m longwatch.node.supervisor --config FILE [--data FOLDER [--door]]`: the last two of who has read the settings already."""
    parser = argparse.ArgumentParser(prog="longwatch run")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--door", action="store_true")
    said = parser.parse_args()
    known = None if said.data is None else (said.data, _OF_DOORS if said.door else _OF_OTHERS)
    return supervise(said.config, known)
