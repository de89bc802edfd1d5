"""The reference pinned to the text of docs/design.md by small examples worked by hand."""

import gzip
import math
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import reference
import shapes
import strategies
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import File, Run, Tables, cycle_number, double, parse, published, text_of, time_stamp

DATA = Path(__file__).parents[3] / "shared" / "data"
LANDED = datetime(2024, 1, 1, tzinfo=UTC)
BASE = 2**32


def file(file_id: int, document: dict[str, Any], name: str = "") -> File:
    return File(file_id, name or f"cell_{file_id}.json", document, LANDED + timedelta(file_id))


def of_one(summary: Any = None, points: Any = None, **more: Any) -> Tables:
    """The tables of one file of battery A, file_id 1."""
    document = {"barcode": "A", "summary": summary, "cycles_interpolated": points} | more
    return published([file(1, document)], sample_every=1)


def column(rows: list[dict[str, Any]], *names: str) -> list[Any]:
    return [row[names[0]] if len(names) == 1 else tuple(row[n] for n in names) for row in rows]


def run_document(first_day: int, **summary: list[Any]) -> dict[str, Any]:
    """A file of battery A whose summary has a cycle a day from that day of January 2020."""
    count = max(map(len, summary.values()))
    times = [f"2020-01-{first_day + index:02d}T00:00:00Z" for index in range(count)]
    return {"barcode": "A", "summary": {"date_time_iso": times} | summary}


# ------------------------------------------------------------------------------------- scalars


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, 1.0),
        (-2.5, -2.5),
        (2**53 + 1, 2.0**53),
        (10**400, None),
        (True, None),
        (None, None),
        (math.nan, None),
        (math.inf, None),
        ([1], None),
        ({}, None),
        ("1.5", 1.5),
        (" \t\n\r\f\v1.5\v", 1.5),
        ("+5.", 5.0),
        (".5", 0.5),
        ("1e1", 10.0),
        ("1E+2", 100.0),
        ("-1.5e-3", -0.0015),
        ("", None),
        (".", None),
        ("1e", None),
        ("0x10", None),
        ("1_000", None),
        ("1,5", None),
        ("nan", None),
        ("Infinity", None),
        ("\u0661", None),
        ("\u00a01", None),
        ("1e400", None),
        ("-1e400", None),
        ("1e-400", None),
        ("0e-400", 0.0),
        ("5e-324", 5e-324),
        ("2e-324", None),
        ("1e99999", None),
        ("1e000002", 100.0),
        ("0e100000", None),
        ("0" * 999 + "7", 7.0),
        ("0" * 1000 + "7", None),
    ],
)
def test_numbers_and_plain_decimal_strings_become_doubles_all_else_null(
    value: object, expected: float | None
) -> None:
    assert double(value) == expected


def test_parsing_keeps_large_integers_and_takes_non_finite_numbers_for_null() -> None:
    document = parse(b'\xef\xbb\xbf{"a": NaN, "b": -Infinity, "c": 9007199254740993, "d": 1e400}')
    assert document == {"a": None, "b": None, "c": 9007199254740993, "d": math.inf}
    assert double(document["d"]) is None
    assert double(parse('{"a": 1%s}' % ("0" * 5000))["a"]) is None
    assert [double(number) for number in parse('{"a": [1e-400, 0e-400]}')["a"]] == [None, 0]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, 0),
        (3.0, 3),
        (" 12 ", 12),
        ("1e1", 10),
        ("-0", 0),
        (2**31 - 1, 2**31 - 1),
        (2**31, None),
        (-1, None),
        (0.5, None),
        ("abc", None),
        (True, None),
        (None, None),
        ([1], None),
    ],
)
def test_a_cycle_index_is_a_whole_number_from_0_to_int4(value: object, expected: int) -> None:
    assert cycle_number(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [("", ""), (" x ", " x "), (12, "12"), (True, "true"), (None, None), ([], None), ({}, None)],
)
def test_text_is_the_string_or_the_json_text_of_a_scalar(value: object, expected: str) -> None:
    assert text_of(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2018-04-13T01:27:28+00:00", datetime(2018, 4, 13, 1, 27, 28)),
        ("2018-04-13T01:27:28Z", datetime(2018, 4, 13, 1, 27, 28)),
        ("2018-04-13 01:27:28", datetime(2018, 4, 13, 1, 27, 28)),
        ("2018-04-13T01:27", datetime(2018, 4, 13, 1, 27)),
        ("2018-04-13", datetime(2018, 4, 13)),
        ("2018-04-13T01:27:28.3429Z", datetime(2018, 4, 13, 1, 27, 28, 342900)),
        ("2018-04-13T01:27:28,5", datetime(2018, 4, 13, 1, 27, 28, 500000)),
        ("2018-04-13T01:27:28+05:30", datetime(2018, 4, 12, 19, 57, 28)),
        ("2018-04-13T01:27:28-0800", datetime(2018, 4, 13, 9, 27, 28)),
        ("2018-04-13T01:27:28+02", datetime(2018, 4, 12, 23, 27, 28)),
        ("2016-02-29", datetime(2016, 2, 29)),
    ],
)
def test_iso_8601_strings_are_time_stamps_in_utc(value: str, expected: datetime) -> None:
    assert time_stamp(value) == expected.replace(tzinfo=UTC)


