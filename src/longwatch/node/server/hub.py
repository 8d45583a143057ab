"""What a server has beside all else when its settings are a hub's. A post's server never imports it: the fleet's tables, its two databases, the
broker, the object store and the doors are a third of what a hub imports.
"""

from __future__ import annotations

from longwatch.node.hub.above import TellingAbove
from longwatch.node.hub.fleet_log import FleetLog
from longwatch.node.hub.media import HubMedia
from longwatch.node.hub.part import HubPart, open_hub
from longwatch.node.hub.through import told_above

__all__ = ["FleetLog", "HubMedia", "HubPart", "TellingAbove", "open_hub", "told_above"]
