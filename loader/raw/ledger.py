"""The ledger of a landing: numbered entries, each created exclusively, that add up to a state.

Who writes entry N + 1 has seen all up to N: of two at once one is refused, reads the other's and
tries again. As in the log of Delta Lake: https://www.vldb.org/pvldb/vol13/p3411-armbrust.pdf
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

from loader.raw.store import Store, Unavailable

Row = dict[str, Any]

FILES_A_BATCH = 256
"""Of 190 MB, the mean of the yardstick, 49 GB: what one task of a build may write anew."""

_FOLDER = "ledger"
_SNAPSHOT = "ledger/snapshot.json"
_NAME = "ledger/{:012}.json"


@dataclass
class State:
    """What a landing holds after `version` entries; times are ISO 8601 in UTC.

    `changed` is the last entry that tables depend on, `built` the last that a run has built.
    """

    version: int = 0
    changed: int = 0
    built: int = -1
    next_id: int = 1
    reserved: list[int] = field(default_factory=list)
    files: dict[str, Row] = field(default_factory=dict)
    paths: dict[str, Row] = field(default_factory=dict)
    rejections: dict[str, Row] = field(default_factory=dict)
    exclusions: dict[str, Row] = field(default_factory=dict)
    runs: list[Row] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Find files by id without a search."""
        self.by_id = {row["file_id"]: row for row in self.files.values()}

    def apply(self, entry: Row) -> None:
        """Bring in the next entry: the name of one of the methods below, its arguments."""
        getattr(self, f"_{entry['do']}")(**entry["with"])
        self.version += 1
        if entry["do"] in {"land", "exclude", "include"}:
            self.changed = self.version

    def batch(self, file_id: int) -> int:
        """The batch of a file: the lowest id in it. No two pushes write to one."""
        first = self.reserved[bisect_right(self.reserved, file_id) - 1]
        return file_id - (file_id - first) % FILES_A_BATCH

    def _reserve(self, count: int) -> None:
        self.reserved.append(self.next_id)
        self.next_id += count

    def _land(self, file: Row, path: Row) -> None:
        """Of a content the lowest id stands, whichever of two loaders was first."""
        there = self.files.get(file["sha256"])
        if there is None or file["file_id"] < there["file_id"]:
            self.files[file["sha256"]] = file
            self.by_id[file["file_id"]] = file
            if there:
                del self.by_id[there["file_id"]]
        self._note(path)

    def _note(self, path: Row) -> None:
        self.paths[path["path"]] = path
        self.rejections.pop(path["path"], None)

    def _reject(self, row: Row) -> None:
        self.paths.pop(row["path"], None)
        self.rejections[row["path"]] = row

    def _forget(self, paths: list[str]) -> None:
        for path in paths:
            self.rejections.pop(path, None)

    def _exclude(self, row: Row) -> None:
        self.exclusions[row["file"]] = row

    def _include(self, file: str) -> None:
        self.exclusions.pop(file, None)

    def _run(self, row: Row, built: int | None = None) -> None:
        self.runs.append(row | {"run_id": len(self.runs) + 1})
        self.built = self.built if built is None else built


class Ledger:
    """The state of a landing as far as this process has read it."""

    def __init__(self, store: Store) -> None:
        """Read what the last push folded; the entries after it come with `catch_up`."""
        self._store = store
        folded = store.read(_SNAPSHOT)
        self.state = State(**orjson.loads(folded)) if folded else State()
        self._folded = self.state.version if folded else -1
        self._require_all()
        self.catch_up()

    def catch_up(self) -> State:
        """Read the entries that others wrote in the meantime."""
        while entry := self._store.read(_NAME.format(self.state.version + 1)):
            self.state.apply(orjson.loads(entry))
        return self.state

    def _require_all(self) -> None:
        """Raise Unavailable where an entry is gone: the next would be written in its place."""
        first = self.state.version
        names = self._store.sizes(_FOLDER, _NAME.format(first))
        numbers = (name.partition("/")[2].removesuffix(".json") for name in names)
        there = {int(one) for one in numbers if one.isdigit()}
        gone = set(range(first + 1, max(there, default=first) + 1)) - there
        if gone:
            raise Unavailable(
                f"{self._store.place}: entry {min(gone)} of its ledger is gone; "
                "bring it back from a copy"
            )

    def write(self, verb: str, make: Callable[[State], Row | None]) -> bool:
        """Write what `make` gives for the state as it is; `False` where it gives nothing.

        It is asked again where another loader was faster.
        """
        while (arguments := make(self.catch_up())) is not None:
            entry = orjson.dumps({"do": verb, "with": arguments})
            if self._store.create(_NAME.format(self.state.version + 1), entry):
                self.state.apply(orjson.loads(entry))
                return True
        return False

    def fold(self, publish: Callable[[State], None]) -> None:
        """Write the state as one object, and `publish` it; again where others went on meanwhile."""
        while (version := self.catch_up().version) != self._folded:
            publish(self.state)
            self._store.write(_SNAPSHOT, orjson.dumps(asdict(self.state)))
            self._folded = version
