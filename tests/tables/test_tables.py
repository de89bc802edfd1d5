"""What the published tables mean, against a reference in plain Python (tests/reference.py)."""

import gzip
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import reference
import shapes
import strategies
from conftest import Database
from pipeline import MIB, ONLY_TABLES, Pipeline

SEEDS = range(3)
"""A fixed set: what CI refuses can be run again."""

COMPARED = (*ONLY_TABLES, "+battery_lives")

Rows = list[dict[str, Any]]


@pytest.fixture
def pipeline(database: Database, tmp_path: Path) -> Pipeline:
    return Pipeline.create(database)


def landed_files(pipeline: Pipeline, folder: Path) -> list[reference.File]:
    """The landed files as the reference takes them: text from disk, the rest from the ledger."""
    by_path = {str(path): path for path in folder.rglob("*.json*")}
    ledger = pipeline.database.rows(
        "select file_id, name, path, encode(sha256, 'hex'), loaded_at from raw.files order by 1"
    )
    files = []
    for file_id, name, path, sha256, loaded_at in ledger:
        text = by_path[path].read_bytes()
        text = gzip.decompress(text) if text[:2] == b"\x1f\x8b" else text
        files.append(reference.File(file_id, name, reference.parse(text), loaded_at, sha256))
    return files


def assert_published(
    pipeline: Pipeline, folder: Path, excluded: frozenset[str] = frozenset()
) -> None:
    expected = reference.published(landed_files(pipeline, folder), excluded=excluded)
    for name, rows in pipeline.tables().items():
        assert_same(name, rows, [dict(row) for row in getattr(expected, name)])


def assert_same(table: str, actual: Rows, expected: Rows) -> None:
    """Equal to the last bit; shows the first difference, not thousands."""
    for ours, theirs in zip(actual, expected, strict=False):
        assert ours == theirs, f"first difference in {table}"
    assert len(actual) == len(expected), table


def assert_rebuilt_the_same(pipeline: Pipeline) -> None:
    before = pipeline.tables() | {"battery_lives": pipeline.table("battery_lives")}
    pipeline.build_tables("--full-refresh", *COMPARED)
    for name, rows in before.items():
        assert_same(name, pipeline.table(name), rows)


@pytest.mark.parametrize("part_size", [32 * MIB, 200], ids=["whole", "in tiny parts"])
@pytest.mark.parametrize("histories", [100, pytest.param(300, marks=pytest.mark.nightly)])
def test_any_history_gives_the_tables_of_the_reference(
    pipeline: Pipeline, tmp_path: Path, part_size: int, histories: int
) -> None:
    landed = strategies.landing_order(strategies.many_histories(histories, seed=part_size), 1)
    strategies.write(landed, tmp_path / "data")
    pipeline.push(tmp_path / "data", part_size=part_size)
    pipeline.build_tables()
    assert_published(pipeline, tmp_path / "data")


