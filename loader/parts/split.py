"""A document in parts that PostgreSQL can hold, and the parts together again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from typing import Any

import orjson

from loader.files import Rejected
from loader.parts.tables import Table, tables

Json = dict[str, Any]

_LARGEST_SLICE = 8 * 2**20
"""Bytes. Of a file in slices of 32 MiB a server takes a third longer to land, a fifth to build."""

_FILL = 0.9
"""The share of a slice to aim at: rows differ in length, and one too long is made again."""

_SAMPLES = 8
"""Places to look at to tell the length of a row; a thousandth of the rows at each."""

# https://www.postgresql.org/docs/current/datatype-numeric.html: up to 131072 digits before the
# decimal point, up to 16383 after it.
_HIGHEST_EXPONENT = 131_071
_LOWEST_EXPONENT = -16_383


@dataclass(frozen=True)
class Part:
    """One row of `raw.documents`.

    `number` counts from 0; `first_point` is the zero-based index, in its table, of the first row
    held (0 for part 0); `json` is the part as compact JSON; `nulls` counts the `null`s in it,
    leaving out those in keys that are repeated from slice to slice.
    """

    number: int
    first_point: int
    json: bytes
    nulls: int


def split(document: Json, size_bytes: int, part_size: int) -> Iterator[Part]:
    """Give the parts of a document in order, each made when asked for.

    `size_bytes` is the length of the decompressed text, `part_size` (bytes) what a part should not
    exceed. A text up to that is one part, whole. Of a longer one part 0 holds everything but the
    large tables: those that must go for part 0 to fit, the largest first; the later parts hold
    slices of these, in document order, of 8 MiB at most. Longer than that or than `part_size` can
    be: a slice of a single row, and part 0 where what is no table is. The parts depend on nothing
    but the arguments. Raises `Rejected` for a number PostgreSQL cannot hold.
    """
    if size_bytes <= part_size:
        yield _part(0, 0, dump(document), 0)
        return
    small, large = _divide(document, part_size)
    yield _part(0, 0, _object(small), 0)
    numbers = count(1)
    for table in large:
        for first_point, json, repeated in _slices(table, min(part_size, _LARGEST_SLICE)):
            yield _part(next(numbers), first_point, json, repeated)


def non_finite_count(data: bytes, nulls: int) -> int:
    """How many NaN and infinities the text had: the nulls of all its parts less its own.

    Too low, but never negative, where a text has a key twice or writes "null" with escapes.
    """
    return max(0, nulls - data.count(b"null"))


def join(parts: Iterable[Json]) -> Json:
    """Put the parsed parts of one document, in order, together again (the first is added to)."""
    document: Json = {}
    for part in parts:
        _merge(document, part)
    return document


def dump(value: object) -> bytes:
    """Write compact JSON: NaN and the infinities as null, a `Decimal` with its own digits.

    Raises `Rejected` for a number PostgreSQL cannot hold.
    """
    try:
        return orjson.dumps(value, default=_digits)
    except orjson.JSONEncodeError as error:
        if isinstance(error.__cause__, Rejected):
            raise error.__cause__ from None
        raise


def _digits(value: object) -> orjson.Fragment:
    if not isinstance(value, Decimal):
        raise TypeError
    exponent = value.as_tuple().exponent
    lowest = exponent if isinstance(exponent, int) else 0
    if value.adjusted() > _HIGHEST_EXPONENT or lowest < _LOWEST_EXPONENT:
        raise Rejected("a number out of range", f"{value:.3e}, which PostgreSQL cannot hold")
    return orjson.Fragment(str(value))


def _divide(document: Json, part_size: int) -> tuple[dict[str, bytes], list[Table]]:
    """What stays in part 0, as JSON by key, and the tables that are cut, in document order."""
    candidates = list(tables(document))
    # Twice the size: an estimate a little too high is not to make a table large.
    large = {t for t in candidates if t.length * _row_size(t) > 2 * part_size}
    gone = {key for table in large for key in table.keys}
    small = {key: dump(value) for key, value in document.items() if key not in gone}
    sizes = {t: sum(len(small[key]) for key in t.keys) for t in candidates if t not in large}
    for table in sorted(sizes, key=lambda table: sizes[table], reverse=True):
        if _size(small) <= part_size:
            break
        large.add(table)
        for key in table.keys:
            del small[key]
    return small, [table for table in candidates if table in large]


def _row_size(table: Table) -> float:
    """About how many bytes a row (a cycle) takes."""
    if table.length <= _SAMPLES:
        return len(dump(table.take(0, table.length))) / table.length
    # Not the first row: what is no column stands with it.
    width = max(1, table.length // (100 * _SAMPLES))
    last = table.length - width
    starts = [1 + (last - 1) * sample // (_SAMPLES - 1) for sample in range(_SAMPLES)]
    keys = len(dump(_keys(table)))
    sampled = sum(len(dump(table.take(start, start + width))) - keys for start in starts)
    return sampled / (width * _SAMPLES)


def _keys(table: Table) -> Json:
    """The keys that every slice of the table has: a slice of no row."""
    return table.take(table.length, table.length)


def _slices(table: Table, largest: int, repeated: int = 0) -> Iterator[tuple[int, bytes, int]]:
    """Give first point and JSON of each slice, and the nulls in keys that stood in one before."""
    keys = dump(_keys(table)).count(b"null")
    for start, json in _cut(table, largest):
        inner = table.within(start) if len(json) > largest else None
        if inner is None:
            yield table.first_point(start), json, repeated
        else:
            for first_point, piece, again in _slices(inner, largest, repeated):
                yield table.first_point(start) + first_point, piece, again
        repeated = keys


def _cut(table: Table, largest: int) -> Iterator[tuple[int, bytes]]:
    """Cut into slices of nearly `largest` bytes, and none above it that has two rows."""
    start = 0
    step = max(1, int(_FILL * largest / max(_row_size(table), 1)))
    while start < table.length:
        stop = min(start + step, table.length)
        json = dump(table.take(start, stop))
        taken = stop - start
        if len(json) > largest and taken > 1:
            step = taken // 2
            continue
        yield start, json
        start = stop
        step = max(1, min(4 * taken, int(_FILL * largest * taken / len(json))))


def _object(members: dict[str, bytes]) -> bytes:
    return b"{" + b",".join(dump(key) + b":" + json for key, json in members.items()) + b"}"


def _size(members: dict[str, bytes]) -> int:
    """The length of the object, not made: braces, and of each member key, colon, comma."""
    return 1 + max(1, sum(len(dump(key)) + len(json) + 2 for key, json in members.items()))


def _part(number: int, first_point: int, json: bytes, repeated: int) -> Part:
    return Part(number, first_point, json, json.count(b"null") - repeated)


def _merge(whole: Json, part: Json) -> None:
    for key, value in part.items():
        there = whole.get(key)
        if isinstance(there, list) and isinstance(value, list):
            there += value
        elif isinstance(there, dict) and isinstance(value, dict):
            _merge(there, value)
        else:
            whole[key] = value
