"""The loader run by the real PM2, as a server would run it."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

import one_model
import psutil
import psycopg
import pytest
from checkout import LEFT_OUT
from conftest import PROJECT, Database, clean_environment, free_port, scratch_home
from pushing import CYCLER, copying_held_up, nothing_half_landed, write

from loader.server.embedded import Server

MODEL = "select document ->> 'barcode' as barcode from raw.documents"
"""All that is built here; what PM2 runs on the real project is seen by test_readme.py."""
PROGRAM = (
    "from loader.cli import main; from loader.server import database;"
    " database.PATIENCE = 1; main()"  # not ten seconds
)


@pytest.fixture(scope="session")
def pm2_command(tmp_path_factory: pytest.TempPathFactory) -> str:
    """PM2 from npm; left out where there is no node, but never in CI."""
    in_ci = os.environ.get("CI") == "true"
    if not (shutil.which("node") and shutil.which("npm")) and not in_ci:
        pytest.skip("needs node and npm")
    folder = tmp_path_factory.mktemp("npm")
    install = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), "pm2@7"]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    if done.returncode and not in_ci:
        pytest.skip(f"npm cannot install PM2: {done.stderr[-300:]}")
    assert done.returncode == 0, done.stderr
    return str(folder / "node_modules" / ".bin" / "pm2")


@dataclass
class Pm2:
    """A checkout of the loader, its data folder and its .env, with a PM2 of its own."""

    command: str
    folder: Path
    server: Server
    home: Path
    started: float = field(default_factory=time.monotonic)

    def says(self, text: str) -> None:
        print(f"{time.monotonic() - self.started:6.1f} s  {text}")

    def environment(self) -> dict[str, str]:
        own = {"PM2_HOME": str(self.home), "PM2_DISABLE_VERSION_CHECK": "true"}
        return clean_environment() | own

    def run(self, *args: str) -> str:
        done = subprocess.run(
            [self.command, *args],
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self, **settings: str) -> None:
        self.settings(**settings)
        self.run("start", "ecosystem.config.js")

    def forget(self) -> None:
        """Until nothing runs, and nothing will."""
        self.run("stop", "all")
        self.run("delete", "all")
        quiet = time.monotonic()
        while time.monotonic() < quiet + 1:  # a tick of just before may have begun one more run
            if self.is_at_work():
                quiet = time.monotonic()
            time.sleep(0.1)

    def is_at_work(self) -> bool:
        """Whether a loader runs in this checkout, be it one that PM2 has forgotten."""
        return any(
            process.info["cwd"] == str(self.folder)
            and PROGRAM in " ".join(process.info["cmdline"] or [])
            for process in psutil.process_iter(["cmdline", "cwd"])
        )

    @cached_property
    def tick(self) -> int:
        """Seconds between two runs: long against an idle one, however busy the machine."""
        began = time.monotonic()
        self.loader_says("--version")
        return max(3, round(8 * (time.monotonic() - began)))

    def loader_says(self, *args: str) -> str:
        """As somebody asks it on that server, in the folder of the checkout."""
        done = subprocess.run(
            [self.folder / ".venv" / "bin" / "loader", *args],
            env=clean_environment() | {"BATTERY_HOME": str(self.server.home)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def begin(self, *args: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [self.command, *args],
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )

    def app(self, name: str = "battery-loader") -> dict[str, Any]:
        """As `pm2 jlist` has it."""
        out = self.run("jlist")
        apps = json.loads(out[out.index("[{") :])
        (app,) = [app for app in apps if app["name"] == name]
        return app["pm2_env"] | {"pid": app["pid"]}

    def exits(self) -> list[int]:
        """The exit codes of all runs until now, as PM2 noted them."""
        noted = re.findall(r"App \[battery-loader:\d+\] exited with code \[(\d+)\]", self.pm2_log())
        return list(map(int, noted))

    def wait_for_exit(self, what: str, code: int) -> None:
        """Until a run that has not ended yet ends with the code."""
        before = len(self.exits())
        self.wait_for(what, lambda: code in self.exits()[before:])

    def pm2_log(self) -> str:
        return (self.home / "pm2.log").read_text()

    def log(self) -> list[dict[str, Any]]:
        """What the loader logged; every line is JSON."""
        path = self.home / "logs" / "battery-loader-out.log"
        return [json.loads(line) for line in path.read_text().splitlines()]

    @property
    def database(self) -> Database:
        return Database(self.server.environment())

    def settings(self, **settings: str) -> None:
        lines = [f"{name}={value}\n" for name, value in settings.items()]
        (self.folder / ".env").write_text("# settings of this server\n" + "".join(lines))

    def drop_in(self, *numbers: int) -> None:
        """A file a number, each of a battery of its own; there all at once, as `mv` does it."""
        for number in numbers:
            part = self.folder / f"FastCharge_{number:02}_structure.json.part"
            part.write_text(json.dumps(CYCLER | {"barcode": f"PM{number:02}"}))
            part.rename(self.folder / "data" / part.stem)

    def landed(self) -> list[str]:
        query = "select name from raw.files order by name"
        return [name[11:13] for (name,) in self.database.rows(query)]

    def published(self, *numbers: int) -> bool:
        """Whether the batteries are in the table."""
        try:
            rows = self.database.rows("select barcode from battery.landed")
        except psycopg.Error:  # no table yet, or no server
            return False
        return {(f"PM{number:02}",) for number in numbers} <= set(rows)

    def runs(self) -> int:
        return int(self.database.rows("select count(*) from raw.runs")[0][0])

    def state(self) -> str:
        """What there is to see when something does not happen."""
        app = self.app()
        logs = [self.home / "pm2.log", *sorted((self.home / "logs").iterdir())]
        tails = [f"{log.name}:\n{log.read_text()[-2000:]}" for log in logs]
        return "\n".join([f"{app['status']}, exit code {app['exit_code']}, {app['pid']}", *tails])

    def wait_for(self, what: str, happened: Callable[[], bool]) -> None:
        patience = 30 * self.tick
        deadline = time.monotonic() + patience
        while not happened():
            assert time.monotonic() < deadline, f"not within {patience} s: {what}\n{self.state()}"
            time.sleep(0.3)
        self.says(what)


@pytest.fixture
def pm2(pm2_command: str, tmp_path: Path) -> Iterator[Pm2]:
    folder = tmp_path / "checkout"
    home = Path(tempfile.mkdtemp(prefix="pm2-"))  # short: PM2 has sockets in it
    with scratch_home() as server_home:
        shutil.copytree(PROJECT / "loader", folder / "loader", ignore=LEFT_OUT)
        for name in ("ecosystem.config.js", "profiles.yml.example"):
            shutil.copy(PROJECT / name, folder)
        one_model.write(folder, MODEL)
        command = f"{sys.executable} -c '{PROGRAM}'"
        program = folder / ".venv" / "bin" / "loader"
        write(program, f'#!/bin/sh\nPYTHONPATH={folder} exec {command} "$@"\n'.encode())
        program.chmod(0o755)
        (folder / "data").mkdir()
        pm2 = Pm2(pm2_command, folder, Server(server_home), home)
        try:
            yield pm2
        finally:
            for name in ("battery-loader", "battery-docs"):
                for pid in (home / "pids").glob(f"{name}-*.pid"):  # not to wait for what it does
                    kill(int(pid.read_text() or 0))
            pm2.run("kill")
            shutil.rmtree(home)


def kill(pid: int) -> None:
    if pid and psutil.pid_exists(pid):
        psutil.Process(pid).kill()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def test_settings_come_from_the_environment_then_from_the_env_file(tmp_path: Path) -> None:
    if not shutil.which("node") and os.environ.get("CI") != "true":
        pytest.skip("needs node")
    shutil.copy(PROJECT / "ecosystem.config.js", tmp_path)
    program = write(tmp_path / ".venv" / "bin" / "loader", b"")
    (tmp_path / ".env").write_text(
        "# remark\n\n BATTERY_DATA = /srv/my data#1  # where the cyclers write to\n"
        'BATTERY_CRON="0 * * * *" # every hour\nBATTERY_DOCS_PORT=8081\nEMPTY=\n'
    )
    show = "console.log(JSON.stringify([require('./ecosystem.config.js').apps, process.env]))"
    done = subprocess.run(
        ["node", "-e", show],
        cwd=tmp_path,
        env=clean_environment() | {"BATTERY_DOCS_PORT": "9000"},
        capture_output=True,
        text=True,
        check=True,
    )
    (loader, docs), environment = json.loads(done.stdout)
    assert loader["script"] == docs["script"] == str(program)
    assert loader["args"][-1] == "/srv/my data#1"
    assert loader["cron_restart"] == "0 * * * *"
    assert docs["args"] == ["docs", "--port", "9000"]
    assert environment["EMPTY"] == ""


def test_it_runs_by_itself_under_pm2(pm2: Pm2) -> None:
    port = free_port()
    settings = {
        "BATTERY_HOME": str(pm2.server.home),
        "BATTERY_DATA": "data",  # as by default
        "BATTERY_CRON": f"'*/{pm2.tick} * * * * *'",
        "BATTERY_DOCS_PORT": str(port),
    }
    pm2.says(f"pm2 start ecosystem.config.js, a tick every {pm2.tick} s")
    pm2.start(**settings)
    pm2.run("save")
    pm2.wait_for("the first run ended with 0", lambda: 0 in pm2.exits())

    pm2.drop_in(1)
    pm2.says("a file dropped in")
    pm2.wait_for("it is in the table", lambda: pm2.published(1))
    runs = pm2.runs()
    pm2.wait_for("ticks with nothing new", lambda: pm2.runs() > runs + 1)
    pm2.wait_for_exit("... exit with 0", 0)
    assert pm2.database.rows(
        "select build from raw.runs where outcome = 'succeeded' order by run_id desc limit 1"
    ) == [("not needed",)]

    write(pm2.folder / "data" / "bad.json", b"{")
    pm2.says("a bad file dropped in")
    pm2.wait_for("the run that finds it exits with 1", lambda: 1 in pm2.exits())
    (said,) = [line for line in pm2.log() if line["event"] == "rejected"]
    assert (said["name"], said["reason"]) == ("bad.json", "not valid JSON")
    pm2.wait_for("the next one with 0", lambda: 0 in pm2.exits()[pm2.exits().index(1) :])

    with copying_held_up(pm2.database) as wait_for_worker:
        pm2.drop_in(2, 3, 4)
        pm2.says("three files whose load takes long, two at once")
        wait_for_worker()
        load, runs = pm2.app(), pm2.runs()
        time.sleep(2.2 * pm2.tick)
        later = pm2.app()
        assert (later["pid"], later["restart_time"]) == (load["pid"], load["restart_time"])
        assert pm2.runs() == runs
        pm2.says("two ticks later the same process is at work, and no other")
    pm2.wait_for("all three are in the table", lambda: pm2.published(2, 3, 4))

    pm2.forget()
    with copying_held_up(pm2.database) as wait_for_worker:
        pm2.drop_in(5, 6, 7)
        pm2.start(**settings | {"BATTERY_CRON": "'0 0 1 1 *'"})
        pm2.says("started anew with a tick a year")
        wait_for_worker()
        reload = pm2.begin("reload", "all")
        pm2.says("pm2 reload in mid-load")
        time.sleep(1)
    assert reload.wait(60) == 0
    pm2.wait_for("it went on and all three are in the table", lambda: pm2.published(5, 6, 7))
    pm2.wait_for("quiet", lambda: pm2.app()["status"] == "stopped")
    with copying_held_up(pm2.database) as wait_for_worker:
        pm2.drop_in(8)
        pm2.run("start", "battery-loader")
        wait_for_worker()
        stop = pm2.begin("stop", "battery-loader")
        pm2.says("pm2 stop in mid-load")
        time.sleep(1)
    assert stop.wait(60) == 0
    assert pm2.exits()[-1] == 130
    assert "08" in pm2.landed()
    assert nothing_half_landed(pm2.database)
    pm2.says("the file in hand was finished first")

    pm2.wait_for("the docs are served", lambda: answers(f"http://127.0.0.1:{port}/catalog.json"))
    pm2.run("kill")
    pm2.server.stop()
    pm2.says("the machine goes down: pm2 kill, the server stopped")
    assert not answers(f"http://127.0.0.1:{port}/")
    pm2.drop_in(9)
    pm2.run("resurrect")
    pm2.says("it is up again: pm2 resurrect")
    pm2.wait_for(
        "both files are in the table, this one and that of before",
        lambda: pm2.published(8, 9),
    )
    outcomes = pm2.database.rows("select distinct outcome from raw.runs where ended_at is not null")
    assert sorted(outcomes) == [("interrupted",), ("succeeded",)]
    assert not pm2.database.rows("select from raw.runs where outcome = 'broken off'")

    host = quote(pm2.server.environment()["PGHOST"], safe="")
    # a tick before a run gives up on a server that is down would end it
    settings["BATTERY_CRON"] = f"'*/{2 * pm2.tick} * * * * *'"
    pm2.forget()
    pm2.start(**settings, DATABASE_URL=f"postgresql://postgres@/battery?host={host}")
    pm2.says("from now on DATABASE_URL names the server, and no loader starts it")
    pm2.wait_for_exit("a run ended with 0", 0)
    pm2.server.stop()
    pm2.drop_in(10)
    pm2.says("the database is down, a file dropped in")
    pm2.wait_for_exit("runs exit with 3", 3)
    said = [line for line in pm2.log() if line["event"] == "error"][-1]
    assert said["exit_code"] == 3
    assert said["message"].startswith("No connection to PostgreSQL at ")
    pm2.server.start()
    pm2.says("the database is back")
    pm2.wait_for("the file is in the table", lambda: pm2.published(10))

    assert pm2.landed() == [f"{number:02}" for number in range(1, 11)]
    assert pm2.database.rows("select count(*) from battery.landed") == [(10,)]
    assert nothing_half_landed(pm2.database)
    assert never_two_at_once(pm2.database)
    pm2.wait_for("the docs are served again", lambda: answers(f"http://127.0.0.1:{port}/"))
    assert "bad.json" in pm2.loader_says("status", "--fail-if-older", "1m")


def never_two_at_once(database: Database) -> bool:
    return not database.rows(
        "select from raw.runs as one join raw.runs as other on one.run_id < other.run_id"
        " and other.started_at < one.ended_at"
    )
