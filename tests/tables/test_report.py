"""What the page of `loader report` promises, in a real browser on a real database."""

import hashlib
import json
import math
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
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
    """The demonstration set, a cell with markup for a name, one without cycles, a bad file."""
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
    odd = {"hostile.json": document, "none.json": {"barcode": "NOCYCLES", "summary": {}}}
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
        yield made


@pytest.fixture(scope="module")
def page(pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pipeline.database.connect(autocommit=False) as connection:
        data = report.collect(connection)
    build = report.last_build(pipeline.project / "target")
    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(report.render(data, build), encoding="utf-8")
    return file


# -------------------------------------------------------------------------------- the browser


class Browser:
    """Headless Chromium, and what the tests ask of it."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def show(self, page: Path, *, width: int = 1440, scheme: str = "light") -> None:
        """Opens the page anew from disk; nothing may be wrong with it, nothing be asked for."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        for log in ("browser", "performance"):
            self.driver.get_log(log)
        self.driver.get(page.as_uri())
        assert self.js("return document.documentElement.dataset.drawn")
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
            "arguments[0].ownerSVGElement.scrollIntoView({block: 'center', behavior: 'instant'})",
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
    assert expected[0] == 8


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
    """Its vertices are the cycles that SQL's thinning leaves: every so many, and the last."""
    browser.show(page)
    rows = pipeline.database.rows(
        f"select barcode, array_agg({measure} order by cycle_index)"
        " from battery.battery_summaries as summaries"
        " inner join battery.batteries on batteries.id = summaries.battery_id"
        " group by barcode"
    )
    expected = {}
    for barcode, values in rows:
        every = math.ceil(len(values) / 400)
        kept = [v for i, v in enumerate(values) if i % every == 0 or i == len(values) - 1]
        if count := sum(value is not None for value in kept):
            expected[str(barcode_number(browser, barcode))] = count
    assert len(expected) >= 5
    vertices = browser.js(
        "return Object.fromEntries([...document.querySelectorAll(arguments[0])]"
        ".map(p => [p.dataset.battery, p.getAttribute('d').split(/[ML]/).length - 1]))",
        f"#chart-{chart} path.battery",
    )
    assert vertices == expected


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
    assert "SYN0004\nsynthetic\\4.4C_60per_3.6C\ncensored at cycle 999\ncycle " in said
    assert said.endswith(" Ah")

    browser.pointer_at_end_of(browser.one(line)).click().perform()
    shown = browser.all(".battery.shown")
    assert {one.get_attribute("data-battery") for one in shown} == {str(number)}
    assert (
        float(browser.one("#chart-fade .battery:not(.shown)").value_of_css_property("opacity"))
        < 0.3
    )
    assert browser.text("#chosen-barcode") == "SYN0004"

    browser.pointer_at_end_of(browser.one(line)).click().perform()
    assert browser.count(".chart.alone") == 0
    browser.pick("#isolate", "SYN0002B")
    assert browser.count("#chart-fade .battery.shown") == 1
    browser.pick("#isolate", "all batteries")
    assert browser.count(".battery.shown") == 0


def test_choosing_a_battery_changes_its_charts_and_tables(
    browser: Browser, page: Path, pipeline: Pipeline
) -> None:
    browser.show(page)
    pictures = []
    for barcode in ("SYN0001A", "SYN0006F"):
        browser.pick("#choose", barcode)
        [(curves, cycles)] = pipeline.database.rows(
            """
            select
                (select count(distinct (cycle_index, step_type))
                from battery.battery_cycles_interpolated
                where battery_id = batteries.id and cycle_index > 0),
                (select count(*) from battery.battery_summaries where battery_id = batteries.id)
            from battery.batteries where barcode = %s
            """,
            barcode,
        )
        assert browser.text("#chosen-barcode") == barcode
        assert browser.count("#chart-curves [data-mark='line'] path") == curves
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
    assert Select(browser.one("#later")).first_selected_option.text == "700"
    browser.pick("#later", "300")
    after = browser.js("return document.querySelector('#chart-difference').innerHTML")
    assert after != before
    assert "Q(300) \N{MINUS SIGN} Q(100), Ah" in browser.text("#chart-difference")
    browser.click("#next")
    assert browser.text("#chosen-barcode") != "SYN0006F"


def test_the_table_sorts_and_filters(browser: Browser, page: Path, pipeline: Pipeline) -> None:
    browser.show(page)
    known = "select barcode from battery.batteries where {} order by {}"

    def expected(where: str, order: str) -> list[str]:
        return [row[0] for row in pipeline.database.rows(known.format(where, order))]

    life = "#all thead th:nth-child(4)"
    browser.click(f"{life} button")
    assert browser.shown_batteries() == expected("true", "cycle_life asc nulls last")
    assert browser.one(life).get_attribute("aria-sort") == "ascending"
    browser.click(f"{life} button")
    assert browser.shown_batteries() == expected("true", "cycle_life desc nulls last")

    browser.one("#filter").send_keys("4C")
    assert browser.shown_batteries() == expected("protocol like '%4C%'", "cycle_life desc")
    browser.one("#filter").clear()
    browser.one("#filter").send_keys("syn000")
    browser.pick("#state", "censored")
    assert browser.shown_batteries() == ["SYN0004"]
    assert browser.text("#count") == "1 of 8 shown"
    browser.click("#all tbody tr:not([hidden]) a")
    assert browser.text("#chosen-barcode") == "SYN0004"


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
    browser.pick("#choose", HOSTILE)
    assert browser.text("#chosen-barcode") == HOSTILE
    assert HOSTILE_PROTOCOL in browser.text("#chosen-facts")
    assert "<b>bad</b>.json" in browser.text("#rejections")
    dot = f"#chart-protocols circle[data-battery='{barcode_number(browser, HOSTILE)}']"
    browser.pointer_at_end_of(browser.one(dot)).perform()
    assert browser.text("#tip").startswith(f"{HOSTILE}\n{HOSTILE_PROTOCOL}\n")
    assert browser.driver.title == "8 batteries, 4,741 cycles"
    assert browser.count("img") == 0
    assert browser.count("#rejections b") == 0
    assert browser.count("script") == 4
    assert browser.complaints() == []


def test_a_script_that_is_not_the_pages_own_does_not_run(browser: Browser, page: Path) -> None:
    browser.show(page)
    browser.js("""
        const script = document.createElement("script");
        script.textContent = "document.title = 'taken'";
        document.body.append(script);
    """)
    assert browser.driver.title != "taken"


def test_rejections_and_findings_are_told_and_lead_to_the_docs(
    browser: Browser, page: Path
) -> None:
    browser.show(page)
    rejected = browser.text("#rejections")
    for part in ("not valid JSON", "byte 3", "/data/<b>bad</b>.json"):
        assert part in rejected
    links = {link.text: link.get_attribute("href") for link in browser.all("#findings a")}
    href = links["batteries_have_summaries"] or ""
    assert re.fullmatch(
        r"http://localhost:8080/#!/test/test\.battery_elt\.batteries_have_summaries.*", href
    )
    assert int(browser.text("#figure-warnings")) == 1 + len(links)


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
    battery.battery_lives, battery.battery_files;
alter table battery.battery_cycles_interpolated drop constraint if exists
    battery_cycles_interpolated_battery_id_fkey;
insert into battery.batteries (id, barcode, protocol, channel_id, cycle_life, created_at)
select n, 'EL15' || n, 'E:\\fast\\2017-05-12_' || n % 45 || 'C_40per_4C.sdu', n % 48,
    150 + 2150 * ((n * 37 % 140) / 140.0) ^ 2, now()
from generate_series(1, 140) as n;
insert into battery.battery_lives (battery_id, barcode, nominal_capacity, end_of_life_capacity,
    cycles_completed, cycle_life, reached_end_of_life)
select id, barcode, 1.1, 0.88, cycle_life + 26, cycle_life, id % 9 > 0 from battery.batteries;
insert into battery.battery_summaries (id, battery_id, cycle_index, discharge_capacity,
    dc_internal_resistance, charge_duration, temperature_minimum, temperature_average,
    temperature_maximum, date_time_iso)
select id << 32 | n, id, n,
    1.07 - 0.043 * n / cycle_life - 0.147 * (n / cycle_life::float8) ^ 8 + 0.0012345 * sin(n * id),
    0.0155 + 0.0041234 * (n / cycle_life::float8) ^ 6, 600.5 + id % 9 * 20 + n / 7.0,
    29.7 + sin(n), 32.5 + cos(id * n), 35 + sin(n), now() + n * interval '1 hour'
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
    text = report.render(data, None)
    page = tmp_path / "report.html"
    page.write_text(text, encoding="utf-8")
    assert 1_000_000 < page.stat().st_size < 10_000_000

    times = []
    for _ in range(3):
        browser.show(page)
        times.append(int(browser.js("return document.documentElement.dataset.drawn")))
    assert min(times) < 2000, times
    assert browser.count("#chart-fade path.battery") == 140
    first = [row for row in data.curves if row["battery_id"] == data.batteries[0]["id"]]
    assert {row["cycle"] for row in first} >= {10, 100}
    assert browser.count("#chart-curves [data-mark='line'] path") == len(first)
    assert max(len(row["voltage"]) for row in data.curves) == data.thinning.curve_points == 100

    limit = data.thinning.life_points
    assert limit == 200
    assert f"at most {limit} cycles of a battery" in browser.text("#thinning")
    assert "(at the coarsest one in 12)" in browser.text("#thinning")
    for life in data.lives:
        assert len(life["cycle"]) <= limit + 1
    last = dict(
        crowd.rows("select battery_id, max(cycle_index) from battery.battery_summaries group by 1")
    )
    assert {life["battery_id"]: life["cycle"][-1] for life in data.lives} == last


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
        assert "may not read the list of rejected files" in report.render(data, None)
    finally:
        database.rows(f"drop owned by {role}; drop role {role}")


def test_battery_chooses_whom_the_page_is_about(
    pipeline: Pipeline, run_loader: RunLoader, tmp_path: Path
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

    unknown = run_loader("report", "-o", file, "--battery", "nobody", env=environment)
    assert unknown.returncode == 2
    assert unknown.stderr.startswith("loader: no battery has the barcode nobody; ")
    nowhere = run_loader("report", "-o", tmp_path / "no" / "file", env=environment)
    assert nowhere.returncode == 2
    assert nowhere.stderr.endswith("No such file or directory\n")


def test_an_empty_database_is_told_what_to_do(
    database: Database, run_loader: RunLoader, tmp_path: Path
) -> None:
    done = run_loader("report", env=database.environment, cwd=tmp_path)
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
    assert " ".join(fades["SYN0004"][-3:]) == "at cycle 999"
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
    assert "No results of a build were found" in report.render(data, None)


def test_the_scripts_carried_are_those_the_list_names() -> None:
    listed = re.findall(r"^\| `(\S+)` .*`(\w{64})` \|$", (VENDOR / "README.md").read_text(), re.M)
    found = {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in VENDOR.glob("*.js")
    }
    assert dict(listed) == found
