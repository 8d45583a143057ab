"""What the recorder is told of the surroundings: a part of the resolved settings, decoded into the room's own options."""

from __future__ import annotations

from typing import Any

from longwatch.ingest import CameraUrl
from longwatch.surroundings import HttpAddress, Meter, Options, Place, Relay, Snmp, SwitchPort, Ups


def decode(resolved: dict[str, Any]) -> Options:
    """Raises KeyError, TypeError or ValueError where the JSON is not what this version knows."""
    ups = resolved.get("ups")
    return Options(
        places=tuple(_place(camera) for camera in resolved["cameras"]),
        switches={
            str(name): None if snmp is None else Snmp(**snmp) for name, snmp in resolved.get("switches", {}).items()
        },
        ups=None if ups is None else Ups(**ups),
    )


def _place(camera: dict[str, Any]) -> Place:
    url = CameraUrl.parse(str(camera["streams"]["main"]))
    port, relay, meter = camera.get("port"), camera.get("relay"), camera.get("meter")
    return Place(
        camera=str(camera["id"]),
        host=url.host,
        port=url.port,
        behind=str(camera.get("behind") or ""),
        switch_port=None if port is None else SwitchPort(**port),
        relay=None if relay is None else Relay(HttpAddress(**relay["address"]), str(relay["field"]), relay["on"]),
        meter=None
        if meter is None
        else Meter(HttpAddress(**meter["address"]), str(meter["field"]), float(meter["watts_above"])),
    )
