"""What the arrays and objects of a part hold: pieces that follow on from part to part."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from loader.parts.text import Span, Text

Path = tuple[bytes, ...]
"""The keys, as JSON, that lead to an array or object of a document."""

_CUT = 2
"""Objects that may be cut are a section, and its columns or cycles."""


class Piece(NamedTuple):
    """Elements of the array, or members of the object, at `path`, with commas between.

    `brackets` are those of the array or object. Members that are pieces of their own are left out.
    """

    path: Path
    brackets: bytes
    inner: bytes


def pieces(part: bytes) -> Iterator[Piece]:
    """Give the pieces of a part, that of an object before those within it."""
    text = Text(part)
    yield from _of_object(text, (), text.root())


def _of_object(text: Text, path: Path, span: Span) -> Iterator[Piece]:
    whole = _inner(text, span)
    if b"[" not in whole and b"{" not in whole:  # not taken apart: it may be a million pairs
        yield Piece(path, b"{}", whole)
        return
    members = text.members(span)
    nested = {key: value for key, value in members.items() if _goes_on(text, path, value)}
    single = (
        key + b": " + text.bytes_of(value) for key, value in members.items() if key not in nested
    )
    yield Piece(path, b"{}", b", ".join(single))
    for key, value in nested.items():
        if text.opening(value) == b"[":
            yield Piece((*path, key), b"[]", _inner(text, value))
        else:
            yield from _of_object(text, (*path, key), value)


def _goes_on(text: Text, path: Path, value: Span) -> bool:
    opening = text.opening(value)
    return opening == b"[" or (opening == b"{" and len(path) < _CUT)


def _inner(text: Text, span: Span) -> bytes:
    return text.data[span.begin + 1 : span.end - 1].strip()
