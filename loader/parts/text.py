"""Where things stand in a JSON text: spans of members and of items. No object is made of a value.

The text is known to be valid; so a comma never is the second byte of an escape, and a text may be
looked through in chunks that end behind a comma.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import orjson

Positions = npt.NDArray[np.integer]

CHUNK = 2**18
"""Bytes looked at in one go: what is made of them stays in the processor's cache."""

QUOTE, COMMA = 0x22, 0x2C
_BIT = 0x20  # [ and ] with this bit are { and }
_OPENING, _CLOSING = 0x7B, 0x7D

_ESCAPE = re.compile(rb"\\.", re.DOTALL)
_BLANKS = re.compile(rb"[ \t\r\n]*")
_SCALAR = re.compile(rb'"(?:[^"\\]|\\.)*+"|[^,\]}\s]+', re.DOTALL)
_KEY = re.compile(rb'[ \t\r\n]*("(?:[^"\\]|\\.)*+")[ \t\r\n]*:[ \t\r\n]*', re.DOTALL)
_NEXT = re.compile(rb"[ \t\r\n]*([,}])")


class Span(NamedTuple):
    """A value stands from byte `begin` up to, not with, byte `end`."""

    begin: int
    end: int

    @property
    def size(self) -> int:
        """Bytes."""
        return self.end - self.begin


def chunks(data: bytes, begin: int = 0, end: int | None = None) -> Iterator[tuple[int, bytes]]:
    """Give a text, or a part of it, in pieces that end behind a comma, and where each begins."""
    end = len(data) if end is None else end
    while begin < end:
        stop = data.find(b",", begin + CHUNK, end) + 1 or end
        yield begin, data[begin:stop]
        begin = stop


def without_escapes(chunk: bytes) -> bytes:
    """As long as it was, every escape two blanks: each quote left opens or closes a string."""
    return _ESCAPE.sub(b"  ", chunk) if b"\\" in chunk else chunk


