"""What a document is cut into."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """One row of `raw.documents`.

    `number` counts from 0; `first_point` is the zero-based index, in its table, of the first row
    held (0 for part 0); `json` is the part as JSON.
    """

    number: int
    first_point: int
    json: bytes
