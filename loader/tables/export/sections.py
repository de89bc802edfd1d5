"""A section of a document as columns, whatever its shape: what staging does in SQL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

Json = dict[str, Any]
Columns = dict[str, list[Any]]

PLAIN_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,5})?")


def columns(document: Json, section: str) -> Iterator[Columns]:
    """Give the rows of a section in document order, a set of columns at a time.

    Columnar, flattened, records and indexed columns are one set, by cycle is one a cycle. Nothing
    where there is no such section, or in no known shape.
    """
    value = document.get(section)
    if value is None:
        prefix = f"{section}."
        value = {key[len(prefix) :]: of for key, of in document.items() if key.startswith(prefix)}
    if isinstance(value, list):
        yield _of_records([row for row in value if isinstance(row, dict)])
    elif isinstance(value, dict) and any(isinstance(member, list) for member in value.values()):
        yield {name: member for name, member in value.items() if isinstance(member, list)}
    elif isinstance(value, dict) and all(isinstance(member, dict) for member in value.values()):
        if all(map(PLAIN_NUMBER.fullmatch, value)):
            yield from _of_cycles(value)
        else:
            yield _of_indexed(value)


def _of_records(rows: list[Json]) -> Columns:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _of_cycles(cycles: dict[str, Json]) -> Iterator[Columns]:
    for number in sorted(cycles, key=lambda cycle: (Decimal(cycle), cycle.encode())):
        arrays = {
            name: member if isinstance(member, list) else [member]
            for name, member in cycles[number].items()
            if not isinstance(member, dict)
        }
        length = max(map(len, arrays.values()), default=0)
        yield arrays | {"cycle_index": [float(number)] * length}


def _of_indexed(named: dict[str, Json]) -> Columns:
    rows = sorted({row for column in named.values() for row in column}, key=_place)
    return {name: [column.get(row) for row in rows] for name, column in named.items()}


def _place(row: str) -> tuple[int, str]:
    return (int(row), row) if row.isdigit() else (0, row)
