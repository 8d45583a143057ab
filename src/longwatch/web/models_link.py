"""The answer of the route of a post's own link to its hub. What is null is not known."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from longwatch.web.model import Model
from longwatch.web.models import Moment
from longwatch.web.models_posts import Backlog, BudgetUse, LinkUse, Waits


class OwnHub(Model):
    """The hub that was joined. fingerprint: SHA-256 of its CA certificate, in hex."""

    id: str
    name: str
    address: str
    fingerprint: str


class LinkWindow(Model):
    """When bulk may go, in local time."""

    model_config = ConfigDict(populate_by_name=True)
    days: str
    from_: str = Field(alias="from")
    to: str


class OwnLink(Model):
    """state: connected; silent: it was in touch, or tries to be; revoked: the hub lets this site in no more; never. detail: what went wrong last, for
    people. countersigned: entries of the ledger up to which the hub has countersigned. metered: no strips and no bulk go.
    """

    joined: bool
    hub: OwnHub | None
    post: str | None
    state: Literal["connected", "silent", "revoked", "never"]
    detail: str
    since: Moment | None
    last_contact: Moment | None
    backlog: Backlog
    link: LinkUse
    budget: list[BudgetUse]
    waits: Waits | None
    windows: list[LinkWindow]
    metered: bool
    countersigned: int | None
