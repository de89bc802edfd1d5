"""The server to measure on: an embedded one of its own, or what PG* or DATABASE_URL name."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import psycopg
from psycopg import errors, sql

from loader.server import database, embedded

_MEMORY_FACTOR = 32  # times the files; a host takes back part of what is free within seconds
_MOST_MEMORY = 4 * 2**30  # bytes


@dataclass(frozen=True)
class Sizes:
    """Bytes on the server's disk, indexes and TOAST included, by schema."""

    raw: int
    staging: int
    marts: int


@dataclass(frozen=True)
class Database:
    """A database of the benchmark's own, by its name on the server that PG* lead to."""

    name: str

    def environment(self) -> dict[str, str]:
        """Give the environment of a process that is to work with it."""
        return os.environ | {"PGDATABASE": self.name}

    def connect(self) -> psycopg.Connection:
        """Connect; every statement is a transaction of its own."""
        return psycopg.connect(dbname=self.name, autocommit=True)

    def keep_statistics(self, *, analyze: bool) -> None:
        """Let the planner know of `raw` what it knows now, after an `analyze` or not."""
        with self.connect() as connection:
            for table in ("files", "documents"):
                connection.execute(f"alter table raw.{table} set (autovacuum_enabled = false)")
                if analyze:
                    connection.execute(f"analyze raw.{table}")

    def sizes(self) -> Sizes:
        """What landed files and built tables take."""
        with self.connect() as connection:
            rows = connection.execute(
                """
                select pg_namespace.nspname, sum(pg_total_relation_size(pg_class.oid))::bigint
                from pg_class
                inner join pg_namespace on pg_class.relnamespace = pg_namespace.oid
                where pg_class.relkind = 'r'
                group by pg_namespace.nspname
                """
            )
            by_schema: dict[str, int] = dict(rows.fetchall())
        return Sizes(*(by_schema.get(name, 0) for name in ("raw", "battery_staging", "battery")))


@dataclass(frozen=True)
class Server:
    """A running server; `postmaster` is its process id where it runs on this machine."""

    version: str
    postmaster: int | None
    suffix: str = field(default_factory=lambda: uuid.uuid4().hex[:12])

    @contextmanager
    def database(
        self, template: Database | None = None, name: str = "measured"
    ) -> Iterator[Database]:
        """Give a new database, empty or a copy of another, and drop it in the end.

        What is measured runs on one of the same name every time: dbt parses its whole project
        again when it is led to another.
        """
        new = Database(f"benchmark_{name}_{self.suffix}")
        identifier = sql.Identifier(new.name)
        create = sql.SQL("create database {} template {} strategy file_copy").format(
            identifier, sql.Identifier(template.name if template else "template0")
        )
        with _connect() as connection:
            connection.execute(create)
        try:
            yield new
        finally:
            # a server that is gone has been told of already, by what failed on it
            with suppress(psycopg.OperationalError), _connect() as connection:
                connection.execute(sql.SQL("drop database {} with (force)").format(identifier))

    def settle(self, size: int) -> None:
        """Make all work on `size` bytes of files begin alike, whatever was done before it.

        What is left in memory is written out. And since a virtual machine may give free memory back
        to its host, which makes a push take up to a third longer, some is taken and freed.
        """
        with _connect() as connection, suppress(errors.InsufficientPrivilege):
            connection.execute("checkpoint")
        wanted = min(_MEMORY_FACTOR * size, _MOST_MEMORY)
        taken = min(wanted, psutil.virtual_memory().available // 2)
        subprocess.run([sys.executable, "-c", f"b'.' * {taken}"], check=True)


@contextmanager
def server(folder: Path) -> Iterator[Server]:
    """Give the server that PG* or DATABASE_URL name, else start one in `folder` and stop it.

    While it is open PG* lead to it, for this process and those it starts.
    """
    if not database.uses_embedded():
        with _leading_to(database.connection_environment()):
            yield _look_at()
        return
    own = embedded.Server(folder / "server")
    own.start()
    try:
        with _leading_to(own.environment()):
            yield _look_at()
    finally:
        own.stop()


@contextmanager
def _leading_to(environment: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    for name in ("DATABASE_URL", "PGSERVICE"):  # taken apart already; they would come before PG*
        os.environ.pop(name, None)
    os.environ.update(environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _connect() -> psycopg.Connection:
    return psycopg.connect(autocommit=True)


def _look_at() -> Server:
    with _connect() as connection:
        version = connection.info.parameter_status("server_version") or "unknown"
        return Server(version, _parent(connection.info.backend_pid))


def _parent(backend: int) -> int | None:
    """The postmaster, where the backend is a process of this machine."""
    with suppress(psutil.Error):
        process = psutil.Process(backend)
        if process.name() == "postgres":
            return process.ppid()
    return None
