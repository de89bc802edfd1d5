"""Lists that people keep as CSV: a slip that dbt would break off at is told by file and line."""

from pathlib import Path

import pytest
from conftest import PROJECT

from loader.dbt import BrokenSeed, check_seeds


def test_the_seeds_that_come_along_are_sound() -> None:
    check_seeds(PROJECT / "dbt_project" / "seeds")


@pytest.mark.parametrize(
    "content",
    [
        b"file,reason\nbad.json,noise",
        b"file,reason\r\n\r\nbad.json\r\n",
        '\ufefffile,reason\n"bad.json","a, b"\n\n'.encode(),
        "file,reason\nbad.json,zu heiß\n".encode(),
    ],
    ids=["no newline at the end", "blank lines", "a mark, quotes", "beyond ASCII"],
)
def test_what_dbt_can_read_passes(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "excluded_files.csv").write_bytes(content)
    check_seeds(tmp_path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"file,reason\na.json,badb.json,also\n", "line 2: 3 values where the first line names 2"),
        (b"file;reason\na.json;bad\n", "its first line is to name columns, with commas between"),
        (b"", "its first line is to name columns, with commas between"),
        ("file,reason\na.json,heiß\n".encode("latin-1"), "is not UTF-8: save it as UTF-8"),
        ("file,reason\n".encode("utf-16"), "is not UTF-8: save it as UTF-8"),
    ],
    ids=["two lines in one", "semicolons", "empty", "Latin-1", "UTF-16"],
)
def test_what_it_cannot_read_is_told(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "excluded_files.csv").write_bytes(content)
    with pytest.raises(BrokenSeed) as error:
        check_seeds(tmp_path)
    assert str(tmp_path / "excluded_files.csv") in str(error.value)
    assert says in str(error.value)
