"""The rows of a section, for BDF: the same in every shape, from the records where there are any."""

import gzip
import json
from pathlib import Path

import pytest
from shapes import BY_CYCLE, COLUMNAR, FLATTENED, INDEXED_COLUMNS, POINTS, RECORDS, to_shape

from loader.tables.export.bdf import time_series

TABLE = {
    "test_time": [3.0, 1.0, " 2.5 ", None, 4.0, 0.5, "1_0", float("inf")],
    "voltage": [3.3, 3.1, 3.25, 3.4, None, "nan", 3.0, 3.0],
    "current": [1, 1.5, -2, 10**400, 1.0, 1.0, 1.0, 1.0],
    "cycle_index": [1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 3.0, 3.0],
    "step_type": ["charge", "charge", "discharge", None, None, None, None, None],
    "paused": [0, 0, 0, 0, 0, 0, 0, 0],
}
ROWS = [
    {
        "Test Time / s": time,
        "Voltage / V": voltage,
        "Current / A": current,
        "Cycle Count / 1": 1,
        "Step Type": step,
        "Record Index / 1": place,
    }
    for place, (time, voltage, current, step) in enumerate(
        [(1.0, 3.1, 1.5, "charge"), (2.5, 3.25, -2.0, "discharge"), (3.0, 3.3, 1.0, "charge")],
        start=1,
    )
]


@pytest.mark.parametrize("shape", [COLUMNAR, FLATTENED, BY_CYCLE, RECORDS, INDEXED_COLUMNS])
def test_every_shape_gives_the_same_rows_in_time_order(shape: str) -> None:
    table = time_series([to_shape(POINTS, TABLE, shape)], POINTS)
    assert table is not None
    names = list(ROWS[0])
    assert table.select(names).to_pylist() == ROWS


def test_a_section_in_parts_is_one_series() -> None:
    cut = [
        {POINTS: {name: column[start:stop] for name, column in TABLE.items()}}
        for start, stop in ((0, 1), (1, 8))
    ]
    table = time_series([{"barcode": "A"}, *cut], POINTS)
    assert table is not None
    assert table.select(list(ROWS[0])).to_pylist() == ROWS


@pytest.mark.parametrize(
    "document",
    [
        {},
        {POINTS: None},
        {POINTS: {}},
        {POINTS: "text"},
        {POINTS: {"voltage": [3.0], "current": [1.0]}},
        {POINTS: {"voltage": [3.0], "current": [1.0], "test_time": [None]}},
        {POINTS: {"1": {"voltage": [3.0]}, "a": []}},
        {POINTS: [1, 2]},
    ],
    ids=str,
)
def test_without_test_time_there_is_no_series(document: dict[str, object]) -> None:
    assert time_series([document], POINTS) is None


def test_equal_times_keep_their_order() -> None:
    points = {"test_time": [1, 1, 1, 0], "voltage": [3.3, 3.1, 3.2, 3.0], "current": [1, 1, 1, 1]}
    table = time_series([{POINTS: points}], POINTS)
    assert table is not None
    assert table["Voltage / V"].to_pylist() == [3.0, 3.3, 3.1, 3.2]


def test_a_real_run_that_keeps_its_records_gives_those(real_data: Path) -> None:
    path = real_data / "beep-2022.10" / "PreDiag_000412_00008Fshort_structure.json.gz"
    document = json.loads(gzip.decompress(path.read_bytes()))
    table = time_series([document], "raw_data")
    assert table is not None and table.num_rows == 10_344
    times = table["Test Time / s"].to_pylist()
    assert times == sorted(times) and (times[0], times[-1]) == (0.0, 3477720.65)
