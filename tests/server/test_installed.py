"""The package where its user may not write, in awkward folders, beside other dbt projects."""

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import built
import pytest
from checkout import LEFT_OUT, checkout, read_before
from conftest import PROJECT, Database, RunLoader, clean_environment, free_port, scratch_home

from loader.server.embedded import Server

ODD = 'O\'Brien "lab" {{ x }} %s $é'

MODEL = "select 1 as one"
"""What a clone builds; an installed package has the real project."""
SEED = ("build", "--select", "cell_types", "--exclude-resource-type", "test")

OF_OTHER_PROJECTS = {
    "DBT_TARGET": "prod",
    "DBT_PROFILE": "other",
    "DBT_EMPTY": "1",
    "DBT_DEFER": "1",
    "DBT_SAMPLE": "3 days",
    "DBT_FULL_REFRESH": "1",
    "DBT_EXCLUDE_RESOURCE_TYPES": "model",
    "DBT_RESOURCE_TYPES": "seed",
    "DBT_PROJECT_DIR": "/nowhere",
    "DBT_PROFILES_DIR": "/nowhere",
    "DBT_TARGET_PATH": "/nowhere",
    "DBT_LOG_PATH": "/nowhere",
    "DBT_WARN_ERROR": "1",
}


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """With a server."""
    with scratch_home() as folder:
        server = Server(folder / ODD)
        try:
            server.start()
            yield server.home
        finally:
            server.stop()
            if not server.data.is_relative_to(server.home.resolve()):
                shutil.rmtree(server.data, ignore_errors=True)


@pytest.fixture
def site_packages(tmp_path: Path) -> Path:
    """The package as a wheel puts it: the project inside, not beside."""
    folder = tmp_path / "site-packages"
    shutil.copytree(PROJECT / "loader", folder / "loader", ignore=LEFT_OUT)
    shutil.copytree(PROJECT / "dbt_project", folder / "loader" / "dbt_project", ignore=LEFT_OUT)
    shutil.copy(PROJECT / "profiles.yml.example", folder / "loader")
    return folder


def contents(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in [folder, *folder.rglob("*")]}


def test_a_package_that_is_installed_is_never_written_to(
    site_packages: Path, home: Path, database: Database, run_loader: RunLoader, tmp_path: Path
) -> None:
    """By two users beside each other, who have variables of other projects."""
    data = tmp_path / ODD
    file = built.write(data)[1]
    mine = {
        "PYTHONPATH": str(site_packages),
        "PYTHONDONTWRITEBYTECODE": "1",
        "BATTERY_HOME": str(home),
    }
    theirs = mine | {"BATTERY_HOME": str(tmp_path / "their home")} | database.environment
    for user in (mine, theirs):
        project, own = site_packages / "loader" / "dbt_project", Path(user["BATTERY_HOME"], "dbt")
        read_before(project, Server(home).environment() | user)
        own.mkdir(parents=True)
        (project / "target").rename(own / "target")
    before = contents(site_packages)
    push = ("push", "--settle", "0", "--build", file)
    for command, user in ((push, mine), (SEED, theirs)):
        done = run_loader(*command, env=user | OF_OTHER_PROJECTS, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        own = Path(user["BATTERY_HOME"], "dbt")
        written = sorted(path.name for path in own.iterdir() if path.name[0] != ".")
        assert written == ["logs", "profiles.yml", "target"]
    for user, query, answer in (
        (mine, "select barcode from battery.batteries", "ALONE"),
        (theirs, "select count(*) > 0 from battery_staging.cell_types", "t"),
    ):
        done = run_loader("sql", "--csv", query, env=user, cwd=tmp_path)
        assert done.stdout.splitlines()[1:] == [answer]
    done = run_loader("report", env=mine, cwd=data)
    assert done.returncode == 0, done.stderr
    assert "dbt Docs" in page_of_docs(mine, tmp_path)
    assert "Starting full parse" not in (home / "dbt" / "logs" / "dbt.log").read_text()
    assert contents(site_packages) == before


def page_of_docs(environment: dict[str, str], folder: Path) -> str:
    port = free_port()
    code = "from loader.cli import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", code, "docs", "--port", str(port)],
        env=clean_environment() | environment | OF_OTHER_PROJECTS,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        until = time.monotonic() + 90
        try:
            while True:
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
                        return str(answer.read().decode())
                except urllib.error.URLError:
                    assert time.monotonic() < until and process.poll() is None
                    time.sleep(0.2)
        finally:
            os.killpg(process.pid, signal.SIGTERM)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_clone_of_somebody_else_is_not_written_to(
    home: Path, run_loader: RunLoader, tmp_path: Path
) -> None:
    theirs = checkout(tmp_path / "clone", home, run_loader, model=MODEL)
    for path in (theirs.folder, *theirs.folder.rglob("*")):
        shutil.chown(path, "nobody")
    before = contents(theirs.folder)
    done = theirs.loader("build", env={"PYTHONDONTWRITEBYTECODE": "1"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert contents(theirs.folder) == before


def test_a_clone_of_ones_own_has_its_profile_beside_the_project(
    home: Path, run_loader: RunLoader, tmp_path: Path
) -> None:
    """In a folder of any name, so that plain dbt works there."""
    shutil.rmtree(home / "dbt", ignore_errors=True)  # of a package that is installed
    mine = checkout(tmp_path / ODD / "clone", home, run_loader, model=MODEL)
    done = mine.loader("build")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (mine.folder / "dbt_project" / "profiles.yml").exists()
    assert (mine.folder / "dbt_project" / "target" / "manifest.json").exists()
    assert not (home / "dbt").exists()
    assert "battery.landed" in mine.dbt("build")
