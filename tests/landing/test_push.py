"""What `loader push` promises, on a real server."""

import gzip
import hashlib
import json
import os
import re
import resource
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from conftest import Database, RunLoader
from pushing import (
    CYCLER,
    copying_held_up,
    loader,
    nothing_half_landed,
    points,
    two_files,
    wait_until,
    workers,
    write,
)
from typer.testing import CliRunner
from workers import workers_here

from loader.cli import app
from loader.outcome import FileOnDisk
from loader.raw.land import Lander
from loader.raw.zone import Zone

OLD = 1_600_000_000  # seconds since 1970: a time stamp that is not now


Push = Callable[..., dict[str, Any]]


@pytest.fixture
def database(lone_database: Database) -> Database:
    """Loaders are killed here, and what they started may live on."""
    return lone_database


@pytest.fixture
def push(database: Database, monkeypatch: pytest.MonkeyPatch) -> Push:
    """`loader push --json` on the test's database: what it says, its exit code among it.

    Run inside this process, and its workers, which saves the time to start others; it is one where
    none are asked for.
    """
    for name, value in database.environment.items():
        monkeypatch.setenv(name, value)

    def run(*args: str | Path) -> dict[str, Any]:
        command = ["push", "--json", "--jobs", "1", *map(str, args)]
        with workers_here():
            done = CliRunner().invoke(app, command, catch_exceptions=False)
        assert done.stderr == ""
        return json.loads(done.stdout) | {"exit": done.exit_code}

    return run


def counts(said: dict[str, Any]) -> tuple[int, int, int, int]:
    return said["landed"], said["skipped"], said["rejected"], said["exit"]


def everything(database: Database) -> list[Any]:
    """Every row of raw, with the transaction that last wrote it."""
    return [
        database.rows("select xmin::text, * from raw.files order by file_id"),
        database.rows("select xmin::text, * from raw.paths order by path"),
        database.rows("select xmin::text, * from raw.rejections order by path"),
        database.rows(
            "select xmin::text, file_id, part_no, first_point, md5(document::text)"
            " from raw.documents order by file_id, part_no"
        ),
        database.rows("select last_value from raw.files_file_id_seq"),
    ]


def names(database: Database) -> list[str]:
    return [name for (name,) in database.rows("select name from raw.files order by file_id")]


# ------------------------------------------------------------------------------ what is landed


def test_every_real_file_lands_with_its_non_finite_values_counted(
    call_loader: RunLoader, any_database: Database, real_data: Path
) -> None:
    done = call_loader("push", "--json", real_data, env=any_database.environment)
    assert done.returncode == 0, done.stderr
    files = sorted(real_data.rglob("*.json")) + sorted(real_data.rglob("*.json.gz"))
    expected = {}
    for file in files:
        data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        seen: list[str] = []
        json.loads(data, parse_constant=seen.append)
        expected[str(file)] = len(seen)
    landed = dict(any_database.rows("select path, non_finite_count from raw.files"))
    assert landed == expected
    assert landed[str(real_data / "matr" / "FastCharge_000002_CH26_structure.json")] == 1673


def test_export_gives_every_document_back_with_nan_as_null(
    push: Push, database: Database, real_data: Path, tmp_path: Path
) -> None:
    push(real_data, "--part-size", "1MiB")
    output = tmp_path / "out.json"
    files = database.rows("select file_id, path, part_count from raw.files")
    assert len(files) == 6
    for file_id, path, part_count in files:
        done = CliRunner().invoke(app, ["export", "document", str(file_id), "-o", str(output)])
        assert done.exit_code == 0
        data = Path(path).read_bytes()
        data = gzip.decompress(data) if path.endswith(".gz") else data
        assert json.loads(output.read_bytes()) == json.loads(data, parse_constant=lambda _: None)
        assert (part_count > 1) == (len(data) > 2**20)


def test_nan_and_infinities_become_null_and_are_counted(
    push: Push, database: Database, tmp_path: Path
) -> None:
    push(write(tmp_path / "a.json", b'{"a": [NaN, Infinity, -Infinity, null, 1e400, 0.1]}'))
    assert database.rows(
        "select document, non_finite_count from raw.documents join raw.files using (file_id)"
    ) == [({"a": [None] * 4 + [10**400, 0.1]}, 3)]


