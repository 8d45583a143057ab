"""The desk at which settings are read, tried and saved by people. Owner of the one turn in which a save is made.

A save: what stands there is of the revision that was read; the text is tried in a child with the loader of `settings check`; the recorder
says what it would take away; secrets, then the file are written new, flushed, renamed; the recorder applies it (its entry is durable
before anything takes effect); the server reads it again. Where the recorder refuses, what stood there is put back.

Passwords never leave: the text is shown with stand-ins (config.hiding), and what is tried stays in the child.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from longwatch.accounts import Who
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.base.ids import is_slug
from longwatch.config import editing, hiding, leaving, naming
from longwatch.config.file import ChangedMeanwhileError, SettingsFile, Stand, put, secrets_of
from longwatch.config.problems import SettingsError
from longwatch.config.tree import read_plain
from longwatch.health import RecorderLink

_CHILD_S = 30.0
_APPLY_S = 45.0
_PREVIEW_S = 15.0
_BESIDE = frozenset({"secrets", "lacking", "secrets_file"})
"""What comes beside resolved settings."""
_MACHINE = ("host", "port", "tls")
"""Of a section with a password: to whom it is said, and how."""
_EMPTY: dict[str, list[Any]] = {
    "added": [], "removed": [], "changed": [], "interrupted": [], "restart_needed": [], "reduces": [], "values": [],
}  # fmt: skip


class UnsavedError(UsageError):
    """Nothing was saved. status: of HTTP; more: what else the answer says."""

    def __init__(self, status: int, what: str, *, why: str = "", remedy: str = "", **more: Any) -> None:
        super().__init__(what, why=why, remedy=remedy)
        self.status = status
        self.more = more


@dataclass(frozen=True, slots=True)
class Tried:
    """What the child and the recorder say of a text. web: as the text says it."""

    problems: list[dict[str, Any]]
    resolved: dict[str, Any] = field(default_factory=dict, repr=False)
    web: Any = None


@dataclass(slots=True)
class _Change:
    """A text on its way into the file. typed: passwords by name, for the secrets file at `secrets`."""

    text: str = field(repr=False)
    typed: dict[str, str] = field(default_factory=dict, repr=False)
    secrets: Path | None = None


async def ask_child(asked: Mapping[str, Any], *words: str) -> dict[str, Any]:
    """What `python -m longwatch.config` says of settings, in a process of its own. Raises LongwatchError."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "longwatch.config", *words,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(_CHILD_S):
            out, _ = await child.communicate(json.dumps(asked).encode())
    except TimeoutError as error:
        raise LongwatchError("the settings could not be tried in time", why=f"{_CHILD_S:g} s") from error
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    try:
        said: dict[str, Any] = json.loads(out)
    except ValueError as error:
        raise LongwatchError("the settings could not be tried", why=f"exit {child.returncode}") from error
    return said


