"""The raw zone as Parquet in a folder or an S3 bucket, for Spark: the methods of `zone.Zone`.

parts/batch=B/<file_id>.parquet   the parts of a file, a row group each
files/ rejections/ exclusions/    what is landed, turned away, excluded: an object each
paths/ runs/
ledger/                           what those are made of; docs/spark.md
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from loader.outcome import FileOnDisk, Rejected, Rejection, Run
from loader.parts.part import Part
from loader.raw.decisions import Exclusion, file_key
from loader.raw.ledger import Ledger, Row, State
from loader.raw.store import Store, Unavailable
from loader.raw.zone import Known, Landed, Totals

LARGEST_PART = 100 * 2**20
"""Bytes. Spark's VARIANT holds 128 MiB; of a longer document it makes NULL without a word."""

_TIMES = {"modified_at", "loaded_at", "pruned_at", "rejected_at", "decided_at"}
_TIMES |= {"started_at", "ended_at"}
_WHOLE = {"file_id", "batch", "size_bytes", "non_finite_count", "run_id", "landed_bytes"}
_COUNTS = {"part_no", "part_count", "landed", "skipped", "rejected", "unfinished"}
_TABLES = {
    "files": "file_id batch sha256 name path size_bytes modified_at part_count non_finite_count"
    " loaded_at pruned_at",
    "rejections": "path name size_bytes modified_at reason detail rejected_at",
    "exclusions": "file reason decided_by decided_at",
    "paths": "path size_bytes modified_at file_id",
    "runs": "run_id started_at ended_at outcome landed skipped rejected unfinished landed_bytes"
    " message",
}


