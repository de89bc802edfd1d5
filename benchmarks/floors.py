"""The floors: the least work that could do the same, with none of what makes it safe or tested.

As a command it is one worker of the landing floor: `python -m benchmarks.floors FILE...`
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import psycopg
import yyjson
from psycopg.types.json import Jsonb

from benchmarks.memory import Peaks, Watch
from benchmarks.server import Database

WORKERS = 2
PARTS = 16

_TABLE = "floor_documents"

# As the loader has it: pglz never, lz4 where the server can.
_CREATE_TABLE = f"""
create table {_TABLE} (file text, part_no integer, document jsonb);
do $$
begin
    if exists (
        select from pg_settings
        where name = 'default_toast_compression' and 'lz4' = any (enumvals)
    ) then
        alter table {_TABLE} alter column document set compression lz4;
    else
        alter table {_TABLE} alter column document set storage external;
    end if;
end
$$;
"""

# The points that the published table holds, of columnar documents without `time` or `test_time`.
_BUILD = """
create table floor_points as
with

sections as (
    select
        documents.file_id,
        documents.first_point,
        documents.document -> 'cycles_interpolated' as section
    from raw.documents
    offset 0
),

arrays as (
    select
        sections.file_id,
        sections.first_point,
        jsonb_array_length(sections.section -> 'cycle_index') as row_count,
        {arrays}
    from sections
    where sections.section ? 'cycle_index'
    offset 0
),

points as (
    select
        (arrays.file_id << 32) + arrays.first_point + positions.position as id,
        arrays.file_id as battery_id,
        (arrays.cycle_index -> positions.position)::integer as cycle_index,
        null::double precision as time,
        {numbers},
        arrays.step_type ->> positions.position as step_type
    from arrays
    cross join lateral generate_series(
        ((10 - arrays.first_point % 10) % 10)::integer, arrays.row_count - 1, 10
    ) as positions (position)
)

select * from points
where coalesce(voltage, current_, temperature, charge_capacity, discharge_capacity) is not null
"""
_NUMBERS = {
    "voltage": "voltage",
    "current": "current_",
    "temperature": "temperature",
    "charge_capacity": "charge_capacity",
    "discharge_capacity": "discharge_capacity",
}


def landing(
    database: Database, paths: tuple[Path, ...], postmaster: int | None
) -> tuple[float, Peaks]:
    """Land files by two bare workers, and give the seconds that takes and its peaks of memory.

    A worker reads, parses by yyjson, writes out 16 parts by orjson, and copies them into a table
    without keys, a transaction a file. Its start counts, about 0.2 s, as it does for the loader.
    """
    with database.connect() as connection:
        connection.execute(_CREATE_TABLE)
    shares = [share for worker in range(WORKERS) if (share := paths[worker::WORKERS])]
    root = Path(__file__).resolve().parent.parent
    started = time.monotonic()
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.floors", *map(str, share)],
            env=database.environment(),
            cwd=root,
        )
        for share in shares
    ]
    with Watch([worker.pid for worker in workers], postmaster) as watch:
        codes = [worker.wait() for worker in workers]
    if any(codes):
        raise RuntimeError("a worker of the landing floor failed")
    return time.monotonic() - started, watch.peaks


def build(database: Database) -> tuple[float, int]:
    """Take the sampled points by one `create table as`; gives its seconds and the rows."""
    arrays = (*_NUMBERS, "cycle_index", "step_type")
    statement = _BUILD.format(
        arrays=",\n        ".join(f"sections.section -> '{name}' as {name}" for name in arrays),
        numbers=",\n        ".join(
            # before PostgreSQL 18 a JSON null has no cast
            f"nullif(arrays.{name} -> positions.position, 'null')::double precision as {column}"
            for name, column in _NUMBERS.items()
        ),
    )
    with database.connect() as connection:
        started = time.monotonic()
        rows = connection.execute(statement).rowcount
        seconds = time.monotonic() - started
        connection.execute("drop table floor_points")
    return seconds, rows


def _worker(paths: list[str]) -> None:
    statement = f"copy {_TABLE} (file, part_no, document) from stdin (format binary)"
    with psycopg.connect() as connection, connection.cursor() as cursor:
        for path in paths:
            document = _parse(Path(path).read_bytes())
            with cursor.copy(statement) as copy:
                copy.set_types(["text", "int4", "jsonb"])
                for number, part in enumerate(_parts(document)):
                    copy.write_row((path, number, Jsonb(part, dumps=bytes)))
            connection.commit()


def _parse(data: bytes) -> dict[str, Any]:
    flags = yyjson.ReaderFlags.ALLOW_INF_AND_NAN | yyjson.ReaderFlags.BIGNUM_AS_RAW
    document: dict[str, Any] = yyjson.Document(data, flags=flags).as_obj
    return document


def _parts(document: dict[str, Any]) -> Iterator[bytes]:
    """The points in 15 slices after all the rest."""
    points = document.pop("cycles_interpolated")
    yield orjson.dumps(document)
    count = len(points["cycle_index"])
    bounds = [count * cut // (PARTS - 1) for cut in range(PARTS)]
    for start, stop in pairwise(bounds):
        slices = {column: values[start:stop] for column, values in points.items()}
        yield orjson.dumps({"cycles_interpolated": slices})


if __name__ == "__main__":
    _worker(sys.argv[1:])
