"""`loader export tables`: files that say what the tables say, read with what people read them."""

import csv
import json
import math
import struct
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import built
import duckdb
import pandas
import polars
import pyarrow as pa
import pytest
from conftest import Database, RunLoader
from disk import disk
from pipeline import ONLY_TABLES, Pipeline
from pyarrow import parquet

from loader import demo
from loader.server.embedded import Server

OF_BATTERIES = ("battery_summaries", "battery_cycles_interpolated")
Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def pipeline(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with built.built(server, tmp_path_factory) as pipeline:
        yield pipeline


@pytest.fixture(scope="module")
def exported(
    run_loader: RunLoader, pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """All tables as Parquet."""
    folder = tmp_path_factory.mktemp("exported") / "tables"
    done = run_loader("export", "tables", folder, env=pipeline.database.environment)
    assert (done.returncode, done.stderr) == (0, "")
    return folder


@pytest.fixture
def export(call_loader: RunLoader, pipeline: Pipeline) -> Callable[..., str]:
    """Exports what is asked for, which must succeed; gives the last line."""

    def run(*args: str | Path) -> str:
        done = call_loader("export", "tables", *args, env=pipeline.database.environment)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()[-1]

    return run


def published(pipeline: Pipeline) -> list[str]:
    query = "select relname from pg_class where relnamespace = 'battery'::regnamespace"
    return [name for (name,) in pipeline.database.rows(f"{query} and relkind in ('r', 'v')")]


def bits(rows: Rows) -> Rows:
    """Rows in the order of their id, numbers as their bits, so that -0.0 is not 0.0."""
    return [
        {
            name: struct.pack("<d", value) if isinstance(value, float) else value
            for name, value in row.items()
        }
        for row in sorted(rows, key=lambda row: str(row.get("id", row)))
    ]


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


# ------------------------------------------------------------------------------------ read back


def by_pyarrow(path: Path) -> Rows:
    table = parquet.read_table(path)
    return list(table.drop_columns(["battery"] if path.is_dir() else []).to_pylist())


def by_polars(path: Path) -> Rows:
    return polars.read_parquet(path, hive_partitioning=False).rows(named=True)


def by_duckdb(path: Path) -> Rows:
    where = f"{path}/*/*.parquet" if path.is_dir() else str(path)
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        query = "select * from read_parquet(?, hive_partitioning = false)"
        answer = connection.execute(query, [where])
        names = [column[0] for column in answer.description or ()]
        return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


def by_pandas(path: Path) -> Rows:
    """As objects, so that a missing whole number stays one."""
    frame = pandas.read_parquet(path, dtype_backend="pyarrow")
    rows = frame.drop(columns="battery" if path.is_dir() else []).to_dict("records")
    return [
        {name: None if value is pandas.NA else value for name, value in row.items()} for row in rows
    ]


@pytest.mark.parametrize("read", [by_pyarrow, by_polars, by_duckdb, by_pandas])
def test_every_table_reads_back_to_the_bit(
    pipeline: Pipeline, exported: Path, read: Callable[[Path], Rows]
) -> None:
    tables = published(pipeline)
    assert {"batteries", *OF_BATTERIES} <= set(tables)
    for name in tables:
        folder = exported / name
        rows = read(folder if folder.is_dir() else exported / f"{name}.parquet")
        expected = pipeline.table(name)
        for row in expected:  # psycopg gives numeric as Decimal
            row |= {k: float(v) for k, v in row.items() if type(v).__name__ == "Decimal"}
        assert bits(rows) == bits(expected), name


def test_types_are_the_databases_own(exported: Path) -> None:
    schema = parquet.read_schema(exported / "battery_summaries" / "battery=1" / "data.parquet")
    assert schema.field("id").type == pa.int64()
    assert schema.field("cycle_index").type == pa.int32()
    assert schema.field("voltage" if "voltage" in schema.names else "charge_energy").type == (
        pa.float64()
    )
    assert schema.field("date_time_iso").type == pa.timestamp("us", "UTC")


def test_a_file_says_what_it_is_of_what_it_means_and_in_which_units(
    pipeline: Pipeline, exported: Path
) -> None:
    query = "select id from battery.batteries where barcode = 'TWICE'"
    ((twice,),) = pipeline.database.rows(query)
    path = exported / "battery_summaries" / f"battery={twice}" / "data.parquet"
    schema = parquet.read_schema(path)
    told = {key.decode(): value.decode() for key, value in schema.metadata.items()}
    assert (told["barcode"], told["battery_id"]) == ("TWICE", str(twice))
    assert json.loads(told["source_files"]) == [
        "FastCharge_1_structure.json",
        "FastCharge_3_structure.json.gz",
    ]
    assert told["description"].startswith("One row per battery and cycle")
    capacity = schema.field("discharge_capacity").metadata
    assert capacity[b"unit"] == b"Ah"
    assert capacity[b"description"].startswith(b"Ah: discharge capacity")


def test_points_are_in_order_in_large_groups_compressed(exported: Path) -> None:
    for path in (exported / "battery_cycles_interpolated").glob("*/data.parquet"):
        rows = parquet.read_table(path, columns=["cycle_index", "id"]).to_pylist()
        assert rows == sorted(rows, key=lambda row: (row["cycle_index"], row["id"]))
        about = parquet.read_metadata(path)
        assert about.num_row_groups == 1
        assert about.row_group(0).column(0).compression == "ZSTD"


def test_csv_has_every_digit_and_its_units_beside_it(
    pipeline: Pipeline, export: Callable[..., str], tmp_path: Path
) -> None:
    export(tmp_path, "--format", "csv")
    about = json.loads((tmp_path / "datapackage.json").read_text())
    resources = {resource["name"]: resource for resource in about["resources"]}
    assert resources.keys() == set(published(pipeline))
    fields = {field["name"]: field for field in resources["battery_summaries"]["schema"]["fields"]}
    assert fields["charge_energy"]["unit"] == "Wh" and "unit" not in fields["cycle_index"]
    for name in OF_BATTERIES:
        read = []
        for path in resources[name]["path"]:
            with (tmp_path / path).open(newline="") as file:
                read += list(csv.DictReader(file))
        expected = pipeline.table(name)
        by_id = {int(row["id"]): row for row in read}
        assert by_id.keys() == {row["id"] for row in expected}
        for row in expected:
            for column, value in row.items():
                text = by_id[row["id"]][column]
                if isinstance(value, float):
                    assert float(text) == value
                elif isinstance(value, bool):
                    assert text == str(value).lower()
                elif isinstance(value, datetime):
                    assert datetime.fromisoformat(text) == value and text.endswith("+00")
                else:
                    assert text == ("" if value is None else str(value))


# ----------------------------------------------------------------------------- what is asked for


def test_chosen_batteries_only(
    pipeline: Pipeline, export: Callable[..., str], tmp_path: Path
) -> None:
    export(tmp_path, "--battery", "twice")
    about = parquet.read_table(tmp_path / "batteries.parquet").to_pylist()
    assert [row["barcode"] for row in about] == ["TWICE"]
    for name in OF_BATTERIES:
        (path,) = (tmp_path / name).glob("*/data.parquet")
        ids = set(parquet.read_table(path)["battery_id"].to_pylist())
        assert ids == {about[0]["id"]}


def test_batteries_of_which_a_file_landed_since(
    pipeline: Pipeline, export: Callable[..., str], call_loader: RunLoader, tmp_path: Path
) -> None:
    rows = pipeline.database.rows("select max(loaded_at) from battery.battery_files")
    latest = rows[0][0].astimezone(UTC)
    export(tmp_path / "a", "--since", latest.isoformat())
    assert parquet.read_metadata(tmp_path / "a" / "batteries.parquet").num_rows == 1
    export(tmp_path / "b", "--since", "1h")
    assert parquet.read_metadata(tmp_path / "b" / "batteries.parquet").num_rows == 2
    env = pipeline.database.environment
    none = call_loader("export", "tables", tmp_path / "c", "--since", "2999-01-01", env=env)
    assert (none.returncode, none.stdout) == (2, "")
    assert "no file has landed of all batteries since 2999-01-01" in none.stderr
    assert not (tmp_path / "c").exists()


# -------------------------------------------------------------------------------- a second export


def test_a_second_export_writes_only_what_is_new(
    server: Server, tmp_path_factory: pytest.TempPathFactory, call_loader: RunLoader, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with built.built(server, tmp_path_factory) as own:
        env = own.database.environment

        def export() -> str:
            done = call_loader("export", "tables", out, env=env)
            assert done.returncode == 0, done.stderr
            return done.stdout.strip()

        first = export()
        count = len(list(out.rglob("*.parquet")))
        assert first == f"wrote {count} files to {out}"
        before = {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")}
        assert export() == f"wrote 0 files to {out}, {count} unchanged"
        assert {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")} == before

        own.push(*built.write(tmp_path / "new", {"FastCharge_9_structure.json": NEW}))
        own.build_tables(*ONLY_TABLES, "+battery_files")
        said = export()
        after = {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")}
        changed = {
            path.relative_to(out).parts[0]
            for path in after
            if path in before and after[path] != before[path]
        }
        new = {path.relative_to(out).parts[0] for path in after.keys() - before.keys()}
        assert new == set(OF_BATTERIES)  # the new battery's
        assert not changed & set(OF_BATTERIES)  # the others are as they were
        assert {"batteries.parquet", "battery_files.parquet"} <= changed
        assert said.startswith(f"wrote {len(changed) + 2} files to {out}, ")
        assert len(by_pyarrow(out / "battery_summaries")) == len(own.table("battery_summaries"))

        own.exclude({"FastCharge_9_structure.json": "to see it go"})
        own.build_tables(*ONLY_TABLES, "+battery_files")
        assert export().endswith(", 2 removed")
        assert {path.parent for path in out.rglob("data.parquet")} == {
            path.parent for path in before if path.name == "data.parquet"
        }
        assert not any((out / name / "battery=9").exists() for name in OF_BATTERIES)

        missing = next(out.glob("battery_summaries/*/data.parquet"))
        missing.unlink()
        assert export() == f"wrote 1 file to {out}, {count - 1} unchanged"
        assert missing.exists()


NEW = demo.Run(
    barcode="new",
    channel_id=3,
    first_cycle_at=datetime(2019, 1, 1, tzinfo=UTC),
    life=20,
    cycle_count=12,
    interpolated=(1,),
    points_per_step=100,
)


def test_a_folder_holds_one_export(
    pipeline: Pipeline, call_loader: RunLoader, exported: Path, tmp_path: Path
) -> None:
    env = pipeline.database.environment
    before = files(exported)
    for args in (["--format", "csv"], ["--battery", "TWICE"]):
        done = call_loader("export", "tables", exported, *args, env=env)
        assert (done.returncode, done.stdout) == (2, "")
        assert "holds an export of parquet: all batteries; take another folder" in done.stderr
    assert files(exported) == before
    (tmp_path / "datapackage.json").write_text('{"name": "somebody\'s own"}')
    done = call_loader("export", "tables", tmp_path, env=env)
    assert (done.returncode, done.stdout) == (2, "")
    assert "datapackage.json is of another program" in done.stderr
    assert list(files(tmp_path)) == ["datapackage.json"]


# ----------------------------------------------------------------------------------- what can fail


def test_a_battery_that_is_not_there_names_those_that_are_near(
    pipeline: Pipeline, call_loader: RunLoader, tmp_path: Path
) -> None:
    args = ("export", "tables", tmp_path / "out", "--battery", "twiec")
    done = call_loader(*args, env=pipeline.database.environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "loader: no battery is named TWIEC; there is TWICE and 1 more\n"
    assert not (tmp_path / "out").exists()


def test_tables_that_are_not_built_yet_are_told(
    database: Database, call_loader: RunLoader, tmp_path: Path
) -> None:
    for form in ("parquet", "csv", "bdf"):
        args = ("export", "tables", tmp_path / "out", "--format", form)
        done = call_loader(*args, env=database.environment)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("loader: battery.batteries is not built yet")
        assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_told(
    pipeline: Pipeline, call_loader: RunLoader, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    env = pipeline.database.environment
    for folder, why in (
        (tmp_path / "file", "File exists"),
        (tmp_path / "file" / "in", "Not a directory"),
        (Path("/proc/nowhere"), "No such file or directory"),
    ):
        done = call_loader("export", "tables", folder, env=env)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"loader: {folder}: {why}\n"


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_a_full_disk_leaves_no_half_file_and_the_next_export_goes_on(
    pipeline: Pipeline, call_loader: RunLoader, tmp_path: Path, form: str
) -> None:
    env = pipeline.database.environment
    whole, small = tmp_path / "whole", tmp_path / "small"
    call_loader("export", "tables", whole, "--format", form, env=env)
    small.mkdir()
    with disk(small) as resize:
        resize(48 * 1024)
        done = call_loader("export", "tables", small, "--format", form, env=env)
        assert (done.returncode, done.stdout) == (2, "")
        assert (
            done.stderr.endswith(": No space left on device\n") and "Traceback" not in done.stderr
        )
        assert str(small) in done.stderr
        there, all_of_it = files(small), files(whole)
        data = there.keys() - {"datapackage.json"}
        assert data and data < all_of_it.keys()
        assert {name: there[name] for name in data} == {name: all_of_it[name] for name in data}
        resize(1 << 24)
        done = call_loader("export", "tables", small, "--format", form, env=env)
        assert done.returncode == 0, done.stderr
        assert {name: files(small)[name] for name in all_of_it} == all_of_it


def test_an_export_that_is_killed_leaves_no_half_file(
    pipeline: Pipeline, run_loader: RunLoader, exported: Path, tmp_path: Path
) -> None:
    """Killed as it writes a file: the file is not there, and the next export brings it."""
    code = """
import os, pyarrow.parquet as parquet
write = parquet.ParquetWriter.write_table
def kill(self, table, *args, **kwargs):
    write(self, table)
    if "voltage" in table.column_names:
        os.kill(os.getpid(), 9)
parquet.ParquetWriter.write_table = kill
"""
    (tmp_path / "sitecustomize.py").write_text(code)
    env = pipeline.database.environment
    out = tmp_path / "out"
    killed = run_loader("export", "tables", out, env=env | {"PYTHONPATH": str(tmp_path)})
    assert killed.returncode == -9
    assert not list(out.glob("battery_cycles_interpolated/*/data.parquet"))
    assert run_loader("export", "tables", out, env=env).returncode == 0
    assert files(out) == files(exported)


# ---------------------------------------------------------------------------------------------- BDF


def test_bdf_is_a_file_a_run_in_time_order_with_its_own_cycles(
    pipeline: Pipeline, call_loader: RunLoader, tmp_path: Path
) -> None:
    args = ("export", "tables", tmp_path, "--format", "bdf")
    done = call_loader(*args, env=pipeline.database.environment)
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        f"loader: FastCharge_{n}: no test_time, which BDF wants; left out"
        for n in ("1_structure.json", "3_structure.json.gz")
    ]
    (path,) = tmp_path.glob("*.bdf.parquet")
    assert path.name.startswith("unknown__ALONE__20180101_")
    table = parquet.read_table(path)
    assert set(table.column_names) >= {
        "Test Time / s",
        "Voltage / V",
        "Current / A",
        "Cycle Count / 1",
        "Cycle Charging Capacity / Ah",
        "Record Index / 1",
    }
    name = "FastCharge_2_structure.json"
    (source,) = built.write(tmp_path / "source", {name: built.RUNS[name]})
    document = json.loads(source.read_text())["cycles_interpolated"]
    measured = (document[name] for name in ("test_time", "voltage", "current"))
    known = [row for row in zip(*measured, strict=True) if not any(map(math.isnan, row))]
    known.sort(key=lambda row: row[0])
    columns = [table[name].to_pylist() for name in ("Test Time / s", "Voltage / V", "Current / A")]
    assert list(zip(*columns, strict=True)) == known and known
    assert set(table["Cycle Count / 1"].to_pylist()) == set(document["cycle_index"])
    assert table["Record Index / 1"].to_pylist() == list(range(1, table.num_rows + 1))
    beside = json.loads(
        path.with_name(path.name.replace(".bdf.parquet", ".metadata.json")).read_text()
    )
    assert beside["cell"] == "ALONE" and beside["source_file"] == "FastCharge_2_structure.json"
    assert "interpolated" in beside["rows"]
    again = call_loader(*args, env=pipeline.database.environment)
    assert again.stdout == f"wrote 0 files to {tmp_path}, 2 unchanged\n"
    assert again.stderr == done.stderr


def test_bdf_of_nothing_ends_with_1(
    pipeline: Pipeline, call_loader: RunLoader, tmp_path: Path
) -> None:
    args = ("export", "tables", tmp_path, "--format", "bdf", "--battery", "twice")
    done = call_loader(*args, env=pipeline.database.environment)
    assert (done.returncode, done.stdout) == (1, f"wrote 0 files to {tmp_path}\n"), done.stderr
    assert list(files(tmp_path)) == ["datapackage.json"]
