"""`loader push --to`: what lands in a folder or a bucket, for Spark, and what it outlives."""

import json
import os
import random
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import bad_inputs
import duckdb
import pytest
from conftest import Database, RunLoader
from disk import disk
from moto.server import ThreadedMotoServer
from obstore.store import S3Store
from pushing import CYCLER, loader, points, two_files, wait_until, workers, write

from loader.raw.parquet import LARGEST_PART

NOWHERE = {"BATTERY_HOME": "/dev/null/no server is started"}
"""A landing in a folder needs no PostgreSQL: one that started would fail here."""

TABLES = ("files", "rejections", "exclusions", "paths", "runs")


def rows(folder: str | Path, query: str) -> list[Any]:
    """What a reader of plain Parquet finds; `parts` and the tables are views."""
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        for name in TABLES:
            path = f"{folder}/{name}/*.parquet"
            connection.execute(f"create view {name} as from read_parquet('{path}')")
        if Path(f"{folder}/parts").exists():
            connection.execute(
                "create view parts as from read_parquet("
                f"'{folder}/parts/*/*.parquet', hive_partitioning = true)"
            )
        return connection.execute(query).fetchall()


def landed(folder: Path) -> list[Any]:
    """What is landed and turned away, whatever the ids and times."""
    assert rows(folder, "select sha256 from files group by 1 having count(*) > 1") == []
    assert not rows(
        folder,
        "select file_id from files left join parts using (file_id, batch)"
        " group by file_id, part_count having count(part_no) <> part_count",
    )
    return [
        rows(
            folder,
            "select sha256, name, size_bytes, part_count, non_finite_count, part_no, first_point,"
            " md5(document) from files join parts using (file_id, batch) order by name, part_no",
        ),
        rows(folder, "select path, reason, detail from rejections order by path"),
    ]


def push(call_loader: RunLoader, data: Path, to: str | Path, *more: str) -> dict[str, Any]:
    command = ("push", data, "--to", to, "--part-size", "1MiB", "--settle", "0", "--json", *more)
    done = call_loader(*command, env=NOWHERE)
    assert done.stderr == ""
    return json.loads(done.stdout) | {"exit": done.returncode}


