"""Files to push, a push as a process of its own, and what holds one up."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from conftest import PROJECT, Database, clean_environment

from loader.raw.zone import Zone

CYCLER = {
    "barcode": "el1",
    "summary": {"cycle_index": [0, 1], "discharge_capacity": [1.1, None]},
    "cycles_interpolated": {"voltage": [2.8, 3.5], "cycle_index": [0, 1]},
}


def write(path: Path, content: object) -> Path:
    """A file that has settled: last changed ten seconds ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    then = time.time_ns() - 10 * 10**9
    os.utime(path, ns=(then, then))
    return path


def points(count: int) -> dict[str, Any]:
    """A document of `count` points, about 20 bytes each."""
    return {
        "barcode": f"points{count}",
        "summary": {"cycle_index": [0]},
        "cycles_interpolated": {
            "voltage": [2 + number % 1500 / 1000 for number in range(count)],
            "current": [number / 7 for number in range(count)],
        },
    }


def nothing_half_landed(database: Database) -> bool:
    return not database.rows(
        "select file_id from raw.files full join raw.documents using (file_id)"
        " group by file_id, part_count having count(part_no) is distinct from part_count"
    )


@contextmanager
def loader(
    database: Database, *args: str | Path, cwd: Path = PROJECT
) -> Iterator[subprocess.Popen[str]]:
    """`loader` at work, in a process group of its own."""
    process = subprocess.Popen(
        [sys.executable, "-c", "from loader.cli import main; main()", *map(str, args)],
        env=clean_environment() | database.environment,
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_until(happened: Callable[[], bool], seconds: float = 30, every: float = 0.1) -> None:
    """Asks no oftener than `every` seconds: a question to the server is a session of its own."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"it did not happen within {seconds} s"
        time.sleep(every)


@contextmanager
def copying_held_up(database: Database) -> Iterator[Callable[[], int]]:
    """No document gets in; gives a function that waits for a worker to stand there: its backend."""
    seen: set[int] = set()

    def waiting() -> set[int]:
        rows = database.rows(
            "select pid from pg_stat_activity where datname = current_database()"
            " and application_name = 'battery-elt loader' and wait_event_type = 'Lock'"
        )
        return {pid for (pid,) in rows} - seen

    def backend() -> int:
        wait_until(lambda: bool(waiting()))
        pid = waiting().pop()
        seen.add(pid)
        return pid

    with database.connect(autocommit=False) as connection:
        Zone(connection).prepare()
        connection.commit()
        connection.execute("lock table raw.documents in share mode")
        yield backend


def workers(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process(process.pid).children()
        if "worker" in " ".join(child.cmdline())
    ]


def two_files(folder: Path) -> Path:
    for number in range(2):
        write(folder / f"{number}.json", CYCLER | {"channel_id": number})
    return folder
