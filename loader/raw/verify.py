"""Is what was landed still there, whole, and what the files on disk say?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psycopg

from loader import files, parse
from loader.parts import split
from loader.raw import zone

Verdict = Literal["same", "gone", "changed", "incomplete", "different"]

WRONG: tuple[Verdict, ...] = ("changed", "incomplete", "different")
"""What somebody has to look into; a file that is gone from disk is nothing wrong."""

_DETAILS: dict[Verdict, str] = {
    "same": "",
    "gone": "no file on disk to compare it with",
    "changed": "the file on disk is not the one that landed: push again",
    "incomplete": "parts are missing: delete its row in raw.files and push again",
    "different": "not what the file says: delete its row in raw.files and push again",
}


@dataclass(frozen=True)
class Checked:
    """A landed file and how it compares."""

    file_id: int
    path: str
    verdict: Verdict

    @property
    def detail(self) -> str:
        """What that means, and what to do."""
        return _DETAILS[self.verdict]


def count(connection: psycopg.Connection) -> int:
    """How many files are landed whole."""
    row = connection.execute("select count(*) from raw.files where pruned_at is null").fetchone()
    return int(row[0]) if row else 0


def verify(connection: psycopg.Connection) -> Iterator[Checked]:
    """Compare each landed file with its parts, and with the file on disk where it still is there.

    Pruned files are left out.
    One file is in memory at a time, twice. Needs a connection that is not in autocommit mode.
    """
    rows = connection.execute(
        "select file_id, path, sha256, part_count from raw.files"
        " where pruned_at is null order by file_id"
    ).fetchall()
    for file_id, path, sha256, part_count in rows:
        yield Checked(file_id, path, _judge(connection, file_id, sha256, part_count))


def _judge(connection: psycopg.Connection, file_id: int, sha256: bytes, part_count: int) -> Verdict:
    row = connection.execute(
        "select count(*) from raw.documents where file_id = %s", [file_id]
    ).fetchone()
    if row != (part_count,):
        return "incomplete"
    source, there = _on_disk(connection, file_id, sha256)
    if source is None:
        return "changed" if there else "gone"
    landed = split.join(map(parse.parse, zone.parts(connection, file_id)))
    # written out and read again as it was on its way in: NaN is null
    return "same" if landed == parse.parse(split.dump(parse.parse(source.data))) else "different"


def _on_disk(
    connection: psycopg.Connection, file_id: int, sha256: bytes
) -> tuple[files.Source | None, bool]:
    """The content as landed, from any path that is known to hold it; whether there was a file."""
    there = False
    paths = connection.execute("select path from raw.paths where file_id = %s", [file_id])
    for (path,) in paths.fetchall():
        try:
            source = files.read(Path(path))
        except files.Rejected:
            there = there or Path(path).exists()
            continue
        if source.sha256 == sha256:
            return source, True
        there = True
    return None, there
