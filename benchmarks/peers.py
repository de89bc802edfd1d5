"""What others would do with the same files, in two processes each; without keys and tests.

As a command it is one process of a peer: `python -m benchmarks.peers NAME FILE...`
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import yyjson
from psycopg.types.json import Jsonb

from benchmarks.memory import Peaks, Watch
from benchmarks.points import EVERY
from benchmarks.server import Database
from loader.parts.split import split
from loader.source import read

WORKERS = 2

_PART_SIZE = 32 * 2**20  # bytes, as a push has it
_COLUMNS = {
    "cycle_index": "cycle_index",
    "voltage": "voltage",
    "current": "current_",
    "temperature": "temperature",
    "charge_capacity": "charge_capacity",
    "discharge_capacity": "discharge_capacity",
}
_NAMES = ", ".join(("barcode", "id", *_COLUMNS.values()))
_CREATE = {
    "ready-made parts": "create table peer_parts (file text, part_no integer, document jsonb);"
    "alter table peer_parts alter column document set storage external",
    "points": "create table peer_points (barcode text, id integer, "
    + ", ".join(f"{column} double precision" for column in _COLUMNS.values())
    + ")",
}
LEAVES = {
    "ready-made parts": "the parts; no keys, no record of files",
    "pandas + COPY": "the published points; no raw, no keys, no tests",
    "yyjson + binary COPY": "the published points; no raw, no keys, no tests",
    "DuckDB": "the published points in a file of its own; no raw, no keys, no tests",
}
"""What each peer leaves behind."""

NEEDS = {"pandas + COPY": "pandas", "DuckDB": "duckdb"}
"""Packages that only a peer needs."""


def missing(peer: str) -> bool:
    """Whether a package that a peer needs is not installed."""
    return peer in NEEDS and find_spec(NEEDS[peer]) is None


def prepare(paths: Iterable[Path], folder: Path) -> None:
    """Write the parts of each file to a folder of its own, as a push would cut them."""
    for path in paths:
        home = folder / path.stem
        if home.exists():
            continue
        unfinished = home.with_suffix(f".{os.getpid()}")
        unfinished.mkdir(parents=True)
        for part in split(read(path).json, _PART_SIZE):
            (unfinished / f"{part.number:04}.json").write_bytes(part.json)
        unfinished.rename(home)


def run(
    peer: str, database: Database, paths: tuple[Path, ...], postmaster: int | None
) -> tuple[float, Peaks]:
    """Let a peer take the files; gives the seconds, the start of its processes included.

    For ready-made parts the paths are the folders of `prepare`.
    """
    with database.connect() as connection:
        for statement in _CREATE.values():
            connection.execute(statement)
    shares = [share for worker in range(WORKERS) if (share := paths[worker::WORKERS])]
    if peer == "DuckDB":  # has threads of its own, and one process may write to its file
        shares = [paths]
    started = time.monotonic()
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.peers", peer, *map(str, share)],
            env=database.environment(),
            cwd=Path(__file__).resolve().parent.parent,
        )
        for share in shares
    ]
    with Watch([worker.pid for worker in workers], postmaster) as watch:
        codes = [worker.wait() for worker in workers]
    seconds = time.monotonic() - started
    if any(codes):
        raise RuntimeError(f"{peer}: a process failed")
    return seconds, watch.peaks


def points_of(database: Database) -> int:
    """How many points a peer left in the database."""
    with database.connect() as connection:
        row = connection.execute("select count(*) from peer_points").fetchone()
    assert row is not None  # an aggregate has one row
    return int(row[0])


def _ready_made(folders: list[str]) -> None:
    statement = "copy peer_parts (file, part_no, document) from stdin (format binary)"
    with psycopg.connect() as connection, connection.cursor() as cursor:
        for folder in folders:
            for number, path in enumerate(sorted(Path(folder).iterdir())):
                with cursor.copy(statement) as copy:
                    copy.set_types(["text", "int4", "jsonb"])
                    json = Jsonb(path.read_bytes(), dumps=bytes)
                    copy.write_row((folder, number, json))
            connection.commit()


def _pandas(paths: list[str]) -> None:
    import json  # noqa: PLC0415  for this peer alone

    import pandas as pd  # noqa: PLC0415  for this peer alone

    statement = f"copy peer_points ({_NAMES}) from stdin (format csv)"
    with psycopg.connect() as connection, connection.cursor() as cursor:
        for path in paths:
            with Path(path).open() as file:
                document = json.load(file)
            frame = pd.DataFrame(document["cycles_interpolated"]).iloc[::EVERY]
            frame = frame[list(_COLUMNS)].reset_index(names="id")
            frame.insert(0, "barcode", document["barcode"])
            text = io.StringIO()
            frame.to_csv(text, header=False, index=False)
            with cursor.copy(statement) as copy:
                copy.write(text.getvalue())
            connection.commit()


def _binary(paths: list[str]) -> None:
    statement = f"copy peer_points ({_NAMES}) from stdin (format binary)"
    with psycopg.connect() as connection, connection.cursor() as cursor:
        for path in paths:
            flags = yyjson.ReaderFlags.ALLOW_INF_AND_NAN
            document: dict[str, Any] = yyjson.Document(Path(path).read_bytes(), flags=flags).as_obj
            points = document["cycles_interpolated"]
            columns = [np.array(points[name][::EVERY], np.float64) for name in _COLUMNS]
            with cursor.copy(statement) as copy:
                copy.write(_rows(document["barcode"].encode(), columns))
            connection.commit()


def _rows(barcode: bytes, columns: list[Any]) -> bytes:
    """Rows as a binary COPY has them: a count of fields, then each with its length before it."""
    field = [("size", ">i4"), ("value", ">f8")]
    row = np.dtype(
        [
            ("fields", ">i2"),
            ("barcode size", ">i4"),
            ("barcode", f"S{len(barcode)}"),
            ("id size", ">i4"),
            ("id", ">i4"),
            *((f"column {number}", field) for number in range(len(columns))),
        ]
    )
    rows = np.zeros(len(columns[0]), row)
    rows["fields"] = 2 + len(columns)
    rows["barcode size"], rows["barcode"] = len(barcode), barcode
    rows["id size"], rows["id"] = 4, np.arange(len(rows)) * EVERY
    for number, values in enumerate(columns):
        rows[f"column {number}"]["size"] = 8
        rows[f"column {number}"]["value"] = values
    return b"PGCOPY\n\xff\r\n\0" + bytes(8) + rows.tobytes() + b"\xff\xff"


def _duckdb(paths: list[str]) -> None:
    import duckdb  # noqa: PLC0415  for this peer alone

    target = Path(paths[0]).parent / "peer.duckdb"
    target.unlink(missing_ok=True)
    columns = ", ".join(f"unnest(cycles_interpolated.{name}) as {name}" for name in _COLUMNS)
    types = ", ".join(f"{name} double[]" for name in _COLUMNS)
    with duckdb.connect(str(target)) as connection:
        connection.execute(
            f"create table points as select * from (select barcode, "
            f"unnest(range(len(cycles_interpolated.voltage))) as id, {columns} from read_json(?, "
            f"columns = {{barcode: 'varchar', cycles_interpolated: 'struct({types})'}}, "
            f"maximum_object_size = 2000000000)) where id % {EVERY} = 0",
            [paths],
        )
    target.unlink()  # another run is to begin alike


_PEERS: dict[str, Callable[[list[str]], None]] = {
    "ready-made parts": _ready_made,
    "pandas + COPY": _pandas,
    "yyjson + binary COPY": _binary,
    "DuckDB": _duckdb,
}

if __name__ == "__main__":
    _PEERS[sys.argv[1]](sys.argv[2:])
