"""Which PostgreSQL the loader works with, and a connection to it."""

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from loader.server import embedded, session
from loader.server.binaries import ServerError

# Any of these names a server; PGSSLMODE, PGOPTIONS and the like only say how to talk to it.
# https://www.postgresql.org/docs/current/libpq-envars.html
CONNECTION_VARIABLES = (
    "PGHOST",
    "PGHOSTADDR",
    "PGPORT",
    "PGUSER",
    "PGDATABASE",
    "PGPASSWORD",
    "PGSERVICE",
)

CONNECT_TIMEOUT = 10  # seconds a host; libpq itself waits for as long as the system does
PATIENCE = 10.0  # seconds that a push waits for a server that is away
_POLL = 0.5  # seconds between two questions whether it is back

URL_FORM = "postgresql://user:password@host:5432/database"

_NOT_FOR_DBT = {"'", '"', "%"}


class DatabaseUnavailable(Exception):
    """No database to work with; the message says what was tried and what to do, no password."""


def uses_embedded() -> bool:
    """Tell whether the embedded server is used: neither DATABASE_URL nor PG* names another.

    A variable set to nothing counts as not set, and those of `loader db env` name no other.
    """
    given = {name: os.environ[name] for name in CONNECTION_VARIABLES if os.environ.get(name)}
    if os.environ.get("DATABASE_URL"):
        return False
    return not given or given == embedded.Server(embedded.home()).environment()


def connection_environment(*, start: bool = True) -> dict[str, str]:
    """Give the PG* variables that lead psql, dbt and psycopg to the database.

    DATABASE_URL wins over PG*, which fill in what it leaves out (as they do for psql). Without
    either it is the embedded server, which is started where `start`. PGHOST, PGPORT, PGUSER and
    PGDATABASE are always in it, because dbt needs them said. Raises DatabaseUnavailable.
    """
    if not uses_embedded():
        return _external_environment()
    try:
        server = embedded.Server(embedded.home())
        if start:
            server.start()
        return server.environment()
    except ServerError as error:
        raise DatabaseUnavailable(str(error)) from error


def connect(**options: Any) -> psycopg.Connection:  # noqa: ANN401 - psycopg's own options
    """Connect to the database; `options` are those of psycopg.connect. Raises DatabaseUnavailable.

    Starts the embedded server where that is the one. What is set for the server, the database or
    the role does not matter (see `loader.server.session`).
    """
    environment = connection_environment()
    try:
        connection = psycopg.connect(**(_settings(environment) | options))
    except psycopg.Error as error:
        raise DatabaseUnavailable(_unavailable(environment, error)) from None
    return _prepared(connection)


def connect_by(conninfo: str) -> psycopg.Connection:
    """Connect as `connect` does, in autocommit, by what `conninfo` gave."""
    try:
        return _prepared(psycopg.connect(conninfo, autocommit=True))
    except psycopg.Error as error:
        raise DatabaseUnavailable(f"No connection to PostgreSQL: {error}") from None


def _prepared(connection: psycopg.Connection) -> psycopg.Connection:
    try:
        session.prepare(connection)
    except session.WrongEncoding as error:
        connection.close()
        raise DatabaseUnavailable(str(error)) from None
    if not connection.autocommit:
        connection.commit()
    return connection


def environment_of_dbt(connection: psycopg.Connection) -> dict[str, str]:
    """Give the PG* variables that lead dbt to where `connection` leads, with the same settings.

    Of several hosts in PGHOST it is the one that was reached. Raises DatabaseUnavailable.
    """
    environment = connection_environment()
    if set(connection.info.dbname) & _NOT_FOR_DBT:
        raise DatabaseUnavailable(
            "dbt takes no database with a quote or a percent sign in its name: rename "
            f"{connection.info.dbname}, or land the files in another."
        )
    environment |= {"PGHOST": connection.info.host, "PGPORT": str(connection.info.port)}
    if environment.get("PGHOSTADDR"):
        environment["PGHOSTADDR"] = connection.info.hostaddr
    environment["PGCLIENTENCODING"] = session.ENCODING
    with_options = environment | {
        "PGOPTIONS": session.options(connection, os.environ.get("PGOPTIONS", ""))
    }
    return with_options if _takes_options(with_options) else environment


def require_temporary_tables(connection: psycopg.Connection) -> None:
    """Raise DatabaseUnavailable where the user may not make what a build works with."""
    row = connection.execute(
        "select current_user, quote_ident(current_user), quote_ident(current_database())"
        " where not has_database_privilege(current_database(), 'temporary')"
    ).fetchone()
    if row:
        user, quoted, database = row
        raise DatabaseUnavailable(
            f"dbt works with temporary tables, which {user} may not make in this database. Let "
            f"its owner say: grant temporary on database {database} to {quoted}"
        )


def _takes_options(environment: dict[str, str]) -> bool:
    """Whether settings can be sent along: a pooler such as PgBouncer may refuse them."""
    try:
        psycopg.connect(**_settings(environment)).close()
    except psycopg.OperationalError as error:
        if "unsupported startup parameter" in str(error):
            return False
        raise DatabaseUnavailable(_unavailable(environment, error)) from None
    return True


def conninfo(url: str | None = None) -> str:
    """Give what libpq connects with, password included: of `url`, else of the database in use.

    Starts the embedded server where that is the one. Raises DatabaseUnavailable.
    """
    if url is None:
        return make_conninfo(**_settings(connection_environment()))
    return make_conninfo(**(_settings({}) | _parameters(url, "The URL")))


