"""A recorder process that each test may kill, and that none leaves behind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.recorder_post import Post


@pytest.fixture
async def post(tmp_path: Path) -> AsyncIterator[Post]:
    made = Post(tmp_path)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.kill()
        made.process.wait()
