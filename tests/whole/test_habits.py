"""What keeps the project in order: linters, types, compile checks, nothing that does not belong."""

import hashlib
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from conftest import PROJECT, Database, RunLoader
from pipeline import Pipeline

from loader.raw.zone import Zone

# The published lives of Severson et al., which a seed repeats on purpose.
SHARED_ON_PURPOSE = {"severson_et_al_SI_table9.csv"}

# In brackets, so that this page does not name them.
REGISTRIES = "|".join(
    ("pypi[.]org", "python[h]osted[.]", "npm[j]s[.]", "deb[.]debian", "index-u[r]l", "find-l[i]nks")
)


def passes(*command: str | Path) -> str:
    """Runs a tool of this environment in the project's root; it must find nothing wrong."""
    tool = Path(sysconfig.get_path("scripts"), command[0])
    done = subprocess.run(
        [str(tool), *command[1:]],
        cwd=PROJECT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    return done.stdout


@cache
def files() -> list[Path]:
    """Every file that is in the repository, or would be with the next commit."""
    names = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    return [PROJECT / name for name in names if name and (PROJECT / name).is_file()]


def test_python_is_linted() -> None:
    passes("ruff", "check", ".")


def test_python_is_formatted() -> None:
    passes("ruff", "format", "--check", ".")


def test_the_loader_is_strictly_typed() -> None:
    passes("mypy")


def test_sql_is_linted(pytestconfig: pytest.Config) -> None:
    """It takes half a minute: files found in order wait until they, macros or settings change."""
    known = pytestconfig.cache
    assert known
    settings = [PROJECT / ".sqlfluff", *(PROJECT / "tests" / "support" / "sqlfluff").glob("*.py")]
    common = digest(
        metadata.version("sqlfluff"),
        *settings,
        *(PROJECT / "dbt_project" / "macros").rglob("*.sql"),
    )
    found = {str(path): digest(common, path) for path in (PROJECT / "dbt_project").rglob("*.sql")}
    before = known.get("sql/in_order", {})
    if new := [path for path in found if before.get(path) != found[path]]:
        passes("sqlfluff", "lint", "--processes", "2", *new)
        known.set("sql/in_order", found)


def digest(*parts: str | Path) -> str:
    """Of texts, and of files as they are."""
    content = [
        part.read_bytes() if isinstance(part, Path) else part.encode()
        for part in sorted(parts, key=str)
    ]
    return hashlib.sha256(b"\0".join(content)).hexdigest()


def test_the_sql_of_the_report_is_linted() -> None:
    page = PROJECT / "loader" / "tables" / "report" / "sql"
    passes(
        "sqlfluff", "lint", "--templater", "placeholder", "--config", page / "sqlfluff.cfg", page
    )


def test_every_lint_rule_left_out_is_explained() -> None:
    """A comment line in .sqlfluff begins with each."""
    text = (PROJECT / ".sqlfluff").read_text()
    excluded = re.search(r"^exclude_rules = (.*)$", text, re.MULTILINE)
    rules = excluded[1].replace(",", " ").split() if excluded else []
    explained = set(re.findall(r"^# ([A-Z]{2}\d\d)\b", text, re.MULTILINE))
    assert set(rules) <= explained


def test_requirements_agree_with_each_other() -> None:
    done = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_dbt_project_parses_without_a_warning(database: Database) -> None:
    """By a process of its own, which knows nothing of other tests."""
    project = Pipeline.create(database).project
    where = ("--project-dir", project, "--profiles-dir", project)
    passes("dbt", "--warn-error", "parse", "--no-partial-parse", *where)


def test_every_model_compiles_on_an_empty_database(any_database: Database) -> None:
    with any_database.connect() as connection:
        Zone(connection).prepare()
    output = Pipeline.create(any_database).build("--empty")
    assert "ERROR=0 SKIP=0" in output


def test_no_registry_is_named() -> None:
    assert mentions(REGISTRIES) == []


def test_no_path_of_this_machine_is_named() -> None:
    here = {PROJECT, PROJECT.parent / "shared", Path(sys.prefix), Path(sys.base_prefix)}
    paths = [rf"{re.escape(str(path))}\b" for path in here if len(path.parts) > 2]
    assert mentions("|".join([*paths, rf"{re.escape(str(Path.home()))}/"])) == []


def mentions(pattern: str) -> list[str]:
    wanted = re.compile(pattern)
    return [
        f"{path.relative_to(PROJECT)}: {found[0]}"
        for path in files()
        for found in wanted.finditer(path.read_bytes().decode("utf-8", errors="replace"))
    ]


def test_nothing_of_the_shared_folder_is_copied() -> None:
    shared = PROJECT.parent / "shared"
    if not shared.is_dir():
        pytest.skip(f"needs {shared}")
    known = {
        hashlib.sha256(path.read_bytes()).digest(): path.name
        for path in shared.rglob("*")
        if path.is_file() and path.stat().st_size and path.name not in SHARED_ON_PURPOSE
    }
    copied = {path: known.get(hashlib.sha256(path.read_bytes()).digest()) for path in files()}
    assert {str(path): name for path, name in copied.items() if name} == {}


def test_the_version_is_the_same_everywhere(run_loader: RunLoader) -> None:
    with (PROJECT / "pyproject.toml").open("rb") as file:
        version = tomllib.load(file)["project"]["version"]
    dbt_project = yaml.safe_load((PROJECT / "dbt_project" / "dbt_project.yml").read_text())
    changes = (PROJECT / "CHANGELOG.md").read_text()
    assert run_loader("--version").stdout == f"loader {version}\n"
    assert dbt_project["version"] == version
    assert re.findall(r"^## \[(\d.*?)\]", changes, re.MULTILINE)[0] == version


def test_tests_of_a_file_are_run_by_one_worker(request: pytest.FixtureRequest) -> None:
    """Else each builds anew what they share; some releases of pytest drop the groups in silence."""
    if os.environ.get("PYTEST_XDIST_WORKER"):
        assert request.node.nodeid.endswith("@test_habits")


def test_dbt_sends_no_usage_statistics() -> None:
    dbt_project = yaml.safe_load((PROJECT / "dbt_project" / "dbt_project.yml").read_text())
    assert dbt_project["flags"]["send_anonymous_usage_stats"] is False
