"""The same models on Spark: what PostgreSQL publishes, Spark publishes, whatever happens to it.

One cluster, one landing and one database, to which each test adds: a build is dear.
"""

import json
import math
import os
import re
import shutil
import signal
import struct
import subprocess
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import bad_inputs
import built
import psutil
import pytest
import shapes
import strategies
from conftest import PROJECT, Database, RunLoader, fresh_database
from pipeline import Pipeline
from pushing import loader, wait_until

from benchmarks import cluster
from benchmarks.cluster import Cluster
from benchmarks.commands import Commands
from benchmarks.spark import COUNTED, DBT, EXECUTORS, OTHERS, SERVER, TASKS, Spark
from loader import demo
from loader.outcome import NO_DATABASE
from loader.server.embedded import Server

pytestmark = pytest.mark.spark

PUBLISHED = {
    "batteries": "id, barcode, protocol, channel_id, cycle_life",
    "battery_summaries": "*",
    "battery_cycles_interpolated": "*",
    "battery_points": "*",
    "battery_files": (
        "file_id, battery_id, sha256, first_record_at, superseded_by, run_number, cycle_offset"
    ),
    "battery_lives": "*",
    "unmapped_columns": "key_path, file_count, first_seen_in",
    "battery_diagnostic_summaries": "*",
    "battery_diagnostic_points": "*",
    "battery_health": "*",
    "battery_early_features": "*",
    "battery_cycle_differences": "*",
    "battery_trajectories": "*",
}
"""The columns compared: all but the times of landing, which two landings cannot share."""

IN_FULL = (*shapes.SHAPES, "odd", "EL150800737381", "new")
"""Of whose batteries every point is published."""

DIFFERENT = {"1e-400.json", "10000 digits.json", "exponent.json", "long key.json"}
"""Odd files of which Spark makes something else, as docs/spark.md says."""

TOO_SMALL = {"1e-400", "2e-324", strategies.literal("1e-400")}
"""Numbers of which it does."""

LARGE = "million.json"
"""An odd file whose million of columns takes as long as all others."""


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    home = cluster.home()
    if not home and os.environ.get("CI") != "true":
        pytest.skip(f"needs {cluster.NEEDS}")
    assert home
    with cluster.Cluster(tmp_path_factory.mktemp("spark"), home) as running:
        yield running