@pytest.mark.parametrize("value", strategies.ODD_TIMES)
def test_anything_else_is_no_time_stamp(value: object) -> None:
    assert time_stamp(value) is None


# ------------------------------------------------------------------------------------- shapes

SAME_POINTS: list[dict[str, Any]] = [
    {"cycles_interpolated": {"voltage": [3.1, 3.2, 3.3], "cycle_index": [0, 0, 1], "x": 5}},
    {"cycles_interpolated": {"1": {"voltage": 3.3}, "0": {"voltage": [3.1, 3.2], "o": {}}}},
    {
        "cycles_interpolated": [
            {"voltage": 3.1, "cycle_index": 0},
            {"voltage": 3.2, "cycle_index": 0, "current": None},
            {"cycle_index": 1, "voltage": 3.3},
        ]
    },
    {
        "cycles_interpolated": {
            "voltage": {"10": 3.3, "9": 3.2, "08": 3.1},
            "cycle_index": {"08": 0, "9": 0, "10": 1},
        }
    },
    {
        "cycles_interpolated.voltage": [3.1, 3.2, 3.3],
        "cycles_interpolated.cycle_index": [0, 0, 1],
        "cycles_interpolated": None,
    },
]


@pytest.mark.parametrize("sections", SAME_POINTS)
def test_the_same_points_in_each_shape_give_the_same_rows(sections: dict[str, Any]) -> None:
    tables = published([file(1, {"barcode": "A"} | sections)], sample_every=1)
    rows = column(tables.battery_cycles_interpolated, "id", "cycle_index", "voltage", "current_")
    assert rows == [(BASE, 0, 3.1, None), (BASE + 1, 0, 3.2, None), (BASE + 2, 1, 3.3, None)]
    assert tables.unknown_shapes == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({}, "empty"),
        ([], "empty"),
        ({"voltage": [], "x": 1}, "columnar"),
        ({"0": {"voltage": [1]}, "x": []}, "columnar"),
        ({"0": {}, "-1.5e1": {}}, "by cycle"),
        ({"0": {"0": 3}}, "by cycle"),
        ([{}], "records"),
        ({"voltage": {}}, "indexed columns"),
        ({"voltage": {"0": 1, "007": 2}}, "indexed columns"),
        *[(value, "unknown") for value in strategies.UNKNOWN_SECTIONS],
    ],
)
def test_a_section_has_the_shape(value: object, expected: str) -> None:
    assert reference.shape(value) == expected


@pytest.mark.parametrize("value", strategies.UNKNOWN_SECTIONS)
def test_a_section_in_no_known_shape_gives_no_rows_and_is_named(value: object) -> None:
    tables = of_one(summary=value)
    assert tables.unknown_shapes == [(1, "summary")]
    assert (len(tables.batteries), tables.battery_summaries) == (1, [])


def test_flattened_keys_count_only_where_the_section_is_absent_or_null() -> None:
    flattened = {"summary.discharge_capacity": [1, 2]}
    assert len(of_one(summary=None, **flattened).battery_summaries) == 2
    assert of_one(summary={}, **flattened).battery_summaries == []


