"""Puts the page together: template, style, scripts and data in one HTML file."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import orjson
from markupsafe import Markup

from loader.tables.report.last_build import Build
from loader.tables.report.queries import Data, Row

_HERE = Path(__file__).resolve().parent

_VENDORED = ("vendor/d3.min.js", "vendor/plot.umd.min.js")
_SCRIPTS = ("base.js", "chart.js", "overview.js", "battery.js", "table.js", "main.js")


def render(data: Data, build: Build | None, *, made_at: datetime | None = None) -> str:
    """Give the page as HTML that refers to nothing outside itself.

    build: what dbt's last build said, where that is known. made_at: shown as the time of making.
    """
    scripts = [*map(_text, _VENDORED), _own_script()]
    return _template().render(
        data=data,
        build=build,
        made_at=made_at or datetime.now(UTC),
        totals=_totals(data, build),
        style=Markup(_text("style.css")),
        scripts=[Markup(script) for script in scripts],
        script_hashes=" ".join(_hash(script) for script in scripts),
        json=Markup(_json(_for_script(data))),  # no < is left in it
    )


def _totals(data: Data, build: Build | None) -> Row:
    firsts = [row["first_at"] for row in data.batteries if row["first_at"]]
    lasts = [row["last_at"] for row in data.batteries if row["last_at"]]
    ended = sum(row["reached_end_of_life"] for row in data.batteries)
    return {
        "batteries": len(data.batteries),
        "cycles": sum(row["cycles"] for row in data.batteries),
        "ended": ended,
        "censored": sum(row["cycle_life"] is not None for row in data.batteries) - ended,
        "first_at": min(firsts, default=None),
        "last_at": max(lasts, default=None),
        "warnings": len(data.rejections or ()) + len(build.findings if build else ()),
        "superseded": sum(row["superseded"] for row in data.batteries),
        "coarsest": max((row["every"] for row in data.lives), default=1),
    }


def _for_script(data: Data) -> Row:
    """The page's JSON: batteries in order, all else by their place in that order."""
    place = {row["id"]: number for number, row in enumerate(data.batteries)}
    return {
        "batteries": data.batteries,
        "lives": {place[row.pop("battery_id")]: row for row in map(dict, data.lives)},
        "curves": _grouped(data.curves, place),
        "summaries": _grouped(data.summaries, place),
        "temperatures": data.temperatures,
    }


def _grouped(rows: Iterable[Row], place: dict[int, int]) -> dict[int, list[Row]]:
    groups: dict[int, list[Row]] = {}
    for row in map(dict, rows):
        groups.setdefault(place[row.pop("battery_id")], []).append(row)
    return groups


def _json(value: Any) -> str:  # noqa: ANN401  whatever JSON can hold
    """JSON that may stand inside a script element: nothing in it can end the element.

    https://html.spec.whatwg.org/multipage/scripting.html#restrictions-for-contents-of-script-elements
    """
    text = orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _own_script() -> str:
    parts = "\n".join(map(_text, _SCRIPTS))
    return f'"use strict";\n(() => {{\n{parts}\n}})();'


def _hash(script: str) -> str:
    """A source expression of the content security policy: only these scripts run."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


@cache
def _text(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"count": "{:,}".format, "day": _day, "short": _short}
    return environment.get_template("page.html.j2")


def _day(moment: datetime | None) -> str:
    return f"{moment.day} {moment:%b %Y}" if moment else "\N{EN DASH}"


def _short(number: float) -> str:
    """1,234,567 as 1.23 M, to fit a line of figures."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e5, "k")):
        if number >= limit:
            return f"{number / (1e3 if unit == 'k' else limit):.3g} {unit}"
    return f"{number:,.0f}"
