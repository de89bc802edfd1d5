"""A few small files, landed and built once; a test works on a copy of the database."""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from conftest import Database
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
    ),
    # the earlier run in the later file
    "FastCharge_3_structure.json.gz": replace(
        TWICE, first_cycle_at=datetime(2017, 1, 1, tzinfo=UTC), cycles_before=0
    ),
}

_templates: dict[Path, Pipeline] = {}


def write(folder: Path, runs: dict[str, demo.Run] = RUNS) -> list[Path]:
    folder.mkdir(exist_ok=True)
    for name, run in runs.items():
        demo.write(folder / name, run)
    return [folder / name for name in runs]


@contextmanager
def built(server: Server, folders: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """A pipeline whose tables are built: a copy of the first one's database and project."""
    if server.home not in _templates:
        _templates[server.home] = _build(server, folders.mktemp("built"))
    template = _templates[server.home]
    copy = f"copy_{uuid.uuid4().hex[:12]}"
    admin = Database(server.environment())
    original = template.database.environment["PGDATABASE"]
    names = sql.Identifier(copy), sql.Identifier(original)
    with admin.connect() as connection:
        connection.execute(sql.SQL("create database {} template {}").format(*names))
    folder = folders.mktemp("copy") / "dbt_project"
    shutil.copytree(template.project, folder)
    yield Pipeline(Database(server.environment() | {"PGDATABASE": copy}), folder)
    with admin.connect() as connection:
        connection.execute(sql.SQL("drop database {} with (force)").format(names[0]))


def _build(server: Server, folder: Path) -> Pipeline:
    name = f"built_{uuid.uuid4().hex[:12]}"
    with Database(server.environment()).connect() as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    pipeline = Pipeline.create(Database(server.environment() | {"PGDATABASE": name}), folder)
    pipeline.push(*write(folder / "data"))
    pipeline.build()
    return pipeline
