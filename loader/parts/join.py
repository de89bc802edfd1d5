"""The parts of a landed document as one JSON text again, with one part in memory at a time.

A column runs through all parts of its table: its pieces wait in a temporary file for their turn.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO

from loader.parts.pieces import pieces

_CHUNK = 2**20  # bytes read at once

Extent = tuple[int, int]
"""Where in the temporary file a piece begins and how long it is, in bytes."""


@dataclass
class _Node:
    """An array or an object: its pieces, and the arrays and objects that go on within it."""

    brackets: bytes = b"{}"
    extents: list[Extent] = field(default_factory=list)
    inner: dict[bytes, _Node] = field(default_factory=dict)


def whole(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Give a document as JSON text, bit by bit, from the JSON of its parts in order.

    Takes disk space of the size of the document, in the folder for temporary files.
    """
    document = _Node()
    with tempfile.TemporaryFile() as file:
        for part in parts:
            for path, brackets, inner in pieces(part):
                node = document
                for key in path:
                    node = node.inner.setdefault(key, _Node())
                node.brackets = brackets
                if inner:
                    node.extents.append((file.tell(), len(inner)))
                    file.write(inner)
        yield from _text(file, document)
    yield b"\n"


def _text(file: IO[bytes], node: _Node) -> Iterator[bytes]:
    before = node.brackets[:1]
    for extent in node.extents:
        yield before
        yield from _read(file, extent)
        before = b", "
    for key, inner in node.inner.items():
        yield before + key + b": "
        yield from _text(file, inner)
        before = b", "
    yield node.brackets[1:] if before == b", " else node.brackets


def _read(file: IO[bytes], extent: Extent) -> Iterator[bytes]:
    start, length = extent
    file.seek(start)
    for done in range(0, length, _CHUNK):
        yield file.read(min(_CHUNK, length - done))
