"""The items of an array or object in a text, as many of them at once as are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Protocol

import numpy as np

from loader.parts.text import Span, Text


class Items(Protocol):
    """Elements of an array, or pairs of an object, in an order of their own."""

    def __len__(self) -> int:
        """How many there are."""

    def take(self, start: int, stop: int) -> bytes:
        """Those from `start` up to `stop`, as far as there are any, with commas between."""

    def size(self, start: int, stop: int) -> int:
        """How many bytes that is."""


class Run:
    """Items as they stand in the text."""

    def __init__(self, text: Text, span: Span) -> None:  # noqa: D107
        self._data = text.data
        self._starts = text.starts(span)

    def __len__(self) -> int:  # noqa: D105
        return len(self._starts) - 1

    def take(self, start: int, stop: int) -> bytes:  # noqa: D102
        begin, end = self._between(start, stop)
        return self._data[begin:end]

    def size(self, start: int, stop: int) -> int:  # noqa: D102
        begin, end = self._between(start, stop)
        return end - begin

    def openings(self) -> set[bytes]:
        """The first bytes of all items, blanks aside."""
        array = np.frombuffer(self._data, np.uint8)
        at = self._starts[:-1]
        while (blank := array[at] <= ord(" ")).any():
            at = at + blank
        return {bytes([first]) for first in np.unique(array[at])}

    def _between(self, start: int, stop: int) -> tuple[int, int]:
        start, stop = min(start, len(self)), min(stop, len(self))
        if start == stop:
            return 0, 0
        return int(self._starts[start]), int(self._starts[stop]) - 1


class Picked:
    """Pairs in another order than in the text, or with gaps: no pair has no span."""

    def __init__(self, text: Text, pairs: Sequence[tuple[bytes, Span | None]]) -> None:  # noqa: D107
        self._text = text
        self._pairs = pairs
        sizes = [len(key) + 1 + span.size + 1 if span else 0 for key, span in pairs]
        self._before = list(accumulate(sizes, initial=0))

    def __len__(self) -> int:  # noqa: D105
        return len(self._pairs)

    def take(self, start: int, stop: int) -> bytes:  # noqa: D102
        pairs = self._pairs[start:stop]
        return b",".join(key + b":" + self._text.bytes_of(span) for key, span in pairs if span)

    def size(self, start: int, stop: int) -> int:  # noqa: D102
        return max(0, self._before[stop] - self._before[start] - 1)
