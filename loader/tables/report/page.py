"""Puts the page together: template, style, scripts and data in one HTML file."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import jinja2
from markupsafe import Markup

from loader.tables.report.packing import compressed
from loader.tables.report.queries import Data, Row

_HERE = Path(__file__).resolve().parent

_VENDORED = ("vendor/d3.min.js", "vendor/plot.umd.min.js")
_SCRIPTS = (
    "base.js",
    "state.js",
    "chart.js",
    "save.js",
    "overview.js",
    "battery.js",
    "curves.js",
    "table.js",
    "main.js",
)


def render(data: Data, *, made_at: datetime | None = None) -> str:
    """Give the page as HTML that refers to nothing outside itself.

    made_at: shown as the time of making.
    """
    scripts = [*map(_text, _VENDORED), _own_script()]
    return _template().render(
        data=data,
        build=data.build,
        made_at=made_at or datetime.now(UTC),
        totals=_totals(data),
        style=Markup(_text("style.css")),
        scripts=[Markup(script) for script in scripts],
        script_hashes=" ".join(_hash(script) for script in scripts),
        overview=Markup(compressed(_overview(data))),  # base64 has no markup in it
        cycles=[Markup(cycles) for cycles in data.cycles],
        rejections=_by_reason(data.rejections),
        flags=Counter(row.barcode for one in data.found for row in one.rows),
    )


def _totals(data: Data) -> Row:
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
        "warnings": len(data.rejections or ()) + len(data.found),
        "superseded": sum(row["superseded"] for row in data.batteries),
        "cycles_left_out": any(
            (row["last_cycle"] or 0) >= data.thinning.curve_cycles for row in data.batteries
        ),
        "thinned": any(row["total"] > data.thinning.life_points for row in data.lives),
    }


def _overview(data: Data) -> Row:
    """What the page opens with: batteries in order, all else by their place in that order."""
    place = {row["id"]: number for number, row in enumerate(data.batteries)}
    lives: dict[int, Row] = {}
    for row in data.lives:
        lives.setdefault(place[row["battery_id"]], {})[row["measure"]] = {
            "cycle": row["cycle"],
            "value": row["value"],
        }
    return {
        "batteries": data.batteries,
        "lives": lives,
        "deciding": _grouped(data.deciding, place),
        "early": {place[row["battery_id"]]: row["delta_q_log_variance"] for row in data.early},
        "summaries": _grouped(data.summaries, place),
        "temperatures": data.temperatures,
        "findings": _findings(data, place),
    }


def _findings(data: Data, place: dict[int, int]) -> dict[int, list[Row]]:
    """The rows of findings by battery."""
    numbers = {row["barcode"]: place[row["id"]] for row in data.batteries}
    findings: dict[int, list[Row]] = {}
    for one in data.found:
        for row in one.rows:
            if row.barcode in numbers:
                known = {"test": one.finding.name, "status": one.finding.status}
                findings.setdefault(numbers[row.barcode], []).append(vars(row) | known)
    return findings


def _by_reason(rejections: list[Row] | None) -> list[tuple[str, list[Row]]]:
    """Rejected files grouped by their reason, the rarest first, or it would be lost."""
    groups: dict[str, list[Row]] = {}
    for row in rejections or ():
        groups.setdefault(row["reason"], []).append(row)
    return sorted(groups.items(), key=lambda group: (len(group[1]), group[0]))


def _grouped(rows: Iterable[Row], place: dict[int, int]) -> dict[int, list[Row]]:
    groups: dict[int, list[Row]] = {}
    for row in map(dict, rows):
        groups.setdefault(place[row.pop("battery_id")], []).append(row)
    return groups


def _own_script() -> str:
    parts = "\n".join(map(_text, _SCRIPTS))
    return f'"use strict";\n(async () => {{\n{parts}\n}})();'


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
