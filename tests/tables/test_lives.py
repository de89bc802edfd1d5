"""Cycle life by its four definitions, and what the models and tests say of odd files."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import fresh_database
from pipeline import Pipeline

from loader.server.embedded import Server

MEMBERS = ("cycle_life", "cycle_life_severson", "cycle_life_beep", "cycle_life_observed")


def cell(barcode: str, capacities: list[float | None], **members: Any) -> dict[str, Any]:
    summary = {"cycle_index": list(range(len(capacities))), "discharge_capacity": capacities}
    return {"barcode": barcode, "summary": summary} | members


# 80 % of nominal is 0.88 Ah for a FastCharge cell; others take 80 % of their early median.
FILES: dict[str, dict[str, Any]] = {
    "FastCharge_1_dead.json": cell("DEAD", [1.05, 1.0, 0.95, 0.88, 0.87, 0.86]),
    "FastCharge_2_dip.json": cell("DIP", [1.05, 0.6, 1.0, 0.9, 0.87, None, 0.8]),
    "FastCharge_3_alive.json": cell("ALIVE", [1.05, 0.6, 1.0, 0.95]),
    "FastCharge_4_blank.json": cell("BLANK", [None, None, None]),
    "FastCharge_5_empty.json": cell("EMPTY", []),
    "unknown_type.json": cell("TWO", [2.0, 2.0, 2.0, 1.6, 1.5]),
    "FastCharge_5_pulses.json": cell("PULSES", [1.05, 0.2, 1.0, 0.01, 0.95, 0.87, 0.02, 0.86]),
    "FastCharge_5_characterised.json": cell("CHARACTERISED", [1.05, *[0.01] * 4, 1.0]),
    "early_pulses.json": cell("EARLY", [*[0.01] * 45, *[1.0] * 5]),
    "FastCharge_6.json": cell("EL150800460514", [1.05, 0.9, 0.8]),
    "odd_shape.json": cell("ODD", [1.0]) | {"cycles_interpolated": {"voltage": "3.3 V"}},
    "not_a_battery.json": {"title": "a shopping list"},
    "drift.json": cell("DRIFT", [1.0], new_key=1)
    | {"cycles_interpolated": {"cycle_index": [0], "voltage": [3.3], "strain": [0.1]}},
}


@pytest.fixture(scope="module")
def pipeline(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    folder = tmp_path_factory.mktemp("lives")
    with fresh_database(server) as database:
        pipeline = Pipeline.create(database)
        for name, document in FILES.items():
            write(folder / "data" / name, document)
        pipeline.push(folder / "data")
        pipeline.output = pipeline.build()
        yield pipeline


def write(path: Path, document: dict[str, Any]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(document))


def lives(pipeline: Pipeline, barcode: str) -> dict[str, Any]:
    (row,) = [row for row in pipeline.table("battery_lives") if row["barcode"] == barcode]
    return row


@pytest.mark.parametrize(
    ("barcode", "expected", "reached"),
    [
        # 0.88 is a shade below 0.8 * 1.1 as doubles are
        ("DEAD", (3, 3, None, 5), True),
        ("DIP", (4, 1, 1, 6), True),
        ("ALIVE", (3, 1, 1, 3), False),
        ("PULSES", (5, 5, None, 7), True),
        ("CHARACTERISED", (None, None, None, 5), False),
        ("BLANK", (2, None, None, 2), False),
        ("EMPTY", (None, None, None, None), False),
        ("TWO", (4, 4, 4, 4), True),
    ],
)
def test_cycle_life_by_four_definitions(
    pipeline: Pipeline, barcode: str, expected: tuple[int | None, ...], reached: bool
) -> None:
    row = lives(pipeline, barcode)
    assert tuple(row[name] for name in MEMBERS) == expected
    assert row["reached_end_of_life"] is reached


def test_nominal_capacity_says_where_it_comes_from(pipeline: Pipeline) -> None:
    by_type, by_median = lives(pipeline, "DEAD"), lives(pipeline, "TWO")
    names = ("cell", "nominal_capacity", "nominal_capacity_source", "cycles_completed")
    assert [by_type[name] for name in names] == [
        "A123 APR18650M1A", 1.1, "cell type FastCharge_*", 6,
    ]  # fmt: skip
    assert [by_median[name] for name in names] == [None, 2.0, "median of the first 40 cycles", 5]
    assert by_median["end_of_life_capacity"] == 1.6


def test_a_characterisation_has_no_cycle_life_and_a_warning_names_it(pipeline: Pipeline) -> None:
    assert lives(pipeline, "CHARACTERISED")["full_cycles"] == 2
    assert lives(pipeline, "PULSES")["full_cycles"] == 5
    (published,) = pipeline.database.rows(
        "select cycle_life from battery.batteries where barcode = 'CHARACTERISED'"
    )
    assert published == (None,)
    assert "WARN 1 characterisation_tests_have_no_cycle_life" in pipeline.output
    assert re.search(r"FastCharge_5_characterised\.json +CHARACTERISED +2 +6 ", pipeline.output)


def test_a_median_of_early_pulses_is_a_warning_that_nominal_is_not_to_be_trusted(
    pipeline: Pipeline,
) -> None:
    assert lives(pipeline, "EARLY")["nominal_capacity"] == 0.01
    assert "WARN 1 nominal_capacities_hold_for_later_cycles" in pipeline.output
    assert re.search(r"early_pulses\.json +EARLY +0\.01 +5 +50", pipeline.output)


def test_a_published_life_that_differs_is_a_warning_with_the_difference(pipeline: Pipeline) -> None:
    assert "WARN 1 cycle_lives_agree_with_the_published_ones" in pipeline.output
    shown = pipeline.dbt("show", "--select", "cycle_lives_agree_with_the_published_ones")
    assert "EL150800460514" in shown.stdout
    assert "-1850" in shown.stdout  # 2 here, 1,852 published


def test_a_section_of_unknown_shape_is_a_warning_that_names_the_file(pipeline: Pipeline) -> None:
    assert "WARN 1 files_have_sections_of_a_known_shape" in pipeline.output
    assert "odd_shape.json" in shown(pipeline, "files_have_sections_of_a_known_shape")


def test_a_file_that_is_no_battery_document_is_a_warning_that_names_it(pipeline: Pipeline) -> None:
    assert "WARN 1 files_are_battery_documents" in pipeline.output
    assert "not_a_battery.json" in shown(pipeline, "files_are_battery_documents")
    assert len(pipeline.table("batteries")) == len(FILES) - 1


def shown(pipeline: Pipeline, test: str) -> str:
    """What the end of the build printed of a test with a finding."""
    return pipeline.output.split(f"\n\nWARN {test} (")[1].split("\n\n")[0]


def test_keys_and_columns_that_no_table_takes_are_listed(pipeline: Pipeline) -> None:
    rows = {row["key_path"]: row for row in pipeline.table("unmapped_columns")}
    assert sorted(rows) == ["cycles_interpolated.strain", "new_key", "title"]
    ((file_id, loaded_at),) = pipeline.database.rows(
        "select file_id, loaded_at from raw.files where name = 'drift.json'"
    )
    assert rows["cycles_interpolated.strain"] == {
        "key_path": "cycles_interpolated.strain",
        "file_count": 1,
        "first_seen_at": loaded_at,
        "first_seen_in": file_id,
    }
