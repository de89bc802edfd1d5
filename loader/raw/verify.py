"""Is what was landed still there, whole, and what the files on disk say?"""

from __future__ import annotations

import hashlib
import pathlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import zip_longest

from loader.outcome import Checked, Rejected, Verdict
from loader.parts.pieces import Path, pieces
from loader.parts.split import split
from loader.raw.parquet import Folder
from loader.raw.place import Raw
from loader.source import Source, read

_PART = 8 * 2**20
"""Bytes of a file compared at a time, most likely other parts than it landed in."""


def verify(zone: Raw) -> Iterator[Checked]:
    """Compare each landed file with its parts, and with the file on disk where it still is there.

    Pruned files are left out. One file is in memory at a time, once, and one part of what landed.
    The zone must not be in autocommit mode.
    """
    for file_id, path, sha256, part_count, parts_there in zone.whole_files():
        whole = parts_there == part_count
        verdict = _judge(zone, file_id, sha256) if whole else "incomplete"
        yield Checked(file_id, path, verdict)
    if isinstance(zone, Folder):
        yield from (Checked(file_id, name, "left over") for file_id, name in zone.left_over())


def _judge(zone: Raw, file_id: int, sha256: bytes) -> Verdict:
    source, there = _on_disk(zone, file_id, sha256)
    if source is None:
        return "changed" if there else "gone"
    if isinstance(zone, Folder):
        return "same" if _as_cut(zone, file_id, source.json) else "different"
    landed = _digest(zone.read_parts(file_id))
    on_disk = _digest(zone.as_stored(part.json) for part in split(source.json, _PART))
    return "same" if landed == on_disk else "different"


def _as_cut(zone: Folder, file_id: int, json: bytes) -> bool:
    """Whether the parts are, byte for byte, what the content makes in parts of the same size."""
    made = (part.json for part in split(json, zone.part_size(file_id)))
    return all(one == other for one, other in zip_longest(made, zone.read_parts(file_id)))


def _digest(parts: Iterable[bytes]) -> dict[Path, bytes | int]:
    """Tell of each array what it holds, in order, and of each object which members it has.

    The result is the same wherever the document is cut.
    """
    arrays: dict[Path, hashlib._Hash] = defaultdict(hashlib.sha256)
    objects: dict[Path, int] = defaultdict(int)
    for part in parts:
        for path, brackets, inner in pieces(part):
            joined = b", " + inner if inner else b""
            if brackets == b"[]":
                arrays[path].update(joined)
            else:  # in any order: between two commas stands the same in any cut
                objects[path] += sum(map(hash, joined.split(b', "')))
    return {**objects, **{path: array.digest() for path, array in arrays.items()}}


def _on_disk(zone: Raw, file_id: int, sha256: bytes) -> tuple[Source | None, bool]:
    """The content as landed, from any path that is known to hold it; whether there was a file."""
    there = False
    for path in map(pathlib.Path, zone.paths_of(file_id)):
        try:
            source = read(path)
        except Rejected:
            there = there or path.exists()
            continue
        if source.sha256 == sha256:
            return source, True
        there = True
    return None, there