class Folder:
    """A landing as this process sees it. Its methods raise `store.Unavailable`."""

    def __init__(self, place: str, *, make: bool = False) -> None:
        """At a folder, made where asked for, or at `s3://bucket/prefix`."""
        self.store = Store.at(place, make=make)
        self.place = self.store.place
        try:
            import pyarrow.parquet  # noqa: F401, PLC0415  an extra
        except ImportError as error:
            raise Unavailable(f"{place} needs pyarrow: pip install 'battery-elt[lake]'") from error
        self._ledger = Ledger(self.store)
        self._claimed: bytes = b""
        self._paths: dict[str, list[str]] = {}
        self._paths_as_of = -1

    def transaction(self) -> AbstractContextManager[object]:
        """Nothing: what is done is on record when its entry in the ledger is, which comes last."""
        return nullcontext()

    def known(self, found: Iterable[FileOnDisk]) -> dict[str, Known]:
        """What is on record, by path: of these files, and of every file turned away."""
        state = self._ledger.catch_up()
        known = {}
        for one in found:
            if row := state.paths.get(one.path):
                file_id = state.files[row["sha256"]]["file_id"]
                known[one.path] = Known(row["size_bytes"], _time(row["modified_at"]), file_id, None)
        for path, row in state.rejections.items():
            known[path] = Known(row["size_bytes"], _time(row["modified_at"]), None, row["reason"])
        return known

    def draw_ids(self, count: int) -> list[int]:
        """Draw `count` ids for files, ascending; whatever comes of them, nobody gets them again."""
        self._ledger.write("reserve", lambda state: {"count": count})
        first = self._ledger.state.reserved[-1]
        return list(range(first, first + count))

    def landed_before(self, found: FileOnDisk, sha256: bytes, file_id: int) -> Landed | None:
        """Note one more path of a landed content; `None` where it is new, or to be had lower.

        The lower of its id and `file_id` stands, as in PostgreSQL; here that takes landing it anew.
        """
        row = self._ledger.catch_up().files.get(sha256.hex())
        if row is None or row["file_id"] > file_id:
            return None
        self._ledger.write("note", lambda state: {"path": _path(found, sha256)})
        return Landed(row["file_id"], row["part_count"], row["non_finite_count"])

    def claim(self, found: FileOnDisk, sha256: bytes, file_id: int) -> bool:
        """Whether a content is new, or to be had under a lower id; nobody waits for another."""
        row = self._ledger.catch_up().files.get(sha256.hex())
        self._claimed = sha256
        return row is None or row["file_id"] > file_id

    def copy_parts(self, file_id: int, parts: Iterable[Part]) -> Iterator[Part]:
        """Write parts to one object, there when it is whole, and give each that is in it.

        Raises outcome.Rejected for a part that Spark cannot hold.
        """
        import pyarrow as pa  # noqa: PLC0415
        import pyarrow.parquet as pq  # noqa: PLC0415

        from loader.raw import limits  # noqa: PLC0415  numpy: a fifth of what a command takes

        schema = pa.schema(
            [
                ("file_id", pa.int64()),
                ("part_no", pa.int32()),
                ("first_point", pa.int64()),
                ("document", pa.string()),
            ]
        )
        written = io.BytesIO()
        with pq.ParquetWriter(
            written,
            schema,
            compression="zstd",
            use_dictionary=False,
            write_statistics=["file_id", "part_no", "first_point"],
        ) as writer:
            for part in parts:
                if len(part.json) > LARGEST_PART:
                    raise Rejected(
                        "too large for Spark",
                        f"part {part.number} has {len(part.json):,} bytes and cannot be cut; "
                        f"{LARGEST_PART:,} is what fits",
                    )
                limits.check(part.json)
                row = [[file_id], [part.number], [part.first_point], [part.json.decode()]]
                writer.write_table(pa.table(row, schema=schema))
                yield part
        self.store.write(self._object(file_id), written.getvalue())

    def complete(self, found: FileOnDisk, landed: Landed) -> None:
        """Put a file on record: from now on it is landed."""
        file = {
            "file_id": landed.file_id,
            "batch": self._ledger.state.batch(landed.file_id),
            "sha256": self._claimed.hex(),
            "name": found.name,
            "path": found.path,
            "size_bytes": found.size_bytes,
            "modified_at": found.modified_at,
            "part_count": landed.part_count,
            "non_finite_count": landed.non_finite_count,
            "part_size": landed.part_size,
            "loaded_at": datetime.now(UTC),
            "pruned_at": None,
        }
        path = _path(found, self._claimed)
        self._ledger.write("land", lambda state: {"file": file, "path": path})

    def reject(self, found: FileOnDisk, reason: str, detail: str) -> bool:
        """Note why a file was turned away; `False` where that is on record, the file unchanged."""

        def entry(state: State) -> Row | None:
            there = state.rejections.get(found.path)
            if there and (there["size_bytes"], _time(there["modified_at"]), there["reason"]) == (
                found.size_bytes,
                found.modified_at,
                reason,
            ):
                return None
            row = _found(found) | {"name": found.name, "reason": reason, "detail": detail}
            return {"row": row | {"rejected_at": datetime.now(UTC)}}

        return self._ledger.write("reject", entry)

    def forget(self, paths: Iterable[str]) -> None:
        """Drop the rejections of files that are gone."""
        gone = list(paths)
        self._ledger.write("forget", lambda state: {"paths": gone})

    def rejections(self) -> list[Rejection]:
        """The files turned away, in the order of their paths."""
        rows = sorted(self._ledger.catch_up().rejections.items())
        return [
            Rejection(
                path,
                row["name"],
                row["size_bytes"],
                row["reason"],
                row["detail"],
                _time(row["rejected_at"]),
            )
            for path, row in rows
        ]

    def read_parts(self, file_id: int) -> Iterator[bytes]:
        """The parts of a file in order, as JSON; nothing where it is not landed."""
        import pyarrow.parquet as pq  # noqa: PLC0415

        if file_id not in self._ledger.catch_up().by_id:
            return
        data = self.store.read(self._object(file_id))
        if data is None:
            return
        file = pq.ParquetFile(io.BytesIO(data))
        for group in range(file.num_row_groups):
            for json in file.read_row_group(group, columns=["document"])["document"]:
                yield json.as_py().encode()

    def is_pruned(self, file_id: int) -> bool:
        """Nothing is pruned here."""
        return False

    def part_size(self, file_id: int) -> int:
        """Into parts of which size (bytes) a landed file was cut."""
        return int(self._ledger.state.by_id[file_id]["part_size"])

    def whole_files(self) -> list[tuple[int, str, bytes, int, int]]:
        """Id, path, sha256, parts to be there and parts there of each file."""
        rows = sorted(self._ledger.catch_up().files.values(), key=lambda row: row["file_id"])
        return [
            (
                row["file_id"],
                row["path"],
                bytes.fromhex(row["sha256"]),
                row["part_count"],
                self._parts_there(row["file_id"]),
            )
            for row in rows
        ]

    def paths_of(self, file_id: int) -> list[str]:
        """All paths at which a landed content was seen."""
        state = self._ledger.state
        if self._paths_as_of != state.version:
            self._paths, self._paths_as_of = {}, state.version
            for path, row in state.paths.items():
                self._paths.setdefault(row["sha256"], []).append(path)
        return self._paths.get(state.by_id[file_id]["sha256"], [])

    def left_over(self) -> list[tuple[int, str]]:
        """Id and name of each object of parts that no file on record has.

        A push that died left them, or one that landed what another had at the same time; a push
        that is going on has some, too.
        """
        ours = {self._object(file_id) for file_id in self._ledger.catch_up().by_id}
        others = ((Path(name).stem, name) for name in self.store.sizes("parts").keys() - ours)
        return sorted((int(stem), name) for stem, name in others if stem.isdigit())

    def totals(self) -> Totals:
        """Count what is landed; bytes as the store has them."""
        files = list(self._ledger.catch_up().files.values())
        return Totals(
            len(files),
            sum(row["part_count"] for row in files),
            sum(row["non_finite_count"] for row in files),
            sum(self.store.sizes("parts").values()),
        )

    def note_run(self, run: Run, of: int | None = None) -> None:
        """Put a run that has ended on record; it has built what there was at `version` `of`."""
        built = of if run.build == "succeeded" else None
        self._ledger.write("run", lambda state: {"row": asdict(run), "built": built})

    def version(self) -> int:
        """A number that grows with whatever happens to the landing."""
        return self._ledger.catch_up().version

    def build_due(self) -> bool:
        """Whether files or exclusions have changed since what the last run has built."""
        state = self._ledger.catch_up()
        return bool(state.files) and state.changed > state.built

    def last_run(self) -> Run | None:
        """The run that ended last."""
        runs = self._ledger.catch_up().runs
        return Run(**_with_times(runs[-1])) if runs else None

    def runs(self) -> list[Run]:
        """All runs that ended, in that order."""
        return [Run(**_with_times(row)) for row in self._ledger.catch_up().runs]

    def exclude(self, file: str, reason: str, who: str) -> int:
        """Let a file count as not landed; gives how many landed files that hits."""
        key = file_key(file)
        row = {"file": key, "reason": reason, "decided_by": who, "decided_at": datetime.now(UTC)}
        self._ledger.write("exclude", lambda state: {"row": row})
        return self._hits(key)

    def include(self, file: str) -> int | None:
        """Let a file count again; gives how many landed files that hits, None where it did."""
        key = file_key(file)
        listed = self._ledger.write(
            "include", lambda state: {"file": key} if key in state.exclusions else None
        )
        return self._hits(key) if listed else None

    def exclusions(self) -> list[Exclusion]:
        """The files that count as not landed, by name."""
        rows = sorted(self._ledger.catch_up().exclusions.items())
        return [Exclusion(**_with_times(row), files=self._hits(key)) for key, row in rows]

    def fold(self) -> None:
        """Write what Spark reads: the tables as they are now."""
        self._ledger.fold(self._publish)

    def _publish(self, state: State) -> None:
        ids = {sha: row["file_id"] for sha, row in state.files.items()}
        paths = [row | {"file_id": ids[row["sha256"]]} for row in state.paths.values()]
        content: dict[str, Iterable[Row]] = {
            "files": sorted(state.files.values(), key=lambda row: row["file_id"]),
            "rejections": state.rejections.values(),
            "exclusions": state.exclusions.values(),
            "paths": paths,
            "runs": state.runs,
        }
        for name, rows in content.items():
            self.store.write(f"{name}/{name}.parquet", _table(_TABLES[name].split(), rows))

    def _object(self, file_id: int) -> str:
        return f"parts/batch={self._ledger.state.batch(file_id)}/{file_id}.parquet"

    def _parts_there(self, file_id: int) -> int:
        import pyarrow as pa  # noqa: PLC0415
        import pyarrow.parquet as pq  # noqa: PLC0415

        data = self.store.read(self._object(file_id))
        try:
            return 0 if data is None else int(pq.read_metadata(io.BytesIO(data)).num_rows)
        except pa.ArrowInvalid:  # no Parquet, or not all of it
            return 0

    def _hits(self, key: str) -> int:
        files = self._ledger.state.files.items()
        return sum(key in (sha, row["name"].removesuffix(".gz")) for sha, row in files)


def _table(columns: list[str], rows: Iterable[Row]) -> bytes:
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    def kind(column: str) -> Any:  # noqa: ANN401  pyarrow has no types for mypy
        if column in _TIMES:
            return pa.timestamp("us", tz="UTC")
        if column == "sha256":
            return pa.binary()
        whole = pa.int64() if column in _WHOLE else pa.int32() if column in _COUNTS else None
        return whole or pa.string()

    schema = pa.schema([(column, kind(column)) for column in columns])
    typed = [{name: _value(name, row[name]) for name in columns} for row in rows]
    written = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(typed, schema=schema), written, compression="zstd")
    return written.getvalue()


def _value(name: str, value: Any) -> Any:  # noqa: ANN401  what JSON holds
    if value is None:
        return None
    if name == "sha256":
        return bytes.fromhex(value)
    return _time(value) if name in _TIMES else value


def _with_times(row: Row) -> Row:
    return {name: _value(name, value) for name, value in row.items()}


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _found(found: FileOnDisk) -> Row:
    return {
        "path": found.path,
        "size_bytes": found.size_bytes,
        "modified_at": found.modified_at,
    }


def _path(found: FileOnDisk, sha256: bytes) -> Row:
    return _found(found) | {"sha256": sha256.hex()}
