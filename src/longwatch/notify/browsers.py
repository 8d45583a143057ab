"""Browsers for which users switched web push on, in `server.db`. Calls block: they are made on the file's thread.

A user is told of nothing that they may not see: rights are looked at when a message is made, and again when it is sent.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric import ec

from longwatch.base.errors import UsageError
from longwatch.base.messages import LANGUAGES
from longwatch.server_db import ServerDb
from longwatch.server_db.schema import preferences, users
from longwatch.server_db.schema import push_browsers as browsers

MOST_OF_ONE = 20
_POINT_BYTES, _AUTH_BYTES = 65, 16
_LOOK = "look"
"""The preference in which the console keeps the language that somebody chose."""


@dataclass(frozen=True, slots=True)
class Browser:
    """One of them. endpoint, p256dh, auth: RFC 8030 and 8291; whoever has them all can send to it."""

    id: int
    user: int
    endpoint: str = field(repr=False)
    p256dh: str = field(repr=False)
    auth: str = field(repr=False)
    agent: str
    created_us: int
    used_us: int | None
    language: str = ""


def check_endpoint(endpoint: str, services: Sequence[str]) -> None:
    """Raises UsageError where it is none of the browser makers' services: the server would send wherever a user says.

    services: hosts, with `*.` for any below; or an origin such as `http://127.0.0.1:8099`.
    """
    try:
        parts = urlsplit(endpoint)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    origin = f"{parts.scheme}://{parts.netloc}"
    public = parts.scheme == "https" and port in {None, 443} and "@" not in parts.netloc
    if origin in services or (public and any(fnmatchcase(host, service) for service in services)):
        return
    raise UsageError(
        "this browser's push service is not known here", why=f"it is at {host[:100] or 'no host'}",
        remedy="an admin may add it to notify.push_services",
    )  # fmt: skip


def check_keys(p256dh: str, auth: str) -> None:
    """Raises UsageError where they are not a point of P-256 and 16 bytes in base64url."""
    try:
        point = base64.urlsafe_b64decode(p256dh + "=" * (-len(p256dh) % 4))
        shared = base64.urlsafe_b64decode(auth + "=" * (-len(auth) % 4))
    except (binascii.Error, ValueError):
        point = shared = b""
    if not _on_the_curve(point) or len(shared) != _AUTH_BYTES:
        raise UsageError("these are not the keys of a browser", remedy="send what PushSubscription.toJSON() says")


def _on_the_curve(point: bytes) -> bool:
    """Nothing can be encrypted for another, and each message to it would be tried for a week."""
    if len(point) != _POINT_BYTES or point[0] != 4:
        return False
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError:
        return False
    return True


class Browsers:
    """See the module."""

    def __init__(self, db: ServerDb) -> None:
        self._engine = db.engine

    def add(self, user: int, endpoint: str, p256dh: str, auth: str, agent: str, now_us: int, language: str = "") -> int:
        """Its number; the same endpoint belongs to whoever said it last. Raises UsageError where a user has too many."""
        with self._engine.begin() as connection:
            connection.execute(sa.delete(browsers).where(browsers.c.endpoint == endpoint))
            count = sa.select(sa.func.count()).select_from(browsers).where(browsers.c.user_id == user)
            if connection.execute(count).scalar_one() >= MOST_OF_ONE:
                raise UsageError("too many browsers are told already", remedy="switch it off for one of them")
            number = connection.execute(
                sa.insert(browsers)
                .values(
                    user_id=user,
                    endpoint=endpoint,
                    p256dh=p256dh,
                    auth=auth,
                    agent=agent[:160],
                    created_us=now_us,
                    language=language,
                )
                .returning(browsers.c.id)
            ).scalar_one()
            return int(number)  # fmt: skip

    def of_user(self, user: int) -> list[Browser]:
        """The newest first."""
        query = sa.select(browsers).where(browsers.c.user_id == user).order_by(browsers.c.id.desc())
        with self._engine.connect() as connection:
            return [Browser(*row) for row in connection.execute(query)]

    def remove(self, user: int | None, number: int) -> bool:
        """user: whose it must be; None for anybody's. Whether it was there."""
        query = sa.delete(browsers).where(browsers.c.id == number)
        if user is not None:
            query = query.where(browsers.c.user_id == user)
        with self._engine.begin() as connection:
            return bool(connection.execute(query).rowcount)

    def used(self, number: int, now_us: int) -> None:
        """The service took something for it."""
        with self._engine.begin() as connection:
            connection.execute(sa.update(browsers).where(browsers.c.id == number).values(used_us=now_us))

    def count(self) -> int:
        """All of them."""
        with self._engine.connect() as connection:
            return connection.execute(sa.select(sa.func.count()).select_from(browsers)).scalar_one()

    def language_of(self, user: str) -> str:
        """That somebody chose in the console; "" where nobody of that name did."""
        query = sa.select(preferences.c.value).join_from(preferences, users, preferences.c.user_id == users.c.id)
        with self._engine.connect() as connection:
            kept = connection.execute(query.where(users.c.name == user, preferences.c.name == _LOOK)).scalar()
        return _chosen(kept)

    def targets(self, user: str, cameras: Collection[str]) -> dict[str, str]:
        """Numbers of the browsers of a user ("": of everybody) who may see all of these cameras ("" among them is the post itself), and the
        language of each: that its user chose, else what the browser spoke when it was added, "" where neither is known.
        """
        looks = sa.and_(preferences.c.user_id == users.c.id, preferences.c.name == _LOOK)
        query = sa.select(browsers.c.id, browsers.c.language, users.c.cameras, preferences.c.value).select_from(
            browsers.join(users, browsers.c.user_id == users.c.id).outerjoin(preferences, looks)
        )
        query = query.where(users.c.disabled.is_(False))
        if user:
            query = query.where(users.c.name == user)
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(browsers.c.id)).all()
        return {
            str(number): _chosen(kept) or spoken
            for number, spoken, allowed, kept in rows
            if allowed is None or set(cameras) <= set(allowed)
        }

    def reached(self, target: str, cameras: Collection[str]) -> Browser | None:
        """That browser, as long as its user may be told of these cameras."""
        if target not in self.targets("", cameras):
            return None
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(browsers).where(browsers.c.id == int(target))).first()
        return None if row is None else Browser(*row)


def _chosen(kept: str | None) -> str:
    """The language in that preference. The page wrote it, so that it may hold anything."""
    try:
        said = json.loads(kept or "null")
    except (ValueError, RecursionError):
        return ""
    language = said.get("language") if isinstance(said, dict) else None
    return language if isinstance(language, str) and language in LANGUAGES else ""
