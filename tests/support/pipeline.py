"""The pipeline as tests drive it: land files, run dbt, read the published tables."""

import atexit
import csv
import gc
import io
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from conftest import PROJECT, Database, environment
from parsed import Place, follow, hand_on
from workers import workers_here

from loader import push
from loader.outcome import Limits, Listener, Summary

MIB = 1 << 20
TABLES = ("batteries", "battery_summaries", "battery_cycles_interpolated")
ONLY_TABLES = ("--select", *(f"+{name}" for name in TABLES))
"""For a build of these and of what they are made of."""

NO_OTHER_TEST = ("--indirect-selection", "empty")
"""For a build with a data test by its name: not all that look at a table which is built."""

GENERAL = ("--no-use-colors", "--log-level-file", "none")

_projects: dict[tuple[str, ...], Path] = {}


def project_of(database: Database) -> Path:
    """The dbt project as it is in the repository, in the folder of that database's name.

    Nothing of an earlier test is left in it; dbt need not read it.
    """
    key = tuple(database.environment[name] for name in ("PGHOST", "PGPORT", "PGDATABASE"))
    if key not in _projects:
        _projects[key] = Path(tempfile.mkdtemp(prefix="dbt-", dir=_folder())) / "dbt_project"
    project = _projects[key]
    shutil.rmtree(project, ignore_errors=True)
    ignored = shutil.ignore_patterns("profiles.yml", "target", "logs", ".user.yml")
    # with new times: a file that was edited and has its old time again is to dbt the edited one
    shutil.copytree(PROJECT / "dbt_project", project, ignore=ignored, copy_function=shutil.copyfile)
    shutil.copy(PROJECT / "profiles.yml.example", project / "profiles.yml")
    variables = database.environment
    hand_on(Place(project, variables), lambda: dbt(project, variables, "parse"))
    return project


@cache
def _folder() -> Path:
    """Goes away with the tests' process."""
    folder = Path(tempfile.mkdtemp(prefix="belt-dbt-"))
    atexit.register(shutil.rmtree, folder)
    return folder


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """A fifth of dbt's time goes into looking for garbage in what it has read of the project."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def dbt(
    project: Path, variables: Mapping[str, str], *arguments: str
) -> subprocess.CompletedProcess[str]:
    """What the command `dbt` does, in this process: one of its own takes 2 s to start.

    It writes no dbt.log, which nobody reads here: a sixth of its time.
    """
    from dbt.adapters.factory import reset_adapters
    from dbt.cli.main import dbtRunner

    output = io.StringIO()
    with (
        environment(variables),
        chdir(project),
        redirect_stdout(output),
        redirect_stderr(output),
        no_garbage_collection(),
    ):
        try:
            # dbt has all that called it looked up eleven times; in a thread that is little
            with ThreadPoolExecutor(1) as thread:
                result = thread.submit(dbtRunner().invoke, [*GENERAL, *arguments]).result()
        finally:
            reset_adapters()  # else the next run would ask this one's server
    code = 0 if result.success else 1 if result.exception is None else 2
    return subprocess.CompletedProcess(["dbt", *arguments], code, output.getvalue(), "")


@dataclass
class Pipeline:
    """One database, and a copy of the dbt project whose files a test may change."""

    database: Database
    project: Path
    output: str = ""

    @classmethod
    def create(cls, database: Database) -> "Pipeline":
        return cls(database, project_of(database))

    def push(self, *paths: Path, part_size: int = 32 * MIB, jobs: int = 1) -> Summary:
        """Lands files in this process; nothing may be rejected."""
        limits = Limits(jobs=jobs, part_size=part_size, max_memory=1 << 32)
        with environment(self.database.environment), workers_here():
            summary = push.push(paths, limits, Listener())
        assert summary.count("rejected") == 0, summary.outcomes
        return summary

    def dbt(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """dbt in the project, on the database."""
        follow(Place(self.project, self.database.environment))
        return dbt(self.project, self.database.environment, *arguments)

    def build(self, *arguments: str) -> str:
        """A `dbt build` that succeeds; gives its output."""
        result = self.dbt("build", *arguments)
        assert result.returncode == 0, result.stdout
        return result.stdout

    def build_tables(self, *arguments: str) -> str:
        """The models without the data tests, which would name what generated data is full of.

        Writes no manifest.json and no run_results.json, which takes as long as five models.
        """
        options = ("--no-write-json", "--exclude-resource-type", "test", "unit_test")
        return self.build(*options, *arguments)

    def analysis(self, name: str, target: str = "target") -> str:
        """The SQL of an analysis as `dbt compile` left it."""
        folder = self.project / target / "compiled" / "battery_elt" / "analyses"
        return (folder / f"{name}.sql").read_text()

    def exclude(self, files: Mapping[str, str]) -> None:
        """Writes the seed excluded_files: file name or sha256, and the reason."""
        with (self.project / "seeds" / "excluded_files.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("file", "reason"))
            writer.writerows(files.items())

    def table(self, name: str, columns: Iterable[str] | None = None) -> list[dict[str, Any]]:
        """The rows of a published table in the order of its key."""
        wanted = ", ".join(f'"{column}"' for column in columns) if columns else "*"
        with self.database.connect() as connection:
            cursor = connection.execute(f"select {wanted} from battery.{name} order by 1")
            names = [column.name for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor]

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        return {name: self.table(name) for name in TABLES}
