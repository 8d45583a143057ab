"""What holds for every test."""

from __future__ import annotations

import pytest

from longwatch.base import secrets


@pytest.fixture(autouse=True)
def no_secrets_of_another_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test made up as a password must not be masked in what the next one reads."""
    monkeypatch.setattr(secrets, "_known", set())
    monkeypatch.setattr(secrets, "_registered", {})
    monkeypatch.setattr(secrets, "_ordered", ())
