"""What a run by the clock promises: `loader push --build`, its record, its log, its locks."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import one_model
import pytest
from conftest import PROJECT, Database, RunLoader, clean_environment, fresh_database
from pipeline import Pipeline
from pushing import copying_held_up, two_files, wait_until, write

from loader import dbt
from loader.raw import runs as record
from loader.raw.zone import Zone
from loader.server.embedded import Server

MODEL = "select file_id from raw.files where (select count(*) from gate) = 0"
"""All that is built here: a table that can be held up by a lock on `gate`."""
AT_THE_GATE = (
    "select pid from pg_stat_activity where datname = current_database()"
    " and wait_event_type = 'Lock' and application_name = 'dbt'"
)


class Runs:
    """The loader beside a dbt project of one model, on a database."""

    def __init__(self, database: Database, folder: Path, call_loader: RunLoader) -> None:
        self.database = database
        self.call_loader = call_loader
        self.data = folder / "data"
        self.model = folder / one_model.MODEL
        self.data.mkdir()
        (folder / "loader").symlink_to(PROJECT / "loader")
        (folder / "profiles.yml.example").symlink_to(PROJECT / "profiles.yml.example")
        one_model.write(folder, MODEL)
        # the project is looked for beside the package: a link would lead back to the real one
        self.package = folder / "loader"
        self.code = (
            "from pathlib import Path; from loader import cli, dbt;"
            f" dbt._PACKAGE = Path({str(self.package)!r}); cli.main()"
        )
        self.database.rows("create table gate ()")

    @contextmanager
    def start(self, *args: str | Path) -> Iterator[subprocess.Popen[str]]:
        process = subprocess.Popen(
            [sys.executable, "-c", self.code, *map(str, args)],
            env=clean_environment() | self.database.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def loader(self, *args: str | Path) -> tuple[int, str]:
        with self.start(*args) as process:
            said, _ = process.communicate(timeout=60)
            return process.returncode, said

    def call(self, *args: str | Path) -> tuple[int, str]:
        """The same in this process; dbt is one of its own."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(dbt, "_PACKAGE", self.package)
            done = self.call_loader(*args, env=self.database.environment)
        return done.returncode, done.stdout + done.stderr

    def push(self) -> tuple[int, str | None]:
        """Exit code of a push by the clock, and what became of the build."""
        code, _ = self.call("push", "--build", self.data)
        return code, self.last()["build"]

    def last(self) -> dict[str, Any]:
        ((row,),) = self.database.rows(
            "select to_jsonb(runs) from raw.runs order by run_id desc limit 1"
        )
        return row

    def build_due(self) -> bool:
        with self.database.connect() as connection:
            return record.build_due(connection)

    def built(self) -> list[int]:
        return [file_id for (file_id,) in self.database.rows("select * from battery.landed")]

    @contextmanager
    def build_held_up(self) -> Iterator[Callable[[], None]]:
        """Gives a function that waits until a build stands at the gate."""
        with self.database.connect(autocommit=False) as connection:
            connection.execute("lock table gate in access exclusive mode")
            yield lambda: wait_until(lambda: bool(self.database.rows(AT_THE_GATE)))


@pytest.fixture
def database(lone_database: Database) -> Database:
    """Loaders are killed here, and what they started may live on."""
    return lone_database


@pytest.fixture
def runs(database: Database, tmp_path: Path, call_loader: RunLoader) -> Runs:
    return Runs(database, tmp_path, call_loader)


