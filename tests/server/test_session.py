"""What is set for a server, a database or a role changes nothing, or is refused in a sentence."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg2
import pytest
from conftest import Database, RunLoader, free_port, fresh_database
from pipeline import Pipeline
from psycopg import sql

import loader
from loader.raw.zone import Zone
from loader.server import session
from loader.server.database import (
    DatabaseUnavailable,
    await_server,
    connect,
    environment_of_dbt,
    require_temporary_tables,
)
from loader.server.embedded import Server

SET = {
    "DateStyle": "German, DMY",
    "IntervalStyle": "sql_standard",
    "TimeZone": "America/St_Johns",
    "client_encoding": "LATIN1",
    "search_path": "nowhere",
    "standard_conforming_strings": "off",
    "bytea_output": "escape",
    "extra_float_digits": "-5",
    "array_nulls": "off",
    "transform_null_equals": "on",
    "quote_all_identifiers": "on",
    "default_transaction_isolation": "serializable",
    "enable_hashjoin": "off",
    "jit": "on",
    "statement_timeout": "50ms",
    "lock_timeout": "50ms",
    "idle_in_transaction_session_timeout": "50ms",
    "idle_session_timeout": "1s",
}


@pytest.fixture
def awkward(any_database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A database with settings of its own, and the environment that leads to it."""
    name = sql.Identifier(any_database.environment["PGDATABASE"])
    with any_database.connect() as connection:
        for setting, value in SET.items():
            connection.execute(
                sql.SQL("alter database {} set {} = {}").format(
                    name, sql.Identifier(setting), sql.Literal(value)
                )
            )
    for variable, value in any_database.environment.items():
        monkeypatch.setenv(variable, value)
    return any_database


def test_the_loader_sets_what_it_depends_on(awkward: Database) -> None:
    with connect() as connection:
        assert settings(connection) == wanted(connection)
        moment = connection.execute("select '2020-01-02 03:04:05+00'::timestamptz").fetchone()
        assert moment == (datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC),)
        assert moment[0].utcoffset().total_seconds() == 0
        assert connection.info.encoding == "utf-8"