def test_flattened_keys_may_hold_any_shape() -> None:
    flattened = {"summary.3": {"discharge_capacity": 1.5}, "summary.10": {"paused": [0]}}
    rows = of_one(**flattened).battery_summaries
    assert column(rows, "id", "cycle_index", "discharge_capacity") == [
        (BASE, 3, 1.5),
        (BASE + 1, 10, None),
    ]


def test_cycles_come_in_numeric_order_and_equal_numbers_by_their_text() -> None:
    points = {"1e1": [5], "10": [4], "9": [3], "-1": [2]}
    by_cycle = {key: {"voltage": array} for key, array in points.items()}
    rows = of_one(points=by_cycle).battery_cycles_interpolated
    assert column(rows, "id", "cycle_index", "voltage") == [
        (BASE + 1, 9, 3.0),
        (BASE + 2, 10, 4.0),
        (BASE + 3, 10, 5.0),
    ]


def test_the_key_is_the_cycle_whatever_a_cycle_index_inside_says() -> None:
    rows = of_one(points={"3": {"cycle_index": [7], "voltage": 1}}).battery_cycles_interpolated
    assert column(rows, "cycle_index") == [3]


def test_a_table_is_as_long_as_its_longest_array_and_padded_with_null() -> None:
    rows = of_one({"CV_time": [1, 2, 3], "discharge_capacity": [1.5]}).battery_summaries
    assert column(rows, "cycle_index", "discharge_capacity") == [(0, 1.5), (1, None), (2, None)]


def test_every_unknown_member_counts_for_the_length_of_a_cycle() -> None:
    points = {"0": {"more": [1, 2], "voltage": 3}, "1": {"voltage": 4, "o": {"0": 1}}}
    rows = of_one(points=points).battery_cycles_interpolated
    assert column(rows, "id", "voltage") == [(BASE, 3.0), (BASE + 2, 4.0)]


# ------------------------------------------------------------------------------------- rows


def test_rows_without_a_valid_cycle_are_dropped_but_keep_their_index() -> None:
    cycles = [0, -1, 0.5, 2**31, " 12 ", "1e1", "abc", True, [1], None, 7.0]
    tables = of_one(
        {"cycle_index": cycles, "paused": [1] * 11}, {"cycle_index": cycles, "voltage": [1] * 11}
    )
    expected = [(BASE, 0), (BASE + 4, 12), (BASE + 5, 10), (BASE + 10, 7)]
    assert column(tables.battery_summaries, "id", "cycle_index") == expected
    assert column(tables.battery_cycles_interpolated, "id", "cycle_index") == expected


def test_a_summary_without_cycle_index_counts_positions_points_without_are_dropped() -> None:
    tables = of_one({"paused": [0, 0]}, {"voltage": [3, 4]})
    assert column(tables.battery_summaries, "cycle_index") == [0, 1]
    assert tables.battery_cycles_interpolated == []


def test_a_cycle_index_column_without_values_is_there_all_the_same() -> None:
    assert of_one({"cycle_index": [], "paused": [0]}).battery_summaries == []
    assert of_one([{"cycle_index": None}, {"paused": 1}]).battery_summaries == []
    assert of_one({"cycle_index": {}, "paused": {"0": 0}}).battery_summaries == []
    assert len(of_one({"cycle_index": 3, "paused": [0]}).battery_summaries) == 1


def test_of_a_cycle_that_occurs_twice_the_row_with_the_higher_index_stands() -> None:
    rows = of_one({"cycle_index": [4, 5, 4], "discharge_capacity": [1, 2, None]}).battery_summaries
    assert column(rows, "id", "cycle_index", "discharge_capacity") == [
        (BASE + 1, 5, 2.0),
        (BASE + 2, 4, None),
    ]


def test_paused_is_1_above_0_else_0_and_null_where_absent() -> None:
    rows = of_one({"paused": [-107, 0, 0.1, "3", "x", None]}).battery_summaries
    assert column(rows, "paused") == [0, 0, 1, 1, None, None]


