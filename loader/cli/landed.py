"""Commands on what is landed: see it, compare it with the files, prune it."""

from __future__ import annotations

import shutil
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from loader.cli.common import Json, To, fail, folder, landing, opened, parse_duration, say, steps
from loader.outcome import REJECTED, USAGE

if TYPE_CHECKING:
    import psycopg

app = typer.Typer()


@app.command(name="status")
def _status(
    as_json: Json = False,
    to: To = None,
    fail_if_older: Annotated[
        int | None,
        typer.Option(
            parser=parse_duration,
            metavar="DURATION",
            help="Exit with 1 where no push succeeded in the last 90s, 15m, 1h, 2d.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Show what is landed, what is built, what was rejected and how the last push went.

    \b
    Examples:
      loader status
      loader status --json | jq .rejections
      loader status --json --fail-if-older 1h
      loader status --to ./landing
    """
    from loader import texts
    from loader.raw import runs
    from loader.server import database
    from loader.tables.status import status

    if to:
        _status_of_folder(to, as_json, fail_if_older)
        return
    with opened() as zone:
        now = status(zone)
        fades = [] if as_json or not sys.stdout.isatty() else _fades(zone.connection, now.batteries)
        age = runs.since_success(zone.connection)
    environment = database.connection_environment()
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000
    say(texts.as_json(now) if as_json else texts.status(now, environment, width))
    if fades:
        say("\n".join(["", *fades]))
    _check_age(age, fail_if_older)


def _status_of_folder(to: str, as_json: bool, fail_if_older: int | None) -> None:
    from loader import texts
    from loader.tables.status import folder_status

    with folder(to) as landed:
        now = folder_status(landed)
        ends = [run.ended_at for run in landed.runs() if run.outcome == "succeeded"]
    say(texts.as_json(now) if as_json else texts.folder_status(now))
    last = ends[-1] if ends else None
    _check_age((datetime.now(UTC) - last).total_seconds() if last else None, fail_if_older)


def _check_age(age: float | None, fail_if_older: int | None) -> None:
    if fail_if_older is not None and (age is None or age > fail_if_older):
        last = "none ever did" if age is None else f"the last one ended {age:,.0f} s ago"
        fail(f"no push succeeded in the last {fail_if_older:,} s; {last}", REJECTED)


@app.command(name="rejections")
def _rejections(as_json: Json = False, to: To = None) -> None:
    """List the files that were rejected, with the reason.

    A file is off the list once it has landed or is gone. `loader push --retry-rejected` reads those
    again that are as they were.

    \b
    Examples:
      loader rejections
      loader rejections --json | jq -r '.[].path'
    """
    from loader import texts

    with landing(to) as zone:
        rejections = zone.rejections()
    print(texts.as_json(rejections) if as_json else texts.rejections(rejections))


@app.command(name="verify")
def _verify(as_json: Json = False, to: To = None) -> None:
    """Compare what is landed with the files on disk.

    Every part is there, the file on disk is the one that landed, and the document in the database
    says what it says. Exit code: 0; 1 something differs. A file that is gone from disk is no fault.

    \b
    Examples:
      loader verify
      loader verify --json | jq '.[] | select(.verdict != "same")'
    """
    from loader import texts
    from loader.raw import verify

    with (
        landing(to, autocommit=False) as zone,
        steps(len(zone.whole_files())) as step,
    ):
        checked = []
        for one in verify.verify(zone):
            checked.append(one)
            step(one.path)
    print(texts.checked_json(checked) if as_json else texts.checked(checked))
    if any(one.is_wrong for one in checked):
        raise typer.Exit(REJECTED)


@app.command(name="prune")
def _prune(
    yes: Annotated[
        bool, typer.Option("--yes", help="Do it; without this they are only listed.")
    ] = False,
) -> None:
    """Remove superseded files from the raw zone.

    A later export of the same run took their place; no table shows their rows. What is removed
    comes back by deleting its row in raw.files and pushing the file again.

    \b
    Examples:
      loader prune
      loader prune --yes
    """
    from loader import texts
    from loader.tables import prune

    with opened() as zone:
        try:
            files = prune.superseded(zone)
        except prune.NotBuilt as error:
            fail(str(error), USAGE)
        for file in files:
            if yes:
                prune.prune(zone, file)
            print(texts.superseded(file))
    size = texts.size(sum(file.size_bytes for file in files))
    done = "pruned" if yes else "would be pruned by --yes"
    print(f"{texts.many(len(files), 'file')}, {size} {done}")


def _fades(connection: psycopg.Connection, batteries: int | None) -> list[str]:
    """A line a battery, as far as a screen goes."""
    from loader.tables.sparkline import sparklines

    lines = sparklines(connection)
    if lines and batteries and batteries > len(lines):
        lines.append(f"and {batteries - len(lines):,} more: loader report")
    return lines
