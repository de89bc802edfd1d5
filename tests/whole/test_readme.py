"""Every command of the README, typed by a stranger: a clone, an empty home, nothing installed."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import reliability
from checkout import CELL, counts
from conftest import PROJECT, Database, clean_environment, free_port, scratch_home
from pipeline import TABLES
from pushing import wait_until
from typer.main import get_command

from loader import demo
from loader.cli import app
from loader.server.embedded import Server

README = (PROJECT / "README.md").read_text(encoding="utf-8")
DEVELOPERS = "pip install -e '.[dev]' && pytest"
DOCS = "dbt docs serve"
BUILD = "cd dbt_project && dbt build"
LOADER_BUILD = "(cd / && loader build --no-use-colors)"  # not on the page
OWN_FILE = "FastCharge_900007_CH7_structure.json"  # by its name a cell of 1.1 Ah
NEXT_FILE = "FastCharge_900008_CH8_structure.json"  # there when PM2 starts


def commands() -> list[str]:
    """Each command of each code block, in order, without its remark."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [re.sub(r"\s{2,}#.*", "", line) for line in lines if line.strip()]


DEMO = commands()[0]


def test_the_page_is_short_and_all_its_code_is_executed() -> None:
    lines = README.splitlines()
    assert len(lines) < 120
    assert [line for line in lines if len(line) > (200 if line.startswith("|") else 130)] == []
    assert README.count("```") == 2 * len(re.findall(r"^```sh$", README, re.MULTILINE))


def test_every_path_in_the_table_exists() -> None:
    table = README.partition("| path | purpose |")[2].partition("\n\n")[0]
    paths = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
    assert len(paths) > 8
    paths += re.findall(r"\]\(([^)]+)\)", README)
    assert [path for path in paths if not (PROJECT / path).exists()] == []


def test_every_published_table_is_on_the_page() -> None:
    marts = {path.stem for path in (PROJECT / "dbt_project" / "models" / "marts").rglob("*.sql")}
    listed = set(re.findall(r"^\| `(\w+)` \| ", README.partition("## The tables")[2], re.MULTILINE))
    assert marts <= listed


def test_the_page_of_reliability_is_what_the_tests_do() -> None:
    """Else: python tests/support/reliability.py."""
    assert reliability.PAGE.read_text(encoding="utf-8") == reliability.page() + "\n"


def test_who_works_on_it_has_a_page_that_is_short_and_names_what_exists() -> None:
    page = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert len(page.splitlines()) <= 80
    named = re.findall(r"`((?:tests|loader|docs|dbt_project|\.ci)/[\w./]*)", page)
    assert named
    assert [path for path in named if not (PROJECT / path).exists()] == []


def test_every_section_of_the_design_that_is_cited_exists() -> None:
    headings = re.findall(r"^## (.+)$", (PROJECT / "docs" / "design.md").read_text(), re.MULTILINE)
    sources = [
        path
        for folder in ("loader", "dbt_project", "tests")
        for path in (PROJECT / folder).rglob("*.*")
        if path.suffix in (".py", ".sql", ".yml", ".md") and "target" not in path.parts
    ]
    cited = {
        section
        for path in sources
        for section in re.findall(r"docs/design\.md, ([A-Z][a-z ]+)", path.read_text())
    }
    assert cited
    assert cited <= set(headings)


def test_ci_runs_the_command_for_developers() -> None:
    assert DEVELOPERS in commands()
    steps = "\n".join(
        DEVELOPERS.split(" && ")
    )  # a line each, so that a failure of one ends the run
    assert f"\n{steps}\n" in (PROJECT / ".ci" / "run").read_text()
    assert os.access(PROJECT / ".ci" / "run", os.X_OK)


def test_every_command_named_in_the_text_exists() -> None:
    known = spelled(get_command(app))
    named = re.findall(r"`loader ((?:(?:db|export) )?[a-z-]+)", README)
    assert named
    assert [name for name in named if name not in known | {"--help"}] == []
    push = get_command(app).commands["push"]  # type: ignore[attr-defined]
    options = {name for parameter in push.params for name in parameter.opts}
    assert set(re.findall(r"`(--[a-z-]+)`", README)) <= options


