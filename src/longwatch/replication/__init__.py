"""The uplink: what goes next over a thin link, and both of its ends. docs/design/uplink.md, docs/ref/uplink.md.

`post_end` and `hub_end` are protocol cores without I/O of their own: frames in, frames out, time as a parameter, so that a week of
cuts runs in a second. `planner` decides what may go (pure); `queue` holds what waits, `outbox` keeps it in `server.db`; `budget` counts bytes.
`pacing` tells from the kernel's numbers when the next frame may be handed over. `serving` is the hub's end of one WebSocket.
Nothing counts as safe at a hub but what its database confirmed.
"""

from longwatch.replication.hub_end import HubEnd
from longwatch.replication.planner import Decision, Policy, Spent, Window, decide
from longwatch.replication.post_end import Now, PostEnd
from longwatch.replication.queue import Item, Queue

__all__ = ["Decision", "HubEnd", "Item", "Now", "Policy", "PostEnd", "Queue", "Spent", "Window", "decide"]
