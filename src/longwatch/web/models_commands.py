"""Bodies and answers of the routes of commands, at a hub."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field

from longwatch.web.model import Model
from longwatch.web.models import Moment


class Give(Model):
    """settings_read: the post tells the text of its settings, passwords as stand-ins. settings_save: `text` with the `revision` that was read there, and
    a reason.
    """

    model_config = ConfigDict(extra="forbid")
    kind: Literal["settings_read", "settings_save"]
    text: str | None = Field(default=None, max_length=200_000)
    revision: str | None = Field(default=None, max_length=80)
    reason: str = Field(default="", max_length=500)


class CheckAfar(Model):
    """A text as the editor has it. revision: of what was read at the post, which it is compared with."""

    model_config = ConfigDict(extra="forbid")
    text: str = Field(max_length=200_000)
    revision: str = Field(max_length=80)


class Command(Model):
    """kind: settings_read, settings_save or alarm_acknowledge. state: waiting (for the post), sent (the post was told), trial (applied there, until the hub
    was reached after it), done (of settings: they stay), refused, returned (the post put its old settings back), withdrawing, withdrawn, expired.
    expires: until when it waits. trial_until: of one on trial. difference: of a text. answer: what the post said; of settings_read `text`, `revision`,
    `read_only`.
    """

    id: int
    post: str
    kind: str
    by: str
    reason: str
    state: str
    given: Moment
    changed: Moment
    expires: Moment
    trial_until: Moment | None
    difference: str | None
    answer: dict[str, Any]


class Commands(Model):
    """The newest first."""

    items: list[Command]
    next: str | None


class SettingsForm(Model):
    """What an editor of a post's settings offers: their JSON Schema."""

    data_schema: dict[str, Any] = Field(alias="schema")
