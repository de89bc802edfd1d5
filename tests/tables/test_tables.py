"""What the published tables mean, against a reference in plain Python (tests/reference.py)."""

import gzip
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import reference
import shapes
import strategies
from conftest import Database, fresh_database
from pipeline import MIB, ONLY_TABLES, Pipeline

from loader.server.embedded import Server

SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in (1, 2))]
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


@dataclass(frozen=True)
class Histories:
    """What landed of many batteries, the files, and the tables built of it."""

    pipeline: Pipeline
    folder: Path


@pytest.fixture(scope="module", params=[100, pytest.param(300, marks=pytest.mark.nightly)], ids=str)
def histories(
    request: pytest.FixtureRequest, server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Histories]:
    """Every other file in tiny parts."""
    folder = tmp_path_factory.mktemp("histories") / "data"
    landed = strategies.landing_order(strategies.many_histories(request.param, seed=1), 1)
    paths = strategies.write(landed, folder)
    with fresh_database(server) as database:
        pipeline = Pipeline.create(database)
        pipeline.push(*paths[::2])
        pipeline.push(*paths[1::2], part_size=200)
        pipeline.build_tables()
        yield Histories(pipeline, folder)


def test_any_history_gives_the_tables_of_the_reference(histories: Histories) -> None:
    assert_published(histories.pipeline, histories.folder)


def test_a_build_with_nothing_new_changes_no_row(histories: Histories) -> None:
    pipeline = histories.pipeline
    before, points = pipeline.tables(), row_versions(pipeline, "battery_cycles_interpolated")
    pipeline.build_tables()
    for name, rows in pipeline.tables().items():
        assert_same(name, rows, before[name])
    assert points
    assert row_versions(pipeline, "battery_cycles_interpolated") == points, "not written again"


def row_versions(pipeline: Pipeline, name: str) -> list[tuple[Any, ...]]:
    """Key and writing transaction of each row: a row written again has another."""
    return pipeline.database.rows(f"select id, xmin::text from battery.{name} order by id")


def test_builds_after_any_sequence_of_pushes_equal_one_full_build(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    landed = strategies.landing_order(strategies.many_histories(60, seed=7), 7)
    paths = strategies.write(landed, folder)
    excluded = strategies.choose_excluded(landed, seed=7)
    third = -(-len(paths) // 3)
    for start in range(0, len(paths), third):
        pipeline.push(*paths[start : start + third])
        pipeline.build_tables(*COMPARED)
        assert_published(pipeline, folder)
    pipeline.exclude(dict.fromkeys(excluded, "chosen by the test"))
    pipeline.build_tables(*COMPARED)
    assert_published(pipeline, folder, excluded)
    pipeline.exclude({})
    pipeline.build_tables(*COMPARED)
    assert_published(pipeline, folder)
    assert_rebuilt_the_same(pipeline)


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


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_data_gives_the_same_rows_in_every_shape_and_spelling(
    pipeline: Pipeline, tmp_path: Path, seed: int
) -> None:
    variants, document = {}, one_data_set(seed)
    for summary in shapes.SHAPES:
        for points in shapes.SHAPES:
            shaped = shapes.reshape(document, summary=summary, points=points)
            variants[f"{summary}-{points}"] = shaped
            spelled = shapes.perturb(shaped, random.Random(seed))
            variants[f"{summary}-{points}-spelled"] = spelled
    for number, (variant, document) in enumerate(variants.items()):
        name = f"{variant}.json.gz" if number % 3 == 0 else f"{variant}.json"
        text = shapes.dumps(document | {"barcode": variant}).encode()
        path = tmp_path / "data" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    paths = sorted((tmp_path / "data").iterdir())
    for number, part_size in enumerate((32 * MIB, 1000, 150)):
        pipeline.push(*paths[number::3], part_size=part_size)
    pipeline.build_tables(*ONLY_TABLES)

    batteries = pipeline.table("batteries")
    assert len(batteries) == len(variants)
    for name in ("battery_summaries", "battery_cycles_interpolated"):
        rows = pipeline.table(name)
        by_battery = {
            row["barcode"]: list(without_ids(rows, battery_id=row["id"])) for row in batteries
        }
        columnar = by_battery["COLUMNAR-COLUMNAR"]
        assert columnar
        for variant, found in by_battery.items():
            assert_same(f"{name} of {variant}", found, columnar)


def without_ids(rows: Rows, battery_id: int) -> Iterator[dict[str, Any]]:
    """The rows of a battery, each with its place in its file instead of its ids."""
    for row in rows:
        if row["battery_id"] == battery_id:
            yield row | {"id": row["id"] % 2**32, "battery_id": None}


def test_the_order_in_which_runs_land_changes_nothing_but_ids(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    """Of the one battery the later run lands first, of the other the earlier one."""
    later, earlier = one_data_set(1), one_data_set(2)
    earlier["summary"]["date_time_iso"] = [
        time.replace("2018", "2017") for time in earlier["summary"]["date_time_iso"]
    ]
    for number, runs in enumerate(({"A": later, "B": earlier}, {"a": earlier, "b": later})):
        for barcode, run in runs.items():
            path = tmp_path / f"{number}{barcode}.json"
            path.write_text(shapes.dumps(run | {"barcode": barcode}))
        pipeline.push(*tmp_path.glob(f"{number}*"))
        pipeline.build_tables(*COMPARED)
    assert_published(pipeline, tmp_path)
    ids = {row["barcode"]: row["id"] for row in pipeline.table("batteries")}
    for name in ("battery_summaries", "battery_cycles_interpolated"):
        rows = pipeline.table(name)
        one, other = (sorted(without_ids(rows, ids[barcode]), key=str) for barcode in "AB")
        assert_same(name, one, other)
        assert one


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