def url(environment: Mapping[str, str]) -> str:
    """Give PG* variables as a connection URL, all but the password.

    https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS
    """
    variables = _variables()
    rest = {variables[name]: value for name, value in environment.items() if value}
    rest.pop("password", None)
    user, name = (quote(rest.pop(key, ""), safe="") for key in ("user", "dbname"))
    host = ""
    if not rest.get("host", "/").startswith("/"):  # a socket's folder is no host of a URL
        name_or_address = rest.pop("host")
        brackets = f"[{name_or_address}]" if ":" in name_or_address else name_or_address
        host = f"{brackets}:{rest.pop('port')}"
    more = urlencode(rest, quote_via=quote)
    return f"postgresql://{user}@{host}/{name}" + (f"?{more}" if more else "")


def await_server(waiting: Callable[[float], None]) -> None:
    """Wait for a server that does not answer or is starting up, PATIENCE seconds at most.

    `waiting` is told that number, once, where there is something to wait for. What went wrong after
    all, and everything that time does not mend, such as a wrong password, is told by `connect`.
    Starts the embedded server where that is the one. Raises DatabaseUnavailable.
    https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PQPINGPARAMS
    """
    settings = make_conninfo(**_settings(connection_environment())).encode()
    if not _away(pq.PGconn.ping(settings)):
        return
    waiting(PATIENCE)
    until = time.monotonic() + PATIENCE
    while _away(pq.PGconn.ping(settings)) and time.monotonic() < until:
        time.sleep(_POLL)


def _away(answer: int) -> bool:
    return answer in {pq.Ping.REJECT, pq.Ping.NO_RESPONSE}


def _settings(environment: dict[str, str]) -> dict[str, Any]:
    """What psycopg.connect takes."""
    variables = _variables()
    settings: dict[str, Any] = {"application_name": "battery-elt loader"}
    if not os.environ.get("PGCONNECT_TIMEOUT"):
        settings["connect_timeout"] = CONNECT_TIMEOUT
    settings |= {variables[name]: value for name, value in environment.items()}
    return settings | {"client_encoding": session.ENCODING}


def _variables() -> dict[str, str]:
    """Names of libpq's environment variables and of the parameters they stand for."""
    options = pq.Conninfo.get_defaults()
    return {o.envvar.decode(): o.keyword.decode() for o in options if o.envvar is not None}


def _external_environment() -> dict[str, str]:
    """What DATABASE_URL and PG* say, with libpq's defaults for what they leave out."""
    url = _url_environment(os.environ.get("DATABASE_URL", ""))
    environment = _pg_environment() | url
    if "PGHOST" in url and "PGHOSTADDR" in environment and "PGHOSTADDR" not in url:
        environment["PGHOSTADDR"] = ""  # else libpq would go there and not to the URL's host
    if not environment.get("PGHOST"):
        port = environment["PGPORT"]
        environment["PGHOST"] = environment.get("PGHOSTADDR") or _default_host(port)
    if not environment.get("PGDATABASE"):
        environment["PGDATABASE"] = environment["PGUSER"]
    return environment


def _pg_environment() -> dict[str, str]:
    """What libpq takes from PG* and from the service file that PGSERVICE names."""
    options = pq.Conninfo.get_defaults()
    return {
        option.envvar.decode(): option.val.decode()
        for option in options
        if option.envvar is not None
        and option.val is not None
        and (option.val != option.compiled or option.keyword == b"port")
    }


def _url_environment(url: str) -> dict[str, str]:
    """Take a connection URL apart. No message quotes it: a password is in it."""
    if not url:
        return {}
    if os.environ.get("PGSERVICE"):
        raise DatabaseUnavailable(
            "DATABASE_URL and PGSERVICE are both set, and libpq would mix them. Unset one."
        )
    parameters = _parameters(url, "DATABASE_URL")
    names = {keyword: variable for variable, keyword in _variables().items()}
    unknown = sorted(parameters.keys() - names.keys())
    if unknown:
        raise DatabaseUnavailable(
            f"DATABASE_URL has {', '.join(unknown)}, for which there is no PG* variable, so dbt "
            "would not see it. Leave it out of the URL."
        )
    return {names[keyword]: str(value) for keyword, value in parameters.items()}


def _parameters(url: str, name: str) -> dict[str, Any]:
    """What a connection URL says, by libpq's keywords."""
    try:
        parameters = conninfo_to_dict(url)
    except (psycopg.Error, UnicodeError):
        parameters = {"host": "@"}
    if "@" in str(parameters.get("host", "")):  # the end of a password, which no message may quote
        raise DatabaseUnavailable(
            f"{name} is not a connection URL that libpq knows. It looks like {URL_FORM}; "
            "characters such as @ : / % in a password are written as %40 %3A %2F %25."
        )
    return parameters


def _default_host(port: str) -> str:
    """The socket folder of a local server (each build of libpq knows but one), else localhost."""
    for folder in ("/var/run/postgresql", "/tmp"):
        if Path(folder, f".s.PGSQL.{port}").exists():
            return folder
    return "localhost"


def _unavailable(environment: dict[str, str], error: Exception) -> str:
    place = (
        f"{environment['PGHOST']}, port {environment['PGPORT']}, "
        f"database {environment['PGDATABASE']}, user {environment['PGUSER']}"
    )
    reason = str(error).strip()
    password = environment.get("PGPASSWORD")
    if password:
        reason = reason.replace(password, "***")
    if uses_embedded():
        remedy = "Try `loader db stop` and `loader db start`."
    else:
        remedy = (
            "Check DATABASE_URL or the PG* variables, or unset them all to use the embedded server."
        )
    return f"No connection to PostgreSQL at {place}: {reason}\n{remedy}"
