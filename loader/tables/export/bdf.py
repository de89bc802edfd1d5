"""The Battery Data Format of the Battery Data Alliance: one Parquet file a run, in time order.

A run is a landed file with its own cycle numbers. Its rows are the cycler's records where the file
keeps them (`raw_data`), else BEEP's interpolated points; either must tell the test time.
https://github.com/battery-data-alliance/battery-data-format
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
from psycopg.rows import class_row
from pyarrow import parquet

from loader.raw.zone import Zone
from loader.tables.export.choice import chosen
from loader.tables.export.folder import Item, Scope
from loader.tables.export.parquet import write_batches
from loader.tables.export.sections import PLAIN_NUMBER, columns

SECTIONS = {
    "raw_data": "records of the cycler",
    "cycles_interpolated": "points interpolated by BEEP, most of them on voltage: no time series",
}

# Preferred labels of the quantities; BEEP sets capacities and energies back in each cycle.
LABELS = {
    "test_time": "Test Time / s",
    "voltage": "Voltage / V",
    "current": "Current / A",  # positive on charge, in both
    "cycle_index": "Cycle Count / 1",
    "step_index": "Step ID",
    "step_type": "Step Type",
    "charge_capacity": "Cycle Charging Capacity / Ah",
    "discharge_capacity": "Cycle Discharging Capacity / Ah",
    "charge_energy": "Cycle Charging Energy / Wh",
    "discharge_energy": "Cycle Discharging Energy / Wh",
    "internal_resistance": "Internal Resistance / ohm",
    "temperature": "Temperature T1 / degC",
}
REQUIRED = ("test_time", "voltage", "current")
_SUFFIX = ".bdf.parquet"
_DATA = {
    "name": "bdf",
    "description": "A file a run in the Battery Data Format.",
    "format": "parquet",
    "schema": {"fields": [{"name": label} for label in LABELS.values()]},
}
_METADATA = {"name": "metadata", "description": "What is known of each run.", "format": "json"}
_WHOLE = ("cycle_index", "step_index")

_RUNS = """
    select file_id, battery_id, barcode, file_name, sha256, protocol, run_number, first_record_at
    from battery.battery_files where run_number is not null order by file_id
"""


@dataclass(frozen=True)
class Run:
    """A run of a battery, as `battery_files` has it."""

    file_id: int
    battery_id: int
    barcode: str
    file_name: str
    sha256: str
    protocol: str | None
    run_number: int
    first_record_at: datetime | None

    @property
    def stem(self) -> str:
        """Institution__Cell__YYYYMMDD_XXX; files do not say which institution."""
        cell = re.sub(r"[^A-Za-z0-9.-]+", "-", self.barcode)[:100]
        day = f"{self.first_record_at:%Y%m%d}" if self.first_record_at else "undated"
        return f"unknown__{cell}__{day}_{self.file_id:03}"


def items(connection: psycopg.Connection, scope: Scope) -> list[Item]:
    """Give the files of an export; see `loader.tables.export.items`."""
    batteries = chosen(connection, scope)
    wanted = None if batteries is None else {battery.id for battery in batteries}
    with connection.cursor(row_factory=class_row(Run)) as cursor:
        runs = cursor.execute(_RUNS).fetchall()
    return [
        item
        for run in runs
        if wanted is None or run.battery_id in wanted
        for item in _items(connection, run)
    ]


def _items(connection: psycopg.Connection, run: Run) -> Iterator[Item]:
    """A run's data, then what is known of it."""
    fingerprint = hashlib.sha256(repr(run).encode()).hexdigest()[:16]
    for suffix, write, resource in (
        (_SUFFIX, partial(_write, connection, run), _DATA),
        (".metadata.json", partial(_write_metadata, run), _METADATA),
    ):
        yield Item(f"{run.stem}{suffix}", run.file_name, fingerprint, write, resource)