def test_dbt_gets_the_same(awkward: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """As libpq does, by the way that dbt connects."""
    monkeypatch.setenv("PGOPTIONS", "-c work_mem=7MB -c DateStyle=SQL")
    with connect(autocommit=True) as connection:
        for name, value in environment_of_dbt(connection).items():
            monkeypatch.setenv(name, value)
        other = psycopg2.connect("")
        with other.cursor() as cursor:
            cursor.execute("select name, setting from pg_settings")
            theirs = dict(cursor.fetchall())
            cursor.execute("show client_encoding")
            assert cursor.fetchone() == ("UTF8",)
        other.close()
        expected = wanted(connection)
    assert {name: theirs[name] for name in expected} == expected
    assert theirs["work_mem"] == str(7 * 1024)


def test_no_query_of_a_build_is_compiled_however_dbt_is_started(debian_server: Server) -> None:
    """Debian's server would: most of what a build of small files cost it."""
    with fresh_database(debian_server) as database:
        assert database.rows("select current_setting('jit')") == [("on",)]
        pipeline = Pipeline.create(database)
        with database.connect() as connection:
            Zone(connection).prepare()
        (pipeline.project / "models" / "seen.sql").write_text(
            "{{ config(materialized='incremental') }} select current_setting('jit') as jit"
        )
        pipeline.build_tables("--select", "seen")
        assert database.rows("select jit from battery.seen") == [("off",)]


def test_python_reads_with_the_same(awkward: Database) -> None:
    """On both of its connections: the one that asks for columns and the one that reads."""
    with loader.open() as tables, connect() as connection:
        rows = tables.query("select name, setting from pg_settings").to_pylist()
        expected = wanted(connection)
        assert settings(tables._connection) == expected
    theirs = {row["name"]: row["setting"] for row in rows}
    assert {name: theirs[name] for name in expected} == expected


def settings(connection) -> dict[str, str]:
    rows = connection.execute("select name, setting from pg_settings").fetchall()
    return {name: setting for name, setting in rows if name in session.SETTINGS}


def wanted(connection) -> dict[str, str]:
    """All but what this release of PostgreSQL does not know."""
    known = {name for (name,) in connection.execute("select name from pg_settings")}
    return {name: value for name, value in session.SETTINGS.items() if name in known}


@pytest.fixture(params=["SQL_ASCII", "LATIN1"])
def foreign(request, server) -> Iterator[Database]:
    """A database in another encoding than UTF-8."""
    with fresh_database(server) as database:
        name = f"{database.environment['PGDATABASE']}_foreign"
        database.rows(
            f"create database {name} encoding '{request.param}' locale 'C' template template0"
        )
        yield Database(database.environment | {"PGDATABASE": name})
        database.rows(f"drop database {name} with (force)")


def test_a_database_that_is_not_utf8_is_refused_in_a_sentence(
    foreign: Database, call_loader, tmp_path
) -> None:
    for command in (("push", tmp_path), ("status",), ("build",), ("rejections",)):
        done = call_loader(*command, env=foreign.environment)
        assert done.returncode == 3
        assert done.stdout == ""
        name = foreign.environment["PGDATABASE"]
        assert done.stderr.startswith(f"loader: Database {name} is encoded in ")
        assert done.stderr.endswith("name it in PGDATABASE or DATABASE_URL.\n")
        assert "encoding 'UTF8' template template0" in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_who_may_not_make_temporary_tables_is_told_before_the_build(
    any_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, role = any_database.environment["PGDATABASE"], f"lab-{os.getpid()}"
    any_database.rows(f"revoke temporary on database {name} from public")
    any_database.rows(f'create role "{role}" login')
    try:
        for variable, value in (any_database.environment | {"PGUSER": role}).items():
            monkeypatch.setenv(variable, value)
        with connect(autocommit=True) as connection:
            with pytest.raises(DatabaseUnavailable) as error:
                require_temporary_tables(connection)
            remedy = f'grant temporary on database {name} to "{role}"'
            assert str(error.value).endswith(f"Let its owner say: {remedy}")
            any_database.rows(remedy)
            require_temporary_tables(connection)
    finally:
        any_database.rows(f'drop owned by "{role}"')
        any_database.rows(f'drop role "{role}"')


@pytest.mark.parametrize("name", ["o'brien", 'the "lab"', "50%"])
def test_a_database_whose_name_dbt_cannot_quote_is_told_before_the_build(
    server: Server, call_loader: RunLoader, name: str
) -> None:
    with fresh_database(server, name=name) as database:
        done = call_loader("build", env=database.environment)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (
        "loader: dbt takes no database with a quote or a percent sign in its name: rename "
        f"{name}, or land the files in another.\n"
    )


def test_of_several_hosts_dbt_gets_the_one_that_was_reached(
    any_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = any_database.environment
    several = {"PGHOST": f"/nowhere,{place['PGHOST']}", "PGPORT": f"1,{place['PGPORT']}"}
    for variable, value in (place | several).items():
        monkeypatch.setenv(variable, value)
    with connect(autocommit=True) as connection:
        environment = environment_of_dbt(connection)
    assert {name: environment[name] for name in place} == place


@pytest.fixture
def pooled(server: Server, database: Database, tmp_path: Path) -> Iterator[Database]:
    """The database behind PgBouncer in transaction mode, where that is installed."""
    if not (pooler := shutil.which("pgbouncer")):
        pytest.skip("needs PgBouncer (Debian: pgbouncer)")
    port = free_port()
    tmp_path.chmod(0o755)
    (tmp_path / "users").write_text('"postgres" ""\n')
    (tmp_path / "settings").write_text(
        f"[databases]\n* = user=postgres host={database.environment['PGHOST']}\n[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = any\nauth_file = {tmp_path}/users\npool_mode = transaction\n"
    )
    user = {"user": server.data.stat().st_uid} if os.geteuid() == 0 else {}
    command = [pooler, "settings"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL, **user) as process:
        try:
            place = {"PGHOST": "127.0.0.1", "PGPORT": str(port)}
            yield Database(database.environment | place)
        finally:
            process.terminate()


def test_a_pooler_that_takes_no_options_is_worked_with(
    pooled: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in pooled.environment.items():
        monkeypatch.setenv(variable, value)
    await_server(lambda _: None)
    with connect(autocommit=True) as connection:
        environment = environment_of_dbt(connection)
    with loader.open() as tables:
        assert tables.query("select 1 as one, 'a' as letter").to_pylist() == [
            {"one": 1, "letter": "a"}
        ]
    assert "PGOPTIONS" not in environment
    assert environment["PGPORT"] == pooled.environment["PGPORT"]
