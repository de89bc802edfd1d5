"""What an older version of the project built: it is taken over, or refused in a sentence."""

from collections.abc import Iterator

import built
import pytest
from pipeline import Pipeline

from loader.server.embedded import Server


@pytest.fixture
def pipeline(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with built.built(server, tmp_path_factory) as pipeline:
        yield pipeline


def test_staging_of_an_older_version_is_refused_in_a_sentence_and_remade_when_asked(
    pipeline: Pipeline,
) -> None:
    before = pipeline.tables()
    for statement in (
        "alter table battery_staging.stg_summaries add column stands boolean not null default true",
        "alter table battery_staging.stg_sections drop column row_count cascade",
        # as tables new in a version find it
        "drop table battery.battery_trajectories, battery.battery_early_features cascade",
    ):
        pipeline.database.rows(statement)
    refused = pipeline.dbt("build")
    assert refused.returncode == 2
    assert (
        "  An older version of battery-elt made stg_sections, stg_summaries: "
        "run `loader build --full-refresh` once.\n" in refused.stdout
    )
    assert pipeline.tables() == before

    pipeline.build_tables("--full-refresh")
    assert pipeline.tables() == before
    pipeline.build_tables("--select", "marts")


def test_a_view_of_an_older_version_gives_way_to_one_with_other_columns(pipeline: Pipeline) -> None:
    columns = """
        select attname from pg_attribute
        where attrelid = 'battery_staging.stg_exclusions'::regclass order by attnum
    """
    before = pipeline.database.rows(columns)
    for statement in (
        "alter table battery_staging.stg_exclusions rename column said_by to told_by",
        "create view by_reason as select reason from battery_staging.stg_exclusions",
        "grant select on battery_staging.stg_exclusions to pg_monitor",
    ):
        pipeline.database.rows(statement)
    pipeline.build_tables("--select", "stg_exclusions")
    assert pipeline.database.rows(columns) == before
    assert pipeline.database.rows("select * from by_reason") == []
    assert pipeline.database.rows(
        "select has_table_privilege('pg_monitor', 'battery_staging.stg_exclusions', 'select')"
    ) == [(True,)]
