"""Every published point held against its file, by a checksum per column."""

import hashlib
import json
import math
from array import array
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import yyjson

# published column: source column. No `time`: the files of `sample.large` have none to make it of.
COLUMNS = {
    "cycle_index": "cycle_index",
    "voltage": "voltage",
    "current_": "current",
    "temperature": "temperature",
    "charge_capacity": "charge_capacity",
    "discharge_capacity": "discharge_capacity",
    "step_type": "step_type",
}
EVERY = 10


class Checksum(NamedTuple):
    """Of the values of a column in document order: how many, how many known, SHA-256 of all."""

    rows: int
    known: int
    sha256: str


def of_file(path: Path) -> dict[str, Checksum]:
    """What has to be published of a columnar file, read by yyjson, which the loader is without."""
    document = yyjson.Document(path.read_bytes(), flags=yyjson.ReaderFlags.ALLOW_INF_AND_NAN)
    columns = (document.get_pointer(f"/cycles_interpolated/{name}") for name in COLUMNS.values())
    rows = zip(*(column[::EVERY] for column in columns), strict=True)
    measured = range(1, len(COLUMNS) - 1)
    kept = [row for row in rows if not all(math.isnan(row[column]) for column in measured)]
    values = zip(*kept, strict=True)
    return {name: _checksum(column) for name, column in zip(COLUMNS, values, strict=True)}


def published(connection: psycopg.Connection, file_id: int) -> dict[str, Checksum]:
    """What is published of a file that is the only run of its battery."""
    checksums = {}
    for name in COLUMNS:
        cursor = connection.cursor(binary=True)  # doubles as they are, and fast
        cursor.execute(
            psycopg.sql.SQL(
                "select {} from battery.battery_cycles_interpolated"
                " where id >= (%(file)s::bigint << 32) and id < ((%(file)s::bigint + 1) << 32)"
                " order by id"
            ).format(psycopg.sql.Identifier(name)),
            {"file": file_id},
        )
        checksums[name] = _checksum(value for (value,) in cursor)
    return checksums


def _checksum(values: Iterable[Any]) -> Checksum:
    listed = [None if isinstance(value, float) and math.isnan(value) else value for value in values]
    known = sum(value is not None for value in listed)
    digest = hashlib.sha256()
    if any(isinstance(value, str) for value in listed):
        digest.update(json.dumps(listed).encode())
    else:
        digest.update(array("d", [math.nan if v is None else v + 0.0 for v in listed]).tobytes())
    return Checksum(len(listed), known, digest.hexdigest())