def test_every_tenth_point_by_index_with_some_measurement_is_published() -> None:
    voltage = [float(index) for index in range(31)]
    voltage[10] = math.nan
    points = {"cycle_index": [0] * 31, "voltage": voltage, "step_type": ["charge"] * 31}
    tables = published([file(3, {"barcode": "A", "cycles_interpolated": points})])
    rows = tables.battery_cycles_interpolated
    assert column(rows, "id", "voltage") == [(3 * BASE + i, float(i)) for i in (0, 20, 30)]


def test_time_is_the_files_time_wherever_there_is_such_a_column() -> None:
    points = {"cycle_index": [0, 0], "time": [None, 5], "test_time": [1, 2], "voltage": [3, 3]}
    assert column(of_one(points=points).battery_cycles_interpolated, "time") == [None, 5.0]
    assert of_one(points=points | {"time": []}).battery_cycles_interpolated[0]["time"] is None


def test_time_is_else_test_time_less_the_lowest_of_the_cycle_sampled_or_not() -> None:
    points = {"cycle_index": [0, 1, 0, 1, -1, 0], "test_time": [9, 70, 4, None, 1, "5"]}
    document = {"barcode": "A", "cycles_interpolated": points}
    rows = published([file(1, document)], sample_every=1).battery_cycles_interpolated
    assert column(rows, "id", "time") == [
        (BASE, 5.0),
        (BASE + 1, 0.0),
        (BASE + 2, 0.0),
        (BASE + 5, 1.0),
    ]
    rows = published([file(1, document)], sample_every=5).battery_cycles_interpolated
    assert column(rows, "id", "time") == [(BASE, 5.0), (BASE + 5, 1.0)]


def test_a_time_beyond_a_double_is_null() -> None:
    points = {"cycle_index": [0, 0], "test_time": [1.7e308, -1.7e308], "voltage": [1, 1]}
    assert column(of_one(points=points).battery_cycles_interpolated, "time") == [None, 0.0]


# ------------------------------------------------------------------------------------- batteries


@pytest.mark.parametrize(
    ("top", "metadata", "expected"),
    [
        ("el1", {"barcode": "B"}, "EL1"),
        ("  el1 ", None, "EL1"),
        (None, {"barcode": "b"}, "B"),
        (" nAn ", {"barcode": "b"}, "B"),
        ("", {"barcode": "b"}, "B"),
        (["x"], {"barcode": 17}, "17"),
        ("\tx", None, "\tX"),
        (None, ["b"], "unidentified:Cell.json"),
        (None, {"barcode": "NaN"}, "unidentified:Cell.json"),
    ],
)
def test_a_barcode_comes_from_the_top_level_else_from_metadata(
    top: Any, metadata: Any, expected: str
) -> None:
    document = {"barcode": top, "metadata": metadata, "summary": {}}
    assert published([file(1, document, "Cell.json.gz")]).batteries[0]["barcode"] == expected


def test_protocol_and_channel_fall_back_to_metadata_where_the_top_level_gives_null() -> None:
    metadata = {"protocol": "m", "channel_id": 7}
    battery = of_one(protocol=["p"], channel_id=2**31, metadata=metadata).batteries[0]
    assert (battery["protocol"], battery["channel_id"]) == ("m", 7)
    battery = of_one(protocol="", channel_id="-3", metadata=metadata).batteries[0]
    assert (battery["protocol"], battery["channel_id"]) == ("", -3)


def test_a_file_with_neither_barcode_nor_section_is_no_battery_document() -> None:
    files = [
        file(1, {"summary": None, "barcode": "nan"}),
        file(2, {"barcode": "A"}),
        file(3, {"summary": "text"}),
        file(4, {"cycles_interpolated.voltage": 1}),
    ]
    tables = published(files)
    assert tables.no_battery_document == [1]
    assert column(tables.batteries, "id", "barcode", "cycle_life") == [
        (2, "A", None),
        (3, "unidentified:cell_3.json", None),
        (4, "unidentified:cell_4.json", None),
    ]
    assert tables.unknown_shapes == [(3, "summary"), (4, "cycles_interpolated")]


