"""Early features, trajectories and cycle differences against BEEP's own numbers."""

import csv
import gzip
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import shapes
import yaml
from conftest import PROJECT, Database, fresh_database
from pipeline import Pipeline

from loader import demo
from loader.server.embedded import Server

REFERENCE = PROJECT.parent / "shared" / "reference" / "features_data"
TWO_RUNS = "whole_of_two_runs.json.gz"
# BEEP's labels of CycleSummaryStats
STATISTICS = {
    "var": "log_variance",
    "min": "log_minimum",
    "mean": "log_mean",
    "skew": "log_skewness",
    "kurtosis": "log_kurtosis",
    "abs": "log_sum_of_sizes",
    "square": "log_sum_of_squares",
}
FEATURES = ("--select", "+marts.features")
SPANS = ("2_to_100", "91_to_100")


@pytest.fixture(scope="module")
def data() -> Path:
    if not REFERENCE.is_dir():
        pytest.skip(f"needs BEEP's numbers in {REFERENCE}")
    return REFERENCE


def truths(folder: Path) -> list[dict[str, str]]:
    with (folder / "beep_features.csv").open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["feature"]]


def read(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    text = gzip.decompress(content) if path.suffix == ".gz" else content
    document: dict[str, Any] = json.loads(text)
    return document


def barcode_alone(file: str) -> str:
    """A barcode for a file as a battery of its own: some share theirs with another."""
    return f"alone {file}".upper()


@pytest.fixture(scope="module")
def pipeline(
    server: Server, data: Path, real_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pipeline]:
    """Every file that BEEP gave numbers for, in small parts, so that a curve is cut across them."""
    folder = tmp_path_factory.mktemp("features")
    (folder / "data").mkdir()
    for number, file in enumerate(sorted({row["file"] for row in truths(data)} - {TWO_RUNS})):
        path = data / file if (data / file).exists() else real_data / file
        document = read(path) | {"barcode": barcode_alone(file)}
        (folder / "data" / f"FastCharge_{number}.json").write_text(json.dumps(document))
    with fresh_database(server) as database:
        pipeline = Pipeline.create(database)
        two_runs = (data / f"FastCharge_91000{n}_CH7_structure.json.gz" for n in (7, 8))
        pipeline.push(folder / "data", *two_runs, part_size=1 << 20)
        pipeline.build_tables(*FEATURES)
        yield pipeline


def labels() -> dict[str, str]:
    """BEEP's label of each early feature and the column, as the table's YAML says."""
    (path,) = (PROJECT / "dbt_project" / "models").rglob("battery_early_features.yml")
    [model] = yaml.safe_load(path.read_text())["models"]
    return {
        column["config"]["meta"]["beep"]: column["name"]
        for column in model["columns"]
        if "meta" in column.get("config", {})
    }


def published(pipeline: Pipeline) -> dict[tuple[str, str], float | None]:
    """What the three tables say, by barcode and BEEP's label."""
    names = labels()
    barcodes = {row["id"]: row["barcode"] for row in pipeline.table("batteries")}
    values: dict[tuple[str, str], float | None] = {}
    for row in pipeline.table("battery_early_features"):
        values |= {(row["barcode"], label): row[name] for label, name in names.items()}
    for row in pipeline.table("battery_trajectories"):
        label = f"capacity_{float(row['capacity_share']):g}"
        values[barcodes[row["battery_id"]], label] = row["cycles_before"]
    for row in pipeline.table("battery_cycle_differences"):
        for label, name in STATISTICS.items():
            values[barcodes[row["battery_id"]], f"{label}_{row['quantity']}"] = row[name]
    return values


def expected(truth: dict[str, str], cycles: int) -> float | None:
    """BEEP's number; None where it has none, and where it gives a number for "unknown"."""
    value, label = float(truth["value"]), truth["feature"]
    made_up = {
        "TrajectoryFastCharge": value == cycles + 1,
        "DeltaQFastCharge": value == 0 and ("integrated" in label or "_difference_" in label),
    }
    if made_up.get(truth["featurizer"], False) and "resistance" not in label:
        return None
    return value if math.isfinite(value) else None


def test_every_number_of_beep_is_in_the_tables(pipeline: Pipeline, data: Path) -> None:
    """To 1e-9 where BEEP computes in doubles; with its 32-bit numbers as far as those go."""
    values = published(pipeline)
    cycles = {
        row["barcode"]: row["summary_cycles"] for row in pipeline.table("battery_early_features")
    }
    compared = 0
    for truth in truths(data):
        if truth["feature"].endswith("discharging_energy"):
            continue  # BEEP takes it at charge steps
        two_runs = truth["file"] == TWO_RUNS
        barcode = "FEAT000007" if two_runs else barcode_alone(truth["file"])
        found, wanted = values[barcode, truth["feature"]], expected(truth, cycles[barcode])
        where = f"{truth}: {found}"
        if wanted is None or found is None:
            assert found is wanted, where
        elif truth["arithmetic"] == "double":
            assert math.isclose(found, wanted, rel_tol=1e-9), where
        else:
            assert abs(found - wanted) <= 1e-5 * max(1, abs(wanted)) + 1e-5, where
        compared += 1
    assert compared > 500


def statistics(differences: list[float]) -> dict[str, float]:
    """BEEP's seven numbers of a list of differences, in plain Python."""
    n = len(differences)
    mean = math.fsum(differences) / n
    m2, m3, m4 = (math.fsum((d - mean) ** k for d in differences) / n for k in (2, 3, 4))
    biased, correction = (n * n - 1) * m4 / m2**2, 3 * (n - 1) ** 2
    sizes = {
        "log_variance": m2,
        "log_minimum": min(differences),
        "log_mean": mean,
        "log_skewness": m3 / m2**1.5,
        "log_kurtosis": (biased - correction) / ((n - 2) * (n - 3)) + 3,
        "log_sum_of_sizes": math.fsum(map(abs, differences)),
        "log_sum_of_squares": math.fsum(d * d for d in differences),
    }
    return {name: math.log10(abs(size)) for name, size in sizes.items()}


def test_discharging_energy_is_taken_at_discharge_steps(pipeline: Pipeline, data: Path) -> None:
    file = "FastCharge_910001_CH1_structure.json.gz"
    points = read(data / file)["cycles_interpolated"]
    steps = zip(points["cycle_index"], points["step_type"], strict=True)
    curves: dict[int, list[float]] = {10: [], 100: []}
    for (cycle, step), energy in zip(steps, points["discharge_energy"], strict=True):
        if step == "discharge" and cycle in curves and not math.isnan(energy):
            curves[cycle].append(energy)
    wanted = statistics([b - a for a, b in zip(curves[10], curves[100], strict=True)])
    [(battery,)] = pipeline.database.rows(
        "select id from battery.batteries where barcode = %s", barcode_alone(file)
    )
    [row] = [
        row
        for row in pipeline.table("battery_cycle_differences")
        if (row["battery_id"], row["quantity"]) == (battery, "discharging_energy")
    ]
    assert {name: row[name] for name in wanted} == pytest.approx(wanted, rel=1e-9)


CELL = demo.Run(
    barcode="cell",
    channel_id=1,
    first_cycle_at=datetime(2018, 1, 1, tzinfo=UTC),
    life=150,
    cycle_count=102,
    interpolated=(9, 10, 50, 99, 100),
    points_per_step=50,
    layout="2026.2",
)


def changed(change: Callable[[dict[str, Any], dict[str, Any]], None]) -> dict[str, Any]:
    """CELL's document after a change of its two sections."""
    document = demo.document(CELL)
    change(document["summary"], document["cycles_interpolated"])
    return document


def places(points: dict[str, list[Any]], cycle: int, step: str) -> list[int]:
    steps = zip(points["cycle_index"], points["step_type"], strict=True)
    return [place for place, found in enumerate(steps) if found == (cycle, step)]


def without_step_types(_: dict[str, Any], points: dict[str, Any]) -> None:
    del points["step_type"]


def without_the_last_points(_: dict[str, Any], points: dict[str, Any]) -> None:
    """One point fewer in cycle 99's discharge, none at all in cycle 100's."""
    gone = {places(points, 99, "discharge")[-1], *places(points, 100, "discharge")}
    for name, column in points.items():
        points[name] = [value for place, value in enumerate(column) if place not in gone]


def alike(_: dict[str, Any], points: dict[str, Any]) -> None:
    """Cycle 99's discharge is that of cycle 9 once more."""
    pairs = zip(places(points, 99, "discharge"), places(points, 9, "discharge"), strict=True)
    for later, earlier in pairs:
        points["discharge_capacity"][later] = points["discharge_capacity"][earlier]


def with_an_unknown_point(_: dict[str, Any], points: dict[str, Any]) -> None:
    points["discharge_capacity"][places(points, 99, "discharge")[7]] = math.nan


def short(summary: dict[str, Any], _: dict[str, Any]) -> None:
    for name, column in summary.items():
        summary[name] = column[:99]


EXTREMES = (1e308, -1e308, 1e-310, 5e-324, 1e70, -1e70, 1e-60, "1" * 400, math.inf, 1e-180, 3e69)


def extreme(summary: dict[str, Any], points: dict[str, Any]) -> None:
    for section in (summary, points):
        for name, column in section.items():
            if name not in ("cycle_index", "step_type", "date_time_iso"):
                section[name] = [EXTREMES[n * n % len(EXTREMES)] for n in range(len(column))]


def tiny(summary: dict[str, Any], points: dict[str, Any]) -> None:
    for section in (summary, points):
        for name, column in section.items():
            if name not in ("cycle_index", "step_type", "date_time_iso"):
                section[name] = [10.0 ** -(50 + 20 * (n % 14)) for n in range(len(column))]


FILLED = 4000  # more points than a part has, of which each has more than a slice


def far_apart(_: dict[str, Any], points: dict[str, Any]) -> None:
    """Many points of a later cycle before both halves; of the others every third number a text."""
    points["cycle_index"] = [
        f" {cycle}.0" if n % 3 == 0 else cycle for n, cycle in enumerate(points["cycle_index"])
    ]
    half = len(points["cycle_index"]) // 2
    for name, column in points.items():
        filling = [200 if name == "cycle_index" else None] * FILLED
        points[name] = filling + column[:half] + filling + column[half:]


CHANGES = (
    far_apart,
    without_step_types,
    without_the_last_points,
    alike,
    with_an_unknown_point,
    short,
    extreme,
    tiny,
)


@pytest.fixture(scope="module")
def odd(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """CELL as it is, in every shape, and changed."""
    folder = tmp_path_factory.mktemp("odd")
    documents = {
        shape: shapes.reshape(demo.document(CELL), points=shape) for shape in shapes.SHAPES
    }
    documents |= {change.__name__: changed(change) for change in CHANGES}
    (folder / "data").mkdir()
    for name, document in documents.items():
        text = shapes.dumps(document | {"barcode": name})
        (folder / "data" / f"{name}.json").write_text(text)
    with fresh_database(server) as database:
        pipeline = Pipeline.create(database)
        pipeline.push(folder / "data", part_size=100_000)
        pipeline.build_tables()
        yield pipeline


def features(pipeline: Pipeline, barcode: str) -> dict[str, Any]:
    """All three tables of one battery, without what names it."""
    [(battery,)] = pipeline.database.rows(
        "select id from battery.batteries where barcode = %s", barcode.upper()
    )
    keys = {"battery_early_features": (), "battery_trajectories": ("capacity_share",)}
    result: dict[str, Any] = {}
    for table, key in (keys | {"battery_cycle_differences": ("quantity",)}).items():
        for row in pipeline.table(table):
            if row["battery_id"] == battery:
                place = ".".join([table, *(str(row[name]) for name in key)])
                result |= {
                    f"{place}.{name}": value
                    for name, value in row.items()
                    if name not in ("battery_id", "barcode")
                }
    return result


def early(pipeline: Pipeline, barcode: str) -> dict[str, Any]:
    """One battery's early features by the column's name."""
    start = "battery_early_features."
    found = features(pipeline, barcode).items()
    return {name[len(start) :]: value for name, value in found if name.startswith(start)}


@pytest.mark.parametrize("shape", shapes.SHAPES[1:])
def test_features_are_the_same_in_every_shape(odd: Pipeline, shape: str) -> None:
    wanted = features(odd, shapes.COLUMNAR)
    assert wanted["battery_early_features.delta_q_points"] == 50
    assert None not in early(odd, shapes.COLUMNAR).values()
    assert features(odd, shape) == wanted


def test_early_cycles_are_found_wherever_they_are_and_as_texts_too(odd: Pipeline) -> None:
    name = far_apart.__name__
    [(parts, early_parts)] = odd.database.rows(
        """select cardinality(part_nos), cardinality(early_part_nos)
        from battery_staging.stg_sections
        inner join battery_staging.stg_section_values using (file_id, section)
        inner join battery_staging.stg_headers using (file_id)
        where barcode = upper(%s) and section = 'cycles_interpolated'""",
        name,
    )
    assert 1 < early_parts < parts
    assert features(odd, name) == features(odd, shapes.COLUMNAR)


def test_a_file_without_step_types_has_all_points_compared(odd: Pipeline) -> None:
    found = early(odd, "without_step_types")
    assert found["delta_q_points"] == 100
    assert found["delta_q_log_first"] == early(odd, shapes.COLUMNAR)["delta_q_log_first"]


def test_curves_of_unequal_length_or_none_leave_only_their_own_features_unknown(
    odd: Pipeline,
) -> None:
    found, whole = early(odd, "without_the_last_points"), early(odd, shapes.COLUMNAR)
    assert found["delta_q_points"] == 0
    for name, value in whole.items():
        if name != "delta_q_points":
            assert found[name] == (None if name.startswith("delta_q") else value), name
    differences = features(odd, "without_the_last_points")
    for quantity, pairs in (("discharging_capacity", 0), ("charging_energy", 50)):
        assert differences[f"battery_cycle_differences.{quantity}.pairs"] == pairs


def test_of_no_difference_there_is_no_logarithm(odd: Pipeline) -> None:
    found = early(odd, "alike")
    assert found["delta_q_points"] == 50
    assert {value for name, value in found.items() if name.startswith("delta_q_log")} == {None}


def test_one_unknown_point_takes_only_skewness_and_kurtosis(odd: Pipeline) -> None:
    found = early(odd, "with_an_unknown_point")
    assert found["delta_q_points"] == 50
    unknown = {name for name, value in found.items() if value is None}
    assert unknown == {"delta_q_log_skewness", "delta_q_log_kurtosis"}


def test_with_99_cycles_what_a_hundred_say_is_unknown(odd: Pipeline) -> None:
    found, whole = early(odd, "short"), early(odd, shapes.COLUMNAR)
    assert found["summary_cycles"] == 99
    assert {name for name, value in found.items() if value is None} == {
        "discharge_capacity_cycle_100",
        "discharge_capacity_rise",
        *(f"fade_{what}_{span}" for what in ("slope", "intercept") for span in SPANS),
        "time_temperature_integral_1_to_100",
        "temperature_maximum_2_to_100",
        "temperature_minimum_2_to_100",
        "internal_resistance_minimum_2_to_100",
        "internal_resistance_rise_2_to_100",
    }
    assert found["delta_q_log_variance"] == whole["delta_q_log_variance"]


def test_numbers_of_any_size_stop_nothing_and_give_finite_features(odd: Pipeline) -> None:
    """The fixture's build went through; beyond 1e70 a number counts as unknown."""
    for name in ("extreme", "tiny"):
        values = [value for value in features(odd, name).values() if isinstance(value, float)]
        assert values
        assert all(math.isfinite(value) for value in values)
    assert early(odd, "extreme")["discharge_capacity_cycle_2"] is None, "-1e308"


@pytest.mark.parametrize(
    "every", [1000, *(pytest.param(every, marks=pytest.mark.nightly) for every in (1, 7))]
)
def test_features_do_not_depend_on_sampling_parts_or_the_order_of_landing(
    database: Database, tmp_path: Path, every: int
) -> None:
    """Two runs, the later landed first: cycle 99 of the battery is then another of its file."""
    second = {"cycles_before": 60, "interpolated": (9, 10, 39, 40, 50, 59)}
    first = {"first_cycle_at": datetime(2017, 1, 1, tzinfo=UTC), "interpolated": (9, 10, 50)}
    two = replace(CELL, barcode="two", cycle_count=60, interpolated=())
    pipeline = Pipeline.create(database)
    steps = []
    for number, run in enumerate((second, first)):
        path = tmp_path / f"FastCharge_{number}.json"
        demo.write(path, replace(two, **run))
        pipeline.push(path, part_size=1 << 14)
        pipeline.build_tables(*FEATURES)
        steps.append(features(pipeline, "two"))
    assert steps[0]["battery_early_features.delta_q_points"] == 0
    assert steps[1]["battery_early_features.delta_q_points"] == 50
    anew = ("--full-refresh", "--vars", f"sample_every: {every}")
    pipeline.build_tables(*FEATURES, "+battery_cycles_interpolated", *anew)
    assert features(pipeline, "two") == steps[1]
