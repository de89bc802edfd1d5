"""Is a text a JSON object, and if not, what is wrong with it? No object is made of it."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec
import orjson

from loader import formats
from loader.finite import NON_FINITE, UTF8_BOM
from loader.outcome import Rejected
from loader.parts.text import chunks

_IS_JSON = msgspec.json.Decoder(msgspec.Raw)  # looks at every byte and makes nothing of them
_ENDS_EARLY = "unexpected end of data"  # as orjson says it
_NOT_FOR_ORJSON = re.compile(
    rb"(?<!\\)" + NON_FINITE.pattern + rb"|(?<=\d)e[+-]?(?=\d)", re.IGNORECASE
)
_WIDE = {
    **dict.fromkeys((b"\xff\xfe\0\0", b"\0\0\xfe\xff", b"{\0\0\0", b"\0\0\0{"), "UTF-32"),
    **dict.fromkeys((b"\xff\xfe", b"\xfe\xff", b"{\0", b"\0{"), "UTF-16"),
}


def check(json: bytes, content: Callable[[], bytes]) -> None:
    """Raise `Rejected` unless a text, as `source.read` gives it, is a JSON object.

    The reasons: empty file; not UTF-8; not valid JSON, or what else it is; not a JSON object.
    PostgreSQL judges the rest: NUL characters, numbers out of range. `content` gives the file as it
    is, in which positions are counted.
    """
    if not json or json.isspace():
        raise Rejected("empty file", "it holds no JSON: was it copied whole?")
    try:
        _IS_JSON.decode(json)
    except msgspec.DecodeError as error:
        raise _invalid(content().removeprefix(UTF8_BOM), str(error)) from error
    except RecursionError as error:
        raise Rejected(
            "too deeply nested", "more levels than are read; files of batteries have four"
        ) from error
    if _wrong_byte(json) is not None:
        raise _not_utf8(content().removeprefix(UTF8_BOM))
    first = json.lstrip()[:1] if json[:1].isspace() else json[:1]
    if first != b"{":
        kind = "an array" if first == b"[" else "a single value"
        raise Rejected("not a JSON object", f"the document is {kind}; a file holds one object")


def _wrong_byte(data: bytes) -> int | None:
    """Where a text stops being UTF-8, if it does."""
    for begin, chunk in chunks(data):
        if chunk.isascii():
            continue
        try:
            chunk.decode()
        except UnicodeDecodeError as error:
            return begin + error.start
    return None


def _not_utf8(data: bytes) -> Rejected:
    at = _wrong_byte(data) or 0
    return Rejected(
        "not UTF-8",
        f"byte 0x{data[at]:02x} at byte {at:,}; if it is Latin-1 or Windows-1252, save it as UTF-8",
    )


def _invalid(data: bytes, message: str) -> Rejected:
    """Say in which way and where this is no JSON, or what else it is."""
    if other := formats.recognise(data):
        return Rejected(other.name, other.remedy)
    if wide := next((name for start, name in _WIDE.items() if data.startswith(start)), None):
        return Rejected("not UTF-8", f"it is {wide}: save it as UTF-8")
    if formats.is_binary(data):
        return Rejected("binary data", "of a kind not known here: push the JSON made of it")
    if _wrong_byte(data) is not None:
        return _not_utf8(data)
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
