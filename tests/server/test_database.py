"""Which database: DATABASE_URL, PG*, or the embedded server."""

import getpass
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import PROJECT, Database

from loader.server import database as loader_database
from loader.server.database import (
    DatabaseUnavailable,
    connect,
    connection_environment,
    uses_embedded,
)
from loader.server.embedded import Server


def test_without_any_setting_the_embedded_server_is_used(server: Server):
    assert uses_embedded()
    assert connection_environment() == server.environment()
    with connect() as connection:
        assert connection.info.dbname == "battery"
        assert connection.execute("show application_name").fetchone() == ("battery-elt loader",)


@pytest.mark.parametrize("name", ["DATABASE_URL", *loader_database.CONNECTION_VARIABLES])
def test_any_setting_that_names_a_server_turns_the_embedded_one_off(name: str, monkeypatch):
    monkeypatch.setenv(name, "x")
    assert not uses_embedded()


@pytest.mark.parametrize("name", ["PGSSLMODE", "PGOPTIONS", "PGAPPNAME", "PGPASSFILE", "PGDATA"])
def test_a_setting_that_names_no_server_leaves_it_on(name: str, monkeypatch):
    monkeypatch.setenv(name, "x")
    assert uses_embedded()


def test_a_setting_that_is_empty_counts_as_unset(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "")
    monkeypatch.setenv("PGHOST", "")
    assert uses_embedded()


def test_the_variables_of_loader_db_env_name_the_embedded_server(server: Server, monkeypatch):
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    assert uses_embedded()
    monkeypatch.setenv("PGDATABASE", "another")
    assert not uses_embedded()


def test_without_start_nothing_is_started(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("BATTERY_HOME", str(tmp_path / "home"))
    environment = connection_environment(start=False)
    assert sorted(environment) == ["PGDATABASE", "PGHOST", "PGPORT", "PGUSER"]
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "postgresql://ann:p%40ss%3A%2F%25@db.example.org:6543/cells",
            {
                "PGHOST": "db.example.org",
                "PGPORT": "6543",
                "PGUSER": "ann",
                "PGPASSWORD": "p@ss:/%",
                "PGDATABASE": "cells",
            },
        ),
        (
            "postgres://ann@[::1]/c%20d?sslmode=verify-full&connect_timeout=3",
            {
                "PGHOST": "::1",
                "PGPORT": "5432",
                "PGUSER": "ann",
                "PGDATABASE": "c d",
                "PGSSLMODE": "verify-full",
                "PGCONNECT_TIMEOUT": "3",
            },
        ),
        (
            "postgresql://ann@/cells?host=/var/run/my%20server&port=5433",
            {
                "PGHOST": "/var/run/my server",
                "PGPORT": "5433",
                "PGUSER": "ann",
                "PGDATABASE": "cells",
            },
        ),
        (
            "postgresql://ann@%2Frun%2Fpg/cells",
            {"PGHOST": "/run/pg", "PGPORT": "5432", "PGUSER": "ann", "PGDATABASE": "cells"},
        ),
        (
            "host=db.example.org user=ann password='a b'",
            {
                "PGHOST": "db.example.org",
                "PGPORT": "5432",
                "PGUSER": "ann",
                "PGPASSWORD": "a b",
                "PGDATABASE": "ann",
            },
        ),
    ],
)
def test_a_connection_url_is_taken_apart(url: str, expected: dict[str, str], monkeypatch):
    monkeypatch.setenv("DATABASE_URL", url)
    assert connection_environment() == expected


def test_pg_variables_are_kept_and_completed(monkeypatch):
    monkeypatch.setenv("PGHOST", "db.example.org")
    monkeypatch.setenv("PGPASSWORD", "secret")
    monkeypatch.setenv("PGSSLMODE", "require")
    user = getpass.getuser()
    assert connection_environment() == {
        "PGHOST": "db.example.org",
        "PGPORT": "5432",
        "PGUSER": user,
        "PGPASSWORD": "secret",
        "PGDATABASE": user,
        "PGSSLMODE": "require",
    }


def test_a_url_wins_over_pg_variables_which_fill_in_the_rest(monkeypatch):
    monkeypatch.setenv("PGHOST", "other.example.org")
    monkeypatch.setenv("PGHOSTADDR", "192.0.2.1")
    monkeypatch.setenv("PGDATABASE", "other")
    monkeypatch.setenv("PGPASSWORD", "secret")
    monkeypatch.setenv("DATABASE_URL", "postgresql://ann@db.example.org:6543/cells")
    assert connection_environment() == {
        "PGHOST": "db.example.org",
        "PGHOSTADDR": "",
        "PGPORT": "6543",
        "PGUSER": "ann",
        "PGPASSWORD": "secret",
        "PGDATABASE": "cells",
    }


def test_an_address_alone_is_the_host_too(monkeypatch):
    monkeypatch.setenv("PGHOSTADDR", "192.0.2.1")
    assert connection_environment()["PGHOST"] == "192.0.2.1"


def test_without_a_host_a_local_server_is_tried(monkeypatch):
    monkeypatch.setenv("PGPORT", "65001")  # nobody's socket is there
    assert connection_environment()["PGHOST"] == "localhost"


