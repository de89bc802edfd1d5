"""Opens the embedded server to programs that know TCP only, for one role that may but read.

Dashboards, JDBC and ODBC know no Unix socket. Who comes by TCP shows a password, wherever from; the
owner goes on using the socket, which has the name it had.
"""

from __future__ import annotations

import ipaddress
import secrets
import socket
from dataclasses import dataclass
from importlib import resources

import psycopg
from psycopg import sql

READER = "battery_dashboard"

# https://www.postgresql.org/docs/current/auth-pg-hba-conf.html; what no line names is refused
HBA = f"""\
# battery-elt: the owner by the socket, which nobody else can reach; one reader by TCP
local all       all       trust
host  battery   {READER}  0.0.0.0/0  scram-sha-256
host  battery   {READER}  ::/0       scram-sha-256
"""

_HAS_PASSWORD = "select rolpassword is not null from pg_authid where rolname = %s and rolcanlogin"


@dataclass(frozen=True)
class Address:
    """Where to listen: an IP address or `localhost`, and a port."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """Take `127.0.0.1:5433`, `[::1]:5433` or a port alone, on loopback; raises ValueError."""
        host, _, port = text.strip().rpartition(":")
        host = host.removeprefix("[").removesuffix("]") or "127.0.0.1"
        if not (port.isascii() and port.isdigit() and 1024 <= int(port) <= 65535):
            raise ValueError(f"{text!r} has no port from 1024 to 65535; write 127.0.0.1:5433")
        if host != "localhost":
            try:
                ipaddress.ip_address(host)
            except ValueError:
                raise ValueError(f"{host!r} is no IP address; write 127.0.0.1:{port}") from None
        return cls(host, int(port))

    def __str__(self) -> str:
        """As `parse` takes it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only programs of this machine can reach it."""
        return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback

    def is_free(self) -> bool:
        """Whether no program listens there, and this machine has the address."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        try:
            with socket.create_server((self.host, self.port), family=family):
                return True
        except OSError:
            return False


def new_password(connection: psycopg.Connection) -> str:
    """Make the reader where it is not there, and give it a new password.

    The server sees its verifier only. Schema `raw` has to be laid out; raises psycopg.Error.
    """
    password = secrets.token_urlsafe(18)
    verifier = connection.pgconn.encrypt_password(
        password.encode(), READER.encode(), b"scram-sha-256"
    )
    with connection.transaction():
        connection.execute(resources.files("loader.server").joinpath("reader.sql").read_bytes())
        change = sql.SQL("alter role {} password {}")
        connection.execute(change.format(sql.Identifier(READER), verifier.decode()))
    return password


def has_password(connection: psycopg.Connection) -> bool:
    """Tell whether the reader is there and has a password."""
    row = connection.execute(_HAS_PASSWORD, [READER]).fetchone()
    return bool(row and row[0])
