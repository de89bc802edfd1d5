"""Every point of the batteries asked for, in `battery_points`."""

import math
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from conftest import Database
from pipeline import Pipeline

from loader import demo

FIRST = demo.Run(
    barcode="Two",
    channel_id=1,
    first_cycle_at=datetime(2017, 1, 1, tzinfo=UTC),
    life=100,
    cycle_count=5,
    interpolated=(1, 4),
    points_per_step=30,
    layout="2026.2",
)
RUNS = {
    # the later run is landed first
    "FastCharge_1.json": replace(
        FIRST, barcode="TWO", first_cycle_at=datetime(2018, 1, 1, tzinfo=UTC), cycles_before=5
    ),
    "FastCharge_2.json": FIRST,
    "FastCharge_3.json": replace(FIRST, barcode="other"),
}
SHARED = (
    "id",
    "battery_id",
    "cycle_index",
    "time",
    "voltage",
    "current_",
    "temperature",
    "charge_capacity",
    "discharge_capacity",
    "step_type",
)


def land(pipeline: Pipeline, folder: Path, name: str) -> None:
    demo.write(folder / name, RUNS[name])
    pipeline.push(folder / name, part_size=1 << 14)


def want(pipeline: Pipeline, *barcodes: str) -> None:
    """Writes the seed."""
    lines = ["barcode,reason", *(f"{barcode},a test" for barcode in barcodes)]
    (pipeline.project / "seeds" / "full_resolution.csv").write_text("\n".join(lines) + "\n")


WHAT_READS_THE_LISTS = ("--select", "full_resolution+", "source:raw.full_resolution+")


def build(pipeline: Pipeline, *options: str) -> None:
    pipeline.build_tables("--select", "+battery_points", "+battery_cycles_interpolated", *options)


def points(pipeline: Pipeline) -> dict[int, dict[str, Any]]:
    return {row["id"]: row for row in pipeline.table("battery_points")}


def barcodes(pipeline: Pipeline) -> set[str]:
    return {
        barcode
        for (barcode,) in pipeline.database.rows(
            """select distinct barcode from battery.battery_points
            inner join battery.batteries on battery_id = batteries.id"""
        )
    }


def test_every_point_of_a_listed_battery_and_of_no_other_is_published(
    database: Database, tmp_path: Path
) -> None:
    pipeline = Pipeline.create(database)
    for name in ("FastCharge_1.json", "FastCharge_3.json"):
        land(pipeline, tmp_path, name)
    want(pipeline, " two ")
    build(pipeline)
    alone = points(pipeline)
    assert barcodes(pipeline) == {"TWO"}

    # an earlier run comes: the later one is numbered on
    land(pipeline, tmp_path, "FastCharge_2.json")
    build(pipeline)
    both = points(pipeline)
    assert {both[key]["cycle_index"] for key in alone} == {6, 9}
    assert len(both) == 2 * len(alone) == 4 * 60
    for row in pipeline.table("battery_cycles_interpolated"):
        if row["id"] >> 32 != 2:
            assert {name: both[row["id"]][name] for name in SHARED} == row
    compared(both, file_id=3, document=demo.document(FIRST))

    build(pipeline, "--full-refresh")
    assert points(pipeline) == both

    # on the other list, which counts as much, in the place of the first; then all; then none
    want(pipeline)
    database.rows("""insert into raw.full_resolution values ('OTHER', 'a test', 'a test')""")
    pipeline.build_tables(*WHAT_READS_THE_LISTS)
    assert barcodes(pipeline) == {"OTHER"}
    want(pipeline, "*")
    pipeline.build_tables(*WHAT_READS_THE_LISTS)
    assert barcodes(pipeline) == {"OTHER", "TWO"}
    want(pipeline)
    database.rows("delete from raw.full_resolution")
    pipeline.build_tables(*WHAT_READS_THE_LISTS)
    assert points(pipeline) == {}


def compared(rows: dict[int, dict[str, Any]], file_id: int, document: dict[str, Any]) -> None:
    """The columns that only this table has, against the document, place by place."""
    columns = document["cycles_interpolated"]
    names = ("test_time", "charge_energy", "discharge_energy", "internal_resistance", "step_index")
    for index in range(len(columns["voltage"])):
        row = rows[(file_id << 32) + index]
        for name in names:
            value = columns[name][index]
            assert row[name] == (None if math.isnan(value) else value), (name, index)
