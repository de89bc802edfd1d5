"""One file as it lands: read, decompressed, hashed, null for NaN."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import stat
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from loader.finite import Finite
from loader.outcome import LARGEST, Rejected

_BLOCK = 2**18  # bytes read at once: what is made of them stays in the processor's cache
_GZIP_MAGIC = b"\x1f\x8b"


class Source(NamedTuple):
    """What a file holds: JSON, if it is one, and the sha256 (32 bytes) of its bytes, decompressed.

    `non_finite` NaN and infinities are null in `json`.
    """

    json: bytes
    sha256: bytes
    non_finite: int


def read(path: Path, *, largest: int = LARGEST) -> Source:
    """Read a file, decompressed where its first bytes say gzip; it is in memory once.

    `largest` is in bytes, decompressed: more is refused before it fills the memory. Raises
    `Rejected`: cannot be read; a folder, not a file; not a regular file; changed while it was read;
    broken gzip; too large.
    """
    return of_blocks(_blocks(path, largest))


def content(path: Path, *, largest: int = LARGEST) -> bytes:
    """The bytes of a file as they are, decompressed; all else as in `read`."""
    return b"".join(_blocks(path, largest))


def of_blocks(blocks: Iterable[bytes]) -> Source:
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