def test_a_service_file_is_read(database: Database, tmp_path: Path, monkeypatch):
    service = tmp_path / "services"
    service.write_text(
        "[cells]\nhost={PGHOST}\nuser={PGUSER}\ndbname={PGDATABASE}\n".format(
            **database.environment
        )
    )
    monkeypatch.setenv("PGSERVICEFILE", str(service))
    monkeypatch.setenv("PGSERVICE", "cells")
    assert connection_environment() == database.environment | {"PGSERVICE": "cells"}
    with connect() as connection:
        assert connection.info.dbname == database.environment["PGDATABASE"]


def test_a_service_that_is_not_there_is_explained(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "none"))
    monkeypatch.setenv("PGSERVICE", "cells")
    with pytest.raises(DatabaseUnavailable, match=f"{tmp_path}/none.* not found"):
        connect()


def test_a_url_and_a_service_at_once_are_refused(monkeypatch):
    monkeypatch.setenv("PGSERVICE", "cells")
    monkeypatch.setenv("DATABASE_URL", "postgresql://ann@db.example.org/cells")
    with pytest.raises(DatabaseUnavailable, match="DATABASE_URL and PGSERVICE are both set"):
        connection_environment()


@pytest.mark.parametrize(
    "url",
    [
        "mysql://ann:hunter2@db.example.org/cells",
        "postgresql+psycopg://ann:hunter2@db.example.org/cells",
        "postgresql://ann:hunter2%zz@db.example.org/cells",
        "postgresql://ann:hunter2@[::1/cells",
        "postgresql://ann:hunter2@db.example.org/cells?nonsense=hunter2",
        "hunter2",
    ],
)
def test_a_url_that_does_not_read_is_explained_without_its_password(url: str, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(DatabaseUnavailable, match="postgresql://user:password@host") as error:
        connection_environment()
    assert "hunter2" not in str(error.value)
    assert error.value.__cause__ is None


def test_a_url_with_a_parameter_dbt_would_not_see_is_refused(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://ann@db.example.org/cells?keepalives=1")
    with pytest.raises(DatabaseUnavailable, match="keepalives"):
        connection_environment()


@pytest.mark.parametrize("port", ["1", "nonsense", "99999999"])
def test_a_server_out_of_reach_is_told_without_the_password(port: str, monkeypatch):
    monkeypatch.setenv("PGHOST", "127.0.0.1")
    monkeypatch.setenv("PGPORT", port)
    monkeypatch.setenv("PGUSER", "ann")
    monkeypatch.setenv("PGPASSWORD", "hunter2")
    with pytest.raises(DatabaseUnavailable) as error:
        connect()
    message = str(error.value)
    assert message.startswith(
        f"No connection to PostgreSQL at 127.0.0.1, port {port}, database ann, user ann: "
    )
    assert message.endswith("unset them all to use the embedded server.")
    assert "hunter2" not in message


def test_a_database_that_is_not_there_is_told(server: Server, monkeypatch):
    for name, value in (server.environment() | {"PGDATABASE": "none"}).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(DatabaseUnavailable, match='database "none" does not exist'):
        connect()


def test_an_embedded_server_that_cannot_start_is_unavailable(tmp_path: Path, monkeypatch):
    (tmp_path / "home").touch()
    monkeypatch.setenv("BATTERY_HOME", str(tmp_path / "home"))
    with pytest.raises(DatabaseUnavailable, match="set BATTERY_HOME to another folder"):
        connect()


def test_a_url_leads_to_the_database_it_names(any_database: Database, monkeypatch):
    place = any_database.environment
    url = f"postgresql://{place['PGUSER']}@/{place['PGDATABASE']}?host={place['PGHOST']}"
    monkeypatch.setenv("DATABASE_URL", url)
    with connect(autocommit=True) as connection:
        assert connection.autocommit
        connection.execute("create table public.here as select 1 as n")
    assert any_database.rows("select n from here") == [(1,)]


def test_the_environment_leads_any_libpq_program_to_the_same_place(database: Database, monkeypatch):
    place = database.environment
    url = f"postgresql://postgres@/{place['PGDATABASE']}?host={place['PGHOST']}"
    monkeypatch.setenv("DATABASE_URL", url)
    code = "import psycopg; print(psycopg.connect().info.dbname)"
    answer = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **connection_environment()},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.strip() == database.environment["PGDATABASE"]


def test_options_given_come_before_everything_else(database: Database, monkeypatch):
    for name, value in database.environment.items():
        monkeypatch.setenv(name, value)
    with connect(dbname="postgres", application_name="mine") as connection:
        assert connection.info.dbname == "postgres"
        assert connection.execute("show application_name").fetchone() == ("mine",)


def test_a_server_that_never_answers_is_given_up_on_in_time(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("PGHOST", "127.0.0.1")
        monkeypatch.setenv("PGPORT", str(silent.getsockname()[1]))
        monkeypatch.setattr(loader_database, "CONNECT_TIMEOUT", 2)
        begin = time.monotonic()
        with pytest.raises(DatabaseUnavailable, match="timeout"):
            connect()
        assert time.monotonic() - begin < 8
