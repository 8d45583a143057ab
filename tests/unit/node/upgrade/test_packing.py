import zipfile
from pathlib import Path

import pytest

import longwatch
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.node.upgrade.formats import FORMATS, formats
from longwatch.node.upgrade.packing import formats_of, locked


def test_the_program_in_a_wheel_is_asked_and_not_the_one_that_packs(tmp_path: Path) -> None:
    wheel = tmp_path / "longwatch-9.9.9-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("longwatch/__init__.py", "")
        file.writestr("longwatch/node/__init__.py", "")
        file.writestr("longwatch/node/release_formats.py", 'print(\'{"index": {"reads": 3, "writes": 77}}\')')
    assert formats_of(wheel)["index"].writes == 77
    with zipfile.ZipFile(tmp_path / "broken.whl", "w") as file:
        file.writestr("longwatch/__init__.py", "raise SystemExit('broken')")
    with pytest.raises(LongwatchError, match="does not say"):
        formats_of(tmp_path / "broken.whl")
    with pytest.raises(UsageError):
        formats_of(tmp_path / "none.whl")


def test_the_forms_are_those_of_the_migrations_that_are_there() -> None:
    said = formats()
    assert set(said) == set(FORMATS)
    root = Path(longwatch.__file__).parent
    assert said["index"]["writes"] == len(list((root / "archive/migrations").glob("*.sql")))
    assert said["server_db"]["writes"] == len(list((root / "server_db/migrations/versions").glob("v*.py")))


def test_a_lock_file_is_read_by_its_pins(tmp_path: Path) -> None:
    path = tmp_path / "requirements.lock"
    path.write_text("# words\nSome_Lib[extra]==1.2 \\\n    --hash=sha256:00\nother==3+local.1\n")
    assert locked(path) == {"some-lib": "1.2", "other": "3+local.1"}
    path.write_text("nothing\n")
    with pytest.raises(UsageError):
        locked(path)
    with pytest.raises(UsageError):
        locked(tmp_path / "none")
