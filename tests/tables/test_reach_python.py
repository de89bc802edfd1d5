"""`loader.open()`: the tables in Python, as the database has them, with units."""

import subprocess
import sys
import time
from collections.abc import Iterator

import built
import duckdb
import polars
import pyarrow as pa
import pytest
from conftest import PROJECT, Database, clean_environment, scratch_home
from pipeline import Pipeline

import loader
from loader.server import database
from loader.server.embedded import Server
from loader.tables import catalog
from loader.tables.arrow import QueryError
from loader.tables.read import Tables


@pytest.fixture(scope="module")
def pipeline(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with built.built(server, tmp_path_factory) as pipeline:
        yield pipeline


@pytest.fixture
def tables(pipeline: Pipeline) -> Iterator[Tables]:
    with loader.open(database.url(pipeline.database.environment)) as tables:
        yield tables


def units(table: pa.Table) -> dict[str, str]:
    return {
        field.name: field.metadata[b"unit"].decode()
        for field in table.schema
        if field.metadata and b"unit" in field.metadata
    }


def test_each_method_gives_the_rows_of_its_table(pipeline: Pipeline, tables: Tables) -> None:
    assert tables.batteries().to_pylist() == pipeline.table("batteries")
    summaries = sorted(tables.summaries().to_pylist(), key=lambda row: row["id"])
    assert summaries == pipeline.table("battery_summaries")
    every = [tables.points(barcode).to_pylist() for barcode in ("TWICE", "ALONE")]
    points = sorted((row for rows in every for row in rows), key=lambda row: row["id"])
    assert points == pipeline.table("battery_cycles_interpolated")


def test_one_battery_in_the_order_of_its_cycles_by_barcode_or_id(
    pipeline: Pipeline, tables: Tables
) -> None:
    rows = tables.summaries(" twice ").to_pylist()
    ids = {row["battery_id"] for row in rows}
    cycles = [row["cycle_index"] for row in rows]
    assert cycles == sorted(cycles) and len(cycles) == 40
    assert tables.summaries(ids.pop()).to_pylist() == rows


def test_cycles_and_columns_can_be_chosen(tables: Tables) -> None:
    one = tables.points("alone", 2)
    both = tables.points("alone", cycles=range(11), columns=["voltage", "cycle_index"])
    assert set(one["cycle_index"].to_pylist()) == {2}
    assert set(both["cycle_index"].to_pylist()) == {2, 10}
    assert both.column_names == ["voltage", "cycle_index"]
    assert tables.points("alone", []).num_rows == 0


def test_fields_know_their_units_and_meanings(tables: Tables) -> None:
    assert units(tables.points("twice")) == {
        "time": "s",
        "voltage": "V",
        "current_": "A",
        "temperature": "degC",
        "charge_capacity": "Ah",
        "discharge_capacity": "Ah",
    }
    summaries = tables.summaries()
    assert units(summaries) == {
        "discharge_capacity": "Ah",
        "charge_capacity": "Ah",
        "discharge_energy": "Wh",
        "charge_energy": "Wh",
        "dc_internal_resistance": "ohm",
        "temperature_maximum": "degC",
        "temperature_average": "degC",
        "temperature_minimum": "degC",
        "charge_throughput": "Ah",
        "energy_throughput": "Wh",
        "charge_duration": "s",
        "time_temperature_integrated": "degC·min",
    }
    described = [field.name for field in summaries.schema if b"description" in field.metadata]
    assert described == summaries.column_names


def test_a_query_has_units_where_a_column_is_a_published_one(tables: Tables) -> None:
    answer = tables.query("""
        select points.voltage as v, points.voltage * 1000 as voltage
        from battery.battery_cycles_interpolated as points limit 1 -- a remark
    """)
    assert units(answer) == {"v": "V"}


def test_a_column_that_is_all_null_keeps_its_type(pipeline: Pipeline, tables: Tables) -> None:
    files = pipeline.database.rows("select file_name, file_id from battery.battery_files")
    old = dict(files)["FastCharge_1_structure.json"]
    query = f"select time, id from battery.battery_cycles_interpolated where id >> 32 = {old}"
    answer = tables.query(query)
    assert answer.num_rows > 0 and answer["time"].null_count == answer.num_rows
    assert answer.schema.field("time").type == pa.float64()
    assert str(answer.to_pandas()["time"].dtype) == "float64"


def test_numeric_comes_as_a_double(tables: Tables) -> None:
    answer = tables.query("select 1.5 as a, null::numeric as b, 'NaN'::numeric as c, 2::bigint d")
    assert answer.schema.types == [pa.float64()] * 3 + [pa.int64()]
    assert str(answer.to_pylist()) == "[{'a': 1.5, 'b': None, 'c': nan, 'd': 2}]"


@pytest.mark.parametrize(
    "query", ["explain select 1", "show timezone;", "values (1)", "-- x\nselect 1"]
)
def test_whatever_gives_rows_is_a_query(tables: Tables, query: str) -> None:
    assert tables.query(query).num_rows == 1


def test_polars_and_duckdb_take_the_tables_as_they_are(tables: Tables) -> None:
    summaries = tables.summaries("alone")
    assert polars.from_arrow(summaries).rows(named=True) == summaries.to_pylist()
    count = duckdb.sql("select count(*), max(cycle_index) from summaries").fetchall()
    assert count == [(19, 23)]


def test_what_is_not_there_names_what_is_near(tables: Tables) -> None:
    with pytest.raises(LookupError, match="no battery is named TWIECE; there is TWICE and 1 more"):
        tables.summaries("twiece")
    with pytest.raises(LookupError, match="no battery is named 99; there is TWICE, ALONE"):
        tables.points(99)
    with pytest.raises(LookupError, match=r"no column of .* is named volts; there is voltage"):
        tables.points("alone", columns=["volts"])


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("select x from nowhere", 'relation "nowhere" does not exist'),
        ("select 1 / (id - id) from battery.batteries", "division by zero"),
        ("select 1; select 2", "cannot insert multiple commands"),
        ("delete from battery.batteries returning id", "cannot execute DELETE in a read-only"),
        ("create table battery.mine ()", "this gives no rows; only a query does"),
        ("", "this gives no rows; only a query does"),
    ],
)
def test_a_query_that_is_refused_is_told_in_the_databases_words(
    tables: Tables, query: str, said: str
) -> None:
    with pytest.raises(QueryError, match=said) as refused:
        tables.query(query)
    assert "libpq" not in str(refused.value)
    assert tables.batteries().num_rows == 2


