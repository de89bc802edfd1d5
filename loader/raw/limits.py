"""What Spark's VARIANT cannot hold: of a document with such a thing in it, it makes NULL."""

from __future__ import annotations

import re

import numpy as np

from loader.files import Rejected

LONGEST_NUMBER = 1000
"""Characters: the limit of Jackson, the reader of JSON in Spark."""

DEEPEST = 1000
"""Levels: the same."""

_BLOCK = LONGEST_NUMBER // 2  # a longer number fills a block of this size
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_NUMBER = re.compile(rb"(?<=[\[,:\s])[-+.0-9eE]{%d,}(?=[\],}\s])" % (LONGEST_NUMBER + 1))
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')


def check(json: bytes) -> None:
    """Raise files.Rejected for a NUL, a number of too many digits, too many levels.

    The first as in PostgreSQL, so that both hold the same files.
    """
    if _NUL.search(json):
        raise Rejected("a NUL character", "\\u0000 in a string: take it out")
    array = np.frombuffer(json, np.uint8)
    if _may_hold_long_number(array) and _NUMBER.search(json):
        raise Rejected(
            "a number out of range", f"more than the {LONGEST_NUMBER:,} digits that Spark can read"
        )
    if _depth(array) > DEEPEST:
        outside = _STRING.sub(b"", json)
        if _depth(np.frombuffer(outside, np.uint8)) > DEEPEST:
            raise Rejected(
                "too deeply nested", f"more than {DEEPEST:,} levels; files of batteries have four"
            )


def _may_hold_long_number(array: np.ndarray) -> bool:
    blocks = array[: len(array) // _BLOCK * _BLOCK].reshape(-1, _BLOCK)
    plain = (blocks != ord(",")) & (blocks <= ord("e")) & (blocks > ord(" "))
    return bool(plain.all(axis=1).any())


def _depth(array: np.ndarray) -> int:
    """The most brackets open at once, those in strings counted, too."""
    folded = array | 0x20
    brackets = folded[(folded == ord("{")) | (folded == ord("}"))]
    steps = np.where(brackets == ord("{"), 1, -1)
    return int(np.cumsum(steps).max(initial=0))