def test_a_large_file_is_stored_in_parts_no_larger_than_asked(
    push: Push, database: Database, tmp_path: Path
) -> None:
    file = write(tmp_path / "large.json", points(200_000))
    push(file, "--part-size", "1MiB")
    parts = database.rows(
        "select part_no, first_point, document,"
        " jsonb_array_length(document #> '{cycles_interpolated,voltage}')"
        " from raw.documents order by part_no"
    )
    assert [number for number, *_ in parts] == list(range(len(parts)))
    assert parts[0][1:] == (0, {"barcode": "points200000", "summary": {"cycle_index": [0]}}, None)
    first = 0
    for _, first_point, document, rows in parts[1:]:
        assert first_point == first
        assert len(json.dumps(document, separators=(",", ":"))) <= 2**20
        first += rows
    assert first == 200_000
    assert database.rows("select part_count from raw.files") == [(len(parts),)]
    assert file.stat().st_size / 2**20 < len(parts) < 2 + file.stat().st_size / 2**19


def test_a_file_up_to_the_part_size_is_one_part(
    push: Push, database: Database, tmp_path: Path
) -> None:
    file = write(tmp_path / "a.json", points(50_000))
    size = file.stat().st_size
    push(file, "--part-size", str(size))
    assert size > 2**20
    assert database.rows("select part_no, first_point, document from raw.documents") == [
        (0, 0, points(50_000))
    ]


def test_parts_too_large_for_postgresql_are_made_smaller(
    database: Database, tmp_path: Path
) -> None:
    """The server's own limits take seconds to reach: a trigger answers in their place."""
    file = write(tmp_path / "a.json", points(150_000))
    lone = write(tmp_path / "b.json", {"note": "x" * 2**22})
    with database.connect() as connection:
        Zone(connection).prepare()
        connection.execute(
            """
            create function raw.refuse() returns trigger language plpgsql as $$ begin
                raise exception 'too many elements' using errcode = 'program_limit_exceeded';
            end $$;
            create trigger refuse before insert on raw.documents for each row
            when (octet_length(new.document::text) > 2e6) execute function raw.refuse()
            """
        )
        lander = Lander(Zone(connection), part_size=2**23)
        landed = lander.land(FileOnDisk.at(file), 1)
        rejected = lander.land(FileOnDisk.at(lone), 2)
    assert (landed.outcome, rejected.outcome) == ("landed", "rejected")
    assert (rejected.reason, rejected.detail) == ("too large for PostgreSQL", "too many elements")
    assert database.rows(
        "select count(*), sum(jsonb_array_length(document #> '{cycles_interpolated,voltage}'))"
        " from raw.documents"
    ) == [(landed.parts, 150_000)]
    assert names(database) == ["a.json"]


def test_documents_are_never_compressed_by_pglz(
    call_loader: RunLoader, any_database: Database, tmp_path: Path
) -> None:
    write(tmp_path / "a.json", points(5_000))
    assert call_loader("push", tmp_path, env=any_database.environment).returncode == 0
    ((has_lz4,),) = any_database.rows(
        "select 'lz4' = any (enumvals) from pg_settings where name = 'default_toast_compression'"
    )
    assert any_database.rows(
        "select pg_column_compression(document), attstorage, attcompression"
        " from raw.documents, pg_attribute"
        " where attrelid = 'raw.documents'::regclass and attname = 'document'"
    ) == [("lz4", "x", "l") if has_lz4 else (None, "e", "")]


def test_every_table_and_column_of_raw_has_a_comment(
    push: Push, database: Database, tmp_path: Path
) -> None:
    push(tmp_path)
    comments = database.rows(
        """
        select relname, attname, coalesce(col_description(attrelid, attnum), '') <> '',
            coalesce(obj_description(attrelid, 'pg_class'), '') <> ''
        from pg_class join pg_attribute on attrelid = pg_class.oid and attnum > 0
        where relnamespace = 'raw'::regnamespace and relkind = 'r'
        """
    )
    tables = {"files", "documents", "paths", "rejections", "runs"}
    tables |= {"exclusions", "cell_types", "full_resolution"}
    assert {table for table, *_ in comments} == tables
    assert [row for row in comments if not all(row)] == []


