"""`loader export`: the tables as files to hand on, a landed document as it came."""

from __future__ import annotations

import itertools
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from loader.cli.common import (
    To,
    database_errors,
    fail,
    file_errors,
    landing,
    note,
    parse_duration,
    steps,
)
from loader.outcome import REJECTED, USAGE

if TYPE_CHECKING:
    from loader.tables.export import Done


class _Group(TyperGroup):
    """Tells those who type `loader export 12` how it is spelled now."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 - click's own
        if args and args[0].isdigit():
            fail(f"a document is exported by `loader export document {args[0]}`", USAGE)
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=_Group,
    help="The tables as files, a landed document as JSON.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def parse_moment(text: str) -> datetime:
    """An instant from `2026-05-31`, `2026-05-31T12:00Z` (UTC by default) or so long ago, `7d`."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        try:
            return datetime.now(UTC) - timedelta(seconds=parse_duration(text))
        except (typer.BadParameter, OverflowError):
            raise typer.BadParameter(
                f"{text!r} is no date and no duration; write 2026-05-31, 2026-05-31T12:00 or 7d"
            ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@app.command(name="tables")
def _tables(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Made where it is missing.")],
    form: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="parquet, csv or bdf.")
    ] = "parquet",
    battery: Annotated[
        list[str] | None,
        typer.Option(
            "--battery",
            metavar="BARCODE",
            help="Only this battery; may be given several times.",
            show_default="all",
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN",
            help="Only batteries of which a file landed since: 2026-05-31, or 7d ago.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write the tables as files.

    Parquet and CSV: every published table; those of cycles and points a file a battery. Parquet has
    units, meanings and source files in its metadata, for CSV they are in datapackage.json. BDF
    (Battery Data Format): a file a run, for runs whose file tells the test time. A second export to
    the same folder writes only what is new. Exit code: 0; 1 nothing could be exported.

    \b
    Examples:
      loader export tables ./tables
      loader export tables ./two --format csv --battery SYN0001A --battery SYN0002B
      loader export tables ./bdf --format bdf --since 7d
    """
    from loader.server import database
    from loader.tables import export
    from loader.tables.catalog import NotThere

    if form not in export.FORMATS:
        fail(f"{form!r} is no format; there is {', '.join(export.FORMATS)}", USAGE)
    told = ", ".join(sorted(one.strip().upper() for one in battery or ())) or "all batteries"
    told += f" since {since}" if since else ""
    moment = parse_moment(since) if since else None
    scope = export.Scope(form, tuple(battery) if battery else None, moment, told)
    with database_errors(), file_errors(), database.connect(autocommit=True) as connection:
        try:
            items = export.items(connection, database.conninfo(), scope)
            with steps(len(items), "writing") as step:
                done = export.write(folder, scope, items, step)
        except (NotThere, ImportError, export.Refused) as error:
            fail(str(error), USAGE)
    _tell(done, folder)


def _tell(done: Done, folder: Path) -> None:
    from loader import texts

    for name in done.nothing:
        note(f"loader: {name}: no test_time, which BDF wants; left out")
    rest = [("unchanged", done.unchanged), ("removed", done.removed)]
    more = "".join(f", {count:,} {word}" for word, count in rest if count)
    print(f"wrote {texts.many(done.written, 'file')} to {folder}{more}")
    if done.nothing and not done.written + done.unchanged:
        raise typer.Exit(REJECTED)


@app.command(name="document")
def _document(
    file_id: Annotated[int, typer.Argument(metavar="FILE_ID", help="As raw.files has it.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Where to.", show_default="standard output"
        ),
    ] = None,
    to: To = None,
) -> None:
    """Give a landed document back as JSON.

    NaN and infinities come back as null. A large one waits for its turn in the folder for temporary
    files, not in memory.

    \b
    Examples:
      loader export document 1 | jq .barcode
      loader export document 1 -o document.json
    """
    from loader.parts import join

    with landing(to, autocommit=False) as zone:
        parts = zone.read_parts(file_id)
        first = next(parts, None)
        if first is None:
            fail(f"no file {file_id} is landed; the ids are in raw.files", USAGE)
        if zone.is_pruned(file_id):
            fail(f"file {file_id} was superseded and pruned: its content is gone", USAGE)
        pieces = join.whole(itertools.chain([first], parts))
        with file_errors():
            if output is None:
                sys.stdout.buffer.writelines(pieces)
            else:
                with output.open("wb") as file:
                    file.writelines(pieces)
