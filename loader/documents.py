"""From a path to a JSON object: find the files, read one, parse it. No database here.

`find` → `read` → `parse`; then `loader.parts` splits the document. What is wrong with one file is a
`Rejected` with a reason, never anything else.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import re
import stat
import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import InvalidOperation
from itertools import accumulate
from pathlib import Path
from typing import Any

import orjson
import yyjson

LARGEST = 4 * 2**30
"""Bytes a file may have when decompressed, unless told otherwise."""

DEEPEST = 200
"""Levels of nesting. orjson writes 254; real files have 4."""

_CHUNK = 2**20
_ENDS_EARLY = "unexpected end of data"  # as yyjson says it
_GZIP_MAGIC = b"\x1f\x8b"
_UTF8_BOM = b"\xef\xbb\xbf"
_NOT_STRUCTURE = bytes(set(range(256)) - set(b'[]{}"\\'))
_TO_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
_NOT_NUMBERS = {str, list, dict}
_ESCAPE = re.compile(rb"\\.", re.DOTALL)
_UNICODE_ESCAPE = re.compile(rb"\\u[0-9A-Fa-f]{4}")
_ESCAPED_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


class Rejected(Exception):
    """This file cannot be landed; the others can.

    `reason` is one of a few fixed sentences ("not valid JSON"), `detail` says where, and what to
    do. Neither names the file.
    """

    def __init__(self, reason: str, detail: str) -> None:
        """Both as positional arguments, so that it can be pickled."""
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        """As a person reads it."""
        return f"{self.reason}: {self.detail}" if self.detail else self.reason


@dataclass(frozen=True)
class Source:
    """The decompressed bytes of a file, as they are, and their sha256 (32 bytes)."""

    data: bytes
    sha256: bytes


# ------------------------------------------------------------------------------------- find


def find(
    paths: Iterable[Path],
    *,
    follow_symlinks: bool = False,
    leave: Callable[[Path], None] = lambda link: None,
) -> Iterator[Path]:
    """Give the files to read: absolute paths, sorted as text, each once.

    A folder stands for the `*.json` and `*.json.gz` below it; a file named directly is taken
    whatever its ending. Symbolic links in a folder are followed where `follow_symlinks` (a folder
    is walked once, however many links lead to it); else `leave` is told of those that have such an
    ending or lead to a folder. A folder that cannot be listed is given as if it were a file, so
    that `read` says so. Raises `FileNotFoundError`, before anything is given, for a path named
    directly that is not there.
    """
    found: set[str] = set()
    for path in paths:
        name = os.path.abspath(path)  # noqa: PTH100  pathlib has no lexical twin
        if os.path.isdir(name):  # noqa: PTH112  text all along: a large folder is walked fast
            below = _followed(name) if follow_symlinks else _below(name, leave)
            found.update(below)
        elif os.path.exists(name):  # noqa: PTH110
            found.add(name)
        else:
            raise FileNotFoundError(f"{path}: no such file or folder")
    return map(Path, sorted(found))


def _below(folder: str, leave: Callable[[Path], None]) -> Iterator[str]:
    unlisted: list[OSError] = []
    for parent, folders, names in os.walk(folder, onerror=unlisted.append):
        files = [name for name in names if _is_json(name)]
        links = set(_links(parent, folders + files))
        for link in links:
            leave(Path(link))
        for name in files:
            path = os.path.join(parent, name)  # noqa: PTH118
            if path not in links:
                yield path
    yield from (str(error.filename) for error in unlisted)


def _links(parent: str, names: Iterable[str]) -> Iterator[str]:
    paths = (os.path.join(parent, name) for name in names)  # noqa: PTH118
    return (path for path in paths if os.path.islink(path))  # noqa: PTH114


def _followed(folder: str) -> Iterator[str]:
    unlisted: list[OSError] = []
    seen: set[tuple[int, int]] = set()
    for parent, folders, names in os.walk(folder, onerror=unlisted.append, followlinks=True):
        status = os.stat(parent)  # noqa: PTH116
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()  # a link led here again
            continue
        seen.add((status.st_dev, status.st_ino))
        yield from (os.path.join(parent, name) for name in names if _is_json(name))  # noqa: PTH118
    yield from (str(error.filename) for error in unlisted)


def _is_json(name: str) -> bool:
    return name.lower().endswith((".json", ".json.gz"))


# ------------------------------------------------------------------------------------- read


def read(path: Path, *, largest: int = LARGEST) -> Source:
    """Read a file, decompressed where its first bytes say gzip.

    `largest` is in bytes, decompressed: more is refused before it fills the memory. Raises
    `Rejected`: cannot be read; a folder, not a file; not a regular file; changed while it was read;
    broken gzip; too large.
    """
    try:
        _check_kind(path)
        with path.open("rb", buffering=0) as file:  # so that the content is in memory once
            before = os.fstat(file.fileno())
            data = _content(file, before.st_size, largest)
            after = os.fstat(file.fileno())
    except OSError as error:
        raise Rejected("cannot be read", error.strerror or str(error)) from error
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise Rejected(
            "changed while it was read", "push again when whatever writes it has finished"
        )
    return Source(data, hashlib.sha256(data).digest())


def _check_kind(path: Path) -> None:
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        os.scandir(path).close()  # one that may not be listed is the more telling reason
        raise Rejected("a folder, not a file", "push the folder to land the files in it")
    if not stat.S_ISREG(mode):
        raise Rejected("not a regular file", "a pipe, socket or device: save its content to a file")


def _content(file: io.FileIO, size: int, largest: int) -> bytes:
    packed = file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
    file.seek(0)
    if packed:
        return _decompressed(file, largest)
    if size > largest:
        raise _too_large(largest)
    return file.read()


def _decompressed(file: io.FileIO, largest: int) -> bytes:
    """Take any number of gzip members and zeros after them, as gzip(1) does; no other trailer."""
    content = io.BytesIO()
    try:
        with gzip.GzipFile(fileobj=file) as unpacked:
            while chunk := unpacked.read(_CHUNK):
                content.write(chunk)
                if content.tell() > largest:
                    raise _too_large(largest)
    except EOFError as error:
        raise Rejected(
            "broken gzip",
            f"it ends in the middle, after {content.tell():,} bytes of content: "
            "was it copied whole?",
        ) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise Rejected(
            "broken gzip", f"after {content.tell():,} bytes of content: {error}"
        ) from error
    return content.getvalue()


def _too_large(largest: int) -> Rejected:
    return Rejected("too large", f"more than {largest:,} bytes when decompressed")


# ------------------------------------------------------------------------------------- parse


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


# ----------------------------------------------------------------------------- what is wrong


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
