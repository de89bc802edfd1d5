"""Whatever happens to a push: the next one leaves what an undisturbed one does."""

import os
import random
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import psutil
import psycopg
import pytest
from conftest import Database, do_not_wait_for_disks, environment, fresh_database, scratch_home
from disk import disk
from faults import BY_DEFAULT, FAULTS
from pushing import copying_held_up, loader, points, wait_until, workers, write
from workers import workers_here

from loader import push
from loader.outcome import Limits, Listener
from loader.server.embedded import Server

SEED = 20170630
MIB = 2**20

covered: set[str] = set()
Test = TypeVar("Test", bound=Callable[..., None])


def fault(name: str) -> Callable[[Test], Test]:
    """The test does this to a push, as often as the list has it; beyond a few, every night."""
    covered.add(name)
    trials = [
        pytest.param(trial, marks=[pytest.mark.nightly] if trial >= BY_DEFAULT.get(name, 1) else [])
        for trial in range(FAULTS[name])
    ]
    return pytest.mark.parametrize("trial", trials)


@pytest.fixture
def database(lone_database: Database) -> Database:
    """Loaders are killed here, and what they started may live on."""
    return lone_database


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small files, two of three parts, and a bad one."""
    folder = tmp_path_factory.mktemp("faults") / "data"
    for number in range(6):
        write(folder / f"{number}.json", points(200 + number))
    for number in (6, 7):
        write(folder / f"{number}.json", points(100_000 + number))
    write(folder / "bad.json", b'{"cut": [1, 2')
    return folder


@pytest.fixture(scope="module")
def undisturbed(server: Server, data: Path) -> list[Any]:
    with fresh_database(server) as database:
        return after_another_push(database, data)


def after_another_push(database: Database, data: Path) -> list[Any]:
    """What raw holds after one more push, which has to be sound."""
    limits = Limits(jobs=1, part_size=MIB, max_memory=1 << 32)
    with environment(database.environment), workers_here():
        push.push([data], limits, Listener())
    assert not database.rows(
        "select file_id from raw.files full join raw.documents using (file_id)"
        " group by file_id, part_count having count(part_no) is distinct from part_count"
    )
    assert not database.rows("select from raw.files group by sha256 having count(*) > 1")
    wait_until(lambda: not locks(database))
    return [
        database.rows(
            "select sha256, name, size_bytes, part_count, non_finite_count, part_no, first_point,"
            " md5(document::text)"
            " from raw.files join raw.documents using (file_id) order by name, part_no"
        ),
        database.rows("select path, reason, detail from raw.rejections order by path"),
    ]


def locks(database: Database) -> list[Any]:
    return database.rows(
        "select from pg_locks where locktype = 'advisory'"
        " and database = (select oid from pg_database where datname = current_database())"
    )


def pushing(database: Database, data: Path, *more: str) -> Any:
    return loader(database, "push", data, "--part-size", "1MiB", *more)


@pytest.fixture(scope="module")
def own_server() -> Iterator[Server]:
    """It may be killed."""
    with scratch_home() as home:
        server = Server(home)
        server.start()
        do_not_wait_for_disks(server)
        yield server


@pytest.fixture
def own_database(own_server: Server) -> Database:
    """The one that a loader starts the server for, empty again."""
    own_server.start()
    database = Database(own_server.environment() | {"BATTERY_HOME": str(own_server.home)})
    database.rows("drop schema if exists raw cascade")
    return database


# ------------------------------------------------------------------------------------- the loader


@fault("the loader, at a random moment")
def test_a_killed_loader(
    database: Database, data: Path, undisturbed: list[Any], trial: int
) -> None:
    moment = random.Random(SEED + trial).uniform(0, 1.5)
    with pushing(database, data) as process:
        time.sleep(moment)
        process.kill()
    assert after_another_push(database, data) == undisturbed


@fault("a worker")
def test_a_killed_worker(
    database: Database, data: Path, undisturbed: list[Any], trial: int
) -> None:
    with pushing(database, data, "--jobs", "1") as process:
        with copying_held_up(database) as wait_for_worker:
            wait_for_worker()
            for worker in workers(process):
                worker.kill()
        stdout, _ = process.communicate(timeout=60)
    assert process.returncode == 1  # the bad file's
    assert "landed 8 files, rejected 1 in " in stdout
    assert after_another_push(database, data) == undisturbed


@fault("the loader, by SIGINT or SIGTERM, once or twice")
def test_a_signal(database: Database, data: Path, undisturbed: list[Any], trial: int) -> None:
    number = (signal.SIGINT, signal.SIGTERM)[trial % 2]
    times = (1, 2, 2, 1)[trial]
    with pushing(database, data, "--jobs", "1") as process:
        with copying_held_up(database) as wait_for_worker:
            wait_for_worker()
            for _ in range(times):
                os.killpg(process.pid, number)
                assert process.stderr is not None
                process.stderr.readline()
            if times == 2:
                process.wait(timeout=30)
        stdout, _ = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert f"landed {2 - times} file" in stdout
    assert after_another_push(database, data) == undisturbed


@fault("two loaders on one folder")
def test_two_loaders(database: Database, data: Path, undisturbed: list[Any], trial: int) -> None:
    together(database, data, 2)
    assert after_another_push(database, data) == undisturbed


@fault("eight loaders on one folder")
def test_eight_loaders(database: Database, data: Path, undisturbed: list[Any], trial: int) -> None:
    together(database, data, 8)
    assert after_another_push(database, data) == undisturbed


def together(database: Database, data: Path, count: int) -> None:
    """Several loaders on one folder; each leaves with 0 or, where it met the bad file, with 1."""
    processes = [pushing(database, data, "--jobs", "1") for _ in range(count)]
    running = [process.__enter__() for process in processes]
    try:
        codes = [process.communicate(timeout=120) and process.returncode for process in running]
    finally:
        for process in processes:
            process.__exit__(None, None, None)
    assert set(codes) <= {0, 1}
    assert 1 in codes


# ------------------------------------------------------------------------------------- the server


@fault("one connection")
def test_an_ended_connection(
    database: Database, data: Path, undisturbed: list[Any], trial: int
) -> None:
    def end(backend: int) -> None:
        database.rows("select pg_terminate_backend(%s)", backend)

    in_mid_load(database, data, end)
    assert after_another_push(database, data) == undisturbed


@fault("a server process")
def test_a_killed_backend(
    own_database: Database, data: Path, undisturbed: list[Any], trial: int
) -> None:
    in_mid_load(own_database, data, lambda backend: os.kill(backend, signal.SIGKILL))
    wait_until(lambda: answers(own_database))  # after its crash recovery
    assert after_another_push(own_database, data) == undisturbed


@fault("the whole server")
def test_a_killed_server(
    own_database: Database, data: Path, undisturbed: list[Any], trial: int
) -> None:
    def kill(backend: int) -> None:
        postmaster = psutil.Process(backend).parent()
        assert postmaster is not None
        for process in [postmaster, *postmaster.children()]:
            with suppress(psutil.NoSuchProcess):  # gone with the postmaster
                process.kill()

    in_mid_load(own_database, data, kill)
    assert after_another_push(own_database, data) == undisturbed  # which starts it again


@fault("the server")
def test_a_stopped_server(
    own_server: Server, own_database: Database, data: Path, undisturbed: list[Any], trial: int
) -> None:
    in_mid_load(own_database, data, lambda backend: own_server.stop())
    own_server.start()
    assert after_another_push(own_database, data) == undisturbed


def in_mid_load(database: Database, data: Path, happens: Callable[[int], None]) -> None:
    with pushing(database, data) as process:
        try:
            with copying_held_up(database) as wait_for_worker:
                happens(wait_for_worker())
        except psycopg.OperationalError:
            pass  # the test's own connection is gone, too
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 3
    assert re.search("^loader: ", stderr, re.MULTILINE)
    assert "Traceback" not in stderr


def answers(database: Database) -> bool:
    try:
        return database.rows("select 1") == [(1,)]
    except psycopg.OperationalError:
        return False


@fault("by a server that is down at the start")
def test_a_server_that_comes_back(
    own_server: Server, own_database: Database, data: Path, undisturbed: list[Any], trial: int
) -> None:
    own_server.stop()
    host = quote(own_database.environment["PGHOST"], safe="")
    named = Database({"DATABASE_URL": f"postgresql://postgres@/battery?host={host}"})
    with pushing(named, data) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("PostgreSQL does not answer: trying again")
        own_server.start()
        stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (1, "")  # the bad file's
    assert "landed 8 files, rejected 1 in " in stdout
    assert after_another_push(own_database, data) == undisturbed


@fault("by timeouts set for statements, locks and idle sessions")
def test_timeouts_do_not_reach_a_push(
    database: Database, data: Path, undisturbed: list[Any], trial: int
) -> None:
    timeouts = ("statement", "lock", "idle_in_transaction_session", "idle_session")
    options = " ".join(f"-c {name}_timeout=200" for name in timeouts)
    limited = Database(database.environment | {"PGOPTIONS": options})
    with pushing(limited, data) as process:
        with copying_held_up(database) as wait_for_worker:
            wait_for_worker()
            time.sleep(0.5)
        stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (1, "")  # the bad file's
    assert "landed 8 files, rejected 1 in " in stdout
    assert after_another_push(database, data) == undisturbed


@fault("by a full disk")
def test_a_full_disk(
    own_database: Database, data: Path, undisturbed: list[Any], trial: int
) -> None:
    folder = Path(own_database.environment["PGHOST"]).parent / "small"
    folder.mkdir()
    with disk(folder) as resize:
        owner = Path(own_database.environment["PGHOST"]).stat()
        os.chown(folder, owner.st_uid, owner.st_gid)
        own_database.rows(f"create tablespace small location '{folder}'")
        own_database.rows("create database small tablespace small")
        small = Database(own_database.environment | {"PGDATABASE": "small"})
        resize(shutil.disk_usage(folder).used + MIB)
        with pushing(small, data, "--jobs", "1") as process:
            _, stderr = process.communicate(timeout=60)
        assert process.returncode == 3
        assert "No space left on device" in stderr
        assert small.rows("select reason from raw.rejections where reason !~ 'JSON'") == []
        resize(1 << 30)
        assert after_another_push(small, data) == undisturbed
        own_database.rows("drop database small")
        own_database.rows("drop tablespace small")


# -------------------------------------------------------------------------------------- the files


@fault("a file gone before it is read")
def test_a_file_that_goes(
    database: Database, data: Path, undisturbed: list[Any], tmp_path: Path, trial: int
) -> None:
    going = write(data / "9.json", points(9))
    with pushing(database, data, "--jobs", "1") as process:
        with copying_held_up(database) as wait_for_worker:
            wait_for_worker()
            going.unlink()
        stdout, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert f"rejected  {going}: cannot be read (No such file or directory)\n" in stdout
    assert after_another_push(database, data) == undisturbed  # nothing is held against it


def test_every_fault_on_the_list_has_its_test() -> None:
    assert covered == set(FAULTS)
