"""A few small files, landed and built once; a test works on a copy of the database."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from conftest import Database, fresh_database
from pipeline import Pipeline
from psycopg import sql

from loader import demo
from loader.server.embedded import Server

TWICE = demo.Run(
    barcode="twice",
    channel_id=1,
    first_cycle_at=datetime(2018, 1, 1, tzinfo=UTC),
    life=30,
    cycles_before=20,
    cycle_count=20,
    interpolated=(0, 10, 20),
    points_per_step=100,
)
TEMPLATE = "built"
RUNS = {
    "FastCharge_1_structure.json": TWICE,
    "FastCharge_2_structure.json": demo.Run(
        barcode="alone",
        channel_id=2,
        first_cycle_at=datetime(2018, 1, 1, tzinfo=UTC),
        life=20,
        cycle_count=24,
        interpolated=(2, 10),
        points_per_step=100,
        layout="2026.2",
        diagnostics=(12,),
    ),
    # the earlier run in the later file
    "FastCharge_3_structure.json.gz": replace(
        TWICE, first_cycle_at=datetime(2017, 1, 1, tzinfo=UTC), cycles_before=0
    ),
}

_templates: set[Path] = set()


def write(folder: Path, runs: dict[str, demo.Run] = RUNS) -> list[Path]:
    folder.mkdir(exist_ok=True)
    for name, run in runs.items():
        demo.write(folder / name, run)
    return [folder / name for name in runs]


@contextmanager
def built(server: Server, folders: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """A pipeline whose tables are built, on a copy of a database that is built once a server."""
    if server.home not in _templates:
        _build(server, folders.mktemp("built"))
        _templates.add(server.home)
    with fresh_database(server, template=TEMPLATE) as copy:
        yield Pipeline.create(copy)


def _build(server: Server, folder: Path) -> None:
    with fresh_database(server) as database:
        pipeline = Pipeline.create(database)
        pipeline.push(*write(folder / "data"))
        database.rows("insert into raw.full_resolution values ('ALONE', 'a test', 'a test')")
        pipeline.build_tables()
        names = (TEMPLATE, database.environment["PGDATABASE"])
        copy = sql.SQL("create database {} template {}")
        Database(server.environment()).rows(copy.format(*map(sql.Identifier, names)))
