"""The command `loader`: what its commands take, what they print, how they exit.

One module a group of commands. Imports wait until a command needs them: a push that finds nothing
new is over in half a second.
"""

from __future__ import annotations

import io
import sys
from importlib import metadata
from typing import Annotated

import typer

from loader.cli import data, decisions, export, landed, push, server, tables

app = typer.Typer(
    name="loader",
    help="Battery-cycling JSON files into PostgreSQL, whole; dbt makes tables of them.",
    epilog="Without PG* variables or DATABASE_URL it starts a PostgreSQL of its own.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(push.app)
app.add_typer(landed.app)
app.add_typer(decisions.app)
app.add_typer(tables.app)
app.add_typer(data.app)
app.add_typer(export.app, name="export")
app.add_typer(server.app, name="db")


def main() -> None:
    """Run the command line; never returns."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name the terminal cannot show
    app()


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"loader {metadata.version('battery-elt')}")
        raise typer.Exit


@app.callback()
def _loader(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    pass
