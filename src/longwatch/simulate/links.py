"""`python -m longwatch.simulate.links`: several links and the page that switches them, in one process.

One line of JSON comes in on standard input: {"listen": [host, port], "links": [{"name", "title", "to": [host, port], "state"}]}. One
line goes out: {"switch": "HOST:PORT", "links": {name: "HOST:PORT"}}. It ends by SIGTERM, or when standard input ends.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from longwatch.simulate.__main__ import first_line
from longwatch.simulate.link_switch import STATES, LinkSwitch
from longwatch.simulate.serving import serve
from longwatch.simulate.thin_link import SimulatedLink


def main() -> None:
    """Serve what the first line asks for."""
    wanted: dict[str, Any] = json.loads(first_line())
    links = {
        each["name"]: (
            each["title"],
            SimulatedLink((each["to"][0], each["to"][1]), conditions=STATES[each.get("state", "open")][1]),
        )
        for each in wanted["links"]
    }
    host, port = wanted["listen"]
    switch = LinkSwitch(links, host=host, port=port)

    def ready() -> None:
        told = {"switch": switch.address, "links": {name: link.address for name, (_, link) in links.items()}}
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()

    serve([*(link for _, link in links.values()), switch], ready, until_end_of=0)


if __name__ == "__main__":
    main()
