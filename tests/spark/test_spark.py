"""The same models on Spark: what PostgreSQL publishes, Spark publishes, to the last bit."""

import os
import shutil
import struct
import subprocess
import sysconfig
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any

import pytest
import shapes
from conftest import Database, RunLoader
from pipeline import Pipeline
from spark_cluster import Cluster

pytestmark = pytest.mark.spark

PUBLISHED = {
    "batteries": "id, barcode, protocol, channel_id, cycle_life",
    "battery_summaries": "*",
    "battery_cycles_interpolated": "*",
    "battery_files": (
        "file_id, battery_id, sha256, first_record_at, superseded_by, run_number, cycle_offset"
    ),
    "battery_lives": "*",
    "unmapped_columns": "key_path, file_count, first_seen_in",
    "battery_diagnostic_summaries": "*",
    "battery_diagnostic_points": "*",
    "battery_health": "*",
    "battery_early_features": "*",
    "battery_cycle_differences": "*",
    "battery_trajectories": "*",
}
"""The columns compared: all but the times of landing, which two landings cannot share."""


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    found = find_spec("pyspark")
    if not (shutil.which("java") and found and found.origin) and os.environ.get("CI") != "true":
        pytest.skip(
            "needs Java (Debian: default-jre-headless) and pip install 'battery-elt[spark]'"
        )
    assert found and found.origin
    cluster = Cluster(tmp_path_factory.mktemp("spark"), Path(found.origin).parent)
    try:
        cluster.start()
        yield cluster
    finally:
        for name in list(cluster.processes):
            cluster.kill(name)


def document(seed: int) -> dict[str, Any]:
    """Points, summaries and time stamps in columns; cycles in ascending order."""
    cycles = [0, 2, 3, 11]
    points = [cycle for cycle in cycles for _ in range(7 + seed)]
    return {
        "protocol": "p",
        "channel_id": 7,
        "summary": {
            "cycle_index": cycles,
            "discharge_capacity": [1.1, 1.0 / 3, None, 0.9],
            "paused": [0, 3, None, 1],
            "date_time_iso": [f"2018-04-13T01:{minute:02}:00" for minute in cycles],
        },
        "cycles_interpolated": {
            "cycle_index": points,
            "voltage": [3 + seed / (place + 1) for place, _ in enumerate(points)],
            "test_time": [place * 1.1 for place, _ in enumerate(points)],
            "step_type": ["charge" if place % 3 else None for place, _ in enumerate(points)],
        },
        "diagnostic_summary": {
            "cycle_index": [1, 12, 13],
            "cycle_type": ["reset", "hppc", None],
            "discharge_capacity": [1.05, 1.0 / 7, 0.8],
            "paused": [0, 1, None],
        },
        "diagnostic_interpolated": {
            "cycle_index": [1, 1, 12, 12, 1, None],
            "cycle_type": ["reset", "reset", "hppc", "hppc", 3, "x"],
            "test_time": [5.5, 5.25, 9, "10.1", 8, 9],
            "voltage": [3.1, None, 1.0 / 3, seed, 3, 3],
            "charge_dQdV": [0.1, -0.1, None, 1e-5, 2, 3],
            "step_index": [1, 2.5, -3, 4, 5, 6],
        },
    }


def later_run(document: dict[str, Any]) -> dict[str, Any]:
    """The same battery, a year later: its cycles are numbered on, diagnostic ones among them."""
    summary = document["summary"]
    times = [time.replace("2018", "2019") for time in summary["date_time_iso"]]
    return document | {"summary": summary | {"date_time_iso": times}}


