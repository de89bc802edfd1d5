"""What PostgreSQL holds in `raw`, as the folder of Parquet files that Spark reads."""

import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from conftest import Database

SCHEMA = pa.schema(
    [
        ("file_id", pa.int64()),
        ("part_no", pa.int32()),
        ("first_point", pa.int64()),
        ("document", pa.string()),
    ]
)


def copy(database: Database, folder: Path, batches: Sequence[Sequence[int]]) -> None:
    """Writes the files of each batch, by their ids, a row group a part; batch 1 is the first."""
    (folder / "files").mkdir(parents=True, exist_ok=True)
    for batch, file_ids in enumerate(batches, 1):
        below = folder / "documents" / f"batch={batch}"
        below.mkdir(parents=True, exist_ok=True)
        for file_id in file_ids:
            _copy_file(database, file_id, batch, folder, below)


def _copy_file(database: Database, file_id: int, batch: int, folder: Path, below: Path) -> None:
    names = ("sha256", "name", "path", "size_bytes", "modified_at", "part_count", "loaded_at")
    columns = ", ".join(
        f"to_jsonb({'encode(sha256, $$hex$$)' if name == 'sha256' else name})" for name in names
    )
    ((*values,),) = database.rows(f"select {columns} from raw.files where file_id = %s", file_id)
    entry = {"file_id": file_id, "batch": batch, "non_finite_count": 0}
    entry |= dict(zip(names, values, strict=True))
    with pq.ParquetWriter(below / f"{file_id}.parquet", SCHEMA, compression="zstd") as writer:
        for row in database.rows(
            "select file_id, part_no, first_point, document::text from raw.documents "
            "where file_id = %s order by part_no",
            file_id,
        ):
            part = {key: [value] for key, value in zip(SCHEMA.names, row, strict=True)}
            writer.write_table(pa.table(part, SCHEMA))
    (folder / "files" / f"{file_id}.json").write_text(json.dumps(entry) + "\n")
