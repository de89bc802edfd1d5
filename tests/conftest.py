"""What the tests share: real servers, empty databases on them, the loader as a command."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from typer.testing import CliRunner

from loader.server.embedded import Server

PROJECT = Path(__file__).resolve().parent.parent
DEBIAN_BINARIES = Path("/usr/lib/postgresql/15/bin")

ONE_RUN = "BELT_TESTS_OF_ONE_RUN"
"""The variable that names a folder which all workers of a run of the tests share."""

# Files that take longest, in order: begun last, one would leave the other worker without work.
LONGEST = (
    "test_readme",
    "test_pm2",
    "test_habits",
    "test_tables",
    "test_installed",
    "test_field_selection",
    "test_cli",
    "test_large",
    "test_report",
    "test_scheduled",
    "test_secrets",
    "test_roles",
)


def is_setting(name: str) -> bool:
    """Would this environment variable lead the loader, dbt or libpq somewhere?"""
    return name == "DATABASE_URL" or name.startswith(("PG", "BATTERY_", "DBT_"))


def pytest_configure(config: pytest.Config) -> None:
    """Makes a folder that all workers of this run share; they have its name from this process."""
    if not hasattr(config, "workerinput"):
        os.environ[ONE_RUN] = tempfile.mkdtemp(prefix="belt-run-")


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        shutil.rmtree(os.environ.pop(ONE_RUN))


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist, which reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of a file stay together, for they share what they built, and those of one cluster do.

    The longest files come first, tests of the clock last. A group is what pytest-xdist gives to one
    worker.
    """

    def turn(item: pytest.Item) -> tuple[bool, int]:
        place = LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST)
        return bool(item.get_closest_marker("clock")), place

    for item in items:
        marked = (name for name in ("clock", "spark") if item.get_closest_marker(name))
        group = next(marked, item.path.stem)
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=turn)


def clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not is_setting(name)}


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Meanwhile the variables of this process are those, and no others that lead to a server."""
    before = dict(os.environ)
    try:
        for name in before.keys() - clean_environment().keys():
            del os.environ[name]
        os.environ.update(variables)
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def scratch_home() -> Iterator[Path]:
    """A home for an embedded server; stops whatever a test started in it."""
    folder = Path(tempfile.mkdtemp(prefix="belt-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        Server(folder).stop()
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def embedded_home() -> Iterator[Path]:
    """BATTERY_HOME of all tests: a short path that the server's own user can enter.

    pytest's tmp_path is closed to that user when the tests run as root, and long.
    """
    with scratch_home() as folder:
        yield folder


@pytest.fixture(scope="session", autouse=True)
def _nothing_from_outside(embedded_home: Path) -> Iterator[None]:
    """No test reaches a server or a home of the person who runs it."""
    with pytest.MonkeyPatch.context() as patch:
        for name in filter(is_setting, list(os.environ)):
            patch.delenv(name)
        patch.setenv("BATTERY_HOME", str(embedded_home))
        yield


@pytest.fixture(scope="session")
def server(embedded_home: Path) -> Server:
    server = Server(embedded_home)
    server.start()
    do_not_wait_for_disks(server)
    return server


@pytest.fixture(scope="session")
def debian_server() -> Iterator[Server]:
    """The oldest PostgreSQL supported; left out where it is not installed, but never in CI."""
    if not (DEBIAN_BINARIES / "postgres").exists() and os.environ.get("CI") != "true":
        pytest.skip(f"needs PostgreSQL 15 in {DEBIAN_BINARIES} (Debian: postgresql-15)")
    with scratch_home() as folder:
        server = Server(folder, DEBIAN_BINARIES)
        server.start()
        do_not_wait_for_disks(server)
        yield server


def do_not_wait_for_disks(server: Server) -> None:
    """What is committed outlives a kill all the same, but not a power cut."""
    admin = Database(server.environment())
    admin.rows("alter system set fsync = off")
    admin.rows("select pg_reload_conf()")


@dataclass
class Database:
    """An empty database of its own for one test."""

    environment: dict[str, str]

    def connect(self, **options: Any) -> psycopg.Connection:
        return psycopg.connect(
            host=self.environment["PGHOST"],
            port=self.environment["PGPORT"],
            user=self.environment["PGUSER"],
            dbname=self.environment["PGDATABASE"],
            **({"autocommit": True} | options),
        )

    def rows(self, query: str | sql.Composable, *params: object) -> list[tuple[Any, ...]]:
        """The answer to a query; empty where a statement gives none."""
        with self.connect() as connection:
            cursor = connection.execute(query, params or None)
            return [] if cursor.description is None else cursor.fetchall()


_taken: set[tuple[Path, str]] = set()


@contextmanager
def fresh_database(
    server: Server, *, template: str = "template1", name: str | None = None
) -> Iterator[Database]:
    """A database of its own, empty or a copy of another, dropped at the end.

    Where no name is given it is the first free one of a few: dbt reads its whole project anew for
    every name it has not seen, which takes longer than most builds here.
    """
    numbered = (f"test_{number}" for number in count())
    name = name or next(one for one in numbered if (server.home, one) not in _taken)
    _taken.add((server.home, name))
    admin = Database(server.environment())
    drop = sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
    create = sql.SQL("create database {} template {}")
    admin.rows(create.format(sql.Identifier(name), sql.Identifier(template)))
    try:
        yield Database(server.environment() | {"PGDATABASE": name})
    finally:
        admin.rows(drop)
        _taken.remove((server.home, name))


@pytest.fixture
def database(server: Server) -> Iterator[Database]:
    with fresh_database(server) as database:
        yield database


@pytest.fixture
def lone_database(server: Server) -> Iterator[Database]:
    """Its name never comes again: a process that outlives its test finds no other test's data."""
    with fresh_database(server, name=f"test_{uuid.uuid4().hex[:12]}") as database:
        yield database