def until_it_says(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if text in line:
            return
    raise AssertionError(f"it never said {text!r}")


# ----------------------------------------------------------------------------- when it is built


class Run(NamedTuple):
    """A push by the clock: its exit code, its log, line by line, and what is on record."""

    code: int
    log: list[dict[str, Any]]
    record: dict[str, Any]


@pytest.fixture(scope="module")
def four(
    server: Server, tmp_path_factory: pytest.TempPathFactory, call_loader: RunLoader
) -> Iterator[list[Run]]:
    """Runs: there is nothing, there are files but the build fails, it is mended, nothing is new."""
    with fresh_database(server) as database:
        runs = Runs(database, tmp_path_factory.mktemp("four"), call_loader)

        def run() -> Run:
            log = ("--log-format", "json", "--jobs", "1")
            code, said = runs.loader("push", "--build", *log, runs.data)
            return Run(code, [json.loads(line) for line in said.splitlines()], runs.last())

        done = [run()]
        write(runs.data / "a.json", b'{"a": [NaN]}')
        write(runs.data / "b c.json", b"")
        write(runs.model, b"select 1 / 0 as file_id")
        done.append(run())
        write(runs.model, MODEL.encode())
        done += [run(), run()]
        assert runs.built() == [1]
        yield done


def test_a_build_runs_where_files_are_new_or_the_last_one_failed(four: list[Run]) -> None:
    assert [(run.code, run.record["outcome"], run.record["build"]) for run in four] == [
        (0, "succeeded", "not needed"),
        (1, "failed", "failed"),
        (0, "succeeded", "succeeded"),
        (0, "succeeded", "not needed"),
    ]


def test_files_landed_by_hand_are_built_by_the_next_run(runs: Runs) -> None:
    write(runs.data / "a.json", {"a": 1})
    assert runs.call("push", runs.data)[0] == 0
    assert (runs.last()["outcome"], runs.last()["build"]) == ("succeeded", None)
    assert runs.build_due()


# ------------------------------------------------------------------------------ one at a time


def test_a_run_leaves_another_alone_and_says_so(runs: Runs) -> None:
    with (
        runs.start("push", two_files(runs.data), "--jobs", "1") as process,
        copying_held_up(runs.database) as wait_for_worker,
    ):
        wait_for_worker()
        code, said = runs.loader("push", "--build", runs.data)
        assert code == 0
        assert said.startswith("run 1 has been going on since ")
        assert runs.database.rows("select count(*) from raw.runs") == [(1,)]
        assert "last run  going on, began " in runs.call("status")[1]
        process.kill()


def test_a_run_that_died_is_on_record_and_holds_up_no_other(runs: Runs) -> None:
    with runs.start("push", "--build", two_files(runs.data)) as process:
        with copying_held_up(runs.database) as wait_for_worker:
            wait_for_worker()
            process.kill()
            process.wait()
            wait_until(lambda: "last run  broken off, began" in runs.call("status")[1])
        assert runs.loader("push", runs.data)[0] == 0
    outcomes = runs.database.rows("select outcome, landed from raw.runs order by run_id")
    assert outcomes[0] == ("broken off", None)
    assert outcomes[1][0] == "succeeded"
    assert runs.build_due()


def test_two_builds_never_run_at_once_not_even_past_the_death_of_a_loader(runs: Runs) -> None:
    write(runs.data / "a.json", {"a": 1})
    with (
        runs.start("push", "--build", runs.data) as first,
        runs.build_held_up() as wait_for_build,
    ):
        wait_for_build()
        first.kill()  # dbt lives on
        with runs.start("build") as second:
            until_it_says(second, "another build is going on: waiting for its end")
            time.sleep(1.5)  # it tries again and again
            assert second.poll() is None
            assert len(runs.database.rows(AT_THE_GATE)) == 1
    wait_until(lambda: bool(runs.database.rows("select to_regclass('battery.landed')")[0][0]))
    assert len(runs.built()) == 1


# ------------------------------------------------------------------------------------- signals


def test_a_signal_lets_the_build_in_hand_finish(runs: Runs) -> None:
    write(runs.data / "a.json", {"a": 1})
    with runs.start("push", "--build", runs.data) as process:
        with runs.build_held_up() as wait_for_build:
            wait_for_build()
            process.send_signal(signal.SIGINT)
            until_it_says(process, "finishing the build; once more breaks it off")
        process.wait(timeout=30)
    assert process.returncode == 0
    assert (runs.last()["outcome"], runs.last()["build"]) == ("succeeded", "succeeded")
    assert len(runs.built()) == 1


def test_a_second_signal_breaks_the_build_off_and_the_next_run_builds(runs: Runs) -> None:
    write(runs.data / "a.json", {"a": 1})
    with (
        runs.start("push", "--build", runs.data) as process,
        runs.build_held_up() as wait_for_build,
    ):
        wait_for_build()
        process.send_signal(signal.SIGTERM)
        until_it_says(process, "finishing the build")
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
        assert process.returncode == 128 + signal.SIGTERM
    assert (runs.last()["outcome"], runs.last()["build"]) == ("interrupted", None)
    assert runs.build_due()


def test_a_signal_while_files_are_in_hand_leaves_the_build_to_the_next_run(runs: Runs) -> None:
    with runs.start("push", "--build", two_files(runs.data), "--jobs", "1") as process:
        with copying_held_up(runs.database) as wait_for_worker:
            wait_for_worker()
            process.send_signal(signal.SIGINT)
            until_it_says(process, "finishing the files begun")
        process.wait(timeout=30)
    last = runs.last()
    assert process.returncode == 130
    assert (last["outcome"], last["landed"], last["unfinished"]) == ("interrupted", 1, 1)
    assert runs.build_due()


# ---------------------------------------------------------------------------------- the record


def test_a_mistyped_path_is_an_error_of_its_command_and_no_run(runs: Runs) -> None:
    code, said = runs.loader("push", "--build", runs.data / "away")
    assert (code, said) == (2, f"loader: {runs.data}/away: no such file or folder\n")
    assert "last run  none\n" in runs.call("status")[1]


def test_a_run_whose_worker_lost_the_database_is_on_record(runs: Runs) -> None:
    with (
        runs.start("push", "--build", two_files(runs.data), "--jobs", "1") as process,
        copying_held_up(runs.database) as wait_for_worker,
    ):
        runs.database.rows("select pg_terminate_backend(%s)", wait_for_worker())
        process.communicate(timeout=30)
    last = runs.last()
    assert process.returncode == 3
    assert (last["outcome"], last["unfinished"], last["build"]) == ("failed", 2, None)
    assert last["message"].startswith("the database was lost: terminating connection")
    assert last["message"].splitlines()[0] in runs.call("status")[1]


def test_status_fails_where_no_run_succeeded_lately(runs: Runs) -> None:
    old = ("status", "--json", "--fail-if-older", "1h")
    code, said = runs.call(*old)
    assert code == 1
    assert said.endswith("no push succeeded in the last 3,600 s; none ever did\n")
    runs.push()
    code, said = runs.call(*old)
    last = json.loads(said)["last_run"]
    assert (code, last["outcome"], last["landed"], last["build"]) == (
        0, "succeeded", 0, "not needed"
    )  # fmt: skip
    runs.database.rows("update raw.runs set ended_at = now() - interval '2 hours'")
    assert runs.loader("push", runs.data / "away")[0] == 2
    code, said = runs.call(*old)
    assert code == 1
    assert "; the last one ended 7,20" in said


@pytest.mark.parametrize("text", ["1", "h", "1.5h", "1 week"])
def test_what_is_no_duration_is_refused(runs: Runs, text: str) -> None:
    code, said = runs.call("status", "--fail-if-older", text)
    assert code == 2
    assert "is no duration; write 90s" in said


def test_dbt_warns_where_no_run_succeeded_for_an_hour(database: Database) -> None:
    with database.connect() as connection:
        Zone(connection).prepare()
        connection.execute(
            "insert into raw.runs (outcome, ended_at) values ('failed', now()),"
            " ('succeeded', now() - interval '61 minutes')"
        )
    pipeline = Pipeline.create(database)
    freshness = ("source", "freshness", "--select", "source:raw.runs")
    assert "WARN freshness of raw.runs" in pipeline.dbt(*freshness).stdout


# ------------------------------------------------------------------------------------- the log


def test_the_log_is_a_line_of_json_with_its_time_for_whatever_happens(four: list[Run]) -> None:
    for run in four:
        for line in run.log:
            if "event" in line:
                age = datetime.now(UTC) - datetime.fromisoformat(line.pop("time"))
                assert timedelta(0) <= age < timedelta(minutes=5)
                assert line.pop("seconds") >= 0
    landed, rejected, build, ended = [line for line in four[1].log if "event" in line]
    nothing = {"file_id": None, "parts": 0, "non_finite": 0, "reason": "", "detail": ""}
    folder = Path(landed["path"]).parent
    assert landed == nothing | {
        "event": "landed", "path": f"{folder}/a.json", "name": "a.json", "size_bytes": 12,
        "file_id": 1, "parts": 1, "non_finite": 1,
    }  # fmt: skip
    assert rejected == nothing | {
        "event": "rejected", "path": f"{folder}/b c.json", "name": "b c.json", "size_bytes": 0,
        "reason": "empty file", "detail": "it holds no JSON: was it copied whole?",
    }  # fmt: skip
    assert build == {"event": "build", "outcome": "failed"}
    assert ended == {
        "event": "run", "run_id": 2, "outcome": "failed", "landed": 1, "skipped": 0, "rejected": 1,
        "unfinished": 0, "landed_bytes": 12, "build": "failed", "message": "dbt build failed",
    }  # fmt: skip
    assert four[2].log == [
        {"event": "build", "outcome": "succeeded"},
        ended | {
            "run_id": 3, "outcome": "succeeded", "landed": 0, "skipped": 2, "rejected": 0,
            "landed_bytes": 0, "build": "succeeded", "message": "",
        },
    ]  # fmt: skip


def test_what_fails_is_a_line_of_json_too(four: list[Run], runs: Runs) -> None:
    said = [line["info"]["msg"] for line in four[1].log if "info" in line]
    assert any("division by zero" in text for text in said)
    code, text = runs.loader("push", "--build", "--log-format", "json", runs.data / "away")
    error = json.loads(text)
    assert (code, error["event"], error["exit_code"]) == (2, "error", 2)
