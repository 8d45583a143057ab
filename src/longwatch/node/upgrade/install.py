"""A release put into an environment of its own: `python -m longwatch.node.upgrade.install BUNDLE DATA NAME KEY`, a child of the server, of low priority.

Nothing of the environment that runs is touched, and nothing is fetched. The wheels of the bundle are installed by pip, each by its hash; of what the
release needs and the bundle does not carry, the very version that runs here is taken over file by file, each by the hash that its RECORD names: linked
where that may be, else copied. So an environment stands by itself, and the one before may go. The marker comes last, once all is on the disk: an
environment without it is as none. One JSON object on standard output: `{"done": NAME}` or `{"failed": why}`.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import fcntl
import hashlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import venv
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from longwatch.base.errors import LongwatchError
from longwatch.node.upgrade.files import Places, flush_folder, write_durably
from longwatch.node.upgrade.state import Release as Name
from longwatch.trust.release import Release, extract, parse_verifier
from longwatch.trust.wheels import Wheel

OPTIONAL = frozenset({"flatbuffers", "numpy", "onnxruntime", "opencv-python-headless", "packaging", "protobuf"})
"""Of the extra `watch`, and what only that needs: a post that was installed without it goes on without it."""
_PIP = "pip"
"""Installs releases, and is taken over into each, so that it is there for the next one."""
_NICE = 15
_IDLE = 3 << 13  # IOPRIO_CLASS_IDLE (ioprio_set(2)): what waits for the disk goes first
_MEMORY_BYTES = 4 << 30
_CPU_SECONDS = 3600
_PATIENCE_S = 3600
_PART = 1 << 20


def lower() -> None:
    """From here on this process gives way to what records, ends where it takes too much, and ends with whoever started it; so does what it starts."""
    end_with_parent()
    os.nice(_NICE)
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).syscall(_IOPRIO_SET.get(os.uname().machine, -1), 1, 0, _IDLE)
    limits = ((resource.RLIMIT_AS, _MEMORY_BYTES), (resource.RLIMIT_CPU, _CPU_SECONDS), (resource.RLIMIT_CORE, 0))
    for kind, most in limits:
        hard = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def end_with_parent() -> None:
    """PR_SET_PDEATHSIG (prctl(2)): a server that is killed leaves nobody behind who writes."""
    ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL, 0, 0, 0)


_IOPRIO_SET = {"x86_64": 251, "aarch64": 30, "riscv64": 30}


def main(words: list[str]) -> int:
    """The exit code: 0, or 1 where it is not there; then nothing of it is left."""
    lower()
    bundle, data, name, key = Path(words[0]), Path(words[1]), words[2], parse_verifier(words[3])
    places = Places(data)
    folder = places.releases / name
    try:
        places.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        alone = os.open(
            places.folder / "install.lock", os.O_RDWR | os.O_CREAT, 0o600
        )  # pip has it too, and may outlive this process for a moment
        fcntl.flock(alone, fcntl.LOCK_EX)
        os.set_inheritable(alone, True)
        if not places.marker(name).exists():
            remove(folder)
            install(bundle, key, folder)
            write_durably(places.marker(name), json.dumps({"name": name}).encode())
            flush_folder(places.releases)
        said = {"done": name}
    except (LongwatchError, OSError, ValueError, subprocess.SubprocessError) as error:
        with contextlib.suppress(OSError):
            remove(folder)
        said = {"failed": str(error)[:1000]}
    sys.stdout.write(json.dumps(said) + "\n")
    return 0 if "done" in said else 1


def remove(folder: Path) -> None:
    """An environment, or what there is of one; its marker first."""
    (folder / "longwatch-release.json").unlink(missing_ok=True)
    if folder.exists():
        shutil.rmtree(folder)


def install(bundle: Path, key: bytes, folder: Path) -> None:
    """Make the environment, and see that it is on the disk. Raises LongwatchError, OSError."""
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    venv.EnvBuilder(symlinks=True, with_pip=not _has_pip()).create(folder)
    wheels = folder / "wheels"
    wheels.mkdir()
    release = extract(bundle, [key], wheels)
    site = next((folder / "lib").glob("python*/site-packages"))
    for needed in needed_here(release):
        take_over(needed, site)
    requirements = folder / "requirements.txt"
    requirements.write_text("".join(_requirement(wheel) for wheel in release.wheels), encoding="utf-8")
    _pip(folder, wheels, requirements)
    shutil.rmtree(wheels)
    _flush(folder)


def needed_here(release: Release) -> list[Distribution]:
    """What is taken over from the environment that runs. Raises LongwatchError for what is not there in the version that the release needs."""
    found, lacking = [], []
    for name, version in (({_PIP: ""} if _has_pip() else {}) | release.missing).items():
        try:
            here = distribution(name)
        except PackageNotFoundError:
            if name not in OPTIONAL:
                lacking.append(f"{name} {version}".strip())
            continue
        if version and here.version != version:
            lacking.append(f"{name} {version} (here is {here.version})")
        else:
            found.append(here)
    if lacking:
        raise LongwatchError(
            "the bundle lacks what this post has not", why=", ".join(lacking)[:600],
            remedy="pack the wheels of these too: longwatch upgrade pack --wheels DIR",
        )  # fmt: skip
    return found


def _has_pip() -> bool:
    """Else `ensurepip` of the host's Python puts its own in, if it is there."""
    try:
        return bool(distribution(_PIP).files)
    except PackageNotFoundError:
        return False


