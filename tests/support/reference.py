"""The published tables worked out in plain Python, by docs/design.md.

Written for clarity, not speed, and apart from the loader and the models, so that the tests can hold
what PostgreSQL publishes against it.
"""

import json
import math
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

SUMMARY = "summary"
POINTS = "cycles_interpolated"
DIAGNOSTICS = ("diagnostic_summary", "diagnostic_interpolated")

CELL_TYPES: tuple[tuple[str, float | None], ...] = (
    ("FastCharge_*", 1.1),
    ("PreDiag_*", 4.84),
    ("PredictionDiagnostics_*", 4.84),
)

BATTERY_COLUMNS = ("id", "barcode", "protocol", "channel_id", "cycle_life", "created_at")
SUMMARY_COLUMNS = (
    "id",
    "battery_id",
    "cycle_index",
    "discharge_capacity",
    "charge_capacity",
    "discharge_energy",
    "charge_energy",
    "dc_internal_resistance",
    "temperature_maximum",
    "temperature_average",
    "temperature_minimum",
    "date_time_iso",
    "energy_efficiency",
    "charge_throughput",
    "energy_throughput",
    "charge_duration",
    "time_temperature_integrated",
    "paused",
    "is_full_cycle",
)
POINT_COLUMNS = (
    "id",
    "battery_id",
    "cycle_index",
    "time",
    "voltage",
    "current_",
    "temperature",
    "charge_capacity",
    "discharge_capacity",
    "step_type",
)
THROUGHPUTS = ("charge_throughput", "energy_throughput")
KNOWN_COLUMNS = {
    SUMMARY: set(SUMMARY_COLUMNS) - {"id", "battery_id", "is_full_cycle"},
    POINTS: {
        *("cycle_index", "time", "test_time", "voltage", "current", "temperature"),
        *("charge_capacity", "discharge_capacity", "step_type"),
    },
    "diagnostic_summary": {
        *("cycle_index", "cycle_type", "date_time_iso", "coulombic_efficiency", "paused"),
        *("discharge_capacity", "charge_capacity", "discharge_energy", "charge_energy"),
        *("temperature_maximum", "temperature_average", "temperature_minimum"),
        *("CV_time", "CV_current", "CV_capacity"),
    },
    "diagnostic_interpolated": {
        *("cycle_index", "cycle_type", "step_index", "step_index_counter", "step_type"),
        *("time", "test_time", "voltage", "current", "temperature", "internal_resistance"),
        *("charge_capacity", "discharge_capacity", "charge_energy", "discharge_energy"),
        *("charge_dQdV", "discharge_dQdV"),
    },
}
MEASUREMENTS = (
    "time",
    "voltage",
    "current_",
    "temperature",
    "charge_capacity",
    "discharge_capacity",
)
SUMMARY_DOUBLES = tuple(
    name
    for name in SUMMARY_COLUMNS
    if name not in ("id", "battery_id", "cycle_index", "date_time_iso", "paused", "is_full_cycle")
)

INT4_MAX = 2**31 - 1
ROWS_A_FILE = 2**32
END_OF_LIFE = 0.8  # of nominal capacity
FULL_CYCLE = 0.5
CAPACITIES_FOR_NOMINAL = 40

Row = dict[str, Any]


class File(NamedTuple):
    """One landed content: its id, its name, what it holds, when it landed, its sha256 (hex)."""

    file_id: int
    name: str
    document: dict[str, Any]
    loaded_at: datetime
    sha256: str = ""


class Run(NamedTuple):
    """What became of a file: its battery, and its place among the runs unless superseded."""

    battery_id: int
    number: int | None
    cycle_offset: int | None

    @property
    def superseded(self) -> bool:
        return self.number is None


@dataclass
class Tables:
    """The three published tables, sorted by id, and what the warnings are to name."""

    batteries: list[Row] = field(default_factory=list)
    battery_summaries: list[Row] = field(default_factory=list)
    battery_cycles_interpolated: list[Row] = field(default_factory=list)
    runs: dict[int, Run] = field(default_factory=dict)
    unknown_shapes: list[tuple[int, str]] = field(default_factory=list)
    no_battery_document: list[int] = field(default_factory=list)


# ------------------------------------------------------------------------------------- parsing


def parse(text: str | bytes) -> dict[str, Any]:
    """The document of a JSON text; NaN and the infinities are null, large integers exact."""
    if isinstance(text, bytes):
        text = text.decode("utf-8-sig")
    document = json.loads(
        text, parse_constant=lambda _: None, parse_int=_integer, parse_float=_fraction
    )
    assert isinstance(document, dict)
    return document


