"""Whatever was pushed, pruned, excluded, included and built in between: the end is what counts."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import strategies
from conftest import Database, RunLoader
from pipeline import Pipeline

TRIALS = [8, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(1, 8))]
BATCHES = 3


def published(pipeline: Pipeline) -> dict[str, list[Any]]:
    """The rows of all published tables."""
    names = pipeline.database.rows(
        """select relname::text from pg_class
        where relnamespace = 'battery'::regnamespace and relkind = 'r'"""
    )
    return {
        name: sorted(pipeline.database.rows(f"select * from battery.{name}"), key=repr)
        for (name,) in names
    }


def fresh(pipeline: Pipeline) -> dict[str, list[Any]]:
    """The same of what is in `raw` now, built as if for the first time."""
    pipeline.database.rows("drop schema battery, battery_staging cascade")
    pipeline.build_tables()
    return published(pipeline)


@pytest.mark.parametrize("seed", TRIALS)
def test_any_sequence_of_steps_gives_what_one_build_of_its_end_gives(
    call_loader: RunLoader, database: Database, tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)
    landed = strategies.landing_order(strategies.many_histories(30, seed=seed), seed)
    paths = strategies.write(landed, tmp_path / "data")
    pipeline = Pipeline.create(database)

    def call(*command: str) -> None:
        done = call_loader(*command, env=database.environment)
        assert done.returncode == 0, done.stderr

    def exclude() -> None:
        for name in rng.sample(sorted({path.name for path in paths}), 6):
            call("exclude", name, "--reason", "chosen by the test")

    def include() -> None:
        excluded = [name for (name,) in database.rows("select file from raw.exclusions order by 1")]
        for name in rng.sample(excluded, len(excluded) // 2):
            call("include", name)

    def prune() -> None:
        call("prune", "--yes")

    def build() -> None:
        pipeline.build_tables()

    steps: list[Callable[[], None]] = [exclude, include, prune, build]
    for batch in range(BATCHES):
        pipeline.push(*paths[batch::BATCHES])
        if batch == 0:
            build()  # before any build there is nothing to prune
        for step in rng.choices(steps, k=4):
            step()
    # so that what is excluded last took the place of what was pruned
    for step in (build, prune, exclude, build):
        step()
    assert database.rows("select count(*) > 0 from raw.files where pruned_at is not null") == [
        (True,)
    ]
    stepwise = published(pipeline)
    for table, rows in fresh(pipeline).items():
        assert stepwise[table] == rows, table