def test_builds_after_any_sequence_of_pushes_equal_one_full_build(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    landed = strategies.landing_order(strategies.many_histories(60, seed=7), 7)
    paths = strategies.write(landed, folder)
    excluded = strategies.choose_excluded(landed, seed=7)
    for start in range(0, len(paths), len(paths) // 3):
        pipeline.push(*paths[start : start + len(paths) // 3])
        pipeline.build_tables()
        assert_published(pipeline, folder)
    pipeline.exclude(dict.fromkeys(excluded, "chosen by the test"))
    pipeline.build_tables(*COMPARED)
    assert_published(pipeline, folder, excluded)
    pipeline.exclude({})
    pipeline.build_tables(*COMPARED)
    assert_published(pipeline, folder)
    assert_rebuilt_the_same(pipeline)


def test_a_build_with_nothing_new_changes_no_row(pipeline: Pipeline, tmp_path: Path) -> None:
    landed = strategies.landing_order(strategies.many_histories(30, seed=8), 8)
    strategies.write(landed, tmp_path / "data")
    pipeline.push(tmp_path / "data")
    pipeline.build_tables()
    before, points = pipeline.tables(), row_versions(pipeline, "battery_cycles_interpolated")
    pipeline.build_tables()
    for name, rows in pipeline.tables().items():
        assert_same(name, rows, before[name])
    assert points
    assert row_versions(pipeline, "battery_cycles_interpolated") == points, "not written again"


def row_versions(pipeline: Pipeline, name: str) -> list[tuple[Any, ...]]:
    """Key and writing transaction of each row: a row written again has another."""
    return pipeline.database.rows(f"select id, xmin::text from battery.{name} order by id")


def one_data_set(seed: int) -> dict[str, Any]:
    """A columnar document whose rows can be written in every shape."""
    rng = random.Random(seed)
    cycles = sorted(rng.sample(range(40), 12))
    points = [cycle for cycle in cycles for _ in range(rng.randrange(1, 30))]
    return {
        "protocol": "p",
        "channel_id": 7,
        "summary": {
            "cycle_index": cycles,
            "discharge_capacity": [rng.choice([1.0, rng.random(), None]) for _ in cycles],
            "charge_throughput": [rng.random() for _ in cycles],
            "paused": [rng.choice([0, 3, None]) for _ in cycles],
            "date_time_iso": [f"2018-04-13T01:{minute:02}:00" for minute in cycles],
        },
        "cycles_interpolated": {
            "cycle_index": points,
            "voltage": [rng.choice([3, rng.random(), None]) for _ in points],
            "current": [rng.uniform(-1, 1) for _ in points],
            "test_time": [rng.random() * 1000 for _ in points],
            "step_type": [rng.choice(["charge", "discharge", None]) for _ in points],
        },
    }


def test_the_same_data_gives_the_same_rows_in_every_shape_and_spelling(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    variants = {}
    for seed in SEEDS:
        document = one_data_set(seed)
        for summary in shapes.SHAPES:
            for points in shapes.SHAPES:
                shaped = shapes.reshape(document, summary=summary, points=points)
                variants[f"{seed}-{summary}-{points}"] = shaped
                spelled = shapes.perturb(shaped, random.Random(seed))
                variants[f"{seed}-{summary}-{points}-spelled"] = spelled
    for number, (variant, document) in enumerate(variants.items()):
        name = f"{variant}.json.gz" if number % 3 == 0 else f"{variant}.json"
        text = shapes.dumps(document | {"barcode": variant}).encode()
        path = tmp_path / "data" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    paths = sorted((tmp_path / "data").iterdir())
    for number, part_size in enumerate((32 * MIB, 1000, 150)):
        pipeline.push(*paths[number::3], part_size=part_size)
    pipeline.build_tables()

    batteries = pipeline.table("batteries")
    assert len(batteries) == len(variants)
    for name in ("battery_summaries", "battery_cycles_interpolated"):
        rows = pipeline.table(name)
        by_battery = {
            row["barcode"]: list(without_ids(rows, battery_id=row["id"])) for row in batteries
        }
        for variant, found in by_battery.items():
            columnar = by_battery[f"{variant.split('-')[0]}-COLUMNAR-COLUMNAR"]
            assert_same(f"{name} of {variant}", found, columnar)
            assert found


def without_ids(rows: Rows, battery_id: int) -> Iterator[dict[str, Any]]:
    """The rows of a battery, each with its place in its file instead of its ids."""
    for row in rows:
        if row["battery_id"] == battery_id:
            yield row | {"id": row["id"] % 2**32, "battery_id": None}


def test_the_order_in_which_runs_land_changes_nothing_but_ids(
    tmp_path: Path, two_databases: Sequence[Database]
) -> None:
    runs = {
        "later.json": one_data_set(1) | {"barcode": "A"},
        "earlier.json": one_data_set(2) | {"barcode": "a"},
    }
    times = runs["earlier.json"]["summary"]["date_time_iso"]
    runs["earlier.json"]["summary"]["date_time_iso"] = [
        time.replace("2018", "2017") for time in times
    ]
    results = []
    for database, order in zip(two_databases, (sorted(runs), sorted(runs)[::-1]), strict=True):
        folder = tmp_path / order[0]
        folder.mkdir()
        pipeline = Pipeline.create(database)
        for name in order:
            path = folder / name
            path.write_text(shapes.dumps(runs[name]))
            pipeline.push(path)
            pipeline.build_tables(*COMPARED)
        places = [
            ("cycle_index", "charge_throughput"),
            ("cycle_index", "time", "voltage", "current_"),
        ]
        results.append(
            [
                sorted(map(str, pipeline.table(table, columns)))
                for table, columns in zip(
                    ("battery_summaries", "battery_cycles_interpolated"), places, strict=True
                )
            ]
        )
        assert_published(pipeline, folder)
    assert results[0] == results[1]


def test_the_real_files_give_the_tables_of_the_reference(
    any_database: Database, tmp_path: Path, real_data: Path
) -> None:
    pipeline = Pipeline.create(any_database)
    pipeline.push(real_data)
    pipeline.build()
    assert_published(pipeline, real_data)
    assert pipeline.database.rows(
        "select file_name, run_number, superseded_by is not null from battery.battery_files "
        "where barcode = '00008F' order by file_id"
    ) == [
        ("PreDiag_000412_00008Fshort_structure.json", None, True),
        ("PreDiag_000412_00008Fshort_structure.json.gz", None, True),
        ("PreDiag_000412_00008Fshort_structure.json", 1, False),
    ]
    assert pipeline.database.rows(
        "select b.channel_id, b.cycle_life, count(*) from battery.batteries b "
        "join battery.battery_cycles_interpolated p on p.battery_id = b.id "
        "where b.barcode = 'EL150800737381' group by 1, 2"
    ) == [(25, 0, 300)]
