"""What stands under which topic. docs/ref/mqtt.md is the reference; a test holds it to this. Pure.

Everything lies below `PREFIX/POST`. A camera's id is a level; at a hub, where ids have a dot in them, each part is one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from longwatch.base.rfc3339 import format_us
from longwatch.model.events import Event, EventChange, group_of

ON, OFF = "ON", "OFF"
ONLINE, OFFLINE = "online", "offline"


@dataclass(frozen=True, slots=True)
class CameraFacts:
    """A camera as it is now. connected: bytes of it arrive; recording: they become durable; state: `recording`, or why not. paused: by a person.

    record: the switch: nobody paused it, and the settings want it. may_pause: it is a camera of this post.
    """

    id: str
    name: str
    kind: str = "visible"
    recording: bool = False
    connected: bool = False
    record: bool = True
    state: str = ""
    behind_s: float | None = None
    may_pause: bool = True


@dataclass(frozen=True, slots=True)
class PostFacts:
    """The post, or hub, as it is now. mains: None where nothing tells."""

    id: str
    name: str
    version: str = ""
    address: str = ""
    ready: bool = False
    problems: int = 0
    alarms: int = 0
    mains: bool | None = None
    cameras: tuple[CameraFacts, ...] = ()


class Seen:
    """Which events are open at which camera, and the last of each. Bounded: so many open ones a camera, the oldest forgotten."""

    MOST = 100

    def __init__(self) -> None:
        self._open: dict[str, dict[str, Event]] = {}
        self.last: dict[str, Event] = {}

    def take(self, change: EventChange) -> None:
        """One step of one event."""
        event = change.event
        there = self._open.setdefault(event.camera, {})
        there.pop(event.id, None)
        if event.to_us is None and change.phase != "end":
            there[event.id] = event
            if len(there) > self.MOST:
                del there[next(iter(there))]
        before = self.last.get(event.camera)
        if before is None or event.from_us >= before.from_us:
            self.last[event.camera] = event

    def moves(self, camera: str) -> bool:
        """Something moves, or was recognised."""
        return any(group_of(event.kind) in {"motion", "object"} for event in self._open.get(camera, {}).values())

    def blind(self, camera: str) -> bool:
        """It is recorded, and sees nothing."""
        return any(group_of(event.kind) == "tamper" for event in self._open.get(camera, {}).values())


def base(prefix: str, post: str) -> str:
    """Under which all else lies."""
    return f"{prefix}/{post}"


def of_camera(prefix: str, post: str, camera: str) -> str:
    """Under which a camera's topics lie; a hub's own name is not said twice."""
    return f"{prefix}/{post}/{camera.replace('.', '/')}"


def available(prefix: str, post: str) -> str:
    """`online`, or the broker's word that we are gone."""
    return f"{prefix}/{post}/available"


def retained(prefix: str, facts: PostFacts, seen: Seen) -> dict[str, str]:
    """Every retained topic but pictures and availability, with what stands there now."""
    told = {
        f"{base(prefix, facts.id)}/state": _json(
            {
                "name": facts.name, "version": facts.version, "ready": facts.ready, "problems": facts.problems, "alarms": facts.alarms,
                "cameras": len(facts.cameras),
            }
        ),
        f"{base(prefix, facts.id)}/problem/state": OFF if facts.ready else ON,
        f"{base(prefix, facts.id)}/alarms/state": str(facts.alarms),
    }  # fmt: skip
    if facts.mains is not None:
        told[f"{base(prefix, facts.id)}/mains/state"] = ON if facts.mains else OFF
    for camera in facts.cameras:
        told |= _camera(of_camera(prefix, facts.id, camera.id), camera, seen)
    return told


def _camera(under: str, camera: CameraFacts, seen: Seen) -> dict[str, str]:
    last = seen.last.get(camera.id)
    return {
        f"{under}/state": _json(
            {"name": camera.name, "kind": camera.kind, "state": camera.state, "recording": camera.recording, "behind_s": camera.behind_s}
        ),
        f"{under}/connectivity/state": ON if camera.connected else OFF,
        f"{under}/recording/state": ON if camera.recording else OFF,
        f"{under}/record/state": ON if camera.record else OFF,
        f"{under}/motion/state": ON if seen.moves(camera.id) else OFF,
        f"{under}/blind/state": ON if seen.blind(camera.id) else OFF,
        f"{under}/cause/state": camera.state,
        f"{under}/event/state": "" if last is None else last.kind,
        f"{under}/event/attributes": _json({} if last is None else _event(last)),
    }  # fmt: skip


def event(change: EventChange, address: str = "", link: str = "") -> str:
    """What goes to `PREFIX/POST/events`: not retained; `type` is new, update or end, `id` the same over all of them. address: of the console; link: behind its
    `#/`.
    """
    at = f"{address}/api/v1/events/{change.event.id}"
    places = {"link": f"{address}/#/{link}", "picture": f"{at}/picture.jpg", "clip": f"{at}/clip.mp4"}
    known = places if address else dict.fromkeys(places, "")
    return _json({"type": str(change.phase), **_event(change.event), **known})


def _event(event: Event) -> dict[str, Any]:
    return {
        "id": event.id, "camera": event.camera, "kind": event.kind, "from": format_us(event.from_us),
        "to": None if event.to_us is None else format_us(event.to_us), "score": round(event.score, 3), "zones": list(event.zones),
        "count": event.count, "detail": event.detail,
    }  # fmt: skip


def switched(
    prefix: str, post: str, topic: str, payload: str, cameras: Sequence[CameraFacts]
) -> tuple[str, bool] | None:
    """Which camera somebody wants recorded, or not; None for a topic or word that is none of ours."""
    word = payload.strip().upper()
    for camera in cameras:
        if camera.may_pause and topic == f"{of_camera(prefix, post, camera.id)}/record/set" and word in {ON, OFF}:
            return camera.id, word == ON
    return None


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
