"""The published tables for Python: Arrow tables whose fields know their units."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from psycopg import sql

from loader.server import database
from loader.tables import catalog
from loader.tables.arrow import Source

if TYPE_CHECKING:
    import pyarrow as pa

Barcode = str | int
"""A battery: its barcode, in any case of letters, or its id."""


class Tables:
    """The published tables, to be read; `loader.open` makes it. Closed by `with` or `close`.

    Every method gives a `pyarrow.Table`: `.to_pandas()`, `polars.from_arrow(…)` and DuckDB take it
    as it is. Its schema's fields carry `unit` and `description` in their metadata. What the tables
    say is read anew by each call; nothing can be written.
    """

    def __init__(self, url: str | None = None) -> None:
        """Connect; see `loader.open`."""
        conninfo = database.conninfo(url)
        self._connection = database.connect_by(conninfo)
        self._source = Source(conninfo, self._connection)

    def batteries(self) -> pa.Table:
        """One row per battery: barcode, protocol, channel, cycle life."""
        return self._read("batteries", order=["id"])

    def summaries(self, battery: Barcode | None = None) -> pa.Table:
        """One row per battery and cycle, of one battery or of all, in that order.

        Capacities in Ah, energies in Wh, temperatures in degC, times in s. Raises LookupError for a
        battery that is not there, and names those that are near.
        """
        where = [] if battery is None else [self._is(battery)]
        return self._read("battery_summaries", where, ["battery_id", "cycle_index"])

    def points(
        self,
        battery: Barcode,
        cycles: int | Iterable[int] | None = None,
        columns: Iterable[str] | None = None,
    ) -> pa.Table:
        """The published points of a battery in the order of cycles and of the file.

        `cycles`: one cycle number or several, `range(10, 20)` too; all by default. `columns`: only
        these, in this order. Raises LookupError for a battery or a column that is not there.
        """
        where = [self._is(battery)]
        if cycles is not None:
            numbers = [cycles] if isinstance(cycles, int) else [int(cycle) for cycle in cycles]
            where.append(sql.SQL("cycle_index = any({}::bigint[])").format(sql.Literal(numbers)))
        order = ["cycle_index", "id"]
        wanted = None if columns is None else list(columns)
        return self._read("battery_cycles_interpolated", where, order, wanted)

    def query(self, query: str) -> pa.Table:
        """The answer to a query in SQL; columns that are published ones have their units.

        PostgreSQL's numeric comes as a double. Raises ValueError with what the database says.
        """
        return self._source.table(query)

    def close(self) -> None:
        """Close the connections."""
        self._source.close()
        self._connection.close()

    def __enter__(self) -> Self:
        """Closed at the end of the block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections."""
        self.close()

    def _is(self, battery: Barcode) -> sql.Composable:
        found = catalog.batteries(self._connection, [battery])[0]
        return sql.SQL("battery_id = {}").format(sql.Literal(found.id))

    def _read(
        self,
        table: str,
        where: Sequence[sql.Composable] = (),
        order: Sequence[str] = (),
        columns: Sequence[str] | None = None,
    ) -> pa.Table:
        relation = catalog.relation(self._connection, table)
        query = catalog.select(relation, where, order, columns)
        return self._source.table(query.as_string(self._connection))
