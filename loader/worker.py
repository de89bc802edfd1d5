"""A process that lands the files it is handed: a crash of the JSON reader ends it alone."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import psycopg

from loader.raw import land, zone
from loader.server import database


@dataclass(frozen=True)
class Task:
    """A file to land, under which id, in parts of which size, if it is not too large; in bytes."""

    file: Path
    file_id: int
    part_size: int
    max_file_size: int


@dataclass(frozen=True)
class Ready:
    """The worker is connected to the database."""


@dataclass(frozen=True)
class Progress:
    """The share of the file in hand that is in the database, 0 to 1."""

    share: float


@dataclass(frozen=True)
class Lost:
    """The database cannot be worked with: what was in hand is rolled back, the worker ends."""

    message: str


Message = Ready | Progress | Lost | land.Outcome


def main() -> None:
    """Land files until the other end of the socket, whose number is the argument, closes."""
    tasks = Connection(int(sys.argv[1]))
    try:
        with database.connect(autocommit=True) as connection:
            tasks.send(Ready())
            while True:
                _land(connection, tasks.recv(), tasks)
    except (psycopg.Error, database.DatabaseUnavailable) as error:
        tasks.send(Lost(str(error).strip()))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def _land(connection: psycopg.Connection, task: Task, tasks: Connection) -> None:
    found = zone.Found.at(task.file)
    outcome = land.land(
        connection,
        found,
        task.file_id,
        task.part_size,
        lambda share: tasks.send(Progress(share)),
        max_file_size=task.max_file_size,
    )
    tasks.send(outcome)
