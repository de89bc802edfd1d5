"""A document in parts that PostgreSQL can hold."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import count

from loader.parts.part import Part
from loader.parts.tables import Members, Table, table
from loader.parts.text import Span, Text

_LARGEST_SLICE = 8 * 2**20
"""Bytes. Of a file in slices of 32 MiB a server takes a third longer to land, a fifth to build."""


def split(document: bytes, part_size: int) -> Iterator[Part]:
    """Give the parts of a JSON object in order, each made when asked for.

    `part_size` (bytes) is what a part should not exceed. A text up to that is one part, whole. Of a
    longer one part 0 holds everything but the large tables: those that must go for part 0 to fit,
    the largest first; the later parts hold slices of these, in document order, of 8 MiB at most.
    Longer than that or than `part_size` can be: a slice of a single row, and part 0 where what is
    no table is. Of a key twice, in the document, in a table or in a cycle, the last stands, as in
    PostgreSQL. The parts depend on nothing but the arguments.
    """
    if len(document) <= part_size:
        yield Part(0, 0, document)
        return
    text = Text(document)
    small, large = _divide(text, part_size)
    members = (key + b":" + text.bytes_of(span) for key, span in small.items())
    yield Part(0, 0, b"{" + b",".join(members) + b"}")
    numbers = count(1)
    for one in large:
        for first_point, json in _slices(one, min(part_size, _LARGEST_SLICE)):
            yield Part(next(numbers), first_point, json)


def _divide(text: Text, part_size: int) -> tuple[Members, list[Table]]:
    """What stays in part 0, and the tables that are cut, in document order."""
    members = text.members(text.root(), nested=True)
    small = dict(members)
    sections = _sections(text, members)
    sizes = [sum(span.size for span in section.values()) for section in sections]
    large: dict[int, Table] = {}
    for place in sorted(range(len(sections)), key=lambda place: sizes[place], reverse=True):
        if _size(small) <= part_size:
            break
        cut = table(text, sections[place])
        if cut is not None and cut.length > 0:
            large[place] = cut
            for key in sections[place]:
                del small[key]
    return small, [large[place] for place in sorted(large)]


def _sections(text: Text, members: Members) -> list[Members]:
    """What may be a table: a member alone, or the columns of a flattened section."""
    sections: dict[bytes, dict[bytes, Span]] = {}
    for key, span in members.items():
        section, dot, _ = key.partition(b".")
        sections.setdefault(section + b'"' if dot else key, {})[key] = span
    for name, columns in sections.items():
        if len(columns) > 1 and name in columns and text.bytes_of(columns[name]) == b"null":
            del columns[name]
    # A section that stands under its own key, too, is left whole: which one is it?
    return [one for name, one in sections.items() if len(one) == 1 or name not in one]


def _slices(table: Table, largest: int) -> Iterator[tuple[int, bytes]]:
    """Give first point and JSON of each slice: as many rows as fit, one at least."""
    start = 0
    while start < table.length:
        stop = _stop(table, start, largest)
        too_long = stop == start + 1 and table.size(start, stop) > largest
        cycle = table.cycle(start) if too_long else None
        if cycle is None:
            yield table.first_point(start), table.take(start, stop)
        else:
            for first_point, json in _slices(cycle, largest):
                yield table.first_point(start) + first_point, json
        start = stop


def _stop(table: Table, start: int, largest: int) -> int:
    counts = range(1, table.length - start + 1)
    fitting = bisect_right(counts, largest, key=lambda rows: table.size(start, start + rows))
    return start + max(1, fitting)


def _size(members: Members) -> int:
    """The length of the object, not made: braces, and of each member key, colon, comma."""
    return 1 + max(1, sum(len(key) + span.size + 2 for key, span in members.items()))
