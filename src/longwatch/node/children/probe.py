"""One camera tried, in a process of its own: `python -m longwatch.node.children.probe`.

On standard output an empty line, once it is there; on standard input {url, transport, verify_certificate}; on standard output one line of JSON: the
report, its findings, and the first sync sample. What comes from an address that somebody typed is parsed here and not in the server; a password that was only tried
is known to this process alone.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from dataclasses import asdict
from typing import Any

from longwatch.base.clock import SystemClock
from longwatch.base.errors import UsageError
from longwatch.base.secrets import scrub
from longwatch.ingest import CameraUrl, Options, probe
from longwatch.ingest.findings import as_json, detail_of, findings
from longwatch.pictures import confine

_SECONDS = 3.0
_LONGEST_S = 6.0
_MEMORY_BYTES = 1 << 30
_CPU_SECONDS = 20
_DESCRIPTORS = 64
"""A session has a connection, and over UDP two ports for each track; the resolver has a few for a moment."""


def limit() -> None:
    """What every child that takes a camera's bytes gives up, but connections and the thread that looks up names."""
    confine(memory_bytes=_MEMORY_BYTES, descriptors=_DESCRIPTORS, cpu_seconds=_CPU_SECONDS, threads=True)


async def tried(asked: dict[str, Any]) -> dict[str, Any]:
    """What came of it. Raises UsageError where the address is none."""
    url = CameraUrl.parse(str(asked["url"]))
    options = Options(
        transport="udp" if asked.get("transport") == "udp" else "tcp",
        verify_certificate=bool(asked.get("verify_certificate", True)),
        connect_timeout_s=3.0,
        answer_timeout_s=4.0,
        silent_s=4.0,
        audio_only_s=4.0,
        unusable_s=6.0,
    )
    report = await probe(url, options, SystemClock(), seconds=_SECONDS, longest_s=_LONGEST_S)
    said = as_json(report)
    del said["problems"]
    said["detail"] = detail_of(report)
    said["findings"] = [asdict(finding) for finding in findings(report)]
    said["sample"] = None
    if report.picture and report.tracks:
        known = report.tracks[0].format
        said["sample"] = {
            "codec": str(known.codec),
            "entry": base64.b64encode(known.sample_entry).decode(),
            "data": base64.b64encode(report.picture).decode(),
        }
    return {name: item if name == "sample" else _scrubbed(item) for name, item in said.items()}


def _scrubbed(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _scrubbed(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_scrubbed(item) for item in value]
    return scrub(value) if isinstance(value, str) else value


def main() -> int:
    """Exit 0; an address that is none is {"error": {what, why, remedy}}."""
    limit()
    print(flush=True)  # noqa: T201  from here on the time for the camera is counted
    try:
        said = asyncio.run(tried(json.load(sys.stdin)))
    except UsageError as error:
        said = {"error": {"what": scrub(error.what), "why": scrub(error.why), "remedy": scrub(error.remedy)}}
    json.dump(said, sys.stdout)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
