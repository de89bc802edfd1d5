"""Diagnostic cycles: their summaries, their points and what they say of a battery's health."""

import csv
import json
import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import shapes
from conftest import PROJECT, Database, fresh_database
from pipeline import Pipeline

from loader import demo
from loader.server.embedded import Server

REFERENCE = PROJECT.parent / "shared" / "reference" / "features_data"
TABLES = ("battery_diagnostic_summaries", "battery_diagnostic_points", "battery_health")
SECTIONS = ("diagnostic_summary", "diagnostic_interpolated")
# BEEP's names of what `battery_health` has
HEALTH = {
    "fractional_metric": "remaining_share",
    "initial_regular_throughput": "initial_regular_throughput",
    "normalized_regular_throughput": "normalized_regular_throughput",
    "normalized_diagnostic_throughput": "normalized_diagnostic_throughput",
}
WITHOUT = "EL150800737381"
# taken from the protocol's parameters by BEEP, not from the cycles
PARAMETERS = {"diagnostic_start_cycle", "diagnostic_interval"}

LATER = demo.Run(
    barcode="both",
    channel_id=1,
    first_cycle_at=datetime(2018, 1, 1, tzinfo=UTC),
    life=100,
    cycle_count=20,
    cycles_before=20,
    interpolated=(0, 7),
    points_per_step=40,
    layout="2022.10",
    diagnostics=(1, 12),
)
# ends with diagnostics, so that neither the summary nor the curves have its highest cycle
EARLIER = replace(
    LATER,
    first_cycle_at=datetime(2017, 1, 1, tzinfo=UTC),
    cycles_before=0,
    diagnostics=(1, 8, 15),
)


@pytest.fixture(scope="module")
def pipeline(
    server: Server, real_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pipeline]:
    """Real files with diagnostics, and one without any; a made-up one in every shape."""
    if not REFERENCE.is_dir():
        pytest.skip(f"needs BEEP's numbers in {REFERENCE}")
    folder = tmp_path_factory.mktemp("shapes")
    document = demo.document(replace(EARLIER, points_per_step=20, diagnostics=(1,)))
    for number, shape in enumerate(shapes.SHAPES, start=1):
        changed = {key: value for key, value in document.items() if key not in SECTIONS}
        for section in SECTIONS:
            changed |= shapes.to_shape(section, document[section], shape)
        write(folder / f"FastCharge_{number}.json", changed | {"barcode": shape})
    with fresh_database(server) as database:
        pipeline = Pipeline.create(database)
        pipeline.push(
            REFERENCE / "PreDiag_000233_00021F_truncated_structure.json",
            *real_data.glob("beep-2021/PredictionDiagnostics_000107_*.json"),
            *real_data.glob("matr/FastCharge_000002_CH26_structure.json"),
        )
        pipeline.push(folder, part_size=1 << 14)
        build(pipeline)
        yield pipeline


def build(pipeline: Pipeline, *options: str) -> None:
    pipeline.build_tables("--select", "+marts.diagnostics", *options)


def of_battery(pipeline: Pipeline, table: str, barcode: str) -> list[dict[str, Any]]:
    ids = {row["barcode"]: row["id"] for row in pipeline.table("batteries")}
    rows = [row for row in pipeline.table(table) if row["battery_id"] == ids[barcode]]
    return sorted(rows, key=lambda row: row.get("id", row["cycle_index"]))


def test_every_number_of_beep_is_in_the_tables(pipeline: Pipeline) -> None:
    with (REFERENCE / "beep_diagnostics.csv").open(newline="") as file:
        truths = list(csv.DictReader(file))
    summaries = of_battery(pipeline, "battery_diagnostic_summaries", "00021F")
    cycles = {(row["cycle_type"], row["occurrence"]): row for row in summaries}
    health = {
        (row["quantity"], row["cycle_type"], row["occurrence"]): row
        for row in of_battery(pipeline, "battery_health", "00021F")
    }
    named = set()
    for truth in truths:
        _, metric, kind, place = truth["featurizer"].split()
        occurrence, feature = int(place) + 1, truth["feature"]
        quantity = metric.removeprefix("discharge_")
        named.add((quantity, kind, occurrence))
        cycle = cycles[kind, occurrence]
        found = {
            name: health[quantity, kind, occurrence][ours] for name, ours in HEALTH.items()
        } | {
            "cycle_index": cycle["cycle_index"],
            "epoch_time": cycle["date_time_iso"].timestamp(),
        }
        if feature not in PARAMETERS:
            wanted = float(truth["value"])
            assert math.isclose(found[feature], wanted, rel_tol=1e-9), truth
    assert named == set(health), "no row more than BEEP has"
    assert len(truths) == 8 * len(named) == 8 * 160


def test_a_diagnostic_cycle_may_be_in_the_summary_too(pipeline: Pipeline) -> None:
    """Until 2020 it was, but for the last one, which nothing else of the file counts."""
    cycles = of_battery(pipeline, "battery_diagnostic_summaries", "00021F")
    outside = [row["cycle_index"] for row in cycles if not row["is_in_summary"]]
    assert (len(cycles), outside) == (82, [1612])


