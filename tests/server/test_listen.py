"""`loader db start --listen`: dashboards come by TCP, with a password, and may but read."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import psycopg
import pytest
from conftest import Database, RunLoader, free_port, scratch_home

from loader.server.embedded import Server
from loader.server.listen import READER, Address


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("127.0.0.1:5433", "127.0.0.1:5433"),
        ("5433", "127.0.0.1:5433"),
        (":5433", "127.0.0.1:5433"),
        (" localhost:65535\n", "localhost:65535"),
        ("[::1]:1024", "[::1]:1024"),
        ("0.0.0.0:5432", "0.0.0.0:5432"),
    ],
)
def test_an_address_has_a_port_and_is_loopback_unless_told_otherwise(text: str, meant: str) -> None:
    assert str(Address.parse(text)) == meant
    assert Address.parse(text).is_loopback == (not meant.startswith("0"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no port"),
        ("127.0.0.1", "has no port"),
        ("127.0.0.1:80", "has no port from 1024 to 65535"),
        ("127.0.0.1:65536", "has no port from 1024 to 65535"),
        ("db.example:5433", "'db.example' is no IP address; write 127.0.0.1:5433"),
        ("*:5433", "is no IP address"),
        ("127.0.0.1,10.0.0.1:5433", "is no IP address"),
    ],
)
def test_an_address_that_is_none_is_told(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Address.parse(text)


@dataclass
class Place:
    """A home of its own, the loader there, and a free port."""

    home: Path
    call_loader: RunLoader
    port: int

    @property
    def environment(self) -> dict[str, str]:
        return {"BATTERY_HOME": str(self.home)}

    def loader(self, *args: str) -> CompletedProcess[str]:
        return self.call_loader(*args, env=self.environment)

    def must(self, *args: str) -> str:
        done = self.loader(*args)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def connect(self, password: str, user: str = READER) -> psycopg.Connection:
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user=user, dbname="battery", password=password
        )


@pytest.fixture(scope="module")
def place(call_loader: RunLoader) -> Iterator[Place]:
    """Opened to the reader."""
    with scratch_home() as home:
        place = Place(home, call_loader, free_port())
        place.must("db", "password")
        place.must("db", "start", "--listen", place.address)
        yield place


@contextmanager
def taken(port: int) -> Iterator[None]:
    with socket.create_server(("127.0.0.1", port)):
        yield


def test_it_is_refused_without_a_password(call_loader: RunLoader) -> None:
    with scratch_home() as home:
        place = Place(home, call_loader, free_port())
        refused = place.loader("db", "start", "--listen", place.address)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert refused.stderr.endswith(
            "loader: the reader has no password yet: make one with `loader db password`\n"
        )
        assert place.must("db", "status").count("listening") == 0


def test_the_owner_goes_on_by_the_socket_as_before(place: Place, run_loader: RunLoader) -> None:
    opened = place.must("db", "env")
    assert place.must("db", "start", "--listen", "off").count("listening") == 0
    assert place.must("db", "env") == opened
    said = place.must("db", "start", "--listen", place.address)
    assert said.endswith(f", listening on {place.address}\n")
    said = run_loader("db", "psql", "-AXtc", "select 1", env=place.environment)
    assert (said.stdout, said.stderr) == ("1\n", "")


def test_the_reader_may_but_read_and_nobody_else_comes_in(place: Place) -> None:
    password = place.must("db", "password").strip()
    assert len(password) >= 24
    with place.connect(password) as connection:
        for table in ("raw.runs", "raw.rejections", "raw.files"):
            connection.execute(f"select from {table}")
        connection.rollback()
        for query in ("select from raw.documents", "delete from raw.runs", "create table mine ()"):
            with pytest.raises(
                (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)
            ):
                connection.execute(query)
            connection.rollback()
        connection.execute("set default_transaction_read_only = off")
        connection.commit()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("delete from raw.runs")
    for user, given in ((READER, "wrong"), (READER, ""), ("postgres", password)):
        with pytest.raises(psycopg.OperationalError):
            place.connect(given, user)


def test_tables_of_builds_to_come_are_readable(place: Place) -> None:
    owner = Database(Server(place.home).environment())
    owner.rows("create table battery.later as select 1 as one")
    password = place.must("db", "password").strip()
    owner.rows("create table battery.latest as select 2 as two")
    with place.connect(password) as connection:
        assert connection.execute("table battery.later").fetchone() == (1,)
        assert connection.execute("table battery.latest").fetchone() == (2,)


def test_a_new_password_voids_the_one_before_and_is_kept_nowhere(place: Place) -> None:
    old = place.must("db", "password").strip()
    new = place.must("db", "password").strip()
    with pytest.raises(psycopg.OperationalError):
        place.connect(old)
    with place.connect(new) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    place.must("db", "stop")  # writes out what is in memory
    held = [
        path
        for path in place.home.rglob("*")
        if path.is_file() and new.encode() in path.read_bytes()
    ]
    assert held == []


def test_it_listens_again_whoever_starts_it_until_told_to_stop(place: Place) -> None:
    place.must("db", "stop")
    password = place.must("db", "password").strip()  # starts it
    place.connect(password).close()
    assert place.must("db", "status").endswith(f", listening on {place.address}\n")
    place.must("status")  # by the socket
    assert place.must("db", "start", "--listen", "off").count("listening") == 0
    with pytest.raises(psycopg.OperationalError):
        place.connect(password)
    place.must("status")
    place.must("db", "start", "--listen", place.address)
    place.connect(password).close()


def test_after_a_kill_it_listens_again(place: Place) -> None:
    password = place.must("db", "password").strip()
    pid = Server(place.home).pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    place.must("status")
    place.connect(password).close()


def test_a_port_that_is_taken_is_told_and_never_holds_up_a_push(
    place: Place, run_loader: RunLoader
) -> None:
    other = free_port()
    with taken(other):
        done = place.loader("db", "start", "--listen", f"127.0.0.1:{other}")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (
        f"loader: 127.0.0.1:{other} is taken by another program; choose another port\n"
    )
    assert place.must("db", "status").endswith(f", listening on {place.address}\n")
    place.must("db", "stop")
    with taken(place.port):
        done = run_loader("status", env=place.environment)
        assert done.returncode == 0
        assert f"{place.address} is taken by another program: not listening there" in done.stderr
    place.must("db", "stop")


def test_wrong_usage_is_told(place: Place) -> None:
    done = place.loader("db", "start", "--listen", "example.org:5433")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "loader: 'example.org' is no IP address; write 127.0.0.1:5433\n"


def test_another_server_is_left_alone(call_loader: RunLoader) -> None:
    env = {"PGHOST": "db.example"}
    for args in (("db", "password"), ("db", "start", "--listen", "5433")):
        done = call_loader(*args, env=env)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("loader: PG* or DATABASE_URL name another server")
