"""Every data test is seen to fail, names the file, and lets all the rest be built."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import built
import psycopg
import pytest
import yaml
from conftest import PROJECT, await_the_end_of_sessions
from pipeline import Pipeline

from loader import demo
from loader.server.embedded import Server

SUMMARIES, POINTS = "battery.battery_summaries", "battery.battery_cycles_interpolated"
POINTS_KEY = "battery_cycles_interpolated_pkey"
POINTS_REFERENCE = "battery_cycles_interpolated_battery_id_fkey"
POSSIBLE_SUMMARIES = "battery_summaries_hold_possible_values"
POSSIBLE_POINTS = "battery_cycles_interpolated_hold_possible_values"
PLAUSIBLE = "plausible_for_the_cell_type"
THROUGHPUT = "throughput_never_falls_within_a_battery"
POINTS_WITHOUT_SUMMARY = "cycles_of_points_lie_in_the_summary_but_for_the_last"
MISSING = "declared_constraints_are_in_the_database"
REFERENCES = "relationships_{}_battery_id__id__ref_batteries_"


class Plant(NamedTuple):
    """What is done to the built tables, and the tests, all of them, that have to find it."""

    statement: str
    found_by: set[str]


def first(table: str, assignment: str) -> str:
    row = f"select min(id) from {table} where battery_id = 2"
    return f"update {table} set {assignment} where id = ({row})"


def out_of_range(table: str, found_by: str, ranges: dict[str, tuple[float, float]]) -> list[Plant]:
    """Each column once below its range and once above it."""
    return [
        Plant(first(table, f"{column} = {value}"), {found_by})
        for column, (below, above) in ranges.items()
        for value in (below, above)
    ]


def unkeyed(table: str, key: str, statement: str, *found_by: str) -> Plant:
    """A breach of a key, which has to be taken away before."""
    dropped = f"alter table {table} drop constraint if exists {key} cascade"
    return Plant(f"{dropped}; {statement}", {MISSING, *found_by})


def nullable(table: str, column: str, key: str, *found_by: str) -> Plant:
    name = table.removeprefix("battery.")
    dropped = f"alter table {table} drop constraint if exists {key} cascade"
    loosened = f"alter table {table} alter column {column} drop not null"
    planted = f"update {table} set {column} = null where ctid = (select max(ctid) from {table})"
    return Plant(
        f"{dropped}; {loosened}; {planted}", {MISSING, f"not_null_{name}_{column}", *found_by}
    )


PLANTS = [
    # possible values: by physics, or by the meaning of the column
    *out_of_range(
        SUMMARIES,
        POSSIBLE_SUMMARIES,
        {
            "charge_capacity": (-0.001, 1000.1),
            "discharge_energy": (-0.001, 10000.1),
            "charge_energy": (-0.001, 10000.1),
            "dc_internal_resistance": (-0.001, 10.1),
            "temperature_maximum": (-60.1, 150.1),
            "temperature_average": (-60.1, 150.1),
            "temperature_minimum": (-60.1, 150.1),
            "energy_efficiency": (-0.001, 1.1e9),
            "charge_duration": (-0.001, 1.1e8),
        },
    ),
    *out_of_range(
        POINTS,
        POSSIBLE_POINTS,
        {
            "time": (-0.001, 1.1e9),
            "current_": (-1000.1, 1000.1),
            "temperature": (-60.1, 150.1),
            "charge_capacity": (-0.001, 1000.1),
            "discharge_capacity": (-0.001, 1000.1),
        },
    ),
    *(
        Plant(
            f"""update {SUMMARIES} set {column} = {value}
            where (battery_id, cycle_index) in (
                select battery_id, {which}(cycle_index) from {SUMMARIES} group by battery_id
            )""",
            {POSSIBLE_SUMMARIES},
        )
        for column, above in (("charge_throughput", 1.1e7), ("energy_throughput", 1.1e8))
        for which, value in (("min", -0.001), ("max", above))
    ),
    unkeyed(
        SUMMARIES,
        "paused_is_zero_or_one",
        first(SUMMARIES, "paused = 2"),
        POSSIBLE_SUMMARIES,
    ),
    unkeyed(
        SUMMARIES,
        "cycle_index_is_not_negative",
        first(SUMMARIES, "cycle_index = -1"),
        POSSIBLE_SUMMARIES,
    ),
    unkeyed(
        POINTS, "cycle_index_is_not_negative", first(POINTS, "cycle_index = -1"), POSSIBLE_POINTS
    ),
    unkeyed(POINTS, "time_is_finite", first(POINTS, "time = 'NaN'"), POSSIBLE_POINTS),
    # what is not possible is not plausible either, but for a capacity below 0
    Plant(first(SUMMARIES, "discharge_capacity = -0.001"), {POSSIBLE_SUMMARIES}),
    Plant(first(SUMMARIES, "discharge_capacity = 1000.1"), {POSSIBLE_SUMMARIES, PLAUSIBLE}),
    Plant(first(POINTS, "voltage = -0.001"), {POSSIBLE_POINTS, PLAUSIBLE}),
    Plant(first(POINTS, "voltage = 6.1"), {POSSIBLE_POINTS, PLAUSIBLE}),
    # plausible values
    Plant(first(SUMMARIES, "discharge_capacity = 1.7"), {PLAUSIBLE}),
    Plant(first(POINTS, "voltage = 4.2"), {PLAUSIBLE}),
    Plant(first(POINTS, "voltage = 1.7"), {PLAUSIBLE}),
    # claims
    Plant(
        "update battery.battery_lives set full_cycles = 9 where battery_id = 2",
        {"characterisation_tests_have_no_cycle_life"},
    ),
    Plant(
        """update battery.battery_lives
        set nominal_capacity = 0.4, nominal_capacity_source = 'median of the first 40 cycles'
        where battery_id = 2""",
        {"nominal_capacities_hold_for_later_cycles"},
    ),
    *(
        Plant(f"update {SUMMARIES} set {column} = 0 where cycle_index = 15", {THROUGHPUT})
        for column in ("charge_throughput", "energy_throughput")
    ),
    Plant(
        f"delete from {SUMMARIES} where battery_id = 2",
        {"batteries_have_summaries", POINTS_WITHOUT_SUMMARY},
    ),
    Plant(
        f"delete from {SUMMARIES} where battery_id = 2 and cycle_index = 2",
        {POINTS_WITHOUT_SUMMARY},
    ),
    Plant(
        """insert into battery_staging.published_cycle_lives
        select barcode, 'Train', '2017-01-01', cycle_life + 1 from battery.battery_lives limit 1""",
        {"cycle_lives_agree_with_the_published_ones"},
    ),
    Plant(
        "update battery_staging.stg_sections set shape = 'unknown' where section = 'summary'",
        {"files_have_sections_of_a_known_shape"},
    ),
    Plant(
        """update battery_staging.stg_section_values set lost_values = '{"paused": 2}'
        where file_id = 2 and section = 'summary'""",
        {"no_value_of_a_column_is_lost"},
    ),
    Plant(
        "update raw.files set pruned_at = now() where file_id = 2", {"pruned_files_are_superseded"}
    ),
    Plant("delete from battery.battery_files where file_id = 2", {"files_are_battery_documents"}),
    Plant(
        """update battery.battery_files set first_record_at = null, superseded_by = 1
        where file_id = 2""",
        {"files_without_time_stamps_give_way"},
    ),
    Plant(
        "update battery_staging.int_published_runs set has_points = false where file_id = 2",
        {"files_with_points_have_some_published"},
    ),
    Plant(
        "update battery.battery_early_features set fade_slope_2_to_100 = 'NaN'",
        {"battery_early_features_are_finite"},
    ),
    Plant(
        "update battery.battery_cycle_differences set log_mean = '-Infinity'",
        {"battery_cycle_differences_are_finite"},
    ),
    Plant("update battery.battery_points set voltage = 'NaN'", {"battery_points_are_finite"}),
    Plant(
        "update battery.battery_early_features set delta_q_points = 999",
        {"delta_q_is_of_whole_steps"},
    ),
    Plant(
        "update battery.battery_early_features set summary_cycles = 100 where battery_id = 2",
        {"long_tests_have_early_features"},
    ),
    Plant("alter table battery.battery_lives drop constraint battery_lives_pkey", {MISSING}),
    # diagnostics
    Plant(
        "update battery.battery_diagnostic_summaries set cv_time = 'NaN'",
        {"battery_diagnostic_summaries_are_finite"},
    ),
    Plant(
        "update battery.battery_diagnostic_summaries set coulombic_efficiency = 2.1",
        {"battery_diagnostic_summaries_hold_possible_values"},
    ),
    Plant(
        "update battery.battery_diagnostic_points set discharge_dqdv = 'NaN'",
        {"battery_diagnostic_points_are_finite"},
    ),
    Plant(
        "update battery.battery_diagnostic_points set voltage = 6.5",
        {"battery_diagnostic_points_hold_possible_values"},
    ),
    Plant(
        "update battery.battery_health set remaining_share = 'Infinity'",
        {"battery_health_is_finite"},
    ),
    Plant(
        "update battery.battery_diagnostic_summaries set cycle_type = null where cycle_index = 12",
        {"diagnostic_cycles_are_of_a_known_type"},
    ),
    Plant(
        "update battery.battery_diagnostic_summaries set is_in_summary = true",
        {"diagnostic_cycles_are_not_in_the_summary"},
    ),
    Plant(
        "delete from battery.battery_diagnostic_summaries where cycle_index = 12",
        {"diagnostic_points_are_of_cycles_in_the_diagnostic_summary"},
    ),
    Plant(
        "delete from battery.battery_diagnostic_points",
        {"files_with_diagnostics_have_some_published"},
    ),
    # keys
    *(
        unkeyed(
            table,
            f"{name}_pkey",
            f"insert into {table} select * from {table} limit 1",
            f"unique_{name}_{key}",
        )
        for name, key in (
            ("battery_cycles_interpolated", "id"),
            ("battery_lives", "battery_id"),
            ("battery_files", "file_id"),
            ("battery_early_features", "battery_id"),
        )
        for table in (f"battery.{name}",)
    ),
    unkeyed(
        SUMMARIES,
        "battery_summaries_pkey",
        f"update {SUMMARIES} set id = (select min(id) from {SUMMARIES}) where cycle_index < 2",
        "unique_battery_summaries_id",
    ),
    unkeyed(
        "battery.batteries",
        "batteries_pkey",
        "insert into battery.batteries select 1, 'NEW', null, 1, 1, now()",
        "unique_batteries_id",
    ),
    unkeyed(
        "battery.batteries",
        "batteries_barcode_key",
        "update battery.batteries set barcode = 'A'",
        "unique_batteries_barcode",
    ),
    *(
        unkeyed(
            f"battery.{name}",
            f"{name}_battery_id_fkey",
            f"update battery.{name} set battery_id = 9 where battery_id = 2",
            REFERENCES.format(name),
            *more,
        )
        for name, more in (
            ("battery_summaries", ["batteries_have_summaries", POINTS_WITHOUT_SUMMARY]),
            ("battery_cycles_interpolated", []),
            ("battery_early_features", []),
        )
    ),
    nullable(SUMMARIES, "id", "battery_summaries_pkey"),
    nullable(SUMMARIES, "battery_id", "none"),
    # a row without a cycle comes last, after a higher throughput
    nullable(SUMMARIES, "cycle_index", "none", THROUGHPUT),
    nullable(POINTS, "id", POINTS_KEY),
    nullable(POINTS, "battery_id", "none"),
    nullable(POINTS, "cycle_index", "none"),
    nullable(
        "battery.batteries",
        "id",
        "batteries_pkey",
        REFERENCES.format("battery_summaries"),
        REFERENCES.format("battery_cycles_interpolated"),
        REFERENCES.format("battery_early_features"),
    ),
    nullable("battery.batteries", "barcode", "none"),
    nullable("battery.battery_early_features", "battery_id", "battery_early_features_pkey"),
    nullable("battery.battery_lives", "battery_id", "battery_lives_pkey"),
    nullable(
        "battery.battery_files", "file_id", "battery_files_pkey", "files_are_battery_documents"
    ),
    # seeds
    *(
        Plant(
            f"insert into battery_staging.{seed} ({column}, {others}) values (null, {values})",
            {f"not_null_{seed}_{column}", *more},
        )
        for seed, column, others, values, *more in (
            ("excluded_files", "file", "reason", "'bad'"),
            ("excluded_files", "reason", "file", "'no.json'", "exclusions_name_landed_files"),
            ("cell_types", "pattern", "nominal_capacity", "1"),
            ("cell_types", "nominal_capacity", "pattern", "'x*'"),
            ("full_resolution", "barcode", "reason", "'a test'"),
            ("full_resolution", "reason", "barcode", "'X'"),
            ("published_cycle_lives", "barcode", "cycle_life", "1"),
            ("published_cycle_lives", "cycle_life", "barcode", "'X'"),
        )
    ),
    *(
        Plant(
            f"insert into battery_staging.{seed} ({column}, {other}) values {row}, {row}",
            {f"unique_{seed}_{column}", *more},
        )
        for seed, column, other, row, *more in (
            (
                "excluded_files",
                "file",
                "reason",
                "('no.json', 'bad')",
                "exclusions_name_landed_files",
            ),
            ("cell_types", "pattern", "nominal_capacity", "('x*', 1)"),
            ("full_resolution", "barcode", "reason", "('X', 'a test')"),
            ("published_cycle_lives", "barcode", "cycle_life", "('X', 1)"),
        )
    ),
]


@pytest.fixture(scope="module")
def pipeline(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with built.built(server, tmp_path_factory) as pipeline:
        yield pipeline


@pytest.fixture(scope="module")
def queries(pipeline: Pipeline) -> dict[str, str]:
    """The SQL of every data test, as dbt compiles it for this database."""
    assert pipeline.dbt("compile", "--select", "resource_type:test").returncode == 0
    manifest = json.loads((pipeline.project / "target" / "manifest.json").read_text())
    return {
        node["name"]: node["compiled_code"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "test"
    }


def failing(connection: psycopg.Connection[Any], queries: dict[str, str]) -> set[str]:
    """The tests whose query finds a row, asked as dbt asks."""
    return {
        name
        for name, query in queries.items()
        if connection.execute(f"select count(*) from ({query}) as found").fetchone() != (0,)
    }


def test_no_data_test_fails_on_good_files(pipeline: Pipeline, queries: dict[str, str]) -> None:
    with pipeline.database.connect() as connection:
        assert failing(connection, queries) == set()


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: "-".join(sorted(plant.found_by)))
def test_a_planted_violation_is_found_by_its_test_alone(
    pipeline: Pipeline, queries: dict[str, str], plant: Plant
) -> None:
    with pipeline.database.connect(autocommit=False) as connection:
        for statement in plant.statement.split("; "):
            assert connection.execute(statement).rowcount != 0
        found = failing(connection, queries)
        connection.rollback()
    assert found == plant.found_by


@pytest.mark.parametrize("keyed", [True, False])
def test_no_data_test_takes_long_on_the_ids_of_many_files(
    pipeline: Pipeline, queries: dict[str, str], keyed: bool
) -> None:
    """PostgreSQL hashes them alike: grouped by hash, these 80,000 took half a minute."""
    with pipeline.database.connect(autocommit=False) as connection:
        if not keyed:
            connection.execute(f"alter table {POINTS} drop constraint {POINTS_KEY}")
        connection.execute(
            f"""insert into {POINTS} (id, battery_id, cycle_index)
            select (file_id::bigint << 32) + 10 * point, 2, 0
            from generate_series(1001, 1200) as file_id, generate_series(0, 399) as point"""
        )
        connection.execute(f"analyze {POINTS}")
        connection.execute("set local statement_timeout = '10s'")
        assert failing(connection, queries) == (set() if keyed else {MISSING})
        connection.rollback()


@pytest.mark.parametrize(
    "name",
    ["unique_battery_cycles_interpolated_id", REFERENCES.format("battery_cycles_interpolated")],
)
def test_what_a_key_proves_is_not_read_again(
    pipeline: Pipeline, queries: dict[str, str], name: str
) -> None:
    def reads_points() -> bool:
        explained = connection.execute(f"explain (analyze, format json) {queries[name]}").fetchone()
        return any(
            node.get("Relation Name") == "battery_cycles_interpolated" and node["Actual Loops"] > 0
            for node in nodes(explained[0][0]["Plan"])
        )

    with pipeline.database.connect(autocommit=False) as connection:
        assert not reads_points()
        connection.execute(f"alter table {POINTS} drop constraint {POINTS_KEY}")
        connection.execute(f"alter table {POINTS} drop constraint {POINTS_REFERENCE}")
        assert reads_points()
        connection.rollback()


def test_bounds_are_asked_of_an_index_and_no_point_is_read(pipeline: Pipeline) -> None:
    def scans() -> tuple[int, int]:
        """How often all points were read, and how often the index over their measurements."""
        [(table, index)] = pipeline.database.rows(
            """select tables.seq_scan, indexes.idx_scan
            from pg_stat_user_tables as tables
            inner join pg_stat_user_indexes as indexes on tables.relid = indexes.relid
            inner join pg_class on pg_class.oid = indexes.indexrelid
            inner join pg_am on pg_am.oid = pg_class.relam and pg_am.amname = 'brin'
            where tables.relname = 'battery_cycles_interpolated'"""
        )
        return table, index

    pipeline.database.rows(  # a vacuum reads what the index does not know of yet, too
        "alter table battery.battery_cycles_interpolated set (autovacuum_enabled = off)"
    )
    await_the_end_of_sessions(pipeline.database)
    before = scans()
    done = pipeline.dbt("test", "--select", POSSIBLE_POINTS, PLAUSIBLE)
    assert done.returncode == 0, done.stdout
    end = time.monotonic() + 20
    while scans()[1] == before[1] and time.monotonic() < end:
        time.sleep(0.1)  # counters are written when a session ends
    after = scans()
    assert after[1] > before[1]
    assert after[0] == before[0]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A plan and all below it."""
    yield plan
    for below in plan.get("Plans", []):
        yield from nodes(below)