@pytest.fixture(params=["server", "debian_server"], ids=["embedded", "debian-15"])
def any_database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """The test runs on the embedded server and on the oldest PostgreSQL supported."""
    with fresh_database(request.getfixturevalue(request.param)) as database:
        yield database


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Files of the real data set, which lie beside the project, not in it."""
    folder = PROJECT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"needs the real files in {folder}")
    return folder


RunLoader = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def run_loader(embedded_home: Path) -> RunLoader:
    """The command `loader`, as a user runs it; by default with the embedded server of the tests."""

    def run(
        *args: str | Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        input: str = "",
        timeout: float = 300,
    ) -> subprocess.CompletedProcess[str]:
        code = "import sys; from loader.cli import main; sys.argv[0] = 'loader'; main()"
        return subprocess.run(
            [sys.executable, "-c", code, *map(str, args)],
            env=clean_environment() | {"BATTERY_HOME": str(embedded_home)} | dict(env or {}),
            cwd=cwd or PROJECT,
            input=input,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def call_loader(embedded_home: Path) -> RunLoader:
    """The same in this process, where a process of its own is not the point: it saves its start.

    Those of the workers of a push, too.
    """
    from workers import workers_here

    from loader.cli import app

    def call(
        *args: str | Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        input: str = "",
    ) -> subprocess.CompletedProcess[str]:
        variables = {"BATTERY_HOME": str(embedded_home)} | dict(env or {})
        command = [str(arg) for arg in args]
        with environment(variables), chdir(cwd or PROJECT), workers_here():
            done = CliRunner().invoke(
                app, command, input=input, prog_name="loader", catch_exceptions=False
            )
        return subprocess.CompletedProcess(command, done.exit_code, done.stdout, done.stderr)

    return call


@pytest.fixture
def two_databases(server: Server) -> Iterator[tuple[Database, Database]]:
    """Two empty databases, to compare what different ways lead to."""
    with fresh_database(server) as one, fresh_database(server) as two:
        yield one, two


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def await_the_end_of_sessions(database: Database) -> None:
    """What a session counted is in the statistics when it is gone."""
    sessions = """
        select count(*) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()
    """
    deadline = time.monotonic() + 30
    while database.rows(sessions) != [(0,)]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
