"""argon2id (RFC 9106), off the event loop, at most two at once: 64 MiB and a tenth of a second each on a small post."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence

import argon2

from longwatch.accounts.guesses import easy
from longwatch.base.errors import UsageError

AT_ONCE = 2
MOST_WAITING = 16
_LEAST = 10
_MOST = 1024


class BusyError(Exception):
    """More are waiting than is sensible: say "later" instead of joining the queue."""


def check_new(password: str, words: Sequence[str] = ()) -> None:
    """Raises UsageError for a password that must not be set: its length, what everybody tries first, and nothing about its
    letters (NIST SP 800-63B-4, 3.1.1.2; ASVS 5.0, 6.2). words: the names of its user and of the post.
    """
    if len(password) < _LEAST:
        raise UsageError("the password is too short", remedy=f"use {_LEAST} characters or more; 15 are better")
    if len(password.encode("utf-8", "replace")) > _MOST:
        raise UsageError("the password is too long", remedy=f"use at most {_MOST} bytes")
    why = easy(password, words)
    if why:
        raise UsageError(
            "the password is too easy to guess",
            why=why,
            remedy="three or four words that do not belong together are good",
        )


class Hasher:
    """Makes and compares hashes. Owner of the count of those that wait: this object, on its event loop."""

    def __init__(self, argon: argon2.PasswordHasher | None = None) -> None:
        self._argon = argon or argon2.PasswordHasher(time_cost=3, memory_cost=64 << 10, parallelism=1)
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self._nobody: str | None = None

    async def hash(self, password: str) -> str:
        """The hash to store."""
        async with self._turns:
            return await asyncio.to_thread(self._argon.hash, password)

    async def matches(self, password: str, stored: str | None) -> bool:
        """Whether it is the one; for None (no such user) or "" (no password) it costs the same time. Raises BusyError."""
        if self._waiting >= MOST_WAITING:
            raise BusyError
        self._waiting += 1
        try:
            async with self._turns:
                return await asyncio.to_thread(self._verify, password, stored)
        finally:
            self._waiting -= 1

    def _verify(self, password: str, stored: str | None) -> bool:
        if self._nobody is None:
            self._nobody = self._argon.hash(secrets.token_hex())
        try:
            self._argon.verify(stored or self._nobody, password)
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return False
        return bool(stored)