@dataclass
class Both:
    """The same files landed in PostgreSQL and in a folder."""

    pipeline: Pipeline
    spark: Cluster
    run_loader: RunLoader
    folder: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def landing(self) -> Path:
        return self.folder / "landing"

    def loader(self, *command: str | Path) -> "subprocess.CompletedProcess[str]":
        env = self.pipeline.database.environment | {"SPARK_REMOTE": self.spark.remote}
        return self.run_loader(*command, env=env, cwd=self.pipeline.project.parent, timeout=590)

    def push(self) -> list[dict[str, Any]]:
        """What each landing says of it."""
        push = ("push", self.data, "--json", "--max-file-size", "100MiB")
        both = [self.loader(*push), self.loader(*push, "--to", self.landing)]
        assert [done.stderr for done in both] == ["", ""]
        return [json.loads(done.stdout) for done in both]

    def build(self, *more: str) -> "subprocess.CompletedProcess[str]":
        """On Spark, without the tests of the data where no more is said."""
        more = more or ("--exclude-resource-type", "test")
        return self.loader("build", "--to", self.landing, *more)

    def dbt(self, *command: str, **variables: object) -> "subprocess.CompletedProcess[str]":
        """dbt itself on Spark, in the project."""
        said = json.dumps(variables | {"landing": str(self.landing)})
        return subprocess.run(
            [
                Path(sysconfig.get_path("scripts"), "dbt"),
                *(*command, "--target", "spark", "--vars", said),
            ],
            cwd=self.pipeline.project,
            env=os.environ | {"SPARK_REMOTE": self.spark.remote, "DBT_TARGET_PATH": "target/spark"},
            capture_output=True,
            text=True,
            check=False,
        )

    @contextmanager
    def building(self, model: str = "stg_points") -> Iterator[subprocess.Popen[str]]:
        """A build at work on a model."""
        env = self.pipeline.database.environment | {"SPARK_REMOTE": self.spark.remote}
        command = ("build", "--to", self.landing, "--verbose", "--exclude-resource-type", "test")
        with loader(Database(env), *command, cwd=self.pipeline.project.parent) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if "START" in line and model in line:
                    break
            try:
                yield process
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)

    def assert_equal(self) -> None:
        """What PostgreSQL makes of the files is what Spark has made of them, to the last bit."""
        self.pipeline.build_tables()
        for table, columns in PUBLISHED.items():
            wanted = None if columns == "*" else columns.split(", ")
            theirs, their_logs = comparable(self.pipeline.table(table, wanted))
            ours, our_logs = comparable(self.spark.rows(f"select {columns} from battery.{table}"))
            assert theirs, table
            for one, other in zip(ours, theirs, strict=False):
                assert one == other, table
            assert len(ours) == len(theirs), table
            assert our_logs == pytest.approx(their_logs, rel=1e-12, abs=1e-12, nan_ok=True), table

    def is_being_written(self, table: str) -> bool:
        return any(self.staging(table).glob(".spark-staging-*"))

    def staging(self, table: str) -> Path:
        return self.spark.folder / "warehouse" / "battery_staging.db" / table

    def staged(self, table: str = "stg_points") -> dict[str, int]:
        """The files of the staged points, by batch and name, and when they were written."""
        files = self.staging(table).glob("batch=*/*.parquet")
        return {f"{file.parent.name}/{file.name}": file.stat().st_mtime_ns for file in files}

    def results(self, target: str) -> dict[str, Any]:
        """What the last build's tests came to."""
        file = self.pipeline.project / target / "run_results.json"
        ran = json.loads(file.read_text())["results"]
        tests = (one for one in ran if one["unique_id"].startswith("test."))
        return {one["unique_id"]: (one["status"], one["failures"]) for one in tests}


@pytest.fixture(scope="module")
def both(
    spark: Cluster,
    server: Server,
    run_loader: RunLoader,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Both]:
    with fresh_database(server, name="on_spark_too") as database:
        pipeline = Pipeline.create(database)
        # a loader that builds that project, on Spark, too: its seed is read by both
        shutil.copytree(PROJECT / "loader", pipeline.project.parent / "loader")
        shutil.copy(PROJECT / "profiles.yml.example", pipeline.project.parent)
        (pipeline.project / "seeds" / "full_resolution.csv").write_text(
            "\n".join(["barcode,reason", *(f"{barcode},a test" for barcode in IN_FULL)])
        )
        yield Both(pipeline, spark, run_loader, tmp_path_factory.mktemp("both"))


def comparable(rows: list[dict[str, Any]]) -> tuple[list[list[Any]], list[float]]:
    """Rows in order, doubles by their bits, times in UTC; and apart from them logarithms.

    Powers and logarithms are those of the C library here and of Java there. None is NaN.
    """
    parts = [
        (
            [_exact(value) for name, value in row.items() if "log_" not in name],
            [math.nan if value is None else value for name, value in row.items() if "log_" in name],
        )
        for row in rows
    ]
    parts.sort(key=lambda part: repr(part[0]))
    return [exact for exact, _ in parts], [value for _, logs in parts for value in logs]


def _exact(value: Any) -> Any:
    if isinstance(value, float):
        return struct.pack(">d", value)
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return value


