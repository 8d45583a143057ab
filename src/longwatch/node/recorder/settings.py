"""Settings that take effect: an entry first, with what changed and what that takes away. docs/design/alarms.md, "Settings".

A change that reduces accounting asks for a reason. One that comes with none (a restart with another file, SIGHUP) is applied, since a
recorder must start; its entry says so, and an alarm stands until somebody acknowledges it with a reason. Owner of what was applied
last: the row `settings_applied` of the index, written in the entry's transaction.
"""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass
from typing import Any

import structlog

from longwatch.accounting.settings_change import Change, Settings, cameras_of, change, flatten
from longwatch.archive import Archive
from longwatch.archive.ops import Entry, Person, SettingsKeep
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.ledger import kinds
from longwatch.node.recorder.acts import RecorderActs, person_with_reason
from longwatch.node.recorder.options import RecorderOptions

_SALT_BYTES = 16
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """How settings come to be applied. by: start, reload or apply. person: who asks; None where nobody is named. reasoned: whether a
    reason was given with it.
    """

    by: str = "reload"
    person: Person | None = None
    reasoned: bool = False

    @classmethod
    def of(cls, fields: dict[str, Any]) -> Asked:
        """Of a request `settings_apply`. Raises UsageError where a reason comes and nobody is named."""
        reasoned = bool(fields.get("reason"))
        named = reasoned or fields.get("person") is not None
        person = person_with_reason(fields, needed=reasoned) if named else None
        return cls("apply", person, reasoned)


RELOAD = Asked()
"""SIGHUP, or a request that names nobody."""


class RecorderSettings:
    """Owner of the settings applied last, as flat values; `acts` raises the alarm."""

    def __init__(self, archive: Archive, acts: RecorderActs) -> None:
        self._archive = archive
        self._acts = acts
        self._salt = b""
        self._applied: Settings | None = None

    async def at_start(self, options: RecorderOptions) -> None:
        """Compare with what was applied last. What cannot be written is said, and keeps nobody from recording."""
        self.read()
        if not options.resolved:
            return
        try:
            await self.apply(options, Asked("start"))
        except (
            LongwatchError,
            ValueError,
        ) as error:  # a value that has no canonical form must not keep it from recording
            _log.error("the settings of this start could not be entered", reason=str(error))

    def read(self) -> None:
        """What was applied last, as the row says; a row of another shape is as none."""
        kept = self._acts.kept.settings
        self._salt = os.urandom(_SALT_BYTES)
        try:
            said = json.loads(kept) if kept else None
            if said is not None:
                self._salt = bytes.fromhex(said["salt"]) or self._salt
                self._applied = Settings(dict(said["flat"]), dict(said["fingerprints"]))
        except (ValueError, KeyError, TypeError) as error:
            _log.error("the settings applied last cannot be read", error=str(error))

    async def apply(self, options: RecorderOptions, asked: Asked) -> dict[str, Any]:
        """The entry, durable before anything takes effect; nothing where nothing changed.

        Returns {"sha256", "reduces", "seq"}. Raises UsageError where somebody asked, it reduces accounting and no reason was given.
        """
        new = await asyncio.to_thread(flatten, options.resolved, options.secrets, self._salt)
        difference = change(self._applied or Settings({}), new)
        answer: dict[str, Any] = {"sha256": new.sha256, "reduces": list(difference.reduces), "seq": None}
        if not difference:
            return answer
        if asked.by == "apply" and difference.reduces and not asked.reasoned:
            raise UsageError(
                "these settings reduce what is accounted for, and no reason was given", why="; ".join(difference.reduces),
                remedy="give one with --reason",
            )  # fmt: skip
        answer["seq"] = await self._write(new, difference, asked)
        return answer

    async def preview(self, fields: dict[str, Any]) -> dict[str, Any]:
        """`settings_preview`: what applying these would change, and take away. Nothing is kept, and no secret becomes known."""
        resolved, secrets = fields.get("resolved"), fields.get("secrets", [])
        if not isinstance(resolved, dict) or not isinstance(secrets, list):
            raise UsageError("`settings_preview` asks for `resolved`, as the settings say it, and `secrets`")
        new = await asyncio.to_thread(flatten, resolved, [str(secret) for secret in secrets], self._salt)
        before = self._applied or Settings({})
        difference = change(before, new)
        old, cameras = cameras_of(before.flat), cameras_of(new.flat)
        return {
            "sha256": new.sha256, "reduces": list(difference.reduces), "values": difference.told(),
            "added": sorted(cameras - old), "removed": sorted(old - cameras),
            "changed": sorted(difference.cameras() & cameras & old), "interrupted": sorted(difference.interrupted() & cameras & old),
            "restart_needed": difference.at_next_start(),
        }  # fmt: skip

    async def _write(self, new: Settings, difference: Change, asked: Asked) -> int:
        without = bool(difference.reduces) and not asked.reasoned
        entries = self._entries(new, difference, asked)
        facts: dict[str, object] = {"reduces": list(difference.reduces), "by": asked.by, "settings": new.sha256}
        raised = self._acts.reduced(f"settings {new.sha256[:12]}", facts) if without else []
        kept = json.dumps({"flat": new.flat, "fingerprints": new.fingerprints, "salt": self._salt.hex()})
        try:
            seq = await self._archive.act(SettingsKeep(entries, kept, tuple(raised)))
        except BaseException:
            self._acts.take_back(raised)
            raise
        self._applied = new
        return seq

    def _entries(self, new: Settings, difference: Change, asked: Asked) -> list[Entry]:
        """One, or several where one would be too long: the first has what is taken away, and the person."""
        before = self._applied.flat if self._applied is not None else {}
        old_cameras, cameras = cameras_of(before), cameras_of(new.flat)
        touched = difference.cameras()
        reason = "given" if asked.reasoned else "none" if difference.reduces else "not_needed"
        parts = difference.parts()
        entries = []
        for n, part in enumerate(parts):
            body: dict[str, object] = {"sha256": new.sha256, "by": asked.by, "changes": part}
            if len(parts) > 1:
                body["part"] = [n + 1, len(parts)]
            if n == 0:
                body |= {
                    "added": sorted(cameras - old_cameras), "removed": sorted(old_cameras - cameras),
                    "changed": sorted(touched & cameras & old_cameras), "reduces": list(difference.reduces), "reason": reason,
                }  # fmt: skip
                if self._applied is None:
                    body["before"] = "not known"
            entries.append(Entry(kinds.SETTINGS, body, asked.person if n == 0 else None))
        return entries
