"""Values that become NULL inside a column are counted, and named with their file."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import shapes
from conftest import Database, fresh_database
from pipeline import MIB, NO_OTHER_TEST, Pipeline

from loader.server.embedded import Server

TEST = "no_value_of_a_column_is_lost"
WITH_TEST = ("--select", f"+{TEST}", *NO_OTHER_TEST)

ODD = ["abc", {"a": 1}, [1.0], True, shapes.literal("1e400"), shapes.literal("-1e-400"), "0x1F"]
MISSING = [None, "NaN", " nan", ""]
KEPT = ["1.10", " 1e0 ", 0, 0.5, 1]
VALUES = ODD + MISSING + KEPT
ROWS = len(VALUES)

DOCUMENT = {
    "summary": {
        "cycle_index": list(range(ROWS)),
        "discharge_capacity": VALUES,
        "charge_capacity": [1.0] * ROWS,
        "date_time_iso": ["2020-01-01", "Jan 2 2020", 1577836800] + [None] * (ROWS - 3),
        "paused": [0, None] * (ROWS // 2),
    },
    "cycles_interpolated": {
        "cycle_index": list(range(ROWS)),
        "voltage": VALUES,
        "current": VALUES[::-1],
        "step_type": ["charge", {"is": "none"}] + [None] * (ROWS - 2),
        "unknown": ["abc"] * ROWS,
    },
    "diagnostic_summary": {"cycle_index": [ROWS, ROWS + 1], "CV_time": [1.0, "long"]},
}  # fmt: skip
LOST = {
    "cycles_interpolated.current": len(ODD),
    "cycles_interpolated.step_type": 1,
    "cycles_interpolated.voltage": len(ODD),
    "diagnostic_summary.CV_time": 1,
    "summary.date_time_iso": 2,
    "summary.discharge_capacity": len(ODD),
}


def write(folder: Path, name: str, document: dict[str, Any]) -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.json").write_text(shapes.dumps({"barcode": name} | document))


def named(output: str) -> dict[str, dict[str, int]]:
    """By file: how many values the test says are lost of each column."""
    rows = re.findall(r"^  (?:\d+ +)?(\S+)\.json +(\d+) +(\S+: \d+.*)$", output, re.MULTILINE)
    found = {
        name: {column: int(count) for column, count in re.findall(r"(\S+): (\d+)", columns)}
        for name, _, columns in rows
    }
    assert {name: int(total) for name, total, _ in rows} == {
        name: sum(columns.values()) for name, columns in found.items()
    }
    return found


def test_lost_values_are_counted_in_every_shape_whole_and_in_tiny_parts(
    database: Database, tmp_path: Path
) -> None:
    pipeline, names = Pipeline.create(database), set()
    for part_size in (32 * MIB, 300):
        folder = tmp_path / str(part_size)
        for shape in shapes.SHAPES:
            name = f"{shape}-{part_size}".replace(" ", "-")
            write(folder, name, shapes.reshape(DOCUMENT, summary=shape, points=shape))
            names.add(name)
        pipeline.push(folder, part_size=part_size)
    output = pipeline.build(*WITH_TEST)
    assert f"WARN {TEST}" in output
    assert named(output) == dict.fromkeys(names, LOST)


COLUMNS = {"cycle_index": [0, 1, 2, 3], "charge_capacity": [1.0, 1.0, 1.0, 1.0]}
ENDING: dict[str, dict[str, Any]] = {
    "short": {"discharge_capacity": [1.0, 1.0]},
    "empty": {"discharge_capacity": []},
    "scalar": {"discharge_capacity": 1.0},
    "indexed": {"discharge_capacity": {"0": 1.0, "1": 1.0}},
    "absent": {},
    "null": {"discharge_capacity": None},
    "nulls": {"discharge_capacity": [None] * 4},
    "cycle": {"cycle_index": [0, 1.5, -1, "x"]},
    "other": {"notes": ["a", {}, [], "b"]},
}
LONG = {"long-whole": 32 * MIB, "long-in-parts": 101_000}


def long_document() -> dict[str, Any]:
    rows = 25_000
    voltage: list[Any] = [3.1] * rows
    for published in (0, 13_330, rows - 10):
        voltage[published] = "abc"
    voltage[rows - 9] = "no point of any table"
    return {"cycles_interpolated": {"cycle_index": [0] * rows, "voltage": voltage}}


@pytest.fixture(scope="module")
def pipeline(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """Columns that end early or are no list, and long ones; no more files than the test names."""
    folder = tmp_path_factory.mktemp("lost")
    for name, section in ENDING.items():
        both = {"summary": COLUMNS | section, "cycles_interpolated": COLUMNS | section}
        write(folder / "data", name, both)
    records = [{"cycle_index": 0, "discharge_capacity": 1.0}, {"cycle_index": 1}]
    write(folder / "data", "records", {"summary": records})
    with fresh_database(server) as database:
        pipeline = Pipeline.create(database)
        pipeline.push(folder / "data")
        for name, part_size in LONG.items():
            write(folder / name, name, long_document())
            pipeline.push(folder / name, part_size=part_size)
        pipeline.output = pipeline.build(*WITH_TEST)
        yield pipeline


def test_what_ends_early_or_is_no_list_is_lost_and_what_is_missing_is_not(
    pipeline: Pipeline,
) -> None:
    lost = {"short": 2, "empty": 4, "scalar": 4, "indexed": 4}
    expected = {
        name: dict.fromkeys(
            ("cycles_interpolated.discharge_capacity", "summary.discharge_capacity"), count
        )
        for name, count in lost.items()
    }
    expected["cycle"] = {"cycles_interpolated.cycle_index": 3, "summary.cycle_index": 3}
    found = named(pipeline.output)
    assert {name: columns for name, columns in found.items() if name not in LONG} == expected


def test_a_text_among_very_many_published_numbers_is_found(pipeline: Pipeline) -> None:
    found = named(pipeline.output)
    for name in LONG:
        assert found[name] == {"cycles_interpolated.voltage": 3}
    cuts = pipeline.database.rows(
        """select first_point from raw.documents inner join raw.files using (file_id)
        where name = 'long-in-parts.json' and part_no > 0"""
    )
    assert len(cuts) == 2
    assert all(first % 10 for (first,) in cuts[1:])  # or a wrong place would be right, too


def test_a_file_of_whose_values_none_is_published_is_not_named(
    database: Database, tmp_path: Path
) -> None:
    """A superseded file: the one that took its place is what counts."""
    summary = {"cycle_index": [0, 1], "discharge_capacity": [1.0, "abc"]}
    for folder, values in (("first", [1.0, "abc"]), ("second", [1.0, 1.0])):
        write(tmp_path / folder, "one", {"summary": summary | {"discharge_capacity": values}})
    pipeline = Pipeline.create(database)
    pipeline.push(tmp_path / "first")
    assert named(pipeline.build(*WITH_TEST)) == {"one": {"summary.discharge_capacity": 1}}
    pipeline.push(tmp_path / "second")
    assert TEST not in re.findall(r"^WARN (\S+)", pipeline.build(*WITH_TEST), re.MULTILINE)
