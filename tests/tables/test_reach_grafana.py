"""The Grafana dashboard: as Grafana's own models have it, and every query of it runs as the reader.

No Grafana is to be had from the registries: its models are those of its foundation SDK.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import built
import psycopg
import pytest
import yaml
from conftest import PROJECT
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from loader.server.embedded import Server
from loader.server.listen import READER, new_password

GRAFANA = PROJECT / "grafana"
BOARD: dict[str, Any] = json.loads((GRAFANA / "dashboards" / "battery.json").read_text())
PANELS = {panel["title"]: panel for panel in BOARD["panels"]}
VARIABLES = {one["name"]: one for one in BOARD["templating"]["list"]}
CHOSEN = {"${battery:sqlstring}": "'TWICE','ALONE'", "${cycle:csv}": "10,2"}


@pytest.fixture(scope="module")
def reader(
    server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[psycopg.Connection[Any]]:
    """The reader that `loader db password` makes."""
    with built.built(server, tmp_path_factory) as pipeline, pipeline.database.connect() as owner:
        new_password(owner)
        try:
            with pipeline.database.connect(row_factory=psycopg.rows.dict_row) as connection:
                connection.execute(f"set session authorization {READER}")
                yield connection
        finally:
            owner.execute(f"drop owned by {READER}")
            owner.execute(f"drop role {READER}")


def ask(reader: psycopg.Connection[Any], query: str) -> psycopg.Cursor[Any]:
    """As Grafana asks, the cells and cycles chosen in the place of its variables."""
    for variable, values in CHOSEN.items():
        query = query.replace(variable, values)
    assert "$" not in query
    return reader.execute(query.encode())


def answer(reader: psycopg.Connection[Any], query: str) -> list[dict[str, Any]]:
    return ask(reader, query).fetchall()


def rows(reader: psycopg.Connection[Any], title: str) -> list[dict[str, Any]]:
    (target,) = PANELS[title]["targets"]
    return answer(reader, target["rawSql"])


def test_grafana_reads_the_dashboard_whole() -> None:
    """What its models do not know would be gone from what they write."""
    register_default_plugins()
    written = json.loads(JSONEncoder().encode(Dashboard.from_json(BOARD)))
    assert list(differences(BOARD, written)) == []


def differences(ours: Any, theirs: Any, path: str = "") -> Iterator[str]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key, value in ours.items():
            yield from differences(value, theirs.get(key, "missing"), f"{path}/{key}")
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for place, pair in enumerate(zip(ours, theirs, strict=True)):
            yield from differences(*pair, f"{path}/{place}")
    elif ours != theirs:
        yield path


def test_panels_fill_the_page_and_are_one_each() -> None:
    assert len({panel["id"] for panel in PANELS.values()}) == len(BOARD["panels"])
    cells = [
        (x, y)
        for at in (panel["gridPos"] for panel in BOARD["panels"])
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(cells) == len(set(cells)) == 24 * (max(y for _, y in cells) + 1)


def test_everything_asks_the_data_source_that_is_provisioned() -> None:
    folder = GRAFANA / "provisioning"
    (source,) = yaml.safe_load((folder / "datasources" / "battery.yaml").read_text())["datasources"]
    asked = re.findall(r'"datasource": ({.*?})', json.dumps(BOARD))
    assert {json.dumps({"type": source["type"], "uid": source["uid"]})} == set(asked)
    assert source["user"] == READER
    assert source["secureJsonData"] == {"password": "$BATTERY_PASSWORD"}
    (provider,) = yaml.safe_load((folder / "dashboards" / "battery.yaml").read_text())["providers"]
    assert provider["options"]["path"] == "$BATTERY_DASHBOARDS"


def test_each_field_that_a_panel_names_is_in_its_answer(
    reader: psycopg.Connection[Any],
) -> None:
    for title, panel in PANELS.items():
        asked = ask(reader, panel["targets"][0]["rawSql"])
        given = {column.name for column in asked.description or ()}
        named = {
            one["options"]
            for matcher in re.findall(r'{"id": "byName", "options": "\w+"}', json.dumps(panel))
            for one in [json.loads(matcher)]
        }
        for change in panel.get("transformations", []):
            named |= set(change["options"]["fields"])
        assert named <= given, title


def test_the_variables_list_cells_and_their_cycles(reader: psycopg.Connection[Any]) -> None:
    cells = answer(reader, VARIABLES["battery"]["query"])
    assert [row["barcode"] for row in cells] == ["ALONE", "TWICE"]
    cycles = answer(reader, VARIABLES["cycle"]["query"])
    assert [row["cycle_index"] for row in cycles] == [0, 2, 10, 20, 21, 31, 41]


def test_fade_of_the_chosen_cells(reader: psycopg.Connection[Any]) -> None:
    fade = rows(reader, "Fade of the chosen cells")
    alone = [row for row in fade if row["barcode"] == "ALONE"]
    assert [row["cycle_index"] for row in alone] == [*range(1, 12), *range(17, 24)]
    shares = [row["share_of_nominal"] for row in alone]
    assert 0.9 < shares[0] < 1.1 and shares[-1] < 0.8 < shares[10]
    assert len(fade) - len(alone) == 39


def test_life_by_protocol(reader: psycopg.Connection[Any]) -> None:
    lives = rows(reader, "Life by protocol")
    assert sum(row["cells"] for row in lives) == 2
    assert sum(row["cells_at_end_of_life"] for row in lives) == 2


def test_curves_of_the_chosen_cycles(reader: psycopg.Connection[Any]) -> None:
    curves = rows(reader, "Curves of the chosen cycles")
    drawn = {(row["cycle"], row["step"]) for row in curves}
    assert drawn == {
        (cycle, step)
        for cycle in ("ALONE, cycle 2", "ALONE, cycle 10", "TWICE, cycle 10")
        for step in ("charge", "discharge")
    }
    assert all(2 <= row["voltage"] <= 3.7 for row in curves if row["voltage"] is not None)


def test_temperature_of_the_chosen_cells(reader: psycopg.Connection[Any]) -> None:
    warm = rows(reader, "Temperature of the chosen cells")
    assert {row["barcode"] for row in warm} == {"ALONE", "TWICE"}


def test_last_runs_and_rejected_files(reader: psycopg.Connection[Any]) -> None:
    assert rows(reader, "Rejected files") == []
    runs = rows(reader, "Last runs")
    assert all(row["started_at"] is not None for row in runs)
