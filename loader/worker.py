"""A process that lands the files it is told to: a crash of the JSON reader ends it alone."""

from __future__ import annotations

import os
import sys
import threading
from multiprocessing.connection import Connection

import psycopg

from loader.messages import Lost, Progress, Ready, Task
from loader.outcome import FileOnDisk
from loader.raw import place
from loader.raw.land import Lander
from loader.raw.store import Unavailable
from loader.server import database


def main() -> None:
    """Land what comes by the socket whose number is the first argument."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    number, to = sys.argv[1], next(iter(sys.argv[2:]), None)
    serve(Connection(int(number)), to)


def serve(tasks: Connection, to: str | None) -> None:
    """Land files until the other end closes."""
    try:
        with place.opened(to) as raw:
            tasks.send(Ready())
            _land(raw, tasks)
    except (psycopg.Error, database.DatabaseUnavailable, Unavailable) as error:
        tasks.send(Lost(str(error).strip()))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def _land(raw: place.Raw, tasks: Connection) -> None:
    lander: Lander | None = None
    while True:
        task: Task = tasks.recv()
        lander = lander or Lander(raw, task.part_size, task.max_file_size)
        outcome = lander.land(
            FileOnDisk.at(task.file), task.file_id, lambda share: tasks.send(Progress(share))
        )
        tasks.send(outcome)


def _end_with_parent() -> None:
    """A push killed with -9 cannot stop its workers: its end of standard input closes."""
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)
