"""The benchmark measures what it says. How fast things are is no test's business."""

import json
import math
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
import reference
from conftest import PROJECT, Database, clean_environment
from rich.console import Console

from benchmarks import peers, points, screen
from benchmarks.commands import Ran
from benchmarks.memory import Peaks, Watch
from benchmarks.results import Check, Measurement, Result, as_json
from benchmarks.scenarios import SCENARIOS
from benchmarks.server import Database as Measured
from benchmarks.spark import COLLECTOR, DBT, OTHERS, TASKS, tasks
from loader import demo

MIB = 2**20


def benchmarks(*arguments: str | Path, database: Database) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *map(str, arguments)],
        env=clean_environment() | database.environment,
        cwd=PROJECT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_a_run_prints_and_writes_what_it_measured_and_leaves_nothing_behind(
    database: Database, tmp_path: Path
) -> None:
    before = database.rows("select datname from pg_database order by 1")
    output = tmp_path / "results.json"
    options = ("--cycles", "2", "--files", "2", "--repeat", "1", "--folder", tmp_path / "scratch")
    done = benchmarks("push", *options, "--output", output, database=database)

    assert done.returncode in (0, 1), done.stdout + done.stderr  # 1: a target is missed
    assert database.rows("select datname from pg_database order by 1") == before
    assert "push / landing floor" in done.stdout
    [scenario] = json.loads(output.read_text())["scenarios"]
    floor, push = scenario["measurements"]
    assert [floor["name"], push["name"]] == ["landing floor", "push"]
    files = list((tmp_path / "scratch" / "files").rglob("*.json"))
    assert push["size"] == floor["size"] == sum(path.stat().st_size for path in files)
    assert push["rows"] == 2 * 2 * 2000
    assert push["seconds"] > 0 and push["process_peak"] > 0 and push["backend_peak"] > 0
    ratio, *_ = scenario["checks"]
    assert ratio["target"] == 1.3
    assert ratio["value"] == pytest.approx(push["seconds"] / floor["seconds"])
    assert ratio["met"] == (ratio["value"] <= 1.3)
    assert scenario["sizes"]["2 files landed"]["raw"] > 2 * 2 * 200_000


@pytest.mark.parametrize("peer", list(peers.LEAVES))
def test_a_peer_takes_the_same_points_as_a_build(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, peer: str
) -> None:
    if peers.missing(peer):
        pytest.skip(f"{peers.NEEDS[peer]} is not installed")
    for name, value in database.environment.items():
        monkeypatch.setenv(name, value)
    measured = Measured(database.environment["PGDATABASE"])
    path = tmp_path / "FastCharge_1_structure.json"
    demo.write(path, demo.large(3))
    peers.prepare([path], tmp_path / "parts")
    paths = (tmp_path / "parts" / path.stem if peer == "ready-made parts" else path,)
    seconds, peaks = peers.run(peer, measured, paths, None)
    assert seconds > 0 and peaks.process > 0
    if peer.endswith("COPY"):
        rows = database.rows(
            "select cycle_index, nullif(voltage, 'NaN'), nullif(current_, 'NaN')"
            " from peer_points order by id"
        )
        document = json.loads(path.read_text(), parse_constant=lambda name: None)
        points_there = document["cycles_interpolated"]
        columns = [points_there[name] for name in ("cycle_index", "voltage", "current")]
        assert rows == list(zip(*(column[::10] for column in columns), strict=True))


def test_an_unknown_scenario_is_refused_with_those_there_are(database: Database) -> None:
    done = benchmarks("fast", database=database)
    assert done.returncode == 2
    assert all(name in done.stderr for name in SCENARIOS)


def test_the_checksums_of_a_file_are_those_of_the_reference(tmp_path: Path) -> None:
    path = tmp_path / "FastCharge_1_structure.json"
    demo.write(path, demo.large(3))
    document = reference.parse(path.read_bytes())
    file = reference.File(7, path.name, document, datetime.now(UTC))
    rows = reference.published([file]).battery_cycles_interpolated
    assert all(row["time"] is None for row in rows)
    assert points.of_file(path) == {
        name: points._checksum(row[name] for row in rows) for name in points.COLUMNS
    }


