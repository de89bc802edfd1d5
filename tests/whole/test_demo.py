"""From nothing to rows in the published tables, as somebody sees it who tries this out."""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import psycopg
import pytest
from checkout import CELL, Checkout, checkout
from conftest import RunLoader, fresh_database, scratch_home
from pipeline import TABLES

from loader.demo import sample_runs, write
from loader.server.embedded import Server


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory, run_loader: RunLoader) -> Iterator[Checkout]:
    with scratch_home() as home:
        yield checkout(tmp_path_factory.mktemp("clone"), home, run_loader)


@pytest.fixture(scope="module")
def demo(
    clone: Checkout, tmp_path_factory: pytest.TempPathFactory
) -> tuple[subprocess.CompletedProcess[str], Path]:
    """`loader demo` in an empty folder, on a machine where nothing was run before."""
    folder = tmp_path_factory.mktemp("empty")
    return clone.loader("demo", cwd=folder), folder


def counts(environment: Mapping[str, str]) -> dict[str, int]:
    found = {}
    with psycopg.connect(
        host=environment["PGHOST"],
        port=environment["PGPORT"],
        user=environment["PGUSER"],
        dbname=environment["PGDATABASE"],
    ) as connection:
        for table in (*TABLES, "battery_diagnostic_summaries"):
            row = connection.execute(f"select count(*) from battery.{table}").fetchone()
            assert row
            found[table] = row[0]
    return found


def test_the_demo_ends_with_rows_in_the_three_tables(
    demo: tuple[subprocess.CompletedProcess[str], Path], clone: Checkout
) -> None:
    done, _ = demo
    assert done.returncode == 0, done.stdout + done.stderr
    runs = sample_runs().values()
    rows = counts(Server(clone.home).environment())
    assert rows["batteries"] == len({run.barcode.upper() for run in runs})
    diagnostic = sum(len(run.diagnostic_cycles) for run in runs)
    assert rows["battery_summaries"] == sum(run.cycle_count for run in runs) - diagnostic
    assert rows["battery_diagnostic_summaries"] == diagnostic > 0
    assert rows["battery_cycles_interpolated"] > 0


def test_the_demo_says_where_things_are_and_what_to_type_next(
    demo: tuple[subprocess.CompletedProcess[str], Path], clone: Checkout
) -> None:
    done, folder = demo
    files = sorted(path.name for path in (folder / "demo-data").iterdir())
    assert files == sorted(sample_runs())
    assert re.search(r"^wrote 7 synthetic files \(.* MB\) to demo-data$", done.stdout, re.MULTILINE)
    for barcode in ("SYN0001A", "SYN0006F"):
        assert barcode in done.stdout
    after = done.stdout.partition("next: ")[2]
    for command in ("loader status", 'eval "$(loader db env)"', "loader push"):
        assert command in after
    assert str(clone.home) in clone.loader("status").stdout


def test_dbt_typed_plainly_works_after_a_push(
    tmp_path: Path, embedded_home: Path, run_loader: RunLoader
) -> None:
    """On the server that comes along; and `loader build` does the same from any folder."""
    with scratch_home() as home:
        mine = checkout(tmp_path / "clone", home, run_loader)
        write(tmp_path / "cell.json", CELL)
        pushed = mine.loader("push", tmp_path / "cell.json")
        assert pushed.returncode == 0, pushed.stderr
        assert "ERROR=0" in mine.dbt("build", "--no-use-colors")
        environment = Server(home).environment()
        rows = counts(environment)
        assert (rows["batteries"], rows["battery_summaries"]) == (1, 24)

        again = mine.loader("build", "--no-use-colors", cwd=tmp_path)
        assert again.returncode == 0, again.stdout + again.stderr
        assert re.fullmatch(
            r"build succeeded in .* s: 1 battery, 0 cycles added, \d+ checks passed\n", again.stdout
        )
        assert counts(environment) == rows


def test_a_server_of_ones_own_needs_no_file_edited(
    debian_server: Server, tmp_path: Path, run_loader: RunLoader
) -> None:
    """PostgreSQL 15: push by DATABASE_URL, plain dbt by PG*; no other server is started."""
    with fresh_database(debian_server) as database:
        variables = database.environment
        place = f"host={variables['PGHOST']}&port={variables['PGPORT']}"
        url = f"postgresql://{variables['PGUSER']}@/{variables['PGDATABASE']}?{place}"
        mine = checkout(tmp_path / "clone", tmp_path / "no-home", run_loader)
        write(tmp_path / "cell.json", CELL)
        pushed = mine.loader("push", tmp_path / "cell.json", env={"DATABASE_URL": url})
        assert pushed.returncode == 0, pushed.stderr
        mine.dbt("build", "--exclude-resource-type", "test", "unit_test", env=variables)
        assert counts(variables)["battery_summaries"] == 24
        assert not mine.home.exists()


def test_a_server_that_moved_is_found_by_plain_dbt_after_the_next_push(
    tmp_path: Path, run_loader: RunLoader
) -> None:
    """The profile the loader wrote for a home that is gone does not lead dbt astray."""
    with scratch_home() as old:
        mine = checkout(tmp_path / "clone", old, run_loader)
        write(tmp_path / "cell.json", CELL)
        assert mine.loader("push", tmp_path / "cell.json").returncode == 0
    with scratch_home() as new:
        mine.home = new
        assert mine.loader("push", tmp_path / "cell.json").returncode == 0
        assert os.fsencode(new) in (mine.folder / "dbt_project" / "profiles.yml").read_bytes()


def test_a_profile_somebody_edited_stays_as_it_is(tmp_path: Path, run_loader: RunLoader) -> None:
    with scratch_home() as home:
        mine = checkout(tmp_path / "clone", home, run_loader)
        profile = mine.folder / "dbt_project" / "profiles.yml"
        profile.write_text("# mine\nbattery_elt: {}\n")
        write(tmp_path / "cell.json", CELL)
        assert mine.loader("push", tmp_path / "cell.json").returncode == 0
        assert profile.read_text() == "# mine\nbattery_elt: {}\n"
