"""The tables of a document, each in one of the five shapes of a section, and slices of them.

A slice has the shape of its table, so that whoever reads one part on its own finds the same rows.
An object in which two shapes are mixed is no table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate
from operator import lt

from loader.parts.items import Items, Picked, Run
from loader.parts.text import Span, Text

Members = Mapping[bytes, Span]

_PLAIN_NUMBER = re.compile(rb'"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,5})?"')
_ROW_NUMBER = re.compile(rb'"[0-9]{1,18}"')
_ROW_NUMBERS = re.compile(rb'(?:"[0-9]{1,18})*+')


@dataclass(frozen=True)
class Track:
    """What runs along a table: a column, or the records or cycles themselves."""

    before: bytes
    items: Items
    after: bytes


@dataclass(frozen=True)
class Table:
    """Something that can be cut: `length` is the number of its rows, or of its cycles.

    `aside` are members that are no columns: they go with the first rows. `firsts` are the
    zero-based indexes of the first rows of cycles, `cycle` gives one as a table to be cut further.
    """

    before: bytes
    tracks: Sequence[Track]
    after: bytes
    aside: Sequence[bytes] = ()
    firsts: Sequence[int] | None = None
    cycle: Callable[[int], Table | None] = lambda number: None

    @property
    def length(self) -> int:
        """Rows, or cycles."""
        return max((len(track.items) for track in self.tracks), default=0)

    def take(self, start: int, stop: int) -> bytes:
        """Rows (cycles) `start` up to `stop` as JSON, under all keys of the table."""
        aside = self.aside if start == 0 else ()
        taken = (t.before + t.items.take(start, stop) + t.after for t in self.tracks)
        return self.before + b",".join([*aside, *taken]) + self.after

    def size(self, start: int, stop: int) -> int:
        """How many bytes that is."""
        aside = sum(len(member) + 1 for member in self.aside) if start == 0 else 0
        taken = sum(
            len(t.before) + t.items.size(start, stop) + len(t.after) + 1 for t in self.tracks
        )
        return len(self.before) + aside + taken - 1 + len(self.after)

    def first_point(self, start: int) -> int:
        """The zero-based index of the first row of a slice from `start` on."""
        return start if self.firsts is None else self.firsts[start]


def table(text: Text, members: Members) -> Table | None:
    """The table that one section of the document makes; `None` where it makes none.

    `members` are its top-level members: the section, or the columns of a flattened one.
    """
    (key, span), *others = members.items()
    if others or b"." in key:
        return _columns(text, b"{", members, b"}")
    before = b"{" + key + b":"
    opening = text.opening(span)
    if opening == b"{":
        return _of_object(text, before + b"{", text.members(span))
    return _records(text, before, span) if opening == b"[" else None


def _of_object(text: Text, before: bytes, inner: Members) -> Table | None:
    kinds = {text.opening(value) for value in inner.values()}
    if b"[" in kinds:
        return _columns(text, before, inner, b"}}")
    if kinds != {b"{"}:
        return None
    if all(map(_PLAIN_NUMBER.fullmatch, inner)):
        return _cycles(text, before, inner)
    return _indexed_columns(text, before, inner)


def _columns(text: Text, before: bytes, members: Members, after: bytes) -> Table | None:
    """Columnar: `{"voltage": [..], "cycle_index": [..]}`."""
    tracks, aside = [], []
    for key, span in members.items():
        if text.opening(span) == b"[":
            tracks.append(Track(key + b":[", Run(text, span), b"]"))
        else:
            aside.append(key + b":" + text.bytes_of(span))
    return Table(before, tracks, after, aside) if tracks else None


def _records(text: Text, before: bytes, span: Span) -> Table | None:
    """Records: `[{"voltage": 3.1, "cycle_index": 0}, ..]`."""
    records = Run(text, span)
    if records.openings() != {b"{"}:
        return None
    return Table(before + b"[", [Track(b"", records, b"")], b"]}")


def _cycles(text: Text, before: bytes, cycles: Members) -> Table:
    """By cycle: `{"0": {"voltage": [..]}, "1": {..}}`, cut between cycles, in numeric order."""
    # Two spellings of a number ("1", "1.0") stand in the order of their bytes.
    order = sorted(cycles, key=lambda key: (Decimal(key[1:-1].decode()), key))
    firsts = list(accumulate((_rows_of_cycle(text, cycles[key]) for key in order), initial=0))

    def cycle(number: int) -> Table | None:
        key = order[number]
        rows = _columns(text, before + key + b":{", text.members(cycles[key]), b"}}}")
        return rows if rows and rows.length > 1 else None

    items = Picked(text, [(key, cycles[key]) for key in order])
    return Table(before, [Track(b"", items, b"")], b"}}", firsts=firsts, cycle=cycle)


def _rows_of_cycle(text: Text, span: Span) -> int:
    """Its longest array; a scalar counts as an array of one, an object does not count."""
    members = text.members(span).values()
    rows = (
        text.count(s) if text.opening(s) == b"[" else 1 for s in members if text.opening(s) != b"{"
    )
    return max(rows, default=0)


def _indexed_columns(text: Text, before: bytes, columns: Members) -> Table | None:
    """Indexed columns: `{"voltage": {"0": 3.1, "1": 3.2}}`, a row for each key of any column."""
    items: Sequence[Items] | None = _same_rows(text, columns) or _any_rows(text, columns)
    if items is None:
        return None
    tracks = [Track(key + b":{", column, b"}") for key, column in zip(columns, items, strict=True)]
    return Table(before, tracks, b"}}")


def _same_rows(text: Text, columns: Members) -> list[Run] | None:
    """Where all columns have the same row numbers, ascending, and no value is a string."""
    strings = {text.strings(span) for span in columns.values()}
    if len(strings) > 1:
        return None
    keys = strings.pop()
    numbers = [int(key) for key in keys.split(b'"')[1:]] if _ROW_NUMBERS.fullmatch(keys) else []
    runs = [Run(text, span) for span in columns.values()]
    same = all(len(run) == len(numbers) for run in runs)
    return runs if same and all(map(lt, numbers, numbers[1:])) else None


def _any_rows(text: Text, columns: Members) -> list[Picked] | None:
    pairs = [text.members(span) for span in columns.values()]
    rows = set[bytes]().union(*pairs)
    if not all(map(_ROW_NUMBER.fullmatch, rows)):
        return None
    order = sorted(rows, key=lambda row: (int(row[1:-1]), row))
    return [Picked(text, [(row, column.get(row)) for row in order]) for column in pairs]
