import copy
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import read_section
from sound import validate

from loader.parts.join import whole
from loader.parts.split import split
from loader.source import content as bytes_of

SHARED = Path(__file__).parents[3] / "shared" / "data"
REAL_FILES = sorted(SHARED.glob("*/*.json*"))


def dump(document):
    return validate(json.dumps(document, separators=(",", ":")).encode()).json


def parts_of(document, part_size):
    return list(split(dump(document), part_size))


def printed_by(program):
    return subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def join(parts):
    """Parsed parts of one document, in order, together again."""
    document = {}
    for part in parts:
        merge(document, part)
    return document


def merge(whole, part):
    for key, value in part.items():
        there = whole.get(key)
        if isinstance(there, list) and isinstance(value, list):
            there += value
        elif isinstance(there, dict) and isinstance(value, dict):
            merge(there, value)
        else:
            whole[key] = value


def content(part):
    return orjson.loads(part.json)


def contents(parts):
    return [(part.first_point, content(part)) for part in parts]


# --- the document in parts


def test_a_document_up_to_the_part_size_is_one_part_as_it_stands():
    text = b' {"barcode": "x",\n"summary": {"cycle_index": [0, 1]}}\n'
    (part,) = split(text, len(text))
    assert (part.number, part.first_point, part.json) == (0, 0, text)
    first, second = split(text, 40)
    assert (first.json, second.json) == (b'{"barcode":"x"}', b'{"summary":{"cycle_index":[0, 1]}}')


def test_a_columnar_table_is_cut_along_its_rows():
    table = {"note": "n", "voltage": list(range(10, 30)), "cycle_index": [1] * 12, "none": []}
    voltage = table["voltage"]
    assert contents(parts_of({"cycles": table, "barcode": "x"}, 95)) == [
        (0, {"barcode": "x"}),
        (0, {"cycles": table | {"voltage": voltage[:6], "cycle_index": [1] * 6}}),
        (6, {"cycles": {"voltage": voltage[6:17], "cycle_index": [1] * 6, "none": []}}),
        (17, {"cycles": {"voltage": voltage[17:], "cycle_index": [], "none": []}}),
    ]


def test_cycles_come_in_numeric_order_and_only_one_too_long_is_cut():
    cycles = {
        "10": {"voltage": [4, 4]},
        "2": {"voltage": [2] * 20, "time": [0], "aside": {"a": 1}},
        "0": {"voltage": 7, "time": None},
        "1": {"aside": {"a": 1}},
    }
    parts = parts_of({"cycles": cycles}, 75)
    assert contents(parts) == [
        (0, {}),
        (0, {"cycles": {"0": cycles["0"], "1": cycles["1"]}}),
        (1, {"cycles": {"2": {"voltage": [2] * 9, "time": [0], "aside": {"a": 1}}}}),
        (10, {"cycles": {"2": {"voltage": [2] * 11, "time": []}}}),
        (21, {"cycles": {"10": cycles["10"]}}),
    ]


def test_records_are_cut_between_records():
    rows = [{"voltage": number} for number in range(6)]
    parts = parts_of({"cycles": rows}, 45)
    assert contents(parts) == [
        (0, {}),
        (0, {"cycles": rows[:2]}),
        (2, {"cycles": rows[2:4]}),
        (4, {"cycles": rows[4:]}),
    ]


def test_indexed_columns_are_cut_by_the_keys_of_all_columns_in_numeric_order():
    columns = {"b": {"10": 5, "9": 4, "2": 3}, "a": {"3": 1, "10": 2}, "none": {}}
    parts = parts_of({"cycles": columns}, 51)
    assert contents(parts) == [
        (0, {}),
        (0, {"cycles": {"b": {"2": 3}, "a": {"3": 1}, "none": {}}}),
        (2, {"cycles": {"b": {"9": 4}, "a": {}, "none": {}}}),
        (3, {"cycles": {"b": {"10": 5}, "a": {"10": 2}, "none": {}}}),
    ]


