"""Both ends of an uplink as processes, for namespaces: `python -m tests.rig.link_ends hub|post FOLDER ADDRESS`.

The hub keeps what comes in memory and prints one JSON line for each thing it verified or committed; the post takes one command a line on standard input:
`alarm`, `seal`, `object CLASS SIZE COUNT`, `state`. Times are CLOCK_MONOTONIC, which both share.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import uvloop
from tests.support.uplink_memory import MemoryLog, MemoryObjects
from tests.support.uplink_pair import CosigningHub, DialingPost, HubEndpoint, hub_keys

from longwatch.model.uplink import Class
from longwatch.replication import Policy
from longwatch.trust import enrolment_of

WALL_US = 1_767_225_600_000_000


def say(**what: Any) -> None:
    print(json.dumps({"at": time.monotonic(), **what}), flush=True)


class TellingHub(CosigningHub):
    """Says what it has."""

    def take_head(self, post: str, number: int, note: str, key: bytes) -> Any:
        found = super().take_head(post, number, note, key)
        say(what="head", size=getattr(found, "size", None), refused=getattr(found, "what", None))
        return found

    def finish_object(self, info: Any) -> Any:
        fresh = info.sha256 not in self.objects
        found = super().finish_object(info)
        if fresh and info.sha256 in self.objects:
            say(what="object", sha256=info.sha256.hex(), size=info.size, again=self.bytes_again)
        return found


async def hub(folder: Path, address: str) -> None:
    host, port = address.split(":")
    authority = hub_keys(folder)
    endpoint = HubEndpoint(authority, TellingHub(authority))
    await endpoint.start(host, int(port))
    say(what="ready")
    await asyncio.Event().wait()


async def post(folder: Path, _address: str) -> None:
    log, media = MemoryLog(), MemoryObjects()
    log.write("log_begun", WALL_US)
    log.publish()
    policy = Policy(**json.loads(os.environ.get("LINK_POLICY", "{}")))
    dialing = DialingPost(folder, enrolment_of(folder), log, policy)
    for kind in ("piece", "picture", "strip"):
        dialing.uplink.sources[kind] = media
    dialing.uplink.on_connect(lambda _welcome: say(what="connected"))
    dialing.start()
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    say(what="ready")
    order = 0
    while line := (await reader.readline()).decode().split():
        if line[0] in ("alarm", "seal"):
            write(log, line[0])
            say(what=line[0], size=log.head.size)
        elif line[0] == "object":
            for _ in range(int(line[3])):
                order += 1
                info = media.put(os.urandom(int(line[2])), "piece")
                dialing.uplink.queue_add(info, Class[line[1].upper()], order)
                say(what="put", sha256=info.sha256.hex())
        elif line[0] == "state":
            state = asdict(dialing.uplink.state())
            state.pop("waiting")
            say(what="state", rtt_us=dialing.uplink.round_trip_us, connections=dialing.uplink.connections, **state)
    await dialing.stop()


def write(log: MemoryLog, what: str) -> None:
    now_us = WALL_US + time.monotonic_ns() // 1000
    if what == "alarm":
        log.write(
            "alarm_raised",
            now_us,
            alarm=1,
            kind="camera_silent",
            camera="gate",
            cause="camera_unreachable",
            evidence={},
            since_us=now_us,
        )
    else:
        log.write(
            "segment_sealed", now_us, boot="5b0c6a52-0a3c-4f0e-9a36-0d3a6e1b6c11", camera="gate", closing=os.urandom(32).hex(), damaged=False,
            durable_bytes=2_345_678, fragments=60, provenance="ntp", recovered=False, root=os.urandom(32).hex(), run=4, sequence=len(log.written),
            stream="main", wall_end_us=now_us + 60_000_000, wall_start_us=now_us,
        )  # fmt: skip
    log.publish()


if __name__ == "__main__":
    uvloop.run({"hub": hub, "post": post}[sys.argv[1]](Path(sys.argv[2]), sys.argv[3]))
