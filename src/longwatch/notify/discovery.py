"""Home Assistant's MQTT discovery: one retained message for each entity, at `PREFIX/COMPONENT/NODE/OBJECT/config`. Pure.

After https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery and the platforms `camera`, `binary_sensor`, `switch` and `sensor`; the
tests hold the payloads against a transcription of their schemas.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from longwatch.notify import mqtt_topics as topics
from longwatch.notify.mqtt_topics import CameraFacts, PostFacts

_ORIGIN = "Longwatch"


def messages(prefix: str, discovery: str, facts: PostFacts, *, commands: bool, pictures: bool) -> dict[str, str]:
    """Payload by topic, for the post and all its cameras."""
    made = _post(prefix, facts)
    for camera in facts.cameras:
        made |= _camera(prefix, facts, camera, commands=commands and camera.may_pause, pictures=pictures)
    node = f"longwatch_{facts.id}"
    origin: dict[str, Any] = {"name": _ORIGIN} | ({"sw_version": facts.version} if facts.version else {})
    return {
        f"{discovery}/{component}/{node}/{name}/config": json.dumps(
            {
                "unique_id": f"{node}_{name}", "default_entity_id": f"{component}.{node}_{name}".replace("-", "_"),
                "availability_topic": topics.available(prefix, facts.id), "payload_available": topics.ONLINE,
                "payload_not_available": topics.OFFLINE, "origin": origin, **what,
            },
            ensure_ascii=False, separators=(",", ":"),
        )
        for (component, name), what in made.items()
    }  # fmt: skip


_Made = dict[tuple[str, str], dict[str, Any]]


def _post(prefix: str, facts: PostFacts) -> _Made:
    under, device = topics.base(prefix, facts.id), _post_device(facts)
    made: _Made = {
        ("binary_sensor", "problem"): {
            "name": "Not recording as planned", "device_class": "problem", "state_topic": f"{under}/problem/state",
            "json_attributes_topic": f"{under}/state",
        },
        ("sensor", "alarms"): {
            "name": "Alarms", "state_topic": f"{under}/alarms/state", "icon": "mdi:bell-alert", "state_class": "measurement",
        },
    }  # fmt: skip
    if facts.mains is not None:
        made["binary_sensor", "mains"] = {
            "name": "Mains", "device_class": "power", "state_topic": f"{under}/mains/state",
        }  # fmt: skip
    return {key: what | {"device": device} for key, what in made.items()}


def _camera(prefix: str, facts: PostFacts, camera: CameraFacts, *, commands: bool, pictures: bool) -> _Made:
    under, name = topics.of_camera(prefix, facts.id, camera.id), camera.id.replace(".", "_")
    made: _Made = {
        ("binary_sensor", f"{name}_motion"): {
            "name": "Motion", "device_class": "motion", "state_topic": f"{under}/motion/state",
        },
        ("binary_sensor", f"{name}_connectivity"): {
            "name": "Connectivity", "device_class": "connectivity", "state_topic": f"{under}/connectivity/state",
            "entity_category": "diagnostic",
        },
        ("binary_sensor", f"{name}_recording"): {
            "name": "Recording", "device_class": "running", "state_topic": f"{under}/recording/state",
            "json_attributes_topic": f"{under}/state",
        },
        ("binary_sensor", f"{name}_blind"): {
            "name": "View hidden", "device_class": "tamper", "state_topic": f"{under}/blind/state",
        },
        ("sensor", f"{name}_event"): {
            "name": "Last event", "state_topic": f"{under}/event/state", "json_attributes_topic": f"{under}/event/attributes",
            "icon": "mdi:motion-sensor",
        },
        ("sensor", f"{name}_cause"): {
            "name": "State", "state_topic": f"{under}/cause/state", "entity_category": "diagnostic", "icon": "mdi:cctv",
        },
    }  # fmt: skip
    if pictures:
        made["camera", f"{name}_picture"] = {"name": "Last event", "topic": f"{under}/picture"}
    if commands:
        made["switch", f"{name}_record"] = {
            "name": "Record", "state_topic": f"{under}/record/state", "command_topic": f"{under}/record/set",
            "payload_on": topics.ON, "payload_off": topics.OFF, "icon": "mdi:record-rec",
        }  # fmt: skip
    device = {
        "identifiers": [f"longwatch_{facts.id}_{name}"], "name": camera.name, "manufacturer": _ORIGIN,
        "model": "Thermal camera" if camera.kind == "thermal" else "Camera", "via_device": f"longwatch_{facts.id}",
    } | _address(facts, f"camera/{camera.id}")  # fmt: skip
    return {key: what | {"device": device} for key, what in made.items()}


def _post_device(facts: PostFacts) -> Mapping[str, Any]:
    version = {"sw_version": facts.version} if facts.version else {}
    return {
        "identifiers": [f"longwatch_{facts.id}"], "name": facts.name, "manufacturer": _ORIGIN, "model": "Post",
    } | version | _address(facts, "health")  # fmt: skip


def _address(facts: PostFacts, path: str) -> dict[str, str]:
    return {"configuration_url": f"{facts.address}/#/{path}"} if facts.address else {}