def odd_document() -> dict[str, Any]:
    """Values that are no numbers, cycles that are none, a column longer than the others."""
    numbers = [1, "2.5", " 3.5 ", -0.0, 1e22, "1e400"]
    values = [*numbers, True, None, "x", "NaN", "1d", "0x1p3", {}, [1]] * 3
    cycles = [0, "0", 0.0, 1, "1", None, True, 2.5, 2, 3]
    points = {
        "cycle_index": [cycles[place // 5] for place, _ in enumerate(values)],
        "voltage": values,
        "test_time": values[::-1],
        "step_type": [[1.5, True, "a", None, {}, []][place % 6] for place, _ in enumerate(values)],
        "nobody_knows": [0] * 60,
    }
    return document(3) | {"barcode": "odd", "cycles_interpolated": points}


def long_document() -> dict[str, Any]:
    """A test of 120 cycles with the curves that early features compare."""
    random = Random(5)
    cycles = range(120)
    points = [(cycle, step) for cycle in (9, 10, 99, 100) for step in ("charge", "discharge")] * 7
    measured = ("charge_capacity", "discharge_capacity", "charge_energy", "discharge_energy")
    fading = ("discharge_capacity", "charge_duration", "time_temperature_integrated")
    others = ("temperature_maximum", "temperature_minimum", "dc_internal_resistance")
    return {
        "barcode": "long",
        "summary": {
            "cycle_index": list(cycles),
            **{name: [random.uniform(0.7, 1.1) for _ in cycles] for name in (*fading, *others)},
        },
        "cycles_interpolated": {
            "cycle_index": [cycle for cycle, _ in points],
            "step_type": [step for _, step in points],
            **{name: [random.uniform(0, 1.1) for _ in points] for name in measured},
        },
    }


def build(pipeline: Pipeline, spark: Cluster, landing: Path) -> None:
    """`dbt build --target spark` as a user runs it, without the tests of the data."""
    only_tables = ("--exclude-resource-type", "test", "unit_test")
    done = subprocess.run(
        [
            Path(sysconfig.get_path("scripts"), "dbt"),
            *("--no-use-colors", "build", "--target", "spark", *only_tables),
            *("--vars", f"landing: {landing}"),
        ],
        cwd=pipeline.project,
        env=os.environ | {"SPARK_REMOTE": spark.remote},
        capture_output=True,
        text=True,
        timeout=580,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]


def comparable(rows: list[dict[str, Any]]) -> tuple[list[list[Any]], list[float | None]]:
    """Rows in order, doubles by their bits, times in UTC; and apart from them logarithms.

    Powers and logarithms are those of the C library here and of Java there.
    """
    parts = [
        (
            [_exact(value) for name, value in row.items() if "log_" not in name],
            [value for name, value in row.items() if "log_" in name],
        )
        for row in rows
    ]
    parts.sort(key=lambda part: repr(part[0]))
    return [exact for exact, _ in parts], [value for _, logs in parts for value in logs]


def _exact(value: Any) -> Any:
    if isinstance(value, float):
        return struct.pack(">d", value)
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return value


def assert_equal(pipeline: Pipeline, spark: Cluster) -> None:
    for table, columns in PUBLISHED.items():
        wanted = None if columns == "*" else columns.split(", ")
        ours, our_logs = comparable(pipeline.table(table, wanted))
        theirs, their_logs = comparable(spark.rows(f"select {columns} from battery.{table}"))
        assert ours, table
        assert theirs == ours, table
        assert their_logs == pytest.approx(our_logs, rel=1e-12, abs=1e-12), table


def test_spark_publishes_what_postgresql_does(
    spark: Cluster, database: Database, call_loader: RunLoader, tmp_path: Path, real_data: Path
) -> None:
    data, landing = tmp_path / "data", tmp_path / "landing"
    data.mkdir()
    for points in shapes.SHAPES:
        shaped = shapes.reshape(document(1), summary=points, points=points)
        (data / f"{points}.json").write_text(shapes.dumps(shaped | {"barcode": points}))
    (data / "long.json").write_text(shapes.dumps(long_document()))
    (data / "odd.json").write_text(shapes.dumps(odd_document()))
    (data / "odd later.json").write_text(shapes.dumps(later_run(odd_document())))
    pipeline = Pipeline.create(database)
    pipeline.push(data, real_data)
    assert call_loader("push", data, real_data, "--to", landing).returncode == 0
    pipeline.build_tables()
    build(pipeline, spark, landing)
    assert_equal(pipeline, spark)
    assert len(spark.tasks()) == 2
    assert min(spark.tasks()) > 0, "both executors have worked"
