"""Names and tags of wheels (PEP 427, PEP 425), as far as a bundle is judged by them before anything is installed."""

from __future__ import annotations

import email.parser
import email.policy
import hashlib
import platform
import re
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from longwatch.base.errors import LongwatchError, UsageError

_NAME = re.compile(
    r"(?P<distribution>[A-Za-z0-9_.]{1,80})-(?P<version>[A-Za-z0-9_.+!]{1,60})(-\d[A-Za-z0-9_.]*)?-(?P<tags>[A-Za-z0-9_.]{1,80}-[A-Za-z0-9_.]{1,80}-[A-Za-z0-9_.]{1,200})\.whl"
)
_GLIBC = re.compile(r"manylinux_(\d+)_(\d+)_(\w+)")
_OLD_GLIBC = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}
_MOST_METADATA = 1 << 20
_PART = 1 << 20


class WheelError(ValueError):
    """Not the name of a wheel."""


@dataclass(frozen=True, slots=True, order=True)
class Wheel:
    """distribution: its name, normalized (PEP 503). tags: python-abi-platform. sha256: hex, of the file; size: bytes."""

    distribution: str
    version: str
    tags: str
    name: str
    sha256: str
    size: int

    @staticmethod
    def named(name: str, sha256: str, size: int) -> Wheel:
        """Raises WheelError."""
        match = _NAME.fullmatch(name)
        if match is None:
            raise WheelError(f"{name[:80]!r} is no name of a wheel")
        return Wheel(normal(match["distribution"]), match["version"], match["tags"], name, sha256, size)

    @staticmethod
    def of(path: Path) -> Wheel:
        """Of a file. Raises UsageError where it is no wheel, LongwatchError where it cannot be read."""
        digest, size = hashlib.sha256(), 0
        try:
            with path.open("rb") as file:
                while part := file.read(_PART):
                    digest.update(part)
                    size += len(part)
            return Wheel.named(path.name, digest.hexdigest(), size)
        except OSError as error:
            raise LongwatchError(f"{path} cannot be read", why=error.strerror or str(error)) from error
        except WheelError as error:
            raise UsageError(str(error)) from error


def normal(name: str) -> str:
    """A distribution's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_metadata(path: Path) -> dict[str, str]:
    """METADATA of a wheel: Name, Version, Requires-Python and so on; of what stands more than once the first. Raises UsageError."""
    try:
        with zipfile.ZipFile(path) as wheel:
            entries = [
                entry for entry in wheel.infolist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", entry.filename)
            ]
            if len(entries) != 1 or entries[0].file_size > _MOST_METADATA:
                raise UsageError(f"{path.name} is no wheel", why="it has no METADATA")
            text = wheel.read(entries[0])
    except (OSError, zipfile.BadZipFile) as error:
        raise UsageError(f"{path.name} is no wheel", why=str(error)) from error
    message = email.parser.BytesParser(policy=email.policy.compat32).parsebytes(text, headersonly=True)
    return {name: str(value) for name, value in reversed(message.items())}


@dataclass(frozen=True, slots=True)
class Host:
    """What wheels run on. python: as (3, 11). machine: as `x86_64`. glibc: version; None where it is another C library."""

    python: tuple[int, int]
    machine: str
    glibc: tuple[int, int] | None

    def as_json(self) -> dict[str, str]:
        """As a post tells its hub."""
        libc = "" if self.glibc is None else f"{self.glibc[0]}.{self.glibc[1]}"
        return {"python": f"{self.python[0]}.{self.python[1]}", "machine": self.machine, "glibc": libc}

    @staticmethod
    def from_json(said: object) -> Host:
        """The reverse. Raises ValueError: foreign bytes are read here."""
        if not isinstance(said, dict) or not all(
            isinstance(said.get(name), str) for name in ("python", "machine", "glibc")
        ):
            raise ValueError("no host")
        pairs = [re.fullmatch(r"(\d{1,3})\.(\d{1,3})", said[name]) for name in ("python", "glibc")]
        if pairs[0] is None or not re.fullmatch(r"\w{1,40}", said["machine"]):
            raise ValueError("no host")
        glibc = None if pairs[1] is None else (int(pairs[1][1]), int(pairs[1][2]))
        return Host((int(pairs[0][1]), int(pairs[0][2])), said["machine"], glibc)


def this_host() -> Host:
    """Where this program runs."""
    name, version = platform.libc_ver()
    parts = re.match(r"(\d+)\.(\d+)", version) if name == "glibc" else None
    glibc = None if parts is None else (int(parts[1]), int(parts[2]))
    return Host(sys.version_info[:2], platform.machine(), glibc)


def fits(wheel: Wheel, host: Host) -> bool:
    """Whether a wheel may be installed on this host: by its tags alone. What pip says counts; this is to say so before anything travels."""
    pythons, abis, platforms = (part.split(".") for part in wheel.tags.split("-"))
    return any(_is_python(python, abi, host) for python in pythons for abi in abis) and any(
        _is_platform(each, host) for each in platforms
    )


def _is_python(python: str, abi: str, host: Host) -> bool:
    major, minor = host.python
    match = re.fullmatch(r"(py|cp)(\d)(\d*)", python)
    if match is None or int(match[2]) != major:
        return False
    least = int(match[3] or 0)
    if abi == "none":
        return least <= minor if match[1] == "py" else match[3] == "" or least == minor
    if abi == "abi3":
        return match[1] == "cp" and least <= minor
    return abi == python == f"cp{major}{minor}"


def _is_platform(tag: str, host: Host) -> bool:
    if tag in {"any", f"linux_{host.machine}"}:
        return True
    if host.glibc is None:
        return bool(re.fullmatch(rf"musllinux_\d+_\d+_{re.escape(host.machine)}", tag))
    match = _GLIBC.fullmatch(tag)
    if match is not None:
        return match[3] == host.machine and (int(match[1]), int(match[2])) <= host.glibc
    old, _, machine = tag.partition("_")
    return old in _OLD_GLIBC and machine == host.machine and host.glibc >= _OLD_GLIBC[old]
