"""What Spark's VARIANT cannot hold: of a document with such a thing in it, it makes NULL."""

from __future__ import annotations

import re

import numpy as np
import orjson

from loader.outcome import Rejected

LONGEST_NUMBER = 1000
"""Characters: the limit of Jackson, the reader of JSON in Spark."""

DEEPEST = 1000
"""Levels: the same."""

LONGEST_KEY, LONGEST_TEXT = 50_000, 20_000_000
"""Characters as UTF-16 counts them: the same."""

_BLOCK = LONGEST_NUMBER // 2  # a longer number fills a block of this size
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_NUMBER = re.compile(rb"(?<=[\[,:\s])[-+.0-9eE]{%d,}(?=[\],}\s])" % (LONGEST_NUMBER + 1))
_COLON = re.compile(rb"\s*:")
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')


def check(json: bytes) -> None:
    """Raise `Rejected` for a NUL, too long a number, key or text, too many levels.

    The first as in PostgreSQL, so that both hold the same files.
    """
    if _NUL.search(json):
        raise Rejected("a NUL character", "\\u0000 in a string: take it out")
    array = np.frombuffer(json, np.uint8)
    if _may_hold_long_number(array) and _NUMBER.search(json):
        raise Rejected(
            "a number out of range", f"more than the {LONGEST_NUMBER:,} digits that Spark can read"
        )
    _check_texts(json, array)
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


def _check_texts(json: bytes, array: np.ndarray) -> None:
    quotes = np.flatnonzero(array == ord('"'))
    quotes = quotes[~_is_escaped(array, quotes)]
    first, last = quotes[0::2], quotes[1::2] + 1
    for number in np.flatnonzero(last - first - 2 > LONGEST_KEY):
        text = json[first[number] : last[number]]
        is_key = _COLON.match(json, last[number])
        what, longest = ("key", LONGEST_KEY) if is_key else ("text", LONGEST_TEXT)
        if len(text) - 2 > longest and len(orjson.loads(text).encode("utf-16-le")) > 2 * longest:
            raise Rejected(
                f"too long a {what}", f"more than the {longest:,} characters that Spark can read"
            )


def _is_escaped(array: np.ndarray, quotes: np.ndarray) -> np.ndarray:
    """Whether an odd number of backslashes stands before a quote."""
    escaped = np.zeros(len(quotes), bool)
    before = quotes - 1
    after_one = np.flatnonzero(array[before] == ord("\\"))
    while len(after_one):
        escaped[after_one] ^= True
        before[after_one] -= 1
        after_one = after_one[array[before[after_one]] == ord("\\")]
    return escaped


def _depth(array: np.ndarray) -> int:
    """The most brackets open at once, those in strings counted, too."""
    folded = array | 0x20
    brackets = folded[(folded == ord("{")) | (folded == ord("}"))]
    steps = np.where(brackets == ord("{"), 1, -1)
    return int(np.cumsum(steps).max(initial=0))
