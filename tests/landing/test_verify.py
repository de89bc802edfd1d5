"""What is landed is compared with the files on disk."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Database, RunLoader
from pushing import CYCLER, points, write

Change = Callable[[Database, Path], object]


def verified(call_loader: RunLoader, database: Database) -> tuple[int, dict[str, str]]:
    done = call_loader("verify", "--json", env=database.environment)
    assert done.stderr == ""
    said = {Path(one["path"]).name: one["verdict"] for one in json.loads(done.stdout)}
    return done.returncode, said


def landed(call_loader: RunLoader, database: Database, folder: Path) -> dict[str, str]:
    write(
        folder / "nan.json", b'{"a": [NaN, -Infinity, 1e400, 1e-400, -0.0, 12345678901234567890]}'
    )
    write(folder / "parts.json", points(100_000))
    write(folder / "packed.json.gz", gzip.compress(json.dumps(CYCLER).encode()))
    done = call_loader("push", folder, "--part-size", "1MiB", env=database.environment)
    assert done.returncode == 0
    return dict.fromkeys(("nan.json", "parts.json", "packed.json.gz"), "same")


def test_what_was_landed_is_what_the_files_say(
    call_loader: RunLoader, any_database: Database, tmp_path: Path
) -> None:
    expected = landed(call_loader, any_database, tmp_path)
    assert verified(call_loader, any_database) == (0, expected)
    done = call_loader("verify", env=any_database.environment)
    assert done.stdout == "3 of 3 files as landed\n"


def test_real_files_are_as_landed(
    call_loader: RunLoader, database: Database, real_data: Path
) -> None:
    call_loader("push", real_data, env=database.environment)
    code, said = verified(call_loader, database)
    assert (code, set(said.values())) == (0, {"same"})


@pytest.mark.parametrize(
    ("change", "name", "verdict"),
    [
        (lambda d, f: d.rows("delete from raw.documents where part_no = 2"), "parts.json",
         "incomplete"),
        (lambda d, f: d.rows(
            "update raw.documents set document = jsonb_set("
            "document, '{cycles_interpolated,voltage,3}', '9') where part_no = 2"),
         "parts.json", "different"),
        (lambda d, f: write(f / "nan.json", {"a": 1}), "nan.json", "changed"),
        (lambda d, f: write(f / "nan.json", b""), "nan.json", "changed"),
        (lambda d, f: (f / "packed.json.gz").write_bytes(b"\x1f\x8b"), "packed.json.gz", "changed"),
    ],
)  # fmt: skip
def test_what_differs_is_told(
    call_loader: RunLoader,
    database: Database,
    tmp_path: Path,
    change: Change,
    name: str,
    verdict: str,
) -> None:
    expected = landed(call_loader, database, tmp_path)
    change(database, tmp_path)
    assert verified(call_loader, database) == (1, expected | {name: verdict})
    done = call_loader("verify", env=database.environment)
    assert f"{verdict:<10}  file " in done.stdout
    assert "2 of 3 files as landed" in done.stdout


def test_a_file_that_is_gone_is_no_fault(
    call_loader: RunLoader, database: Database, tmp_path: Path
) -> None:
    expected = landed(call_loader, database, tmp_path)
    (tmp_path / "nan.json").unlink()
    assert verified(call_loader, database) == (0, expected | {"nan.json": "gone"})
