"""A section whose columns are another's gives no rows, and is named with its columns."""

import json
import re
from pathlib import Path

from conftest import Database
from pipeline import NO_OTHER_TEST, ONLY_TABLES, Pipeline

UNKNOWN = "files_have_sections_of_a_known_shape"

SUMMARIES = {
    "split": {"columns": ["cycle_index"], "index": [0, 1], "data": [[0, 1.1], [1, 1.0]]},
    "table": {"schema": {"fields": []}, "data": [{"cycle_index": 0, "discharge_capacity": 1.1}]},
    "archive": {"Cycle_Index": [1, 2, 3], "Discharge_Capacity (Ah)": [1.1, 1.0, 0.9]},
    "cycles": {"0": {"Q": [1.1]}, "1": {"Q": [1.0]}},
    "known": {"discharge_capacity": [1.1, 1.0, 0.9], "Other": [1, 2, 3]},
}
POINTS = {"Voltage(V)": [3.1, 3.2], "Current(A)": [1.0, 1.0]}


def test_a_section_of_unknown_columns_gives_no_rows_and_is_named(
    database: Database, tmp_path: Path
) -> None:
    for name, summary in SUMMARIES.items():
        document = {"barcode": name, "summary": summary, "cycles_interpolated": POINTS}
        (tmp_path / f"{name}.json").write_text(json.dumps(document))
    pipeline = Pipeline.create(database)
    pipeline.push(tmp_path)
    output = pipeline.build(*ONLY_TABLES, UNKNOWN, *NO_OTHER_TEST)
    lives = {row["barcode"]: row["cycle_life"] for row in pipeline.table("batteries")}
    assert lives == {"SPLIT": None, "TABLE": None, "ARCHIVE": None, "CYCLES": None, "KNOWN": 2}
    assert len(pipeline.table("battery_summaries")) == 3
    assert pipeline.table("battery_cycles_interpolated") == []
    named = pipeline.database.rows("""
        select name, section, array_to_string(column_names, ', ') from battery_staging.stg_sections
        inner join raw.files using (file_id) where shape = 'unknown' order by 1, 2 desc
    """)
    points = "cycles_interpolated", "Current(A), Voltage(V)"
    assert named == [
        ("archive.json", "summary", "Cycle_Index, Discharge_Capacity (Ah)"),
        ("archive.json", *points),
        ("cycles.json", "summary", "Q"),
        ("cycles.json", *points),
        ("known.json", *points),
        ("split.json", "summary", "columns, data, index"),
        ("split.json", *points),
        ("table.json", "summary", "data"),
        ("table.json", *points),
    ]
    assert f"WARN {UNKNOWN}" in output
    # one row a file is shown, of whichever section
    shown = re.search(r"archive\.json +(summary|cycles_interpolated) +(.*)", output)
    assert shown and shown[2].strip() in {"Cycle_Index, Discharge_Capacity (Ah)", points[1]}
