"""A build of some of the models leaves the database as a build of all of them does."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import built
import pytest
import yaml
from conftest import PROJECT, Database
from pipeline import Pipeline

from loader.server.embedded import Server

MARTS = PROJECT / "dbt_project" / "models" / "marts"
CHILDREN = sorted(
    path.stem for path in MARTS.rglob("*.yml") if "type: foreign_key" in path.read_text()
)


@pytest.fixture
def pipeline(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with built.built(server, tmp_path_factory) as pipeline:
        yield pipeline


def references(pipeline: Pipeline, schema: str = "battery") -> list[tuple[object, ...]]:
    """The foreign keys of a schema: table, what it refers to, what happens on delete."""
    return pipeline.database.rows(
        """
        select conrelid::regclass::text, confrelid::regclass::text, confdeltype::text
        from pg_constraint where contype = 'f' and connamespace = %s::regnamespace
        order by 1
        """,
        schema,
    )


def own_references(schema: str = "battery") -> list[tuple[object, ...]]:
    return [(f"{schema}.{child}", f"{schema}.batteries", "c") for child in CHILDREN]


def test_a_new_database_takes_a_build_of_some_models(database: Database, tmp_path: Path) -> None:
    pipeline = Pipeline.create(database)
    pipeline.push(*built.write(tmp_path / "data"))
    selections = [
        ["--select", "+battery_summaries"],
        ["--exclude", "battery_cycles_interpolated"],
        ["--select", "batteries"],
    ]
    for selection in selections:
        output = pipeline.build(*selection)
        assert "WARN=0 ERROR=0 SKIP=0" in output
        assert "unit" not in output
    assert "WARN=0 ERROR=0 SKIP=0" in pipeline.build_tables()
    assert references(pipeline) == own_references()
    assert len(pipeline.table("battery_cycles_interpolated")) > 0


@pytest.mark.parametrize(
    ("selection", "missing"),
    [
        (["--select", "battery_lives"], "battery_lives reads int_lives"),
        (["--exclude", "stg_files"], "stg_files"),
    ],
)
def test_what_reads_a_table_that_was_never_built_is_refused_in_a_sentence(
    database: Database, selection: list[str], missing: str
) -> None:
    refused = Pipeline.create(database).dbt("build", *selection)
    assert refused.returncode == 2
    assert missing in refused.stdout
    assert "which is neither built here nor was before: put a + before the names" in refused.stdout
    assert "Database Error" not in refused.stdout
    assert database.rows(
        "select count(*) from pg_class where relnamespace = to_regnamespace('battery')"
    ) == [(0,)]


def test_a_parent_made_anew_keeps_its_children(pipeline: Pipeline) -> None:
    """Its columns have changed; one of its batteries is gone, and with it what the children had."""
    pipeline.exclude({"FastCharge_2_structure.json": "gone"})
    pipeline.database.rows("alter table battery.batteries alter protocol type varchar")
    pipeline.build_tables("--full-refresh", "--select", "excluded_files", "+batteries")
    assert references(pipeline) == own_references()
    for child in CHILDREN:
        assert {row["battery_id"] for row in pipeline.table(child)} <= {1}
    assert pipeline.database.rows(
        "select data_type from information_schema.columns"
        " where table_schema = 'battery' and table_name = 'batteries' and column_name = 'protocol'"
    ) == [("text",)]


@pytest.mark.parametrize("parent", ["elsewhere.batteries on delete cascade", "battery.batteries"])
def test_a_wrong_foreign_key_is_found_and_replaced(pipeline: Pipeline, parent: str) -> None:
    pipeline.database.rows(f"""
        create schema elsewhere;
        create table elsewhere.batteries (id bigint primary key);
        insert into elsewhere.batteries select id from battery.batteries;
        alter table battery.battery_summaries drop constraint battery_summaries_battery_id_fkey;
        alter table battery.battery_summaries
            add constraint wrong foreign key (battery_id) references {parent}
    """)
    found = pipeline.dbt("test", "--select", "declared_constraints_are_in_the_database")
    assert found.returncode == 1
    assert "foreign key battery_id to battery.batteries on delete cascade" in found.stdout
    pipeline.build_tables("--select", "battery_summaries")
    assert references(pipeline) == own_references()


def test_development_is_not_tied_to_production(pipeline: Pipeline) -> None:
    """A second target takes what it does not build from the first: by `--defer`, or as a clone."""
    profiles = yaml.safe_load((pipeline.project / "profiles.yml").read_text())
    outputs = profiles["battery_elt"]["outputs"]
    outputs["dev"] = outputs["default"] | {"schema": "dev"}
    (pipeline.project / "profiles.yml").write_text(yaml.safe_dump(profiles))
    assert pipeline.dbt("parse").returncode == 0
    state = pipeline.project / "state"
    shutil.copytree(pipeline.project / "target", state)
    deferred = ["--target", "dev", "--defer", "--state", str(state)]
    before = references(pipeline), pipeline.tables()

    pipeline.build("--select", "battery_summaries", "battery_lives", *deferred)
    assert references(pipeline, "dev") == []
    names = ("batteries", "battery_summaries", "battery_lives")
    pipeline.build_tables("--select", *names, *deferred)
    assert references(pipeline, "dev") == [
        reference
        for reference in own_references("dev")
        if reference[0] in ("dev.battery_lives", "dev.battery_summaries")
    ]

    pipeline.database.rows("drop schema dev cascade")
    cloned = pipeline.dbt("clone", "--target", "dev", "--state", str(state))
    assert cloned.returncode == 0, cloned.stdout
    assert pipeline.database.rows("select count(*) from dev.batteries") == [(2,)]
    # dbt puts no seed in the place of a view
    pipeline.build_tables("--target", "dev", "--exclude", "resource_type:seed")
    assert references(pipeline, "dev") == own_references("dev")
    assert (references(pipeline), pipeline.tables()) == before


def test_a_build_taken_up_again_ends_as_one_that_went_through(pipeline: Pipeline) -> None:
    before = pipeline.tables()
    pipeline.database.rows("""
        delete from battery.battery_lives;
        create function battery.refuse() returns trigger language plpgsql as
            'begin raise exception ''not now''; end';
        create trigger refuse before insert on battery.battery_lives
            for each row execute function battery.refuse()
    """)
    models = ("--exclude-resource-type", "test", "unit_test")
    assert pipeline.dbt("build", *models).returncode == 1
    pipeline.database.rows("drop function battery.refuse() cascade")
    retried = pipeline.dbt("retry")
    assert retried.returncode == 0, retried.stdout
    assert (pipeline.tables(), len(pipeline.table("battery_lives"))) == (before, 2)


@pytest.mark.parametrize("option", [["--empty"], ["--sample", "3 days"]])
def test_a_build_of_no_or_few_rows_is_undone_by_the_next(
    pipeline: Pipeline, option: list[str]
) -> None:
    before = pipeline.tables()
    pipeline.build(*option)
    pipeline.build_tables()
    assert (pipeline.tables(), references(pipeline)) == (before, own_references())