def test_a_flattened_section_is_one_table():
    voltage = list(range(100, 120))
    document = {"c.v": voltage, "barcode": "x", "c.note": "n", "c.i": [1, 2], "c": None}
    assert contents(parts_of(document, 60)) == [
        (0, {"barcode": "x", "c": None}),
        (0, {"c.v": voltage[:6], "c.note": "n", "c.i": [1, 2]}),
        (6, {"c.v": voltage[6:16], "c.i": []}),
        (16, {"c.v": voltage[16:], "c.i": []}),
    ]


@pytest.mark.parametrize(
    "table",
    [
        pytest.param({"c": list(range(100))}, id="a plain array"),
        pytest.param({"c": [{"a": 1}] * 50 + [1]}, id="records and others"),
        pytest.param({"c": {"0": {"v": [1] * 100}, "x": {"0": 1}}}, id="a cycle and no cycle"),
        pytest.param({"c": {"v": {str(k): 1 for k in range(50)}, "x": 1}}, id="column and scalar"),
        pytest.param({"c": {"v": {"0": 1, "x": "y" * 100}}}, id="a row key that is no number"),
        pytest.param({"c": {"v": [1] * 50}, "c.v": [1] * 50}, id="a section in two places"),
        pytest.param({"c": "x" * 200}, id="a long string"),
    ],
)
def test_what_is_no_table_or_of_two_shapes_stays_whole(table):
    (part,) = parts_of({"a": 1} | table, 60)
    assert content(part) == {"a": 1} | table


def test_the_largest_tables_go_first_and_only_as_many_as_must():
    document = {
        "small": {"a": [1] * 20},
        "larger": {"a": [2] * 40},
        "large": {"a": [3] * 60},
        "metadata": {"x": "y"},
    }
    assert list(content(parts_of(document, 200)[0])) == ["small", "larger", "metadata"]
    assert [list(content(part)) for part in parts_of(document, 110)] == [
        ["small", "metadata"],
        ["larger"],
        ["large"],
        ["large"],
    ]


def test_a_single_row_longer_than_a_part_stays_whole():
    rows = [{"a": 1}, {"a": "x" * 500}, {"a": 2}]
    parts = parts_of({"cycles": rows}, 100)
    assert [content(part)["cycles"] for part in parts[1:]] == [[row] for row in rows]


def test_rows_of_very_different_length_still_fit():
    texts = ["x" * (10_000 if number % 1000 == 999 else 1) for number in range(10_000)]
    parts = parts_of({"cycles": {"text": texts}}, 15_000)
    assert max(len(part.json) for part in parts) <= 15_000
    assert len(parts) < 40
    assert join(map(content, parts)) == {"cycles": {"text": texts}}


def test_a_long_member_beside_the_columns_does_not_make_the_slices_small():
    table = {"note": "x" * 30_000, "voltage": [1.25] * 10_000}
    parts = parts_of({"cycles": table}, 10_000)
    assert len(parts) < 20
    assert join(map(content, parts)) == {"cycles": table}


def test_splitting_gives_the_same_parts_again():
    document = {"c": {"voltage": [1.5] * 1000}, "r": [{"a": None}] * 100, "summary": {"a": [1]}}
    assert parts_of(document, 300) == parts_of(document, 300)


# --- numbers


def test_digits_land_as_the_file_has_them():
    text = (
        b'{"a":[1.10,123456789012345678901234567890,1E+400,0.12345678901234567,-0.0,1e-400],"b":{}}'
    )
    (part,) = split(text, len(text))
    assert part.json == text
    first, *slices = split(text, 60)
    assert first.json == text
    assert slices == []
    columns = b'{"c":{"v":[1.10,2.20,1E+400,0.12345678901234567,-0.0]},"b":1}'
    assert [part.json for part in split(columns, 40)] == [
        b'{"b":1}',
        b'{"c":{"v":[1.10,2.20,1E+400]}}',
        b'{"c":{"v":[0.12345678901234567,-0.0]}}',
    ]


