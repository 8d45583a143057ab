"""The supervisor (`python -m longwatch.node.supervisor`, by `longwatch run`): it starts recorder and server, starts again what ends, and nothing more.

Of the standard library alone, as what it imports of `upgrade` is. `process` holds the children and their back-off; `release` says from which environment
they are started, and owns `upgrade.json` beside the server that switches (`upgrade.upgrading`).
"""