def test_an_excluded_file_counts_as_not_landed_by_name_or_sha256() -> None:
    files = [file(n, {"barcode": "A", "protocol": str(n)}) for n in (1, 2, 3)]
    files = [each._replace(sha256=f"{each.file_id:064x}") for each in files]
    tables = published(files, excluded={"cell_1.json", f"{3:064x}"})
    assert column(tables.batteries, "id", "protocol", "created_at") == [
        (2, "2", LANDED + timedelta(2))
    ]
    assert set(tables.runs) == {2}


# ------------------------------------------------------------------------------------- runs


def test_runs_follow_time_and_number_their_cycles_and_throughputs_on() -> None:
    later = run_document(20, cycle_index=[1, 2], charge_throughput=[5, None])
    first = run_document(1, cycle_index=[0, 3], charge_throughput=[2, 4], paused=[0, 0])
    first["cycles_interpolated"] = {"cycle_index": [0, 9], "voltage": [3, 3]}
    tables = published([file(1, later), file(2, first)], sample_every=1)
    assert tables.runs == {1: Run(1, 2, 10), 2: Run(1, 1, 0)}
    names = ("id", "battery_id", "cycle_index", "charge_throughput", "energy_throughput")
    assert column(tables.battery_summaries, *names) == [
        (BASE, 1, 11, 9.0, None),
        (BASE + 1, 1, 12, None, None),
        (2 * BASE, 1, 0, 2.0, None),
        (2 * BASE + 1, 1, 3, 4.0, None),
    ]
    assert column(tables.battery_cycles_interpolated, "cycle_index") == [0, 9]


def test_throughput_carries_on_only_from_rows_that_stand() -> None:
    first = run_document(1, cycle_index=[0, 0, 1], charge_throughput=[9, 2, 3])
    later = run_document(20, cycle_index=[0], charge_throughput=[1])
    tables = published([file(1, first), file(2, later)])
    assert column(tables.battery_summaries, "cycle_index", "charge_throughput") == [
        (0, 2.0),
        (1, 3.0),
        (2, 4.0),
    ]


def test_a_sum_of_throughputs_beyond_a_double_is_null() -> None:
    first = run_document(1, cycle_index=[0], charge_throughput=[1.7e308])
    later = run_document(20, cycle_index=[0, 1], charge_throughput=[1.7e308, 0])
    rows = published([file(1, first), file(2, later)]).battery_summaries
    assert column(rows, "charge_throughput") == [1.7e308, None, 1.7e308]


def test_a_cycle_numbered_on_beyond_int4_is_dropped() -> None:
    first = run_document(1, cycle_index=[2**31 - 3])
    later = run_document(20, cycle_index=[0, 1, 2])
    rows = published([file(1, first), file(2, later)]).battery_summaries
    assert column(rows, "cycle_index") == [2**31 - 3, 2**31 - 2, 2**31 - 1]


def test_a_run_without_a_valid_cycle_adds_no_cycles() -> None:
    first = run_document(1, cycle_index=[None, -1])
    later = run_document(20, cycle_index=[0])
    tables = published([file(1, first), file(2, later)])
    assert tables.runs == {1: Run(1, 1, 0), 2: Run(1, 2, 0)}


def test_a_later_file_of_the_same_name_supersedes_gz_aside() -> None:
    files = [
        file(1, run_document(1, paused=[0]), "a.json.gz"),
        file(2, run_document(9, paused=[0]), "a.json"),
    ]
    tables = published(files)
    assert tables.runs == {1: Run(1, None, None), 2: Run(1, 1, 0)}
    assert column(tables.battery_summaries, "id") == [2 * BASE]
    assert column(tables.batteries, "id", "created_at") == [(1, LANDED + timedelta(1))]


@pytest.mark.parametrize(
    ("first_days", "kept"),
    [((1, 4), {1, 2}), ((1, 3), {2}), ((4, 1), {1, 2}), ((3, 1), {2}), ((1, 1), {2})],
)
def test_a_later_file_whose_span_overlaps_supersedes_ends_included(
    first_days: tuple[int, int], kept: set[int]
) -> None:
    files = [
        file(number, run_document(day, paused=[0, 0, 0]))
        for number, day in enumerate(first_days, start=1)
    ]
    assert {n for n, run in published(files).runs.items() if not run.superseded} == kept


