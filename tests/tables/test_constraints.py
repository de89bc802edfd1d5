"""What the published tables guarantee, the database enforces, after every kind of build."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import built
import psycopg
import pytest
import yaml
from conftest import PROJECT
from pipeline import ONLY_TABLES, Pipeline

from loader.server.embedded import Server

MARTS = PROJECT / "dbt_project" / "models" / "marts"
NON_FINITE = ("NaN", "Infinity", "-Infinity")
FOREIGN_KEYS = {
    (f"battery.{child}", "battery.batteries")
    for child in (
        "battery_cycle_differences",
        "battery_cycles_interpolated",
        "battery_diagnostic_points",
        "battery_diagnostic_summaries",
        "battery_early_features",
        "battery_health",
        "battery_lives",
        "battery_points",
        "battery_summaries",
        "battery_trajectories",
    )
}
# statements that break one rule, for the rules whose breach is not told by their kind
BREACHES = {
    "batteries primary key id": """
        insert into battery.batteries select id, 'new', 'p', 1, 1, now() from battery.batteries""",
    "batteries unique barcode": """
        insert into battery.batteries select -id, barcode, 'p', 1, 1, now()
        from battery.batteries""",
    "batteries check cycle_life_is_not_negative": "update battery.batteries set cycle_life = -1",
    "battery_summaries unique battery_id, cycle_index": """
        update battery.battery_summaries set cycle_index = 0""",
    "battery_summaries check cycle_index_is_not_negative": """
        update battery.battery_summaries set cycle_index = -1 - cycle_index""",
    "battery_summaries check paused_is_zero_or_one": """
        update battery.battery_summaries set paused = 2""",
    "battery_diagnostic_summaries unique battery_id, cycle_index": """
        update battery.battery_diagnostic_summaries set cycle_index = 0""",
    "battery_diagnostic_summaries check cycle_index_is_not_negative": """
        update battery.battery_diagnostic_summaries set cycle_index = -1 - cycle_index""",
    "battery_diagnostic_summaries check paused_is_zero_or_one": """
        update battery.battery_diagnostic_summaries set paused = 2""",
    "battery_diagnostic_points check cycle_index_is_not_negative": """
        update battery.battery_diagnostic_points set cycle_index = -1""",
    "battery_points check cycle_index_is_not_negative": """
        update battery.battery_points set cycle_index = -1""",
    "battery_cycles_interpolated check cycle_index_is_not_negative": """
        update battery.battery_cycles_interpolated set cycle_index = -1""",
}


class Constraint(NamedTuple):
    table: str
    kind: str
    name: str  # columns, or the name of a check
    text: str  # what it refers to, or the expression of a check

    def __str__(self) -> str:
        return f"{self.table} {self.kind} {self.name}"


def declared() -> Iterator[Constraint]:
    for path in sorted(MARTS.rglob("*.yml")):
        for model in yaml.safe_load(path.read_text())["models"]:
            for constraint in model["constraints"]:
                name = constraint.get("name") or ", ".join(constraint["columns"])
                text = constraint.get("expression") or constraint.get("to", "")
                yield Constraint(model["name"], constraint["type"].replace("_", " "), name, text)
            for column in model["columns"]:
                for constraint in column.get("constraints", []):
                    kind = constraint["type"].replace("_", " ")
                    yield Constraint(model["name"], kind, column["name"], "")


def breaches(constraint: Constraint) -> list[str]:
    """Statements each of which the constraint, and no other, has to refuse."""
    table = f"battery.{constraint.table}"
    if str(constraint) in BREACHES:
        return [BREACHES[str(constraint)]]
    match constraint.kind:
        case "not null":
            return [f'update {table} set "{constraint.name}" = null']
        case "primary key":
            return [f"insert into {table} select * from {table}"]
        case "foreign key":
            return [f"update {table} set {constraint.name} = -{constraint.name}"]
    column = constraint.name.removesuffix("_is_finite")
    assert column != constraint.name, f"no breach is known for {constraint}"
    return [f"""update {table} set "{column}" = '{value}'""" for value in NON_FINITE]


@pytest.fixture(scope="module")
def pipeline(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with built.built(server, tmp_path_factory) as pipeline:
        yield pipeline


ERRORS = {
    "not null": psycopg.errors.NotNullViolation,
    "primary key": psycopg.errors.UniqueViolation,
    "unique": psycopg.errors.UniqueViolation,
    "foreign key": psycopg.errors.ForeignKeyViolation,
    "check": psycopg.errors.CheckViolation,
}


@pytest.mark.parametrize("constraint", list(declared()), ids=str)
def test_the_database_refuses_what_a_constraint_forbids(
    pipeline: Pipeline, constraint: Constraint
) -> None:
    for statement in breaches(constraint):
        with pytest.raises(ERRORS[constraint.kind]) as refused:
            pipeline.database.rows(statement)
        told = refused.value.diag
        assert told.table_name == constraint.table
        match constraint.kind:
            case "not null":
                assert told.column_name == constraint.name
            case "check":
                assert told.constraint_name == constraint.name
            case _:
                assert told.message_detail is not None
                assert told.message_detail.startswith(f"Key ({constraint.name})=")


def test_the_tables_have_the_constraints_that_are_declared_and_no_others(
    pipeline: Pipeline,
) -> None:
    rows = pipeline.database.rows("""
        select relname::text, kinds.kind,
            case contype when 'c' then conname::text else (
                select string_agg(attname, ', ' order by position)
                from unnest(conkey) with ordinality as keys (attnum, position)
                inner join pg_attribute on attrelid = conrelid and pg_attribute.attnum = keys.attnum
            ) end
        from pg_constraint
        inner join pg_class on pg_class.oid = conrelid
        inner join (
            values
                ('p'::"char", 'primary key'), ('u', 'unique'), ('f', 'foreign key'), ('c', 'check')
        ) as kinds (letter, kind) on kinds.letter = contype
        where relnamespace = 'battery'::regnamespace
        union all
        select relname, 'not null', attname
        from pg_attribute
        inner join pg_class on pg_class.oid = attrelid
        where relnamespace = 'battery'::regnamespace and relkind = 'r' and attnotnull and attnum > 0
    """)
    assert sorted(rows) == sorted((one.table, one.kind, one.name) for one in declared())


def foreign_keys(pipeline: Pipeline) -> set[tuple[Any, ...]]:
    return set(
        pipeline.database.rows("""
            select conrelid::regclass::text, confrelid::regclass::text
            from pg_constraint where contype = 'f' and connamespace = 'battery'::regnamespace
        """)
    )


def test_foreign_keys_and_rows_survive_every_kind_of_build(
    server: Server, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with built.built(server, tmp_path_factory) as pipeline:
        before = pipeline.tables()
        assert foreign_keys(pipeline) == FOREIGN_KEYS
        rebuilds = {
            "a second build": ["--select", "marts"],
            "all anew": ["--full-refresh", "--select", "marts"],
            "a child anew": ["--full-refresh", "--select", "battery_summaries"],
            "the parent anew": ["--full-refresh", "--select", "batteries"],
        }
        for name, options in rebuilds.items():
            pipeline.build_tables(*options)
            assert foreign_keys(pipeline) == FOREIGN_KEYS, name
            assert pipeline.tables() == before, name


def test_foreign_keys_survive_a_battery_that_changes(
    server: Server, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    """A third run, before the two there are, renumbers the battery; the other one stays."""
    with built.built(server, tmp_path_factory) as pipeline:
        before = pipeline.tables()
        earliest = replace(built.TWICE, first_cycle_at=datetime(2016, 1, 1, tzinfo=UTC))
        pipeline.push(*built.write(tmp_path / "new", {"FastCharge_4_structure.json": earliest}))
        pipeline.build_tables(*ONLY_TABLES)
        after = pipeline.tables()
        assert foreign_keys(pipeline) == FOREIGN_KEYS
    assert [row["id"] for row in after["batteries"]] == [1, 2]
    for table in ("battery_summaries", "battery_cycles_interpolated"):
        now = {row["id"]: row for row in after[table]}
        for row in before[table]:
            # the new run has cycles 0 to 20, the last one in its points only
            shift = {"cycle_index": row["cycle_index"] + 21} if row["battery_id"] == 1 else {}
            same = ("id", "battery_id", "cycle_index", "discharge_capacity")
            assert {key: now[row["id"]][key] for key in same} == {
                key: (row | shift)[key] for key in same
            }


def test_a_build_that_meets_a_row_against_a_constraint_names_both(
    server: Server, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with built.built(server, tmp_path_factory) as pipeline:
        pipeline.database.rows("""
            update battery_staging.stg_summaries set charge_capacity = 'NaN' where file_id = 2
        """)
        result = pipeline.dbt("run", "--full-refresh", "--select", "battery_summaries")
        assert result.returncode == 1
        assert (
            'new row for relation "battery_summaries" violates check constraint'
            ' "charge_capacity_is_finite"' in result.stdout
        )
