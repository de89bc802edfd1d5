"""Commands on the tables: build them, look at them, try it all on synthetic files."""

from __future__ import annotations

import shlex
import subprocess
import sys
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from loader.cli.common import To, database_errors, fail, file_errors, note, say, steps
from loader.outcome import USAGE

app = typer.Typer()

REPORT = Path("report.html")

_NEXT = """\
next: loader status              what is landed and built
      eval "$(loader db env)"    lead psql, dbt and Python to the server
      loader push YOUR_FOLDER && loader build"""


@app.command(
    name="build",
    context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]},
)
def _build(
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="DBT_ARGUMENT", help="As dbt takes them.")
    ] = None,
    to: To = None,
    target: Annotated[
        str | None,
        typer.Option(
            "--target", "-t", metavar="NAME", help="Of dbt's profile; `spark` builds a landing."
        ),
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show all that dbt says.")
    ] = False,
) -> None:
    """Build and test the tables with dbt.

    Runs `dbt build` in the dbt project, on the loader's database or, for what was pushed `--to` a
    folder, on Spark; all other arguments go to dbt. Shows what failed and one line in the end;
    dbt's own words are in logs/dbt.log beside the project, with `--log-level-file debug` each
    statement, too. Exit code: that of dbt, 1 where a model or a test failed; 3 no database, no
    Spark.

    \b
    Examples:
      loader build
      loader build --select batteries --full-refresh
      loader build --to ./landing
    """
    from loader import spark

    words = arguments or []
    landing = None
    if to is not None or target == spark.TARGET:
        landing = _landing(to, target, words)
    elif target:
        words = [*words, "--target", target]
    raise typer.Exit(_run_build(words, verbose=verbose, landing=landing))


@app.command(name="docs")
def _docs(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where to listen.")] = 8080,
) -> None:
    """Serve dbt's pages about the tables.

    Runs `dbt docs generate` on the loader's database, then serves the pages on 127.0.0.1 until it
    is stopped.

    \b
    Example:
      loader docs --port 8081
    """
    from loader import dbt
    from loader.server import database

    with database_errors(), file_errors():
        with database.connect(autocommit=True) as connection:
            environment = database.environment_of_dbt(connection)
        try:
            dbt.docs(port, environment=environment)
        except subprocess.CalledProcessError as error:
            raise typer.Exit(error.returncode) from None


@app.command(name="report")
def _report(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Where to.")
    ] = REPORT,
    battery: Annotated[
        list[str] | None,
        typer.Option(
            "--battery",
            metavar="BARCODE",
            help="Only this battery; may be given several times.",
            show_default="all",
        ),
    ] = None,
    open_it: Annotated[bool, typer.Option("--open", help="Show it in the browser.")] = False,
) -> None:
    """Write a page of charts from the tables.

    One HTML file that needs no network: capacity fade, cycle lives, the curves of any cycle it has
    room for, what the last build's tests found, rejected files. Its address shows the same view
    again. A role that may read the published tables is enough.

    \b
    Examples:
      loader report
      loader report -o two.html --battery SYN0001A --battery SYN0002B --open
    """
    _write_report(output, battery or [])
    if open_it:
        webbrowser.open(output.resolve().as_uri())


@app.command(name="sample")
def _sample(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Made where it is missing.")],
) -> None:
    """Write a small set of synthetic files.

    Six cells in seven files, about 15 MB, in the manner of BEEP; the same bytes every time. Files
    of the same names are overwritten.

    \b
    Example:
      loader sample ./data
    """
    _write_sample(folder)
    print(f"next: loader push {shlex.quote(str(folder))}")


@app.command(name="demo")
def _demo(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where the synthetic files go.")
    ] = Path("demo-data"),
) -> None:
    """See it all at work on synthetic files.

    Writes them, lands them, builds the tables, shows the batteries and writes the report.

    \b
    Example:
      loader demo
    """
    from loader.cli.push import land
    from loader.output import TextOutput

    _write_sample(folder)
    land([folder], TextOutput(say, note, sys.stdout.isatty()))
    if code := _run_build([]):
        raise typer.Exit(code)
    print(_batteries())
    _write_report(REPORT, [])
    print(_NEXT)


def _run_build(arguments: list[str], *, verbose: bool = False, landing: str | None = None) -> int:
    """dbt's exit code; on Spark for a landing."""
    from loader import run
    from loader.output import TextOutput

    output = TextOutput(say, note, sys.stdout.isatty(), verbose)
    with database_errors(), file_errors():
        if landing is not None:
            return run.build_on_spark(landing, arguments, output)
        return run.build(arguments, output)


def _landing(to: str | None, target: str | None, arguments: list[str]) -> str:
    """Where the files for Spark are, as the options say."""
    from loader import spark

    if target not in {None, spark.TARGET}:
        raise typer.BadParameter(f"--to is for the target {spark.TARGET}, not {target}")
    try:
        landing = to or spark.variables_among(arguments)[0].get("landing")
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if not landing:
        raise typer.BadParameter("say where the files have landed: --to FOLDER")
    return str(landing)


def _write_sample(folder: Path) -> None:
    from loader import demo, texts

    with file_errors():
        files = demo.write_set(folder)
        size = sum(file.stat().st_size for file in files)
    print(f"wrote {texts.many(len(files), 'synthetic file')} ({texts.size(size)}) to {folder}")


def _batteries() -> str:
    """The first batteries, as a taste."""
    from loader import texts
    from loader.server import database
    from loader.tables import taste

    with database_errors(), database.connect() as connection:
        return texts.table(taste.TABLE, *taste.batteries(connection))


def _write_report(path: Path, barcodes: list[str]) -> None:
    from loader import dbt, texts
    from loader.server import database
    from loader.tables import report

    with file_errors():
        build = report.last_build(dbt.target())
    with database_errors(), database.connect() as connection, steps(report.STEPS) as step:
        try:
            data = report.collect(connection, barcodes, step, build)
        except report.NothingToShow as error:
            fail(str(error), USAGE)
    with file_errors():
        page = report.render(data).encode()
        path.write_bytes(page)
    many = texts.many(len(data.batteries), "battery", "batteries")
    print(f"wrote {path} ({many}, {texts.size(len(page))})")
