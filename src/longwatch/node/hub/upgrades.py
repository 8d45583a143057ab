"""New versions of the program for a hub's posts: bundles that it was given, roll-outs over posts, and the parts that posts fetch. docs/design/upgrades.md.

A bundle is a file here, named by its hash; a roll-out tells its first post, and the others once it was kept there. What a post is told is a command like any
other (`commands`), entered on both sides. The hub proves a bundle's form and not its signature: whose programs a post runs, its own settings say.
Owner of the files in `fleet/releases` and, through `fleet.Releases`, of the roll-outs: the process that has the console.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog

from longwatch.accounts import Who
from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.base.rfc3339 import format_us
from longwatch.fleet import CommandRow, Fleet, PostRow
from longwatch.fleet.releases import ReleaseRow, Releases, RolloutRow
from longwatch.ledger import kinds
from longwatch.node.hub.commands import CommandDesk
from longwatch.node.hub.requests import Uplinks
from longwatch.node.hub.rolling import stage_of, step_of
from longwatch.node.link import Ledger
from longwatch.replication.fetching import answer
from longwatch.trust import release
from longwatch.trust.commands import UPGRADE
from longwatch.trust.keys import flush_folder
from longwatch.trust.release import Release, ReleaseError, order_of
from longwatch.trust.wheels import Host
from longwatch.wire.uplink import MAX_OBJECT_BYTES, Body, Message

FOLDER = "releases"
LOOK_S = 5.0
MOST_POSTS = 2_000
_LEFT_BYTES = 1 << 30
_MAY_US = 5_000_000
_MOST_FOLLOWED = 10_000
_log = structlog.get_logger(__name__)


class UpgradeDesk:
    """See the module. folder: of the hub's fleet. commands, uplinks: None for a verb beside no server: then what it orders begins with the next start."""

    def __init__(
        self, fleet: Fleet, folder: Path, ledger: Ledger, clock: Clock, commands: CommandDesk | None = None, uplinks: Uplinks | None = None
    ) -> None:  # fmt: skip
        self.rows = Releases(fleet.db, clock.wall_us)
        self.folder = folder / FOLDER
        self._fleet = fleet
        self._ledger = ledger
        self._clock = clock
        self._commands = commands
        self._uplinks = uplinks
        self._turn = asyncio.Lock()
        self._fresh = asyncio.Event()
        self._have: dict[str, tuple[str, int]] = {}  # by post: what it fetches, and from which byte on it asked last
        self._may: dict[
            str, tuple[str, int, str]
        ] = {}  # by post: what it asked for, when that was looked up, and the word why not
        if uplinks is not None and commands is not None:
            uplinks.on("fetch", self._fetch)
            commands.on_changed.append(self._changed)

    # -- bundles

    def incoming(self, name: str) -> Path:
        """Where an upload is written before it is looked at; its folder is made. Blocks."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self.folder / f".incoming-{name}"

    async def add(self, path: Path, who: Who, reason: str, *, move: bool = False) -> ReleaseRow:
        """A bundle from a file, which is copied, or taken where `move`. It is entered before it is shown. Raises LongwatchError."""
        kept, found, signers, sha256, size = await asyncio.to_thread(self._take, path, move)
        known = await self._fleet.db.call(self.rows.one, sha256)
        if known is not None:
            return known
        body: dict[str, object] = {"sha256": sha256.hex(), "size": size, "version": found.version, "signers": signers}
        try:
            await self._ledger.request("entry", kind=kinds.RELEASE_ADDED, body=body, person=who.person(reason))
        except LongwatchError:
            await asyncio.to_thread(kept.unlink, missing_ok=True)
            raise
        return await self._fleet.db.call(
            self.rows.add, sha256, found.version, size, found.as_json(), signers, who.user or who.token
        )

    def _take(self, path: Path, move: bool) -> tuple[Path, Release, list[str], bytes, int]:
        fresh = path if move else self.incoming(f"copy-{os.getpid()}")
        try:
            size = path.stat().st_size
            if size > MAX_OBJECT_BYTES:
                raise UsageError(
                    f"{path.name} is too large to be sent to posts", why=f"{size} bytes, at most {MAX_OBJECT_BYTES}",
                    remedy="pack only those wheels that changed, or take it to the post by hand",
                )  # fmt: skip
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            space = shutil.disk_usage(self.folder)
            if space.free - (0 if move else size) < min(space.total // 100, _LEFT_BYTES):
                raise LongwatchError("the hub's disk is nearly full", remedy="what is left is for ledgers: make room")
            if not move:
                shutil.copyfile(path, fresh)
            found, note = release.examine(fresh)
            sha256, size = release.sha256_of(fresh)
            kept = self._file(sha256)
            _flush(fresh)
            fresh.replace(kept)
            flush_folder(self.folder)
        except OSError as error:
            raise LongwatchError(f"{path.name} cannot be taken", why=error.strerror or str(error)) from error
        finally:
            fresh.unlink(missing_ok=True)
        return kept, found, release.signers(note), sha256, size

    async def remove(self, sha256: str, who: Who, reason: str) -> None:
        """Its bytes go; what was done with it stays. Raises UsageError while a roll-out of it runs."""
        row = await self._one(sha256)
        async with self._turn:
            if any(each.sha256 == row.sha256 for each in await self._fleet.db.call(self.rows.rollouts)):
                raise UsageError("a roll-out sends this release to posts", remedy="wait for it, or stop it")
            body: dict[str, object] = {"sha256": sha256, "version": row.version}
            await self._ledger.request("entry", kind=kinds.RELEASE_REMOVED, body=body, person=who.person(reason))
            await self._fleet.db.call(self.rows.remove, row.sha256)
            await asyncio.to_thread(self._file(row.sha256).unlink, missing_ok=True)

    async def releases(self) -> list[ReleaseRow]:
        """The newest first."""
        found: list[ReleaseRow] = await self._fleet.db.call(self.rows.listed)
        return found

    async def _one(self, sha256: str) -> ReleaseRow:
        with contextlib.suppress(ValueError):
            row = await self._fleet.db.call(self.rows.one, bytes.fromhex(sha256))
            if row is not None:
                return row
        raise UsageError(f"there is no release {sha256[:64]!r} here", remedy="see `longwatch hub upgrade list`")

    def _file(self, sha256: bytes) -> Path:
        return self.folder / f"{sha256.hex()}.bundle"

    # -- for whom

    async def posts(self, sha256: str) -> list[dict[str, Any]]:
        """Every post that is not revoked, as models_upgrades.Candidate: whether this release can be sent to it, and why not."""
        row = await self._one(sha256)
        posts = await self._fleet.db.call(self._fleet.posts)
        return await asyncio.to_thread(self._judged, row, [post for post in posts if post.revoked_us is None])

    def _judged(self, row: ReleaseRow, posts: Sequence[PostRow]) -> list[dict[str, Any]]:
        path = self._file(row.sha256)
        found = release.show(path)[0]
        signed: dict[str, bool] = {}

        def is_signed(key: str) -> bool:
            if key not in signed:
                try:
                    signed[key] = release.is_signed_by(path, release.parse_verifier(key))
                except ReleaseError:
                    signed[key] = False
            return signed[key]

        judged = []
        for post in posts:
            cannot, why = _cannot(post, found, is_signed)
            version = post.status.get("version")
            judged.append({
                "id": post.id, "name": post.name, "version": version if isinstance(version, str) else None, "via": list(post.via),
                "cannot": cannot or None, "why": why,
            })  # fmt: skip
        return judged

    # -- roll-outs

    async def roll(self, sha256: str, posts: Sequence[str], who: Who, reason: str) -> RolloutRow:
        """Send a release to these posts, the first of them first. Raises UsageError where one of them cannot take it, LongwatchError."""
        if not reason.strip():
            raise UsageError("this asks for a reason", remedy="say why, in one line")
        if not posts or len(posts) > MOST_POSTS or len(set(posts)) != len(posts):
            raise UsageError("name the posts, each once", why=f"at most {MOST_POSTS}")
        row = await self._one(sha256)
        judged = {each["id"]: each for each in await self.posts(sha256)}
        for post in posts:
            each = judged.get(post)
            if each is None:
                raise UsageError(
                    f"there is no post {post[:80]!r} that could be told", remedy="see `longwatch hub posts`"
                )
            if each["cannot"] is not None:
                raise UsageError(f"{post} cannot take {row.version} from here", why=each["why"])
        async with self._turn:
            made: RolloutRow = await self._fleet.db.call(
                self.rows.roll, row.sha256, row.version, who.subject, (who.user or who.token)[:80], reason, list(posts)
            )
            body: dict[str, object] = {
                "rollout": made.id,
                "sha256": sha256,
                "version": row.version,
                "posts": _short(posts),
                "count": len(posts),
            }
            try:
                await self._ledger.request("entry", kind=kinds.ROLLOUT_ORDERED, body=body, person=who.person(reason))
            except LongwatchError:
                await self._fleet.db.call(self.rows.ended, made.id, "stopped", "it could not be entered in the ledger")
                raise
        self._fresh.set()
        return made

    async def stop(self, number: int, who: Who, reason: str) -> RolloutRow:
        """Nothing more is sent: what travels ends, and a post that has it whole goes on by itself. Raises UsageError."""
        if not reason.strip():
            raise UsageError("this asks for a reason", remedy="say why, in one line")
        async with self._turn:
            row = await self._fleet.db.call(self.rows.rollout, number)
            if row is None or row.state != "running":
                raise UsageError(f"roll-out {number} does not run", remedy="see `longwatch hub upgrade list`")
            await self._end(row, f"{(who.user or who.token)[:80]}: {reason[:300]}", who, reason)
        found: RolloutRow | None = await self._fleet.db.call(self.rows.rollout, number)
        assert found is not None
        return found

    async def rollouts(self) -> list[tuple[RolloutRow, list[dict[str, Any]]]]:
        """The newest first, each with where its posts are, as models_upgrades.Stage."""
        rows: list[RolloutRow] = await self._fleet.db.call(lambda: self.rows.rollouts(everything=True))
        return [(row, self._stages(row, await self._commands_of(row))) for row in rows]

    def _stages(self, row: RolloutRow, commands: Mapping[str, CommandRow]) -> list[dict[str, Any]]:
        stages = []
        for post, number in row.posts:
            command = commands.get(post)
            fetched = self._have.get(post)
            have = fetched[1] if fetched is not None and fetched[0] == row.sha256.hex() else None
            stage = (
                "expired"
                if number is not None and command is None
                else stage_of(command, have, over=row.state != "running")
            )
            why = "" if command is None else command.answer.get("why", "")
            stages.append({
                "post": post, "stage": stage, "command": number, "why": str(why)[:500] if isinstance(why, str) else "",
                "bytes": have if stage == "travelling" else None, "changed": None if command is None else format_us(command.changed_us),
            })  # fmt: skip
        return stages

    async def _commands_of(self, row: RolloutRow) -> dict[str, CommandRow]:
        numbers = {number for _, number in row.posts if number is not None}
        if not numbers:
            return {}
        found = await self._fleet.db.call(self._fleet.commands_by, numbers)
        return {command.post: command for command in found}

    # -- running

    async def run(self) -> None:
        """For ever: what is to be told next."""
        await asyncio.to_thread(self._sweep)
        while True:
            try:
                await self.look()
            except LongwatchError as error:
                _log.warning("roll-outs cannot be gone on with now", reason=str(error))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._fresh.wait()
            self._fresh.clear()

    def _sweep(self) -> None:
        """Uploads that an end of this process left half."""
        for path in self.folder.glob(".incoming-*"):
            path.unlink(missing_ok=True)

    async def look(self) -> None:
        """One step of every roll-out that is not over. Raises LongwatchError."""
        async with self._turn:
            for row in await self._fleet.db.call(self.rows.rollouts):
                if row.state == "stopping":
                    await self._withdraw(row)
                else:
                    await self._step(row)

    async def _step(self, row: RolloutRow) -> None:
        commands = await self._commands_of(row)
        step = step_of(row.posts, commands)
        if step.end == "stopping":
            await self._end(row, step.why)
        elif step.end:
            await self._fleet.db.call(self.rows.ended, row.id, step.end)
        for post in step.give:
            await self._give(row, post)

    async def _given(self, row: RolloutRow, post: str) -> CommandRow | None:
        """Its command, where we were killed before its number was noted."""
        rows = await self._fleet.db.call(lambda: self._fleet.commands(post, everything=True, kind=UPGRADE, limit=20))
        return next((each for each in rows if each.body.get("rollout") == row.id), None)

    async def _give(self, row: RolloutRow, post: str) -> None:
        if self._commands is None:
            return
        release_row = await self._fleet.db.call(self.rows.one, row.sha256)
        who = Who(row.subject, user=row.by)
        try:
            if release_row is None:
                raise UsageError("the bundle is not here any more")
            body = {"sha256": row.sha256.hex(), "size": release_row.size, "version": row.version}
            given = await self._given(row, post) or await self._commands.upgrade(post, body, row.id, who, row.reason)
        except UsageError as error:
            await self._end(row, f"{post} cannot be told: {error}")
            return
        await self._fleet.db.call(self.rows.told, row.id, post, given.id)

    async def _end(self, row: RolloutRow, why: str, who: Who | None = None, reason: str = "") -> None:
        """Stop it: by a person, or by itself. Entered first."""
        commands = await self._commands_of(row)
        untold = [post for post, _ in row.posts if post not in commands or commands[post].state == "waiting"]
        body: dict[str, object] = {
            "rollout": row.id, "version": row.version, "why": why[:500], "untold": _short(untold), "count": len(untold), "itself": who is None,
        }  # fmt: skip
        person = (who or Who(row.subject, user=row.by)).person(reason)
        await self._ledger.request("entry", kind=kinds.ROLLOUT_STOPPED, body=body, person=person)
        stopping = await self._fleet.db.call(self.rows.ended, row.id, "stopping", why)
        self._may.clear()
        if stopping is not None:
            await self._withdraw(stopping)

    async def _withdraw(self, row: RolloutRow) -> None:
        """What nobody told its post yet; the stop itself is entered."""
        for command in (await self._commands_of(row)).values():
            if command.state == "waiting":
                await self._fleet.db.call(
                    lambda number=command.id: self._fleet.note_command(number, "withdrawn", among=("waiting",))
                )
        await self._fleet.db.call(self.rows.ended, row.id, "stopped", row.why)

    def _changed(self, post: str) -> None:
        self._may.pop(post, None)
        self._fresh.set()

    # -- what posts fetch

    async def _fetch(self, post: str, message: Message | Body) -> None:
        """Parts of a bundle that this post was told to take, and of no other."""
        assert self._uplinks is not None
        said = message.body if isinstance(message, Message) else {}
        sha256, offset = said.get("sha256"), said.get("offset")
        if not isinstance(sha256, str) or type(offset) is not int or len(sha256) != 64:
            return
        why = await self._why_not(post, sha256)
        if not why:
            if len(self._have) > _MOST_FOLLOWED:
                self._have.clear()
            self._have[post] = (sha256, offset)
            try:
                for part in await asyncio.to_thread(lambda: list(answer(said, self._read))):
                    if not self._uplinks.say(post, part):
                        break  # it asks again for what did not come
            except OSError as error:
                _log.error("a bundle cannot be read", sha256=sha256, reason=str(error))
                why = "gone"
        if why:
            self._uplinks.say(post, Message("no_fetch", {"post": post, "sha256": sha256, "what": why}))

    async def _why_not(self, post: str, sha256: str) -> str:
        """A word, "" where it may."""
        now_us = self._clock.boottime_us()
        known = self._may.get(post)
        if known is not None and known[0] == sha256 and now_us - known[1] < _MAY_US:
            return known[2]
        why = await self._fleet.db.call(self._look_up, post, sha256)
        if len(self._may) > _MOST_FOLLOWED:
            self._may.clear()
        self._may[post] = (sha256, now_us, why)
        return why

    def _look_up(self, post: str, sha256: str) -> str:
        for command in self._fleet.commands(post, kind=UPGRADE):
            if command.body.get("sha256") == sha256 and command.state in {"sent", "trial"}:
                rollout = self.rows.rollout(command.body.get("rollout", 0))
                return "" if rollout is not None and rollout.state == "running" else "stopped"
        return "unknown"

    def _read(self, sha256: str, offset: int, size: int) -> bytes:
        with self._file(bytes.fromhex(sha256)).open("rb") as file:
            return os.pread(file.fileno(), size, offset)


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _cannot(post: PostRow, found: Release, is_signed: Callable[[str], bool]) -> tuple[str, str]:
    """A word and why, for people; ("", "") where the post takes it, as far as is known here. The post itself judges."""
    if post.via:
        return "elsewhere", f"it takes commands of {post.via[0]} alone: order it there"
    told = post.site.get("upgrades")
    if not isinstance(told, dict) or not isinstance(told.get("key"), str):
        return "says_no", "its settings take no upgrade from a hub, or it is older than upgrades"
    if not is_signed(told["key"]):
        return "other_key", "it knows another release key than the one that signed this bundle"
    try:
        why = release.misfit(found, Host.from_json(told.get("host")))
    except ValueError:
        why = "it does not say what it runs on"
    if why:
        return "misfit", why
    version = post.status.get("version")
    try:
        if isinstance(version, str) and order_of(version) >= order_of(found.version):
            return "not_newer", f"it runs {version}"
    except ReleaseError:
        return "not_newer", f"it runs {str(version)[:40]}, which is no version that can be compared"
    return "", ""


def _short(posts: Sequence[str]) -> list[str]:
    """An entry has room for so many."""
    return list(posts[:100])