@pytest.mark.parametrize(
    "text",
    [
        b'{"c": {"v": [1], "v": [%s]}, "c": {"v": [0], "w": 1, "v": [%s]}}',
        b'{"c": {"1": {"v": [7]}, "1": {"v": [0], "\\u0076": [%s]}}, "d": [%s]}',
        b'{"c.v": [1, 2], "d": [%s], "\\u0063.v": [%s]}',
        b'{"c": {"v": {"0": 1, "1": 2, "\\u0030": 3}, "w": {"2": 4}}, "d": [%s], "e": [%s]}',
    ],
)
def test_of_a_key_twice_the_last_stands(text):
    text %= (b"1, 2, 3", b"4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15")
    parts = list(split(text, 30))
    assert len(parts) > 1
    assert join(map(content, parts)) == json.loads(text)


# --- the document back


def test_a_document_comes_back_from_its_parts_as_json():
    document = {"barcode": "x", "c": {"v": list(range(50))}, "note": {"a": {"b": {"c": [1]}}}}
    parts = parts_of(document, 60)
    text = b"".join(whole(part.json for part in parts))
    assert text.startswith(b'{"barcode": "x", "note": {"a": {"b": {"c":[1]}}}, "c": {"v": [0,1,')
    assert text.endswith(b"]}}\n")
    assert json.loads(text) == document


def test_an_empty_document_comes_back():
    assert b"".join(whole([b"{}"])) == b"{}\n"


def test_a_document_comes_back_in_the_memory_of_a_part():
    program = """if True:
        import resource
        from loader.parts.join import whole
        from test_parts import dump

        def peak():  # kilobytes on Linux, bytes on macOS
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * MULTIPLE

        part = dump({"cycles": {f"column {number}": [0.5] * 30_000 for number in range(8)}})
        list(whole([part]))
        before = peak()
        assert sum(len(piece) for piece in whole([part] * 60)) > 55 * len(part) > 50_000_000
        print(peak() - before)
    """.replace("MULTIPLE", "1" if sys.platform == "darwin" else "1024")
    assert int(printed_by(program)) < 8 * 2**20