def test_every_data_test_is_seen_to_fail(queries: dict[str, str]) -> None:
    assert set(queries) == set().union(*(plant.found_by for plant in PLANTS))


def edited(folder: Path, name: str, barcode: str, **edits: Any) -> Path:
    """A file like the one of the battery `alone`, with another barcode and edited sections."""
    run = replace(built.RUNS["FastCharge_2_structure.json"], barcode=barcode)
    document = demo.document(run)
    for place, value in edits.items():
        section, _, column = place.partition("__")
        if column:
            document[section][column] = value(document[section][column])
        else:
            document[section] = value
    path = folder / name
    path.write_text(json.dumps(document))
    return path


def bad_files(folder: Path) -> dict[str, tuple[str, Path]]:
    """By the test that has to find it: the status of that test, and the file."""

    def nine_volts(values: list[float]) -> list[float]:
        return [9.25, *values[1:]]

    def doubled(values: list[float]) -> list[float]:
        return [values[0], values[1] * 2, *values[2:]]

    def falling(values: list[float]) -> list[float]:
        return [*values[:10], 0.0, *values[11:]]

    def skipping_cycle_2(values: list[int]) -> list[int]:
        return [1 if value == 2 else value for value in values]

    folder.mkdir()
    anything = folder / "anything.json"
    anything.write_text('{"notes": "no battery"}')
    files = {
        POSSIBLE_POINTS: ("FAIL", "volts", {"cycles_interpolated__voltage": nine_volts}),
        PLAUSIBLE: ("WARN", "double", {"summary__discharge_capacity": doubled}),
        THROUGHPUT: ("WARN", "falls", {"summary__charge_throughput": falling}),
        "files_have_sections_of_a_known_shape": ("WARN", "shape", {"cycles_interpolated": "?"}),
        "batteries_have_summaries": ("WARN", "empty", {"summary": {}, "cycles_interpolated": {}}),
        "cycles_of_points_lie_in_the_summary_but_for_the_last": (
            "WARN",
            "hole",
            {"summary__cycle_index": skipping_cycle_2},
        ),
    }
    return {"files_are_battery_documents": ("WARN", anything)} | {
        test: (status, edited(folder, f"FastCharge_{name}.json", name, **edits))
        for test, (status, name, edits) in files.items()
    }


