"""The bytes of a file as a JSON object, or what is wrong with them."""

from __future__ import annotations

import re
from array import array
from decimal import InvalidOperation
from itertools import accumulate
from typing import Any

import orjson
import yyjson

from loader.files import Rejected

DEEPEST = 200
"""Levels of nesting. orjson writes 254; real files have 4."""

_ENDS_EARLY = "unexpected end of data"  # as yyjson says it
_UTF8_BOM = b"\xef\xbb\xbf"
_NOT_STRUCTURE = bytes(set(range(256)) - set(b'[]{}"\\'))
_TO_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
_NOT_NUMBERS = {str, list, dict}
_ESCAPE = re.compile(rb"\\.", re.DOTALL)
_UNICODE_ESCAPE = re.compile(rb"\\u[0-9A-Fa-f]{4}")
_ESCAPED_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


def parse(data: bytes) -> dict[str, Any]:
    """Make Python objects of a JSON object in UTF-8, NaN and the infinities allowed.

    Integers beyond 64 bits and numbers beyond a double come as exact `Decimal`; a number too small
    for a double is 0.0; of a key that occurs twice the last stands, as in PostgreSQL. A byte order
    mark is skipped. Raises `Rejected`: empty file; not UTF-8; not valid JSON; not a JSON object;
    too deeply nested; a NUL character, a number out of range (PostgreSQL holds neither).
    """
    if data.startswith(_UTF8_BOM):
        data = data[len(_UTF8_BOM) :]
    if not data or data.isspace():
        raise Rejected("empty file", "it holds no JSON: was it copied whole?")
    flags = yyjson.ReaderFlags.ALLOW_INF_AND_NAN | yyjson.ReaderFlags.BIGNUM_AS_RAW
    try:
        tree = yyjson.Document(data, flags=flags)
    except ValueError as error:
        raise _invalid(data, str(error)) from error
    _check_depth(data)
    escapes = _UNICODE_ESCAPE.search(data) is not None
    if escapes and (nul := _ESCAPED_NUL.search(data)):
        raise Rejected(
            "a NUL character",
            f"\\u0000 in a string at byte {nul.end() - 6:,}, which PostgreSQL cannot hold: "
            "take it out",
        )
    try:
        document = tree.as_obj
    except InvalidOperation as error:
        raise Rejected("a number out of range", "its exponent has too many digits") from error
    if escapes or not data.isascii():
        document = _with_sound_strings(document)
    if not isinstance(document, dict):
        kind = "an array" if isinstance(document, list) else "a single value"
        raise Rejected("not a JSON object", f"the document is {kind}; a file holds one object")
    return document


def _check_depth(data: bytes) -> None:
    """Of valid JSON only. yyjson reads any depth, but overruns the stack when it makes objects."""
    structure = data.translate(None, _NOT_STRUCTURE)
    if structure.count(b"[") + structure.count(b"{") <= DEEPEST:
        return
    if b'\\"' in structure:  # a quote may be within a string
        structure = _ESCAPE.sub(b"", data).translate(None, _NOT_STRUCTURE)
    # A pair of quotes side by side makes nothing inside or outside of a string.
    structure = structure.translate(None, b"\\").replace(b'""', b"")
    brackets = b"".join(structure.split(b'"')[::2])
    steps = array("b", brackets.translate(_TO_STEPS))
    deepest = max(accumulate(steps), default=0)
    if deepest > DEEPEST:
        raise Rejected("too deeply nested", f"{deepest:,} levels, at most {DEEPEST} are read")


def _with_sound_strings(value: object) -> object:
    """Make the strings anew that are not ASCII.

    yyjson 4.0.6 marks them as ASCII where the C compiler's `char` is signed: "é" reads "Ã©". Their
    bytes are right, and of a sound string this makes the same string.
    """
    if isinstance(value, str):
        return value.encode().decode()
    if isinstance(value, list) and not _NOT_NUMBERS.isdisjoint(map(type, value)):
        return [_with_sound_strings(item) for item in value]
    if isinstance(value, dict):
        return {key.encode().decode(): _with_sound_strings(item) for key, item in value.items()}
    return value


def _invalid(data: bytes, message: str) -> Rejected:
    """Say in which way and where this is no JSON."""
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