def test_tasks_in_spark_s_event_log_are_those_of_a_model(tmp_path: Path) -> None:
    """Broadcasts among them; the line that is being written is left for later."""
    query = r'sql { query: "/* {\"node_id\": \"model.battery_elt.stg_points\"} */ select 1" }'
    task = {
        "Executor CPU Time": 1_500_000_000,
        "Executor Deserialize CPU Time": 250_000_000,
        "JVM GC Time": 125,
    }
    events = [
        {
            "Event": "org.apache.spark.sql.connect.service.SparkListenerConnectOperationStarted",
            "operationId": "a",
            "statementText": query,
        },
        started(job=[1, 2], operation="a"),
        started(job=[3], operation="unknown"),
        started(job=[4]),
        *(
            {"Event": "SparkListenerTaskEnd", "Stage ID": stage, "Task Metrics": task}
            for stage in (1, 2, 2, 3, 4)
        ),
        {"Event": "SparkListenerTaskEnd", "Stage ID": 1, "Task End Reason": "ExecutorLostFailure"},
    ]
    log = tmp_path / "app-1.inprogress"
    log.write_text("".join(f"{json.dumps(event)}\n" for event in events) + '{"Event":"Sp')
    assert tasks(log) == {"stg_points": 3 * 1.75, OTHERS: 2 * 1.75, COLLECTOR: 5 * 0.125}


def started(job: list[int], **operation: str) -> dict[str, object]:
    properties = {f"spark.connect.{name}_id": value for name, value in operation.items()}
    return {"Event": "SparkListenerJobStart", "Stage IDs": job, "Properties": properties}


def test_processor_time_is_shown_by_process_and_by_model() -> None:
    models = {name: float(number) for number, name in enumerate("abcdefg")}
    result = Result("spark", counted={TASKS: "threads"})
    measured = result.measure("x")
    for seconds in (1.0, 5.0, 3.0):
        took = {TASKS: sum(models.values()), DBT: seconds}
        measured.runs.append(Ran(seconds, Peaks(), processor=took, tasks=models))
    console = Console(width=120)
    with console.capture() as shown:
        for table in screen.tables(result):
            console.print(table)
    lines = [line.strip("│ ").split() for line in shown.get().splitlines()]
    assert ["x", "│", "21.0", "│", "3.0"] in lines
    assert ["x:", "g", "│", "6.00"] in lines
    assert ["x:", "all", "others", "│", "1.00"] in lines
    assert ["tasks", "│", "threads"] in lines
    assert as_json(result)["measurements"][0]["processor"] == {TASKS: 21, DBT: 3}


@pytest.mark.parametrize(
    "other",
    [[1.5, None, math.nextafter(2.5, 3)], [None, 1.5, 2.5], [1.5, None], [1.5, 0.0, 2.5]],
    ids=["one bit", "order", "one row less", "a null"],
)
def test_a_checksum_tells_columns_apart(other: list[float | None]) -> None:
    assert points._checksum(other) != points._checksum([1.5, None, 2.5])
    assert points._checksum([1.5, math.nan, 2.5]) == points._checksum([1.5, None, 2.5])


def test_the_peak_of_memory_is_that_of_a_process_and_its_children() -> None:
    child = f"import time; held = b'x' * {200 * MIB}; time.sleep(0.6)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    process = subprocess.Popen([sys.executable, "-c", code])
    with Watch([process.pid], None) as watch:
        process.wait()
    assert 200 * MIB <= watch.peaks.process <= watch.peaks.loader < 500 * MIB
    assert watch.peaks.backend is None


@pytest.mark.clock
def test_a_watch_ends_with_a_process_that_is_gone() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    started = time.monotonic()
    with Watch([process.pid], None) as watch:
        pass
    assert time.monotonic() - started < 1
    assert watch.peaks.process == 0


def test_medians_and_targets() -> None:
    runs = [Ran(seconds, Peaks(loader=int(seconds))) for seconds in (4.0, 2.0, 9.0)]
    measured = Measurement("push", runs, size=8_000_000)
    assert measured.seconds == 4
    assert measured.megabytes_per_second == 2
    assert measured.loader_peak == 9
    assert measured.backend_peak is None
    assert Check("ratio", 1.3, 1.3).met is True
    assert Check("ratio", 1.31, 1.3).met is False
    assert Check("speed", 44.9, 45, at_least=True).met is False
    assert Check("memory", None, 600).met is None