def shown(output: str) -> dict[str, tuple[str, set[str]]]:
    """What the build prints of failing tests: status and the files named, by test."""
    found: dict[str, tuple[str, set[str]]] = {}
    for block in output.split("\n\n"):
        head, *rows = block.splitlines() or [""]
        status, _, rest = head.partition(" ")
        if status in ("FAIL", "WARN") and rows and rest.endswith(")"):
            files = {word for row in rows for word in row.split() if ".json" in word}
            found[rest.split(" ")[0]] = (status, files)
    return found


def test_a_bad_file_fails_the_build_after_all_else_and_goes_away_once_excluded(
    server: Server, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    with built.built(server, tmp_path_factory) as pipeline:
        good = pipeline.tables()
        bad = bad_files(tmp_path / "bad")
        pipeline.push(tmp_path / "bad")

        result = pipeline.dbt("build")
        assert result.returncode == 1
        assert "SKIP=0" in result.stdout
        named = shown(result.stdout)
        assert POSSIBLE_POINTS in named and PLAUSIBLE in named
        volts = bad[POSSIBLE_POINTS][1].name
        # 9 V is neither possible nor plausible
        assert named.pop(PLAUSIBLE) == ("WARN", {volts, bad.pop(PLAUSIBLE)[1].name})
        assert named == {test: (status, {path.name}) for test, (status, path) in bad.items()}
        assert " 9.25 " in result.stdout
        assert len(pipeline.table("batteries")) == len(good["batteries"]) + 6

        pipeline.exclude({path.name: "planted by a test" for path in (tmp_path / "bad").iterdir()})
        assert shown(pipeline.build()) == {}
        assert pipeline.tables() == good


def test_an_open_range_does_not_compile(pipeline: Pipeline) -> None:
    """NaN is greater than every number: a range without an upper bound lets it through."""
    path = pipeline.project / "models" / "marts" / "battery_summaries" / "battery_summaries.yml"
    path.write_text(path.read_text().replace("range: [0, 1]", "range: [0]"))
    result = pipeline.dbt("compile", "--select", "battery_summaries_hold_possible_values")
    assert result.returncode == 2
    assert "within: paused needs a lowest and a highest value" in result.stdout


def test_the_unit_tests_beside_the_models_pass(pipeline: Pipeline) -> None:
    result = pipeline.dbt("test", "--select", "test_type:unit", "--vars", "unit_tests: true")
    assert result.returncode == 0, result.stdout
    described = (PROJECT / "dbt_project" / "models").rglob("*.yml")
    written = sum(len(yaml.safe_load(path.read_text()).get("unit_tests", [])) for path in described)
    assert f" {written} unit tests in " in result.stdout
