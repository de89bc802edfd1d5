"""The questions people ask first have SQL that runs; a reader can ask them and change nothing."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import built
import psycopg
import pytest
from pipeline import Pipeline

from loader.server.embedded import Server

READER = "reader_of_tests"
ASKED = "{barcode: Twice, cycle_n: 10, cycle_m: 0}"


@pytest.fixture(scope="module")
def pipeline(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with built.built(server, tmp_path_factory) as pipeline:
        compiled = pipeline.dbt("compile", "--vars", ASKED)
        assert compiled.returncode == 0, compiled.stdout
        yield pipeline


def answer(pipeline: Pipeline, name: str) -> list[tuple[Any, ...]]:
    compiled = pipeline.project / "target" / "compiled" / "battery_elt" / "analyses"
    return pipeline.database.rows((compiled / f"{name}.sql").read_text())


def test_every_analysis_is_tried_here(pipeline: Pipeline) -> None:
    tried = {name.removeprefix("test_") for name in globals()}
    assert {path.stem for path in (pipeline.project / "analyses").glob("*.sql")} <= tried


def test_capacity_fade_of_one_cell(pipeline: Pipeline) -> None:
    rows = answer(pipeline, "capacity_fade_of_one_cell")
    # 20 cycles in each of two runs, without formation cycle 0; the cell's life is 30
    assert [cycle for cycle, *_ in rows] == [*range(1, 20), *range(21, 41)]
    assert {row[3:] for row in rows} == {(31, True)}
    below = [cycle for cycle, _, share, *_ in rows if share < Decimal("0.8")]
    assert below == list(range(31, 41))


def test_life_by_protocol(pipeline: Pipeline) -> None:
    rows = answer(pipeline, "life_by_protocol")
    assert sum(row[1] for row in rows) == 2
    assert [row[2:] for row in rows] == [(2, 25.5, 20, 31)]


def test_voltage_curve_of_two_cycles(pipeline: Pipeline) -> None:
    rows = answer(pipeline, "voltage_curve_of_two_cycles")
    voltages = [voltage for voltage, *_ in rows]
    assert voltages == sorted(voltages, reverse=True) and len(voltages) == 10
    for _, capacity_n, capacity_m, difference in rows:
        assert difference == capacity_n - capacity_m


def test_worst_internal_resistance(pipeline: Pipeline) -> None:
    rows = answer(pipeline, "worst_internal_resistance")
    assert {row[0] for row in rows} == {"TWICE", "ALONE"}
    assert [row[3] for row in rows] == sorted((row[3] for row in rows), reverse=True)
    assert all(row[3] >= row[2] > 0 for row in rows)


@pytest.fixture
def reader(pipeline: Pipeline) -> Iterator[psycopg.Connection[Any]]:
    database = pipeline.database
    database.rows(f"create role {READER}")
    granted = pipeline.dbt("run", "--vars", f"reader_role: {READER}")
    assert granted.returncode == 0, granted.stdout
    with database.connect() as connection:
        connection.execute(f"set role {READER}")
        yield connection
    database.rows(f"drop owned by {READER}")
    database.rows(f"drop role {READER}")


def test_a_reader_reads_the_published_tables_and_nothing_else(
    pipeline: Pipeline, reader: psycopg.Connection[Any]
) -> None:
    tables = pipeline.database.rows("select relid::regclass from pg_stat_user_tables")
    for (table,) in tables:
        if table.startswith("battery."):
            reader.execute(f"select from {table} limit 1")
        else:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(f"select from {table} limit 1")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        reader.execute("delete from battery.batteries")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        reader.execute("create table battery.mine ()")