def _integer(digits: str) -> int | float:
    # Python refuses to turn more than 4,300 digits into an int; no double holds them either.
    return int(digits) if len(digits) <= 4000 else math.inf


def _fraction(digits: str) -> float:
    # What is too small for a double is none, as what is too large is.
    number = float(digits)
    return math.nan if number == 0 and _is_not_zero(digits) else number


def _is_not_zero(digits: str) -> bool:
    return re.search("[1-9]", re.split("[eE]", digits)[0]) is not None


# ------------------------------------------------------------------------------------- scalars

PLAIN_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?([0-9]+))?")
BLANKS = " \t\n\r\f\v"
TIME_STAMP = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]+))?)?"
    r"(?:(Z)|([+-])([0-9]{2})(?::?([0-9]{2}))?)?)?"
)


def double(value: object) -> float | None:
    """A JSON number, or a string that is a plain decimal number, as a double; else NULL."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        try:
            return _finite(float(value))
        except OverflowError:
            return None
    return _double_of_string(value) if isinstance(value, str) else None


def _double_of_string(text: str) -> float | None:
    if len(text) > 1000:
        return None
    plain = text.strip(BLANKS)
    match = PLAIN_NUMBER.fullmatch(plain)
    if match is None or len((match[1] or "").lstrip("0")) > 4:
        return None
    number = float(plain)
    return None if number == 0 and _is_not_zero(plain) else _finite(number)


def _finite(number: float) -> float | None:
    # Adding 0.0 makes -0.0 into 0.0: jsonb has no negative zero.
    return number + 0.0 if math.isfinite(number) else None


def whole(value: object, lowest: int, highest: int) -> int | None:
    """The double as an integer where it is integral and within the bounds; else NULL."""
    number = double(value)
    if number is None or not number.is_integer() or not lowest <= number <= highest:
        return None
    return int(number)


def cycle_number(value: object) -> int | None:
    """A cycle number: a whole number from 0 to 2^31 - 1."""
    return whole(value, 0, INT4_MAX)


def text_of(value: object) -> str | None:
    """A JSON string as it is, a number or boolean as its JSON text; else NULL."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else None


def time_stamp(value: object) -> datetime | None:
    """An ISO 8601 string as a time in UTC, to the microsecond; anything else NULL."""
    match = TIME_STAMP.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    zone_hours, zone_minutes = int(match[10] or 0), int(match[11] or 0)
    if zone_hours > 15 or zone_minutes > 59:
        return None
    microseconds = round(Decimal(f"0.{match[7] or 0}") * 1_000_000)
    east = timedelta(hours=zone_hours, minutes=zone_minutes) * (-1 if match[9] == "-" else 1)
    try:
        local = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        return local + timedelta(microseconds=microseconds) - east
    except (ValueError, OverflowError):
        return None


# ------------------------------------------------------------------------------------- shapes


@dataclass
class Table:
    """A section as rows in document order, and the columns it has at all."""

    present: bool = False
    known: bool = True
    columns: set[str] = field(default_factory=set)
    rows: list[Row] = field(default_factory=list)
    key_is_cycle: bool = False

    @property
    def named(self) -> set[str]:
        """The columns that the file names, which the key of a cycle is not."""
        return self.columns - {"cycle_index"} if self.key_is_cycle else self.columns


def section_value(document: Mapping[str, Any], section: str) -> Any:
    """What the section holds: its own value or, that null or absent, its flattened keys."""
    value = document.get(section)
    if value is not None:
        return value
    prefix = section + "."
    return {k.removeprefix(prefix): v for k, v in document.items() if k.startswith(prefix)} or None


def shape(value: Any) -> str:
    """Which of the shapes a section's value has: its name, 'empty' or 'unknown'."""
    if isinstance(value, list):
        if not value:
            return "empty"
        return "records" if all(isinstance(record, dict) for record in value) else "unknown"
    if not isinstance(value, dict):
        return "unknown"
    if not value:
        return "empty"
    if any(isinstance(member, list) for member in value.values()):
        return "columnar"
    if not all(isinstance(member, dict) for member in value.values()):
        return "unknown"
    if all(PLAIN_NUMBER.fullmatch(key) for key in value):
        return "by cycle"
    inner_keys = (key for member in value.values() for key in member)
    return (
        "indexed columns" if all(re.fullmatch("[0-9]+", key) for key in inner_keys) else "unknown"
    )


def read_table(document: Mapping[str, Any], section: str) -> Table:
    """The rows of a section, whatever its shape; none where none of its columns is known."""
    table = read_section(document, section)
    if table.named and not table.named & KNOWN_COLUMNS[section]:
        return Table(present=True, known=False)
    return table


