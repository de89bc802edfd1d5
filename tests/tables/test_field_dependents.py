"""What others build on the published tables, and on the views under them, stays."""

import re
from collections.abc import Iterator

import built
import pytest
from conftest import PROJECT
from pipeline import Pipeline

from loader.server.embedded import Server

MARTS = PROJECT / "dbt_project" / "models" / "marts"
PUBLISHED = sorted(path.stem for path in MARTS.rglob("*.sql"))


@pytest.fixture
def pipeline(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with built.built(server, tmp_path_factory) as pipeline:
        pipeline.database.rows("create schema lab")
        yield pipeline


def build_on_all(pipeline: Pipeline) -> None:
    """A view on each published table, a view on one of them, a foreign key, rights."""
    for table in PUBLISHED:
        pipeline.database.rows(
            f"create view lab.{table} with (security_invoker) as select * from battery.{table}"
        )
    pipeline.database.rows("""
        create view lab.fade as
            select batteries.barcode, max(cycle_index) as cycles
            from battery.batteries
            inner join battery.battery_summaries on batteries.id = battery_id
            group by batteries.barcode;
        create view lab.above as select barcode from lab.fade;
        create table lab.notes (
            battery_id bigint references battery.batteries on delete restrict, note text
        );
        insert into lab.notes select id, 'mine' from battery.batteries;
        grant select on battery.battery_lives to public;
        grant select (barcode) on battery.battery_files to pg_monitor with grant option
    """)


def others(pipeline: Pipeline) -> list[tuple[object, ...]]:
    """What the schema `lab` gives, and the rights on the published tables."""
    return [
        *(
            pipeline.database.rows(f"select '{view}', count(*)::int from lab.{view}")[0]
            for view in (*PUBLISHED, "fade", "above", "notes")
        ),
        *pipeline.database.rows("""
            select conname, pg_get_constraintdef(oid) from pg_constraint
            where conrelid = 'lab.notes'::regclass and contype = 'f'
        """),
        *pipeline.database.rows("""
            select relname, relacl::text, reloptions::text from pg_class
            where relnamespace in ('battery'::regnamespace, 'lab'::regnamespace)
                and relkind in ('r', 'v')
            order by relnamespace::regnamespace::text, relname
        """),
        *pipeline.database.rows("""
            select attrelid::regclass::text, attname, attacl::text from pg_attribute
            where attacl is not null and attrelid = 'battery.battery_files'::regclass
        """),
    ]


def tables(pipeline: Pipeline) -> list[tuple[object, ...]]:
    """The published tables themselves, told apart from ones made in their place."""
    return pipeline.database.rows("""
        select relname, oid from pg_class
        where relnamespace = 'battery'::regnamespace and relkind = 'r' order by relname
    """)


def test_a_build_leaves_views_keys_and_rights_on_the_published_tables(pipeline: Pipeline) -> None:
    build_on_all(pipeline)
    before, oids = others(pipeline), tables(pipeline)
    pipeline.build_tables()
    assert others(pipeline) == before
    assert tables(pipeline) == oids


def test_a_full_refresh_leaves_them_too(pipeline: Pipeline) -> None:
    build_on_all(pipeline)
    before = others(pipeline)
    output = pipeline.build_tables("--full-refresh")
    assert others(pipeline) == before
    assert "depends on" not in output


def test_what_cannot_stay_is_named_before_it_is_dropped(pipeline: Pipeline) -> None:
    """A column of another type forces a new table; a view on it has to be made again by hand."""
    pipeline.database.rows("""
        alter table battery.battery_lives alter cell type varchar;
        create view lab.cells as select cell from battery.battery_lives;
        create view lab.fine as select barcode from battery.battery_lives;
        create materialized view lab.kept as select barcode from battery.battery_lives;
        create index on lab.kept (barcode);
        grant select on battery.battery_lives to pg_monitor
    """)
    output = pipeline.build_tables("--full-refresh", "--select", "battery_lives")
    said = " ".join(output.split())
    for view in ("view lab.cells", "materialized view lab.kept"):
        assert f'{view} depends on the "' in said
    assert "lab.fine" not in said
    assert "SELECT cell FROM battery.battery_lives" in said
    assert pipeline.database.rows("select count(*) from lab.fine") == [(2,)]
    assert pipeline.database.rows("select to_regclass('lab.cells')") == [(None,)]
    (granted,) = pipeline.database.rows(
        "select has_table_privilege('pg_monitor', 'battery.battery_lives', 'select')"
    )
    assert granted == (True,)


def test_what_is_remade_alone_keeps_the_views_on_it(pipeline: Pipeline) -> None:
    relations = """
        select relnamespace::regnamespace::text, relname from pg_class
        where relkind in ('r', 'v') and relnamespace::regnamespace::text like 'battery%'
        order by 1, 2
    """
    before = pipeline.database.rows(relations)
    for alone in ("stg_files", "int_runs", "stg_part_sections", "cell_types excluded_files"):
        pipeline.build_tables("--full-refresh", "--select", *alone.split())
        assert pipeline.database.rows(relations) == before, alone
    pipeline.build_tables()
    assert pipeline.database.rows(relations) == before


def test_rows_are_replaced_beside_a_reader_who_did_not_commit(pipeline: Pipeline) -> None:
    with pipeline.database.connect(autocommit=False) as reader:
        for table in PUBLISHED:
            reader.execute(f"select count(*) from battery.{table}")
        pipeline.exclude({"FastCharge_2_structure.json": "to change every table"})
        pipeline.build_tables()
        reader.rollback()
    assert [row["barcode"] for row in pipeline.table("battery_files")] == ["TWICE", "TWICE"]


def test_what_waits_for_a_lock_ends_and_says_who_holds_it(pipeline: Pipeline) -> None:
    """A model waits for a reader's share lock, a test that only reads for one of `vacuum full`."""
    macro = pipeline.project / "macros" / "postgres" / "locks.sql"
    macro.write_text(macro.read_text().replace("'1min'", "'1s'"))
    for command, mode in (("run", "share"), ("test", "access exclusive")):
        with pipeline.database.connect(autocommit=False, application_name="a notebook") as holder:
            (pid,) = holder.execute("select pg_backend_pid()").fetchone() or ()
            holder.execute(f"lock table battery.battery_lives in {mode} mode")
            result = pipeline.dbt(command, "--select", "battery_lives")
            (since,) = holder.execute("select date_trunc('second', now())::text").fetchone() or ()
        assert result.returncode == 1
        assert "canceling statement due to lock timeout" in result.stdout
        (line,) = (line for line in result.stdout.splitlines() if "a notebook" in line)
        assert re.split("  +", line.strip()) == [
            str(pid),
            "postgres",
            "a notebook",
            "idle in transaction",
            since,
            "battery.battery_lives",
        ]
