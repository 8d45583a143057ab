"""What the recorder knows of the world around its cameras, as `status` tells it (docs/design/socket.md), and its gauges."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from prometheus_client.core import GaugeMetricFamily, Metric


@dataclass(frozen=True, slots=True)
class CameraAround:
    """Of one camera, in the words of `model.surroundings`: address answers, silent or unknown; power and link on, off or unknown."""

    camera: str
    address: str = "unknown"
    port_power: str = "unknown"
    port_link: str = "unknown"


@dataclass(frozen=True, slots=True)
class Around:
    """All of it. mains: None where there is no UPS in the settings. devices: name, and whether it answers."""

    mains: str | None = None
    battery_percent: int | None = None
    runtime_s: int | None = None
    devices: tuple[tuple[str, bool], ...] = ()
    cameras: tuple[CameraAround, ...] = ()

    @staticmethod
    def read(answer: Any) -> Around:
        """`surroundings` of the recorder's answer; an older recorder sends none."""
        if not isinstance(answer, dict):
            return Around()
        mains = answer.get("mains") or {}
        return Around(
            mains.get("mains"),
            mains.get("battery_percent"),
            mains.get("runtime_s"),
            tuple((str(item["by"]), bool(item["answers"])) for item in answer.get("devices", [])),
            tuple(
                CameraAround(
                    str(item["camera"]),
                    str(item.get("address")),
                    str(item.get("port_power")),
                    str(item.get("port_link")),
                )
                for item in answer.get("cameras", [])
            ),
        )

    def only(self, cameras: frozenset[str]) -> Around:
        """What somebody may know who may see only these cameras."""
        return replace(self, devices=(), cameras=tuple(item for item in self.cameras if item.camera in cameras))


_STATES = {"answers": 1, "on": 1, "silent": 0, "off": 0}


def gauges(around: Around) -> list[Metric]:
    """Each is there only where it is known: a missing gauge is `unknown`."""
    families: list[Metric] = []
    if around.mains in _STATES:
        families.append(GaugeMetricFamily("longwatch_mains", "1 while the post has mains", _STATES[around.mains]))
    for name, text, value in (
        ("longwatch_ups_battery_percent", "Charge of the UPS", around.battery_percent),
        ("longwatch_ups_runtime_seconds", "What the UPS believes it lasts", around.runtime_s),
    ):
        if value is not None:
            families.append(GaugeMetricFamily(name, text, value))
    device = GaugeMetricFamily("longwatch_device_answers", "1 while the device answers", labels=["device"])
    for by, answers in around.devices:
        device.add_metric([by], int(answers))
    address = GaugeMetricFamily("longwatch_address_answers", "1 while the camera's address answers", labels=["camera"])
    power = GaugeMetricFamily("longwatch_port_power", "1 while what feeds the camera gives power", labels=["camera"])
    link = GaugeMetricFamily("longwatch_port_link", "1 while the camera's switch port has a link", labels=["camera"])
    for item in around.cameras:
        for family, state in ((address, item.address), (power, item.port_power), (link, item.port_link)):
            if state in _STATES:
                family.add_metric([item.camera], _STATES[state])
    return [*families, device, address, power, link]
