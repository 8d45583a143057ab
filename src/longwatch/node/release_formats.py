"""`python -m longwatch.node.release_formats`, as whoever packs a wheel asks it (`upgrade.packing`), of whichever release: the name stays."""

import json

from longwatch.node.upgrade.formats import formats

if __name__ == "__main__":
    print(json.dumps(formats()))  # noqa: T201 - the child's answer
