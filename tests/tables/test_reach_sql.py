"""`loader sql`, `loader db url` and `loader db psql`: the data at once."""

import csv
import io
import json
from collections.abc import Iterator

import built
import psycopg
import pytest
from conftest import Database, RunLoader
from pipeline import Pipeline

from loader.server import database as settings
from loader.server.embedded import Server

LIVES = "select barcode, cycle_life from battery.batteries order by barcode"


@pytest.fixture(scope="module")
def pipeline(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with built.built(server, tmp_path_factory) as pipeline:
        yield pipeline


def test_a_query_is_shown_as_a_table(run_loader: RunLoader, pipeline: Pipeline) -> None:
    done = run_loader("sql", LIVES, env=pipeline.database.environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "┏━━━━━━━━━┳━━━━━━━━━━━━┓\n"
        "┃ barcode ┃ cycle_life ┃\n"
        "┡━━━━━━━━━╇━━━━━━━━━━━━┩\n"
        "│ ALONE   │ 20         │\n"
        "│ TWICE   │ 31         │\n"
        "└─────────┴────────────┘\n"
    )


def test_a_wide_table_keeps_all_its_values(call_loader: RunLoader, pipeline: Pipeline) -> None:
    query = "select * from battery.battery_summaries order by id limit 1"
    shown = call_loader("sql", query, env=pipeline.database.environment).stdout
    (row,) = pipeline.table("battery_summaries")[:1]
    assert "…" not in shown
    for name, value in row.items():
        assert name in shown and ("" if value is None else str(value)) in shown


def test_a_long_table_says_that_there_is_more(call_loader: RunLoader, pipeline: Pipeline) -> None:
    env = pipeline.database.environment
    whole = call_loader("sql", "select generate_series(1, 200) as n", env=env).stdout
    cut = call_loader("sql", "select generate_series(1, 201) as n", env=env).stdout
    assert whole.splitlines()[-2] == "│ 200 │"
    assert cut.splitlines()[-2:] == ["└─────┘", "the first 200 rows; --csv has all"]


def test_csv_has_every_row_and_digit(call_loader: RunLoader, pipeline: Pipeline) -> None:
    query = "select * from battery.battery_cycles_interpolated order by id; "
    done = call_loader("sql", "--csv", query, env=pipeline.database.environment)
    assert (done.returncode, done.stderr) == (0, "")
    read = list(csv.DictReader(io.StringIO(done.stdout)))
    expected = pipeline.table("battery_cycles_interpolated")
    for got, row in zip(read, expected, strict=True):
        assert got.keys() == row.keys()
        for name, value in row.items():
            assert got[name] == ("" if value is None else got[name])
            if isinstance(value, float):
                assert float(got[name]) == value


def test_json_is_an_array_of_objects(call_loader: RunLoader, pipeline: Pipeline) -> None:
    env = pipeline.database.environment
    query = """
        select barcode, created_at, cycle_life / 2.0 as half, null as nothing,
            '{"a": 1}'::jsonb as j
        from battery.batteries order by barcode
    """
    rows = json.loads(call_loader("sql", "--json", query, env=env).stdout)
    created = [row["created_at"].isoformat() for row in pipeline.table("batteries")]
    assert sorted(row.pop("created_at") for row in rows) == sorted(created)
    assert rows == [
        {"barcode": "ALONE", "half": 10.0, "nothing": None, "j": {"a": 1}},
        {"barcode": "TWICE", "half": 15.5, "nothing": None, "j": {"a": 1}},
    ]
    assert call_loader("sql", "--json", "select 1 where false", env=env).stdout == "[]\n"


def test_a_query_comes_from_a_pipe(run_loader: RunLoader, pipeline: Pipeline) -> None:
    done = run_loader("sql", "-", "--csv", env=pipeline.database.environment, input=LIVES)
    assert done.stdout == "barcode,cycle_life\nALONE,20\nTWICE,31\n"


@pytest.mark.parametrize("form", [[], ["--csv"], ["--json"]], ids=["table", "csv", "json"])
@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("select 1 / 0", "division by zero"),
        ("selekt 1", 'syntax error at or near "selekt"'),
        ("delete from battery.batteries returning id", "cannot execute DELETE in a read-only"),
        ("table batteries", 'relation "batteries" does not exist'),
        ("table batteries", "there is battery.batteries, battery.battery_cycle_differences, "),
        (" ", "the query is empty"),
    ],
)
def test_a_query_that_cannot_be_is_told(
    call_loader: RunLoader, pipeline: Pipeline, form: list[str], query: str, said: str
) -> None:
    done = call_loader("sql", *form, query, env=pipeline.database.environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("loader: ") and said in done.stderr
    assert "Traceback" not in done.stderr


def test_two_forms_at_once_are_refused(call_loader: RunLoader, database: Database) -> None:
    done = call_loader("sql", "--csv", "--json", "select 1", env=database.environment)
    assert (done.returncode, done.stderr) == (2, "loader: --csv and --json cannot both be\n")


def test_tables_that_are_not_built_yet_are_told(call_loader: RunLoader, database: Database) -> None:
    done = call_loader("sql", "table battery.batteries", env=database.environment)
    assert done.returncode == 2
    assert done.stderr.endswith("there is no table yet: `loader build` makes them\n")


def test_the_url_leads_libpq_to_the_same_database(
    run_loader: RunLoader, database: Database
) -> None:
    url = run_loader("db", "url", env=database.environment).stdout.strip()
    with psycopg.connect(url) as connection:
        name, folder = connection.info.dbname, connection.info.host
    assert name == database.environment["PGDATABASE"]
    assert folder == database.environment["PGHOST"]


def test_a_url_has_no_password_and_keeps_what_is_odd(call_loader: RunLoader) -> None:
    odd = "postgresql://a%40b:sec%2Fret@db.example:5433/my%20db?sslmode=require"
    shown = call_loader("db", "url", env={"DATABASE_URL": odd}).stdout.strip()
    assert shown == "postgresql://a%40b@db.example:5433/my%20db?sslmode=require"
    assert settings.url({"PGHOST": "::1", "PGPORT": "1", "PGUSER": "u", "PGDATABASE": "d"}) == (
        "postgresql://u@[::1]:1/d"
    )


def test_psql_comes_along_and_its_arguments_are_its_own(
    run_loader: RunLoader, pipeline: Pipeline
) -> None:
    env = pipeline.database.environment | {"PATH": "/nowhere"}
    done = run_loader("db", "psql", "-AXt", "-c", LIVES, env=env)
    assert (done.returncode, done.stdout) == (0, "ALONE|20\nTWICE|31\n")
    piped = run_loader("db", "psql", "-AXt", env=env, input="select 1;\n\\q\n")
    assert (piped.returncode, piped.stdout) == (0, "1\n")
    assert run_loader("db", "psql", "-c", "selekt", env=env).returncode == 1
