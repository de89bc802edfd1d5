"""`loader db`: the PostgreSQL server that comes along."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from loader.cli.common import database_errors, fail, file_errors, note, opened
from loader.outcome import USAGE

if TYPE_CHECKING:
    from loader.server import embedded

app = typer.Typer(
    help="The PostgreSQL server that comes along.", no_args_is_help=True, rich_markup_mode=None
)


@app.command(name="start")
def _start(
    listen: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS:PORT",
            help="Listen there on TCP, too, from now on; `off` ends it.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Start the server where it is not running.

    Dashboards need --listen: it opens the server to the reader that `loader db password` makes, on
    this machine only with 127.0.0.1. Passwords are never sent in the clear, but what is read is: on
    a network use a server of your own, with TLS. Listening anew ends open sessions.

    \b
    Examples:
      loader db start
      loader db start --listen 127.0.0.1:5433
    """
    with database_errors():
        server = _own_server()
        server.start()
        if listen == "off":
            server.listen(None)
        elif listen is not None:
            _listen(server, listen)
    print(f"running, data in {server.home}{_listening(server)}")


def _listen(server: embedded.Server, text: str) -> None:
    from loader.server import database
    from loader.server.listen import Address, has_password

    try:
        address = Address.parse(text)
    except ValueError as error:
        fail(str(error), USAGE)
    with database.connect() as connection:
        if not has_password(connection):
            fail("the reader has no password yet: make one with `loader db password`", USAGE)
    server.listen(address)
    if not address.is_loopback:
        note("loader: whoever reaches this machine can try passwords, and read what is sent")


def _listening(server: embedded.Server) -> str:
    return f", listening on {server.address}" if server.address else ""


@app.command(name="password")
def _password() -> None:
    """Make a new password for the reader, battery_dashboard.

    It is printed once and kept nowhere; the one before is void. The reader sees the published
    tables, the runs and the rejections, and can change nothing.

    \b
    Example:
      export BATTERY_PASSWORD=$(loader db password)
    """
    from loader.server.listen import new_password

    with database_errors():
        _own_server()
    with opened() as zone:
        print(new_password(zone.connection))


@app.command(name="stop")
def _stop() -> None:
    """Stop the server.

    Whatever it is doing is rolled back. The next push starts it again.
    """
    with database_errors():
        server = _own_server()
        was_running = server.running()
        server.stop()
    print("stopped" if was_running else "was not running")


@app.command(name="status")
def _status() -> None:
    """Say which server is used and if it is running."""
    from loader import texts
    from loader.server import database, embedded

    with database_errors():
        if not database.uses_embedded():
            place = texts.place(database.connection_environment(start=False))
            print(f"{place}, as PG* or DATABASE_URL say")
            return
        server = embedded.Server(embedded.home())
        running = server.running()
    state = "running" if running else "not running"
    print(f"{state}, data in {server.home}{_listening(server)}")


@app.command(name="env")
def _env() -> None:
    """Print settings for psql, dbt and Python.

    The server is started where it is not running. A password is not printed.

    \b
    Example:
      eval "$(loader db env)" && psql -c 'table battery.batteries'
    """
    from loader.server import database

    with database_errors():
        environment = database.connection_environment()
    for name, value in sorted(environment.items()):
        if name != "PGPASSWORD":
            print(f"export {name}={shlex.quote(value)}")


@app.command(name="url")
def _url() -> None:
    """Print the database as a connection URL.

    The server is started where it is not running. A password is not printed.

    \b
    Example:
      loader db url
    """
    from loader.server import database

    with database_errors():
        print(database.url(database.connection_environment()))


@app.command(
    name="psql",
    context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]},
)
def _psql(
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="PSQL_ARGUMENT", help="As psql takes them.")
    ] = None,
) -> None:
    """Open psql on the database.

    All arguments go to psql; it need not be installed.

    \b
    Examples:
      loader db psql
      loader db psql -c 'table battery.batteries'
    """
    from loader.server import binaries, database

    with database_errors(), file_errors():
        environment = os.environ | database.connection_environment()
        psql = str(binaries.program("psql"))
        os.execve(psql, [psql, *(arguments or [])], environment)


def _own_server() -> embedded.Server:
    from loader.server import database, embedded

    if not database.uses_embedded():
        fail("PG* or DATABASE_URL name another server; unset them to use this one", USAGE)
    return embedded.Server(embedded.home())
