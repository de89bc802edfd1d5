"""Plain data that everybody may import: a file on disk, what became of it, what a push did."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

REJECTED, USAGE, NO_DATABASE = 1, 2, 3
"""Exit codes beside 0; a run ended by a signal gives 128 + its number, as a shell does."""

LARGEST = 4 * 2**30
"""Bytes a file may have when decompressed, unless told otherwise."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class FileOnDisk:
    """A file as found on disk: where, how large, how old."""

    file: Path
    path: str
    name: str
    size_bytes: int
    modified_at: datetime

    @classmethod
    def at(cls, file: Path) -> FileOnDisk:
        """Look at `file` without opening it; what cannot be looked at has no size and no age."""
        path = Path(os.path.abspath(file))  # noqa: PTH100  pathlib has no lexical twin
        try:
            status = path.stat()
            size_bytes, modified_at = status.st_size, _instant(status.st_mtime_ns)
        except OSError:
            size_bytes, modified_at = 0, _EPOCH
        return cls(path, _text(path), _text(Path(path.name)), size_bytes, modified_at)


@dataclass(frozen=True)
class Outcome:
    """What became of one file. `size_bytes` is its size on disk."""

    path: str
    name: str
    size_bytes: int
    outcome: Literal["landed", "skipped", "rejected"]
    file_id: int | None = None
    parts: int = 0
    non_finite: int = 0
    reason: str = ""
    detail: str = ""
    seconds: float = 0.0

    @classmethod
    def landed(cls, found: FileOnDisk, file_id: int, parts: int, non_finite: int) -> Outcome:
        """The file is in, in so many parts, with so many NaN and infinities made null."""
        return cls(*_who(found), "landed", file_id=file_id, parts=parts, non_finite=non_finite)

    @classmethod
    def skipped(cls, found: FileOnDisk, reason: str, file_id: int | None = None) -> Outcome:
        """Nothing was to do."""
        return cls(*_who(found), "skipped", file_id=file_id, reason=reason)

    @classmethod
    def known_rejected(cls, found: FileOnDisk, reason: str) -> Outcome:
        """The file could not be landed before either, for the same reason."""
        return cls.skipped(found, f"known to be rejected: {reason}")

    @classmethod
    def rejected(cls, found: FileOnDisk, reason: str, detail: str) -> Outcome:
        """The file cannot be landed."""
        return cls(*_who(found), "rejected", reason=reason, detail=detail)


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
class Rejection:
    """A file on the list of those that could not be landed, and why."""

    path: str
    name: str
    size_bytes: int
    reason: str
    detail: str
    rejected_at: datetime


@dataclass
class Summary:
    """What a push did; `unfinished` files were found but not brought to an end.

    `lost` says how the database was lost on the way, where it was.
    """

    outcomes: list[Outcome] = field(default_factory=list)
    unfinished: int = 0
    seconds: float = 0.0
    lost: str | None = None

    def count(self, outcome: str) -> int:
        """How many files were landed, skipped or rejected."""
        return sum(one.outcome == outcome for one in self.outcomes)

    @property
    def landed_bytes(self) -> int:
        """Size on disk of the files landed."""
        return sum(one.size_bytes for one in self.outcomes if one.outcome == "landed")


@dataclass(frozen=True)
class Limits:
    """How many workers; in bytes, decompressed: the part size, the memory, the largest file.

    A file has settled when it has not changed for `settle` seconds.
    """

    jobs: int
    part_size: int
    max_memory: int
    max_file_size: int = LARGEST
    settle: float = 0.0


Verdict = Literal["same", "gone", "changed", "incomplete", "different", "left over"]

_DETAILS: dict[Verdict, str] = {
    "same": "",
    "gone": "no file on disk to compare it with",
    "changed": "the file on disk is not the one that landed: push again",
    "incomplete": "parts are missing: delete its row in raw.files and push again",
    "different": "not what the file says: delete its row in raw.files and push again",
    "left over": "of a push that died or lost to another; may go while no push is going on",
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

    @property
    def is_wrong(self) -> bool:
        """Whether somebody has to look into it; not a file gone from disk, nor parts none reads."""
        return self.verdict in ("changed", "incomplete", "different")


Build = Literal["not needed", "succeeded", "failed"]


@dataclass
class Run:
    """One run, as `raw.runs` has it. Unless told otherwise it has failed when it ends."""

    run_id: int
    started_at: datetime
    ended_at: datetime | None = None
    outcome: str | None = "failed"
    landed: int | None = None
    skipped: int | None = None
    rejected: int | None = None
    unfinished: int | None = None
    landed_bytes: int | None = None
    build: Build | None = None
    message: str = ""

    def note(self, summary: Summary) -> None:
        """Note what the push did."""
        self.landed = summary.count("landed")
        self.skipped = summary.count("skipped")
        self.rejected = summary.count("rejected")
        self.unfinished = summary.unfinished
        self.landed_bytes = summary.landed_bytes


class Listener:
    """Told how a push goes on; does nothing of itself."""

    def begins(self, files: int, size_bytes: int) -> None:
        """So many files are to be read, of that size on disk in bytes."""

    def progresses(self, size_bytes: float) -> None:
        """So many bytes of them are done, those at work included."""

    def ends(self, outcome: Outcome) -> None:
        """A file that had to be read is done."""


def _who(found: FileOnDisk) -> tuple[str, str, int]:
    return found.path, found.name, found.size_bytes


def _instant(nanoseconds: int) -> datetime:
    """The microsecond PostgreSQL can hold; the farthest one for a time stamp beyond reason."""
    try:
        return _EPOCH + timedelta(microseconds=nanoseconds // 1000)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC) if nanoseconds > 0 else _EPOCH


def _text(path: Path) -> str:
    """The path as text PostgreSQL can hold: bytes that are no UTF-8 written as \\xhh."""
    return os.fsencode(path).decode(errors="backslashreplace")
