"""Is what was landed still there, whole, and what the files on disk say?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from loader import files
from loader.parse import parse
from loader.parts import split
from loader.raw.zone import Zone

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


def verify(zone: Zone) -> Iterator[Checked]:
    """Compare each landed file with its parts, and with the file on disk where it still is there.

    Pruned files are left out.
    One file is in memory at a time, twice. The zone must not be in autocommit mode.
    """
    for file_id, path, sha256, part_count, parts_there in zone.whole_files():
        whole = parts_there == part_count
        verdict = _judge(zone, file_id, sha256) if whole else "incomplete"
        yield Checked(file_id, path, verdict)


def _judge(zone: Zone, file_id: int, sha256: bytes) -> Verdict:
    source, there = _on_disk(zone, file_id, sha256)
    if source is None:
        return "changed" if there else "gone"
    landed = split.join(map(parse, zone.read_parts(file_id)))
    # written out and read again as it was on its way in: NaN is null
    as_landed = parse(split.dump(parse(source.data)))
    return "same" if landed == as_landed else "different"


def _on_disk(zone: Zone, file_id: int, sha256: bytes) -> tuple[files.Source | None, bool]:
    """The content as landed, from any path that is known to hold it; whether there was a file."""
    there = False
    for path in map(Path, zone.paths_of(file_id)):
        try:
            source = files.read(path)
        except files.Rejected:
            there = there or path.exists()
            continue
        if source.sha256 == sha256:
            return source, True
        there = True
    return None, there
