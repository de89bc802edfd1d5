"""What people read of the tables: in YAML, in the database, on the docs site."""

import json
import os
import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import built
import pytest
from conftest import PROJECT
from pipeline import Pipeline
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

from loader.server.embedded import Server
from loader.tables import catalog

CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
# without the background options it looks up hosts of its maker at every start
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1400,1000",
)


@pytest.fixture(scope="module")
def pipeline(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with built.built(server, tmp_path_factory) as pipeline:
        assert pipeline.dbt("docs", "generate", "--static").returncode == 0
        yield pipeline


def artifact(pipeline: Pipeline, name: str) -> dict[str, Any]:
    """manifest (what YAML says) or catalog (what the database holds)."""
    content: dict[str, Any] = json.loads((pipeline.project / "target" / f"{name}.json").read_text())
    return content


def relations(pipeline: Pipeline) -> dict[str, dict[str, Any]]:
    manifest = artifact(pipeline, "manifest")
    return manifest["sources"] | {
        name: node
        for name, node in manifest["nodes"].items()
        if node["resource_type"] in ("model", "seed")
    }


def test_every_relation_and_column_of_the_database_is_described(pipeline: Pipeline) -> None:
    described = relations(pipeline)
    made = artifact(pipeline, "catalog")
    in_database = made["nodes"] | made["sources"]
    assert in_database.keys() == described.keys()
    for name, relation in described.items():
        assert relation["description"].startswith("One row per "), name
        columns = {column: text["description"] for column, text in relation["columns"].items()}
        assert columns.keys() == in_database[name]["columns"].keys(), name
        assert all(columns.values()), name


def test_the_database_shows_the_descriptions(pipeline: Pipeline) -> None:
    """As `psql \\d+` does: comments on relations and their columns."""
    comments = dict(
        pipeline.database.rows("""
            select relname::text || coalesce('.' || attname, ''), description
            from pg_description
            inner join pg_class on objoid = pg_class.oid and classoid = 'pg_class'::regclass
            left join pg_attribute on attrelid = objoid and attnum = objsubid and attnum > 0
            where relnamespace::regnamespace::text in ('battery', 'battery_staging')
        """)
    )
    expected: dict[str, str] = {}
    for relation in relations(pipeline).values():
        if relation["resource_type"] != "source":
            expected[relation["name"]] = relation["description"]
            for column, text in relation["columns"].items():
                expected[f"{relation['name']}.{column}"] = text["description"]
    assert comments == expected


def test_a_doc_block_says_what_a_quantity_is_once_and_is_used(pipeline: Pipeline) -> None:
    blocks = re.findall(
        r"{% docs (\w+) %}\n(.+?)\n{% enddocs %}",
        (PROJECT / "dbt_project" / "models" / "quantities.md").read_text(),
        flags=re.DOTALL,
    )
    texts = [text for _, text in blocks]
    assert len(set(texts)) == len(texts)
    pages = [*(PROJECT / "dbt_project").glob("[ms]*s/**/*.yml")]
    yaml = "".join(path.read_text() for path in pages)
    used = set(re.findall(r"{{ doc\('(\w+)'\) }}", yaml))
    assert used == {name for name, _ in blocks}


def test_a_measured_quantity_begins_with_its_unit(pipeline: Pipeline) -> None:
    """Or with what it is where it has none; else nobody may have written it down."""
    beginning = re.compile(rf"{catalog._UNIT.pattern}|(log10|ratio): ")
    descriptions = {
        f"{relation['name']}.{name}": column["description"]
        for relation in relations(pipeline).values()
        for name, column in relation["columns"].items()
        if column["data_type"] == "double precision" and "marts" in relation["path"]
    }
    assert "battery_summaries.charge_capacity" in descriptions
    assert [name for name, text in descriptions.items() if not beginning.match(text)] == []


def test_an_index_is_named_by_its_table_and_columns(pipeline: Pipeline) -> None:
    names = pipeline.database.rows(
        "select indexname::text from pg_indexes where schemaname ~ 'bat'"
    )
    assert ("battery_cycles_interpolated_battery_id_cycle_index_idx",) in names
    assert [name for (name,) in names if re.fullmatch("[0-9a-f]{32}", name)] == []


def test_the_overview_links_every_published_table_and_asks_it(pipeline: Pipeline) -> None:
    page = (PROJECT / "dbt_project" / "models" / "overview.md").read_text()
    marts = {path.stem for path in (PROJECT / "dbt_project" / "models" / "marts").rglob("*.sql")}
    assert set(re.findall(r"\[`(\w+)`\]\(#!/model/model\.battery_elt\.\1\)", page)) == marts
    (queries,) = re.findall(r"^```sql\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    asked = dict(re.findall(r"-- (\w+): .*\n((?:(?!--).*\n?)+?);", queries))
    assert asked.keys() == marts
    for table, query in asked.items():
        assert f"battery.{table}" in query
        pipeline.database.rows(query)


def test_the_exposures_are_reached_from_the_source(pipeline: Pipeline) -> None:
    manifest = artifact(pipeline, "manifest")
    parents = manifest["parent_map"]
    assert sorted(manifest["exposures"]) == [
        "exposure.battery_elt.notebooks",
        "exposure.battery_elt.report",
    ]
    for exposure in manifest["exposures"]:
        seen = {exposure}
        while more := {parent for node in seen for parent in parents.get(node, [])} - seen:
            seen |= more
        assert "source.battery_elt.raw.documents" in seen


def test_freshness_warns_where_nothing_came_for_a_month(pipeline: Pipeline) -> None:
    fresh = pipeline.dbt("source", "freshness")
    assert fresh.returncode == 0 and "PASS freshness of raw.files" in fresh.stdout
    pipeline.database.rows("update raw.files set loaded_at = loaded_at - interval '31 days'")
    stale = pipeline.dbt("source", "freshness")
    assert stale.returncode == 0 and "WARN freshness of raw.files" in stale.stdout


@pytest.fixture(scope="module")
def browser(pipeline: Pipeline) -> Iterator[webdriver.Chrome]:
    """With the docs site, which takes two seconds to load; its pages are parts of one."""
    if not (CHROMIUM.exists() and DRIVER.exists()) and os.environ.get("CI") != "true":
        pytest.skip("needs Chromium (Debian: chromium, chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for option in OPTIONS:
        options.add_argument(option)
    driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    driver.get(f"file://{pipeline.project}/target/static_index.html")
    yield driver
    driver.quit()


def opens(browser: webdriver.Chrome, page: str, *wanted: str) -> None:
    """A page of the docs site, until it shows the words."""
    browser.execute_script("location.hash = arguments[0]", f"!/{page}")
    if "?" in page:  # what follows is read when the site opens
        browser.refresh()
    end = time.monotonic() + 20
    while missing := set(wanted) - shown(browser, wanted):
        assert time.monotonic() < end, f"{page} does not show {missing}"
        time.sleep(0.1)


def shown(browser: webdriver.Chrome, words: Iterable[str]) -> set[str]:
    text = browser.find_element(By.TAG_NAME, "body").text
    return {word for word in words if word in text}


def test_the_docs_site_opens_with_the_story_of_the_data(browser: webdriver.Chrome) -> None:
    opens(browser, "overview", "Traps of the source", "Units", "battery_cycles_interpolated")


def test_the_page_of_a_model_shows_columns_types_and_meaning(browser: webdriver.Chrome) -> None:
    opens(
        browser,
        "model/model.battery_elt.battery_summaries",
        "One row per battery and cycle",
        "dc_internal_resistance",
        "timestamp with time zone",
        "ohm: internal resistance",
    )


def test_the_lineage_graph_leads_from_the_documents_to_the_marts(
    browser: webdriver.Chrome,
) -> None:
    marts = ("batteries", "battery_summaries", "battery_cycles_interpolated")
    selection = "%20".join(f"%2B{mart}" for mart in marts)
    opens(browser, f"overview?g_v=1&g_i={selection}", "Lineage Graph")
    time.sleep(1)  # the graph is drawn after its frame
    edges = browser.execute_script("""
        const graph = document.querySelector('.__________cytoscape_container')._cyreg.cy;
        return graph.edges(':visible').map(edge => [edge.source().id(), edge.target().id()]);
    """)
    reached = {"source.battery_elt.raw.documents"}
    while more := {target for source, target in edges if source in reached} - reached:
        reached |= more
    assert {f"model.battery_elt.{mart}" for mart in marts} <= reached
    assert "model.battery_elt.stg_part_sections" in reached
