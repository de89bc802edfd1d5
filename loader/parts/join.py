"""The parts of a landed document as one JSON text again, with one part in memory at a time.

A column runs through all parts of its table: its pieces wait in a temporary file for their turn.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any

from loader.parse import parse
from loader.parts.split import dump

_CHUNK = 2**20  # bytes read at once

Extent = tuple[int, int]
"""Where in the temporary file a piece begins and how long it is, in bytes."""


def whole(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Give a document as JSON text, piece by piece, from the JSON of its parts in order.

    Takes disk space of the size of the document, in the folder for temporary files. Raises
    `Rejected` for what `loader.documents.parse` cannot read.
    """
    with tempfile.TemporaryFile() as file:
        spool = _Spool(file)
        document = _Node(b"{}")
        for json in parts:
            spool.add(document, parse(json))
        yield from spool.text(document)
    yield b"\n"


@dataclass
class _Node:
    """An array or an object: what stands in it as pieces of JSON, and what goes on in each part."""

    brackets: bytes
    pieces: list[Extent] = field(default_factory=list)
    inner: dict[str, _Node] = field(default_factory=dict)


class _Spool:
    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def add(self, node: _Node, value: list[Any] | dict[str, Any]) -> None:
        """Add the elements of an array, or the members of an object, to those of earlier parts."""
        if isinstance(value, dict):
            nested = {key: item for key, item in value.items() if isinstance(item, list | dict)}
            for key, item in nested.items():
                brackets = b"[]" if isinstance(item, list) else b"{}"
                self.add(node.inner.setdefault(key, _Node(brackets)), item)
            value = {key: item for key, item in value.items() if key not in nested}
        if value:
            node.pieces.append(self._keep(dump(value)[1:-1]))

    def text(self, node: _Node) -> Iterator[bytes]:
        before = node.brackets[:1]
        for piece in node.pieces:
            yield before
            yield from self._read(piece)
            before = b","
        for key, inner in node.inner.items():
            yield before + dump(key) + b":"
            yield from self.text(inner)
            before = b","
        yield node.brackets[1:] if before == b"," else node.brackets

    def _keep(self, json: bytes) -> Extent:
        start = self._file.tell()
        self._file.write(json)
        return start, len(json)

    def _read(self, piece: Extent) -> Iterator[bytes]:
        start, length = piece
        self._file.seek(start)
        for done in range(0, length, _CHUNK):
            yield self._file.read(min(_CHUNK, length - done))
