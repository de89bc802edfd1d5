"""The pipeline under roles that may do no more than they must, and what they may not."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import built
import psycopg
import pytest
from conftest import Database, RunLoader
from pipeline import ONLY_TABLES, TABLES, Pipeline

ROLES = ("battery_loader", "battery_transformer", "battery_reader")

FORBIDDEN = {
    "battery_loader": [
        "select from battery.batteries",
        "insert into battery.batteries (id) values (1)",
        "drop table battery.battery_summaries",
        "select from battery_staging.stg_part_sections",
        "update raw.documents set part_no = 9",
        "delete from raw.documents",
        "truncate raw.documents cascade",
        "delete from raw.files",
        "drop table raw.documents",
        "alter table raw.files add column mine integer",
        "create table raw.mine ()",
        "create schema mine",
        "create role mine",
    ],
    "battery_transformer": [
        "insert into raw.files default values",
        "update raw.files set name = ''",
        "delete from raw.files",
        "delete from raw.documents",
        "update raw.rejections set reason = ''",
        "truncate raw.documents cascade",
        "drop table raw.paths",
        "create table raw.mine ()",
        "create schema mine",
        "create role mine",
    ],
    "battery_reader": [
        "select from raw.files",
        "select from raw.documents",
        "select from raw.rejections",
        "select from battery_staging.stg_part_sections",
        "insert into battery.batteries (id) values (1)",
        "update battery.battery_summaries set paused = 0",
        "delete from battery.battery_cycles_interpolated",
        "truncate battery.battery_summaries",
        "drop table battery.batteries cascade",
        "create table battery.mine ()",
        "create schema mine",
        "create role mine",
    ],
}


@dataclass
class Office:
    """A database of which each of three people may do a part."""

    database: Database
    people: dict[str, str]

    def environment(self, role: str) -> dict[str, str]:
        return self.database.environment | {"PGUSER": self.people[role]}

    def tries(self, role: str, statement: str) -> None:
        with self.database.connect(autocommit=False) as connection:
            connection.execute(f"set session authorization {self.people[role]}")
            if role == "battery_transformer":
                connection.execute("set role battery_transformer")
            connection.execute(statement)
            connection.rollback()


@pytest.fixture
def office(any_database: Database, call_loader: RunLoader) -> Iterator[Office]:
    for _ in range(2):  # the second time changes nothing
        done = call_loader("init", "--roles", env=any_database.environment)
        assert (done.returncode, done.stderr) == (0, "")
    people = {role: f"{role}_{os.getpid()}" for role in ROLES}
    for role, name in people.items():
        any_database.rows(f"create role {name} login in role {role}")
    builder = people["battery_transformer"]
    any_database.rows(f"alter role {builder} set role to battery_transformer")
    yield Office(any_database, people)
    for name in (*people.values(), *ROLES):
        any_database.rows(f"drop owned by {name} cascade")
    for name in (*people.values(), *ROLES):
        any_database.rows(f"drop role {name}")


def test_everyone_does_their_part_and_no_more(
    office: Office, call_loader: RunLoader, tmp_path: Path
) -> None:
    pipeline = Pipeline.create(office.database)
    files = built.write(tmp_path / "data")
    loads, builds, reads = (office.environment(role) for role in ROLES)
    pipeline.database = Database(builds)
    for some, build in ((files[:2], pipeline.build_tables), (files, pipeline.build)):
        done = call_loader("push", "--settle", "0", *some, env=loads)
        assert (done.returncode, done.stderr) == (0, "")
        build()  # the second time with the data tests
    pipeline.build_tables("--full-refresh", *ONLY_TABLES)
    done = call_loader("status", env=loads)
    assert "3 files in 3 parts" in done.stdout and done.returncode == 0
    page = tmp_path / "report.html"
    done = call_loader("report", "-o", page, env=reads)
    assert (done.returncode, done.stderr) == (0, "")
    assert "TWICE" in page.read_text()
    with psycopg.connect(**libpq(reads)) as connection:
        for table in TABLES:
            assert connection.execute(f"select count(*) from battery.{table}").fetchone() != (0,)

    for role, statements in FORBIDDEN.items():
        for statement in statements:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                office.tries(role, statement)


def libpq(environment: dict[str, str]) -> dict[str, Any]:
    return {
        "host": environment["PGHOST"],
        "port": environment["PGPORT"],
        "user": environment["PGUSER"],
        "dbname": environment["PGDATABASE"],
    }


def test_tables_built_before_go_to_the_transformer(
    database: Database, call_loader: RunLoader, tmp_path: Path
) -> None:
    pipeline = Pipeline.create(database)
    pipeline.push(*built.write(tmp_path / "data"))
    pipeline.build_tables()
    assert call_loader("init", "--roles", env=database.environment).returncode == 0
    try:
        owners = database.rows(
            "select distinct relowner::regrole::text from pg_class"
            " where relnamespace in ('battery'::regnamespace, 'battery_staging'::regnamespace)"
        )
        assert owners == [("battery_transformer",)]
    finally:
        drop_roles(database)


def test_schemas_made_by_an_administrator_are_enough(
    any_database: Database, call_loader: RunLoader, tmp_path: Path
) -> None:
    """Managed servers: nobody but the administrator may create anything in the database."""
    with login(any_database) as lab:
        any_database.rows(f"create schema raw authorization {lab}")
        files = built.write(tmp_path / "data")
        environment = any_database.environment | {"PGUSER": lab}
        done = call_loader("push", "--settle", "0", files[0], env=environment)
        assert (done.returncode, done.stderr) == (0, "")
        assert any_database.rows("select name from raw.files") == [(files[0].name,)]


def test_a_schema_that_one_may_but_use_is_enough(
    any_database: Database, call_loader: RunLoader, tmp_path: Path
) -> None:
    with login(any_database) as lab:
        any_database.rows("create schema raw")
        any_database.rows("comment on schema raw is 'of the administrator'")
        any_database.rows(f"grant usage, create on schema raw to {lab}")
        done = call_loader("init", env=any_database.environment | {"PGUSER": lab})
        assert (done.returncode, done.stderr) == (0, "")
        assert any_database.rows("select obj_description('raw'::regnamespace, 'pg_namespace')") == [
            ("of the administrator",)
        ]


def test_roles_have_their_rights_on_what_an_upgrade_adds(
    database: Database, call_loader: RunLoader
) -> None:
    try:
        assert call_loader("init", "--roles", env=database.environment).returncode == 0
        database.rows("drop table raw.exclusions")
        database.rows("comment on table raw.files is 'Layout of an older release.'")
        assert call_loader("init", env=database.environment).returncode == 0
        assert database.rows(
            "select has_table_privilege('battery_loader', 'raw.exclusions', 'insert'),"
            " has_table_privilege('battery_transformer', 'raw.exclusions', 'select'),"
            " has_table_privilege('battery_transformer', 'raw.exclusions', 'insert'),"
            " has_table_privilege('battery_loader', 'raw.documents', 'update')"
        ) == [(True, True, False, False)]
    finally:
        drop_roles(database)


def test_the_owner_of_a_database_who_may_create_roles_sets_them_up(
    any_database: Database, call_loader: RunLoader
) -> None:
    """Whoever builds then, the reader reads what comes."""
    with login(any_database, "createrole") as owner, login(any_database) as builder:
        name = any_database.environment["PGDATABASE"]
        any_database.rows(f"alter database {name} owner to {owner}")
        try:
            environment = any_database.environment | {"PGUSER": owner}
            done = call_loader("init", "--roles", env=environment)
            assert (done.returncode, done.stderr) == (0, "")
            any_database.rows(f"grant battery_transformer to {builder}")
            for maker in (owner, "battery_transformer", builder):
                done = call_loader("init", "--roles", env=any_database.environment)
                with any_database.connect() as connection:
                    connection.execute(f"set session authorization {maker}")
                    connection.execute(f"create table battery.{maker} ()")
                assert any_database.rows(
                    "select has_table_privilege('battery_reader', %s, 'select')",
                    f"battery.{maker}",
                ) == [(True,)]
        finally:
            any_database.rows(f"alter database {name} owner to postgres")
            any_database.rows(f"drop owned by {owner} cascade")
            any_database.rows(f"drop owned by {builder} cascade")
            drop_roles(any_database)


@contextmanager
def login(database: Database, options: str = "") -> Iterator[str]:
    """A role that may log in and nothing else but what its options say."""
    name = f"lab_{uuid.uuid4().hex[:12]}"
    database.rows(f"create role {name} login {options}")
    try:
        yield name
    finally:
        database.rows(f"drop owned by {name} cascade")
        database.rows(f"drop role {name}")


def drop_roles(database: Database) -> None:
    for role in ROLES:
        database.rows(f"drop owned by {role} cascade")
    for role in ROLES:
        database.rows(f"drop role {role}")


def test_a_loader_that_may_not_lay_out_says_who_may(
    database: Database, call_loader: RunLoader, tmp_path: Path
) -> None:
    name = f"nobody_{os.getpid()}"
    database.rows(f"create role {name} login")
    try:
        done = call_loader("init", env=database.environment | {"PGUSER": name})
    finally:
        database.rows(f"drop role {name}")
    assert done.returncode == 3
    assert "Run `loader init` as the owner of the database." in done.stderr


def test_who_may_not_use_what_is_laid_out_is_told_how_to_be_let(
    database: Database, call_loader: RunLoader
) -> None:
    assert call_loader("init", env=database.environment).returncode == 0
    with login(database) as lab:
        for command in ("rejections", "exclusions", "status"):
            done = call_loader(command, env=database.environment | {"PGUSER": lab})
            assert done.returncode == 3
            assert "loader: the database refused: permission denied for schema raw" in done.stderr
            assert "`loader init --roles`" in done.stderr
