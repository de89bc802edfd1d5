"""Commands for what people decide: files to leave out, kinds of cells, batteries in full."""

from __future__ import annotations

import getpass
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loader.cli.common import Json, To, fail, folder, opened
from loader.outcome import USAGE

if TYPE_CHECKING:
    from loader.raw.decisions import Exclusions
    from loader.raw.parquet import Folder

app = typer.Typer()
cell_types = typer.Typer(
    help="What cells are, told by the names of their files.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
points = typer.Typer(
    help="Batteries of which every point is published, not every tenth.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(cell_types, name="cell-types")
app.add_typer(points, name="points")

_BUILD = "next: loader build"


def _sentence(text: str) -> str:
    if not text.strip():
        raise typer.BadParameter("say why")
    return text.strip()


Files = Annotated[
    list[str],
    typer.Argument(metavar="FILE", show_default=False, help="By name, path or SHA-256."),
]
Reason = Annotated[
    str, typer.Option(parser=_sentence, metavar="TEXT", help="Why; for those who come after.")
]
Pattern = Annotated[
    str, typer.Argument(metavar="PATTERN", help="On the file name; * stands for any characters.")
]
Barcode = Annotated[str, typer.Argument(metavar="BARCODE", help="In any case of letters.")]


def _capacity(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise typer.BadParameter(f"{text!r} is no capacity in Ah")
    return value


@app.command(name="exclude")
def _exclude(files: Files, reason: Reason, to: To = None) -> None:
    """Let files count as not landed: the next build takes their rows out of the tables.

    It stays so through upgrades and rebuilds, and for files of that name to come; .gz or not makes
    no difference. `loader include` takes it back.

    \b
    Examples:
      loader exclude bad_cell.json --reason '9.5 V at its first point'
      loader exclude data/a.json data/b.json.gz --reason 'channel 7 was miswired'
    """
    from loader.raw import decisions

    said = []
    with _decided(to) as exclusions:
        for file in files:
            name = decisions.file_key(file)
            if not name:
                fail(f"{file!r} names no file", USAGE)
            hit = exclusions.exclude(file, reason, _who())
            said.append(f"excluded {name}: {_hits(hit)}")
    print("\n".join([*said, _BUILD] if to is None else said))


@app.command(name="include")
def _include(files: Files, to: To = None) -> None:
    """Let files count again that were excluded.

    \b
    Example:
      loader include bad_cell.json
    """
    from loader.raw import decisions

    said = []
    with _decided(to) as exclusions:
        for file in files:
            name = decisions.file_key(file)
            hit = exclusions.include(file)
            if hit is None:
                fail(
                    f"{name} is not on the list of `loader exclusions`; a line of "
                    "seeds/excluded_files.csv is taken back there",
                    USAGE,
                )
            said.append(f"included {name}: {_hits(hit)}")
    print("\n".join([*said, _BUILD] if to is None else said))


@app.command(name="exclusions")
def _exclusions(as_json: Json = False, to: To = None) -> None:
    """List the files that are excluded: why, by whom, when, and how many landed files that hits.

    \b
    Example:
      loader exclusions --json | jq -r '.[] | select(.files == 0) | .file'
    """
    with _decided(to) as exclusions:
        excluded = exclusions.exclusions()
    _show(excluded, ("file", "files", "reason", "decided_by", "decided_at"), as_json)


@cell_types.command(name="add")
def _add_cell_type(
    pattern: Pattern,
    nominal_capacity: Annotated[
        float, typer.Option(parser=_capacity, metavar="AH", help="Nominal capacity in Ah.")
    ],
    cell: Annotated[str | None, typer.Option(help="Maker and model.")] = None,
    chemistry: Annotated[str | None, typer.Option(help="Positive and negative electrode.")] = None,
    voltage_minimum: Annotated[
        float | None, typer.Option(metavar="V", help="Lower end of the voltage window in V.")
    ] = None,
    voltage_maximum: Annotated[
        float | None, typer.Option(metavar="V", help="Upper end of the voltage window in V.")
    ] = None,
    source: Annotated[str | None, typer.Option(help="Where these figures are published.")] = None,
) -> None:
    """Say what the cells are whose files are named so; said again, it replaces what was said.

    Of several patterns that fit the longest counts, and what is said here before the seed.

    \b
    Examples:
      loader cell-types add 'Lab7_*' --nominal-capacity 2.5
      loader cell-types add 'M50_*' --nominal-capacity 4.84 --voltage-minimum 2.5 \\
        --voltage-maximum 4.2 --cell 'LG INR21700-M50'
    """
    from loader.raw import decisions

    low, high = voltage_minimum, voltage_maximum
    if low is not None and high is not None and not low < high:
        fail("--voltage-minimum is not below --voltage-maximum", USAGE)
    if not pattern.strip():
        fail("the pattern is empty", USAGE)
    with opened() as zone:
        hit = decisions.set_cell_type(
            zone.connection,
            pattern,
            nominal_capacity,
            _who(),
            cell=cell,
            chemistry=chemistry,
            voltage_minimum=low,
            voltage_maximum=high,
            source=source,
        )
    print(f"{pattern.strip()} is a cell of {nominal_capacity:g} Ah: {_hits(hit)}")
    print(_BUILD)


@cell_types.command(name="remove")
def _remove_cell_type(pattern: Pattern) -> None:
    """Take back what was said; a pattern of the seed stays.

    \b
    Example:
      loader cell-types remove 'Lab7_*'
    """
    from loader.raw import decisions

    with opened() as zone:
        if not decisions.drop_cell_type(zone.connection, pattern):
            fail(f"nothing was said of {pattern.strip()}: loader cell-types list", USAGE)
    print(f"taken back {pattern.strip()}\n{_BUILD}")


@cell_types.command(name="list")
def _list_cell_types(as_json: Json = False) -> None:
    """List what was said, by whom, when, and how many landed files that hits.

    \b
    Example:
      loader cell-types list --json
    """
    from loader.raw import decisions

    with opened() as zone:
        said = decisions.cell_types(zone.connection)
    columns = ("pattern", "files", "nominal_capacity", "cell", "decided_by", "decided_at")
    _show(said, columns, as_json)


@points.command(name="add")
def _add_points(barcode: Barcode, reason: Reason) -> None:
    """Publish every point of a battery, from the next build on.

    \b
    Example:
      loader points add EL150800460659 --reason 'differential capacity'
    """
    from loader.raw import decisions
    from loader.tables import known

    name = decisions.barcode_key(barcode)
    if not name:
        fail("the barcode is empty", USAGE)
    with opened() as zone:
        decisions.want_full_resolution(zone.connection, barcode, reason, _who())
        there = known.is_built(zone.connection, name)
    found = "it is in the tables" if there else "no battery of that barcode is in the tables yet"
    print(f"every point of {name}: {found}\n{_BUILD}")


@points.command(name="remove")
def _remove_points(barcode: Barcode) -> None:
    """Publish every tenth point of a battery again.

    \b
    Example:
      loader points remove EL150800460659
    """
    from loader.raw import decisions

    name = decisions.barcode_key(barcode)
    with opened() as zone:
        if not decisions.drop_full_resolution(zone.connection, barcode):
            fail(f"{name} is not on the list of `loader points list`", USAGE)
    print(f"every tenth point of {name}\n{_BUILD}")


@points.command(name="list")
def _list_points(as_json: Json = False) -> None:
    """List the batteries of which every point is published: why, by whom, when.

    \b
    Example:
      loader points list
    """
    from loader.raw import decisions

    with opened() as zone:
        wanted = decisions.full_resolutions(zone.connection)
    _show(wanted, ("barcode", "reason", "decided_by", "decided_at"), as_json)


@contextmanager
def _decided(to: str | None) -> Iterator[Exclusions | Folder]:
    """What is excluded, in PostgreSQL all in one transaction; in a folder its tables follow."""
    from loader.raw.decisions import Exclusions

    if to is None:
        with opened() as zone, zone.transaction():
            yield Exclusions(zone.connection)
    else:
        with folder(to) as landed:
            yield landed
            landed.fold()


def _hits(files: int) -> str:
    from loader import texts

    return f"{texts.many(files, 'landed file')}" if files else "no landed file is named so yet"


def _who() -> str:
    """The person, not the role of the database, which several may share."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return f"user {os.getuid()}"


def _show(rows: Sequence[Any], columns: Sequence[str], as_json: bool) -> None:
    from loader import texts

    if as_json:
        print(texts.as_json(rows))
        return
    if not rows:
        print("none")
        return
    shown = [[_cell(getattr(row, column)) for column in columns] for row in rows]
    print(texts.table("", columns, shown))


def _cell(value: object) -> object:
    return f"{value:%Y-%m-%d %H:%M}" if hasattr(value, "strftime") else value