def read_section(document: Mapping[str, Any], section: str) -> Table:
    """The rows of a section, or of a part of one, whatever its shape and its columns."""
    value = section_value(document, section)
    if value is None:
        return Table()
    match shape(value):
        case "columnar":
            arrays = {name: member for name, member in value.items() if isinstance(member, list)}
            return Table(present=True, columns=set(arrays), rows=_rows_of_arrays(arrays))
        case "by cycle":
            return _by_cycle(value)
        case "records":
            return Table(present=True, columns={key for row in value for key in row}, rows=value)
        case "indexed columns":
            return _indexed_columns(value)
        case found:
            return Table(present=True, known=found == "empty")


def _rows_of_arrays(arrays: Mapping[str, list[Any]]) -> list[Row]:
    length = max((len(array) for array in arrays.values()), default=0)
    return [
        {name: array[index] for name, array in arrays.items() if index < len(array)}
        for index in range(length)
    ]


def _by_cycle(value: Mapping[str, Mapping[str, Any]]) -> Table:
    table = Table(present=True, columns={"cycle_index"}, key_is_cycle=True)
    for key in sorted(value, key=lambda key: (Decimal(key), key.encode())):
        arrays = {
            name: member if isinstance(member, list) else [member]
            for name, member in value[key].items()
            if not isinstance(member, dict)
        }
        table.columns |= set(arrays)
        table.rows += [row | {"cycle_index": key} for row in _rows_of_arrays(arrays)]
    return table


def _indexed_columns(value: Mapping[str, Mapping[str, Any]]) -> Table:
    keys = {key for column in value.values() for key in column}
    ordered = sorted(keys, key=lambda key: (int(key), key))
    rows = [
        {name: column[key] for name, column in value.items() if key in column} for key in ordered
    ]
    return Table(present=True, columns=set(value), rows=rows)


# ------------------------------------------------------------------------------------- one file


@dataclass
class Content:
    """What one file says, before it is known which battery and run it belongs to."""

    file: File
    barcode: str
    protocol: str | None
    channel_id: int | None
    summaries: dict[int, Row]  # by cycle number in the file; the higher index stands
    points: list[Row]  # sampled, with a measurement, in a valid cycle
    first: datetime | None
    last: datetime | None
    highest_cycle: int | None


def plain_name(name: str) -> str:
    """A file's name without a trailing .gz."""
    return name.removesuffix(".gz")


def candidates(document: Mapping[str, Any], name: str) -> Iterator[Any]:
    """The values of a member at the top level, then in metadata."""
    yield document.get(name)
    metadata = document.get("metadata")
    if isinstance(metadata, dict):
        yield metadata.get(name)


def barcode_of(document: Mapping[str, Any]) -> str | None:
    """The barcode the document states, or None."""
    for value in candidates(document, "barcode"):
        barcode = (text_of(value) or "").strip(" ")
        if len(barcode) <= 500 and barcode.upper() not in ("", "NAN"):
            return barcode.upper()
    return None


def read_file(file: File, sections: Mapping[str, Table], sample_every: int) -> Content:
    """The typed content of one file; of its diagnostic cycles only how high their numbers go."""
    summary, points = sections[SUMMARY], sections[POINTS]
    times = [time_stamp(row.get("date_time_iso")) for row in summary.rows]
    known_times = [time for time in times if time is not None]
    summary_cycles = _cycles(summary, position_stands_in=True)
    point_cycles = _cycles(points, position_stands_in=False)
    diagnostics = (_cycles(sections[name], position_stands_in=False) for name in DIAGNOSTICS)
    every_cycle = sum(diagnostics, summary_cycles + point_cycles)
    cycles = [cycle for cycle in every_cycle if cycle is not None]
    protocols = map(text_of, candidates(file.document, "protocol"))
    channels = (whole(v, -(2**31), INT4_MAX) for v in candidates(file.document, "channel_id"))
    return Content(
        file=file,
        barcode=barcode_of(file.document) or "unidentified:" + plain_name(file.name),
        protocol=next((text for text in protocols if text is not None), None),
        channel_id=next((channel for channel in channels if channel is not None), None),
        summaries={
            cycle: _summary_row(file.file_id, index, cycle, row)
            for index, (cycle, row) in enumerate(zip(summary_cycles, summary.rows, strict=True))
            if cycle is not None
        },
        points=_points(file.file_id, points, point_cycles, sample_every),
        first=min(known_times, default=None),
        last=max(known_times, default=None),
        highest_cycle=max(cycles, default=None),
    )


