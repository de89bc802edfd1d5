"""The pipeline as tests drive it: land files, run dbt, read the published tables."""

import csv
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conftest import PROJECT, Database, clean_environment

from loader import push
from loader.outcome import Limits, Listener, Summary

MIB = 1 << 20
TABLES = ("batteries", "battery_summaries", "battery_cycles_interpolated")


@dataclass
class Pipeline:
    """One database, and a copy of the dbt project whose seeds a test may change."""

    database: Database
    project: Path
    output: str = ""

    @classmethod
    def create(cls, database: Database, folder: Path) -> "Pipeline":
        ignored = shutil.ignore_patterns("profiles.yml", "target", "logs", ".user.yml")
        shutil.copytree(PROJECT / "dbt_project", folder / "dbt_project", ignore=ignored)
        shutil.copy(PROJECT / "profiles.yml.example", folder / "dbt_project" / "profiles.yml")
        return cls(database, folder / "dbt_project")

    def push(self, *paths: Path, part_size: int = 32 * MIB, jobs: int = 2) -> Summary:
        """Lands files in this process; nothing may be rejected."""
        limits = Limits(jobs=jobs, part_size=part_size, max_memory=1 << 32)
        before = dict(os.environ)
        os.environ.update(self.database.environment)
        try:
            summary = push.push(paths, limits, Listener())
        finally:
            for name in os.environ.keys() - before.keys():
                del os.environ[name]
            os.environ.update(before)
        assert summary.count("rejected") == 0, summary.outcomes
        return summary

    def dbt(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs the real command `dbt` in the project."""
        return subprocess.run(
            [f"{sysconfig.get_path('scripts')}/dbt", "--no-use-colors", *arguments],
            cwd=self.project,
            env=clean_environment() | self.database.environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    def build(self, *arguments: str) -> str:
        """A `dbt build` that succeeds; gives its output."""
        result = self.dbt("build", *arguments)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def build_tables(self, *arguments: str) -> None:
        """The models without the data tests, which would name what generated data is full of."""
        self.build("--exclude-resource-type", "test", "unit_test", *arguments)

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
