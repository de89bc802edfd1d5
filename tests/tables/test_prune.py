"""Superseded files go from the raw zone, and no published row changes."""

from dataclasses import replace
from pathlib import Path

import built
from conftest import Database, RunLoader
from pipeline import TABLES, Pipeline

from loader import demo

SHORT = replace(built.RUNS["FastCharge_2_structure.json"], cycle_count=20, interpolated=(2,))
HISTORY = [
    # the same name, longer each time
    ("first/FastCharge_2_structure.json", SHORT),
    ("second/FastCharge_2_structure.json", replace(SHORT, cycle_count=22)),
    ("third/FastCharge_2_structure.json", built.RUNS["FastCharge_2_structure.json"]),
    # another name, the same days; and a run of which no later export came
    ("third/FastCharge_4_structure.json", replace(SHORT, barcode="other", cycle_count=21)),
    ("third/FastCharge_5_structure.json.gz", replace(SHORT, barcode="other")),
    ("third/FastCharge_6_structure.json", built.TWICE),
]
PRUNED = [
    "FastCharge_2_structure.json",
    "FastCharge_2_structure.json",
    "FastCharge_4_structure.json",
]


def test_pruning_changes_no_published_row(
    run_loader: RunLoader, call_loader: RunLoader, any_database: Database, tmp_path: Path
) -> None:
    for name, run in HISTORY:
        (tmp_path / "data" / name).parent.mkdir(exist_ok=True, parents=True)
        demo.write(tmp_path / "data" / name, run)
    pipeline = Pipeline.create(any_database)
    env = any_database.environment
    done = call_loader("prune", env=env)
    assert (done.returncode, done.stderr) == (
        2, "loader: the tables are not built yet: loader build\n",
    )  # fmt: skip
    for folder in ("first", "second", "third"):
        pipeline.push(tmp_path / "data" / folder)
    names = (*TABLES, "battery_files", "battery_lives")
    tables = ("--select", *(f"+{name}" for name in names))
    pipeline.build_tables(*tables)
    before = {name: pipeline.table(name) for name in names}
    sizes = any_database.rows("select file_id, part_count from raw.files order by 1")

    listed = call_loader("prune", env=env).stdout.splitlines()
    assert [line.split()[1] for line in listed[:-1]] == PRUNED
    assert listed[-1].startswith("3 files, ") and listed[-1].endswith(" would be pruned by --yes")
    assert any_database.rows("select file_id, part_count from raw.files order by 1") == sizes

    done = run_loader("prune", "--yes", env=env)
    assert done.stdout.splitlines()[:-1] == listed[:-1]
    assert done.stdout.endswith(" pruned\n")
    pipeline.build(*tables)
    assert {name: pipeline.table(name) for name in names} == before
    pipeline.build_tables("--full-refresh", *tables)
    assert {name: pipeline.table(name) for name in names} == before

    assert call_loader("prune", env=env).stdout == "0 files, 0 B would be pruned by --yes\n"
    pushed = call_loader("push", "--settle", "0", tmp_path / "data", env=env)
    assert "landed 0 files, skipped 6 in " in pushed.stdout
    said = call_loader("export", "document", str(listed[0].split()[0]), env=env)
    assert (said.returncode, said.stdout) == (2, "")
    assert "was superseded and pruned: its content is gone" in said.stderr
    assert call_loader("verify", env=env).stdout == "3 of 3 files as landed\n"