def _cycles(table: Table, *, position_stands_in: bool) -> list[int | None]:
    if position_stands_in and "cycle_index" not in table.columns:
        return list(range(len(table.rows)))
    return [cycle_number(row.get("cycle_index")) for row in table.rows]


def _summary_row(file_id: int, index: int, cycle: int, row: Mapping[str, Any]) -> Row:
    paused = double(row.get("paused"))
    typed = {name: double(row.get(name)) for name in SUMMARY_DOUBLES} | {
        "id": file_id * ROWS_A_FILE + index,
        "cycle_index": cycle,
        "date_time_iso": time_stamp(row.get("date_time_iso")),
        "paused": None if paused is None else int(paused > 0),
        "is_full_cycle": None,  # known once the battery's nominal capacity is
    }
    return typed


def _points(
    file_id: int, table: Table, cycles: Sequence[int | None], sample_every: int
) -> list[Row]:
    times = _times(table, cycles)
    points = []
    for index in range(0, len(table.rows), sample_every):
        cycle, row = cycles[index], table.rows[index]
        point = {
            "id": file_id * ROWS_A_FILE + index,
            "cycle_index": cycle,
            "time": times[index],
            "voltage": double(row.get("voltage")),
            "current_": double(row.get("current")),
            "temperature": double(row.get("temperature")),
            "charge_capacity": double(row.get("charge_capacity")),
            "discharge_capacity": double(row.get("discharge_capacity")),
            "step_type": text_of(row.get("step_type")),
        }
        if cycle is not None and any(point[name] is not None for name in MEASUREMENTS):
            points.append(point)
    return points


def _times(table: Table, cycles: Sequence[int | None]) -> list[float | None]:
    """Each point's seconds within its cycle."""
    if "time" in table.columns:
        return [double(row.get("time")) for row in table.rows]
    test_times = [double(row.get("test_time")) for row in table.rows]
    lowest: dict[int, float] = {}
    for cycle, test_time in zip(cycles, test_times, strict=True):
        if cycle is not None and test_time is not None:
            lowest[cycle] = min(test_time, lowest.get(cycle, test_time))
    return [
        None if cycle is None or test_time is None else _finite(test_time - lowest[cycle])
        for cycle, test_time in zip(cycles, test_times, strict=True)
    ]


# ------------------------------------------------------------------------------------- batteries


def superseded(content: Content, landed: Sequence[Content]) -> bool:
    """Whether a file of the same barcode that landed later takes this one's place."""
    return any(
        plain_name(later.file.name) == plain_name(content.file.name) or _overlap(content, later)
        for later in landed
        if later.file.file_id > content.file.file_id
    )


def _overlap(one: Content, other: Content) -> bool:
    if one.first is None or one.last is None or other.first is None or other.last is None:
        return one.first is None and other.first is None
    return one.first <= other.last and other.first <= one.last


def in_order_of_time(contents: Sequence[Content]) -> list[Content]:
    """The runs of a battery, first time stamp first, then by file_id."""
    beginning = datetime.min.replace(tzinfo=UTC)
    return sorted(contents, key=lambda content: (content.first or beginning, content.file.file_id))


def nominal_capacity(
    name: str, capacities: Sequence[float], cell_types: Sequence[tuple[str, float | None]]
) -> float | None:
    """Ah: of the cell type that the file's name tells, else the median of the first capacities."""
    for pattern, capacity in cell_types:
        if re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name, re.DOTALL):
            if capacity is not None:
                return capacity
            break
    first = sorted(capacities[:CAPACITIES_FOR_NOMINAL])
    if not first:
        return None
    middle = len(first) // 2
    if len(first) % 2:
        return first[middle]
    total = first[middle - 1] + first[middle]
    return total / 2 if math.isfinite(total) else first[middle - 1] / 2 + first[middle] / 2


def cycle_life(summaries: Sequence[Row], nominal: float | None) -> int | None:
    """The first full cycle from which capacity stays below 80 % of nominal, else the highest cycle.

    None where fewer than half of the cycles of known capacity are full.
    """
    by_cycle = sorted(summaries, key=lambda row: row["cycle_index"])
    full = [row for row in by_cycle if row["is_full_cycle"]]
    if 2 * len(full) < sum(row["discharge_capacity"] is not None for row in by_cycle):
        return None
    end = None
    for row in reversed(full):
        if nominal is None or not row["discharge_capacity"] < END_OF_LIFE * nominal:
            break
        end = row["cycle_index"]
    if end is not None:
        return int(end)
    return max((row["cycle_index"] for row in by_cycle), default=None)


