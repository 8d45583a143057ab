"""`python -m longwatch.node.upgrade_back DATA`, as the supervisor of another release calls `upgrade.back`: the name stays."""

import os
import sys

from longwatch.node.upgrade.back import main

if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main(sys.argv[1:]))
