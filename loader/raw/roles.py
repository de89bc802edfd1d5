"""Who may do what: one role for those who load, one for those who build, one for readers."""

from importlib import resources

import psycopg


def create(connection: psycopg.Connection) -> None:
    """Create the roles of roles.sql and give them what they need, no more.

    `raw` has to be laid out (see `ledger.prepare`). Raises psycopg.errors.InsufficientPrivilege.
    """
    sql = resources.files("loader.raw").joinpath("roles.sql").read_bytes()
    with connection.transaction():
        connection.execute(sql)
