"""What the commands share: options and their values, an open database, how an error ends."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from loader.outcome import NO_DATABASE, USAGE

if TYPE_CHECKING:
    from loader.raw.parquet import Folder
    from loader.raw.place import Raw
    from loader.raw.zone import Zone

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]

To = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="FOLDER",
        help="The landing for Spark in a folder or at s3://bucket/prefix.",
        show_default="PostgreSQL",
    ),
]

Fail = Callable[[str, int], None]

_RIGHTS = (
    "Whoever owns the schema gives rights by `loader init --roles` and, in psql, "
    "grant battery_loader (battery_transformer to build, battery_reader to read) to NAME."
)

_UNITS = {unit: 1000**power for power, unit in enumerate(("b", "kb", "mb", "gb", "tb"))}
_UNITS |= {unit: 1024**power for power, unit in enumerate(("", "kib", "mib", "gib", "tib"))}

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_size(text: str) -> int:
    """Bytes from `64MiB`, `1.5GiB`, `500MB` or a plain number; raises typer.BadParameter."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", str(text).lower())
    if not match or match[2] not in _UNITS:
        raise typer.BadParameter(f"{text!r} is no size; write 64MiB, 1GiB, 500MB or plain bytes")
    return int(float(match[1]) * _UNITS[match[2]])


def parse_duration(text: str) -> int:
    """Seconds from `90s`, `15m`, `1h` or `2d`; raises typer.BadParameter."""
    match = re.fullmatch(r"\s*(\d+)\s*([smhd])\s*", str(text).lower())
    if not match:
        raise typer.BadParameter(f"{text!r} is no duration; write 90s, 15m, 1h or 2d")
    return int(match[1]) * _SECONDS[match[2]]


def say(text: str) -> None:
    """Print a line to standard output at once."""
    print(text, flush=True)


def note(text: str) -> None:
    """Print a line to standard error at once."""
    print(text, file=sys.stderr, flush=True)


def complain(message: str, code: int) -> None:
    """Say what went wrong; `code` is for those that write it down."""
    note(f"loader: {message}")


def fail(message: str, code: int, complain: Fail = complain) -> NoReturn:
    """Say what went wrong and end the command with an exit code."""
    complain(message, code)
    raise typer.Exit(code)


@contextmanager
def opened(*, autocommit: bool = True) -> Iterator[Zone]:
    """Schema `raw`, laid out; a database that cannot be used ends the command."""
    from loader.raw import zone

    with database_errors(), zone.opened(autocommit=autocommit) as raw:
        yield raw


@contextmanager
def landing(to: str | None, *, autocommit: bool = True) -> Iterator[Raw]:
    """The raw zone, in the folder `to` or in PostgreSQL; one out of use ends the command."""
    from loader.raw import place

    with database_errors(), place.opened(to, autocommit=autocommit) as raw:
        yield raw


@contextmanager
def folder(to: str, *, make: bool = False) -> Iterator[Folder]:
    """The landing in a folder; one that cannot be used ends the command."""
    from loader.raw.parquet import Folder

    with database_errors():
        yield Folder(to, make=make)


@contextmanager
def database_errors(complain: Fail = complain) -> Iterator[None]:
    """A database that cannot be used ends the command with what to do about it."""
    import psycopg

    from loader.raw.store import Unavailable
    from loader.server import binaries, database

    try:
        yield
    except Unavailable as error:
        fail(str(error), NO_DATABASE, complain)
    except (database.DatabaseUnavailable, binaries.ServerError) as error:
        fail(str(error), NO_DATABASE, complain)
    except psycopg.errors.InsufficientPrivilege as error:
        fail(
            f"the database refused: {error.diag.message_primary}\n{_RIGHTS}", NO_DATABASE, complain
        )
    except psycopg.Error as error:
        fail(f"the database refused: {str(error).strip()}", NO_DATABASE, complain)


@contextmanager
def file_errors(complain: Fail = complain) -> Iterator[None]:
    """A file that cannot be read or written ends the command."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        fail(what, USAGE, complain)


@contextmanager
def steps(count: int, verb: str = "reading") -> Iterator[Callable[[str], None]]:
    """A progress bar on a terminal that moves when it is told the name of the next step."""
    from rich.progress import BarColumn, Progress, TextColumn

    columns = TextColumn(f"[bold]{verb}"), BarColumn(), TextColumn("{task.description}")
    with Progress(*columns, transient=True, disable=not sys.stdout.isatty()) as bar:
        task = bar.add_task("", total=count, completed=-1)
        yield lambda name: bar.update(task, advance=1, description=name)