def document(seed: int) -> dict[str, Any]:
    """Points, summaries and time stamps in columns; cycles in ascending order."""
    cycles = [0, 2, 3, 11]
    points = [cycle for cycle in cycles for _ in range(7 + seed)]
    return {
        "protocol": "p",
        "channel_id": 7,
        "summary": {
            "cycle_index": cycles,
            "discharge_capacity": [1.1, 1.0 / 3, None, 0.9],
            "paused": [0, 3, None, 1],
            "date_time_iso": [f"2018-04-13T01:{minute:02}:00" for minute in cycles],
        },
        "cycles_interpolated": {
            "cycle_index": points,
            "voltage": [3 + seed / (place + 1) for place, _ in enumerate(points)],
            "test_time": [place * 1.1 for place, _ in enumerate(points)],
            "step_type": ["charge" if place % 3 else None for place, _ in enumerate(points)],
        },
        "diagnostic_summary": {
            "cycle_index": [1, 12, 13],
            "cycle_type": ["reset", "hppc", None],
            "discharge_capacity": [1.05, 1.0 / 7, 0.8],
            "paused": [0, 1, None],
        },
        "diagnostic_interpolated": {
            "cycle_index": [1, 1, 12, 12, 1, None],
            "cycle_type": ["reset", "reset", "hppc", "hppc", 3, "x"],
            "test_time": [5.5, 5.25, 9, "10.1", 8, 9],
            "voltage": [3.1, None, 1.0 / 3, seed, 3, 3],
            "charge_dQdV": [0.1, -0.1, None, 1e-5, 2, 3],
            "step_index": [1, 2.5, -3, 4, 5, 6],
        },
    }


def later_run(document: dict[str, Any]) -> dict[str, Any]:
    """The same battery, a year later: its cycles are numbered on, diagnostic ones among them."""
    summary = document["summary"]
    times = [time.replace("2018", "2019") for time in summary["date_time_iso"]]
    return document | {"summary": summary | {"date_time_iso": times}}


