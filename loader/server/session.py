"""What a connection depends on, set whatever the server, the database or the role has set.

Time stamps and numbers must read alike everywhere; timeouts set for a role are for people's
queries and do not hold for a load or a build, as in pg_dump.
https://www.postgresql.org/docs/current/runtime-config-client.html
"""

from __future__ import annotations

import psycopg

SETTINGS = {
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "search_path": "pg_catalog, public",  # every name of ours has its schema
    "standard_conforming_strings": "on",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "array_nulls": "on",
    "transform_null_equals": "off",
    "quote_all_identifiers": "off",
    "default_transaction_isolation": "read committed",
    "enable_hashagg": "on",  # without these a plan may take ever so long
    "enable_hashjoin": "on",
    "enable_mergejoin": "on",
    "enable_sort": "on",
    "jit": "off",  # compiling takes longer than our queries
    "statement_timeout": "0",
    "lock_timeout": "0",
    "transaction_timeout": "0",  # PostgreSQL 17 and later
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
}

SET = """
    select set_config(name, wanted.setting, false)
    from pg_catalog.pg_settings
    inner join (values {}) as wanted (name, setting) using (name)
""".format(", ".join(f"('{name}', '{setting}')" for name, setting in SETTINGS.items()))
"""Sets them; one that the server does not know is left out."""

ENCODING = "UTF8"


class WrongEncoding(Exception):
    """The database keeps text in another encoding; the message says what to do."""


def prepare(connection: psycopg.Connection) -> None:
    """Set what the session depends on. Raises WrongEncoding."""
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != ENCODING:
        raise WrongEncoding(
            f"Database {connection.info.dbname} is encoded in {encoding}, and battery-elt needs "
            f"{ENCODING}: make another by `create database NAME encoding '{ENCODING}' template "
            "template0` and name it in PGDATABASE or DATABASE_URL."
        )
    connection.execute("set statement_timeout = 0")  # before the rest is too long for it
    connection.execute(SET)


def options(connection: psycopg.Connection, given: str = "") -> str:
    """PGOPTIONS that set the same for another program, after those `given`.

    Only settings that the server of this connection knows.
    """
    rows = connection.execute("select name from pg_catalog.pg_settings").fetchall()
    known = {name for (name,) in rows}
    ours = [f"-c {name}={_escaped(value)}" for name, value in SETTINGS.items() if name in known]
    return " ".join([given, *ours]).strip()


def _escaped(value: str) -> str:
    """PGOPTIONS is split at blanks."""
    return value.replace("\\", "\\\\").replace(" ", "\\ ")
