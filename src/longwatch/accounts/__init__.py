"""Users, roles, sessions and bearer tokens.

State: the tables of `server.db` in the first volume, and the file `setup-code` beside it. One writer: the server process,
or a verb that holds `server.lock` while no server runs. Nothing here is kept in clear: passwords are argon2id, tokens are
SHA-256 of 256 random bits. What the ledger is to be told about people waits here too, until the recorder has it (`Journal`).
docs/design/access.md says who may do what, docs/design/people.md what is entered of whom.

Each name is imported when it is first asked for: a verb that only says who types needs no database.
"""

from typing import TYPE_CHECKING

from longwatch.base.deferred import at_first_use

if TYPE_CHECKING:
    from longwatch.accounts.accounts import Accounts, NotLetInError, Options
    from longwatch.accounts.administration import Administration, OwnAccount
    from longwatch.accounts.commands import COMMANDS
    from longwatch.accounts.erasing import erase, subject_of
    from longwatch.accounts.journal import Journal, Recorder
    from longwatch.accounts.limits import ThrottledError
    from longwatch.accounts.preferences import Preferences
    from longwatch.accounts.roles import Principal, Right, Role
    from longwatch.accounts.signing import Grant, Signer
    from longwatch.accounts.viewings import Look
    from longwatch.accounts.who import POST, STRANGER, Who, at_the_post

__all__ = [
    "COMMANDS",
    "POST",
    "STRANGER",
    "Accounts",
    "Administration",
    "Grant",
    "Journal",
    "Look",
    "NotLetInError",
    "Options",
    "OwnAccount",
    "Preferences",
    "Principal",
    "Recorder",
    "Right",
    "Role",
    "Signer",
    "ThrottledError",
    "Who",
    "at_the_post",
    "erase",
    "subject_of",
]

_AT_FIRST_USE = {
    "Accounts": "accounts",
    "Administration": "administration",
    "COMMANDS": "commands",
    "Grant": "signing",
    "Journal": "journal",
    "Look": "viewings",
    "NotLetInError": "accounts",
    "Options": "accounts",
    "OwnAccount": "administration",
    "POST": "who",
    "Preferences": "preferences",
    "Principal": "roles",
    "Recorder": "journal",
    "Right": "roles",
    "Role": "roles",
    "STRANGER": "who",
    "Signer": "signing",
    "ThrottledError": "limits",
    "Who": "who",
    "at_the_post": "who",
    "erase": "erasing",
    "subject_of": "erasing",
}


def __getattr__(name: str) -> object:
    return at_first_use(__name__, _AT_FIRST_USE, name)