def test_a_file_without_time_stamps_gives_way_to_those_that_have_them() -> None:
    timed = run_document(1, paused=[0])
    timeless = {"barcode": "A", "summary": {"paused": [0]}}
    for files in ([file(1, timed), file(2, timeless)], [file(2, timed), file(1, timeless)]):
        runs = published(files).runs
        assert [runs[one.file_id].superseded for one in files] == [False, True]


def test_of_files_that_all_lack_time_stamps_the_latest_stands() -> None:
    timeless = {"barcode": "A", "summary": {"paused": [0]}}
    runs = published([file(n, timeless) for n in (1, 2, 3)]).runs
    assert [runs[n].superseded for n in (1, 2, 3)] == [True, True, False]


def test_a_superseded_file_still_supersedes_what_landed_before_it() -> None:
    first, second, third = (run_document(d, paused=[0] * n) for d, n in ((1, 3), (3, 3), (5, 3)))
    tables = published([file(1, first), file(2, second), file(3, third)])
    assert [tables.runs[n].superseded for n in (1, 2, 3)] == [True, True, False]


def test_time_stamps_of_dropped_rows_count_for_the_span() -> None:
    first = run_document(1, cycle_index=[0, None, None])
    tables = published([file(1, first), file(2, run_document(3, paused=[0]))])
    assert tables.runs[1].superseded


def test_the_battery_has_the_protocol_of_its_first_run() -> None:
    later = run_document(20, paused=[0]) | {"protocol": "later", "channel_id": 1}
    first = run_document(1, paused=[0]) | {"protocol": "first", "channel_id": 2}
    battery = published([file(1, later), file(2, first)]).batteries[0]
    assert (battery["id"], battery["protocol"], battery["channel_id"]) == (1, "first", 2)


# ------------------------------------------------------------------------------------- cycle life


@pytest.mark.parametrize(
    ("capacities", "expected"),
    [
        ([1.1, 1.0, 0.9], 2),  # never: the highest cycle
        ([1.1, 0.87, 0.9, 0.8, 0.7], 3),  # the first after the last at or above 0.88
        ([0.8, 0.7], 0),  # below from the start
        ([1.1, None, 0.8, None], 2),  # NULL left out of the question
        ([1.1, 0.8, None, 0.8800000000000001], 3),
        ([1.1, 0.8 * 1.1, 0.8], 2),  # 80 % itself is not below
        ([None, None], 1),  # nothing known: the highest cycle
        ([1.1, 0.54, 0.8, 1.0, 0.54], 4),  # below half of nominal is no sign of age
        ([1.1, 0.55, 0.54], 1),  # half itself is full
        ([1.1, 0.54, 0.8, 0.54, None], 2),  # half of the known cycles are full
        ([1.1, 0.54, 0.8, 0.54, 0.54], None),  # fewer: a characterisation
        ([], None),
    ],
)
def test_cycle_life_is_where_capacity_falls_below_80_percent_for_good(
    capacities: list[Any], expected: int
) -> None:
    document = {"barcode": "A", "summary": {"discharge_capacity": capacities}}
    tables = published([file(1, document, "FastCharge_000001_CH1_structure.json")])
    assert tables.batteries[0]["cycle_life"] == expected


def test_nominal_capacity_is_else_the_median_of_the_first_40_known_capacities() -> None:
    first_40 = [None, *[2.5] * 20, *[4.0] * 20]  # median 3.25, so 2.6 Ah is the end
    capacities = [*first_40, 2.7, 2.55, *[2.5] * 100]
    document = {"barcode": "A", "summary": {"discharge_capacity": capacities}}
    assert published([file(1, document)]).batteries[0]["cycle_life"] == 42
    assert published([file(1, document, "PreDiag_1.json")]).batteries[0]["cycle_life"] == 41
    assert published([file(1, document, "my_PreDiag_1.json")]).batteries[0]["cycle_life"] == 42