def test_a_name_that_is_no_utf8_lands(push: Push, database: Database, tmp_path: Path) -> None:
    try:
        write(tmp_path / os.fsdecode(b"\xff.json"), b"{}")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    assert counts(push(tmp_path)) == (1, 0, 0, 0)
    assert names(database) == ["\\xff.json"]
    assert counts(push(tmp_path)) == (0, 1, 0, 0)


# ------------------------------------------------------------------------- what is not landed


def test_a_second_push_reads_no_file_and_changes_nothing(
    push: Push, database: Database, tmp_path: Path
) -> None:
    for number in range(3):
        file = write(tmp_path / f"{number}.json", CYCLER | {"channel_id": number})
        os.utime(file, (OLD, OLD))
    write(tmp_path / "copy.json", CYCLER | {"channel_id": 1})
    write(tmp_path / "bad.json", b"{")
    assert counts(push(tmp_path)) == (3, 1, 1, 1)
    before = everything(database)
    for file in tmp_path.iterdir():
        times = file.stat()
        write(file, b"x" * times.st_size)
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert counts(push(tmp_path)) == (0, 5, 0, 0)
    assert everything(database) == before


def test_the_same_content_is_landed_once_whatever_its_name_or_compression(
    push: Push, database: Database, tmp_path: Path
) -> None:
    content = json.dumps(CYCLER).encode()
    write(tmp_path / "a.json", content)
    write(tmp_path / "b" / "a.json", content)
    write(tmp_path / "c.json.gz", gzip.compress(content))
    assert counts(push(tmp_path, "--jobs", "2")) == (1, 2, 0, 0)
    assert database.rows("select name, path from raw.files") == [
        ("a.json", str(tmp_path / "a.json"))
    ]
    assert database.rows("select count(*) from raw.paths join raw.files using (file_id)") == [(3,)]


def test_a_touched_file_is_not_landed_again(push: Push, database: Database, tmp_path: Path) -> None:
    file = write(tmp_path / "a.json", CYCLER)
    push(file)
    files, _, _, documents, _ = everything(database)
    os.utime(file, (OLD, OLD))
    assert counts(push(file)) == (0, 1, 0, 0)
    assert everything(database)[0] == files
    assert everything(database)[3] == documents
    assert database.rows("select extract(epoch from modified_at)::bigint from raw.paths") == [
        (OLD,)
    ]


def test_changed_content_is_landed_beside_the_old(
    push: Push, database: Database, tmp_path: Path
) -> None:
    file = write(tmp_path / "a.json", {"version": 1})
    push(file)
    write(file, {"version": 22})
    assert counts(push(file)) == (1, 0, 0, 0)
    assert database.rows("select document from raw.documents order by file_id") == [
        ({"version": 1},),
        ({"version": 22},),
    ]
    assert database.rows("select document from raw.paths join raw.documents using (file_id)") == [
        ({"version": 22},)
    ]


def test_a_deleted_file_is_landed_anew(push: Push, database: Database, tmp_path: Path) -> None:
    push(write(tmp_path / "a.json", CYCLER))
    database.rows("delete from raw.files")
    assert database.rows("select 1 from raw.documents") == []
    assert counts(push(tmp_path)) == (1, 0, 0, 0)


