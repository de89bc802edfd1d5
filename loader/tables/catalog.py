"""What is published: tables, columns, units and meanings, as the database itself tells them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.rows import class_row

SCHEMA = "battery"

_COLUMNS = """
    select
        pg_class.oid::bigint as table_oid,
        relname::text as table_name,
        coalesce(trim(obj_description(pg_class.oid, 'pg_class')), '') as table_description,
        relkind in ('r', 'p') as is_stored,
        attnum::integer as number,
        attname::text as name,
        format_type(atttypid, atttypmod) as type,
        coalesce(trim(col_description(pg_class.oid, attnum)), '') as description
    from pg_class
    inner join pg_attribute on attrelid = pg_class.oid
    where
        relnamespace = to_regnamespace(%s)
        and relkind in ('r', 'p', 'm', 'v', 'f')
        and attnum > 0
        and not attisdropped
        and has_schema_privilege(relnamespace, 'usage')
        and has_table_privilege(pg_class.oid, 'select')
    order by relname, attnum
"""

# A description begins with its unit: "Ah: capacity of the cycle", "log10 Ah: size of the mean".
_UNIT = re.compile(
    r"((?:log10 )?(?:degC·min|degC|Ah² or Wh²|Ah or Wh|Ah²|Ah/V|Ah|Wh|ohm|V|A|s)(?: a cycle)?): "
)

_NEAR = 3  # names given for one that is not there


class NotThere(LookupError):
    """A battery, a table or a column that is not there; the message says what is near, or to do."""


@dataclass(frozen=True)
class Column:
    """A published column. `number` is its place in the table, as PostgreSQL counts."""

    table_oid: int
    table_name: str
    table_description: str
    is_stored: bool
    number: int
    name: str
    type: str
    description: str

    @property
    def unit(self) -> str | None:
        """Its unit, from its description; None where it has none."""
        found = _UNIT.match(self.description)
        return found[1] if found else None


@dataclass(frozen=True)
class Relation:
    """A published table with its columns in order. A view is not stored."""

    name: str
    description: str
    is_stored: bool
    columns: tuple[Column, ...]

    @property
    def column_names(self) -> list[str]:
        """The names of its columns, in order."""
        return [column.name for column in self.columns]


@dataclass(frozen=True)
class Battery:
    """A battery by its two names."""

    id: int
    barcode: str


def relations(connection: psycopg.Connection) -> dict[str, Relation]:
    """Give the published tables that the user may read, by name."""
    by_table: dict[str, list[Column]] = {}
    with connection.cursor(row_factory=class_row(Column)) as cursor:
        for column in cursor.execute(_COLUMNS, [SCHEMA]):
            by_table.setdefault(column.table_name, []).append(column)
    return {
        name: Relation(name, columns[0].table_description, columns[0].is_stored, tuple(columns))
        for name, columns in by_table.items()
    }


def relation(connection: psycopg.Connection, name: str) -> Relation:
    """Give a published table; raises NotThere where it is not built."""
    known = relations(connection)
    if name not in known:
        raise NotThere(
            f"{SCHEMA}.{name} is not built yet, or you may not read it; land files with "
            "`loader push FOLDER` and make the tables with `loader build`"
        )
    return known[name]


def select(
    relation: Relation,
    where: Sequence[sql.Composable] = (),
    order: Sequence[str] = (),
    columns: Sequence[str] | None = None,
    *,
    in_words: bool = False,
) -> sql.Composed:
    """Give the query of a table's rows: all of `where`, in this order, these columns or all.

    `in_words` are booleans true and false, where PostgreSQL's text has t and f. Raises NotThere for
    a column it has not.
    """
    known = {column.name: column for column in relation.columns}
    for name in columns or ():
        if name not in known:
            raise NotThere(not_there(f"column of {relation.name}", name, known))
    clauses = [
        sql.SQL("select"),
        sql.SQL(", ").join(_expression(known[name], in_words) for name in columns or known),
        sql.SQL("from"),
        sql.Identifier(SCHEMA, relation.name),
    ]
    if where:
        clauses += [sql.SQL("where"), sql.SQL(" and ").join(where)]
    if order:
        clauses += [sql.SQL("order by"), sql.SQL(", ").join(map(sql.Identifier, order))]
    return sql.SQL(" ").join(clauses)


def _expression(column: Column, in_words: bool) -> sql.Composable:
    if in_words and column.type == "boolean":
        return sql.SQL("{0}::text as {0}").format(sql.Identifier(column.name))
    return sql.Identifier(column.name)


def batteries(
    connection: psycopg.Connection, wanted: Sequence[str | int] | None = None
) -> list[Battery]:
    """Give the batteries asked for by barcode, in any case of letters, or by id; all by default.

    Raises NotThere, which names barcodes that are near.
    """
    relation(connection, "batteries")
    rows = connection.execute(f"select id, barcode from {SCHEMA}.batteries order by id")
    known = [Battery(*row) for row in rows]
    if wanted is None:
        return known
    by_name = {battery.barcode.upper(): battery for battery in known}
    by_id = {battery.id: battery for battery in known}
    found = []
    for name in wanted:
        battery = by_id.get(name) if isinstance(name, int) else by_name.get(name.strip().upper())
        if battery is None:
            raise NotThere(not_there("battery", str(name).strip().upper(), by_name))
        found.append(battery)
    return found


def not_there(kind: str, name: str, known: Iterable[str]) -> str:
    """Say that there is no such thing, and which names are near."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=_NEAR) or names[:_NEAR]
    hint = f"; there is {', '.join(near)}" if near else ""
    more = f" and {len(names) - len(near):,} more" if len(names) > len(near) else ""
    return f"no {kind} is named {name}{hint}{more}"
