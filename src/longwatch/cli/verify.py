"""`longwatch verify`."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from longwatch.base.errors import UsageError
from longwatch.base.rfc3339 import format_us
from longwatch.cli import options
from longwatch.cli.output import say, say_json

if TYPE_CHECKING:
    from longwatch.ledger.findings import Finding, Verdict

_MOST_BYTES = 64 << 20
_REPORT_PROOF = "report.tlog-proof"
_SHOWN = 200


def add_to(app: typer.Typer) -> None:
    """Hang the verbs of this file into the tree."""
    app.command("verify")(verify)


def verify(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="A data folder (its first volume), or an evidence package.")
    ],
    key: Annotated[
        str | None,
        typer.Option(
            "--key",
            metavar="FILE|FINGERPRINT",
            help="The key that must have signed it: PEM, verifier key, or SHA256:...",
        ),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            "--checkpoint", metavar="FILE", help="An earlier checkpoint, or a package or report that holds one."
        ),
    ] = None,
    volume: Annotated[
        list[Path] | None,
        typer.Option("--volume", metavar="DIR", help="Where another volume of the folder is; may be given again."),
    ] = None,
    json: options.Json = False,
) -> None:
    """Prove what was recorded, offline: which second of which camera was removed, changed, reordered or inserted. Exit 1 where one was.

    Example: `longwatch verify /var/lib/longwatch --key SHA256:xOX9yN6NKh2F+NUfd9R1AeZZhqX04bFLAVAB7UWodao`
    """
    if not path.exists():
        raise UsageError(f"there is no {path}", remedy="give a data folder or an evidence package")
    if _is_report(path):
        raise UsageError(
            f"{path} is no evidence package",
            remedy=f"give the whole zip, or a data folder; a report is proven by `longwatch report --check {path}`",
        )
    texts = _key_text(key), _earlier(checkpoint)
    with _bar(json) as tell:
        verdict = _judge(path, volume or [], *texts, tell)
    if json:
        say_json(_json(verdict))
    else:
        _tell(verdict)
        if (path / "fleet").is_dir():
            say(
                "this is a hub: its own ledger was looked at; for what it holds of its posts run `longwatch check --hash` and `--ledger` there"
            )
    if not verdict.ok:
        raise typer.Exit(1)


def _is_report(path: Path) -> bool:
    """Whether a file is what `longwatch report` writes. Of such a file a verdict would be an accusation that is not true."""
    if not path.is_file():
        return False
    if path.suffix.lower() in (".html", ".csv", ".json"):
        return not zipfile.is_zipfile(path)
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except (
        OSError,
        ValueError,
        NotImplementedError,
        zipfile.BadZipFile,
    ):  # zipfile raises the third for what it cannot unpack
        return False
    return _REPORT_PROOF in names and not any("/" in name or name.startswith("manifest") for name in names)


def _judge(
    path: Path, volumes: Sequence[Path], key: str | None, earlier: str | None, tell: Callable[[str, int, int], None]
) -> Verdict:
    from longwatch.archive.verifying import verify_folder
    from longwatch.evidence import is_package, verify_package

    if is_package(path):
        return verify_package(path, key=key, checkpoint=earlier)
    return verify_folder(path, more=volumes, key=key, checkpoint=earlier, progress=tell)


def _key_text(key: str | None) -> str | None:
    """What a person gave as a key: the fingerprint itself, or what is in the file."""
    if key is None or key.startswith("SHA256:"):
        return key
    try:
        return Path(key).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{key} is no key", why=str(error), remedy="give a file with the public key, or SHA256:..."
        ) from error


def _earlier(path: Path | None) -> str | None:
    """The newest checkpoint that a file holds."""
    from longwatch.ledger.checkpoint import find_notes, parse_unverified

    if path is None:
        return None
    notes = [note for text in _texts(path) for note in find_notes(text)]
    if not notes:
        raise UsageError(
            f"{path} holds no checkpoint", remedy="give a checkpoint, or a package or report that holds one"
        )
    return max(notes, key=lambda note: parse_unverified(note)[0].size)


def _texts(path: Path) -> Iterator[str]:
    if path.is_dir():
        files = [file for file in sorted(path.rglob("*")) if file.is_file() and file.stat().st_size <= _MOST_BYTES]
        yield from (file.read_text("utf-8", "replace") for file in files if file.suffix not in {".mp4", ".zip", ".png"})
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as package:
            for item in package.infolist():
                if item.file_size <= _MOST_BYTES and not item.filename.endswith((".mp4", ".zip", ".png")):
                    yield package.read(item).decode("utf-8", "replace")
    else:
        with path.open("rb") as file:
            yield file.read(_MOST_BYTES).decode("utf-8", "replace")


@contextmanager
def _bar(quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar for each long part, on standard error where a person looks."""
    from rich.console import Console
    from rich.progress import Progress, TaskID

    with Progress(console=Console(stderr=True), transient=True, disable=quiet) as bar:
        tasks: dict[str, TaskID] = {}

        def tell(what: str, done: int, count: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=count)
            bar.update(tasks[what], completed=done, total=count)

        yield tell


def _tell(verdict: Verdict) -> None:
    for finding in [*verdict.blamed[:_SHOWN], *verdict.said[:_SHOWN]]:
        say(_line(finding))
    more = len(verdict.findings) - len(verdict.blamed[:_SHOWN]) - len(verdict.said[:_SHOWN])
    if more:
        say(f"and {more} more; --json prints all")
    counted = f"{verdict.segments} segments, {verdict.entries} ledger entries, {verdict.bytes} bytes of media"
    say(f"looked at {counted}; the newest checkpoint is of {verdict.size} entries of {verdict.origin or 'no log'}")
    say(verdict.summary)


def _line(finding: Finding) -> str:
    where = "/".join(part for part in (finding.camera, finding.stream) if part)
    if finding.from_us is not None:
        where += f" {format_us(finding.from_us)}"
        where += f" to {format_us(finding.to_us)}" if finding.to_us is not None else ""
    return f"{finding.kind}: {where + ': ' if where else ''}{finding.what}: {finding.detail}"


def _json(verdict: Verdict) -> dict[str, Any]:
    return {
        "ok": verdict.ok,
        "summary": verdict.summary,
        "key": verdict.key or None,
        "origin_shown": verdict.key_given and bool(verdict.key),
        "origin": verdict.origin or None,
        "size": verdict.size,
        "root": verdict.root.hex() or None,
        "entries": verdict.entries,
        "segments": verdict.segments,
        "bytes": verdict.bytes,
        "findings": [
            {
                "kind": str(finding.kind),
                "failed": finding.kind.blames,
                "camera": finding.camera or None,
                "stream": finding.stream or None,
                "from": None if finding.from_us is None else format_us(finding.from_us),
                "to": None if finding.to_us is None else format_us(finding.to_us),
                "what": finding.what,
                "detail": finding.detail,
            }
            for finding in verdict.findings
        ],
    }