def test_tables_that_are_not_built_yet_are_told(database: Database) -> None:
    from loader.server.database import url

    with loader.open(url(database.environment)) as tables:
        with pytest.raises(LookupError, match=r"battery.batteries is not built yet.*loader build"):
            tables.batteries()
        with pytest.raises(LookupError, match="is not built yet"):
            tables.points("alone")
        assert tables.query("select 1 as one").to_pylist() == [{"one": 1}]


def test_a_table_made_anew_by_a_build_is_read_by_a_kernel_that_is_open(tables: Tables) -> None:
    before = tables.batteries()
    connection = tables._connection
    connection.execute("create table battery.again (like battery.batteries)")
    try:
        connection.execute("comment on column battery.again.id is 's: length of the wait.'")
        assert units(tables.query("select id from battery.again")) == {"id": "s"}
    finally:
        connection.execute("drop table battery.again")
    assert tables.batteries() == before


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://somebody:secret@127.0.0.1:1/x", "No connection to PostgreSQL"),
        ("postgresql://somebody:sec@ret@127.0.0.1:1/x", "The URL is not a connection URL"),
        ("battery", "The URL is not a connection URL"),
    ],
)
def test_a_database_that_is_not_there_is_told_without_its_password(url: str, said: str) -> None:
    with pytest.raises(database.DatabaseUnavailable, match=said) as refused:
        loader.open(url)
    assert "ret" not in str(refused.value)


def python(code: str, *, home: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT,
        env=clean_environment() | {"BATTERY_HOME": home},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_kernel_started_before_anything_else_finds_the_server_that_comes_along() -> None:
    code = "import loader; print(loader.open().query('select 1 as one').to_pylist())"
    with scratch_home() as home:
        assert python(code, home=str(home)) == "[{'one': 1}]\n"


def test_the_loader_loads_nothing_of_it(server: Server) -> None:
    """Neither does a push: Arrow takes longer to load than a push that finds nothing new takes."""
    code = """
import sys, tempfile
from loader.cli import main
sys.argv = ["loader", "push", tempfile.mkdtemp()]
try:
    main()
except SystemExit as ended:
    assert not ended.code
heavy = {name.partition(".")[0] for name in sys.modules}
print(heavy & {"pyarrow", "adbc_driver_manager", "adbc_driver_postgresql", "pandas"})
print([name for name in sys.modules if name.startswith("loader.tables.read")])
"""
    assert python(code, home=str(server.home)).splitlines()[-2:] == ["set()", "[]"]


def test_without_the_extra_it_says_what_to_install() -> None:
    code = """
import sys
sys.modules["pyarrow"] = None
import loader
try:
    loader.open("postgresql://127.0.0.1:1/x")
except ImportError as error:
    print(error)
"""
    said = "Arrow is not installed: pip install 'battery-elt[arrow]' brings it\n"
    assert python(code, home="/nowhere") == said


def fastest(tables: Tables, barcode: str) -> tuple[int, float]:
    """How many points there are, and in how many seconds they come: other work only adds to it."""
    seconds = []
    for _ in range(10):
        begin = time.perf_counter()
        table = tables.points(barcode)
        seconds.append(time.perf_counter() - begin)
    return table.num_rows, min(seconds)


def test_points_come_at_once(pipeline: Pipeline, tables: Tables) -> None:
    """217,200 points, as many as six real cells have, within 1 s; those of one within 0.2 s."""
    columns = ", ".join(
        catalog.relation(tables._connection, "battery_cycles_interpolated").column_names[2:]
    )
    pipeline.database.rows(f"""
        insert into battery.battery_cycles_interpolated (id, battery_id, {columns})
        select (1::bigint << 50) + n, case when n < 36200 then least_id else most_id end, {columns}
        from (select min(id) as least_id, max(id) as most_id from battery.batteries) as ids
        cross join generate_series(1, 217200) as n
        cross join lateral (
            select * from battery.battery_cycles_interpolated order by id limit 1
        ) as point
    """)
    try:
        pipeline.database.rows("analyze battery.battery_cycles_interpolated")
        (one, first), (other, second) = sorted(fastest(tables, name) for name in ("twice", "alone"))
        assert one > 36_000 and first < 0.2
        assert one + other > 217_200 and first + second < 1
    finally:
        pipeline.database.rows("delete from battery.battery_cycles_interpolated where id >> 50 > 0")
