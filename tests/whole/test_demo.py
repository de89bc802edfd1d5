"""Where a push and plain dbt find their server; `loader demo` is seen by test_readme.py."""

import os
from pathlib import Path

from checkout import CELL, checkout, counts
from conftest import RunLoader, fresh_database, scratch_home

from loader.demo import write
from loader.server.embedded import Server


def test_a_server_of_ones_own_needs_no_file_edited(
    debian_server: Server, tmp_path: Path, run_loader: RunLoader
) -> None:
    """PostgreSQL 15: push by DATABASE_URL, plain dbt by PG*; no other server is started."""
    with fresh_database(debian_server) as database:
        variables = database.environment
        place = f"host={variables['PGHOST']}&port={variables['PGPORT']}"
        url = f"postgresql://{variables['PGUSER']}@/{variables['PGDATABASE']}?{place}"
        mine = checkout(tmp_path / "clone", tmp_path / "no-home", run_loader, variables)
        write(tmp_path / "cell.json", CELL)
        pushed = mine.loader("push", tmp_path / "cell.json", env={"DATABASE_URL": url})
        assert pushed.returncode == 0, pushed.stderr
        mine.dbt("build", "--exclude-resource-type", "test", "unit_test", env=variables)
        assert counts(variables)["battery_summaries"] == 24
        assert not mine.home.exists()


def test_a_server_that_moved_is_found_by_plain_dbt_after_the_next_push(
    server: Server, tmp_path: Path, run_loader: RunLoader
) -> None:
    """The profile the loader wrote for a home that is gone does not lead dbt astray."""
    with scratch_home() as old:
        mine = checkout(tmp_path / "clone", old, run_loader)
        profile = mine.folder / "dbt_project" / "profiles.yml"
        write(tmp_path / "cell.json", CELL)
        assert mine.loader("push", tmp_path / "cell.json").returncode == 0
        assert os.fsencode(old) in profile.read_bytes()
    mine.home = server.home
    assert mine.loader("push", tmp_path / "cell.json").returncode == 0
    assert os.fsencode(server.home) in profile.read_bytes()


def test_a_profile_somebody_edited_stays_as_it_is(
    server: Server, tmp_path: Path, run_loader: RunLoader
) -> None:
    mine = checkout(tmp_path / "clone", server.home, run_loader)
    profile = mine.folder / "dbt_project" / "profiles.yml"
    profile.write_text("# mine\nbattery_elt: {}\n")
    write(tmp_path / "cell.json", CELL)
    assert mine.loader("push", tmp_path / "cell.json").returncode == 0
    assert profile.read_text() == "# mine\nbattery_elt: {}\n"
