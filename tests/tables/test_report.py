"""What the page of `loader report` promises, in a real browser on a real database."""

import csv
import hashlib
import io
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from math import log10
from pathlib import Path
from typing import Any

import pytest
from conftest import PROJECT, Database, RunLoader, clean_environment, fresh_database
from pipeline import Pipeline
from psycopg import sql
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

from loader import demo
from loader.server.embedded import Server
from loader.tables import report

AXE = "axe-core@4.14.1"
VENDOR = PROJECT / "loader" / "tables" / "report" / "vendor"
HOSTILE = "<SCRIPT SRC='//X'></SCRIPT>&AMP;"  # in capitals, as barcodes are published
HOSTILE_PROTOCOL = '</script><img src=x onerror="document.title=1"><!--'
WIDTHS = (390, 1440)

# ------------------------------------------------------------------------------ the page's data


@pytest.fixture(scope="module")
def pipeline(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """The demonstration set, markup for a name, no cycles, pulses, a value too high."""
    folder = tmp_path_factory.mktemp("report")
    files = demo.write_set(folder / "data")
    hostile = replace(
        demo.sample_runs()["FastCharge_900005_CH5_structure.json"],
        barcode=HOSTILE,
        cycle_count=40,
        interpolated=(10, 20),
        points_per_step=100,
    )
    document = demo.document(hostile) | {"protocol": HOSTILE_PROTOCOL, "metadata": {}}
    pulses = [1.05, *[0.01] * 30, 1.04, 1.0]
    odd = {
        "hostile.json": document,
        "none.json": {"barcode": "NOCYCLES", "summary": {}},
        "FastCharge_910001_structure.json": {
            "barcode": "PULSES",
            "summary": {"discharge_capacity": pulses},
        },
        "FastCharge_910002_structure.json": {
            "barcode": "PLANTED",
            "summary": {"discharge_capacity": [1.5, *[1.0] * 30, 1.9, *[1.0] * 30]},
        },
    }
    for name, content in odd.items():
        files.append(folder / "data" / name)
        files[-1].write_text(json.dumps(content))
    with fresh_database(server) as database:
        made = Pipeline.create(database)
        made.push(*files)
        made.build()
        database.rows(
            "insert into raw.rejections (path, name, size_bytes, modified_at, reason, detail)"
            " values ('/data/<b>bad</b>.json', '<b>bad</b>.json', 7, now(), 'not valid JSON',"
            " 'byte 3')"
        )
        database.rows(
            "insert into raw.rejections (path, name, size_bytes, modified_at, reason, detail)"
            " select '/data/empty/' || n, 'empty ' || n, 0, now(), 'empty file', ''"
            " from generate_series(1, 30) as n"
        )
        yield made


@pytest.fixture(scope="module")
def page(pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Path:
    build = report.last_build(pipeline.project / "target")
    with pipeline.database.connect(autocommit=False) as connection:
        data = report.collect(connection, build=build)
    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(report.render(data), encoding="utf-8")
    return file


# -------------------------------------------------------------------------------- the browser


class Browser:
    """Headless Chromium, and what the tests ask of it."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def show(self, page: Path, *, width: int = 1440, scheme: str = "light", view: str = "") -> None:
        """Opens the page anew from disk; nothing may be wrong with it, nothing be asked for."""
        features = [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},  # no scrolling under way
        ]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        for log in ("browser", "performance"):
            self.driver.get_log(log)
        self.driver.get("about:blank")  # the same page with another view is no new page
        self.driver.get(page.as_uri() + view)
        self.wait("document.documentElement.dataset.drawn")
        assert self.complaints() == []

    def complaints(self) -> list[str]:
        """Console messages, and requests for anything but the page itself."""
        messages = [entry["message"] for entry in self.driver.get_log("browser")]
        for entry in self.driver.get_log("performance"):
            event = json.loads(entry["message"])["message"]
            if event["method"] == "Network.requestWillBeSent":
                request = event["params"]
                if request.get("type") != "Document" and not self.inside(request["request"]["url"]):
                    messages.append(request["request"]["url"])
        return messages

    @staticmethod
    def inside(url: str) -> bool:
        return url.startswith("data:")

    def js(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def wait(self, condition: str, *arguments: Any) -> None:
        """Until the condition holds; what a battery's points are needed for comes later."""
        WebDriverWait(self.driver, 20, 0.05).until(
            lambda driver: driver.execute_script(f"return {condition}", *arguments)
        )

    def choose(self, barcode: str) -> None:
        self.pick("#choose", barcode)
        self.wait("document.querySelector('#chosen-barcode').textContent === arguments[0]", barcode)

    def view(self) -> str:
        return str(self.js("return location.hash"))

    def count(self, selector: str) -> int:
        return len(self.all(selector))

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        return self.one(selector).text

    def pick(self, selector: str, label: str) -> None:
        Select(self.one(selector)).select_by_visible_text(label)

    def click(self, selector: str) -> None:
        self.js("arguments[0].click()", self.one(selector))

    def shown_batteries(self) -> list[str]:
        return self.js(
            "return [...document.querySelectorAll('#all tbody tr')].filter(r => !r.hidden)"
            ".map(r => r.querySelector('th a').textContent)"
        )

    def pointer_at_end_of(self, path: WebElement) -> ActionChains:
        """The pointer, moved close to the end of an outline."""
        self.js(
            "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})",
            path,
        )
        x, y = self.js(
            "const p = arguments[0], e = p.getPointAtLength(p.getTotalLength() * 0.9)"
            ".matrixTransform(p.getScreenCTM()); return [Math.round(e.x), Math.round(e.y)]",
            path,
        )
        actions = ActionChains(self.driver, duration=0)
        actions.w3c_actions.pointer_action.move_to_location(x, y)
        return actions


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    places = shutil.which("chromium"), shutil.which("chromedriver")
    if not all(places) and os.environ.get("CI") != "true":
        pytest.skip("needs Chromium and its driver (Debian: chromium, chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = places[0] or ""
    for flag in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        f"--user-data-dir={tmp_path_factory.mktemp('chromium')}",
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(places[1]))
    yield Browser(driver)
    driver.quit()


def barcode_number(browser: Browser, barcode: str) -> int:
    """Place of a battery on the page, as its marks carry it."""
    script = (
        "return [...document.querySelectorAll('#choose option')]"
        ".find(option => option.text === arguments[0]).value"
    )
    return int(browser.js(script, barcode))


# ----------------------------------------------------------------------- what the charts show


def test_the_figures_are_those_of_the_database(
    browser: Browser, page: Path, pipeline: Pipeline
) -> None:
    browser.show(page)
    [expected] = pipeline.database.rows(
        """
        select (select count(*) from battery.batteries),
            (select count(*) from battery.battery_summaries),
            (select count(*) from battery.battery_cycles_interpolated),
            (select count(*) from battery.battery_lives where reached_end_of_life),
            (select count(*) from battery.battery_lives
                where not reached_end_of_life and cycle_life is not null)
        """
    )
    names = ("batteries", "cycles", "points", "ended", "censored")
    shown = [browser.one(f"#figure-{name}") for name in names]
    figures = [(one.get_attribute("title") or one.text).replace(",", "") for one in shown]
    assert figures == [str(number) for number in expected]
    assert expected[0] == 10


@pytest.mark.parametrize(
    ("chart", "measure"),
    [
        ("fade", "discharge_capacity"),
        ("resistance", "nullif(dc_internal_resistance, 0)"),
        ("charging", "charge_duration"),
    ],
)
def test_every_battery_with_a_measure_has_its_line(
    browser: Browser, page: Path, pipeline: Pipeline, chart: str, measure: str
) -> None:
    """From its lowest to its highest value, for those that lie within the axes."""
    browser.show(page)
    rows = pipeline.database.rows(
        f"select barcode, min({measure}), max({measure})"
        " from battery.battery_summaries as summaries"
        " inner join battery.batteries on batteries.id = summaries.battery_id"
        f" where cycle_index > 0 and {measure} is not null"
        " and (batteries.cycle_life is not null or is_full_cycle) group by barcode"
    )
    expected = {str(barcode_number(browser, barcode)): ends for barcode, *ends in rows}
    assert len(expected) >= 5
    drawn = browser.js(
        """
        const svg = document.querySelector(`#${arguments[0]} svg`), y = svg.scale('y');
        return Object.fromEntries([...svg.querySelectorAll('path.battery')].map(path => {
            const at = path.getAttribute('d').split(/[ML]/).slice(1)
                .map(pair => y.invert(+pair.split(',')[1]));
            return [path.dataset.battery, [Math.min(...at), Math.max(...at)]];
        }))""",
        f"chart-{chart}",
    )
    scale = {"fade": 1, "resistance": 1000, "charging": 1 / 60}[chart]
    assert drawn.keys() == expected.keys()
    for number, ends in expected.items():
        assert drawn[number] == pytest.approx([scale * end for end in ends], rel=1e-3)


def test_a_cycle_that_decides_a_life_is_marked_and_explained(browser: Browser, page: Path) -> None:
    browser.show(page)
    browser.choose("SYN0006F")
    notes = browser.text("#chosen-notes").splitlines()
    assert notes == [
        "first below 80 % at cycle 233, paused, recovers",
        "end of life at cycle 690",
    ]
    marked = browser.js(
        "const s = document.querySelector('#chart-fade svg');"
        "return [...s.querySelectorAll('.deciding circle')]"
        ".map(c => Math.round(s.scale('x').invert(+c.getAttribute('cx'))))"
    )
    assert 233 in marked
    remarks = {row.text.split()[0]: row.text for row in browser.all("#cycles tbody tr")}
    assert remarks["233"].endswith("first below 80 %, paused, recovers")


def test_formation_is_off_until_it_is_asked_for(browser: Browser, page: Path) -> None:
    highest = "return document.querySelector('#chart-fade svg').scale('y').domain[1]"
    browser.show(page)
    browser.click("#measure input[value='Ah']")
    assert browser.js(highest) < 1.2
    lowest_cycle = "return document.querySelector('#chart-fade svg').scale('x').domain[0]"
    assert browser.js(lowest_cycle) == 1
    browser.click("#formation")
    assert browser.js(lowest_cycle) == 0
    assert "formation=yes" in browser.view()


def test_a_characterisation_draws_its_full_cycles_only_and_has_no_life(
    browser: Browser, page: Path
) -> None:
    browser.show(page, view="#battery=PULSES&alone=yes")
    number = barcode_number(browser, "PULSES")
    path = browser.one(f"#chart-fade path[data-battery='{number}']").get_attribute("d") or ""
    assert len(re.split("[ML]", path)) - 1 == 2  # cycles 31 and 32; cycle 0 is formation
    assert "none: too few full cycles" in browser.text("#chosen-facts")
    assert "33, 3 of them full" in browser.text("#chosen-facts")
    assert browser.count(f"#chart-protocols circle[data-battery='{number}']") == 0


def test_a_life_that_has_not_ended_is_grey_and_dashed(browser: Browser, page: Path) -> None:
    browser.show(page)
    looks = {}
    for barcode in ("SYN0004", "SYN0001A"):
        path = browser.one(f"#chart-fade path[data-battery='{barcode_number(browser, barcode)}']")
        dashes = path.value_of_css_property("stroke-dasharray")
        looks[barcode] = (path.get_attribute("stroke") or "", dashes)
    assert looks["SYN0004"] == ("var(--censored)", "4px, 3px")
    assert looks["SYN0001A"][0].startswith("var(--r")
    assert looks["SYN0001A"][1] == "none"
    assert "> 999" in browser.text("#all tbody")


def test_every_life_is_a_dot_and_part_of_a_bar(
    browser: Browser, page: Path, pipeline: Pipeline
) -> None:
    browser.show(page)
    [(lives,)] = pipeline.database.rows(
        "select count(cycle_life) from battery.batteries where cycle_life is not null"
    )
    assert browser.count("#chart-protocols circle.battery") == lives
    stacked = browser.js(
        "const s = document.querySelector('#chart-lives svg'), y = s.scale('y');"
        "return d3.sum(s.querySelectorAll('rect'), r => +r.getAttribute('height'))"
        " / (y.apply(0) - y.apply(1))"
    )
    assert round(stacked) == lives
    assert browser.count("#chart-temperature path") >= 2


def test_pointing_at_a_line_names_it_and_a_click_shows_it_alone(
    browser: Browser, page: Path
) -> None:
    browser.show(page)
    number = barcode_number(browser, "SYN0004")
    line = f"#chart-fade path[data-battery='{number}']"
    browser.pointer_at_end_of(browser.one(line)).perform()
    said = browser.text("#tip")
    assert "SYN0004\nsynthetic\\4.4C_60per_3.6C\nlife > 999 cycles, censored\ncycle " in said
    assert said.endswith(" Ah")

    browser.pointer_at_end_of(browser.one(line)).click().perform()
    browser.wait("document.querySelector('.battery.shown')")
    shown = browser.all(".battery.shown")
    assert {one.get_attribute("data-battery") for one in shown} == {str(number)}
    assert (
        float(browser.one("#chart-fade .battery:not(.shown)").value_of_css_property("opacity"))
        < 0.3
    )
    assert browser.text("#chosen-barcode") == "SYN0004"
    browser.click("#all-again")
    browser.wait("!document.querySelector('.chart.alone')")
    assert browser.count(".battery.shown") == 0


def test_choosing_a_battery_changes_its_charts_and_tables(
    browser: Browser, page: Path, pipeline: Pipeline
) -> None:
    browser.show(page)
    pictures = []
    for barcode in ("SYN0001A", "SYN0006F"):
        browser.choose(barcode)
        [(with_points, cycles)] = pipeline.database.rows(
            """
            select
                (select array_agg(distinct cycle_index)
                from battery.battery_cycles_interpolated
                where battery_id = batteries.id and cycle_index > 0),
                (select count(*) from battery.battery_summaries where battery_id = batteries.id)
            from battery.batteries where barcode = %s
            """,
            barcode,
        )
        assert browser.text("#chosen-barcode") == barcode
        chosen = int(browser.js("return document.querySelector('#cycle').value"))
        eighths = (int(k * (len(with_points) - 1) / 7 + 0.5) for k in range(8))
        shown = {with_points[eighth] for eighth in eighths} | {chosen}
        assert browser.count("#chart-curves [data-mark='line'] path") == 2 * len(shown)
        numbers = [int(row.text.split()[0]) for row in browser.all("#cycles tbody tr")]
        assert numbers[0] == 0
        assert numbers[-1] == cycles - 1
        pictures.append(
            [
                browser.js(
                    "return document.querySelector(arguments[0]).innerHTML", f"#chart-{name}"
                )
                for name in ("curves", "difference")
            ]
        )
    assert not set(pictures[0]) & set(pictures[1])

    before = pictures[1][1]
    assert Select(browser.one("#later")).first_selected_option.text == "100"
    browser.pick("#later", "300")
    after = browser.js("return document.querySelector('#chart-difference').innerHTML")
    assert after != before
    assert "Q(300) \N{MINUS SIGN} Q(10), Ah" in browser.text("#chart-difference")
    browser.click("#next")
    browser.wait("document.querySelector('#chosen-barcode').textContent !== 'SYN0006F'")


def test_the_table_sorts_and_filters(browser: Browser, page: Path, pipeline: Pipeline) -> None:
    browser.show(page)
    known = "select barcode from battery.batteries where {} order by {}"

    def expected(where: str, order: str) -> list[str]:
        return [row[0] for row in pipeline.database.rows(known.format(where, order))]

    life = "#all thead th:nth-child(4)"
    browser.click(f"{life} button")
    assert browser.shown_batteries() == expected("true", "cycle_life asc nulls last, barcode")
    assert browser.one(life).get_attribute("aria-sort") == "ascending"
    browser.click(f"{life} button")
    assert browser.shown_batteries() == expected("true", "cycle_life desc nulls last, barcode")

    browser.one("#filter").send_keys("4C")
    assert browser.shown_batteries() == expected("protocol like '%4C%'", "cycle_life desc")
    browser.one("#filter").clear()
    browser.one("#filter").send_keys("syn000")
    browser.pick("#state", "censored")
    assert browser.shown_batteries() == ["SYN0004"]
    assert browser.text("#count") == "1 of 10 shown"
    assert browser.count("#chart-fade path.battery") == 1  # the charts follow
    browser.click("#all tbody tr:not([hidden]) a")
    browser.wait("document.querySelector('#chosen-barcode').textContent === 'SYN0004'")
    browser.click("#unfilter")
    browser.pick("#channel", "3")
    assert browser.shown_batteries() == ["SYN0003C"]


# ------------------------------------------------------------------------ what else it answers


def test_any_cycle_of_several_batteries_is_shown_together(browser: Browser, page: Path) -> None:
    browser.show(page, view="#battery=SYN0002B&cycle=300&with=SYN0006F&with=SYN0001A")
    assert browser.text("#curve-legend").split("\n") == [
        "SYN0002B, cycle 300", "SYN0006F, cycle 300", "SYN0001A, cycle 300",
    ]  # fmt: skip
    assert browser.count("#chart-curves [data-mark='line'] path") == 6
    for chart in ("incremental", "voltage", "current", "heat"):
        assert browser.count(f"#chart-{chart} [data-mark='line'] path") == 3, chart
    browser.click("#compared button")
    browser.wait("document.querySelectorAll('#compared button').length === 1")
    browser.js("const c = document.querySelector('#cycle'); c.value = 512; "
               "c.dispatchEvent(new Event('change'))")  # fmt: skip
    browser.wait("location.hash.includes('cycle=500')")  # the nearest that has points


def test_dq_dv_integrates_to_the_capacity_and_says_how_it_is_smoothed(
    browser: Browser, page: Path, pipeline: Pipeline
) -> None:
    browser.show(page, view="#battery=SYN0006F&cycle=300")
    columns, *rows = saved(browser, "incremental")
    assert columns == ["barcode", "cycle", "step", "voltage_V", "dQ_dV_Ah_per_V"]
    curve = [(float(row[3]), float(row[4])) for row in rows if row[1] == "300"]
    width = curve[1][0] - curve[0][0]
    [(capacity,)] = pipeline.database.rows(
        "select max(discharge_capacity) - min(discharge_capacity)"
        " from battery.battery_cycles_interpolated as points"
        " inner join battery.batteries on battery_id = batteries.id"
        " where barcode = 'SYN0006F' and cycle_index = 300 and step_type = 'discharge'"
    )
    assert sum(slope for _, slope in curve) * width == pytest.approx(capacity, rel=0.05)
    assert "smoothed by a Gaussian of 1.5 bins" in browser.text("#chart-incremental")


def test_a_stretch_drawn_across_a_chart_is_seen_in_all_and_by_the_link(
    browser: Browser, page: Path
) -> None:
    browser.show(page)
    overlay = browser.one("#chart-fade .brush .overlay")
    browser.js("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", overlay)
    box = overlay.rect
    top = browser.js("return scrollY")
    actions = ActionChains(browser.driver, duration=50)
    y = int(box["y"] - top + box["height"] / 2)
    actions.w3c_actions.pointer_action.move_to_location(int(box["x"] + box["width"] * 0.2), y)
    actions.click_and_hold()
    actions.w3c_actions.pointer_action.move_to_location(int(box["x"] + box["width"] * 0.4), y)
    actions.release().perform()
    browser.wait("location.hash.includes('zoom.cycles')")
    domain = "return document.querySelector(arguments[0]).scale('x').domain"
    zoomed = browser.js(domain, "#chart-fade svg")
    assert 0 < zoomed[0] < zoomed[1] < 600
    assert browser.js(domain, "#chart-energy svg") == zoomed

    browser.choose("SYN0003C")
    browser.one("#filter").send_keys("syn")
    address, shown = browser.view(), browser.shown_batteries()
    browser.show(page, view=address)
    assert browser.js(domain, "#chart-fade svg") == pytest.approx(zoomed, rel=1e-4)
    assert browser.text("#chosen-barcode") == "SYN0003C"
    assert browser.shown_batteries() == shown
    assert browser.view() == address

    browser.click("#chart-fade .tools button")  # the whole range again
    assert browser.js(domain, "#chart-fade svg")[1] > 1000


def saved(browser: Browser, chart: str) -> list[list[str]]:
    """The rows of a chart's CSV, caught where the page would save it."""
    browser.js("""
        window.caught = null;
        URL.createObjectURL = blob => {
            blob.text().then(text => { window.caught = text; });
            return "data:,";
        };
        HTMLAnchorElement.prototype.click = () => {};
    """)
    for button in browser.all(f"#chart-{chart} .tools button"):
        if button.text == "CSV":
            browser.js("arguments[0].click()", button)
    browser.wait("window.caught")
    return list(csv.reader(io.StringIO(str(browser.js("return window.caught")))))


def test_the_numbers_of_a_chart_can_be_saved(
    browser: Browser, page: Path, pipeline: Pipeline
) -> None:
    browser.show(page)
    browser.click("#measure input[value='Ah']")
    columns, *rows = saved(browser, "fade")
    assert columns == ["barcode", "cycle", "discharge_capacity_Ah"]
    expected = pipeline.database.rows(
        "select barcode, cycle_index, discharge_capacity from battery.battery_summaries as s"
        " inner join battery.batteries on battery_id = batteries.id"
        " where cycle_index > 0 and discharge_capacity is not null"
        " and (batteries.cycle_life is not null or is_full_cycle)"
    )
    saved_rows = {(barcode, int(cycle)): float(value) for barcode, cycle, value in rows}
    assert saved_rows == pytest.approx(
        {(barcode, cycle): value for barcode, cycle, value in expected}, abs=1e-4
    )


def test_the_picture_of_a_chart_can_be_saved(browser: Browser, page: Path, tmp_path: Path) -> None:
    browser.show(page)
    behaviour = {"behavior": "allow", "downloadPath": str(tmp_path)}
    browser.driver.execute_cdp_cmd("Browser.setDownloadBehavior", behaviour)
    for button in browser.all("#chart-fade .tools button"):
        if button.text == "PNG":
            browser.js("arguments[0].click()", button)
    WebDriverWait(browser.driver, 20).until(lambda _: (tmp_path / "fade.png").exists())
    picture = (tmp_path / "fade.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    width = int.from_bytes(picture[16:20], "big")
    assert width == 2 * browser.js("return document.querySelector('#chart-fade svg').clientWidth")
    assert len(picture) > 20_000
    assert browser.complaints() == []


# --------------------------------------------------------------------------- how it looks


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_overflows_and_nobody_is_kept_out(
    browser: Browser, page: Path, axe: str, scheme: str, width: int
) -> None:
    browser.show(page, width=width, scheme=scheme)
    widths = browser.js("return [document.documentElement.scrollWidth, innerWidth]")
    assert widths[0] <= widths[1] == width
    for figure in browser.all(".chart"):
        assert figure.size["width"] <= width
    browser.js(axe)
    found = browser.driver.execute_async_script("axe.run().then(arguments[0])")
    assert found["passes"]
    serious = [
        (fault["id"], [node["target"] for node in fault["nodes"]])
        for fault in found["violations"]
        if fault["impact"] in ("serious", "critical")
    ]
    assert serious == []


def test_the_scheme_follows_the_system_and_the_button(browser: Browser, page: Path) -> None:
    colours = (
        "const line = document.querySelector('#chart-fade path.battery');"
        "return [getComputedStyle(document.body).backgroundColor, getComputedStyle(line).stroke]"
    )
    browser.show(page, scheme="light")
    light = browser.js(colours)
    browser.show(page, scheme="dark")
    dark = browser.js(colours)
    assert not set(light) & set(dark)
    browser.click("#scheme")
    assert browser.js(colours) == light
    browser.click("#scheme")
    assert browser.js(colours) == dark


def test_on_paper_it_is_light_and_whole(browser: Browser, page: Path) -> None:
    browser.show(page, scheme="dark")
    paper = {"media": "print", "features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", paper)
    script = "return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]"
    assert browser.js(script, "body", "backgroundColor") == "rgb(255, 255, 255)"
    assert browser.js(script, "#protocols", "overflow") == "visible"
    assert browser.js(script, ".masthead", "display") == "none"


def test_it_follows_the_width_of_the_window(browser: Browser, page: Path) -> None:
    browser.show(page, width=1440)
    size = {"width": 700, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    script = """
        const done = arguments[0], look = () =>
            [...document.querySelectorAll('.chart')].every(f => f.firstChild.clientWidth <= 700)
                ? done(true) : setTimeout(look, 50);
        look();
    """
    browser.driver.set_script_timeout(5)
    assert browser.driver.execute_async_script(script)
    assert browser.complaints() == []


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The script of axe-core, from npm."""
    folder = tmp_path_factory.mktemp("axe")
    npm = shutil.which("npm")
    command = [npm or "npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), AXE]
    done = subprocess.run(command, capture_output=True, text=True, check=False) if npm else None
    if done is None or done.returncode:
        if os.environ.get("CI") == "true":
            pytest.fail(done.stderr if done else "npm is missing")
        pytest.skip(f"needs {AXE} from npm")
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


# --------------------------------------------------------------------- texts of the data


def test_markup_in_the_data_shows_as_text(browser: Browser, page: Path) -> None:
    browser.show(page)
    assert HOSTILE in browser.shown_batteries()
    browser.choose(HOSTILE)
    assert browser.text("#chosen-barcode") == HOSTILE
    assert HOSTILE_PROTOCOL in browser.text("#chosen-facts")
    assert "<b>bad</b>.json" in browser.text("#rejections")
    dot = f"#chart-protocols circle[data-battery='{barcode_number(browser, HOSTILE)}']"
    browser.pointer_at_end_of(browser.one(dot)).perform()
    browser.wait("!document.querySelector('#tip').hidden")
    assert browser.text("#tip").startswith(f"{HOSTILE}\n{HOSTILE_PROTOCOL}\n")
    assert browser.driver.title == "10 batteries, 4,821 cycles"
    assert browser.count("img") == 0
    assert browser.count("#rejections b") == 0
    assert browser.count("script") == 3 + 1 + 10
    assert browser.complaints() == []


def test_a_script_that_is_not_the_pages_own_does_not_run(browser: Browser, page: Path) -> None:
    browser.show(page)
    browser.js("""
        const script = document.createElement("script");
        script.textContent = "document.title = 'taken'";
        document.body.append(script);
    """)
    assert browser.driver.title != "taken"


def test_findings_come_first_with_their_rows_and_lead_to_the_docs(
    browser: Browser, page: Path
) -> None:
    browser.show(page)
    links = {link.text: link.get_attribute("href") for link in browser.all("#findings a")}
    href = links["batteries_have_summaries"] or ""
    assert re.fullmatch(
        r"http://localhost:8080/#!/test/test\.battery_elt\.batteries_have_summaries.*", href
    )
    assert int(browser.text("#figure-warnings")) == 31 + len(links)
    row = next(row for row in browser.all("#findings tr") if "PLANTED" in row.text)
    assert [cell.text for cell in row.find_elements(By.CSS_SELECTOR, "td")][:6] == [
        "FastCharge_910002_structure.json", "PLANTED", "31", "discharge_capacity", "1.9",
        "0 to 1.65",
    ]  # fmt: skip
    top = "return document.querySelector(arguments[0]).getBoundingClientRect().top"
    assert browser.js(top, "#findings") < browser.js(top, "#rejections")


def test_a_battery_with_a_finding_is_marked_and_shown_first(browser: Browser, page: Path) -> None:
    browser.show(page)
    assert browser.text("#chosen-barcode") == "PLANTED"
    assert browser.text("#chosen-notes") == (
        "warning, cycle 31, discharge_capacity 1.9, (bounds 0 to 1.65)"
    )
    number = barcode_number(browser, "PLANTED")
    assert "1" in browser.text(f"#all tr[data-battery='{number}'] .flag")
    number = barcode_number(browser, "SYN0001A")
    assert browser.count(f"#all tr[data-battery='{number}'] .flag") == 0


def test_rejections_are_grouped_by_reason_the_first_twenty_open(
    browser: Browser, page: Path
) -> None:
    browser.show(page)
    reasons = [reason.text for reason in browser.all("#rejections .reason")]
    assert reasons == ["not valid JSON 1 file", "empty file 30 files"]
    shown = [item for item in browser.all("#rejections li") if item.is_displayed()]
    assert len(shown) == 20
    assert browser.count("#rejections li") == 31
    for part in ("byte 3", "/data/<b>bad</b>.json"):
        assert part in shown[0].text


# ------------------------------------------------------------------------------- one of many


@pytest.fixture(scope="module")
def crowd(server: Server, pipeline: Pipeline) -> Iterator[Database]:
    """140 batteries in the published tables, with lives of 150 to 2,300 cycles."""
    with fresh_database(server) as database:
        name = database.environment["PGDATABASE"]
        admin = Database(server.environment())
        admin.rows(f"drop database {name}")
        template = sql.Identifier(pipeline.database.environment["PGDATABASE"])
        statement = sql.SQL("create database {} template {}").format(sql.Identifier(name), template)
        with admin.connect() as connection:
            connection.execute(statement)
        database.rows(CROWD)
        yield database


CROWD = """
truncate battery.batteries, battery.battery_summaries, battery.battery_cycles_interpolated,
    battery.battery_lives, battery.battery_files cascade;
alter table battery.battery_cycles_interpolated drop constraint if exists
    battery_cycles_interpolated_battery_id_fkey;
insert into battery.batteries (id, barcode, protocol, channel_id, cycle_life, created_at)
select n, 'EL15' || n, 'E:\\fast\\2017-05-12_' || n % 45 || 'C_40per_4C.sdu', n % 48,
    150 + 2150 * ((n * 37 % 140) / 140.0) ^ 2, now()
from generate_series(1, 140) as n;
insert into battery.battery_lives (battery_id, barcode, nominal_capacity, end_of_life_capacity,
    cycles_completed, full_cycles, cycle_life, reached_end_of_life)
select id, barcode, 1.1, 0.88, cycle_life + 26, cycle_life + 26, cycle_life, id % 9 > 0
from battery.batteries;
insert into battery.battery_summaries (id, battery_id, cycle_index, discharge_capacity,
    dc_internal_resistance, charge_duration, temperature_minimum, temperature_average,
    temperature_maximum, date_time_iso, is_full_cycle)
select id << 32 | n, id, n,
    case when n = 77 then 0.6 else 1 end * 1.07
        - 0.043 * n / cycle_life - 0.147 * (n / cycle_life::float8) ^ 8 + 0.0012345 * sin(n * id),
    0.0155 + 0.0041234 * (n / cycle_life::float8) ^ 6, 600.5 + id % 9 * 20 + n / 7.0,
    29.7 + sin(n), 32.5 + cos(id * n), 35 + sin(n), now() + n * interval '1 hour', true
from battery.batteries, generate_series(0, cycle_life + 25) as n;
insert into battery.battery_cycles_interpolated (id, battery_id, cycle_index, voltage, current_,
    charge_capacity, discharge_capacity, step_type)
select id << 32 | row_number() over (partition by id), id, cycle, 2.0 + 1.6 * k / 100, 1,
    1.07123 * k / 100,
    1.07123 * (1 - 0.1 * cycle / cycle_life) / (1 + exp((2.0 + 1.6 * k / 100 - 3.1) / 0.05)), step
from battery.batteries, generate_series(1, 100) as k,
    (values ('charge'), ('discharge')) as steps (step),
    lateral (select 10 union select 100 union select cycle_life * s / 8
        from generate_series(0, 8) as s) as cycles (cycle);
analyze;
"""


def test_a_page_of_140_batteries_is_small_and_quick(
    browser: Browser, crowd: Database, tmp_path: Path
) -> None:
    told: list[str] = []
    with crowd.connect(autocommit=False) as connection:
        data = report.collect(connection, step=told.append)
    assert len(told) == report.STEPS
    page = tmp_path / "report.html"
    page.write_text(report.render(data), encoding="utf-8")
    assert 1_000_000 < page.stat().st_size < 8_000_000

    # the processor's time: others may be at work on this machine
    browser.driver.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
    times = []
    for _ in range(3):
        before = processor_time(browser)
        browser.show(page)
        times.append(processor_time(browser) - before)
    assert min(times) < 1, times
    assert browser.count("#chart-fade path.battery") == 140

    limit = data.thinning.life_points
    assert f"hold about {limit} cycles of a battery" in browser.text("#thinning")
    capacity = [life for life in data.lives if life["measure"] == "capacity"]
    assert len(capacity) == 140
    assert max(len(life["cycle"]["steps"]) for life in capacity) < limit + 4
    assert max(life["total"] for life in capacity) > 2 * limit
    for life in capacity:  # the one low cycle is there, however many are not
        cycles = list(itertools.accumulate(life["cycle"]["steps"]))
        assert 77 in cycles
        assert cycles[0] == 0
        assert cycles[-1] == life["total"] - 1


def processor_time(browser: Browser) -> float:
    """Seconds that the page has kept its thread busy."""
    metrics = browser.driver.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
    return float(next(one["value"] for one in metrics if one["name"] == "TaskDuration"))


# ------------------------------------------------------------------------- the command


def test_a_role_that_reads_the_published_tables_is_enough(pipeline: Pipeline) -> None:
    database = pipeline.database
    role = f"reader_{database.environment['PGDATABASE']}"
    database.rows(
        f"create role {role}; grant usage on schema battery to {role};"
        f" grant select on all tables in schema battery to {role}"
    )
    try:
        with database.connect(autocommit=False) as connection:
            everything = report.collect(connection)
            connection.execute(f"set session role {role}")
            connection.commit()
            data = report.collect(connection)
        assert everything.rejections
        assert data == replace(everything, rejections=None)
        assert "may not read the list of rejected files" in report.render(data)
    finally:
        database.rows(f"drop owned by {role}; drop role {role}")


def test_battery_chooses_whom_the_page_is_about(
    pipeline: Pipeline, run_loader: RunLoader, call_loader: RunLoader, tmp_path: Path
) -> None:
    file = tmp_path / "two.html"
    environment = pipeline.database.environment
    arguments = ("--battery", "syn0001a", "--battery", " SYN0004")
    done = run_loader("report", "-o", file, *arguments, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(rf"wrote {re.escape(str(file))} \(2 batteries, \d+ kB\)\n", done.stdout)
    text = file.read_text(encoding="utf-8")
    assert re.findall(r'<th scope="row" data-sort="(.*?)"', text) == ["SYN0001A", "SYN0004"]
    assert "SYN0002B" not in text

    unknown = call_loader("report", "-o", file, "--battery", "nobody", env=environment)
    assert unknown.returncode == 2
    assert unknown.stderr.startswith("loader: no battery has the barcode nobody; ")
    nowhere = call_loader("report", "-o", tmp_path / "no" / "file", env=environment)
    assert nowhere.returncode == 2
    assert nowhere.stderr.endswith("No such file or directory\n")


def test_an_empty_database_is_told_what_to_do(
    database: Database, call_loader: RunLoader, tmp_path: Path
) -> None:
    done = call_loader("report", env=database.environment, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        "loader: there is no battery to report on yet; land files with `loader push FOLDER` and "
        "make the tables with `loader build`\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_status_draws_the_fade_of_each_battery_on_a_terminal(pipeline: Pipeline) -> None:
    environment = clean_environment() | pipeline.database.environment | {"PYTHONUTF8": "1"}
    code = "import sys; from loader.cli import main; sys.argv[0] = 'loader'; main()"
    ours, theirs = os.openpty()
    with os.fdopen(ours, "rb", 0) as terminal:
        subprocess.run(
            [sys.executable, "-c", code, "status"],
            cwd=PROJECT, env=environment, stdout=theirs, timeout=60, check=True,
        )  # fmt: skip
        os.close(theirs)
        lines = os.read(terminal.fileno(), 1 << 16).decode().splitlines()
    fades = {line.split()[0]: line.split()[1:] for line in lines if line.startswith("SYN")}
    assert sorted(fades) == ["SYN0001A", "SYN0002B", "SYN0003C", "SYN0004", "SYN0005E", "SYN0006F"]
    for bars, *_ in fades.values():
        assert re.fullmatch(r"[▁▂▃▄▅▆▇█]{24}", bars)
        assert bars[0] > bars[-1] or bars[0] == bars[-1] == "█"
    assert " ".join(fades["SYN0005E"][-2:]) == "life 340"
    assert " ".join(fades["SYN0004"][-3:]) == "life > 999"
    assert any(re.fullmatch(r"PULSES .* no life: 3 of 33 cycles are full", line) for line in lines)
    assert any(re.fullmatch(r"NOCYCLES +no capacity", line) for line in lines)


# --------------------------------------------------------------------- dbt's results


def test_without_results_of_a_build_the_page_says_so(tmp_path: Path, pipeline: Pipeline) -> None:
    assert report.last_build(tmp_path) is None
    (tmp_path / "run_results.json").write_text('{"results": [')  # dbt is just writing it
    assert report.last_build(tmp_path) is None
    (tmp_path / "run_results.json").write_text('{"args": {"which": "generate"}, "results": []}')
    assert report.last_build(tmp_path) is None
    with pipeline.database.connect(autocommit=False) as connection:
        data = report.collect(connection, ["SYN0004"])
    assert "No results of a build were found" in report.render(data)


def test_the_scripts_carried_are_those_the_list_names() -> None:
    listed = re.findall(r"^\| `(\S+)` .*`(\w{64})` \|$", (VENDOR / "README.md").read_text(), re.M)
    found = {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in VENDOR.glob("*.js")
    }
    assert dict(listed) == found


def test_the_life_told_by_early_cycles_is_that_of_the_analysis(
    browser: Browser, page: Path, pipeline: Pipeline
) -> None:
    assert pipeline.dbt("compile", "--select", "predict_cycle_life").returncode == 0
    columns = "barcode, delta_q_log_variance, predicted_life, cycle_life, mean_error_percent"
    query = pipeline.analysis("predict_cycle_life")
    cells = pipeline.database.rows(f"select {columns} from ({query}) as cells")
    known = [(variance, life) for _, variance, _, life, _ in cells if life is not None]
    assert len(known) >= 5 and len(cells) > len(known)
    assert {round(error, 1) for *_, error in cells} == {2.4}
    slope = (log10(cells[0][2]) - log10(cells[-1][2])) / (cells[0][1] - cells[-1][1])
    assert slope == pytest.approx(-0.57, abs=0.005)

    browser.show(page)
    assert browser.count("#chart-early circle.battery") == len(cells)
    hollow = "#chart-early circle.battery[stroke='var(--censored)']"
    assert browser.count(hollow) == len(cells) - len(known)
    ends = browser.js("""
        const svg = document.querySelector("#chart-early svg");
        const [x, y] = [svg.scale("x"), svg.scale("y")];
        const path = svg.querySelector("[data-mark='linear-regression'] path:not([stroke='none'])");
        const ends = [0, path.getTotalLength()].map((length) => path.getPointAtLength(length));
        return ends.map((end) => [x.invert(end.x), y.invert(end.y)]);
    """)
    (left, high), (right, low) = ends
    assert (low - high) / (right - left) == pytest.approx(slope, rel=0.01)
