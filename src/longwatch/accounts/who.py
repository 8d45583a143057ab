"""Of whom an entry speaks: the number that stands in the ledger, and the words that may be erased.

The number (subject) is unique for ever over users and tokens of one post. 0 is the command line of the post, 1 is somebody who
did not sign in, 2 whoever acts through a hub (the hub knows who it is), 3 whoever acts through the MQTT broker, 4 whoever reads
pictures that a message brought; accounts begin at 10. Names, addresses and programs go into `person` of a request to the recorder, which keeps
them beside the ledger; the ledger itself gets the number and a commitment.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from longwatch.base import process
from longwatch.base.secrets import scrub
from longwatch.ledger import canonical

POST, STRANGER, AT_A_HUB, AT_A_BROKER, BY_MESSAGE, FIRST_ACCOUNT = 0, 1, 2, 3, 4, 10
MOST_NAME, MOST_ADDRESS, MOST_AGENT, MOST_REASON = 80, 60, 160, 500
_LOOKED_AT = 8_000  # characters; a header or a reason may be longer


def clean(text: str, most: int) -> str:
    """One line of at most `most` characters: known secrets masked, what does not print as a blank, lone surrogates gone."""
    plain = text[:_LOOKED_AT].encode("utf-8", "replace").decode("utf-8")
    plain = "".join(letter if letter.isprintable() else " " for letter in scrub(plain))
    return scrub(unicodedata.normalize("NFC", " ".join(plain.split())))[
        :most
    ]  # again: what was put together may be one


@dataclass(frozen=True, slots=True)
class Who:
    """Somebody who does something. user or token: the account's name; address, agent: where the request came from."""

    subject: int
    user: str = ""
    token: str = ""
    address: str = ""
    agent: str = ""

    def text(self, reason: str = "") -> str:
        """Canonical JSON of what may be erased later; what is empty is left out."""
        said = {
            "user": clean(self.user, MOST_NAME),
            "token": clean(self.token, MOST_NAME),
            "address": clean(self.address, MOST_ADDRESS),
            "agent": clean(self.agent, MOST_AGENT),
            "reason": clean(reason, MOST_REASON),
        }
        return canonical({name: value for name, value in said.items() if value}).decode()

    def person(self, reason: str = "") -> dict[str, object]:
        """`person` of a request to the recorder."""
        return {"subject": self.subject, "text": self.text(reason)}


def at_the_post() -> Who:
    """Whoever types at the command line of the post: the user of the operating system, and before `sudo`."""
    return Who(POST, user=process.who_types())
