"""Folders that cannot be opened are told to people, not thrown at them."""

from pathlib import Path

import pytest
from tests.support.archive_case import opened

from longwatch.base.errors import LongwatchError


async def test_a_file_where_the_data_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"")
    with pytest.raises(LongwatchError, match=r"data cannot be opened.*File exists") as caught:
        async with opened([tmp_path / "data"]):
            pass
    assert "belongs to the user" in str(caught.value)


async def test_a_place_where_no_folder_can_be_made() -> None:
    with pytest.raises(LongwatchError, match=r"/proc/nowhere cannot be opened"):
        async with opened([Path("/proc/nowhere")]):
            pass
