"""The tables of a document, each in one of the five shapes of a section, and slices of them.

A slice has the shape of its table, so that whoever reads one part on its own finds the same rows.
An object in which two shapes are mixed is no table.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import accumulate
from typing import Any

Json = dict[str, Any]

_PLAIN_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,5})?")
_ROW_NUMBER = re.compile(r"[0-9]{1,18}")


class Table(ABC):
    """Something that can be cut: `length` is the number of its rows, or of its cycles.

    `keys` are the top-level keys of the document that hold it.
    """

    keys: tuple[str, ...]
    length: int

    @abstractmethod
    def take(self, start: int, stop: int) -> Json:
        """Rows (cycles) `start` up to `stop`, under the table's own keys; all keys, always."""

    def first_point(self, start: int) -> int:
        """The zero-based index of the first row of a slice from `start` on."""
        return start

    def within(self, start: int) -> Table | None:
        """What stands at `start` as a table that can be cut further, where it can."""
        return None


class Columns(Table):
    """Columnar: `{"voltage": [..], "cycle_index": [..]}`.

    `path` are the keys that lead to the object. Members that are no arrays go with the first rows.
    """

    def __init__(self, path: tuple[str, ...], columns: Json) -> None:  # noqa: D107
        self.keys = path[:1] or tuple(columns)
        self.length = max((len(c) for c in columns.values() if isinstance(c, list)), default=0)
        self._path = path
        self._columns = columns

    def take(self, start: int, stop: int) -> Json:  # noqa: D102
        taken: Json = {
            name: column[start:stop] if isinstance(column, list) else column
            for name, column in self._columns.items()
            if start == 0 or isinstance(column, list)
        }
        for key in reversed(self._path):
            taken = {key: taken}
        return taken


class Cycles(Table):
    """By cycle: `{"0": {"voltage": [..]}, "1": {..}}`, cut between cycles, in numeric order."""

    def __init__(self, key: str, cycles: dict[str, Json]) -> None:  # noqa: D107
        self.keys = (key,)
        self.length = len(cycles)
        self._cycles = cycles
        # Two spellings of a number ("1", "1.0") stand in the order of their bytes.
        self._order = sorted(cycles, key=lambda cycle: (Decimal(cycle), cycle.encode()))
        self._firsts = list(
            accumulate((_rows_of_cycle(cycles[cycle]) for cycle in self._order), initial=0)
        )

    def take(self, start: int, stop: int) -> Json:  # noqa: D102
        cycles = {cycle: self._cycles[cycle] for cycle in self._order[start:stop]}
        return {self.keys[0]: cycles}

    def first_point(self, start: int) -> int:  # noqa: D102
        return self._firsts[start]

    def within(self, start: int) -> Table | None:  # noqa: D102
        cycle = self._order[start]
        rows = Columns((self.keys[0], cycle), self._cycles[cycle])
        return rows if rows.length > 1 else None


class Records(Table):
    """Records: `[{"voltage": 3.1, "cycle_index": 0}, ..]`."""

    def __init__(self, key: str, records: list[Json]) -> None:  # noqa: D107
        self.keys = (key,)
        self.length = len(records)
        self._records = records

    def take(self, start: int, stop: int) -> Json:  # noqa: D102
        return {self.keys[0]: self._records[start:stop]}


class IndexedColumns(Table):
    """Indexed columns: `{"voltage": {"0": 3.1, "1": 3.2}}`; `rows` are the keys of any column."""

    def __init__(self, key: str, columns: dict[str, Json], rows: Iterable[str]) -> None:  # noqa: D107
        self.keys = (key,)
        self._columns = columns
        self._rows = sorted(rows, key=lambda row: (int(row), row))
        self.length = len(self._rows)

    def take(self, start: int, stop: int) -> Json:  # noqa: D102
        rows = self._rows[start:stop]
        columns = {name: self._of_rows(column, rows) for name, column in self._columns.items()}
        return {self.keys[0]: columns}

    def _of_rows(self, column: Json, rows: list[str]) -> Json:
        if len(column) < self.length:
            return {row: column[row] for row in rows if row in column}
        return dict(zip(rows, map(column.__getitem__, rows), strict=True))  # much faster


def tables(document: Json) -> Iterator[Table]:
    """Give the tables of a document that have rows, in the order they stand in it."""
    flattened: dict[str, Json] = {}
    for key, value in document.items():
        section, dot, _ = key.partition(".")
        if dot:
            flattened.setdefault(section, {})[key] = value
    for key, value in document.items():
        section, dot, _ = key.partition(".")
        if not dot and key not in flattened:
            table = _table(key, value)
        # A section that stands under its own key, too, is left whole: which one is it?
        elif dot and document.get(section) is None and key == next(iter(flattened[section])):
            table = _flattened(flattened[section])
        else:
            table = None
        if table is not None and table.length > 0:
            yield table


def _table(key: str, value: object) -> Table | None:
    if isinstance(value, list):
        return Records(key, value) if all(isinstance(row, dict) for row in value) else None
    if not isinstance(value, dict):
        return None
    members = value.values()
    if any(isinstance(member, list) for member in members):
        return Columns((key,), value)
    if not all(isinstance(member, dict) for member in members):
        return None
    if all(_PLAIN_NUMBER.fullmatch(name) for name in value):
        return Cycles(key, value)
    rows: set[str] = set().union(*members)
    return IndexedColumns(key, value, rows) if all(map(_ROW_NUMBER.fullmatch, rows)) else None


def _flattened(columns: Json) -> Table | None:
    """Flattened: the top-level keys `X.voltage`, `X.cycle_index` of one section X."""
    some = any(isinstance(column, list) for column in columns.values())
    return Columns((), columns) if some else None


def _rows_of_cycle(cycle: Json) -> int:
    """Its longest array; a scalar counts as an array of one, an object does not count."""
    return max(
        (
            len(member) if isinstance(member, list) else 1
            for member in cycle.values()
            if not isinstance(member, dict)
        ),
        default=0,
    )
