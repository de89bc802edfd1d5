"""The same document in each shape (docs/design.md, Shapes), and in other spellings of JSON.

A columnar table is an object of arrays. Whatever these functions make of a document, the published
tables must stay the same (`fits` says for which tables that holds).
"""

import json
import math
import random
import re
from typing import Any

SUMMARY = "summary"
POINTS = "cycles_interpolated"
COLUMNAR, BY_CYCLE, RECORDS = "columnar", "by cycle", "records"
INDEXED_COLUMNS, FLATTENED = "indexed columns", "flattened"
SHAPES = (COLUMNAR, BY_CYCLE, RECORDS, INDEXED_COLUMNS, FLATTENED)

Document = dict[str, Any]
Columns = dict[str, list[Any]]

PLAIN_KEY = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,5})?")
TEXT_COLUMNS = ("barcode", "protocol", "step_type")
LITERAL = "literal JSON: "


def length(table: Columns) -> int:
    """The number of rows: the longest array."""
    return max(map(len, table.values()), default=0)


def cycle_key(value: Any) -> str | None:
    """The key under which a cycle's rows go, or None for what can be no key of a cycle."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        key = str(value)
        return key if PLAIN_KEY.fullmatch(key) else None
    return value if isinstance(value, str) and PLAIN_KEY.fullmatch(value) else None


def can_be(table: Columns, shape: str) -> bool:
    """Whether the table's rows can be written in the shape at all, in whatever order."""
    if shape == BY_CYCLE:
        cycles = table.get("cycle_index", [])
        whole = len(cycles) == length(table) > 0
        return whole and all(cycle_key(cycle) is not None for cycle in cycles)
    return bool(table) or shape != FLATTENED


def fits(table: Columns, shape: str) -> bool:
    """Whether the table in the shape holds the same rows in the same document order."""
    if not can_be(table, shape):
        return False
    if shape != BY_CYCLE:
        return True
    keys = [cycle_key(cycle) or "" for cycle in table["cycle_index"]]
    return keys == sorted(keys, key=lambda key: (float(key), key))


def to_shape(section: str, table: Columns, shape: str) -> Document:
    """The top-level members that hold the columnar table in the shape."""
    if not can_be(table, shape):
        raise ValueError(f"this table cannot be written {shape}")
    if shape == FLATTENED:
        return {f"{section}.{name}": array for name, array in table.items()}
    writers = {BY_CYCLE: by_cycle, RECORDS: records, INDEXED_COLUMNS: indexed_columns}
    return {section: writers[shape](table) if shape in writers else table}


def reshape(document: Document, *, summary: str = COLUMNAR, points: str = COLUMNAR) -> Document:
    """The document, whose two sections are columnar tables, with each in the shape named."""
    result: Document = {}
    for name, value in document.items():
        if name in (SUMMARY, POINTS) and isinstance(value, dict):
            result |= to_shape(name, value, summary if name == SUMMARY else points)
        else:
            result[name] = value
    return result


def by_cycle(table: Columns) -> dict[str, Columns]:
    """`{"0": {"voltage": [..]}}`: cycles in the order of appearance."""
    rows: dict[str, list[int]] = {}
    for index, cycle in enumerate(table["cycle_index"]):
        rows.setdefault(cycle_key(cycle) or "", []).append(index)
    columns = {name: array for name, array in table.items() if name != "cycle_index"}
    return {key: _rows_of(columns, indices) for key, indices in rows.items()}


def _rows_of(columns: Columns, indices: list[int]) -> Columns:
    part = {
        name: [array[index] if index < len(array) else None for index in indices]
        for name, array in columns.items()
    }
    # A cycle's rows are counted by its arrays: without any other column its own number must count.
    return part or {"cycle_index": [None] * len(indices)}


def records(table: Columns) -> list[Document]:
    """`[{"voltage": 3.1, "cycle_index": 0}]`: keys left out where an array is too short."""
    rows: list[Document] = [
        {name: array[index] for name, array in table.items() if index < len(array)}
        for index in range(length(table))
    ]
    for row in rows[:1]:
        # A column that is there but empty must still be seen to be there.
        row.update({name: None for name, array in table.items() if not array})
    return rows


def indexed_columns(table: Columns) -> dict[str, dict[str, Any]]:
    """`{"voltage": {"0": 3.1}}`, as pandas writes it."""
    return {
        name: {str(index): value for index, value in enumerate(array)}
        for name, array in table.items()
    }


# ------------------------------------------------------------------------ other spellings


def perturb(document: Document, rng: random.Random) -> Document:
    """The same content spelled otherwise: key order, 1 or 1.0 or "1", null or NaN."""
    result = _respelled(document, rng, textual=False)
    assert isinstance(result, dict)
    return result


def _respelled(value: Any, rng: random.Random, *, textual: bool) -> Any:
    if isinstance(value, dict):
        members = [
            (key, _respelled(member, rng, textual=textual or key.split(".")[-1] in TEXT_COLUMNS))
            for key, member in value.items()
        ]
        rng.shuffle(members)
        return dict(members)
    if isinstance(value, list):
        return [_respelled(element, rng, textual=textual) for element in value]
    if value is None:
        return rng.choice((None, math.nan))
    if isinstance(value, bool | str) or textual:
        return value
    return _other_number(value, rng)


def _other_number(value: float, rng: random.Random) -> Any:
    if not math.isfinite(value) if isinstance(value, float) else abs(value) > 2**53:
        return value
    same: list[Any] = [value, value, float(value), f" {value!r}\t"]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        same.append(int(value))
    return rng.choice(same)


def literal(text: str) -> str:
    """A stand-in for a JSON number Python cannot hold, such as 1e400; `dumps` writes it bare."""
    return LITERAL + text


def dumps(document: Document) -> str:
    """The document's JSON text: NaN bare, as BEEP writes it, and literals as they are."""
    return re.sub(f'"{LITERAL}([^"]*)"', r"\1", json.dumps(document))
