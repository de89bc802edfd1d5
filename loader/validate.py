"""The bytes of a file as sound JSON text, or what is wrong with them. No object is made of them."""

from __future__ import annotations

import io
import re
from typing import NamedTuple

import numpy as np
import orjson
import yyjson

from loader import formats
from loader.files import Rejected
from loader.parts.text import QUOTE, chunks, without_escapes

_ENDS_EARLY = "unexpected end of data"  # as yyjson says it
_UTF8_BOM = b"\xef\xbb\xbf"
_NON_FINITE = re.compile(rb"-?(?:nan|inf(?:inity)?)", re.IGNORECASE)


class Sound(NamedTuple):
    """A JSON object in UTF-8, and how many NaN and infinities in it were made null."""

    json: bytes
    non_finite: int


def validate(data: bytes) -> Sound:
    """Give a JSON object as it stands, but for NaN and the infinities, in any spelling, as null.

    A byte order mark is skipped. Raises `Rejected`: empty file; not UTF-8; not valid JSON; not a
    JSON object. PostgreSQL judges the rest: NUL characters, numbers out of range, nesting.
    """
    data = body(data)
    if not data or data.isspace():
        raise Rejected("empty file", "it holds no JSON: was it copied whole?")
    flags = yyjson.ReaderFlags.ALLOW_INF_AND_NAN | yyjson.ReaderFlags.BIGNUM_AS_RAW
    try:
        yyjson.Document(data, flags=flags)  # and freed at once
    except ValueError as error:
        raise _invalid(data, str(error)) from error
    first = data.lstrip()[:1] if data[:1].isspace() else data[:1]
    if first != b"{":
        kind = "an array" if first == b"[" else "a single value"
        raise Rejected("not a JSON object", f"the document is {kind}; a file holds one object")
    return finite(data)


def body(data: bytes) -> bytes:
    """What stands behind the byte order mark, where there is one."""
    return data.removeprefix(_UTF8_BOM)


def finite(data: bytes) -> Sound:
    """Write null for NaN and the infinities, outside of strings, in JSON valid but for them."""
    if not any(_suspects(chunk) for _, chunk in chunks(data)):
        return Sound(data, 0)
    written, count, quoted = io.BytesIO(), 0, 0
    for _, chunk in chunks(data):
        plain = without_escapes(chunk)
        quotes = plain.count(b'"')
        sound, nulls = _with_nulls(chunk, plain, quoted) if _suspects(chunk) else (chunk, 0)
        written.write(sound)
        count += nulls
        quoted = (quoted + quotes) % 2
    return Sound(written.getvalue(), count) if count else Sound(data, 0)


def _suspects(chunk: bytes) -> bool:
    """Whether there may be a NaN or an infinity, in a string or not: each has an n."""
    array = np.frombuffer(chunk, np.uint8) | 0x20
    found = np.flatnonzero(array[:-1] == ord("n"))
    following = array[found + 1]
    return bool(((following == ord("a")) | (following == ord("f"))).any())


def _with_nulls(chunk: bytes, plain: bytes, quoted: int) -> tuple[bytes, int]:
    """Write null for those outside of strings.

    `plain` is the chunk without escapes; it begins within a string where `quoted` is odd.
    """
    if not quoted and b'"' not in plain:
        count = 0
        if b"-NaN" not in chunk:  # as Python and BEEP write it: much faster than the expression
            count = chunk.count(b"NaN")
            chunk = chunk.replace(b"NaN", b"null")
        chunk, others = _NON_FINITE.subn(b"null", chunk) if _suspects(chunk) else (chunk, 0)
        return chunk, count + others
    quotes = np.flatnonzero(np.frombuffer(plain, np.uint8) == QUOTE)
    found = [match.span() for match in _NON_FINITE.finditer(plain)]
    before = np.searchsorted(quotes, [begin for begin, _ in found]) + quoted
    outside = [span for span, number in zip(found, before, strict=True) if number % 2 == 0]
    kept = [0, *(at for span in outside for at in span), len(chunk)]
    pieces = [chunk[begin:end] for begin, end in zip(kept[::2], kept[1::2], strict=True)]
    return b"null".join(pieces), len(outside)


def _invalid(data: bytes, message: str) -> Rejected:
    """Say in which way and where this is no JSON, or what else it is."""
    if other := formats.recognise(data):
        return Rejected(other.name, other.remedy)
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or data[:2] in (b"{\0", b"\0{"):
        return Rejected("not UTF-8", "it is UTF-16: save it as UTF-8")
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return Rejected(
            "not UTF-8",
            f"byte 0x{data[error.start]:02x} at byte {error.start:,}; "
            "if it is Latin-1 or Windows-1252, save it as UTF-8",
        )
    position = _position(data, message)
    where = "" if position is None else f" at byte {position:,}"
    return Rejected("not valid JSON", f"{message}{where}{_hint(data, message, position)}")


def _position(data: bytes, message: str) -> int | None:
    """Where the error is; yyjson does not say, orjson does but takes neither NaN nor infinity."""
    if message == _ENDS_EARLY:
        return len(data)
    plain = data.replace(b"NaN", b"111").replace(b"Infinity", b"11111111")
    ascii_only = plain.translate(bytes(range(128)) + b"x" * 128)  # it counts characters, not bytes
    try:
        orjson.loads(ascii_only)
    except orjson.JSONDecodeError as error:
        same = error.msg.partition(",")[0] == message.partition(",")[0]
        return error.pos if same else None
    return None


def _hint(data: bytes, message: str, position: int | None) -> str:
    if message == _ENDS_EARLY:
        return ": the file ends in the middle: was it copied whole?"
    if data.lstrip()[:1] == b"<":
        return ": it looks like a web page: was it downloaded whole, and from the right address?"
    if message == "unexpected content after document":
        more = position is not None and data[position : position + 1] in (b"{", b"[")
        return ": a file holds one document" + (", this one several: split it" if more else "")
    return ""