class SettingsDesk:
    """One file. reread: the server takes over what was saved. web_in_force: the `web` section that it runs with. key: of stand-ins; by default they
    change with each start.
    """

    def __init__(
        self, path: Path, recorder: RecorderLink, reread: Callable[[], Awaitable[None]], web_in_force: Callable[[], Any],
        key: bytes | None = None,
    ) -> None:  # fmt: skip
        self.file = SettingsFile(path)
        self._recorder = recorder
        self._reread = reread
        self._web = web_in_force
        self._key = key or os.urandom(16)
        self._last: tuple[str, tuple[str, dict[str, str]]] = ("", ("", {}))
        self._turn = asyncio.Lock()
        self._child = asyncio.Semaphore(2)

    # ---- reading ------------------------------------------------------------------------------------------------------

    async def shown(self) -> dict[str, Any]:
        """Path, text with stand-ins, revision, what is wrong with it now."""
        stand = await asyncio.to_thread(self.file.read)
        text, held = await self._hidden(stand.text)
        tried = await self._try(stand.text, {}, text, held)
        return {
            "path": str(self.file.path), "text": text, "revision": stand.revision, "read_only": self.file.why_not() or None,
            "wrong": tried.problems or [_as_shown(one, text, held) for one in tried.resolved.get("lacking", [])],
        }  # fmt: skip

    async def section(self, where: editing.Where) -> tuple[str, Any]:
        """Revision, and what stands in one section; passwords as stand-ins."""
        stand = await asyncio.to_thread(self.file.read)
        text, _ = await self._hidden(stand.text)
        return stand.revision, await asyncio.to_thread(editing.section, text, where)

    async def _hidden(self, text: str) -> tuple[str, dict[str, str]]:
        """As hiding.hidden, off the loop: a large file takes a while. The last one is kept."""
        if self._last[0] != text:
            self._last = text, await asyncio.to_thread(hiding.hidden, text, self._key)
        return self._last[1]

    async def check(self, text: str) -> dict[str, Any]:
        """What is wrong with a text, and what it would change."""
        stand = await asyncio.to_thread(self.file.read)
        before, held = await self._hidden(stand.text)
        try:
            whole = await asyncio.to_thread(_whole, text, held, before)
        except SettingsError as error:
            problems = [problem.as_json() for problem in error.problems]
            return {"ok": False, "problems": problems, "difference": None, "unknown": None}
        return await self._checked(_Change(whole), text, held)

    async def _checked(self, change: _Change, shown: str, held: Mapping[str, str]) -> dict[str, Any]:
        tried = await self._try(change.text, change.typed, shown, held)
        if tried.problems:
            return {"ok": False, "problems": tried.problems, "difference": None, "unknown": None}
        try:
            difference, unknown = await self._difference(tried), None
        except LongwatchError as error:
            difference, unknown = None, str(error)
        return {"ok": True, "problems": [], "difference": difference, "unknown": unknown}

    async def _try(self, text: str, typed: Mapping[str, str], shown: str, held: Mapping[str, str]) -> Tried:
        """In a child. Places are those of the text as it is shown, and no password stands in a word of it."""
        said = await self._ask_child(text, typed)
        problems = [_as_shown(problem, shown, held) for problem in said["problems"]]
        return Tried(problems, said.get("resolved", {}), said.get("web"))

    async def _ask_child(self, text: str, typed: Mapping[str, str]) -> dict[str, Any]:
        async with self._child:
            return await ask_child({"text": text, "typed": dict(typed)}, "try", str(self.file.path))

    async def _difference(self, tried: Tried) -> dict[str, Any]:
        """Raises LongwatchError where the recorder does not answer."""
        resolved = {name: value for name, value in tried.resolved.items() if name not in _BESIDE}
        said = await self._recorder.request(
            "settings_preview", timeout_s=_PREVIEW_S, resolved=resolved, secrets=tried.resolved.get("secrets", [])
        )
        difference = {name: said.get(name, empty) for name, empty in _EMPTY.items()}
        if tried.web != self._web():
            difference["restart_needed"] = [*difference["restart_needed"], "web"]
        return difference

    async def address_of(self, url: str) -> str:
        """A camera's address with what its `${NAME}` or stand-in stands for: for that alone which the settings send it to already.

        Raises UsageError else: whoever may only try an address must not have a password sent to another host by it.
        """
        parts = naming.split(url)
        masked = hiding.STAND_IN.fullmatch(parts.password or "")
        if not parts.named and masked is None:
            return url
        stand = await asyncio.to_thread(self.file.read)
        _, held = await self._hidden(stand.text)
        whole = naming.split(hiding.restored(url, held)) if masked else parts
        cameras = await asyncio.to_thread(editing.section, stand.text, ("cameras",))
        if not any(_same_login(whole, naming.split(other)) for other in _urls(cameras)):
            raise UsageError(
                "this password is not of that host", why="a name is tried only where the settings use it already",
                remedy="type the password itself",
            )  # fmt: skip
        if masked:
            return whole.with_login(whole.user, quote(whole.password or "", safe=""))
        file = self.file.secrets_path(await asyncio.to_thread(editing.section, stand.text, ("secrets",)))
        _, known = await asyncio.to_thread(secrets_of, file)
        name = parts.named[2:-1]
        value = os.environ.get(name, known.get(name))
        if value is None:
            raise UsageError(f"{parts.named} is not set", remedy=f"set {name} in the secrets file")
        return parts.with_login(parts.user, quote(value, safe=""))

    async def sent_elsewhere(self, text: str) -> list[str]:
        """Keys at which a text, with stand-ins, sends a password where the file does not. Raises SettingsError."""
        stand = await asyncio.to_thread(self.file.read)
        shown, _ = await self._hidden(stand.text)
        return await asyncio.to_thread(leaving.sent_elsewhere, shown, text)

    async def changes_upgrades(self, text: str) -> bool:
        """Whether a text, with stand-ins, says otherwise than the file who may bring new programs. Raises SettingsError."""
        stand = await asyncio.to_thread(self.file.read)
        return await asyncio.to_thread(leaving.changes_upgrades, stand.text, text)

    # ---- saving -------------------------------------------------------------------------------------------------------

    async def save(self, text: str, revision: str, reason: str, who: Who) -> dict[str, Any]:
        """The whole file. Raises UnsavedError, and LongwatchError where it cannot be written or entered."""
        async with self._turn:
            stand, held = await self._current(revision)
            try:
                whole = await asyncio.to_thread(_whole, text, held, (await self._hidden(stand.text))[0])
            except SettingsError as error:
                raise _wrong([problem.as_json() for problem in error.problems]) from None
            return await self._take(stand, _Change(whole), text, held, reason, who)

    async def patch(
        self, where: editing.Where, patch: dict[str, Any], revision: str | None, reason: str, who: Who, *,
        login: tuple[str, str | None] | None = None, check: bool = False,
    ) -> dict[str, Any]:  # fmt: skip
        """One section. login: of a camera's URLs in the patch. check: nothing is saved, and the answer is that of `check`."""
        async with self._turn:
            stand, held = await self._current(revision)
            try:
                await asyncio.to_thread(_check_places, patch, where, (await self._hidden(stand.text))[0])
            except SettingsError as error:
                raise _wrong([problem.as_json() for problem in error.problems]) from None
            change = await asyncio.to_thread(self._patched, stand.text, where, _restored(patch, held), login)
            shown, held = await self._hidden(change.text)
            if check:
                return await self._checked(change, shown, held)
            return await self._take(stand, change, shown, held, reason, who)

    async def remove(self, where: editing.Where, revision: str | None, reason: str, who: Who) -> dict[str, Any]:
        """One section less."""
        async with self._turn:
            stand, _ = await self._current(revision)
            if await asyncio.to_thread(editing.section, stand.text, where) is None:
                raise UnsavedError(404, f"there is no {'.'.join(where)} in the settings", remedy="see /api/v1/settings")
            change = _Change(await asyncio.to_thread(editing.without, stand.text, where))
            shown, held = await self._hidden(change.text)
            return await self._take(stand, change, shown, held, reason, who)

    async def _current(self, revision: str | None) -> tuple[Stand, dict[str, str]]:
        stand = await asyncio.to_thread(self.file.read)
        if revision is not None and stand.revision != revision:
            raise await self._changed(ChangedMeanwhileError(stand))
        return stand, (await self._hidden(stand.text))[1]

    async def _changed(self, error: ChangedMeanwhileError) -> UnsavedError:
        text, _ = await self._hidden(error.stand.text)
        return UnsavedError(
            409, error.what, why=error.why, remedy=error.remedy, revision=error.stand.revision, text=text
        )

    async def _take(
        self, stand: Stand, change: _Change, shown: str, held: Mapping[str, str], reason: str, who: Who
    ) -> dict[str, Any]:  # fmt: skip
        why_not = self.file.why_not()
        if why_not:
            raise LongwatchError(
                "the settings cannot be saved from here", why=why_not,
                remedy="let the server's user write the file and its folder; or change it by hand and run `longwatch settings apply`",
            )  # fmt: skip
        tried = await self._try(change.text, change.typed, shown, held)
        if tried.problems:
            raise _wrong(tried.problems)
        difference = await self._difference(tried)
        if difference["reduces"] and not reason:
            raise UnsavedError(
                422, "this takes something away, and no reason was given", why="; ".join(difference["reduces"])[:2000],
                remedy="give a reason", reduces=difference["reduces"],
            )  # fmt: skip
        before = await self._write(stand, change)
        answer = await self._apply(stand, change, before, tried, reason, who)
        await self._reread()
        entry = answer.get("seq")
        revision = (await asyncio.to_thread(self.file.read)).revision
        return {"revision": revision, "entry": None if entry is None else int(entry), "difference": difference}

    async def _write(self, stand: Stand, change: _Change) -> Stand | None:
        """Secrets first: a name that nobody uses harms nobody. What stood in that file; None where it was not touched."""
        before = None
        if change.typed and change.secrets is not None:
            before, _ = await asyncio.to_thread(secrets_of, change.secrets)
            content = naming.secrets_text(before.text, change.typed).encode()
            await asyncio.to_thread(put, change.secrets, content, 0o600)
        try:
            await asyncio.to_thread(self.file.replace, change.text, stand.revision)
        except LongwatchError as error:
            await self._put_back_secrets(change, before)
            if isinstance(error, ChangedMeanwhileError):
                raise await self._changed(error) from None
            raise
        return before

    async def _apply(
        self, stand: Stand, change: _Change, before: Stand | None, tried: Tried, reason: str, who: Who
    ) -> dict[str, Any]:  # fmt: skip
        try:
            return await self._recorder.request(
                "settings_apply", timeout_s=_APPLY_S, reason=reason, person=who.person(reason)
            )
        except LongwatchError:
            if await self._was_applied(tried):
                return {}
            await asyncio.to_thread(self.file.put_back, stand, change.text)
            await self._put_back_secrets(change, before)
            raise

    async def _was_applied(self, tried: Tried) -> bool:
        """The answer may be lost, and the settings in force all the same."""
        try:
            return not (await self._difference(tried))["values"]
        except LongwatchError:
            return False

    async def _put_back_secrets(self, change: _Change, before: Stand | None) -> None:
        if before is not None and change.secrets is not None:
            await asyncio.to_thread(put, change.secrets, before.raw or b"", 0o600)

    # ---- what is typed into forms ---------------------------------------------------------------------------------------

    def _patched(
        self, text: str, where: editing.Where, patch: dict[str, Any], login: tuple[str, str | None] | None
    ) -> _Change:  # fmt: skip
        """Blocks. A password in a camera's URLs, or typed beside them, becomes a name of the secrets file; a channel's address and secret, and the broker's
        password, too.
        """
        try:
            json.dumps(patch, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise UsageError("settings are Unicode text") from None
        if len(where) == 2 and where[0] == "cameras" and isinstance(patch.get("streams"), dict):
            return self._with_streams(text, where[1], patch, login)
        if where == ("notify",) and isinstance(patch.get("channels"), dict):
            return self._with_channels(text, patch)
        if where == ("mqtt",) and patch.get("password"):
            return self._with_password(text, where, patch)
        return _Change(editing.patched(text, where, patch))

    def _with_streams(
        self, text: str, camera: str, patch: dict[str, Any], login: tuple[str, str | None] | None
    ) -> _Change:  # fmt: skip
        said = editing.section(text, ("secrets",))
        path = self.file.secrets_path(said)
        _, known = secrets_of(path)
        elsewhere = _elsewhere(text, camera, patch["streams"])
        typed: dict[str, str] = {}
        names: dict[str, str] = {}
        streams = dict(patch["streams"])
        for stream, url in streams.items():
            if isinstance(url, str):
                streams[stream] = self._named(url, camera, login, known, elsewhere, names, typed)
        made = editing.patched(text, ("cameras", camera), {**patch, "streams": streams})
        return _named_in(made, typed, path, said)

    def _with_password(self, text: str, where: editing.Where, patch: dict[str, Any]) -> _Change:
        """A section's password that was typed. One that is a name stays as it is. Of a machine that becomes another one the name is another, too: between the two files, or
        after a power cut there, what is meant for the new one would be said to the old one.
        """
        said = editing.section(text, ("secrets",))
        path = self.file.secrets_path(said)
        _, known = secrets_of(path)
        there = editing.section(text, where)
        stays = isinstance(there, dict) and all(patch.get(key, there.get(key)) == there.get(key) for key in _MACHINE)
        elsewhere = editing.without(text, where) if stays else text
        typed: dict[str, str] = {}
        changed = _hidden_away(patch, ("password",), where[0], known, elsewhere, typed)
        return _named_in(editing.patched(text, where, changed), typed, path, said)

    def _with_channels(self, text: str, patch: dict[str, Any]) -> _Change:
        """An address that was typed is a secret as a whole. One that names its own (`${NAME}`) stays as it is."""
        said = editing.section(text, ("secrets",))
        path = self.file.secrets_path(said)
        _, known = secrets_of(path)
        typed: dict[str, str] = {}
        channels = dict(patch["channels"])
        for channel, block in channels.items():
            if not isinstance(block, dict):
                continue
            elsewhere = _besides_channel(text, channel, block)
            channels[channel] = _hidden_away(block, ("url", "secret"), f"notify_{channel}", known, elsewhere, typed)
        return _named_in(editing.patched(text, ("notify",), {**patch, "channels": channels}), typed, path, said)

    def _named(
        self, url: str, camera: str, login: tuple[str, str | None] | None, known: Mapping[str, str], elsewhere: str,
        names: dict[str, str], typed: dict[str, str],
    ) -> str:  # fmt: skip
        """One URL, its password in `typed` under a name. names: by password, so that both streams share one."""
        parts = naming.split(url)
        user, password, reference = parts.user, parts.password, parts.named
        if login is not None and not user and not reference and password is None:
            user, password = login
        if not password:
            return parts.with_login(user, reference)
        if password not in names:
            taken = {**os.environ, **dict.fromkeys(typed, "")}
            names[password] = naming.name_for(camera, password, known, taken, elsewhere)
            typed[names[password]] = password
        return parts.with_login(user, f"${{{names[password]}}}")


def _hidden_away(
    block: Mapping[str, Any], keys: Sequence[str], owner: str, known: Mapping[str, str], elsewhere: str, typed: dict[str, str]
) -> dict[str, Any]:  # fmt: skip
    """The block with names where secrets were typed, which come into `typed`. known, elsewhere: as `naming.name_for` asks for them."""
    changed = dict(block)
    for key in keys:
        value = changed.get(key)
        if isinstance(value, str) and value.strip() and "${" not in value:
            said = value if key == "password" else value.strip()
            taken = {**os.environ, **dict.fromkeys(typed, "")}
            name = naming.name_for(owner, said, known, taken, elsewhere, key.upper())
            typed[name] = said
            changed[key] = f"${{{name}}}"
    return changed


def _named_in(text: str, typed: dict[str, str], path: Path, said: Any) -> _Change:
    """said: `secrets` of the settings as they were; where they named no file, these do."""
    if typed and said is None:
        text = editing.with_line(text, "secrets", path.name, ("web", "data", "post"))
    return _Change(text, typed, path)


def _besides_channel(text: str, channel: str, block: Mapping[str, Any]) -> str:
    """The settings in which a name of this channel may not be used, to be its own again. Of a channel that becomes one of another kind it has none: after a power cut
    between the two files the address of the new one would stand in the old one, which is wrong, and no post starts with that.
    """
    where = ("notify", "channels", channel)
    there = editing.section(text, where)
    if isinstance(there, dict) and block.get("kind", there.get("kind")) != there.get("kind"):
        return text
    return text if there is None else editing.without(text, where)


def _urls(cameras: Any) -> list[str]:
    found = []
    for camera in cameras.values() if isinstance(cameras, dict) else ():
        streams = camera.get("streams") if isinstance(camera, dict) else None
        found += [url for url in streams.values() if isinstance(url, str)] if isinstance(streams, dict) else []
    return found


def _same_login(one: naming.Split, other: naming.Split) -> bool:
    """Whether both name the same host, and the same password by name or by value."""
    return one.origin == other.origin and (one.named, one.password) == (other.named, other.password)


def check_camera_id(camera: str) -> None:
    """Raises UsageError where it can be no camera's id."""
    if not is_slug(camera):
        raise UsageError(f"{camera[:80]!r} cannot be an id", remedy="use a-z, 0-9 and -, at most 40, not - at the ends")


def _elsewhere(text: str, camera: str, streams: Mapping[str, Any]) -> str:
    """The settings but for the URLs that a patch replaces: a name that is used there is not free."""
    there = editing.section(text, ("cameras", camera))
    if not isinstance(there, dict):
        return text
    own = there.get("streams")
    kept = [str(url) for name, url in own.items() if name not in streams] if isinstance(own, dict) else []
    return "\n".join([editing.without(text, ("cameras", camera)), *kept])


def _whole(text: str, held: Mapping[str, str], before: str) -> str:
    """What is to stand in the file: passwords put back, each where a password may stand. before: the file as it is shown now. Blocks. Raises SettingsError."""
    if hiding.STAND_IN.search(text):
        hiding.check_places(read_plain(text), before=_plain(before))
    return hiding.restored(text, held)


def _check_places(patch: dict[str, Any], where: editing.Where, before: str) -> None:
    """The same of a patch."""
    has_any = hiding.STAND_IN.search(json.dumps(patch, ensure_ascii=False))
    hiding.check_places(patch, where, _plain(before) if has_any else None)


def _plain(text: str) -> Any:
    try:
        return read_plain(text)
    except SettingsError:
        return None


def _restored(value: Any, held: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _restored(item, held) for name, item in value.items()}
    if isinstance(value, list):
        return [_restored(item, held) for item in value]
    return hiding.restored(value, held) if isinstance(value, str) else value


def _wrong(problems: list[dict[str, Any]]) -> UnsavedError:
    first = problems[0]
    place = f"line {first['line']}, column {first['column']}"
    what = f"{place}: {first['key']}: {first['what']}" if first["key"] else f"{place}: {first['what']}"
    return UnsavedError(
        422, "these settings are wrong, and were not saved", why=what, remedy=first["remedy"] or "mend it, and save again",
        problems=problems,
    )  # fmt: skip


def _as_shown(problem: dict[str, Any], shown: str, held: Mapping[str, str]) -> dict[str, Any]:
    told = dict(problem)
    for name in ("what", "remedy"):
        for stand_in, secret in held.items():
            if len(secret) > 2:
                told[name] = told[name].replace(secret, stand_in)
    lines = shown.split("\n")
    line = lines[told["line"] - 1] if 0 < told["line"] <= len(lines) else ""
    for match in hiding.STAND_IN.finditer(line):
        longer = len(match[0]) - len(held.get(match[0], match[0]))
        if told["column"] - 1 > match.start():
            told["column"] = max(match.start() + 1, told["column"] + longer)
    return told
