"""Files on disk: find them, read one. What is wrong with one is a `Rejected`, nothing else."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import re
import stat
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from loader import formats
from loader.finite import Finite

LARGEST = 4 * 2**30
"""Bytes a file may have when decompressed, unless told otherwise."""

LINK = "a symbolic link, not followed without --follow-symlinks"
SIDE_FILE = "a side file of macOS"
THROWN_AWAY = "in a folder of deleted or earlier files"
"""Why files in a folder are left aside."""

_THROWN_AWAY = re.compile(r"\.Trash(es|-\d+)?|\$RECYCLE\.BIN|\.ipynb_checkpoints", re.IGNORECASE)

_BLOCK = 2**18  # bytes read at once: what is made of them stays in the processor's cache
_GZIP_MAGIC = b"\x1f\x8b"


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


class Source(NamedTuple):
    """What a file holds: JSON, if it is one, and the sha256 (32 bytes) of its bytes, decompressed.

    `non_finite` NaN and infinities are null in `json`.
    """

    json: bytes
    sha256: bytes
    non_finite: int


def find(
    paths: Iterable[Path],
    *,
    follow_symlinks: bool = False,
    leave: Callable[[Path, str], None] = lambda path, reason: None,
) -> Iterator[Path]:
    """Give the files to read: absolute paths, sorted as text, each once.

    A folder stands for the `*.json` and `*.json.gz` below it; a file named directly is taken
    whatever its ending. Symbolic links in a folder are followed where `follow_symlinks` (a folder
    is walked once, however many links lead to it). What is left aside in a folder, `leave` is told
    with the reason: else the links that have such an ending or lead to a folder, side files of
    macOS, and folders of deleted files. A folder that cannot be listed is given as if it were a
    file, so that `read` says so. Raises `FileNotFoundError`, before anything is given, for a path
    named directly that is not there.
    """
    paths = list(paths)
    check(paths)
    found: set[str] = set()
    for path in paths:
        name = os.path.abspath(path)  # noqa: PTH100  pathlib has no lexical twin
        if os.path.isdir(name):  # noqa: PTH112  text all along: a large folder is walked fast
            found.update(_below(name, follow_symlinks, leave))
        else:
            found.add(name)
    return map(Path, sorted(found))


def check(paths: Iterable[Path]) -> None:
    """Raise `FileNotFoundError` for a path that is not there."""
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"{path}: no such file or folder")


def _below(folder: str, follow: bool, leave: Callable[[Path, str], None]) -> Iterator[str]:
    unlisted: list[OSError] = []
    seen: set[tuple[int, int]] = set()
    for parent, folders, names in os.walk(folder, onerror=unlisted.append, followlinks=follow):
        status = os.stat(parent)  # noqa: PTH116
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()  # a link led here again
            continue
        seen.add((status.st_dev, status.st_ino))
        for name in filter(_THROWN_AWAY.fullmatch, list(folders)):
            folders.remove(name)
            leave(Path(parent, name), THROWN_AWAY)
        files = [os.path.join(parent, name) for name in names if _is_json(name)]  # noqa: PTH118
        inner = [os.path.join(parent, name) for name in folders]  # noqa: PTH118
        links = set() if follow else set(filter(os.path.islink, files + inner))
        for path in links:
            leave(Path(path), LINK)
        for path in files:
            if path not in links and _is_side_file(path):
                leave(Path(path), SIDE_FILE)
            elif path not in links:
                yield path
    yield from (str(error.filename) for error in unlisted)


def _is_side_file(path: str) -> bool:
    """Whether macOS put it beside a file that it could not write all it knows to."""
    named = os.path.basename(path).startswith("._")  # noqa: PTH119
    if not named or not os.path.isfile(path):  # noqa: PTH113
        return False
    try:
        with Path(path).open("rb") as file:
            return file.read(len(formats.APPLE_DOUBLE)) == formats.APPLE_DOUBLE
    except OSError:
        return False  # `read` says why


def _is_json(name: str) -> bool:
    return name.lower().endswith((".json", ".json.gz"))


def read(path: Path, *, largest: int = LARGEST) -> Source:
    """Read a file, decompressed where its first bytes say gzip; it is in memory once.

    `largest` is in bytes, decompressed: more is refused before it fills the memory. Raises
    `Rejected`: cannot be read; a folder, not a file; not a regular file; changed while it was read;
    broken gzip; too large.
    """
    return source(_blocks(path, largest))


def content(path: Path, *, largest: int = LARGEST) -> bytes:
    """The bytes of a file as they are, decompressed; all else as in `read`."""
    return b"".join(_blocks(path, largest))


def source(blocks: Iterable[bytes]) -> Source:
    """What a file holds that is read in blocks of any size."""
    digest, finite, json = hashlib.sha256(), Finite(), io.BytesIO()
    for block in blocks:
        digest.update(block)
        json.write(finite.take(block))
    json.write(finite.rest())
    return Source(json.getvalue(), digest.digest(), finite.count)


def _blocks(path: Path, largest: int) -> Iterator[bytes]:
    try:
        _check_kind(path)
        with path.open("rb", buffering=0) as file:
            before = os.fstat(file.fileno())
            yield from _content(file, before.st_size, largest)
            after = os.fstat(file.fileno())
    except OSError as error:
        raise Rejected("cannot be read", error.strerror or str(error)) from error
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise Rejected(
            "changed while it was read", "push again when whatever writes it has finished"
        )


def _check_kind(path: Path) -> None:
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        os.scandir(path).close()  # one that may not be listed is the more telling reason
        raise Rejected("a folder, not a file", "push the folder to land the files in it")
    if not stat.S_ISREG(mode):
        raise Rejected("not a regular file", "a pipe, socket or device: save its content to a file")


def _content(file: io.FileIO, size: int, largest: int) -> Iterator[bytes]:
    packed = file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
    file.seek(0)
    if packed:
        yield from _decompressed(file, largest)
        return
    if size > largest:
        raise _too_large(largest)
    while block := file.read(_BLOCK):
        yield block


def _decompressed(file: io.FileIO, largest: int) -> Iterator[bytes]:
    """Take any number of gzip members and zeros after them, as gzip(1) does; no other trailer."""
    size = 0
    try:
        with gzip.GzipFile(fileobj=file) as unpacked:
            while block := unpacked.read(_BLOCK):
                size += len(block)
                if size > largest:
                    raise _too_large(largest)
                yield block
    except EOFError as error:
        raise Rejected(
            "broken gzip",
            f"it ends in the middle, after {size:,} bytes of content: was it copied whole?",
        ) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise Rejected("broken gzip", f"after {size:,} bytes of content: {error}") from error


def _too_large(largest: int) -> Rejected:
    return Rejected("too large", f"more than {largest:,} bytes when decompressed")
