"""Two builds of one database take turns; of two databases they do not wait for each other."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import built
from checkout import checkout
from conftest import Database, RunLoader
from pipeline import Pipeline

WAITING = "another build is going on: waiting for its end"


def test_of_two_builds_at_once_one_waits_and_the_tables_are_those_of_one(
    embedded_home: Path, run_loader: RunLoader, lone_database: Database, tmp_path: Path
) -> None:
    pipeline, environment = Pipeline.create(lone_database), lone_database.environment
    pipeline.push(*built.write(tmp_path / "data"))
    clone = checkout(tmp_path / "clone", embedded_home, run_loader, environment)

    def build(_: int) -> tuple[int, str]:
        done = clone.loader(
            "build", "--exclude-resource-type", "test", "unit_test", env=environment
        )
        return done.returncode, done.stdout + done.stderr

    with ThreadPoolExecutor() as pool:
        (one, said), (other, said_too) = pool.map(build, range(2))
    assert (one, other) == (0, 0), said + said_too
    assert [WAITING in said, WAITING in said_too].count(True) == 1
    together = pipeline.tables()
    assert together["battery_cycles_interpolated"]
    pipeline.build_tables("--full-refresh")
    assert pipeline.tables() == together
