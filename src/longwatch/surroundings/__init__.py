"""What the post knows of the world around its cameras: who answers on the wire, what switch, relay and meter say, the mains.

Comes in: where each camera stands and whom to ask (`Options`), and which cameras deliver. Goes out: `model.surroundings` values
at any moment (`Watch` is a SurroundingsSource), entries of what changed, issues of devices that are dead. Asked at intervals, kept
with the time it was learnt. It decides nothing: `causes` does. It sends nothing to any address but the cameras' own and those of
the devices in the settings. docs/design/surroundings.md.
"""

from longwatch.surroundings.options import HttpAddress, Meter, Options, Place, Relay, Snmp, SwitchPort, Ups
from longwatch.surroundings.watch import Watch

__all__ = ["HttpAddress", "Meter", "Options", "Place", "Relay", "Snmp", "SwitchPort", "Ups", "Watch"]