@pytest.mark.clock
def test_a_push_that_finds_nothing_new_adds_half_a_second_at_most(
    run_loader: RunLoader, database: Database, tmp_path: Path
) -> None:
    for number in range(200):
        write(tmp_path / f"{number:03}.json", {"channel_id": number})

    def seconds(*args: str | Path) -> float:
        """Of processor time, which does not depend on what else the machine does."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert run_loader(*args, env=database.environment).returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime

    seconds("push", tmp_path)
    bare = min(seconds("--version") for _ in range(3))
    assert min(seconds("push", tmp_path) for _ in range(3)) < bare + 0.5


# ----------------------------------------------------------------------------------- bad files

BAD = {
    "array.json": (b"[1, 2]", "not a JSON object"),
    "cut.json": (b'{"barcode": "el1", "summary": {', "not valid JSON"),
    "cut.json.gz": (gzip.compress(b'{"a": 1}' * 100)[:-9], "broken gzip"),
    "deep.json": (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "too deeply nested"),
    "empty.json": (b"", "empty file"),
    "exponent.json": (b'{"a": 1e200000}', "a number out of range"),
    "latin1.json": ('{"a": "°C"}'.encode("latin-1"), "not UTF-8"),
    "nul.json": (b'{"a": "\\u0000"}', "a NUL character"),
    "page.json": (b"<!doctype html><title>404</title>", "not valid JSON"),
    "utf16.json": ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
}


def test_bad_files_are_rejected_with_a_reason_and_hold_up_no_other(
    push: Push, database: Database, tmp_path: Path
) -> None:
    for name, (content, _) in BAD.items():
        write(tmp_path / name, content)
    write(tmp_path / "a.json", {"good": 1})
    write(tmp_path / "z.json", {"good": 2})
    write(tmp_path / "folder.json" / "inside.json", {"good": 3})
    said = push(tmp_path, "--jobs", "2")
    assert counts(said) == (3, 0, len(BAD), 1)
    assert dict(database.rows("select name, reason from raw.rejections")) == {
        name: reason for name, (_, reason) in BAD.items()
    }
    assert database.rows("select 1 from raw.rejections where detail = ''") == []
    assert names(database) == ["a.json", "inside.json", "z.json"]
    before = everything(database)
    assert counts(push(tmp_path)) == (0, 3 + len(BAD), 0, 0)
    assert everything(database) == before


def test_a_rejection_goes_away_once_the_file_lands_or_is_gone(
    push: Push, database: Database, tmp_path: Path
) -> None:
    mended = write(tmp_path / "mended.json", b"{")
    removed = write(tmp_path / "removed.json", b"{")
    assert counts(push(tmp_path)) == (0, 0, 2, 1)
    write(mended, CYCLER)
    removed.unlink()
    assert counts(push(tmp_path)) == (1, 0, 0, 0)
    assert database.rows("select 1 from raw.rejections") == []


def test_a_bad_version_of_a_landed_file_is_rejected_until_the_good_one_is_back(
    push: Push, database: Database, tmp_path: Path
) -> None:
    file = write(tmp_path / "a.json", CYCLER)
    os.utime(file, (OLD, OLD))
    push(file)
    assert counts(push(write(file, b"{"))) == (0, 0, 1, 1)
    assert names(database) == ["a.json"]
    write(file, CYCLER)
    os.utime(file, (OLD, OLD))
    assert counts(push(file)) == (0, 1, 0, 0)
    assert database.rows("select 1 from raw.rejections") == []


def test_a_file_that_could_not_be_read_is_tried_again(
    push: Push, database: Database, tmp_path: Path
) -> None:
    (tmp_path / "a.json").symlink_to("target")
    args = (tmp_path, "--follow-symlinks")
    assert counts(push(*args)) == (0, 0, 1, 1)
    assert database.rows("select reason from raw.rejections") == [("cannot be read",)]
    assert counts(push(*args)) == (0, 1, 0, 0)
    write(tmp_path / "target", CYCLER)
    assert counts(push(*args)) == (1, 0, 0, 0)
    assert database.rows("select 1 from raw.rejections") == []


def test_a_rejected_file_is_read_again_where_that_is_asked_for(
    push: Push, database: Database, tmp_path: Path
) -> None:
    file = write(tmp_path / "a.json", CYCLER)
    write(tmp_path / "b.json", b"{")
    size = file.stat().st_size
    limit = ("--max-file-size", str(size - 1))
    assert counts(push(tmp_path, *limit)) == (0, 0, 2, 1)
    assert set(database.rows("select reason from raw.rejections")) == {
        ("too large",),
        ("not valid JSON",),
    }
    assert counts(push(tmp_path, "--max-file-size", str(size))) == (0, 2, 0, 0)
    retried = push(tmp_path, "--max-file-size", str(size), "--retry-rejected")
    assert counts(retried) == (1, 1, 0, 0)
    assert database.rows("select name from raw.rejections") == [("b.json",)]


# --------------------------------------------------------------------- links, files being written


def test_links_in_a_folder_are_followed_where_that_is_asked_for(
    push: Push, database: Database, tmp_path: Path
) -> None:
    write(tmp_path / "elsewhere" / "a.json", CYCLER)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.json").symlink_to("../elsewhere/a.json")
    (folder / "loop").symlink_to(".")
    (folder / "outside").symlink_to("../elsewhere")
    said = push(folder)
    assert counts(said) == (0, 3, 0, 0)
    assert {file["reason"] for file in said["files"]} == {
        "a symbolic link, not followed without --follow-symlinks"
    }
    assert counts(push(folder, "--follow-symlinks")) == (1, 1, 0, 0)
    assert names(database) == ["a.json"]
    assert [
        Path(path).parent.name for (path,) in database.rows("select path from raw.paths order by 1")
    ] == [
        "folder",
        "outside",
    ]


def test_a_link_named_directly_is_followed(push: Push, database: Database, tmp_path: Path) -> None:
    write(tmp_path / "elsewhere" / "a.json", CYCLER)
    (tmp_path / "file.json").symlink_to("elsewhere/a.json")
    (tmp_path / "folder").symlink_to("elsewhere")
    assert counts(push(tmp_path / "file.json", tmp_path / "folder")) == (1, 1, 0, 0)


def test_a_file_that_changed_just_now_is_waited_for_while_others_land(
    push: Push, database: Database, tmp_path: Path
) -> None:
    just_now, in_future = write(tmp_path / "a.json", CYCLER), write(tmp_path / "b.json", {})
    write(tmp_path / "c.json", {"settled": 1})
    os.utime(just_now)
    os.utime(in_future, (OLD * 2, OLD * 2))
    said = push(tmp_path, "--settle", "0.6", "--jobs", "1")
    assert counts(said) == (3, 0, 0, 0)
    assert said["seconds"] > 0.6
    landed = database.rows("select name from raw.files order by loaded_at")
    assert landed[0] == ("c.json",)
    assert names(database) == ["a.json", "b.json", "c.json"]


@pytest.mark.clock
def test_nothing_is_waited_for_where_that_is_not_wanted(push: Push, tmp_path: Path) -> None:
    os.utime(write(tmp_path / "a.json", CYCLER), (OLD * 2, OLD * 2))
    said = push(tmp_path, "--settle", "0")
    assert counts(said) == (1, 0, 0, 0)
    assert said["seconds"] < 2


def test_a_file_that_goes_on_changing_is_left_to_the_next_push(
    push: Push, database: Database, tmp_path: Path
) -> None:
    growing = write(tmp_path / "a.json", CYCLER)
    os.utime(growing)
    done = threading.Event()

    def grow() -> None:
        while not done.wait(0.05):
            with growing.open("ab") as file:
                file.write(b" ")

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        said = push(tmp_path, "--settle", "0.5")
    finally:
        done.set()
        writer.join()
    assert counts(said) == (0, 1, 0, 0)
    assert said["files"][0]["reason"] == "still being written: left to the next push"
    assert database.rows("select 1 from raw.rejections") == []
    assert counts(push(tmp_path)) == (1, 0, 0, 0)


# ------------------------------------------------------------------- workers, signals, crashes


def test_files_beyond_the_memory_go_one_by_one(push: Push, tmp_path: Path) -> None:
    for number in range(4):
        write(tmp_path / f"{number}.json", {"channel_id": number})
    assert counts(push(tmp_path, "--jobs", "2", "--max-memory", "1")) == (4, 0, 0, 0)


def test_ids_follow_the_order_of_paths_whatever_the_workers(
    database: Database, tmp_path: Path
) -> None:
    for number in range(6):
        write(tmp_path / f"{number}.json", {"channel_id": number})
    first = hashlib.sha256((tmp_path / "0.json").read_bytes()).digest()
    with database.connect(autocommit=False) as connection:
        Zone(connection).prepare()
        connection.commit()
        connection.execute(  # the worker that has the first file waits for what comes of this
            "insert into raw.files values (0, %s, '', '', 0, now(), 1, 0)", [first]
        )
        with loader(database, "push", tmp_path, "--jobs", "2") as process:
            wait_until(lambda: len(names(database)) == 5)
            connection.rollback()
            process.communicate(timeout=30)
    assert process.returncode == 0
    assert names(database) == [f"{number}.json" for number in range(6)]


def test_a_killed_worker_loses_nothing(database: Database, tmp_path: Path) -> None:
    with loader(database, "push", two_files(tmp_path), "--jobs", "1") as process:
        with copying_held_up(database) as wait_for_worker:
            wait_for_worker()
            os.kill(workers(process)[0].pid, signal.SIGKILL)
            wait_for_worker()
        stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, stderr) == (0, "")
    assert re.match(r"landed    0\.json .*\nlanded    1\.json .*\nlanded 2 files in ", stdout)
    assert names(database) == ["0.json", "1.json"]
    assert nothing_half_landed(database)


def test_a_loader_killed_outright_takes_its_workers_with_it(
    database: Database, tmp_path: Path
) -> None:
    with loader(database, "push", two_files(tmp_path), "--jobs", "1") as process:
        with copying_held_up(database) as wait_for_worker:
            wait_for_worker()
            orphans = workers(process)
            process.kill()
            process.wait()
            wait_until(lambda: not any(map(alive, orphans)))
        wait_until(lambda: database.rows("select count(*) from raw.files") == [(0,)])
    assert len(orphans) == 1
    assert nothing_half_landed(database)


def alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_file_whose_worker_dies_twice_is_rejected_and_the_next_one_lands(
    database: Database, tmp_path: Path
) -> None:
    with loader(database, "push", two_files(tmp_path), "--jobs", "2") as process:
        with copying_held_up(database) as wait_for_worker:
            wait_for_worker()
            wait_for_worker()
            for worker in workers(process):
                os.kill(worker.pid, signal.SIGKILL)
            wait_for_worker()  # one of the two files, now alone
            assert len(workers(process)) == 1
            os.kill(workers(process)[0].pid, signal.SIGKILL)
            wait_for_worker()
        stdout, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    ((rejected, reason, detail),) = database.rows("select name, reason, detail from raw.rejections")
    assert reason == "crashed the reader"
    assert "SIGKILL" in detail
    assert sorted([rejected, *names(database)]) == ["0.json", "1.json"]
    assert f"{rejected}: crashed the reader" in stdout


def test_two_loaders_at_once_leave_no_duplicates(database: Database, tmp_path: Path) -> None:
    for number in range(12):
        write(tmp_path / f"{number:02}.json", CYCLER | {"channel_id": number // 2})
    args = ("push", tmp_path, "--jobs", "2")
    with loader(database, *args) as one, loader(database, *args) as other:
        for process in (one, other):
            _, stderr = process.communicate(timeout=60)
            assert (process.returncode, stderr) == (0, "")
    assert names(database) == [f"{number:02}.json" for number in range(0, 12, 2)]
    assert database.rows("select count(*) from raw.paths") == [(12,)]
    assert nothing_half_landed(database)


def test_the_lower_id_stands_where_two_land_the_same_content(
    database: Database, tmp_path: Path
) -> None:
    early, late = (write(tmp_path / name, points(9)) for name in ("early.json", "late.json"))
    outcomes = []

    def land_early() -> None:
        with database.connect(application_name="early") as connection:
            outcomes.append(Lander(Zone(connection), 100).land(FileOnDisk.at(early), 3))

    with database.connect() as connection:
        Zone(connection).prepare()
        with connection.transaction():
            Lander(Zone(connection), 100).land(FileOnDisk.at(late), 7)
            thread = threading.Thread(target=land_early)
            thread.start()
            wait_until(
                lambda: bool(
                    database.rows(
                        "select 1 from pg_stat_activity"
                        " where application_name = 'early' and wait_event_type = 'Lock'"
                    )
                )
            )
        thread.join()
    assert [(one.outcome, one.file_id) for one in outcomes] == [("skipped", 3)]
    assert database.rows("select file_id, name from raw.files") == [(3, "early.json")]
    assert database.rows("select distinct file_id from raw.documents") == [(3,)]
    assert database.rows("select path, file_id from raw.paths order by path") == [
        (str(early), 3),
        (str(late), 3),
    ]
    assert nothing_half_landed(database)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_the_file_in_hand_finish_and_begins_no_other(
    database: Database, tmp_path: Path, number: signal.Signals
) -> None:
    with loader(database, "push", two_files(tmp_path), "--jobs", "1") as process:
        with copying_held_up(database) as wait_for_worker:
            wait_for_worker()
            os.killpg(process.pid, number)  # as Ctrl-C does, and PM2: workers get it, too
            said = process.stderr.readline() if process.stderr else ""
        stdout, _ = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert said == "finishing the files begun; once more rolls them back\n"
    assert re.search(r"^landed 1 file, unfinished 1 in ", stdout, re.MULTILINE)
    assert names(database) == ["0.json"]
    assert nothing_half_landed(database)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_before_there_is_anything_to_finish_ends_the_push_without_a_word(
    database: Database, tmp_path: Path, number: signal.Signals
) -> None:
    with (
        copying_held_up(database) as backend,
        database.connect(autocommit=False) as other,
        loader(database, "push", two_files(tmp_path)) as process,
    ):
        other.execute("lock table raw.runs")
        backend()
        os.killpg(process.pid, number)
        assert process.communicate(timeout=30) == ("", "")
    assert process.returncode == 128 + number
    assert not database.rows("select from raw.runs where outcome is distinct from 'interrupted'")
    assert names(database) == []


def test_a_second_signal_rolls_the_file_in_hand_back(database: Database, tmp_path: Path) -> None:
    with (
        loader(database, "push", two_files(tmp_path), "--jobs", "1") as process,
        copying_held_up(database) as wait_for_worker,
    ):
        wait_for_worker()
        assert process.stderr is not None
        for _ in range(2):
            os.killpg(process.pid, signal.SIGINT)
            process.stderr.readline()
        process.wait(timeout=30)
    assert process.returncode == 130
    assert names(database) == []


def test_a_lost_connection_ends_the_push_with_nothing_half_landed(
    database: Database, tmp_path: Path
) -> None:
    with (
        loader(database, "push", two_files(tmp_path), "--jobs", "1") as process,
        copying_held_up(database) as wait_for_worker,
    ):
        database.rows("select pg_terminate_backend(%s)", wait_for_worker())
        stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == 3
    assert re.match(r"landed 0 files, unfinished 2 in ", stdout)
    assert re.match(r"loader: the database was lost: terminating connection", stderr)
    assert names(database) == []


def test_a_push_with_nothing_new_waits_for_no_other_loader(
    push: Push, database: Database, tmp_path: Path
) -> None:
    push(two_files(tmp_path))
    with database.connect(autocommit=False) as other:
        other.execute("select pg_advisory_xact_lock(hashtext('battery-elt: layout of raw'))")
        other.execute("lock table raw.documents, raw.files in share row exclusive mode")
        assert counts(push(tmp_path)) == (0, 2, 0, 0)


def test_layout_is_brought_up_to_date(database: Database) -> None:
    with database.connect() as connection:
        Zone(connection).prepare()
        connection.execute("drop table raw.rejections")
        connection.execute("comment on table raw.files is 'an older layout'")
        Zone(connection).prepare()
        Zone(connection).prepare()
    assert database.rows("select count(*) from raw.rejections") == [(0,)]


def test_a_user_who_may_only_read_is_told_so(
    call_loader: RunLoader, database: Database, tmp_path: Path
) -> None:
    name = f"reader_{os.getpid()}"
    database.rows(f"create role {name} login")
    try:
        done = call_loader("push", tmp_path, env=database.environment | {"PGUSER": name})
    finally:
        database.rows(f"drop role {name}")
    assert done.returncode == 3
    assert re.match(
        r"loader: Schema raw is to be laid out first: permission denied for database .*\n"
        r"Run `loader init` as the owner of the database\.",
        done.stderr,
    )
    with pytest.raises(psycopg.errors.UndefinedTable):
        database.rows("select 1 from raw.files")
