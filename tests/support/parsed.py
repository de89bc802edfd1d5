"""What dbt has read of the project, handed on to other databases: to read it takes some seconds.

dbt keeps it beside what it builds, and takes it again where the connection is the one it was read
with; files that have changed since it reads anew. Databases, folders and connection are told apart
by their names only, so a copy with the names of another place is as good as what dbt would read
there. One that dbt does not take costs time and nothing else: it reads the project itself.
"""

import fcntl
import os
import pprint
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgpack
from conftest import ONE_RUN

KEPT = Path("target", "partial_parse.msgpack")
"""Where dbt keeps it, in the folder of a project."""


_connections: dict[Path, str] = {}
"""The checksum of the connection with which each project was read."""


@dataclass(frozen=True)
class Place:
    """A project's folder and the PG* variables of its database."""

    project: Path
    environment: Mapping[str, str]

    @property
    def database(self) -> str:
        return self.environment["PGDATABASE"]

    def connection(self) -> str:
        """The checksum by which dbt knows a connection."""
        from dbt.adapters.postgres import PostgresCredentials

        credentials = PostgresCredentials(
            host=self.environment["PGHOST"],
            port=int(self.environment["PGPORT"]),
            user=self.environment["PGUSER"],
            password="",
            database=self.database,
            schema="battery",
            sslmode=self.environment.get("PGSSLMODE", "prefer"),
        )
        return sha256(pprint.pformat(sorted(credentials.connection_info())).encode()).hexdigest()


def hand_on(place: Place, read: Callable[[], object]) -> None:
    """Puts it into the place; the first of a run of the tests has dbt `read` the project there."""
    here = place.project / KEPT
    with _shared() as kept:
        if not kept.exists():
            read()
            kept.write_bytes(here.read_bytes())
        here.parent.mkdir(exist_ok=True)
        here.write_bytes(_moved(kept.read_bytes(), place))
    _connections[place.project] = place.connection()


def follow(place: Place) -> None:
    """Where another user of the database goes on in a project, it is as if they had read it."""
    now = place.connection()
    before = _connections.get(place.project, now)
    parsed = place.project / KEPT
    if before != now and parsed.exists():
        content = parsed.read_bytes()
        if before.encode() in content:
            parsed.write_bytes(_moved(content, place))
        _connections[place.project] = now


@contextmanager
def _shared() -> Iterator[Path]:
    """The file that the run's workers share; who else wants it waits."""
    folder = Path(os.environ[ONE_RUN])
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder / KEPT.name


def _moved(parsed: bytes, place: Place) -> bytes:
    content = msgpack.unpackb(parsed, strict_map_key=False)
    content["state_check"]["profile_hash"]["checksum"] = place.connection()
    seed = next(node for node in content["nodes"].values() if node["resource_type"] == "seed")
    names = {seed["root_path"]: str(place.project), seed["database"]: place.database}

    def moved(value: Any) -> Any:
        match value:
            case dict():
                return {key: moved(one) for key, one in value.items()}
            case list():
                return [moved(one) for one in value]
            case str() if value in names:
                return names[value]
            case str() if value.startswith(f'"{seed["database"]}".'):
                return f'"{place.database}"' + value.removeprefix(f'"{seed["database"]}"')
        return value

    return msgpack.packb(moved(content))
