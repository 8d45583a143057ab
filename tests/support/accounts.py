"""Accounts whose passwords cost next to nothing."""

from __future__ import annotations

from pathlib import Path

import argon2

from longwatch.accounts import Accounts, Options
from longwatch.accounts.passwords import Hasher
from longwatch.base.clock import Clock


def cheap_hasher() -> Hasher:
    """argon2id as ever, with the least work it allows."""
    return Hasher(argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


def open_accounts(data: Path, clock: Clock | None = None, options: Options | None = None) -> Accounts:
    """Real accounts in a folder of the test."""
    return Accounts(data, clock, options, cheap_hasher())
