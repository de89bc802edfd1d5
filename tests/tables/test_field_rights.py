"""Who was let in to read stays let in, whoever builds and whatever the roles are called."""

import json
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import built
import pytest
from conftest import PROJECT, Database, RunLoader
from pipeline import Pipeline
from psycopg import sql

from loader.server.embedded import Server

MARTS = PROJECT / "dbt_project" / "models" / "marts"
PUBLISHED = {path.stem for path in MARTS.rglob("*.sql")}
ROLES = ("battery_loader", "battery_transformer", "battery_reader")
READER = """Ada-O"Brien's"""
OTHER_NAMES = ("ana-lyst", "Ada", 'O"Brien', "O'Brien", "select")


@contextmanager
def role(database: Database, name: str) -> Iterator[str]:
    quoted = sql.Identifier(name)
    with database.connect() as connection:
        connection.execute(sql.SQL("create role {} login").format(quoted))
        yield name
        connection.execute(sql.SQL("drop owned by {} cascade").format(quoted))
        connection.execute(sql.SQL("drop role {}").format(quoted))


@pytest.fixture(scope="module")
def pipeline(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with built.built(server, tmp_path_factory) as pipeline:
        yield pipeline


def naming(reader: str) -> tuple[str, ...]:
    """Of a build of one table that lets a role read all; dbt reads the project anew for it."""
    beside = ("--target-path", "target_of_readers")  # what it has read without the role stays
    return ("--select", "battery_lives", "--vars", json.dumps({"reader_role": reader}), *beside)


def readable(pipeline: Pipeline, name: str) -> set[str]:
    """The published tables that a role may read."""
    rows = pipeline.database.rows(
        """
        select relname from pg_class
        where relnamespace = 'battery'::regnamespace and relkind = 'r'
            and has_schema_privilege(%s, relnamespace, 'usage')
            and has_table_privilege(%s, oid, 'select')
        """,
        name,
        name,
    )
    return {table for (table,) in rows}


def test_a_role_that_is_not_there_stops_no_table(pipeline: Pipeline) -> None:
    pipeline.database.rows("delete from battery.battery_lives")
    output = pipeline.build_tables(*naming(READER))
    assert f"there is no role {READER}" in " ".join(output.split())
    assert len(pipeline.table("battery_lives")) == 2


@pytest.mark.parametrize(
    "name", [READER, *(pytest.param(name, marks=pytest.mark.nightly) for name in OTHER_NAMES)]
)
def test_a_reader_role_reads_all_whatever_its_name(pipeline: Pipeline, name: str) -> None:
    with role(pipeline.database, name) as reader:
        pipeline.build_tables(*naming(reader))
        assert readable(pipeline, reader) == PUBLISHED


def test_where_no_reader_is_named_no_role_called_none_gets_a_right(pipeline: Pipeline) -> None:
    with role(pipeline.database, "None"):
        pipeline.build_tables("--select", "battery_lives")
        assert pipeline.database.rows(
            "select count(*) from pg_class where relacl::text like '%None%'"
        ) == [(0,)]


def test_a_reader_role_reads_on_after_builds_that_do_not_name_it(pipeline: Pipeline) -> None:
    with role(pipeline.database, READER) as reader:
        pipeline.build_tables(*naming(reader))
        for arguments in ([], ["--full-refresh", "--select", "marts"]):
            pipeline.build_tables(*arguments)
            assert readable(pipeline, reader) == PUBLISHED


def test_what_others_granted_is_not_taken_back(pipeline: Pipeline) -> None:
    with role(pipeline.database, READER) as mine, role(pipeline.database, "theirs") as theirs:
        pipeline.database.rows(f"grant usage on schema battery to {theirs}")
        pipeline.database.rows(f"grant select on all tables in schema battery to {theirs}")
        pipeline.build_tables(*naming(mine))
        pipeline.build_tables("--select", "marts")
        assert readable(pipeline, theirs) == PUBLISHED


def test_the_roles_of_the_loader_hold_whoever_builds(
    pipeline: Pipeline, run_loader: RunLoader
) -> None:
    """Built by a superuser, then by one member of the transformer, then by another."""
    environment = pipeline.database.environment
    with ExitStack() as stack:
        ana, ben, reader = (
            stack.enter_context(role(pipeline.database, f"{name}_{uuid.uuid4().hex[:8]}"))
            for name in ("ana", "ben", "reader")
        )
        assert run_loader("init", "--roles", env=environment).returncode == 0
        for name in ROLES:
            stack.callback(pipeline.database.rows, f"drop role {name}")
        for name in ROLES:
            stack.callback(pipeline.database.rows, f"drop owned by {name} cascade")
        pipeline.database.rows(f"grant battery_transformer to {ana}, {ben}")
        pipeline.database.rows(f"grant battery_reader to {reader}")
        for builder, lost, *selected in (
            (environment["PGUSER"], "battery_lives", "--select", "battery_lives"),
            (ana, "unmapped_columns"),
            (ben, "battery_files", "--select", "marts"),
        ):
            pipeline.database.rows(f"drop table battery.{lost}")
            by = Pipeline(Database(environment | {"PGUSER": builder}), pipeline.project)
            by.build(*selected)
            assert readable(pipeline, reader) == PUBLISHED
