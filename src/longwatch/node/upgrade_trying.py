"""`python -m longwatch.node.upgrade_trying CONFIG COPIES`, as the release before calls `upgrade.trying`: the name stays."""

import os
import sys

from longwatch.node.upgrade.trying import main

if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main(sys.argv[1:]))
