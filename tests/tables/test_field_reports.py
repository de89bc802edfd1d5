"""A failing test shows its rows, whatever its columns."""

from collections.abc import Iterator

import built
import pytest

from loader.server.embedded import Server

QUERIES = {
    # the name of the column stands in the query, but is none of its columns
    "mentions_the_file": "select length(file_name) as letters from {{ ref('battery_files') }}",
    "says_it_in_a_comment": "select 7 as seven -- no file_name",
    "twice_the_same_column": "select 1 as one, 2 as one",
    "without_a_name": "select 41 + 1",
    "of_json": """select '{"a": 1}'::json as file_name""",
    "by_file": "select file_name, 1.5 as x from {{ ref('battery_files') }}, generate_series(1, 3)",
    "over_lines": "select E'two\\nlines' as text",
    "with_percent": "select 'like %s %' as pattern where 'ab' like '%b'",
    "a_cte_with_an_order": "with a as (select 3 as three) select * from a order by 1",
    "nothing_known": "select null as nothing",
}
SHOWN = {
    "mentions_the_file": ["letters", "27"],
    "says_it_in_a_comment": ["seven", "7"],
    "twice_the_same_column": ["one_2", "1    2"],
    "without_a_name": ["42"],
    "of_json": ["rows_of_file", """{"a": 1}"""],
    "by_file": ["3             FastCharge_1_structure.json     1.5"],
    "over_lines": ["two lines"],
    "with_percent": ["like %s %"],
    "a_cte_with_an_order": ["three", "3"],
    "nothing_known": ["nothing", "None"],
}


@pytest.fixture(scope="module")
def blocks(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What the end of a build with these tests shows of each."""
    with built.built(server, tmp_path_factory) as pipeline:
        for name, query in QUERIES.items():
            (pipeline.project / "tests" / f"{name}.sql").write_text(query)
        result = pipeline.dbt("test", "--select", *QUERIES)
        assert "hook: battery_elt.on-run-end.0" in result.stdout
        assert f"ERROR={len(QUERIES)} " in result.stdout and "Database Error" not in result.stdout
        yield {
            block.split()[1]: block
            for block in result.stdout.split("\n\n")
            if block.startswith("FAIL ")
        }


@pytest.mark.parametrize("name", QUERIES)
def test_a_failing_test_shows_its_rows(blocks: dict[str, str], name: str) -> None:
    for words in SHOWN[name]:
        assert words in blocks[name]
