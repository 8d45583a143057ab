"""What Home Assistant takes as a discovery payload, transcribed from its sources, release 2025.1 (Apache-2.0).

From homeassistant/components/mqtt: `schemas.py` (MQTT_ENTITY_COMMON_SCHEMA, MQTT_AVAILABILITY_*, MQTT_ENTITY_DEVICE_INFO_SCHEMA,
MQTT_ORIGIN_INFO_SCHEMA), `config.py` (MQTT_BASE_SCHEMA), `binary_sensor.py`, `sensor.py`, `switch.py`, `camera.py` (each PLATFORM_SCHEMA_MODERN),
`util.py` (valid_topic, valid_subscribe_topic, valid_publish_topic), `discovery.py` (TOPIC_MATCHER); device classes from
homeassistant/components/{binary_sensor,sensor,switch}. `default_entity_id` came with 2025.10 and stands beside the older `object_id`.
Held against the sources of 2025.1.4, schema by schema. They drop keys that they do not know (DISCOVERY_SCHEMA, `extra=vol.REMOVE_EXTRA`): here such a key is
refused, since nothing would come of it. Templates are not used by us, and not taken here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

TOPIC = re.compile(
    r"^(?P<prefix>.+?)/(?P<component>\w+)/(?:(?P<node_id>[a-zA-Z0-9_-]+)/)?(?P<object_id>[a-zA-Z0-9_-]+)/config$"
)
Check = Callable[[Any], bool]


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _publish_topic(value: Any) -> bool:
    """valid_publish_topic: 1 to 65,535 bytes of UTF-8, no wildcard, no control character."""
    return isinstance(value, str) and 0 < len(value.encode()) <= 65_535 and not re.search(r"[+#\x00-\x1f\x7f]", value)


def _subscribe_topic(value: Any) -> bool:
    """valid_subscribe_topic, without wildcards, which we have no use for."""
    return _publish_topic(value)


def _url(value: Any) -> bool:
    """cv.configuration_url."""
    return isinstance(value, str) and bool(re.match(r"(https?|homeassistant)://[^\s/]+", value))


def _one_of(*known: str) -> Check:
    return lambda value: value in known


def _icon(value: Any) -> bool:
    """cv.icon: `prefix:name`."""
    return isinstance(value, str) and bool(re.fullmatch(r"[\w-]+:[\w-]+", value))


def _entity_id(value: Any) -> bool:
    """valid_entity_id of homeassistant/core.py."""
    return isinstance(value, str) and bool(re.fullmatch(r"(?!.+__)(?!_)[\da-z_]+(?<!_)\.(?!_)[\da-z_]+(?<!_)", value))


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _qos(value: Any) -> bool:
    return value in (0, 1, 2)


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_text, value))


_DEVICE: Mapping[str, Check] = {
    "identifiers": _texts, "connections": lambda value: isinstance(value, list), "manufacturer": _text, "model": _text, "model_id": _text,
    "name": _text, "hw_version": _text, "serial_number": _text, "sw_version": _text, "via_device": _text, "suggested_area": _text,
    "configuration_url": _url,
}  # fmt: skip
_ORIGIN: Mapping[str, Check] = {"name": _text, "sw_version": _text, "support_url": _url}


def _device(value: Any) -> bool:
    """validate_device_has_at_least_one_identifier."""
    return _holds(value, _DEVICE, ()) and bool(value.get("identifiers") or value.get("connections"))


def _origin(value: Any) -> bool:
    return _holds(value, _ORIGIN, ("name",))


_COMMON: Mapping[str, Check] = {
    "unique_id": _text, "object_id": _text, "default_entity_id": _entity_id, "name": lambda value: value is None or _text(value), "icon": _icon,
    "device": _device, "origin": _origin, "entity_category": _one_of("config", "diagnostic"), "enabled_by_default": _flag,
    "json_attributes_topic": _subscribe_topic, "availability_topic": _subscribe_topic, "payload_available": _text,
    "payload_not_available": _text, "entity_picture": _url, "qos": _qos, "encoding": _text,
}  # fmt: skip
_BINARY_CLASSES = _one_of(
    "battery", "battery_charging", "carbon_monoxide", "cold", "connectivity", "door", "garage_door", "gas", "heat", "light", "lock",
    "moisture", "motion", "moving", "occupancy", "opening", "plug", "power", "presence", "problem", "running", "safety", "smoke", "sound",
    "tamper", "update", "vibration", "window",
)  # fmt: skip
_PLATFORMS: Mapping[str, tuple[Mapping[str, Check], tuple[str, ...]]] = {
    "binary_sensor": (
        {
            "state_topic": _subscribe_topic, "device_class": _BINARY_CLASSES, "expire_after": _whole, "force_update": _flag, "off_delay": _whole,
            "payload_on": _text, "payload_off": _text,
        },
        ("state_topic",),
    ),
    "sensor": (
        {
            "state_topic": _subscribe_topic, "expire_after": _whole, "force_update": _flag, "unit_of_measurement": _text,
            "state_class": _one_of("measurement", "total", "total_increasing"), "suggested_display_precision": _whole,
            "device_class": _one_of("duration", "data_size", "timestamp", "enum"),
        },
        ("state_topic",),
    ),
    "switch": (
        {
            "command_topic": _publish_topic, "state_topic": _subscribe_topic, "payload_on": _text, "payload_off": _text, "state_on": _text,
            "state_off": _text, "optimistic": _flag, "retain": _flag, "device_class": _one_of("outlet", "switch"),
        },
        ("command_topic",),
    ),
    "camera": ({"topic": _subscribe_topic, "image_encoding": _one_of("b64")}, ("topic",)),
}  # fmt: skip


def _holds(value: Any, checks: Mapping[str, Check], needed: tuple[str, ...]) -> bool:
    return (
        isinstance(value, dict)
        and all(key in checks and checks[key](what) for key, what in value.items())
        and all(key in value for key in needed)
    )


def refused(topic: str, payload: Mapping[str, Any]) -> str:
    """Why Home Assistant would not take it; "" where it does."""
    place = TOPIC.match(topic)
    if place is None:
        return f"{topic} is no discovery topic"
    if place["component"] not in _PLATFORMS:
        return f"{place['component']} is not transcribed here"
    own, needed = _PLATFORMS[place["component"]]
    checks = {**_COMMON, **own}
    for key, value in payload.items():
        if key not in checks:
            return f"extra keys not allowed: {key}"
        if not checks[key](value):
            return f"{key}: {value!r}"
    missing = [key for key in needed if key not in payload]
    if missing:
        return f"required key not provided: {missing[0]}"
    if "device" in payload and "unique_id" not in payload:
        return "a device needs a unique_id"
    return ""
