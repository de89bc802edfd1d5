"""The published tables as Parquet or CSV: whatever tables and columns the database has.

A table of a row per cycle or point is a folder of files, one a battery; every other is one file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from loader.tables import catalog
from loader.tables.catalog import Battery, Relation
from loader.tables.export.choice import chosen, sources
from loader.tables.export.folder import Item, Scope

Write = Callable[[Path, sql.Composed, dict[str, str]], bool]
"""Writes the rows of a query to a path, with metadata of the file."""


def items(connection: psycopg.Connection, conninfo: str, scope: Scope) -> list[Item]:
    """Give the files of an export; see `loader.tables.export.items`."""
    batteries = chosen(connection, scope)
    files = sources(connection)
    if scope.format == "parquet":
        from loader.tables.export.parquet import writer  # noqa: PLC0415 - needs Arrow

        write: Write = writer(conninfo, connection)
    else:
        write = partial(_csv, connection)
    made = _Maker(connection, scope, write, batteries, files)
    return [item for table in catalog.relations(connection).values() for item in made.items(table)]


class _Maker:
    """Makes the items of each table."""

    def __init__(
        self,
        connection: psycopg.Connection,
        scope: Scope,
        write: Write,
        batteries: list[Battery] | None,
        sources: dict[int, list[str]],
    ) -> None:
        """`batteries` is None where all are asked for, `sources` are their files by battery id."""
        self._connection = connection
        self._scope = scope
        self._write = write
        self._batteries = batteries
        self._sources = sources

    def items(self, table: Relation) -> Iterator[Item]:
        """The files of a table: one, or one a battery."""
        key = _battery_key(table)
        ids = [one.id for one in self._batteries] if self._batteries is not None and key else None
        where = [] if ids is None or key is None else [_any(key, ids)]
        if key is None or not {"id", "cycle_index"} <= set(table.column_names):
            files = sorted({name for names in self._sources.values() for name in names})
            state = self._states(table, where, None).get(0, "")
            yield self._item(table, f"{table.name}.{self._scope.format}", where, state, files, None)
            return
        states = self._states(table, where, key)
        for battery in self._batteries or catalog.batteries(self._connection):
            if battery.id in states:
                path = f"{table.name}/battery={battery.id}/data.{self._scope.format}"
                of_it = [_any(key, [battery.id])]
                files = self._sources.get(battery.id, [])
                yield self._item(table, path, of_it, states[battery.id], files, battery)

    def _states(
        self, table: Relation, where: list[sql.Composable], key: str | None
    ) -> dict[int, str]:
        """What changes when the rows of a battery do: their number, the transactions they are of.

        Of a view nobody knows.
        """
        query = sql.SQL("select {}, count(*), {} from {} where {} group by 1").format(
            sql.Identifier(key) if key else sql.SQL("0"),
            sql.SQL("sum(xmin::text::numeric)" if table.is_stored else "null"),
            sql.Identifier(catalog.SCHEMA, table.name),
            sql.SQL(" and ").join(where or [sql.SQL("true")]),
        )
        rows = self._connection.execute(query)
        return {battery_id: f"{count} {writers}" for battery_id, count, writers in rows}

    def _item(
        self,
        table: Relation,
        path: str,
        where: list[sql.Composable],
        state: str,
        files: list[str],
        battery: Battery | None,
    ) -> Item:
        order = ["cycle_index", "id"] if battery else table.column_names[:1]
        query = catalog.select(table, where, order, in_words=self._scope.format == "csv")
        fields = [_field(column) for column in table.columns]
        told = {"table": f"{catalog.SCHEMA}.{table.name}", "description": table.description}
        if battery:
            told |= {"battery_id": str(battery.id), "barcode": battery.barcode}
        told["source_files"] = json.dumps(files, ensure_ascii=False)
        return Item(
            path=path,
            name=f"{table.name} {battery.barcode}" if battery else table.name,
            fingerprint=_digest([state, told, fields]) if table.is_stored else None,
            write=partial(self._write_rows, query, told),
            resource={
                "name": table.name,
                "description": table.description,
                "format": self._scope.format,
                "schema": {"fields": fields},
            },
        )

    def _write_rows(self, query: sql.Composed, told: dict[str, str], path: Path) -> bool:
        return self._write(path, query, told)


def _battery_key(table: Relation) -> str | None:
    """The column that says which battery a row is of."""
    if table.name == "batteries":
        return "id"
    return "battery_id" if "battery_id" in table.column_names else None


def _any(key: str, ids: list[int]) -> sql.Composable:
    return sql.SQL("{} = any({}::bigint[])").format(sql.Identifier(key), sql.Literal(ids))


def _field(column: catalog.Column) -> dict[str, str]:
    told = {"name": column.name, "description": column.description}
    return told | ({"unit": column.unit} if column.unit else {})


def _digest(content: Any) -> str:  # noqa: ANN401 - whatever JSON can hold
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def _csv(
    connection: psycopg.Connection, path: Path, query: sql.Composed, told: dict[str, str]
) -> bool:
    """All digits of every number, times in UTC, NULL as nothing; units are in datapackage.json."""
    copy = sql.SQL("copy ({}) to stdout (format csv, header)").format(query)
    with connection.transaction():
        connection.execute("set local timezone = 'UTC'; set local extra_float_digits = 1")
        with path.open("wb") as file, connection.cursor().copy(copy) as rows:
            file.writelines(rows)
    return True
