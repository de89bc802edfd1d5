"""`loader sql`: the data at once, for people and for programs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Annotated

import typer

from loader.cli.common import Json, database_errors, fail
from loader.outcome import USAGE

if TYPE_CHECKING:
    import psycopg

app = typer.Typer()

_SHOWN = 200  # rows; more are for a file


@app.command(name="sql")
def _sql(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="In SQL; - reads it from a pipe.")],
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, all rows.")] = False,
    as_json: Json = False,
) -> None:
    """Show the answer to a query.

    It can read only; `loader db psql` can do more. As a table it is the first 200 rows.

    \b
    Examples:
      loader sql 'select barcode, cycle_life from battery.batteries order by cycle_life'
      loader sql --csv 'table battery.battery_summaries' > summaries.csv
    """
    import psycopg

    from loader.server import database
    from loader.tables import sql

    if as_csv and as_json:
        fail("--csv and --json cannot both be", USAGE)
    if query == "-":
        query = sys.stdin.read()
    if not query.strip():
        fail("the query is empty", USAGE)
    with database_errors(), database.connect(autocommit=True) as connection:
        try:
            if as_csv or as_json:
                rows = sql.csv if as_csv else sql.json
                sys.stdout.buffer.writelines(rows(connection, query))
            else:
                print(_table(connection, query))
        except psycopg.Error as error:
            fail(sql.refusal(connection, error), USAGE)


def _table(connection: psycopg.Connection, query: str) -> str:
    """The first rows as a table; one below the other where the terminal is too narrow for it."""
    from loader.tables import sql

    columns, rows = sql.first_rows(connection, query, _SHOWN)
    shown = [["" if value is None else str(value) for value in row] for row in rows[:_SHOWN]]
    text = _grid(columns, shown)
    if sys.stdout.isatty() and len(text.partition("\n")[0]) > get_terminal_size().columns:
        text = _records(columns, shown)
    return text if len(rows) <= _SHOWN else f"{text}\nthe first {_SHOWN} rows; --csv has all"


def _grid(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table()
    for column in columns:
        grid.add_column(Text(column), no_wrap=True)
    for row in rows:
        grid.add_row(*map(Text, row))
    console = Console(highlight=False)
    console.width = console.measure(grid, options=console.options.update(width=10**6)).maximum
    with console.capture() as captured:
        console.print(grid)
    return captured.get().rstrip()


def _records(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """As psql's expanded display."""
    width = max(map(len, columns), default=0)
    lines = []
    for number, row in enumerate(rows, start=1):
        lines.append(f"row {number}")
        lines += [f"  {name:<{width}}  {value}" for name, value in zip(columns, row, strict=True)]
    return "\n".join(lines)
