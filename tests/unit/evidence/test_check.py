"""The page that checks a package: what it needs, and what it is."""

from __future__ import annotations

import ast
import asyncio
import os
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.support.evidence_case import CHECK, make_package, record_post

_NEEDS = {
    "base64", "datetime", "hashlib", "json", "pathlib", "shutil", "subprocess", "sys", "tempfile", "zipfile",
}  # fmt: skip


def test_it_is_plain_python_of_2019_and_needs_nothing():
    tree = ast.parse(CHECK.read_text(), feature_version=(3, 8))
    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported == _NEEDS
    assert sys.stdlib_module_names >= _NEEDS
    assert len(CHECK.read_text().splitlines()) <= 215
    assert max(map(len, CHECK.read_text().splitlines())) <= 140


def test_it_checks_the_folder_it_stands_in(tmp_path: Path):
    from_us, to_us = asyncio.run(record_post(tmp_path / "data", segments=1))
    made = make_package(tmp_path / "data", tmp_path / "p.zip", from_us, to_us)
    with zipfile.ZipFile(tmp_path / "p.zip") as zipped:
        zipped.extractall(tmp_path / "p")
    folder = tmp_path / "p"
    run = [sys.executable, "-I", "-S", folder / "check.py"]
    done = subprocess.run(run, cwd="/", capture_output=True, text=True)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "OK")
    assert "anna: request 17" in done.stdout
    assert made.fingerprint in done.stdout
    (folder / "manifest.html").write_text("nothing happened")
    done = subprocess.run(run, capture_output=True, text=True)
    assert (done.returncode, done.stdout.splitlines()) == (1, ["FAIL  changed: manifest.html", "FAILED"])
    done = subprocess.run(run, capture_output=True, text=True, env={**os.environ, "PATH": "/nowhere"})
    assert done.returncode == 1
    assert "openssl is needed" in done.stderr


def test_the_page_in_a_package_is_the_page_of_the_program(tmp_path: Path):
    from_us, to_us = asyncio.run(record_post(tmp_path / "data", segments=1))
    make_package(tmp_path / "data", tmp_path / "p.zip", from_us, to_us)
    with zipfile.ZipFile(tmp_path / "p.zip") as zipped:
        assert zipped.read("check.py") == CHECK.read_bytes()
