"""Users, roles, sessions and bearer tokens.

State: the tables of `server.db` in the first volume, and the file `setup-code` beside it. One writer: the server process,
or a verb that holds `server.lock` while no server runs. Nothing here is kept in clear: passwords are argon2id, tokens are
SHA-256 of 256 random bits. docs/design/access.md says who may do what.
"""

from longwatch.accounts.accounts import Accounts, Options, ThrottledError
from longwatch.accounts.commands import COMMANDS
from longwatch.accounts.lock import DataLock
from longwatch.accounts.roles import Principal, Right, Role
from longwatch.accounts.signing import Grant, Signer

__all__ = [
    "COMMANDS",
    "Accounts",
    "DataLock",
    "Grant",
    "Options",
    "Principal",
    "Right",
    "Role",
    "Signer",
    "ThrottledError",
]
