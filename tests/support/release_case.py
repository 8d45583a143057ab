"""Releases for tests: wheels of this very tree under another version, whole or broken, and bundles of them."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path

import longwatch
from longwatch.node.upgrade.formats import formats
from longwatch.node.upgrade.install import OPTIONAL
from longwatch.trust import SigningKey
from longwatch.trust.release import Written, pack, verifier
from longwatch.trust.wheels import normal

ROOT = Path(longwatch.__file__).parent
LOCK = Path(__file__).parents[2] / "requirements.lock"
_LEFT_OUT = {".pyc", ".mp4", ".map"}


def wheel(folder: Path, version: str, changed: Mapping[str, str] | None = None, *, small: bool = False) -> Path:
    """A wheel of `src/longwatch`, not compressed. changed: other text of files of the package, by their path in it. small: of its first file alone."""
    files = {
        f"longwatch/{path.relative_to(ROOT)}": path.read_bytes()
        for path in ([ROOT / "__init__.py"] if small else sorted(ROOT.rglob("*")))
        if path.is_file() and path.suffix not in _LEFT_OUT
    }
    files["longwatch/__init__.py"] = files["longwatch/__init__.py"].replace(
        f'__version__ = "{longwatch.__version__}"'.encode(), f'__version__ = "{version}"'.encode()
    )
    for name, text in (changed or {}).items():
        files[f"longwatch/{name}"] = text.encode()
    info = f"longwatch-{version}.dist-info"
    files[f"{info}/METADATA"] = (
        f"Metadata-Version: 2.1\nName: longwatch\nVersion: {version}\nRequires-Python: >=3.11\n".encode()
    )
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{info}/entry_points.txt"] = b"[console_scripts]\nlongwatch = longwatch.cli:main\n"
    record = "".join(f"{name},sha256={hash_of(content)},{len(content)}\n" for name, content in files.items())
    files[f"{info}/RECORD"] = (record + f"{info}/RECORD,,\n").encode()
    path = folder / f"longwatch-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as out:
        for name, content in files.items():
            out.writestr(zipfile.ZipInfo(name), content)
    return path


def hash_of(content: bytes) -> str:
    """As a RECORD has it."""
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")


def locked() -> dict[str, str]:
    """What the lock file names, as `longwatch upgrade pack` reads it."""
    pairs = [
        line.split(" ")[0].split("==") for line in LOCK.read_text().splitlines() if "==" in line and line[0] != " "
    ]
    return {normal(name): version for name, version in pairs}


def light() -> dict[str, str]:
    """The same without what only looking needs: 200 MB less to link in each environment of a test."""
    return {name: version for name, version in locked().items() if name not in OPTIONAL}


def bundle(
    folder: Path, key: SigningKey, version: str, changed: Mapping[str, str] | None = None, *, requires: Mapping[str, str] | None = None,
    forms: Mapping[str, Mapping[str, int]] | None = None, small: bool = False,
) -> Path:  # fmt: skip
    """A bundle of this tree, signed."""
    folder.mkdir(parents=True, exist_ok=True)
    made = formats() | dict(forms or {})
    written = {name: Written(form["reads"], form["writes"]) for name, form in made.items()}
    out = folder / f"longwatch-{version}.bundle"
    pack([wheel(folder, version, changed, small=small)], key, out, written, light() if requires is None else requires)
    return out


def settings_of(key: SigningKey, trial: str = "30s", origin: str = "hand") -> str:
    """`upgrades` for a settings file."""
    return f"upgrades: {{from: {origin}, key: '{verifier(key.public)}', trial: {trial}}}\n"


def soon_sure() -> dict[str, str]:
    """A version that is content with five seconds in which all is well, so that the trial itself may be long, however slow the machine is."""
    path = "node/upgrade/trial.py"
    text = (ROOT / path).read_text()
    assert "LONGEST_PROOF_US = 180_000_000" in text
    return {path: text.replace("LONGEST_PROOF_US = 180_000_000", "LONGEST_PROOF_US = 5_000_000")}
