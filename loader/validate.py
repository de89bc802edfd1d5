"""The bytes of a file as sound JSON text, or what is wrong with them. No object is made of them."""

from __future__ import annotations

import re
from typing import NamedTuple

import msgspec
import numpy as np
import orjson

from loader import formats
from loader.files import Rejected
from loader.parts.text import QUOTE, chunks, without_escapes

_IS_JSON = msgspec.json.Decoder(msgspec.Raw)  # looks at every byte and makes nothing of them
_ENDS_EARLY = "unexpected end of data"  # as orjson says it
_UTF8_BOM = b"\xef\xbb\xbf"
_NON_FINITE = re.compile(rb"-?(?:nan|inf(?:inity)?)", re.IGNORECASE)
_NOT_FOR_ORJSON = re.compile(
    rb"(?<!\\)" + _NON_FINITE.pattern + rb"|(?<=\d)e[+-]?(?=\d)", re.IGNORECASE
)


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
    sound = finite(data)
    try:
        _IS_JSON.decode(sound.json)
    except msgspec.DecodeError as error:
        raise _invalid(data, str(error)) from error
    except RecursionError as error:
        raise Rejected(
            "too deeply nested", "more levels than are read; files of batteries have four"
        ) from error
    _check_encoding(data)
    first = data.lstrip()[:1] if data[:1].isspace() else data[:1]
    if first != b"{":
        kind = "an array" if first == b"[" else "a single value"
        raise Rejected("not a JSON object", f"the document is {kind}; a file holds one object")
    return sound


def body(data: bytes) -> bytes:
    """What stands behind the byte order mark, where there is one."""
    return data.removeprefix(_UTF8_BOM)


def finite(data: bytes) -> Sound:
    """Write null for NaN and the infinities, outside of strings, in JSON valid but for them."""
    view = memoryview(data)
    pieces: list[bytes | memoryview] = []
    count = quoted = kept = 0
    for begin, chunk in chunks(data):
        plain = without_escapes(chunk)
        if _suspects(chunk):
            sound, nulls = _with_nulls(chunk, plain, quoted)
            pieces += [view[kept:begin], sound]
            count += nulls
            kept = begin + len(chunk)
        if b'"' in plain:  # to look for one is much faster than to count them
            quoted = (quoted + plain.count(b'"')) % 2
    return Sound(b"".join([*pieces, view[kept:]]), count) if count else Sound(data, 0)


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
    found = [match.span() for match in _NON_FINITE.finditer(plain)]
    before = np.searchsorted(quotes, [begin for begin, _ in found]) + quoted
    outside = [span for span, number in zip(found, before, strict=True) if number % 2 == 0]
    kept = [0, *(at for span in outside for at in span), len(chunk)]
    pieces = [chunk[begin:end] for begin, end in zip(kept[::2], kept[1::2], strict=True)]
    return b"null".join(pieces), len(outside)


def _check_encoding(data: bytes) -> None:
    for begin, chunk in chunks(data):
        if chunk.isascii():
            continue
        try:
            chunk.decode()
        except UnicodeDecodeError as error:
            at = begin + error.start
            raise Rejected(
                "not UTF-8",
                f"byte 0x{data[at]:02x} at byte {at:,}; "
                "if it is Latin-1 or Windows-1252, save it as UTF-8",
            ) from error


def _invalid(data: bytes, message: str) -> Rejected:
    """Say in which way and where this is no JSON, or what else it is."""
    if other := formats.recognise(data):
        return Rejected(other.name, other.remedy)
    if data[:4] in (b"\xff\xfe\0\0", b"\0\0\xfe\xff") or data[:4] in (b"{\0\0\0", b"\0\0\0{"):
        return Rejected("not UTF-8", "it is UTF-32: save it as UTF-8")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or data[:2] in (b"{\0", b"\0{"):
        return Rejected("not UTF-8", "it is UTF-16: save it as UTF-8")
    if formats.is_binary(data):
        return Rejected("binary data", "of a kind not known here: push the JSON made of it")
    _check_encoding(data)
    error = _first_error(data)
    if error is None:
        return Rejected("not valid JSON", message)
    return Rejected(
        "not valid JSON", f"{error.msg} at byte {error.pos:,}{_hint(data, error.msg, error.pos)}"
    )


def _first_error(data: bytes) -> orjson.JSONDecodeError | None:
    """What is wrong and where, as orjson says it best; `None` where it finds nothing wrong.

    It takes no NaN, no infinity and no number beyond a double, and counts characters: all these
    give way to as many digits or letters.
    """
    digits = _NOT_FOR_ORJSON.sub(lambda match: b"1" * len(match[0]), data)
    try:
        orjson.loads(digits.translate(bytes(range(128)) + b"x" * 128))
    except orjson.JSONDecodeError as error:
        return error
    return None


def _hint(data: bytes, what: str, position: int) -> str:
    if what == _ENDS_EARLY:
        return ": the file ends in the middle: was it copied whole?"
    if data.lstrip()[:1] == b"<":
        return ": it looks like a web page: was it downloaded whole, and from the right address?"
    if what == "unexpected content after document":
        several = data[position : position + 1] in (b"{", b"[")
        return ": a file holds one document" + (", this one several: split it" if several else "")
    return ""
