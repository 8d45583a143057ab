"""`python -m tests.support.swift_rings FOLDER PORTS`: Swift's rings of devices. A process of its own: to import Swift takes eventlet along, whose `http.server` waits for locks that
nobody in a process without its loop ever gives back.

PORTS: JSON, {kind: [a port for each device]}. Writes FOLDER/KIND.ring.gz.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from swift.common.ring import RingBuilder


def main(folder: Path, ports: dict[str, list[int]]) -> None:
    """All kinds."""
    for kind, of_kind in ports.items():
        builder = RingBuilder(4, len(of_kind), 0)
        for n, port in enumerate(of_kind):
            builder.add_dev(
                {"region": 1, "zone": n + 1, "ip": "127.0.0.1", "port": port, "replication_ip": "127.0.0.1", "replication_port": port,
                 "device": "disk", "weight": 1.0, "meta": ""}
            )  # fmt: skip
        builder.rebalance(seed="a")
        builder.get_ring().save(str(folder / f"{kind}.ring.gz"))


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
