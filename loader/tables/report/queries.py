"""What the report shows, read from the published tables and thinned for a page by SQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import psycopg
from psycopg.rows import dict_row

Row = dict[str, Any]
_SQL = resources.files("loader.tables.report") / "sql"
Step = Callable[[str], None]


class NothingToShow(Exception):
    """No battery to report on; the message says what to do."""


@dataclass(frozen=True)
class Thinning:
    """How much of each battery the page holds, so that many batteries fit as well as few.

    life_points: cycles in each chart over life. curve_cycles: cycles drawn as curves, beside
    cycles 10 and 100. curve_points: points of each discharge or charge. summary_rows: cycles in
    the summary table.
    """

    life_points: int
    curve_cycles: int
    curve_points: int
    summary_rows: int = 12

    @classmethod
    def of(cls, batteries: int) -> Thinning:
        """Give the thinning that keeps a page of any number of batteries within about 10 MB."""
        return cls(
            life_points=min(400, max(40, 28_000 // batteries)),
            curve_cycles=min(8, max(2, 840 // batteries)),
            curve_points=min(100, max(30, 14_000 // batteries)),
        )


@dataclass(frozen=True)
class Data:
    """What the page is made of. `rejections` is None where the role may not read `raw`.

    batteries: a row each. lives, curves, summaries: rows of arrays, keyed by `battery_id`.
    temperatures: the band of all batteries by cycle. points: how many are published. unmapped:
    what files hold and no published column takes.
    """

    batteries: list[Row]
    points: int
    lives: list[Row]
    temperatures: list[Row]
    curves: list[Row]
    summaries: list[Row]
    rejections: list[Row] | None
    unmapped: list[Row]
    thinning: Thinning


STEPS = 6
"""How often `collect` calls its `step`."""


def collect(
    connection: psycopg.Connection, barcodes: Sequence[str] = (), step: Step = lambda name: None
) -> Data:
    """Read the report's data in one read-only snapshot; selects from the marts are enough.

    barcodes: only these batteries, in any case of letters; all where there are none. `step` is
    told the name of each query before it runs. `connection` must not be within a transaction.
    Raises NothingToShow, psycopg.Error.
    """
    connection.read_only = True
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    with connection.transaction():
        step("batteries")
        batteries = _batteries(connection, barcodes)
        ids = [row["id"] for row in batteries]
        thinning = Thinning.of(len(ids))
        values = {"ids": ids, **vars(thinning)}
        step("points")
        points = _rows(connection, "points", values)[0]["points"]
        # fewer digits make a smaller page: 15 - 10 = 5 of them are more than a screen shows
        # https://www.postgresql.org/docs/current/runtime-config-client.html
        connection.execute("set local extra_float_digits = -10")
        step("cycles")
        lives = _rows(connection, "lives", values)
        summaries = _rows(connection, "summaries", values)
        step("temperatures")
        temperatures = _rows(connection, "temperatures", values)
        step("curves")
        connection.execute("set local extra_float_digits = -9")  # a difference is taken of these
        curves = _rows(connection, "curves", values)
        step("rejections")
        rejections = _rejections(connection)
        unmapped = _rows(connection, "unmapped")
    return Data(
        batteries, points, lives, temperatures, curves, summaries, rejections, unmapped, thinning
    )


def _rows(connection: psycopg.Connection, query: str, values: Row | None = None) -> list[Row]:
    """Rows of the query in the file of that name in sql/."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_SQL.joinpath(f"{query}.sql").read_bytes(), values).fetchall()


def _batteries(connection: psycopg.Connection, barcodes: Sequence[str]) -> list[Row]:
    built = connection.execute("select to_regclass('battery.battery_lives')").fetchone()
    rows = _rows(connection, "batteries") if built and built[0] else []
    if not rows:
        raise NothingToShow(
            "there is no battery to report on yet; land files with `loader push FOLDER` and make "
            "the tables with `loader build`"
        )
    if not barcodes:
        return rows
    wanted = {barcode.strip().upper(): barcode for barcode in barcodes}
    known = {row["barcode"].upper() for row in rows}
    if unknown := [wanted[barcode] for barcode in wanted if barcode not in known]:
        raise NothingToShow(
            f"no battery has the barcode {', '.join(unknown)}; "
            "`select barcode from battery.batteries` lists them"
        )
    return [row for row in rows if row["barcode"].upper() in wanted]


def _rejections(connection: psycopg.Connection) -> list[Row] | None:
    try:
        with connection.transaction():
            return _rows(connection, "rejections")
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedTable):
        return None