class Text:
    """A JSON text."""

    def __init__(self, data: bytes) -> None:
        """Nothing is looked at yet."""
        self.data = data
        self._walked: dict[int, tuple[dict[bytes, Span], int]] = {}

    def root(self) -> Span:
        """Where the document stands."""
        return Span(_end(_BLANKS, self.data, 0), len(self.data.rstrip()))

    def members(self, span: Span, *, nested: bool = False) -> dict[bytes, Span]:
        """The members of an object by key, in order; of a key twice the last stands, at its place.

        Keys are JSON, each spelled in one way. With `nested` the values are objects of members that
        will be asked for, too.
        """
        return self._walk(span.begin, nested=nested)[0]

    def opening(self, span: Span) -> bytes:
        """The first byte of a value, which says of which kind it is."""
        return self.data[span.begin : span.begin + 1]

    def count(self, span: Span) -> int:
        """How many items an array or object has."""
        if self._is_plain(span):
            blank = _end(_BLANKS, self.data, span.begin + 1) == span.end - 1
            return 0 if blank else self.data.count(b",", *span) + 1
        return len(self.starts(span)) - 1

    def bytes_of(self, span: Span) -> bytes:
        """The value as it stands."""
        return self.data[span.begin : span.end]

    def starts(self, span: Span) -> Positions:
        """Where the items of an array or object begin, blanks before them included.

        One more at the end: item i goes up to one byte before start i + 1.
        """
        first = span.begin + 1
        if _end(_BLANKS, self.data, first) == span.end - 1:
            return np.array([span.end])
        found = self._plain_commas(span) if self._is_plain(span) else self._commas(span)
        kind = np.uint32 if len(self.data) < 2**32 else np.int64  # half the memory
        starts = ((commas + 1).astype(kind) for commas in found)
        return np.concatenate([np.array([first], kind), *starts, np.array([span.end], kind)])

    def strings(self, span: Span) -> bytes:
        """What stands in strings, each with its opening quote; `without_escapes`."""
        found, quoted = [], False
        for _, chunk in chunks(self.data, *span):
            array = np.frombuffer(without_escapes(chunk), np.uint8)
            inside = np.bitwise_xor.accumulate(array == QUOTE) ^ quoted
            quoted = bool(inside[-1])
            found.append(array[inside].tobytes())
        return b"".join(found)

    def _walk(self, begin: int, *, nested: bool) -> tuple[dict[bytes, Span], int]:
        if begin not in self._walked:
            self._walked[begin] = self._members(begin, nested=nested)
        return self._walked[begin]

    def _members(self, begin: int, *, nested: bool) -> tuple[dict[bytes, Span], int]:
        spans: dict[bytes, Span] = {}
        at = begin + 1
        while key := _KEY.match(self.data, at):
            end = self._end(key.end(), nested=nested)
            name = _plain(key[1])
            spans.pop(name, None)
            spans[name] = Span(key.end(), end)
            at = _end(_NEXT, self.data, end)
            if self.data[at - 1] == _CLOSING:
                return spans, at
        return spans, _end(_NEXT, self.data, at)

    def _end(self, begin: int, *, nested: bool) -> int:
        first = self.data[begin]
        if first | _BIT != _OPENING:
            return _end(_SCALAR, self.data, begin)
        if first == _OPENING and nested:
            return self._walk(begin, nested=False)[1]
        if first != _OPENING:  # most often numbers, or strings without escapes, up to the next ]
            end = self.data.find(b"]", begin) + 1
            if self._is_flat(Span(begin, end)):
                return end
        for positions, _, levels in self._marks(begin, len(self.data)):
            closed = np.flatnonzero(levels == 0)
            if len(closed):
                return int(positions[closed[0]]) + 1
        raise AssertionError("not JSON")

    def _is_flat(self, span: Span) -> bool:
        """Whether what opens at the start of the span closes at its end, nothing else in it."""
        begin, end = span
        return (
            self.data.find(b"[", begin + 1, end) < 0
            and self.data.find(b"{", begin + 1, end) < 0
            and self.data.find(b"\\", begin, end) < 0
            and (self.data.find(b'"', begin, end) < 0 or self.data.count(b'"', begin, end) % 2 == 0)
        )

    def _is_plain(self, span: Span) -> bool:
        begin, end = span
        return all(self.data.find(mark, begin + 1, end) < 0 for mark in (b'"', b"[", b"{"))

    def _plain_commas(self, span: Span) -> Iterator[Positions]:
        for begin in range(*span, CHUNK):
            array = np.frombuffer(self.data, np.uint8, min(CHUNK, span.end - begin), begin)
            yield np.flatnonzero(array == COMMA) + begin

    def _commas(self, span: Span) -> Iterator[Positions]:
        for positions, codes, levels in self._marks(*span):
            yield positions[(codes == COMMA) & (levels == 1)]

    def _marks(self, begin: int, end: int) -> Iterator[tuple[Positions, Positions, Positions]]:
        """Commas and brackets outside of strings: where, which, and how deep it is behind them."""
        level = quoted = 0
        for at, chunk in chunks(self.data, begin, end):
            array = np.frombuffer(without_escapes(chunk), np.uint8)
            folded = array | _BIT
            bracket = (folded == _OPENING) | (folded == _CLOSING)
            positions = np.flatnonzero(bracket | (array == COMMA) | (array == QUOTE))
            codes = array[positions]
            quotes = codes == QUOTE
            strings = quoted + np.cumsum(quotes)
            quoted = int(strings[-1]) % 2 if len(strings) else quoted
            outside = (strings % 2 == 0) & ~quotes
            positions, codes = positions[outside], codes[outside]
            folded = codes | _BIT
            steps = (folded == _OPENING).astype(np.int64) - (folded == _CLOSING)
            levels = level + np.cumsum(steps)
            level = int(levels[-1]) if len(levels) else level
            yield positions + at, codes, levels


def _end(expression: re.Pattern[bytes], data: bytes, begin: int) -> int:
    match = expression.match(data, begin)
    assert match is not None, "not JSON"
    return match.end()


def _plain(key: bytes) -> bytes:
    """One spelling for each key: only what must be escaped is."""
    return orjson.dumps(orjson.loads(key)) if b"\\" in key else key
