"""`loader push` and `dbt build`, measured as a user runs them, from a checkout of their own.

A copy, so that neither the profile nor the build results of this checkout change.
"""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.memory import Peaks, Watch
from benchmarks.server import Database

_ROOT = Path(__file__).resolve().parent.parent
_LOADER = (
    sys.executable,
    "-P",  # not from the current folder, but from where PYTHONPATH says
    "-c",
    "import sys; from loader.cli import main; sys.argv[0] = 'loader'; main()",
)
_DBT = (f"{sysconfig.get_path('scripts')}/dbt", "--no-use-colors")
_SLOWEST = 8


class Failed(Exception):
    """A command that is measured failed; the message has the end of its output."""


@dataclass
class Ran:
    """One run of a command; `steps` are the seconds of the slowest models and tests of a build.

    Of a build on Spark also seconds of processor time: by process, and the tasks' by model.
    """

    seconds: float
    peaks: Peaks
    steps: dict[str, float] = field(default_factory=dict)
    processor: dict[str, float] = field(default_factory=dict)
    tasks: dict[str, float] = field(default_factory=dict)


class Commands:
    """The commands of one checkout."""

    def __init__(self, folder: Path, postmaster: int | None) -> None:
        """Copy the loader and the dbt project to `folder`; `postmaster` as `Watch` takes it."""
        self._checkout = folder
        self._project = folder / "dbt_project"
        self._postmaster = postmaster
        shutil.rmtree(folder, ignore_errors=True)
        not_ours = shutil.ignore_patterns("__pycache__", "target", "logs", "profiles.yml")
        for name in ("loader", "dbt_project"):
            shutil.copytree(_ROOT / name, folder / name, ignore=not_ours)
        shutil.copy(_ROOT / "profiles.yml.example", folder)
        shutil.copy(_ROOT / "profiles.yml.example", self._project / "profiles.yml")

    def push(self, database: Database, folder: Path) -> Ran:
        """Land the files of a folder."""
        return self._run(database.environment(), *_LOADER, "push", str(folder))

    def push_to(self, folder: Path, landing: Path) -> Ran:
        """Land the files of a folder in another."""
        return self._run(os.environ, *_LOADER, "push", str(folder), "--to", str(landing))

    def build(self, database: Database) -> Ran:
        """Build and test the tables."""
        return self._build(database.environment())

    def build_on_spark(self, landing: Path, remote: str, *more: str) -> Ran:
        """Build and test the tables of a landing on a server of Spark Connect."""
        where = ("--target", "spark", "--vars", json.dumps({"landing": str(landing)}))
        return self._build(os.environ | {"SPARK_REMOTE": remote}, *where, *more)

    def version(self, database: Database) -> Ran:
        """Show the version: what it takes to start at all."""
        return self._run(database.environment(), *_LOADER, "--version")

    def _build(self, environment: Mapping[str, str], *more: str) -> Ran:
        where = ("--project-dir", str(self._project), "--profiles-dir", str(self._project))
        ran = self._run(environment, *_DBT, "build", *where, *more)
        ran.steps = self._steps()
        return ran

    def _run(self, environment: Mapping[str, str], *command: str) -> Ran:
        output = self._checkout / "output.txt"
        with output.open("wb") as file:
            started = time.monotonic()
            process = subprocess.Popen(
                command,
                env={**environment, "PYTHONPATH": str(self._checkout)},
                cwd=self._checkout,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
            with Watch([process.pid], self._postmaster) as watch:
                code = process.wait()
                seconds = time.monotonic() - started
        if code:
            end = output.read_text(errors="replace")[-4000:]
            raise Failed(f"{' '.join(command)} ended with exit code {code}:\n{end}")
        return Ran(seconds, watch.peaks)

    def _steps(self) -> dict[str, float]:
        path = self._project / "target" / "run_results.json"
        results = json.loads(path.read_text(encoding="utf-8"))["results"]
        steps = {one["unique_id"].split(".", 2)[2]: one["execution_time"] for one in results}
        slowest = sorted(steps, key=lambda name: steps[name], reverse=True)[:_SLOWEST]
        return {name: round(steps[name], 3) for name in slowest}