@pytest.mark.parametrize("path", REAL_FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
@pytest.mark.parametrize("part_size", [4000, 100_000, 2**25])
def test_a_real_file_comes_back_from_its_parts(path, part_size):
    data = bytes_of(path)
    sound, _, non_finite = validate(data)
    parts = list(split(sound, part_size))
    assert non_finite == data.count(b"NaN")
    document = json.loads(data, parse_constant=lambda name: None)
    assert join(map(content, parts)) == document
    assert json.loads(b"".join(whole(part.json for part in parts))) == document
    assert all(len(part.json) <= part_size for part in parts[1:])


# --- properties

NUMBERS = st.integers(-99, 99) | st.floats(width=16) | st.none() | st.text("ab\u00e9", max_size=12)
VALUES = NUMBERS | st.booleans() | st.lists(NUMBERS, max_size=2)
NAMES = st.sampled_from(["voltage", "cycle_index", "null", "0", "7", "x.y"])
COLUMN = st.lists(NUMBERS, max_size=40)
COLUMNAR = st.dictionaries(NAMES, COLUMN | NUMBERS | st.dictionaries(NAMES, VALUES, max_size=2))
CYCLE_KEYS = st.sampled_from(["0", "1", "1.0", "10", "2", "-1", "3e1", "007", ".5"])
BY_CYCLE = st.dictionaries(CYCLE_KEYS, COLUMNAR)
RECORDS = st.lists(st.dictionaries(NAMES, VALUES, max_size=3), max_size=40)
ROW_KEYS = st.integers(0, 60).map(str) | st.sampled_from(["01", "00"])
INDEXED = st.dictionaries(NAMES, st.dictionaries(ROW_KEYS, VALUES, max_size=40))
TABLES = COLUMNAR | BY_CYCLE | RECORDS | INDEXED
FLATTENED = st.dictionaries(NAMES.map("cycles.".__add__), COLUMN | NUMBERS)
DOCUMENTS = st.builds(
    lambda *members: {key: value for member in members for key, value in member.items()},
    st.dictionaries(st.sampled_from(["barcode", "metadata", "cycles.odd"]), VALUES, max_size=2),
    FLATTENED,
    st.dictionaries(st.sampled_from(["summary", "cycles", "raw", "null"]), TABLES | VALUES),
)


def rows_and_keys(part):
    """The rows a part holds, told from its shape alone, and the keys of its table."""
    ((key, value), *more) = content(part).items()
    if more or "." in key:
        value = dict([(key, value), *more])
        key = "flattened"
    if isinstance(value, list):
        return len(value), key
    arrays = [member for member in value.values() if isinstance(member, list)]
    if arrays:
        return max(map(len, arrays)), key
    try:
        [float(name) for name in value]
    except ValueError:
        return len({row for column in value.values() for row in column}), key
    return sum(rows_of_cycle(cycle) for cycle in value.values()), key


def rows_of_cycle(cycle):
    members = [member for member in cycle.values() if not isinstance(member, dict)]
    return max((len(m) if isinstance(m, list) else 1 for m in members), default=0)


@settings(max_examples=200, deadline=None)
@given(DOCUMENTS, st.integers(1, 300))
def test_the_parts_together_are_the_document(document, part_size):
    text = json.dumps(document).encode()
    sound, _, non_finite = validate(text)
    parts = list(split(sound, part_size))
    assert join(map(content, parts)) == orjson.loads(orjson.dumps(document))
    assert orjson.loads(b"".join(whole(part.json for part in parts))) == join(map(content, parts))
    assert [part.number for part in parts] == list(range(len(parts)))
    assert non_finite == text.count(b"NaN") + text.count(b"Infinity")


@settings(max_examples=200, deadline=None)
@given(DOCUMENTS, st.integers(1, 300))
def test_slices_follow_on_and_fit_unless_of_a_single_row(document, part_size):
    _, *slices = parts_of(document, part_size)
    table, expected = None, 0
    for part in slices:
        rows, key = rows_and_keys(part)
        if key != table:
            table, expected = key, 0
        assert part.first_point == expected
        assert len(part.json) <= part_size or rows <= 1
        expected += rows


@settings(max_examples=200, deadline=None)
@given(DOCUMENTS, st.integers(1, 300))
def test_each_part_read_on_its_own_gives_the_rows_of_the_whole(document, part_size):
    parts = [content(part) for part in parts_of(document, part_size)]
    together = join(copy.deepcopy(parts))
    for section in ("summary", "cycles", "raw", "null"):
        in_parts = [row for part in parts for row in read_section(part, section).rows]
        assert in_parts == read_section(together, section).rows


# --- size


def columns_of(points):
    return {f"column {number}": [number + 0.5] * points for number in range(8)}


@pytest.mark.clock
def test_a_hundred_thousand_points_are_split_in_no_time_into_even_parts():
    text = dump({"cycles_interpolated": columns_of(100_000)})
    size = len(text)
    started = time.perf_counter()
    lengths = [len(part.json) for part in split(text, 2**18)]
    assert time.perf_counter() - started < 2
    assert max(lengths) <= 2**18
    assert size <= sum(lengths) <= 1.01 * size
    assert len(lengths) == 14


def test_slices_are_of_eight_mebibytes_however_large_the_parts_may_be():
    document = {"note": "x" * 10**7, "cycles_interpolated": columns_of(600_000)}
    text = dump(document)
    for part_size in (2**24, 3 * 2**23):
        first, *slices = split(text, part_size)
        assert len(first.json) > 10**7
        assert {len(part.json) > 2**22 for part in slices[:-1]} == {True}
        assert max(len(part.json) for part in slices) <= 2**23


def test_splitting_takes_the_memory_of_a_part_not_of_the_document():
    program = """if True:
        import resource
        from loader.parts.split import split

        def peak():  # kilobytes on Linux, bytes on macOS
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * MULTIPLE

        column = b"[" + b",".join(b"%d.5" % number for number in range(1_000_000)) + b"]"
        columns = (b'"column %d":%b' % (number, column) for number in range(8))
        text = b'{"cycles":{' + b",".join(columns) + b"}}"
        before = peak()
        assert sum(len(part.json) for part in split(text, 2**20)) > 32_000_000
        print(peak() - before)
    """.replace("MULTIPLE", "1" if sys.platform == "darwin" else "1024")
    assert int(printed_by(program)) < 8 * 2**20
