"""What the report shows, read from the published tables and thinned for a page by SQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import psycopg
from psycopg.rows import dict_row

from loader.tables.report.findings import Found, found
from loader.tables.report.last_build import Build
from loader.tables.report.packing import compressed, packed

Row = dict[str, Any]
_SQL = resources.files("loader.tables.report") / "sql"
_COLUMNS = ("time", "voltage", "current", "temperature", "capacity")
Step = Callable[[str], None]


class NothingToShow(Exception):
    """No battery to report on; the message says what to do."""


@dataclass(frozen=True)
class Thinning:
    """How much of each battery the page holds, so that many batteries fit as well as few.

    life_points: cycles in each chart over life. curve_cycles: cycles whose points are there, beside
    those that are marked. curve_points: points of each discharge or charge. summary_rows: cycles in
    the summary table, beside those that are marked.
    """

    life_points: int
    curve_cycles: int
    curve_points: int
    summary_rows: int = 24

    @classmethod
    def of(cls, batteries: int) -> Thinning:
        """Give the thinning that keeps a page of some hundred batteries within 8 MB."""
        points = 680_000 // batteries
        return cls(
            life_points=max(60, min(4_000, 135_000 // batteries)),
            curve_cycles=max(6, min(2_000, points // 200)),
            curve_points=max(40, min(100, points // 20)),
        )


@dataclass(frozen=True)
class Data:
    """What the page is made of. `rejections` is None where the role may not read `raw`.

    batteries: a row each. lives: a row of arrays for each battery and measure. deciding: the cycles
    that decide a life. early: the log variance of ΔQ of each battery that has it. summaries: rows
    of the summary. cycles: the points of each battery's cycles,
    packed for the page, and how many cycles those are. temperatures: the band of all batteries by
    cycle. points: how many are published. unmapped: what files hold and no published column takes.
    build: dbt's last, where known; found: its findings with their rows.
    """

    batteries: list[Row]
    points: int
    lives: list[Row]
    deciding: list[Row]
    early: list[Row]
    temperatures: list[Row]
    summaries: list[Row]
    cycles: list[str]
    cycle_count: int
    rejections: list[Row] | None
    unmapped: list[Row]
    thinning: Thinning
    build: Build | None
    found: list[Found]


STEPS = 6
"""How often `collect` calls its `step`."""


def collect(
    connection: psycopg.Connection,
    barcodes: Sequence[str] = (),
    step: Step = lambda name: None,
    build: Build | None = None,
) -> Data:
    """Read the report's data in one read-only snapshot; selects from the marts are enough.

    barcodes: only these batteries, in any case of letters; all where there are none. `step` is
    told the name of each query before it runs. `build`: dbt's last build, whose findings are asked
    for their rows. `connection` must not be within a transaction. Raises NothingToShow,
    psycopg.Error.
    """
    connection.read_only = True
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    with connection.transaction():
        step("batteries")
        batteries = _batteries(connection, barcodes)
        ids = [row["id"] for row in batteries]
        thinning = Thinning.of(len(ids))
        points = _rows(connection, "points", {"ids": ids})[0]["points"]
        deciding = _rows(connection, "deciding", {"ids": ids})
        early = _rows_where_there(connection, "early", {"ids": ids}) or []
        step("findings")
        with connection.transaction(force_rollback=True):  # takes its time limit back
            findings = found(connection, build.findings if build else (), batteries)
        marked = _marked(batteries, deciding, findings)
        values = {
            "ids": ids,
            "marked_ids": [battery_id for battery_id, _ in marked],
            "marked_cycles": [cycle for _, cycle in marked],
            **vars(thinning),
        }
        step("cycles")
        lives = [_packed_life(row) for row in _rows(connection, "lives", values)]
        summaries = _rows(connection, "summaries", values)
        step("temperatures")
        temperatures = _rows(connection, "temperatures", values)
        step("curves")
        each = [_cycles(connection, id_, marked, thinning) for id_ in ids]
        step("rejections")
        rejections = _rows_where_there(connection, "rejections")
        unmapped = _rows(connection, "unmapped")
    return Data(
        batteries=batteries,
        points=points,
        lives=lives,
        deciding=deciding,
        early=early,
        temperatures=temperatures,
        summaries=summaries,
        cycles=[cycles for cycles, _ in each],
        cycle_count=sum(count for _, count in each),
        rejections=rejections,
        unmapped=unmapped,
        thinning=thinning,
        build=build,
        found=findings,
    )


def _rows(connection: psycopg.Connection, query: str, values: Row | None = None) -> list[Row]:
    """Rows of the query in the file of that name in sql/."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_SQL.joinpath(f"{query}.sql").read_bytes(), values).fetchall()


def _marked(
    batteries: Sequence[Row], deciding: Sequence[Row], findings: Sequence[Found]
) -> list[tuple[int, int]]:
    """Battery and cycle of all that decides a life or was found: these no thinning leaves out."""
    ids = {row["barcode"]: row["id"] for row in batteries}
    marked = {(row["battery_id"], row["cycle"]) for row in deciding}
    for row in (row for one in findings for row in one.rows):
        if row.barcode in ids and row.cycle_index is not None:
            marked.add((ids[row.barcode], row.cycle_index))
    return sorted(marked)


def _packed_life(row: Row) -> Row:
    return row | {"cycle": packed(row["cycle"]), "value": packed(row["value"])}


def _cycles(
    connection: psycopg.Connection, id_: int, marked: Sequence[tuple[int, int]], thinning: Thinning
) -> tuple[str, int]:
    """Points of a battery's cycles, packed, and of how many cycles they are."""
    own = [cycle for battery_id, cycle in marked if battery_id == id_]
    rows = _rows(connection, "cycles", {"id": id_, "marked": own, **vars(thinning)})
    steps = [row | {name: packed(row[name]) for name in _COLUMNS} for row in rows]
    return compressed(steps), len({row["cycle"] for row in rows})


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


def _rows_where_there(
    connection: psycopg.Connection, query: str, values: Row | None = None
) -> list[Row] | None:
    """Rows of a query; None where its table is not built or the role may not read it."""
    try:
        with connection.transaction():
            return _rows(connection, query, values)
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedTable):
        return None