def test_the_name_of_the_first_runs_file_tells_the_nominal_capacity() -> None:
    first = run_document(1, cycle_index=[0, 1], discharge_capacity=[3.5, 3.4])
    later = run_document(20, cycle_index=[0, 1], discharge_capacity=[3.0, 2.5])
    names = ("PreDiag_1.json", "FastCharge_1.json")
    files = [file(1, later, names[0]), file(2, first, names[1])]
    assert published(files).batteries[0]["cycle_life"] == 3
    files = [file(1, later, names[1]), file(2, first, names[0])]
    assert published(files).batteries[0]["cycle_life"] == 0


def test_a_nominal_capacity_of_0_is_used_as_it_is_and_null_gives_way_to_the_median() -> None:
    document = {"barcode": "A", "summary": {"discharge_capacity": [1.0, 0.1, 0.0]}}
    for nominal in (0.0, None):
        tables = published([file(1, document)], cell_types=[("cell_*", nominal)])
        assert tables.batteries[0]["cycle_life"] == 2


def test_a_full_cycle_discharges_half_of_nominal_capacity() -> None:
    document = {"barcode": "A", "summary": {"discharge_capacity": [1.1, 0.55, 0.54, None, 1.0]}}
    rows = published([file(1, document, "FastCharge_1.json")]).battery_summaries
    assert column(rows, "is_full_cycle") == [True, True, False, None, True]
    first = run_document(1, discharge_capacity=[1.1])
    second = run_document(20, discharge_capacity=[2.0])  # of the first run's cell type
    files = [file(1, first, "FastCharge_1.json"), file(2, second, "PreDiag_1.json")]
    assert column(published(files).battery_summaries, "is_full_cycle") == [True, True]


# ------------------------------------------------------------------------------------- generated


def tables_of(document: dict[str, Any], sample_every: int = 1) -> Tables:
    """The tables of a document written as JSON text and read again."""
    parsed = parse(shapes.dumps(document))
    return published([file(1, parsed)], sample_every=sample_every)


@settings(max_examples=40, deadline=None)
@given(
    strategies.columnar_documents(), st.sampled_from(shapes.SHAPES), st.sampled_from(shapes.SHAPES)
)
def test_every_shape_of_a_document_gives_the_same_tables(
    document: dict[str, Any], summary: str, points: str
) -> None:
    for section, shape in (("summary", summary), ("cycles_interpolated", points)):
        assert shapes.fits(document[section], shape) or not shapes.length(document[section])
    if shapes.length(document["summary"]) and shapes.length(document["cycles_interpolated"]):
        assert tables_of(shapes.reshape(document, summary=summary, points=points)) == tables_of(
            document
        )


@settings(max_examples=40, deadline=None)
@given(strategies.documents(), strategies.seeds)
def test_another_spelling_of_a_document_gives_the_same_tables(
    document: dict[str, Any], seed: int
) -> None:
    assert tables_of(shapes.perturb(document, random.Random(seed))) == tables_of(document)


@settings(max_examples=40, deadline=None)
@given(strategies.histories())
def test_what_is_published_of_any_history_keeps_its_promises(
    landed: strategies.History,
) -> None:
    tables = published(strategies.as_files(landed), sample_every=3)
    batteries = {row["id"] for row in tables.batteries}
    assert len({row["barcode"] for row in tables.batteries}) == len(batteries)
    for rows in (tables.battery_summaries, tables.battery_cycles_interpolated):
        assert [row["id"] for row in rows] == sorted({row["id"] for row in rows})
        assert {row["battery_id"] for row in rows} <= batteries
        assert all(0 <= row["cycle_index"] < 2**31 for row in rows)
        doubles = [value for row in rows for value in row.values() if isinstance(value, float)]
        assert all(map(math.isfinite, doubles))
    keys = column(tables.battery_summaries, "battery_id", "cycle_index")
    assert len(keys) == len(set(keys))


def test_hundreds_of_histories_hold_every_kind_of_case() -> None:
    landed = strategies.landing_order(strategies.many_histories(150, 7), 7)
    files = strategies.as_files(landed)
    assert len({each.sha256 for each in files}) == len(files)
    tables = published(files)
    found = {reference.shape(reference.section_value(f.document, "summary")) for f in files}
    assert found == {*shapes.SHAPES, "empty", "unknown"} - {"flattened"}
    assert any("summary.date_time_iso" in f.document for f in files)
    assert any(row["barcode"].startswith("unidentified:") for row in tables.batteries)
    assert {run.number for run in tables.runs.values()} >= {None, 1, 2, 3}
    assert tables.no_battery_document and tables.unknown_shapes
    assert any(row["cycle_life"] is None for row in tables.batteries)


