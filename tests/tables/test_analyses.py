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
ASKED = f"{{barcode: Twice, cycle_n: 10, cycle_m: 0, reader_role: {READER}}}"


@pytest.fixture(scope="module")
def pipeline(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with built.built(server, tmp_path_factory) as pipeline:
        compiled = pipeline.dbt("compile", "--select", "resource_type:analysis", "--vars", ASKED)
        assert compiled.returncode == 0, compiled.stdout
        yield pipeline


def answer(pipeline: Pipeline, name: str) -> list[tuple[Any, ...]]:
    return pipeline.database.rows(pipeline.analysis(name))


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


def test_predict_cycle_life(pipeline: Pipeline) -> None:
    """Two cells with a life on a line, one of the test set off it, one censored."""
    planted = [(-3.0, 100), (-4.0, 1000), (-3.5, None), (-4.0, 800)]
    database = pipeline.database
    with database.connect() as connection, connection.transaction(force_rollback=True):
        connection.execute("set local session_replication_role = replica")  # no parents needed
        connection.execute("delete from battery.battery_early_features")
        connection.execute("delete from battery.battery_lives")
        for number, (variance, life) in enumerate(planted):
            barcode = "EL150800460514" if life == 800 else f"CELL{number}"
            connection.execute(
                "insert into battery.battery_early_features"
                " (battery_id, barcode, summary_cycles, delta_q_points, delta_q_log_variance)"
                " values (%s, %s, 200, 1000, %s)",
                (number, barcode, variance),
            )
            connection.execute(
                "insert into battery.battery_lives"
                " (battery_id, barcode, cycles_completed, full_cycles, cycle_life,"
                " reached_end_of_life) values (%s, %s, 200, 200, %s, %s)",
                (number, barcode, life or 200, life is not None),
            )
        query = pipeline.analysis("predict_cycle_life")
        rows = connection.execute(query.encode()).fetchall()
    # published life of the test cell: 1,852
    assert [row[:2] for row in rows] == [
        ("EL150800460514", "Prim. Test"), ("CELL0", None), ("CELL1", None), ("CELL2", None),
    ]  # fmt: skip
    test, first, second, censored = rows
    assert test[3:] == pytest.approx((1000, 1852, -852, 852, 100 * 852 / 1852))
    assert first[3:] == pytest.approx((100, 100, 0, 0, 0), abs=1e-6)
    assert second[3:] == pytest.approx((1000, 1000, 0, 0, 0), abs=1e-6)
    assert censored[3] == pytest.approx(10**2.5) and censored[4:6] == (None, None)


def test_worst_internal_resistance(pipeline: Pipeline) -> None:
    rows = answer(pipeline, "worst_internal_resistance")
    assert {row[0] for row in rows} == {"TWICE", "ALONE"}
    assert [row[3] for row in rows] == sorted((row[3] for row in rows), reverse=True)
    assert all(row[3] >= row[2] > 0 for row in rows)


@pytest.fixture
def reader(pipeline: Pipeline) -> Iterator[psycopg.Connection[Any]]:
    database = pipeline.database
    database.rows(f"create role {READER}")
    pipeline.build_tables("--select", "battery_lives", "--vars", ASKED)
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