def test_real_diagnostics_are_counted_by_type(pipeline: Pipeline) -> None:
    rows = of_battery(pipeline, "battery_diagnostic_summaries", "0001B9")
    types = ("reset", "hppc", "rpt_0.2C", "rpt_1C", "rpt_2C")
    assert [(row["cycle_type"], row["occurrence"]) for row in rows] == [
        (kind, occurrence) for occurrence in (1, 2, 3) for kind in types
    ]
    points = of_battery(pipeline, "battery_diagnostic_points", "0001B9")
    measured = ("voltage", "current_", "temperature", "charge_capacity", "discharge_capacity")
    assert len(points) == 1
    assert [name for name in measured if points[0][name] is not None] == ["voltage"]


def test_a_file_without_diagnostics_gives_no_rows(pipeline: Pipeline) -> None:
    for table in TABLES:
        assert of_battery(pipeline, table, WITHOUT) == []


def write(path: Path, document: dict[str, Any]) -> Path:
    path.write_text(json.dumps(document))
    return path


def tables(pipeline: Pipeline) -> dict[str, set[tuple[Any, ...]]]:
    return {name: {tuple(row.values()) for row in pipeline.table(name)} for name in TABLES}


def test_runs_and_parts_and_their_order_make_no_difference(
    database: Database, tmp_path: Path
) -> None:
    """The later run first, each in many parts; then the earlier one; then all anew."""
    pipeline = Pipeline.create(database)
    runs = {"FastCharge_1.json": LATER, "FastCharge_2.json": EARLIER}
    for name, run in runs.items():
        demo.write(tmp_path / name, run)
        pipeline.push(tmp_path / name, part_size=1 << 14)
        build(pipeline)
    found = tables(pipeline)
    numbers = [row["cycle_index"] for row in pipeline.table("battery_diagnostic_summaries")]
    # the earlier run has the cycles 0 to 19, the last five of them diagnostic ones
    later, earlier = [*range(21, 26), *range(32, 37)], EARLIER.diagnostic_cycles
    assert numbers == later + earlier
    for place, run in enumerate((LATER, EARLIER), start=1):
        compared(pipeline, place, demo.document(run), offset=20 if run is LATER else 0)
    hppc = [row for row in pipeline.table("battery_diagnostic_points") if row["cycle_index"] == 2]
    assert {row["step_index_counter"] for row in hppc} == set(range(1, 48))
    build(pipeline, "--full-refresh")
    assert tables(pipeline) == found


def compared(pipeline: Pipeline, file_id: int, document: dict[str, Any], offset: int) -> None:
    """The rows of a file against its document, place by place."""
    for table, section, renamed in (
        ("battery_diagnostic_summaries", SECTIONS[0], {}),
        (
            "battery_diagnostic_points",
            SECTIONS[1],
            {"current": "current_", "step_type": "step_position"},
        ),
    ):
        content = document[section]
        rows = {row["id"]: row for row in pipeline.table(table) if row["id"] >> 32 == file_id}
        assert len(rows) == len(content["cycle_index"])
        for name in set(content) - {"date_time_iso"}:
            for index, value in enumerate(content[name]):
                found = rows[(file_id << 32) + index][renamed.get(name, name).lower()]
                wanted = value + offset if name == "cycle_index" else value
                missing = isinstance(wanted, float) and math.isnan(wanted)
                assert found == (None if missing else wanted), (table, name, index)


def test_every_shape_of_the_sections_gives_the_same_rows(pipeline: Pipeline) -> None:
    for table in TABLES:
        first, *others = (
            sorted(map(without_ids, of_battery(pipeline, table, shape.upper())), key=str)
            for shape in shapes.SHAPES
        )
        assert first
        assert all(rows == first for rows in others), table


def without_ids(row: dict[str, Any]) -> dict[str, Any]:
    """A row with its place in its file instead of its ids."""
    own = {key: value for key, value in row.items() if key not in ("id", "battery_id")}
    return own | ({"place": row["id"] & 0xFFFFFFFF} if "id" in row else {})


def test_cells_of_the_demonstration_age_in_their_diagnostics() -> None:
    """What is left falls from set to set, more at higher rates; a pulse reads the resistance."""
    run = replace(EARLIER, cycle_count=90, life=95, diagnostics=(1, 80), points_per_step=400)
    document = demo.document(run)
    summary, points = document["diagnostic_summary"], document["diagnostic_interpolated"]
    by_type = list(zip(summary["cycle_type"], summary["discharge_energy"], strict=True))
    fresh, aged = by_type[:5], by_type[5:]
    assert [kind for kind, _ in fresh] == ["reset", "hppc", "rpt_0.2C", "rpt_1C", "rpt_2C"]
    assert all(after < before for (_, before), (_, after) in zip(fresh, aged, strict=True))
    for rates in (fresh, aged):
        kinds = dict(rates)
        assert kinds["reset"] > kinds["rpt_0.2C"] > kinds["rpt_1C"] > kinds["rpt_2C"]
    times = points["test_time"]
    cycles = points["cycle_index"]
    for cycle in run.diagnostic_cycles[:-1]:
        ends = [t for t, number in zip(times, cycles, strict=True) if number == cycle]
        later = [t for t, number in zip(times, cycles, strict=True) if number > cycle]
        assert max(ends) <= min(later)