def test_written_files_sort_in_the_order_landed(tmp_path: Path) -> None:
    landed = strategies.landing_order(strategies.many_histories(5, 1), 1)
    paths = strategies.write(landed, tmp_path)
    assert paths == sorted(paths)
    for path, each in zip(paths, landed, strict=True):
        data = path.read_bytes()
        assert (gzip.decompress(data) if path.suffix == ".gz" else data) == each.text


# ------------------------------------------------------------------------------------- real files


def real(file_id: int, name: str) -> File:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"no {path.name} here")
    data = path.read_bytes()
    data = gzip.decompress(data) if path.suffix == ".gz" else data
    return file(file_id, parse(data), path.name)


def test_the_real_fast_charge_file() -> None:
    tables = published([real(1, "matr/FastCharge_000002_CH26_structure.json")])
    battery = tables.batteries[0]
    assert battery["barcode"] == "EL150800737381"
    assert (battery["channel_id"], battery["cycle_life"]) == (25, 0)
    assert battery["protocol"] == "2018-04-12_batch8\\20180412-5C_67per_4C_newstructure.sdu"
    (summary,) = tables.battery_summaries
    assert (summary["cycle_index"], summary["discharge_capacity"]) == (0, 1.5430456)
    assert summary["date_time_iso"] == datetime(2018, 4, 13, 1, 27, 28, tzinfo=UTC)
    points = tables.battery_cycles_interpolated
    assert len(points) == 300  # every tenth of 3,000; each has at least its voltage
    assert set(column(points, "cycle_index")) == {0, 1}
    assert set(column(points, "time")) == {None}


def test_the_three_real_versions_are_one_battery_with_one_run_the_last_landed() -> None:
    name = "PreDiag_000412_00008Fshort_structure.json"
    folders = ("beep-2020.10/", "beep-2022.10/", "beep-2026.2/")
    names = (folders[0] + name, folders[1] + name + ".gz", folders[2] + name)
    tables = published([real(number, each) for number, each in enumerate(names, start=1)])
    assert column(tables.batteries, "id", "barcode", "channel_id") == [(1, "00008F", 22)]
    assert tables.runs == {1: Run(1, None, None), 2: Run(1, None, None), 3: Run(1, 1, 0)}
    assert len(tables.battery_summaries) == 339
    assert len(tables.battery_cycles_interpolated) == 3400
    first = tables.battery_cycles_interpolated[0]
    assert (first["time"], first["step_type"]) == (61959.42584107143, "discharge")
    # pulses of 2e-5 Ah but for three cycles: a characterisation
    full = [row["cycle_index"] for row in tables.battery_summaries if row["is_full_cycle"]]
    assert (len(full), full[-1]) == (3, 36)
    assert tables.batteries[0]["cycle_life"] is None
    assert {row["id"] // BASE for row in tables.battery_cycles_interpolated} == {3}


def test_the_real_file_without_barcode_is_unidentified() -> None:
    tables = published([real(1, "beep-2020.10/structure_insufficient.json")])
    assert column(tables.batteries, "barcode", "channel_id", "cycle_life") == [
        ("unidentified:structure_insufficient.json", 9, 1)
    ]
    names = ("cycle_index", "time", "voltage", "current_", "step_type")
    assert column(tables.battery_cycles_interpolated, *names) == [(1, None, 1.0, 1.0, None)]


def test_the_real_file_with_holes_in_its_cycles() -> None:
    name = "beep-2021/PredictionDiagnostics_000107_0001B9_structure_short.json"
    tables = published([real(1, name)])
    assert column(tables.battery_summaries, "cycle_index")[:3] == [0, 6, 7]
    assert tables.batteries[0]["cycle_life"] == 65  # 4.39 Ah in the last cycle: not yet ended
    assert column(tables.battery_cycles_interpolated, "voltage", "time") == [
        (2.700000047683716, None)
    ]
