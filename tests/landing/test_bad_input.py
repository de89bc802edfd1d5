"""One folder of everything that is odd: each file gets what the list says, and no other suffers."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import bad_inputs
import built
import pytest
from bad_inputs import KINDS
from conftest import PROJECT, Database, clean_environment
from pipeline import ONLY_TABLES, TABLES, Pipeline

from loader import demo, files

GOOD = {
    "a good one.json": built.RUNS["FastCharge_2_structure.json"],
    "zz good one.json.gz": replace(built.RUNS["FastCharge_2_structure.json"], barcode="zz"),
}


LOADER_AND_ITS_PEAK = """
import resource, subprocess, sys
code = "from loader.cli import main; main()"
done = subprocess.run([sys.executable, "-c", code, *sys.argv[1:]])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(done.returncode)
"""


def test_the_list_is_long_and_no_file_stands_twice_on_it() -> None:
    assert len({kind.file for kind in KINDS}) == len({kind.name for kind in KINDS}) == len(KINDS)
    assert len(KINDS) >= 60


def test_every_odd_file_gets_what_the_list_says_and_no_other_suffers(
    two_databases: tuple[Database, Database], tmp_path: Path
) -> None:
    among = two_databases[1]
    built.write(tmp_path / "good", GOOD)
    bad_inputs.make(tmp_path / "data")
    built.write(tmp_path / "data", GOOD)

    started = time.monotonic()
    push = ("push", "--json", "--settle", "0", "--max-file-size", bad_inputs.LIMIT)
    done = subprocess.run(
        [sys.executable, "-c", LOADER_AND_ITS_PEAK, *push, tmp_path / "data"],
        env=clean_environment() | among.environment,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert time.monotonic() - started < 60
    assert int(done.stderr.splitlines()[-1]) < 2**20  # kB
    assert bad_inputs.got(
        json.loads(done.stdout)["files"]
    ) == bad_inputs.expected() | dict.fromkeys(GOOD, bad_inputs.LANDED)

    alone = Pipeline.create(two_databases[0])
    alone.push(tmp_path / "good")
    alone.build_tables(*ONLY_TABLES)
    crowd = Pipeline.create(among)
    done = crowd.dbt("build")
    assert done.returncode == 0, done.stdout
    for table in TABLES:
        assert rows(crowd, table) == rows(alone, table) != []
    named = {kind.file: kind.named_by for kind in KINDS if kind.named_by}
    assert {
        file: test for file, test in named.items() if file not in warning(done.stdout, test)
    } == {}


def rows(pipeline: Pipeline, table: str) -> list[Any]:
    """What is published of the good files, the ids aside: they are higher among others."""
    key = "id" if table == "batteries" else "battery_id"
    return pipeline.database.rows(
        f"""
        select good.barcode, to_jsonb(published) - 'id' - 'battery_id' - 'created_at'
        from battery.{table} as published
        join battery.batteries as good on good.id = published.{key}
        where good.barcode in ('ALONE', 'ZZ') order by good.barcode, published.id
        """
    )


def warning(output: str, test: str) -> str:
    """What a build prints of a test that found something."""
    return output.partition(f"\n{test}")[2] or output.partition(test)[2]


@pytest.mark.clock
def test_a_folder_of_100_000_other_files_is_walked_in_seconds(tmp_path: Path) -> None:
    for number in range(100_000):
        os.close(os.open(tmp_path / f"{number}.csv", os.O_CREAT))
    demo.write(tmp_path / "one.json", GOOD["a good one.json"])
    started = time.monotonic()
    assert list(files.find([tmp_path])) == [tmp_path / "one.json"]
    assert time.monotonic() - started < 5
