"""The command line: what it takes, what it prints, how it exits."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer
from conftest import PROJECT, Database, RunLoader, clean_environment
from typer.main import get_command

from loader import texts
from loader.build_log import BuildLog
from loader.cli import app
from loader.cli.common import parse_size
from loader.raw.zone import Zone
from loader.server import database as connection
from loader.server.embedded import Server
from loader.tables.status import Extent, status

COMMANDS = {
    "push",
    "status",
    "export",
    "sample",
    "demo",
    "build",
    "report",
    "db",
    "docs",
    "rejections",
    "init",
    "verify",
    "prune",
    "sql",
    "exclude",
    "include",
    "exclusions",
    "cell-types",
    "points",
}
EXPORT_COMMANDS = {"tables", "document"}
DB_COMMANDS = {"start", "stop", "status", "env", "url", "psql", "password"}
NOWHERE = {"DATABASE_URL": "postgresql://somebody:hunter2@127.0.0.1:1/battery"}


GROUPS = {
    "db": DB_COMMANDS,
    "export": EXPORT_COMMANDS,
    "cell-types": {"add", "remove", "list"},
    "points": {"add", "remove", "list"},
}
LEAVES = [(name,) for name in sorted(COMMANDS - GROUPS.keys())] + [
    (group, name) for group, names in GROUPS.items() for name in sorted(names)
]


# ---------------------------------------------------------------------------------------- help


def test_help_names_every_command(call_loader: RunLoader) -> None:
    for args, names in (((), COMMANDS), *(((group,), names) for group, names in GROUPS.items())):
        done = call_loader(*args, "--help")
        assert done.returncode == 0
        listed = done.stdout.partition("Commands:\n")[2].partition("\n\n")[0]
        assert set(re.findall(r"^  ([\w-]+)  +\w", listed, re.MULTILINE)) == names


@pytest.mark.parametrize("command", LEAVES, ids=" ".join)
def test_every_option_is_explained_and_every_command_has_an_example_or_no_argument(
    command: tuple[str, ...],
) -> None:
    found = get_command(app)
    for name in command:
        found = found.commands[name]
    for parameter in found.params:
        assert parameter.help, parameter.name
    assert not found.params or "loader " in found.help


def test_no_command_shows_the_help(call_loader: RunLoader) -> None:
    done = call_loader()
    assert done.returncode == 2
    assert "Usage: loader" in done.stdout + done.stderr


def test_version(call_loader: RunLoader) -> None:
    done = call_loader("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"loader \d+\.\d+\.\d+\n", done.stdout)


# --------------------------------------------------------------------------------------- sizes


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("123", 123),
        ("1kB", 1000),
        ("500MB", 500_000_000),
        ("64MiB", 67_108_864),
        ("64 mib", 67_108_864),
        ("1.5GiB", 1_610_612_736),
    ],
)
def test_sizes_are_read(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MiB", "-1", "64M", "1e6", "1,5GB", "lots"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="write 64MiB, 1GiB, 500MB or plain bytes"):
        parse_size(text)


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (811, "811 B"), (17_957, "18.0 kB"), (999_600, "1.0 MB"), (137_535_420, "138 MB")],
)
def test_sizes_are_written(size: int, text: str) -> None:
    assert texts.size(size) == text


# ------------------------------------------------------------------------------ push and status


def test_push_prints_a_line_for_every_file_landed_or_rejected(
    call_loader: RunLoader, database: Database, tmp_path: Path
) -> None:
    (tmp_path / "a.json").write_text('{"voltage": [NaN, 3.5]}')
    (tmp_path / "b.json").write_text("")
    (tmp_path / "c.json").write_text('{"voltage": [NaN, 3.5]}')
    args = ("push", tmp_path, "--jobs", "1")
    done = call_loader(*args, env=database.environment)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[:2] == [
        "landed    a.json  23 B  1 part  1 NaN→null",
        f"rejected  {tmp_path}/b.json: empty file (it holds no JSON: was it copied whole?)",
    ]
    assert re.fullmatch(
        r"landed 1 file, skipped 1, rejected 1 in \d+\.\d s \(23 B, \d+ B/s\)", lines[2]
    )
    assert len(lines) == 3
    again = call_loader(*args, env=database.environment)
    assert again.returncode == 0
    assert re.fullmatch(r"landed 0 files, skipped 3 in \d+\.\d s\n", again.stdout)


def test_push_json_tells_what_became_of_every_file(
    call_loader: RunLoader, database: Database, tmp_path: Path
) -> None:
    (tmp_path / "a.json").write_text('{"voltage": [NaN, 3.5]}')
    (tmp_path / "b.json").write_text("")
    (tmp_path / "c.json").write_text('{"voltage": [NaN, 3.5]}')
    done = call_loader("push", tmp_path, "--jobs", "1", "--json", env=database.environment)
    assert done.returncode == 1
    said = json.loads(done.stdout)
    assert said.pop("seconds") > 0
    for file in said["files"]:
        assert file.pop("seconds") >= 0
        assert file.pop("path") == str(tmp_path / file["name"])
    nothing = {"file_id": None, "parts": 0, "non_finite": 0, "reason": "", "detail": ""}
    assert said == {
        "run_id": 1,
        "build": None,
        "landed": 1,
        "skipped": 1,
        "rejected": 1,
        "unfinished": 0,
        "landed_bytes": 23,
        "error": None,
        "files": [
            nothing
            | {"name": "a.json", "size_bytes": 23, "outcome": "landed"}
            | {"file_id": 1, "parts": 1, "non_finite": 1},
            nothing
            | {"name": "b.json", "size_bytes": 0, "outcome": "rejected", "reason": "empty file"}
            | {"detail": "it holds no JSON: was it copied whole?"},
            nothing
            | {"name": "c.json", "size_bytes": 23, "outcome": "skipped"}
            | {"file_id": 1, "reason": "same content as file 1"},
        ],
    }


def test_a_status_fits_its_screen_and_lists_ten_rejections(
    database: Database, call_loader: RunLoader, tmp_path: Path
) -> None:
    for number in range(12):
        (tmp_path / f"{'a very long name ' * 5}{number:02d}.json").write_text("{")
    call_loader("push", "--settle", "0", tmp_path, env=database.environment)
    with database.connect() as connection:
        now = status(Zone(connection))
    lines = texts.status(now, database.environment, width=80).splitlines()
    assert max(map(len, lines)) == 80
    assert lines[-1] == "  and 2 more: loader rejections"
    assert sum(line.startswith("  ") and "…" in line for line in lines) == 10


def test_a_status_does_not_wait_behind_a_lock(database: Database, run_loader: RunLoader) -> None:
    database.rows("create schema battery")
    database.rows("create table battery.batteries as select 1 as id")
    with database.connect(autocommit=False) as other:
        other.execute("lock table battery.batteries in access exclusive mode")
        done = run_loader("status", env=database.environment, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
    assert "tables    locked by another session\n" in done.stdout


def test_a_push_that_finds_no_file_says_so(
    database: Database, call_loader: RunLoader, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("")
    done = call_loader("push", tmp_path, env=database.environment)
    assert (done.returncode, done.stdout) == (0, "nothing to land: no *.json or *.json.gz there\n")


def test_a_build_ends_on_one_line_and_shows_what_failed() -> None:
    """Lines as dbt 1.11 writes them, of a failing test and one that warns."""
    log = BuildLog()
    for name, level, text, node in (
        ("LogStartLine", "info", "1 of 2 START test", {"node_name": "a"}),
        ("LogTestResult", "error", "1 of 2 FAIL 1 a", {"node_name": "a", "node_status": "fail"}),
        ("LogTestResult", "info", "2 of 2 PASS b", {"node_name": "b", "node_status": "pass"}),
        ("LogTestResult", "warn", "WARN c", {"node_name": "c", "node_status": "warn"}),
        ("PrintEvent", "info", "\nFAIL a (a.yml)", {}),
        ("PrintEvent", "info", "  file_name  value", {}),
        ("PrintEvent", "info", "\nWARN c (c.sql)", {}),
        ("PrintEvent", "info", "  rows of c", {}),
        ("RunResultFailure", "error", "\x1b[31mFailure in test a\x1b[0m", {}),
        ("RunResultWarning", "warn", "Warning in test c", {}),
        ("SQLCompiledPath", "info", "  compiled code at c.sql", {}),
    ):
        data = {"total": 2, "node_info": {"resource_type": "test", **node} if node else {}}
        event = {"info": {"name": name, "level": level, "msg": text}, "data": data}
        log.take(json.dumps(event))
    assert log.failures == ["\nFAIL a (a.yml)", "  file_name  value", "Failure in test a"]
    said = texts.build_line("failed", 1.25, log, Extent(), Extent(10, 398))
    assert said == (
        "build failed in 1.2 s: 10 batteries, 398 cycles added, 1 check passed, 1 warning: c"
    )


def test_status_tells_what_is_landed_built_and_rejected(
    call_loader: RunLoader, database: Database, tmp_path: Path
) -> None:
    (tmp_path / "a.json").write_text('{"voltage": [NaN, 3.5]}')
    (tmp_path / "b.json").write_text("")
    call_loader("push", tmp_path, env=database.environment)
    done = call_loader("status", env=database.environment)
    assert (done.returncode, done.stderr) == (0, "")
    place, raw, tables, last_run, *rejected = done.stdout.splitlines()
    name, folder = database.environment["PGDATABASE"], database.environment["PGHOST"]
    assert place == f"database  {name} on {folder}"
    assert re.fullmatch(r"raw       1 file in 1 part, \d+(\.\d)? kB, 1 NaN→null", raw)
    assert tables == "tables    none built yet that you may read"
    assert re.fullmatch(
        r"last run  succeeded, began [\d-]{10} [\d:]{5} \S+, \d+\.\d s:"
        r" landed 1 file, rejected 1",
        last_run,
    )
    assert rejected == [
        "rejected  1 file",
        f"  {tmp_path}/b.json: empty file (it holds no JSON: was it copied whole?)",
    ]
    database.rows("create schema battery")
    database.rows("create table battery.batteries as select 1 as id")
    said = json.loads(call_loader("status", "--json", env=database.environment).stdout)
    ((rejection,),) = (said.pop("rejections"),)
    assert said.pop("last_run")["outcome"] == "succeeded"
    assert said.pop("raw_bytes") > said.pop("mart_bytes") > 0
    assert said == {
        "files": 1,
        "parts": 1,
        "non_finite": 1,
        "batteries": 1,
        "unbuilt": None,
        "last_build": None,
    }
    assert rejection["reason"] == "empty file"


def test_status_of_an_empty_database(call_loader: RunLoader, database: Database) -> None:
    done = call_loader("status", env=database.environment)
    assert done.returncode == 0
    assert re.search(r"^raw       0 files in 0 parts, ", done.stdout, re.MULTILINE)
    assert re.search(r"^rejected  none$", done.stdout, re.MULTILINE)


def test_rejections_are_listed(call_loader: RunLoader, database: Database, tmp_path: Path) -> None:
    env = database.environment
    assert call_loader("rejections", env=env).stdout == "none\n"
    assert json.loads(call_loader("rejections", "--json", env=env).stdout) == []
    (tmp_path / "b.json").write_text("")
    call_loader("push", tmp_path, env=env)
    reason = "empty file (it holds no JSON: was it copied whole?)"
    done = call_loader("rejections", env=env)
    assert re.fullmatch(
        rf"\d{{4}}-\d\d-\d\d \d\d:\d\d  {re.escape(f'{tmp_path}/b.json: {reason}')}\n", done.stdout
    )
    (one,) = json.loads(call_loader("rejections", "--json", env=env).stdout)
    assert (one["path"], one["reason"]) == (f"{tmp_path}/b.json", "empty file")


# ------------------------------------------------------------------------------ wrong usage, 2


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["push"], "Missing argument"),
        (["push", "nowhere"], "loader: nowhere: no such file or folder"),
        (["push", ".", "--part-size", "3x"], "'3x' is no size; write 64MiB"),
        (["push", ".", "--part-size", "193MiB"], "'193MiB' is not between 1MiB and 192MiB"),
        (["push", ".", "--part-size", "1MB"], "'1MB' is not between 1MiB and 192MiB"),
        (["push", ".", "--jobs", "0"], "Invalid value for '--jobs'"),
        (["export", "document", "one"], "Invalid value for 'FILE_ID'"),
        (["export", "document", "99"], "loader: no file 99 is landed; the ids are in raw.files"),
        (["export", "99"], "loader: a document is exported by `loader export document 99`"),
        (["export", "tables", ".", "--format", "xls"], "loader: 'xls' is no format; there is"),
        (["export", "tables", ".", "--since", "soon"], "'soon' is no date and no duration"),
        (["sample", "/dev/null/folder"], "loader: /dev/null/folder: Not a directory"),
        (["db", "start"], "loader: PG* or DATABASE_URL name another server"),
        (["db", "stop"], "loader: PG* or DATABASE_URL name another server"),
        (["pusch"], "No such command 'pusch'"),
    ],
    ids=str,
)
def test_wrong_usage_is_told_in_a_sentence(
    call_loader: RunLoader, database: Database, args: list[str], message: str
) -> None:
    done = call_loader(*args, env=database.environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in re.sub(r"\s+", " ", done.stderr)
    assert "Traceback" not in done.stderr


def test_an_export_that_cannot_be_written_is_told(
    call_loader: RunLoader, database: Database, tmp_path: Path
) -> None:
    (tmp_path / "a.json").write_text("{}")
    call_loader("push", tmp_path, env=database.environment)
    done = call_loader(
        "export", "document", "1", "-o", tmp_path / "no" / "a.json", env=database.environment
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"loader: {tmp_path}/no/a.json: No such file or directory\n"


def test_export_writes_to_standard_output(
    call_loader: RunLoader, database: Database, tmp_path: Path
) -> None:
    (tmp_path / "a.json").write_text('{"b": [1.10, "°C"], "a": NaN}')
    call_loader("push", tmp_path, env=database.environment)
    done = call_loader("export", "document", "1", env=database.environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {"a": None, "b": [1.1, "°C"]}


# ------------------------------------------------------------------------------ no database, 3


def test_a_url_that_is_none_is_told(call_loader: RunLoader) -> None:
    for args in (["status"], ["db", "status"], ["db", "env"], ["build"]):
        done = call_loader(*args, env={"DATABASE_URL": "hunter2"})
        assert (done.returncode, done.stdout) == (3, "")
        assert done.stderr.startswith("loader: DATABASE_URL is not a connection URL")
        assert "hunter2" not in done.stderr


@pytest.mark.parametrize(
    "args", [["rejections"], ["status"], ["export", "document", "1"]], ids=" ".join
)
def test_without_a_database_the_way_out_is_told_and_no_password(
    call_loader: RunLoader, args: list[str], tmp_path: Path
) -> None:
    done = call_loader(*args, env=NOWHERE, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("loader: No connection to PostgreSQL at 127.0.0.1, port 1")
    assert "Check DATABASE_URL" in done.stderr
    assert "hunter2" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_push_without_a_database_says_that_it_waits_and_then_the_way_out(
    call_loader: RunLoader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert connection.PATIENCE == 10
    monkeypatch.setattr(connection, "PATIENCE", 1.0)
    started = time.monotonic()
    done = call_loader("push", ".", env=NOWHERE, cwd=tmp_path)
    assert 1 < time.monotonic() - started < 16
    assert (done.returncode, done.stdout) == (3, "")
    waits, says = done.stderr.split("\n", 1)
    assert waits == "PostgreSQL does not answer: trying again for 1 s"
    assert says.startswith("loader: No connection to PostgreSQL at 127.0.0.1, port 1")
    assert "hunter2" not in done.stderr


# ---------------------------------------------------------------------------------- the server


def test_db_env_leads_other_programs_to_the_running_server(
    call_loader: RunLoader, server: Server
) -> None:
    done = call_loader("db", "env")
    assert (done.returncode, done.stderr) == (0, "")
    said = subprocess.run(
        ["sh", "-c", f"{done.stdout}\nenv"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert {f"{name}={value}" for name, value in server.environment().items()} <= set(said)
    status = call_loader("db", "status")
    assert status.stdout == f"running, data in {server.home}\n"
    assert call_loader("db", "start").stdout == f"running, data in {server.home}\n"


def test_db_env_quotes_for_the_shell_and_keeps_the_password_to_itself(
    call_loader: RunLoader,
) -> None:
    env = {"DATABASE_URL": "postgresql://o%27hara:hunter2@db.example:6543/my%20data"}
    done = call_loader("db", "env", env=env)
    assert done.returncode == 0
    assert "hunter2" not in done.stdout + done.stderr
    assert "export PGDATABASE='my data'" in done.stdout
    assert """export PGUSER='o'"'"'hara'""" in done.stdout
    status = call_loader("db", "status", env=env)
    assert status.stdout == "my data on db.example, port 6543, as PG* or DATABASE_URL say\n"


def test_db_stop_of_a_server_never_started(call_loader: RunLoader, tmp_path: Path) -> None:
    env = {"BATTERY_HOME": str(tmp_path / "home")}
    assert call_loader("db", "status", env=env).stdout == f"not running, data in {tmp_path}/home\n"
    done = call_loader("db", "stop", env=env)
    assert (done.returncode, done.stdout) == (0, "was not running\n")
    assert not (tmp_path / "home").exists()


# ----------------------------------------------------------------------------------- synthetic


def test_sample_writes_files_that_push_lands(
    call_loader: RunLoader, database: Database, tmp_path: Path
) -> None:
    folder = tmp_path / "my data"
    done = call_loader("sample", folder)
    assert done.returncode == 0
    files = list(folder.iterdir())
    assert re.fullmatch(
        rf"wrote {len(files)} synthetic files \(\d+\.\d MB\) to {re.escape(str(folder))}\n"
        rf"next: loader push '{re.escape(str(folder))}'\n",
        done.stdout,
    )
    pushed = call_loader("push", folder, "--json", env=database.environment)
    assert json.loads(pushed.stdout)["landed"] == len(files)


def test_a_name_the_terminal_cannot_show_is_no_error(
    run_loader: RunLoader, database: Database, tmp_path: Path
) -> None:
    (tmp_path / "µ.json").write_text('{"a": NaN}')
    env = database.environment | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = run_loader("push", tmp_path, env=env)
    assert done.returncode == 0
    assert done.stdout.startswith("landed    \\xb5.json  10 B  1 part  1 NaN\\u2192null\n")


def test_a_reader_that_hangs_up_is_no_error(
    call_loader: RunLoader, database: Database, tmp_path: Path
) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"voltage": list(range(200_000))}))
    call_loader("push", tmp_path, env=database.environment)
    reader, writer = os.pipe()
    os.close(reader)
    code = "from loader.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "export", "document", "1"],
        env=os.environ | database.environment,
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


def test_ctrl_c_while_a_command_is_read_in_ends_it_without_a_word(tmp_path: Path) -> None:
    """At a moment that is certain: in the first library that is imported."""
    (tmp_path / "typer.py").write_text(
        "import signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # what runs us may ignore it
        "signal.raise_signal(signal.SIGINT)\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "loader", "status"],
        env=clean_environment() | {"PYTHONPATH": str(tmp_path)},
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