def counts(said: dict[str, Any]) -> tuple[int, int, int, int]:
    return said["landed"], said["skipped"], said["rejected"], said["exit"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small files, one of several parts, one with NaN, and a bad one."""
    folder = tmp_path_factory.mktemp("folder") / "data"
    for number in range(4):
        write(folder / f"{number}.json", points(200 + number))
    write(folder / "4.json", points(100_000))
    write(folder / "5.json", b'{"a": [NaN, 1.50]}')
    write(folder / "bad.json", b'{"cut": [1, 2')
    return folder


@pytest.fixture(scope="module")
def undisturbed(
    call_loader: RunLoader, data: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[Any]:
    folder = tmp_path_factory.mktemp("undisturbed")
    assert counts(push(call_loader, data, folder)) == (6, 0, 1, 1)
    return landed(folder)


# ------------------------------------------------------------------------------ what is landed


def test_what_lands_in_a_folder_is_what_lands_in_postgresql(
    call_loader: RunLoader, data: Path, tmp_path: Path, database: Database
) -> None:
    push(call_loader, data, tmp_path)
    call_loader("push", data, "--part-size", "1MiB", env=database.environment)
    columns = "file_id, name, path, size_bytes, modified_at, part_count, non_finite_count"
    query = f"select {columns}, {{}} as sha from files order by file_id"
    on_disk = rows(tmp_path, query.format("lower(hex(sha256))"))
    query = query.replace("from files", "from raw.files")
    assert on_disk == database.rows(query.format("encode(sha256, 'hex')"))
    query = "select file_id, part_no, first_point, document from {} order by file_id, part_no"
    ours = rows(tmp_path, query.format("parts"))
    theirs = database.rows(query.format("raw.documents"))
    assert [(*key, json.loads(text)) for *key, text in ours] == [tuple(one) for one in theirs]
    query = "select path, name, size_bytes, modified_at, reason, detail from {}"
    assert rows(tmp_path, query.format("rejections")) == database.rows(
        query.format("raw.rejections")
    )


def test_a_second_push_lands_nothing_and_one_more_file_leaves_the_others_alone(
    call_loader: RunLoader, tmp_path: Path
) -> None:
    data, to = two_files(tmp_path / "data"), tmp_path / "to"
    assert counts(push(call_loader, data, to)) == (2, 0, 0, 0)
    before = {path: path.stat().st_mtime_ns for path in to.glob("parts/*/*")}
    assert counts(push(call_loader, data, to)) == (0, 2, 0, 0)
    write(data / "copy.json", (data / "0.json").read_bytes())
    write(data / "new.json", CYCLER)
    assert counts(push(call_loader, data, to)) == (1, 3, 0, 0)
    after = {path: path.stat().st_mtime_ns for path in to.glob("parts/*/*")}
    assert {path: after[path] for path in before} == before
    assert len(after) == 3
    assert rows(to, "select count(distinct batch), count(*) from files") == [(2, 3)]
    assert rows(to, "select landed, skipped, outcome from runs order by run_id") == [
        (2, 0, "succeeded"), (0, 2, "succeeded"), (1, 3, "succeeded"),
    ]  # fmt: skip


def test_what_spark_would_make_null_of_is_rejected(call_loader: RunLoader, tmp_path: Path) -> None:
    data = tmp_path / "data"
    write(data / "digits.json", b'{"a": [1, ' + b"1" * 1001 + b"]}")
    write(data / "fits.json", b'{"a": [1, ' + b"1" * 1000 + b"]}")
    key, text = b'{"%s": 1}', b'{"a": "%s", "b": "%s"}'
    write(data / "key.json", key % (b"\\\\" + b"x" * 50_000))
    write(data / "key that fits.json", key % (b'\\"' + b"\xc3\xa9" * 49_999))
    write(data / "long text.json", text % (b"\\\\", b"x" * 20_000_001))
    write(data / "long text that fits.json", text % (b'\\\\\\"', b"x" * 20_000_000))
    write(data / "large.json", b'{"a": "' + b"x" * LARGEST_PART + b'"}')
    write(data / "nested.json", b'{"a": ' + b"[" * 1000 + b"]" * 1000 + b"}")
    write(data / "nul.json", b'{"a": "\\u0000", "b": "\\\\u0000"}')
    write(data / "text.json", b'{"a": "' + b"[" * 2000 + b'", "b": "\\\\u0000"}')
    said = push(call_loader, data, tmp_path / "to", "--part-size", "192MiB")
    assert {one["name"]: one["reason"] for one in said["files"] if one["reason"]} == {
        "digits.json": "a number out of range",
        "key.json": "too long a key",
        "large.json": "too large for Spark",
        "long text.json": "too long a text",
        "nested.json": "too deeply nested",
        "nul.json": "a NUL character",
    }
    assert counts(said) == (4, 0, 6, 1)


def test_every_odd_file_gets_what_it_gets_in_postgresql(
    call_loader: RunLoader, tmp_path: Path
) -> None:
    """But for the numbers that only one of the two can hold."""
    bad_inputs.make(tmp_path / "data")
    more = ("--part-size", "32MiB", "--max-file-size", bad_inputs.LIMIT)
    said = push(call_loader, tmp_path / "data", tmp_path / "to", *more)
    assert bad_inputs.got(said["files"]) == bad_inputs.expected() | {
        "10000 digits.json": "a number out of range",
        "long key.json": "too long a key",
        "exponent.json": bad_inputs.LANDED,
    }


# ----------------------------------------------------------------------- the commands on a folder


def test_the_commands_read_a_folder(call_loader: RunLoader, data: Path, tmp_path: Path) -> None:
    push(call_loader, data, tmp_path)

    def said(*command: str) -> str:
        done = call_loader(*command, "--to", str(tmp_path), env=NOWHERE)
        assert done.stderr == ""
        return done.stdout

    lines = said("status").splitlines()
    assert lines[0] == f"folder    {tmp_path}"
    assert lines[1].startswith("raw       6 files in ")
    assert lines[1].endswith(", 1 NaN→null")
    assert lines[3] == "rejected  1 file"
    assert json.loads(said("rejections", "--json"))[0]["reason"] == "not valid JSON"
    assert said("verify") == "6 of 6 files as landed\n"
    assert json.loads(said("export", "document", "5")) == points(100_000)
    assert said("status", "--fail-if-older", "1h").startswith("folder")


def test_what_differs_is_told(call_loader: RunLoader, tmp_path: Path) -> None:
    data, to = two_files(tmp_path / "data"), tmp_path / "to"
    push(call_loader, data, to)
    one, two = sorted(to.glob("parts/*/*.parquet"))
    two.write_bytes(one.read_bytes())
    one.write_bytes(one.read_bytes()[:100])
    done = call_loader("verify", "--to", to, "--json", env=NOWHERE)
    said = [file["verdict"] for file in json.loads(done.stdout)]
    assert (done.returncode, said) == (1, ["incomplete", "different"])


def test_parts_that_no_file_has_are_told(call_loader: RunLoader, tmp_path: Path) -> None:
    data, to = two_files(tmp_path / "data"), tmp_path / "to"
    push(call_loader, data, to)
    (to / "parts" / "batch=1" / "7.parquet").write_bytes(b"what a push that died had written")
    done = call_loader("verify", "--to", to, env=NOWHERE)
    assert (done.returncode, done.stdout) == (
        0,
        "left over   file 7  parts/batch=1/7.parquet: of a push that died or lost to another; "
        "may go while no push is going on\n2 of 2 files as landed\n",
    )


def test_a_ledger_with_a_gap_is_not_written_to(call_loader: RunLoader, tmp_path: Path) -> None:
    data, to = two_files(tmp_path / "data"), tmp_path / "to"
    push(call_loader, data, to)
    (to / "ledger" / "snapshot.json").unlink()
    (to / "ledger" / "000000000002.json").unlink()
    done = call_loader("push", data, "--to", to, env=NOWHERE)
    assert (done.returncode, done.stderr) == (
        3,
        f"loader: {to}: entry 2 of its ledger is gone; bring it back from a copy\n",
    )


def test_exclusions_are_kept_in_the_folder(call_loader: RunLoader, tmp_path: Path) -> None:
    data, to = two_files(tmp_path / "data"), tmp_path / "to"
    push(call_loader, data, to)
    done = call_loader("exclude", "x/0.json.gz", "--reason", "cut", "--to", to, env=NOWHERE)
    assert done.stdout == "excluded 0.json: 1 landed file\n"
    assert rows(to, "select file, reason from exclusions") == [("0.json", "cut")]
    listed = call_loader("exclusions", "--json", "--to", to, env=NOWHERE)
    assert [(one["file"], one["files"]) for one in json.loads(listed.stdout)] == [("0.json", 1)]
    done = call_loader("include", "0.json", "--to", to, env=NOWHERE)
    assert done.stdout == "included 0.json: 1 landed file\n"
    assert rows(to, "select * from exclusions") == []


# ------------------------------------------------------------------------------------- faults


@pytest.mark.parametrize("trial", range(2))
def test_a_killed_push(
    call_loader: RunLoader, data: Path, undisturbed: list[Any], tmp_path: Path, trial: int
) -> None:
    moment = random.Random(trial).uniform(0.3, 1.5)
    with loader(
        Database(NOWHERE), "push", data, "--to", tmp_path, "--part-size", "1MiB"
    ) as process:
        time.sleep(moment)
        process.kill()
    push(call_loader, data, tmp_path)
    assert landed(tmp_path) == undisturbed


def test_a_killed_worker(
    call_loader: RunLoader, data: Path, undisturbed: list[Any], tmp_path: Path
) -> None:
    command = ("push", data, "--to", tmp_path, "--part-size", "1MiB", "--jobs", "1")
    with loader(Database(NOWHERE), *command) as process:
        wait_until(lambda: any(tmp_path.glob("parts/*/*")), every=0.01)
        for worker in workers(process):
            worker.kill()
        stdout, _ = process.communicate(timeout=60)
    assert process.returncode == 1  # the bad file's
    assert "landed 6 files, rejected 1 in " in stdout
    assert landed(tmp_path) == undisturbed


@pytest.mark.parametrize("count", [3, pytest.param(8, marks=pytest.mark.nightly)])
def test_pushes_at_once(
    call_loader: RunLoader, data: Path, undisturbed: list[Any], tmp_path: Path, count: int
) -> None:
    command = ("push", data, "--to", tmp_path, "--part-size", "1MiB", "--jobs", "1")
    with ExitStack() as stack:
        pushes = [stack.enter_context(loader(Database(NOWHERE), *command)) for _ in range(count)]
        for process in pushes:
            _, stderr = process.communicate(timeout=120)
            assert stderr == ""
            assert process.returncode in (0, 1)  # 1: met the bad file first
    assert landed(tmp_path) == undisturbed
    verified = json.loads(call_loader("verify", "--to", tmp_path, "--json", env=NOWHERE).stdout)
    verdicts = [one["verdict"] for one in verified]
    left_over = len(list(tmp_path.glob("parts/*/*"))) - 6
    assert verdicts == ["same"] * 6 + ["left over"] * left_over


def test_a_full_disk(
    call_loader: RunLoader, data: Path, undisturbed: list[Any], tmp_path: Path
) -> None:
    with disk(tmp_path) as resize:
        resize(64 * 1024)
        done = call_loader("push", data, "--to", tmp_path, "--part-size", "1MiB", env=NOWHERE)
        assert done.returncode == 3
        assert done.stderr == (
            f"loader: the folder was lost: {tmp_path} cannot be used: No space left on device\n"
        )
        resize(1 << 30)
        push(call_loader, data, tmp_path)
        assert landed(tmp_path) == undisturbed


def test_a_folder_that_cannot_be_used_is_told_in_one_sentence(
    call_loader: RunLoader, tmp_path: Path
) -> None:
    data = two_files(tmp_path / "data")
    file = write(tmp_path / "file", b"")
    done = call_loader("push", data, "--to", file, env=NOWHERE)
    assert (done.returncode, done.stderr) == (3, f"loader: {file} cannot be used: File exists\n")
    away = tmp_path / "away"
    done = call_loader("status", "--to", away, env=NOWHERE)
    assert done.returncode == 3
    assert done.stderr == f"loader: {away}: no such folder; loader push --to {away} makes it\n"


# ------------------------------------------------------------------------------------------ S3


@pytest.fixture(scope="module")
def s3() -> Iterator[dict[str, str]]:
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield NOWHERE | {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
    }
    server.stop()


def test_a_bucket_holds_what_a_folder_does(
    call_loader: RunLoader, data: Path, undisturbed: list[Any], tmp_path: Path, s3: dict[str, str]
) -> None:
    import boto3
    import obstore

    boto3.client(
        "s3",
        endpoint_url=s3["AWS_ENDPOINT_URL"],
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    ).create_bucket(Bucket="cells")
    to = "s3://cells/landing"
    command = ("push", data, "--to", to, "--part-size", "1MiB", "--json")
    with loader(Database(s3), *command) as one, loader(Database(s3), *command) as two:
        for process in (one, two):
            _, stderr = process.communicate(timeout=60)
            assert stderr == ""
    again = call_loader(*command, env=s3)
    assert json.loads(again.stdout)["landed"] == 0
    verified = call_loader("verify", "--to", to, env=s3).stdout.splitlines()
    assert verified.pop() == "6 of 6 files as landed"
    assert all(line.startswith("left over ") for line in verified), "of the two pushes at once"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in s3.items():
            patch.setenv(name, value)
        bucket = S3Store.from_url(to, client_options={"allow_http": True})
        for some in obstore.list(bucket):
            for item in some:
                copy = tmp_path / item["path"]
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(obstore.get(bucket, item["path"]).bytes())
    assert landed(tmp_path) == undisturbed


def test_a_bucket_that_is_not_there_is_told_in_one_sentence(
    call_loader: RunLoader, data: Path, s3: dict[str, str]
) -> None:
    done = call_loader("push", data, "--to", "s3://nowhere/x", env=s3)
    assert (done.returncode, done.stderr) == (
        3,
        "loader: s3://nowhere/x cannot be used: there is no bucket of that name; make it first\n",
    )


def test_missing_credentials_are_told_in_one_sentence(call_loader: RunLoader, data: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        done = call_loader("push", data, "--to", "s3://nowhere/x", env=NOWHERE)
    assert (done.returncode, done.stderr) == (
        3,
        "loader: s3://nowhere/x cannot be used: no credentials; "
        "set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION\n",
    )