def _write(connection: psycopg.Connection, run: Run, path: Path) -> bool:
    """Write a run and what is known of it; false where its file tells no test time."""
    for section, what in SECTIONS.items():
        table = _table(connection, run.file_id, section)
        if table is not None:
            reader = pa.RecordBatchReader.from_batches(table.schema, table.to_batches())
            write_batches(path, reader, {"bdf": json.dumps(_told(run, what), ensure_ascii=False)})
            return True
    return False


def _write_metadata(run: Run, path: Path) -> bool:
    """Write beside the data what is known of it, as the format wants; false where there is none."""
    data = path.with_name(f"{run.stem}{_SUFFIX}")
    if not data.exists():
        return False
    told = json.loads(parquet.read_schema(data).metadata[b"bdf"])
    path.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return True


def _table(connection: psycopg.Connection, file_id: int, section: str) -> pa.Table | None:
    with connection.transaction():
        return time_series(map(_parsed, Zone(connection).read_parts(file_id)), section)


def time_series(parts: Iterable[dict[str, Any]], section: str) -> pa.Table | None:
    """Give the rows of a section in time order, under BDF's labels, from a document's parts.

    Rows without time, voltage or current are left out; None where no row has all three.
    """
    found = [_doubles(rows) for part in parts for rows in columns(part, section)]
    known = [part for part in found if part.num_rows]
    if not known:
        return None
    table = pa.concat_tables(known, promote_options="default")
    if not set(REQUIRED) <= set(table.column_names):
        return None
    for name in REQUIRED:
        table = table.filter(pc.is_valid(table[name]))
    if not table.num_rows:
        return None
    table = table.sort_by("test_time")
    for name in _WHOLE:
        if name in table.column_names:
            at = table.column_names.index(name)
            table = table.set_column(at, name, _whole(table[name]))
    labels = {name: label for name, label in LABELS.items() if name in table.column_names}
    table = table.select(list(labels)).rename_columns(list(labels.values()))
    return table.append_column("Record Index / 1", pa.array(range(1, table.num_rows + 1)))


def _parsed(part: bytes) -> dict[str, Any]:
    """A part as objects; Python's parser for the numbers that no double holds."""
    try:
        return dict(orjson.loads(part))
    except orjson.JSONDecodeError:
        return dict(json.loads(part))


def _doubles(rows: dict[str, list[Any]]) -> pa.Table:
    """The columns that have a label, each as long as the longest."""
    length = max(map(len, rows.values()), default=0)
    padded = {
        name: values + [None] * (length - len(values))
        for name, values in rows.items()
        if name in LABELS
    }
    return pa.table(
        {
            name: _texts(values) if name == "step_type" else _numbers(values)
            for name, values in padded.items()
        }
    )


def _numbers(values: list[Any]) -> pa.Array:
    try:
        numbers = pa.array(values, pa.float64())
    except (pa.ArrowInvalid, pa.ArrowTypeError):  # a text or a large integer is among them
        numbers = pa.array(map(_number, values), pa.float64())
    return pc.if_else(pc.is_finite(numbers), numbers, None)


def _number(value: object) -> float | None:
    """As the tables take it: a number, or a text that is one; what no double holds is NULL."""
    plain = isinstance(value, str) and PLAIN_NUMBER.fullmatch(value.strip())
    if not plain and (isinstance(value, bool) or not isinstance(value, int | float)):
        return None
    try:
        return float(value)  # type: ignore[arg-type]  # a plain text, too
    except OverflowError:
        return None


def _texts(values: list[Any]) -> pa.Array:
    return pa.array([None if value is None else str(value) for value in values], pa.string())


def _whole(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Whole numbers as such, else as they are."""
    try:
        return values.cast(pa.int64())
    except pa.ArrowInvalid:
        return values


def _told(run: Run, what: str) -> dict[str, object]:
    return {
        "cell": run.barcode,
        "battery_id": run.battery_id,
        "run": run.run_number,
        "protocol": run.protocol,
        "source_file": run.file_name,
        "source_sha256": run.sha256,
        "rows": what,
        "creator": f"battery-elt {metadata.version('battery-elt')}",
    }
