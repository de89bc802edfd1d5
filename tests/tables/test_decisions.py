"""What people decide is kept in `raw` and made so by the next build, whatever comes between."""

import getpass
import json
import re
from collections.abc import Callable, Iterator

import built
import pytest
from conftest import Database, RunLoader, fresh_database
from pipeline import NO_OTHER_TEST, ONLY_TABLES, Pipeline

from loader.raw import runs
from loader.raw.decisions import barcode_key, file_key
from loader.server.embedded import Server

NAME = "FastCharge_2_structure.json"  # the file of the battery ALONE
SHA256 = "0123456789ABCDEF" * 4
UNNAMED = "exclusions_name_landed_files"


@pytest.fixture
def pipeline(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with built.built(server, tmp_path_factory) as pipeline:
        yield pipeline


@pytest.fixture(scope="module")
def empty(server: Server) -> Iterator[Database]:
    """Stays so: what is refused leaves nothing."""
    with fresh_database(server) as database:
        yield database


Loader = Callable[..., str]


def succeeding(run: RunLoader, pipeline: Pipeline) -> Loader:
    def loader(*args: str) -> str:
        done = run(*args, env=pipeline.database.environment)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    return loader


@pytest.fixture
def loader(pipeline: Pipeline, call_loader: RunLoader) -> Loader:
    """The command, in this process; it must succeed."""
    return succeeding(call_loader, pipeline)


@pytest.fixture
def process(pipeline: Pipeline, run_loader: RunLoader) -> Loader:
    """The same in a process of its own."""
    return succeeding(run_loader, pipeline)


def barcodes(pipeline: Pipeline) -> list[str]:
    return [row["barcode"] for row in pipeline.table("batteries")]


@pytest.mark.parametrize(
    ("said", "known"),
    [
        ("bad.json", "bad.json"),
        ("  bad.json ", "bad.json"),
        ("bad.json.gz", "bad.json"),
        ("/srv/my data/bad.json.gz", "bad.json"),
        ("../Bad.json", "Bad.json"),
        (SHA256, SHA256.lower()),
        (f" {SHA256}\n", SHA256.lower()),
        (f"{SHA256}.json", f"{SHA256}.json"),
    ],
)
def test_a_file_is_known_however_it_is_written(said: str, known: str) -> None:
    assert file_key(said) == known


@pytest.mark.parametrize(
    ("said", "known"),
    [
        (" el150800460659 ", "EL150800460659"),
        ("unidentified:a_File.json", "unidentified:a_File.json"),
        ("Unidentified:a_File.json", "unidentified:a_File.json"),
    ],
)
def test_a_barcode_is_known_however_it_is_written(said: str, known: str) -> None:
    assert barcode_key(said) == known


def test_an_excluded_file_is_out_of_the_tables_until_it_is_included(
    pipeline: Pipeline, loader: Loader, process: Loader
) -> None:
    before = pipeline.tables()
    said = process("exclude", f" data/{NAME}.gz ", "none.json", "--reason", "9.5 V, it's odd")
    assert said == (
        f"excluded {NAME}: 1 landed file\n"
        "excluded none.json: no landed file is named so yet\n"
        "next: loader build\n"
    )
    listed = json.loads(loader("exclusions", "--json"))
    assert [(one["file"], one["files"], one["reason"], one["decided_by"]) for one in listed] == [
        (NAME, 1, "9.5 V, it's odd", getpass.getuser()),
        ("none.json", 0, "9.5 V, it's odd", getpass.getuser()),
    ]
    assert f"WARN 1 {UNNAMED}" in pipeline.build(*ONLY_TABLES, UNNAMED, *NO_OTHER_TEST)
    assert barcodes(pipeline) == ["TWICE"]
    pipeline.build_tables("--full-refresh", *ONLY_TABLES)
    assert barcodes(pipeline) == ["TWICE"]

    assert loader("include", NAME) == f"included {NAME}: 1 landed file\nnext: loader build\n"
    pipeline.build_tables(*ONLY_TABLES)
    after = pipeline.tables()
    for table, rows in before.items():
        assert after[table] == rows


def test_a_file_is_excluded_by_its_sha256_in_any_case_of_letters(
    pipeline: Pipeline, loader: Loader
) -> None:
    ((sha256,),) = pipeline.database.rows(
        "select upper(encode(sha256, 'hex')) from raw.files where name = %s", NAME
    )
    said = loader("exclude", sha256, "--reason", "noise")
    assert said.startswith(f"excluded {sha256.lower()}: 1 landed file\n")
    pipeline.build_tables(*ONLY_TABLES)
    assert barcodes(pipeline) == ["TWICE"]


def test_a_cell_type_that_was_said_comes_before_the_seed(
    pipeline: Pipeline, loader: Loader, process: Loader
) -> None:
    said = process(
        *("cell-types", "add", "FastCharge_2*", "--nominal-capacity", "2.5", "--cell", "Lab 7")
    )
    assert said == "FastCharge_2* is a cell of 2.5 Ah: 1 landed file\nnext: loader build\n"
    loader("cell-types", "add", "FastCharge_*", "--nominal-capacity", "1.2")
    pipeline.build_tables("--select", "+battery_lives")
    assert capacities(pipeline) == {"ALONE": 2.5, "TWICE": 1.2}
    listed = json.loads(loader("cell-types", "list", "--json"))
    assert [(one["pattern"], one["files"], one["cell"]) for one in listed] == [
        ("FastCharge_*", 3, None),
        ("FastCharge_2*", 1, "Lab 7"),
    ]
    loader("cell-types", "remove", "FastCharge_2*")
    loader("cell-types", "remove", "FastCharge_*")
    pipeline.build_tables("--select", "+battery_lives")
    assert capacities(pipeline) == {"ALONE": 1.1, "TWICE": 1.1}


def capacities(pipeline: Pipeline) -> dict[str, float]:
    return dict(
        pipeline.database.rows(
            "select batteries.barcode, nominal_capacity from battery.batteries"
            " inner join battery.battery_lives on batteries.id = battery_lives.battery_id"
        )
    )


def test_batteries_wanted_in_full_are_listed(process: Loader, loader: Loader) -> None:
    said = process("points", "add", " alone", "--reason", "differential capacity")
    assert said == "every point of ALONE: it is in the tables\nnext: loader build\n"
    said = loader("points", "add", "nobody", "--reason", "to come")
    assert said.startswith("every point of NOBODY: no battery of that barcode is in the tables yet")
    listed = json.loads(loader("points", "list", "--json"))
    assert [(one["barcode"], one["reason"]) for one in listed] == [
        ("ALONE", "differential capacity"),
        ("NOBODY", "to come"),
    ]
    assert loader("points", "remove", "Alone") == "every tenth point of ALONE\nnext: loader build\n"
    loader("points", "remove", "nobody")
    assert loader("points", "list") == "none\n"


@pytest.mark.parametrize(
    "args",
    [
        ("include", "none.json"),
        ("cell-types", "remove", "none*"),
        ("points", "remove", "none"),
        ("exclude", "x.json"),
        ("exclude", "x.json", "--reason", "  "),
        ("exclude", " ", "--reason", "blank"),
        ("exclude", "--reason", "nothing"),
        ("cell-types", "add", "x*", "--nominal-capacity", "-1"),
        ("cell-types", "add", "x*", "--nominal-capacity", "nan"),
        ("cell-types", "add", "x*", "--nominal-capacity", "much"),
        ("cell-types", "add", " ", "--nominal-capacity", "1"),
        (
            *("cell-types", "add", "x*", "--nominal-capacity", "1"),
            *("--voltage-minimum", "4", "--voltage-maximum", "3"),
        ),
        ("points", "add", " ", "--reason", "blank"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_meant_is_wrong_usage(
    empty: Database, call_loader: RunLoader, args: tuple[str, ...]
) -> None:
    done = call_loader(*args, env=empty.environment)
    assert done.returncode == 2
    assert done.stderr and "Traceback" not in done.stderr
    done = call_loader("exclusions", env=empty.environment)
    assert done.stdout == "none\n"


def test_a_decision_makes_a_build_due(pipeline: Pipeline, loader: Loader) -> None:
    with pipeline.database.connect() as connection:
        for decision in (
            ("exclude", NAME, "--reason", "noise"),
            ("include", NAME),
            ("cell-types", "add", "x*", "--nominal-capacity", "1"),
            ("cell-types", "add", "x*", "--nominal-capacity", "2"),
            ("points", "add", "twice", "--reason", "all of it"),
        ):
            with runs.recorded(connection, alone=False) as run:
                runs.note_build(connection, run)
                run.build = "succeeded"
            assert not runs.build_due(connection)
            loader(*decision)
            assert runs.build_due(connection)


def test_slips_in_the_seeds_do_not_stop_the_tables(pipeline: Pipeline) -> None:
    seeds = pipeline.project / "seeds"
    shipped = (seeds / "cell_types.csv").read_text().rstrip("\n")
    (seeds / "cell_types.csv").write_text(f"{shipped}\n\n{shipped.splitlines()[-1]}\n\n")
    (seeds / "excluded_files.csv").write_text(
        f"file,reason\n\n {NAME}.gz,\n{NAME},twice\n{NAME},twice\n\ntypo.json,no newline here"
    )
    said = pipeline.build("--select", "+batteries", "+battery_lives", UNNAMED)
    for name in (
        "not_null_excluded_files_reason",
        "unique_excluded_files_file",
        "unique_cell_types_pattern",
        UNNAMED,
    ):
        assert re.search(rf"WARN \d+ {name} ", said)
    assert barcodes(pipeline) == ["TWICE"]
    ((name,),) = pipeline.database.rows(
        "select file from battery_staging.stg_exclusions where file_name = 'typo.json'"
    )
    assert name == "typo.json"
