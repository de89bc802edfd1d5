"""A copy of the project as somebody has it who works on it."""

import shutil
import subprocess
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import one_model
from conftest import PROJECT, Database, RunLoader, clean_environment
from parsed import Place, hand_on
from pipeline import TABLES, dbt

from loader import demo

LEFT_OUT = shutil.ignore_patterns(
    "profiles.yml", "target", "logs", ".user.yml", "__pycache__", "*.pyc"
)


CELL = demo.Run(
    barcode="DEMO0001",
    channel_id=7,
    first_cycle_at=demo.sample_runs()["FastCharge_900001_CH1_structure.json"].first_cycle_at,
    life=20,
    cycle_count=24,
    interpolated=range(2),
)


@dataclass
class Checkout:
    """A clone of its own, so that the profile written into it is not another test's."""

    folder: Path
    home: Path
    run_loader: RunLoader

    def loader(
        self, *args: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        mine = {"PYTHONPATH": str(self.folder), "BATTERY_HOME": str(self.home)}
        return self.run_loader(*args, cwd=cwd or self.folder, env=mine | dict(env or {}))

    def dbt(self, *args: str, env: Mapping[str, str] | None = None) -> str:
        """Typed plainly in dbt_project; it must succeed."""
        done = subprocess.run(
            [f"{sysconfig.get_path('scripts')}/dbt", *args],
            cwd=self.folder / "dbt_project",
            env=clean_environment() | dict(env or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def checkout(
    folder: Path,
    home: Path,
    run_loader: RunLoader,
    read_for: Mapping[str, str] | None = None,
    model: str | None = None,
) -> Checkout:
    """`read_for`: the PG* variables of a database for which dbt has read the project before.

    With a `model` its dbt project is of that one.
    """
    shutil.copytree(PROJECT / "loader", folder / "loader", ignore=LEFT_OUT)
    if model:
        one_model.write(folder, model)
    else:
        shutil.copytree(PROJECT / "dbt_project", folder / "dbt_project", ignore=LEFT_OUT)
    shutil.copy(PROJECT / "profiles.yml.example", folder)
    if read_for:
        read_before(folder / "dbt_project", read_for)
    return Checkout(folder, home, run_loader)


def read_before(project: Path, variables: Mapping[str, str]) -> None:
    """Leaves in a copy of the real project what dbt has read of it, for a database."""
    profile = project / "profiles.yml"

    def read() -> None:
        shutil.copy(PROJECT / "profiles.yml.example", profile)
        # of no name that the project has, too: one is put in the place of the other
        dbt(project, {**variables, "PGDATABASE": "read_first"}, "parse")
        profile.unlink()

    hand_on(Place(project, variables), read)


def counts(environment: Mapping[str, str]) -> dict[str, int]:
    """The rows of each published table."""
    database = Database(dict(environment))
    names = (*TABLES, "battery_diagnostic_summaries")
    return {name: database.rows(f"select count(*) from battery.{name}")[0][0] for name in names}