def files_of(taken: Distribution) -> Iterator[tuple[Path, Path, str]]:
    """Each file of an installed distribution: where it lies, its place in site-packages, its hash as in RECORD ("" for RECORD itself). Scripts
    and what was compiled here are left. Raises LongwatchError where nobody knows its files.
    """
    name = taken.metadata["Name"]
    if not taken.files:
        raise LongwatchError(
            f"{name} cannot be taken over", why="it has no RECORD", remedy="pack its wheel into the bundle"
        )
    for file in taken.files:
        place = Path(str(file))
        if place.is_absolute() or ".." in place.parts or place.suffix == ".pyc":
            continue
        if file.hash is None and place.name not in {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}:
            raise LongwatchError(f"{name} cannot be taken over", why=f"{place} has no hash in its RECORD")
        yield (
            Path(str(taken.locate_file(file))),
            place,
            "" if file.hash is None else f"{file.hash.mode}={file.hash.value}",
        )


def take_over(taken: Distribution, site: Path) -> None:
    """Raises LongwatchError where a file is not what its RECORD says, OSError."""
    for source, place, wanted in files_of(taken):
        target = site / place
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            continue  # two distributions share a file of a namespace
        try:
            os.link(source, target)
        except OSError:
            shutil.copyfile(source, target)
        if wanted and _hash(target, wanted.partition("=")[0]) != wanted:
            raise LongwatchError(
                f"{taken.metadata['Name']} cannot be taken over", why=f"{place} is not what was installed",
                remedy="pack its wheel into the bundle",
            )  # fmt: skip


def size_of(taken: Distribution) -> int:
    """Bytes that it needs where it is copied."""
    return sum(file.size or 0 for file in taken.files or ())


def _hash(path: Path, mode: str) -> str:
    digest = hashlib.new(mode)
    with path.open("rb") as file:
        while part := file.read(_PART):
            digest.update(part)
    return f"{mode}={base64.urlsafe_b64encode(digest.digest()).decode().rstrip('=')}"


def _requirement(wheel: Wheel) -> str:
    return f"{wheel.distribution}=={wheel.version} --hash=sha256:{wheel.sha256}\n"


def _pip(folder: Path, wheels: Path, requirements: Path) -> None:
    command = [
        str(folder / "bin" / "python"), "-I", "-m", "pip", "install", "--isolated", "--disable-pip-version-check", "--no-input",
        "--no-cache-dir", "--no-index", "--no-deps", "--only-binary=:all:", "--require-hashes", "--find-links", str(wheels), "-r",
        str(requirements),
    ]  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
    done = subprocess.run(
        command, env=environment | {"TMPDIR": str(folder), "HOME": str(folder)}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        errors="replace", timeout=_PATIENCE_S, check=False, close_fds=False, preexec_fn=end_with_parent,
    )  # fmt: skip
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise LongwatchError("pip could not install the wheels", why=" ".join(said[-3:])[-600:])


def _flush(folder: Path) -> None:
    """All of it onto the disk. Raises OSError: also for what the kernel could not write since."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(folder))
    finally:
        os.close(descriptor)


def name_of(release: Release) -> Name:
    """Of its environment: version, and the first eight digits of the hash of bundle.json."""
    return Name(f"{release.version}-{release.sha256.hex()[:8]}", release.version)


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main(sys.argv[1:]))
