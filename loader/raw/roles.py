"""Who may do what: one role for those who load, one for those who build, one for readers."""

from importlib import resources

import psycopg


def create(connection: psycopg.Connection) -> None:
    """Create the roles of roles.sql and give them what they need, no more.

    `raw` has to be laid out (see `Zone.prepare`). Raises psycopg.errors.InsufficientPrivilege.
    """
    with connection.transaction():
        connection.execute(_statements("roles.sql"))
        connection.execute(_statements("rights.sql"))


def renew(connection: psycopg.Connection) -> None:
    """Give the roles their rights on what a new layout of `raw` has added, where they had any."""
    row = connection.execute(
        """
        select has_schema_privilege(oid, 'raw', 'usage')
        from pg_roles where rolname = 'battery_loader'
        """
    ).fetchone()
    if row and row[0]:
        connection.execute(_statements("rights.sql"))


def _statements(name: str) -> bytes:
    return resources.files("loader.raw").joinpath(name).read_bytes()