def _tell_full_cycles(summaries: Sequence[Row], nominal: float | None) -> None:
    for row in summaries:
        capacity = row["discharge_capacity"]
        if capacity is not None and nominal is not None:
            row["is_full_cycle"] = capacity >= FULL_CYCLE * nominal


def _known_capacities(summaries: Sequence[Row]) -> list[float]:
    by_cycle = sorted(summaries, key=lambda row: row["cycle_index"])
    capacities = [row["discharge_capacity"] for row in by_cycle]
    return [capacity for capacity in capacities if capacity is not None]


@dataclass
class _Running:
    """What the runs so far add to the next."""

    cycles: int = 0
    throughputs: dict[str, float] = field(default_factory=lambda: dict.fromkeys(THROUGHPUTS, 0.0))


def _stitch(row: Row, battery_id: int, cycle_offset: int) -> Row | None:
    cycle = row["cycle_index"] + cycle_offset
    return None if cycle > INT4_MAX else row | {"battery_id": battery_id, "cycle_index": cycle}


def _publish_run(
    content: Content, battery_id: int, number: int, running: _Running, tables: Tables
) -> None:
    offset = running.cycles
    tables.runs[content.file.file_id] = Run(battery_id, number, offset)
    rows = [_stitch(row, battery_id, offset) for row in content.summaries.values()]
    points = [_stitch(point, battery_id, offset) for point in content.points]
    summaries = [row for row in rows if row is not None]
    own = {name: [row[name] for row in summaries] for name in THROUGHPUTS}
    for row in summaries:
        for name in THROUGHPUTS:
            if row[name] is not None:
                row[name] = _finite(row[name] + running.throughputs[name])
    tables.battery_summaries += [{name: row[name] for name in SUMMARY_COLUMNS} for row in summaries]
    tables.battery_cycles_interpolated += [
        {name: point[name] for name in POINT_COLUMNS} for point in points if point is not None
    ]
    running.cycles += 0 if content.highest_cycle is None else 1 + content.highest_cycle
    for name in THROUGHPUTS:
        running.throughputs[name] += max((v for v in own[name] if v is not None), default=0.0)


def _publish_battery(
    barcode: str,
    contents: Sequence[Content],
    cell_types: Sequence[tuple[str, float | None]],
    tables: Tables,
) -> None:
    battery_id = min(content.file.file_id for content in contents)
    for content in contents:
        tables.runs[content.file.file_id] = Run(battery_id, None, None)
    left = [content for content in contents if not superseded(content, contents)]
    with_time_stamps = [content for content in left if content.first is not None]
    runs = in_order_of_time(with_time_stamps or left)
    running = _Running()
    already = len(tables.battery_summaries)
    for number, content in enumerate(runs, start=1):
        _publish_run(content, battery_id, number, running, tables)
    summaries = tables.battery_summaries[already:]
    nominal = nominal_capacity(runs[0].file.name, _known_capacities(summaries), cell_types)
    _tell_full_cycles(summaries, nominal)
    tables.batteries.append(
        {
            "id": battery_id,
            "barcode": barcode,
            "protocol": runs[0].protocol,
            "channel_id": runs[0].channel_id,
            "cycle_life": cycle_life(summaries, nominal),
            "created_at": min(content.file.loaded_at for content in contents),
        }
    )


def published(
    files: Sequence[File],
    *,
    excluded: Collection[str] = frozenset(),
    cell_types: Sequence[tuple[str, float | None]] = CELL_TYPES,
    sample_every: int = 10,
) -> Tables:
    """The published tables of the landed files.

    `excluded`: names or lower-case sha256 (hex) of files that count as not landed.
    `cell_types`: pattern on the name of the first run's file (* for any text), nominal Ah.
    """
    tables = Tables()
    batteries: dict[str, list[Content]] = defaultdict(list)
    for file in sorted(files, key=lambda file: file.file_id):
        if file.name in excluded or file.sha256 in excluded:
            continue
        sections = {name: read_table(file.document, name) for name in KNOWN_COLUMNS}
        if barcode_of(file.document) is None and not any(t.present for t in sections.values()):
            tables.no_battery_document.append(file.file_id)
            continue
        tables.unknown_shapes += [
            (file.file_id, name) for name, table in sections.items() if not table.known
        ]
        content = read_file(file, sections, sample_every)
        batteries[content.barcode].append(content)
    for barcode, contents in batteries.items():
        _publish_battery(barcode, contents, cell_types, tables)
    for rows in (tables.batteries, tables.battery_summaries, tables.battery_cycles_interpolated):
        rows.sort(key=lambda row: row["id"])
    return tables
