"""Databases and projects in other places: on a standby, in a backup, with Windows' line ends."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import built
import pytest
from conftest import DEBIAN_BINARIES, RunLoader, fresh_database
from pipeline import ONLY_TABLES, Pipeline

from loader.server.embedded import Server


@pytest.fixture
def pipeline(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with built.built(server, tmp_path_factory) as pipeline:
        yield pipeline


def test_what_reads_works_on_a_standby_and_what_writes_says_it_cannot(
    call_loader: RunLoader, pipeline: Pipeline, tmp_path: Path
) -> None:
    env = pipeline.database.environment | {"PGOPTIONS": "-c default_transaction_read_only=on"}
    for command in (
        ("status",),
        ("rejections",),
        ("exclusions",),
        ("prune",),
        ("sql", "select count(*) from battery.batteries"),
        ("report", "-o", tmp_path / "report.html"),
        ("export", "document", "1"),
    ):
        done = call_loader(*command, env=env)
        assert done.returncode == 0, done.stderr
    for command in (("push", *built.write(tmp_path / "data")), ("exclude", "x", "--reason", "y")):
        done = call_loader(*command, env=env)
        assert done.returncode == 3
        assert "in a read-only transaction" in done.stderr


def test_windows_line_ends_in_the_project_change_nothing(pipeline: Pipeline) -> None:
    before = pipeline.tables()
    for path in pipeline.project.rglob("*"):
        if path.suffix in {".sql", ".yml", ".csv", ".md"}:
            path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    pipeline.build()
    pipeline.build_tables("--full-refresh")
    assert pipeline.tables() == before
    patterns = pipeline.database.rows("select pattern from battery_staging.cell_types")
    assert patterns and all("\r" not in pattern for (pattern,) in patterns)


def test_a_database_restored_from_a_backup_goes_on_as_the_one_it_was_taken_of(
    debian_server: Server, call_loader: RunLoader, tmp_path: Path
) -> None:
    paths = built.write(tmp_path / "data")
    with fresh_database(debian_server) as one, fresh_database(debian_server) as other:
        pipeline = Pipeline.create(one)
        pipeline.push(*paths)
        pipeline.build_tables(*ONLY_TABLES)
        before = pipeline.tables()
        for program, database, *options in (
            ("pg_dump", one, "-Fc", "-f"),
            ("pg_restore", other, "-d", other.environment["PGDATABASE"]),
        ):
            subprocess.run(
                [str(DEBIAN_BINARIES / program), *options, str(tmp_path / "backup")],
                env=os.environ | database.environment,
                check=True,
            )
        restored = Pipeline.create(other)
        pushed = call_loader("push", "--settle", "0", *paths, env=other.environment)
        assert "landed 0 files, skipped 3 in " in pushed.stdout
        restored.build_tables(*ONLY_TABLES)
        assert restored.tables() == before
