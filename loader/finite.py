"""JSON text as Python writes it, made JSON: null for NaN and the infinities."""

from __future__ import annotations

import re

import numpy as np

from loader.parts.text import QUOTE, without_escapes

UTF8_BOM = b"\xef\xbb\xbf"
NON_FINITE = re.compile(rb"-?(?:nan|inf(?:inity)?)", re.IGNORECASE)


class Finite:
    """Takes a text block by block and gives it with null for NaN and the infinities.

    Those in strings stay, whatever their spelling the others go; `count` says how many did. A byte
    order mark is skipped.
    """

    def __init__(self) -> None:
        """Before the first block."""
        self.count = 0
        self._kept: list[bytes] = []
        self._has_begun = False
        self._quoted = 0  # odd within a string

    def take(self, block: bytes) -> bytes:
        """The text up to the last comma, which is never within an escape, a number or a word."""
        cut = block.rfind(b",") + 1
        if not cut:
            self._kept.append(block)
            return b""
        chunk = b"".join([*self._kept, block[:cut]])
        self._kept = [block[cut:]]
        return self._sound(chunk)

    def rest(self) -> bytes:
        """What stands behind the last comma, once there are no more blocks."""
        return self._sound(b"".join(self._kept))

    def _sound(self, chunk: bytes) -> bytes:
        if not self._has_begun:
            chunk = chunk.removeprefix(UTF8_BOM)
            self._has_begun = True
        plain = without_escapes(chunk)
        quoted = self._quoted
        if b'"' in plain:  # to look for one is much faster than to count them
            self._quoted = (quoted + plain.count(b'"')) % 2
        if not _suspects(chunk):
            return chunk
        sound, count = _with_nulls(chunk, plain, quoted)
        self.count += count
        return sound


def _suspects(chunk: bytes) -> bool:
    """Whether there may be a NaN or an infinity, in a string or not: each has an n."""
    if b"n" not in chunk and b"N" not in chunk:  # most chunks: digits alone
        return False
    array = np.frombuffer(chunk, np.uint8) | 0x20
    found = np.flatnonzero(array[:-1] == ord("n"))
    following = array[found + 1]
    return bool(((following == ord("a")) | (following == ord("f"))).any())


def _with_nulls(chunk: bytes, plain: bytes, quoted: int) -> tuple[bytes, int]:
    """Write null for those outside of strings.

    `plain` is the chunk without escapes; it begins within a string where `quoted` is odd.
    """
    if not quoted and b'"' not in plain and b"n" not in chunk and b"-NaN" not in chunk:
        replaced = chunk.replace(b"NaN", b"null")  # as Python and BEEP write it: much the fastest
        if b"N" not in replaced:
            return replaced, len(replaced) - len(chunk)
    quotes = np.flatnonzero(np.frombuffer(plain, np.uint8) == QUOTE)
    found = [match.span() for match in NON_FINITE.finditer(plain)]
    before = np.searchsorted(quotes, [begin for begin, _ in found]) + quoted
    outside = [span for span, number in zip(found, before, strict=True) if number % 2 == 0]
    kept = [0, *(at for span in outside for at in span), len(chunk)]
    pieces = [chunk[begin:end] for begin, end in zip(kept[::2], kept[1::2], strict=True)]
    return b"null".join(pieces), len(outside)
