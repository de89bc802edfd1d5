"""What a worker is told, and what it tells."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from loader.outcome import Outcome


@dataclass(frozen=True)
class Task:
    """A file to land, under which id, in parts of which size, if it is not too large; in bytes."""

    file: Path
    file_id: int
    part_size: int
    max_file_size: int


@dataclass(frozen=True)
class Ready:
    """The worker is connected to the database."""


@dataclass(frozen=True)
class Progress:
    """The share of its file that is in the database, 0 to 1."""

    share: float


@dataclass(frozen=True)
class Lost:
    """The database cannot be worked with: the file is rolled back, the worker ends."""

    message: str


Message = Ready | Progress | Lost | Outcome
