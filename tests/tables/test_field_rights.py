"""Who was let in to read stays let in, whoever builds and whatever the roles are called."""

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


@contextmanager
def role(database: Database, name: str) -> Iterator[str]:
    quoted = sql.Identifier(name)
    with database.connect() as connection:
        connection.execute(sql.SQL("create role {} login").format(quoted))
        yield name
        connection.execute(sql.SQL("drop owned by {} cascade").format(quoted))
        connection.execute(sql.SQL("drop role {}").format(quoted))


@pytest.fixture
def pipeline(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with built.built(server, tmp_path_factory) as pipeline:
        yield pipeline


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


@pytest.mark.parametrize("name", ["ana-lyst", "Ada", 'O"Brien', "O'Brien", "select"])
def test_a_reader_role_reads_all_whatever_its_name(pipeline: Pipeline, name: str) -> None:
    with role(pipeline.database, name + uuid.uuid4().hex[:6]) as reader:
        pipeline.build_tables("--select", "marts", "--vars", f"reader_role: {reader!r}")
        assert readable(pipeline, reader) == PUBLISHED


def test_a_reader_role_reads_on_after_builds_that_do_not_name_it(pipeline: Pipeline) -> None:
    with role(pipeline.database, f"r_{uuid.uuid4().hex}") as reader:
        pipeline.build_tables("--select", "marts", "--vars", f"reader_role: {reader}")
        for arguments in ([], ["--full-refresh", "--select", "marts"]):
            pipeline.build_tables(*arguments)
            assert readable(pipeline, reader) == PUBLISHED


def test_a_role_that_is_not_there_stops_no_table(pipeline: Pipeline) -> None:
    pipeline.database.rows("delete from battery.battery_lives")
    output = pipeline.build("--vars", "reader_role: nobody-here")
    assert "there is no role nobody-here" in " ".join(output.split())
    assert len(pipeline.table("battery_lives")) == 2


def test_what_others_granted_is_not_taken_back(pipeline: Pipeline) -> None:
    with ExitStack() as stack:
        mine, theirs = (
            stack.enter_context(role(pipeline.database, f"r_{uuid.uuid4().hex}")) for _ in range(2)
        )
        pipeline.database.rows(f"grant usage on schema battery to {theirs}")
        pipeline.database.rows(f"grant select on all tables in schema battery to {theirs}")
        pipeline.build("--vars", f"reader_role: {mine}")
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
        for builder, lost in (
            (environment["PGUSER"], "battery.battery_lives"),
            (ana, "battery.unmapped_columns"),
            (ben, "battery.battery_files"),
        ):
            pipeline.database.rows(f"drop table {lost}")
            by = Pipeline(Database(environment | {"PGUSER": builder}), pipeline.project)
            by.build()
            assert readable(pipeline, reader) == PUBLISHED
