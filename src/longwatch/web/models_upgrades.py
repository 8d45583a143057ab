"""Bodies and answers of the routes of upgrades, at a hub."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from longwatch.web.model import Model
from longwatch.web.models import Moment

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
PostName = Annotated[str, Field(max_length=40, pattern="^[a-z0-9-]+$")]


class Release(Model):
    """A bundle that this hub was given. sha256, size: of the file. wheels: how many it carries; needs: how many distributions have to be at a post already.
    signers: ids of the keys that its note names; the hub verifies none of them, each post does.
    """

    sha256: str
    version: str
    size: int
    wheels: int
    needs: int
    signers: list[str]
    by: str
    added: Moment


class Stage(Model):
    """Where a post is with it. stage: queued (after the first kept it), waiting (it is off), told, travelling, verifying, installing, trying, switching, trial, kept,
    returned, refused, withdrawn, expired, skipped. bytes: of one that travels, that it has. command: as in /api/v1/posts/{id}/commands.
    """

    post: str
    stage: str
    why: str
    bytes: int | None
    command: int | None
    changed: Moment | None


class Rollout(Model):
    """A release over posts, in this order: the first tries it for all. state: running, done, stopping, stopped; why: it stopped."""

    id: int
    sha256: str
    version: str
    state: str
    why: str
    by: str
    reason: str
    ordered: Moment
    changed: Moment
    posts: list[Stage]


class Upgrades(Model):
    """releases: those that can be sent; rollouts: the newest fifty. Each the newest first."""

    releases: list[Release]
    rollouts: list[Rollout]


class Candidate(Model):
    """version: that it runs, as it said last. cannot: why this release is not sent to it: elsewhere (it takes commands of another hub), says_no, other_key, misfit
    (its Python or machine), not_newer; null where it can be. why: the same for people. The post itself judges.
    """

    id: str
    name: str
    version: str | None
    via: list[str]
    cannot: str | None
    why: str


class Candidates(Model):
    """Every post that is not revoked, by id."""

    items: list[Candidate]
    next: str | None


class Order(Model):
    """posts: the first of them tries it for all."""

    model_config = ConfigDict(extra="forbid")
    sha256: Sha256
    posts: list[PostName] = Field(min_length=1, max_length=2000)
    reason: str = Field(max_length=500)


class Reason(Model):
    """Why; kept beside the ledger."""

    model_config = ConfigDict(extra="forbid")
    reason: str = Field(max_length=500)