def odd_document() -> dict[str, Any]:
    """Values that are no numbers, cycles that are none, a column longer than the others."""
    numbers = [1, "2.5", " 3.5 ", -0.0, 1e22, "1e400"]
    values = [*numbers, True, None, "x", "NaN", "1d", "0x1p3", {}, [1]] * 3
    cycles = [0, "0", 0.0, 1, "1", None, True, 2.5, 2, 3]
    points = {
        "cycle_index": [cycles[place // 5] for place, _ in enumerate(values)],
        "voltage": values,
        "test_time": values[::-1],
        "step_type": [[1.5, True, "a", None, {}, []][place % 6] for place, _ in enumerate(values)],
        "nobody_knows": [0] * 60,
    }
    return document(3) | {"barcode": "odd", "cycles_interpolated": points}


def long_document() -> dict[str, Any]:
    """A test of 120 cycles with the curves that early features compare."""
    random = Random(5)
    cycles = range(120)
    points = [(cycle, step) for cycle in (9, 10, 99, 100) for step in ("discharge", "charge")] * 7
    measured = ("charge_capacity", "discharge_capacity", "charge_energy", "discharge_energy")
    fading = ("discharge_capacity", "charge_duration", "time_temperature_integrated")
    others = ("temperature_maximum", "temperature_minimum", "dc_internal_resistance")
    return {
        "barcode": "long",
        "summary": {
            "cycle_index": list(cycles),
            **{name: [random.uniform(0.7, 1.1) for _ in cycles] for name in (*fading, *others)},
        },
        "cycles_interpolated": {
            "cycle_index": [cycle for cycle, _ in points],
            "step_type": [step for _, step in points],
            **{name: [random.uniform(0, 1.1) for _ in points] for name in measured},
            "voltage": [random.uniform(2, 3.6) for _ in points],
        },
    }


def large(barcode: str, cycles: int) -> demo.Run:
    """A megabyte for each cycle."""
    return replace(
        built.TWICE,
        barcode=barcode,
        cycles_before=0,
        cycle_count=10 * cycles,
        life=10 * cycles,
        interpolated=tuple(range(0, 10 * cycles, 10)),
        points_per_step=4000,
    )


# -------------------------------------------------------------------------------------- the tests


def test_spark_publishes_what_postgresql_does(
    both: Both, real_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the real files, every shape, made-up histories and whatever is odd."""
    for points in shapes.SHAPES:
        shaped = shapes.reshape(document(1), summary=points, points=points)
        both.data.mkdir(exist_ok=True)
        (both.data / f"{points}.json").write_text(shapes.dumps(shaped | {"barcode": points}))
    (both.data / "long.json").write_text(shapes.dumps(long_document()))
    (both.data / "odd.json").write_text(shapes.dumps(odd_document()))
    (both.data / "odd later.json").write_text(shapes.dumps(later_run(odd_document())))
    impossible = document(2) | {"barcode": "impossible"}
    impossible["summary"]["discharge_capacity"] = [-5, 1e6, 1.0, 1.0]
    (both.data / "impossible.json").write_text(shapes.dumps(impossible))
    shutil.copytree(real_data, both.data / "real", copy_function=shutil.copyfile)
    values = [value for value in strategies.ODD_VALUES if str(value) not in TOO_SMALL]
    monkeypatch.setattr(strategies, "ODD_VALUES", values)
    histories = strategies.landing_order(strategies.many_histories(12, seed=18), 18)
    strategies.write(histories, both.data / "made up")
    bad_inputs.make(both.data / "odd")
    for name in {*DIFFERENT, LARGE}:
        (both.data / "odd" / name).unlink()
    in_database, in_folder = both.push()
    assert [(file["name"], file["reason"]) for file in in_folder["files"]] == [
        (file["name"], file["reason"]) for file in in_database["files"]
    ]
    done = both.build()
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    both.assert_equal()
    assert len(both.spark.tasks()) == 2
    assert min(both.spark.tasks()) > 0, "both executors have worked"


def test_one_more_file_touches_one_batch_though_a_worker_is_killed(both: Both) -> None:
    """80 MB, and the worker dies with its executor while the points are taken apart."""
    demo.write(both.data / "large.json", large("large", 80))
    assert (both.data / "large.json").stat().st_size > 80e6
    (both.data / "new.json").write_text(shapes.dumps(document(4) | {"barcode": "new"}))
    before, before_in_full = both.staged(), both.staged("stg_full_resolution_points")
    assert [said["landed"] for said in both.push()] == [2, 2]
    with both.building() as process:
        begun = both.spark.tasks()
        wait_until(lambda: sum(both.spark.tasks()) > sum(begun), 300)
        both.spark.kill("worker2")
        stdout, stderr = process.communicate(timeout=580)
    assert process.returncode == 0, stdout + stderr
    both.spark.start_worker(2)
    for table, files in (("stg_points", before), ("stg_full_resolution_points", before_in_full)):
        after = both.staged(table)
        assert {file: after[file] for file in files} == files != {}
        assert len({file.partition("/")[0] for file in after.keys() - files.keys()}) == 1
    both.assert_equal()


def test_dbt_or_a_server_killed_while_it_writes_leaves_nothing_that_a_build_does_not_put_right(
    both: Both,
) -> None:
    demo.write(both.data / "more.json", large("more", 20))
    both.push()
    exclude = ("exclude", "columnar.json", "--reason", "a test")
    for where in ((), ("--to", both.landing)):
        assert both.loader(*exclude, *where).returncode == 0
    with both.building("stg_part_sections") as process:
        wait_until(lambda: both.is_being_written("stg_part_sections"), 300)
        [dbt] = psutil.Process(process.pid).children()
        dbt.kill()
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGKILL
    assert "Traceback" not in stdout + stderr
    with both.building() as process:  # at once: the server may be writing still
        wait_until(lambda: both.is_being_written("stg_points"), 300)
        both.spark.kill("connect")
        both.spark.start_driver()
        stdout, stderr = process.communicate(timeout=580)
    assert process.returncode == 1
    assert "Traceback" not in stdout + stderr
    done = both.dbt("build", "--exclude-resource-type", "test")
    assert done.returncode == 0, done.stdout
    both.assert_equal()
    assert "COLUMNAR" not in {row["barcode"] for row in both.pipeline.table("batteries")}


def test_a_landing_that_executors_do_not_see_is_told_in_one_sentence(both: Both) -> None:
    """A path of each process's own: the server's folder has the landing, an executor's has none."""
    shutil.copytree(both.landing / "files", both.spark.folder / "landing" / "files")
    done = both.loader("build", "--to", "/proc/self/cwd/landing")
    assert (done.returncode, done.stdout) == (NO_DATABASE, "")
    assert re.fullmatch(
        "loader: Spark cannot read /proc/self/cwd/landing, which the server and each executor have "
        r"to see at that path \(.*\)\n",
        done.stderr,
    )
    done = both.loader("build", "--to", "/nowhere")
    assert (done.returncode, done.stderr) == (
        NO_DATABASE,
        "loader: Spark finds no landing in /nowhere: loader push PATH --to /nowhere makes one, "
        "which the server and each executor have to see at that path\n",
    )


def test_a_bucket_that_the_server_cannot_read_is_told_in_one_sentence(both: Both) -> None:
    """This server has no hadoop-aws."""
    done = both.loader("build", "--to", "s3://bucket/prefix")
    assert (done.returncode, done.stdout) == (NO_DATABASE, "")
    assert re.fullmatch(
        "loader: Spark cannot read s3a://bucket/prefix, which the server and each executor have to "
        r"see at that path \(.*S3AFileSystem.*\)\n",
        done.stderr,
    )


def test_a_push_that_builds_says_what_it_says_on_postgresql(both: Both) -> None:
    """Nothing is landed but what was, one file is included again: no batch is written."""
    for where in ((), ("--to", both.landing)):
        assert both.loader("include", "columnar.json", *where).returncode == 0
    before = both.staged()
    in_database = both.loader("push", both.data, "--build")
    on_spark = both.loader("push", both.data, "--build", "--to", both.landing)
    assert both.staged() == before
    assert (on_spark.returncode, on_spark.stderr) == (in_database.returncode, in_database.stderr)
    ours, theirs = both.results("target/spark"), both.results("target")
    assert ours == {test: theirs[test] for test in ours}
    ours, theirs = failing_rows(on_spark.stdout), failing_rows(in_database.stdout)
    assert ours == {test: theirs[test] for test in ours} != {}
    both.assert_equal()


def test_the_analyses_answer_as_on_postgresql(both: Both) -> None:
    asked = {"barcode": "long", "cycle_n": 100, "cycle_m": 10}
    for done in (
        both.pipeline.dbt("compile", "--vars", json.dumps(asked)),
        both.dbt("compile", **asked),
    ):
        assert done.returncode == 0, done.stdout
    names = {path.stem for path in (both.pipeline.project / "analyses").glob("*.sql")}
    for name in names:
        theirs = both.pipeline.database.rows(both.pipeline.analysis(name))
        ours = both.spark.rows(both.pipeline.analysis(name, "target/spark"))
        assert len(ours) == len(theirs) > 0, name
        for our, their in zip(ours, theirs, strict=True):
            numbers = [float(value) if isinstance(value, Decimal) else value for value in their]
            assert list(our.values()) == pytest.approx(numbers), name


def test_a_benchmark_says_what_plain_dbt_takes_of_executors_and_server(both: Both) -> None:
    measured = Spark(both.spark, both.landing, Commands(both.folder / "checkout", None))
    models = ("--select", "stg_sections", "int_lives", "--exclude-resource-type", "test")
    ran = measured.build(*models)
    assert {name for name in ran.tasks if name != OTHERS} == {"stg_sections", "int_lives"}
    assert 0 < ran.tasks["stg_sections"] < ran.processor[TASKS] < ran.processor[EXECUTORS]
    assert ran.processor.keys() == COUNTED.keys()
    assert min(ran.processor[name] for name in (SERVER, DBT)) > 1


def failing_rows(output: str) -> dict[str, list[list[str]]]:
    """How many rows of which files a build shows of each test that failed, with one as example."""
    shown = re.findall(r"^FAIL (\w+) .*\n((?:  .*\n)*)", output, re.MULTILINE)
    return {test: [line.split()[:2] for line in lines.splitlines()] for test, lines in shown}