def spelled(command: Any) -> set[str]:
    """The commands of a group, those of its groups after their names."""
    names = set()
    for name, found in getattr(command, "commands", {}).items():
        names |= {name, *(f"{name} {inner}" for inner in spelled(found))}
    return names


@dataclass
class Terminal:
    """One shell that keeps its folder and its variables from command to command."""

    folder: Path
    variables: dict[str, str]
    outcomes: dict[str, subprocess.CompletedProcess[str]] = field(default_factory=dict)
    rows: dict[str, dict[str, int]] = field(default_factory=dict)
    """In the published tables, after some of the commands."""

    @property
    def data(self) -> Path:
        """The folder of the server that comes along."""
        return Path(self.variables["HOME"], ".local", "share", "battery-elt")

    def type(self, command: str) -> subprocess.CompletedProcess[str]:
        state = Path(self.variables["HOME"]) / "state"
        keep = f"code=$?; {{ pwd && env -0; }} > {shlex.quote(str(state))}; exit $code"
        done = subprocess.run(
            ["bash", "-c", f"{command}\n{keep}"],
            cwd=self.folder,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        folder, _, variables = state.read_text().partition("\n")
        self.folder = Path(folder)
        self.variables = dict(pair.split("=", 1) for pair in variables.split("\0") if pair)
        self.outcomes[command] = done
        return done

    def must(self, command: str) -> str:
        done = self.type(command)
        assert done.returncode == 0, f"$ {command}\n{(done.stdout + done.stderr)[-5000:]}"
        return done.stdout

    def count_after(self, command: str) -> None:
        self.rows[command] = counts(Server(self.data).environment())


@pytest.fixture(scope="module")
def terminal() -> Iterator[Terminal]:
    """In a clone, with a home of its own and the Python that runs the tests."""
    cache = subprocess.run(
        [sys.executable, "-m", "pip", "cache", "dir"], capture_output=True, text=True, check=True
    ).stdout.strip()
    with scratch_home() as home:
        clone = home / "clone"
        shutil.copytree(PROJECT, clone, ignore=_not_in_a_clone())
        outside = clean_environment()
        path = [f"{sys.base_prefix}/bin", *outside["PATH"].split(os.pathsep)]
        variables = {
            name: value
            for name, value in outside.items()
            if name != "VIRTUAL_ENV" and not name.startswith(("PYTHON", "XDG_DATA", "COV_"))
        } | {
            "HOME": str(home),
            "PATH": os.pathsep.join(p for p in path if not p.startswith(sys.prefix + os.sep)),
            "PIP_CACHE_DIR": cache,
            "CI": "",
            "PIP_NO_COMPILE": "0",  # "no" to --compile: what is imported is compiled then
            "npm_config_prefix": str(home / "npm"),
            "npm_config_cache": str(Path.home() / ".npm"),
            "BATTERY_DOCS_PORT": str(free_port()),  # comes before what .env says
        }
        variables["PATH"] = f"{home}/npm/bin{os.pathsep}{variables['PATH']}"
        terminal = Terminal(clone, variables)
        try:
            yield terminal
        finally:
            server = Server(terminal.data)
            server.stop()
            _remove_linked(server.data, terminal.data)


def _remove_linked(data: Path, home: Path) -> None:
    """Where root's server could not enter the home, its data lies elsewhere."""
    if not data.is_relative_to(home.resolve()):
        shutil.rmtree(data, ignore_errors=True)


def _not_in_a_clone():  # type: ignore[no-untyped-def]
    """For copytree: leaves out what git ignores, as a clone does."""
    tracked = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    wanted = {PROJECT / name for name in tracked if name and (PROJECT / name).exists()}
    wanted |= {parent for path in wanted for parent in path.parents}

    def ignored(folder: str, names: list[str]) -> list[str]:
        return [name for name in names if Path(folder, name) not in wanted]

    return ignored


@pytest.fixture(scope="module")
def day(terminal: Terminal) -> Terminal:
    """One stranger's day, in the order of the page; they have a file in ./data."""
    clone = terminal.folder
    (clone / "data").mkdir()
    demo.write(clone / "data" / OWN_FILE, CELL)

    for command in commands():
        if command == DEVELOPERS:
            continue  # CI types it, and is running this test with it
        if command == DOCS:
            assert "<title>dbt Docs</title>" in serve_and_fetch(terminal)
            demo.write(clone / "data" / NEXT_FILE, replace(CELL, barcode="DEMO0002", channel_id=8))
        elif command.startswith("npm install"):
            terminal.folder = clone
            terminal.must(command)
        elif command.startswith("pm2 start"):
            terminal.must(command)
            terminal.must("pm2 delete battery-docs")  # the same pages again; see test_pm2.py
        elif command.startswith("pm2 logs"):
            wait_for_a_run(Database(Server(terminal.data).environment()))
            terminal.must(command)
            terminal.must("pm2 kill")  # else it would go on beside what follows
        elif command.startswith("dbt show"):
            terminal.folder = clone / "dbt_project"
            land_a_bad_cell(terminal, clone)
            terminal.must(command)
        elif command == DEMO:
            terminal.must(command)
            terminal.count_after(command)
            terminal.must("loader status")
        elif command == BUILD:
            terminal.must(command)
            terminal.count_after(command)
        else:
            terminal.must(command)
    return terminal


def test_the_first_command_ends_with_rows_in_the_three_tables(day: Terminal) -> None:
    """It is `loader demo`, on a machine where nothing was run before."""
    runs = demo.sample_runs().values()
    rows = day.rows[DEMO]
    assert rows["batteries"] == len({run.barcode.upper() for run in runs})
    diagnostic = sum(len(run.diagnostic_cycles) for run in runs)
    assert rows["battery_summaries"] == sum(run.cycle_count for run in runs) - diagnostic
    assert rows["battery_diagnostic_summaries"] == diagnostic > 0
    assert rows["battery_cycles_interpolated"] > 0


def test_the_demo_says_where_things_are_and_what_to_type_next(day: Terminal) -> None:
    files = sorted(
        path.name for path in Path(day.variables["HOME"], "clone", "demo-data").iterdir()
    )
    said = day.outcomes[DEMO].stdout
    assert files == sorted(demo.sample_runs())
    assert re.search(r"^wrote 7 synthetic files \(.* MB\) to demo-data$", said, re.MULTILINE)
    for barcode in ("SYN0001A", "SYN0006F"):
        assert barcode in said
    after = said.partition("next: ")[2]
    for command in ("loader status", 'eval "$(loader db env)"', "loader push"):
        assert command in after
    assert str(day.data) in day.outcomes["loader status"].stdout


def test_dbt_typed_plainly_works_after_a_push(day: Terminal) -> None:
    built, before = day.rows[BUILD], day.rows[DEMO]
    assert built["batteries"] == before["batteries"] + 1
    assert built["battery_summaries"] == before["battery_summaries"] + CELL.cycle_count


def test_loader_build_does_the_same_from_any_folder(day: Terminal) -> None:
    """After PM2's run, and with the bad cell, which it publishes and names as dbt does."""
    built, before = day.rows[LOADER_BUILD], day.rows[BUILD]
    assert built["batteries"] == before["batteries"] + 2
    assert built["battery_summaries"] == before["battery_summaries"] + 2 * CELL.cycle_count
    done = day.outcomes[LOADER_BUILD]
    assert done.returncode == 1
    assert re.search(
        rf"^build failed in .* s: {built['batteries']} batteries, {CELL.cycle_count} cycles added,"
        r" \d+ checks passed(, \d+ warnings?: .*)?$",
        done.stdout,
        re.MULTILINE,
    )
    assert "battery_cycles_interpolated_hold_possible_values" in done.stdout


def test_the_commands_of_every_day_do_what_the_page_says(day: Terminal) -> None:
    outcomes = day.outcomes
    assert "landed 1 file" in outcomes["loader push ./data"].stdout
    assert "ERROR=0" in outcomes[BUILD].stdout
    query = next(command for command in outcomes if command.startswith("psql -c"))
    assert re.search(r"DEMO0001 +\| 20$", outcomes[query].stdout, re.MULTILINE)


def test_pm2_runs_the_loader_as_the_page_says(day: Terminal) -> None:
    log = next(command for command in day.outcomes if command.startswith("pm2 logs"))
    said = day.outcomes[log].stdout
    assert '"event":"run"' in said and '"outcome":"succeeded"' in said
    assert "last run  succeeded" in day.outcomes["loader status --fail-if-older 1h"].stdout
    own = "battery_id = (select id from battery.batteries where barcode = 'DEMO0002')"
    for table in ("battery_summaries", "battery_cycles_interpolated"):
        query = f"select exists (select from battery.{table} where {own})"
        assert day.must(f'psql -At -c "{query}"') == "t\n"


def test_a_failing_test_is_looked_into_and_put_right_as_the_page_says(day: Terminal) -> None:
    look = next(command for command in day.outcomes if command.startswith("dbt show"))
    assert '"file_name": "bad_cell.json"' in day.outcomes[look].stdout
    assert '"value": 9.5' in day.outcomes[look].stdout
    cure = next(command for command in day.outcomes if "loader exclude" in command)
    assert "ERROR=0" in day.outcomes[cure].stdout
    barcodes = day.must("psql -At -c 'select barcode from battery.batteries'").split()
    assert "DEMO0001" in barcodes
    assert "BAD0001" not in barcodes


def test_the_three_tables_have_rows(day: Terminal) -> None:
    for table in TABLES:
        assert int(day.must(f"psql -At -c 'select count(*) from battery.{table}'")) > 0


def test_a_day_leaves_nothing_in_the_clone_that_git_would_add(day: Terminal) -> None:
    """But the stranger's own files."""
    clone = Path(day.variables["HOME"], "clone")
    subprocess.run(["git", "init", "-q"], cwd=clone, check=True)
    seen = subprocess.run(
        ["git", "ls-files", "-o", "--exclude-standard"],
        cwd=clone,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    own = {f"data/{OWN_FILE}", f"data/{NEXT_FILE}", "data/bad_cell.json"}
    assert [name for name in seen if name not in own and not (PROJECT / name).exists()] == []


def wait_for_a_run(database: Database) -> None:
    """Until the run that PM2 started has ended; it is the first that was asked to build."""
    ended = "select from raw.runs where build is not null and ended_at is not null"
    wait_until(lambda: bool(database.rows(ended)), seconds=90, every=0.5)


def land_a_bad_cell(terminal: Terminal, clone: Path) -> None:
    """A voltage no cell has: the build fails, and all the rest is there."""
    document = json.loads((clone / "data" / OWN_FILE).read_text())
    document["barcode"] = "BAD0001"
    document["cycles_interpolated"]["voltage"][0] = 9.5
    (clone / "data" / "bad_cell.json").write_text(json.dumps(document))
    terminal.must("loader push ../data")
    assert terminal.type(LOADER_BUILD).returncode == 1
    terminal.count_after(LOADER_BUILD)


def serve_and_fetch(terminal: Terminal) -> str:
    port = free_port()
    with served(terminal, [*DOCS.split(), "--no-browser", "--port", str(port)]):
        page = fetch(f"http://127.0.0.1:{port}/")
        catalog = json.loads(fetch(f"http://127.0.0.1:{port}/catalog.json"))
    assert "model.battery_elt.batteries" in catalog["nodes"]
    return page


@contextmanager
def served(terminal: Terminal, command: list[str]) -> Iterator[None]:
    program = shutil.which(command[0], path=terminal.variables["PATH"])
    assert program
    with subprocess.Popen(
        [program, *command[1:]],
        cwd=terminal.folder,
        env=terminal.variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield
        finally:
            process.terminate()


def fetch(address: str, seconds: float = 60) -> str:
    """The page, as soon as the server is up."""
    until = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:
                return str(answer.read().decode())
        except urllib.error.URLError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)
