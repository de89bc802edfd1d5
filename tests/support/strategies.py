"""Made-up documents and histories of batteries, odd ones included.

A history is what lands of one battery over time: several files, versions and runs. Everything is
expanded from a seed by `random.Random`, so that hundreds of histories take a moment; hypothesis
shrinks the number of files, rows and points, and the seed.
"""

import gzip
import hashlib
import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import reference
from hypothesis import strategies as st
from shapes import (
    BY_CYCLE,
    COLUMNAR,
    INDEXED_COLUMNS,
    POINTS,
    RECORDS,
    SHAPES,
    SUMMARY,
    Columns,
    Document,
    can_be,
    dumps,
    literal,
    perturb,
    to_shape,
)

MAX_ROWS, MAX_POINTS, MAX_FILES = 40, 60, 5

ENERGIES = ("discharge_energy", "charge_energy", "energy_efficiency", "energy_throughput")
SUMMARY_COLUMNS = (
    "cycle_index",
    "discharge_capacity",
    "charge_capacity",
    *ENERGIES,
    "dc_internal_resistance",
    "temperature_maximum",
    "temperature_average",
    "temperature_minimum",
    "date_time_iso",
    "charge_throughput",
    "charge_duration",
    "time_temperature_integrated",
    "paused",
    "CV_time",
)
POINT_COLUMNS = (
    "cycle_index",
    "voltage",
    "current",
    "temperature",
    "charge_capacity",
    "discharge_capacity",
    "internal_resistance",
    "test_time",
    "time",
    "step_type",
)

LASTING = ("cycle_index", "date_time_iso")

PLAIN_CYCLES: tuple[Any, ...] = (
    -1, 0.5, 2**31, 2**31 - 1, 2**31 - 2, 1e300, 3.0, 10**25, "1e1", "4.", "+6", "-0", "-2", "2.50"
)  # fmt: skip
OTHER_CYCLES: tuple[Any, ...] = (
    None, math.nan, math.inf, True, False, "abc", "", " 12 ", "\t7\n", "\u00a08", "0x1", "1_0",
    "\u0661", [], [1], {}, {"0": 1}, literal("1e400"), literal("-0"), literal("5e0"),
)  # fmt: skip
ODD_VALUES: tuple[Any, ...] = (
    None, math.nan, -math.inf, 0, -0.0, -1, 1, 2**53 + 1, 2**64 + 1, 10**400, -(10**400),
    1.7976931348623157e308, -1.7e308, 5e-324, 2.2250738585072011e-308, 0.1, 1 / 3, True, False,
    "", " ", "1.5", " -2.5e-3\n", "\v.5\f", "5.", ".", "+", "1e", "e5", "1e+2", "1E2", "--1", "1 2",
    "nan", "NaN", "Infinity", "-inf", "0x10", "1_000", "1,5", "\u0661", "\u00a01", "1e400",
    "-1e400", "1e-400", "0e-400", "2e-324", "3e-324", "1e99999", "1e100000", "1e000002",
    "1" + "0" * 1000, "0" * 999 + "7", "0" * 1000 + "7", "abc", [], [1.5], {}, {"a": 1},
    literal("1e400"), literal("-0"), literal("1E+2"),
    literal("0.1000000000000000055511151231257827"), literal("9007199254740993"), literal("1e-400"),
)  # fmt: skip
ODD_TIMES: tuple[Any, ...] = (
    None, math.nan, "", "yesterday", "now", "infinity", "epoch", "2018-02-30", "2018-13-01T00:00",
    "2018-04-13T24:00:00", "2018-04-13T01:27:60Z", "2018-04-13T01:60Z", "0000-01-01",
    "2018-04-13T01:27:28 Z", " 2018-04-13", "2018-04-13T01", "20180413T012728", "2018-4-13",
    "2018-04-13T01:27:28+16:00", "2018-04-13T01:27:28+05:60", "2018-04-13T01:27:28 EST", 1523582848,
    True, [], {}, "2018-04-13T01:27:28.", "2018-04-13t01:27:28z", "2018-W15-5", "2018-103",
    "2018-04-13T01:27Z\n", "\u0662018-04-13",
)  # fmt: skip
ZONES = (
    ("", 0), ("Z", 0), ("+00", 0), ("-08", -480), ("+05:30", 330), ("-0330", -210), ("+15:59", 959)
)  # fmt: skip
STEP_TYPES: tuple[Any, ...] = ("discharge", "charge", "", " Rest ", "\u00e9tape \u2192 '1'", None)
UNKNOWN_SECTIONS: tuple[Any, ...] = (
    "text", "", 5, True, False, [1, 2], [[1], [2]], [{"voltage": 1}, None], {"voltage": 1},
    {"a": None}, {"voltage": {"x": 1}}, {"voltage": {"0": 1}, "note": "x"},
    {"0": {"voltage": [1]}, "x": {"voltage": [1]}}, {"0": {"voltage": [1]}, "1": None},
    {"voltage": {"0": 1, "-1": 2}}, {"voltage": {"0": 1, "1.0": 2}},
)  # fmt: skip
NO_BARCODES: tuple[Any, ...] = (None, "", "   ", "nan", " NaN ", math.nan, [], {"a": 1}, ["X"])
PROTOCOLS: tuple[Any, ...] = (None, "", "3.6C-80% \\ new.sdu", 'quo"te', 12, ["x"], {})
CHANNELS: tuple[Any, ...] = (
    None, 0, 25, -1, 25.0, 25.5, "12", " 7 ", "x", 2**31 - 1, 2**31, -(2**31), -(2**31) - 1, True,
    [3],
)  # fmt: skip


@dataclass(frozen=True)
class Landed:
    """One file of a history; `order` is its place in the history."""

    name: str
    document: Document
    order: int

    @cached_property
    def text(self) -> bytes:
        """What the file holds, decompressed."""
        return dumps(self.document).encode()

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.text).hexdigest()

    def write(self, folder: Path) -> Path:
        """Write the file under its name, gzip where the name ends so."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / self.name
        is_gzip = self.name.endswith(".gz")
        path.write_bytes(gzip.compress(self.text, 1, mtime=0) if is_gzip else self.text)
        return path

    def as_file(self, file_id: int, loaded_at: datetime) -> reference.File:
        """The file as the reference takes it, its text parsed anew."""
        document = reference.parse(self.text)
        return reference.File(file_id, self.name, document, loaded_at, self.sha256)


History = list[Landed]


# ------------------------------------------------------------------------------------- tables


@dataclass
class Scope:
    """What a document is drawn with."""

    rng: random.Random
    oddity: float  # the share of values that are odd
    max_rows: int
    max_points: int

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def odd(self, share: float = 1.0) -> bool:
        """Whether to do something unusual here; never in a tame document."""
        return self.oddity > 0 and self.chance(share)


def _columns(scope: Scope, names: Sequence[str]) -> list[str]:
    """Which columns the table has, in random order."""
    kept = list(names)
    match scope.rng.randrange(4):
        case 0:
            dropped = {"cycle_index", "paused", *ENERGIES} if "paused" in names else {"step_type"}
            kept = [name for name in names if name not in dropped]
        case 1:
            keep = scope.rng.uniform(0.3, 1)
            kept = [name for name in names if name in LASTING or scope.chance(keep)]
    for name, share in (
        ("time", 0.7),
        ("test_time", 0.3),
        ("cycle_index", 0.05),
        ("date_time_iso", 0.05),
    ):
        if name in kept and scope.chance(share):
            kept.remove(name)
    scope.rng.shuffle(kept)
    return kept


def _cycles(scope: Scope, count: int, *, first_time_round: bool, plain: bool) -> list[Any]:
    """A column `cycle_index`: mostly ascending, with holes, repetitions and odd values."""
    rng = scope.rng
    cycle = rng.choice((0, 0, 1, rng.randrange(1, 9)))
    if scope.odd(0.03):
        cycle = 2**31 - 1 - rng.randrange(count + 2)
    hold = 0.0 if first_time_round else rng.choice((0.5, 0.8, 0.9))
    skip, again = rng.choice((0.0, 0.2)), rng.choice((0.0, 0.0, 0.15)) if scope.odd() else 0.0
    cycles: list[Any] = []
    for _ in range(count):
        cycles.append(cycle)
        if not scope.chance(hold) and not scope.chance(again):
            cycle += rng.randrange(2, 5) if scope.chance(skip) else 1
    if not first_time_round and scope.odd(0.4):
        # As in older files: all discharges first, then all charges.
        cycles = (cycles[: (count + 1) // 2] * 2)[:count]
    odd_cycles = PLAIN_CYCLES if plain else PLAIN_CYCLES + OTHER_CYCLES
    if scope.odd(0.5):
        cycles = [rng.choice(odd_cycles) if scope.odd(scope.oddity) else c for c in cycles]
    return [float(c) if isinstance(c, int) and scope.chance(0.02) else c for c in cycles]


def _time_text(scope: Scope, time: datetime) -> Any:
    """One instant in one of the spellings of ISO 8601."""
    rng = scope.rng
    if scope.odd(scope.oddity):
        return rng.choice(ODD_TIMES)
    if scope.chance(0.6):
        return time.isoformat()
    zone, minutes_east = rng.choice(ZONES)
    local = (time + timedelta(minutes=minutes_east)).replace(tzinfo=None)
    text = local.isoformat(rng.choice(("T", " ")))
    if "." in text and scope.chance(0.3):
        text = text.replace(".", ",")
    elif local.second == local.microsecond == 0 and scope.chance(0.5):
        text = text[:16]
    return text + zone


def _times(scope: Scope, count: int, start: datetime) -> list[Any]:
    step = timedelta(seconds=scope.rng.randrange(60, 30_000))
    fraction = timedelta(microseconds=scope.rng.choice((0, 0, 0, 500_000, 123_456, 999_999)))
    times = [start + step * index + (fraction if index else timedelta()) for index in range(count)]
    return [_time_text(scope, time) for time in times]


def _falling(scope: Scope, count: int) -> list[float]:
    """Capacities that fall from about nominal, mostly below 80 % by the end."""
    nominal = scope.rng.choice((1.1, 1.1, 4.84, 4.84, scope.rng.uniform(0.5, 6)))
    last = scope.rng.uniform(0.55, 1.0)
    noise = scope.rng.choice((0.0, 0.02, 0.1))
    return [
        nominal * (1 - (1 - last) * index / max(count, 1) + scope.rng.uniform(-noise, noise))
        for index in range(count)
    ]


def _numbers(scope: Scope, name: str, count: int) -> list[Any]:
    rng = scope.rng
    if name == "discharge_capacity":
        return list(_falling(scope, count))
    if name.endswith("_throughput"):
        return [round(1.07 * (index + 1), 4) for index in range(count)]
    if name == "paused":
        return [rng.choice((0, 0, 0, 12, 0.5, -107)) for _ in range(count)]
    if name == "test_time":
        return [round(rng.uniform(0, 1e5), 3) for _ in range(count)]
    return [rng.choice((rng.uniform(-5, 40), rng.randrange(5))) for _ in range(count)]


def _column(scope: Scope, name: str, count: int, start: datetime) -> list[Any]:
    rng = scope.rng
    if scope.chance(0.05):
        return [None] * count
    if name == "step_type":
        return [rng.choice(STEP_TYPES) for _ in range(count)]
    if name == "date_time_iso":
        return _times(scope, count, start)
    values = _numbers(scope, name, count)
    missing = rng.choice((0.0, 0.0, 0.1, 0.6))
    gaps = (None, math.nan)
    values = [rng.choice(gaps) if scope.chance(missing) else value for value in values]
    if scope.odd(0.4):
        values = [rng.choice(ODD_VALUES) if scope.chance(scope.oddity) else v for v in values]
    return values


def table(scope: Scope, section: str, start: datetime, *, plain_cycles: bool) -> Columns:
    """A columnar table of the section, its arrays sometimes of unequal length."""
    rng = scope.rng
    summary = section == SUMMARY
    most = scope.max_rows if summary else scope.max_points
    count = rng.choice((most, rng.randrange(most + 1), rng.randrange(most + 1)))
    names = _columns(scope, SUMMARY_COLUMNS if summary else POINT_COLUMNS)
    columns = {
        name: _cycles(scope, count, first_time_round=summary, plain=plain_cycles)
        if name == "cycle_index"
        else _column(scope, name, count, start)
        for name in names
    }
    if scope.odd(0.25):
        for name in rng.sample(names, min(len(names), 2)):
            if not (plain_cycles and name == "cycle_index"):
                columns[name] = columns[name][: rng.choice((0, rng.randrange(count + 1)))]
    if scope.odd(0.05) and not plain_cycles:
        columns["more"] = [0] * (count + rng.randrange(4))
    return columns


# ------------------------------------------------------------------------------------- sections


def section(scope: Scope, name: str, start: datetime) -> Document:
    """The top-level members that hold (or lack) a section."""
    rng = scope.rng
    if scope.odd(0.12):
        return _strange_section(scope, name)
    shape = rng.choice(SHAPES)
    columns = table(scope, name, start, plain_cycles=shape == BY_CYCLE)
    if not can_be(columns, shape):
        shape = COLUMNAR
    members = to_shape(name, columns, shape)
    if shape == BY_CYCLE and scope.odd():
        members[name] = _odd_cycle_sets(scope, members[name])
    elif shape == RECORDS and scope.odd(0.5):
        members[name] = [_without_some_nulls(scope, record) for record in members[name]]
    elif shape == INDEXED_COLUMNS and scope.odd():
        members[name] = _odd_row_keys(scope, members[name])
    elif shape == COLUMNAR and columns and scope.odd(0.3):
        members[name] |= {"note": rng.choice(("x", 1, None, {"a": 1}, {"0": 1}))}
    if name not in members and scope.chance(0.3):
        members[name] = None
    elif name in members and scope.odd(0.08):
        # Flattened keys beside a section that is there say nothing.
        members |= {f"{name}.cycle_index": [1, 2], f"{name}.voltage": [9.5, 9.75]}
    return members


def _strange_section(scope: Scope, name: str) -> Document:
    rng = scope.rng
    unknown = rng.choice(UNKNOWN_SECTIONS)
    strange: tuple[Document, ...] = (
        {},
        {name: None},
        {name: math.nan},
        {name: {}},
        {name: []},
        {name: [{}, {}]},
        {name: {"0": {}, "1": {"voltage": []}}},
        {name: {"voltage": {}}},
        {name: unknown},
        {name: unknown},
        {f"{name}.voltage": 1},
        {f"{name}.3": {"voltage": [1, 2], "discharge_capacity": 1.0}},
        {f"{name}.voltage": {"0": 3.1}, f"{name}.cycle_index": {"0": 1, "5": 2}},
        {name: {}, f"{name}.voltage": [1], f"{name}.cycle_index": [1]},
        {f"{name}.": [1, 2]},
        {name + "s": {"voltage": [1], "cycle_index": [1]}},
    )
    return dict(rng.choice(strange))


def _odd_cycle_sets(scope: Scope, value: dict[str, Document]) -> dict[str, Document]:
    """Scalars for arrays of one, members to be left aside, cycles out of order."""
    sets: dict[str, Document] = {}
    for key, arrays in value.items():
        members = {
            name: array[0]
            if len(array) == 1 and _is_scalar(array[0]) and scope.chance(0.5)
            else array
            for name, array in arrays.items()
        }
        if scope.chance(0.1):
            members["note"] = scope.rng.choice(({}, {"0": 1}, None, "x"))
        if scope.chance(0.1):
            members["cycle_index"] = scope.rng.choice((99, [99, 98], None))
        sets[key] = members
    if scope.chance(0.1) and sets:
        sets["1.0"], sets["01"] = {"voltage": [3.25]}, {}
    keys = list(sets)
    if scope.chance(0.5):
        scope.rng.shuffle(keys)
    return {key: sets[key] for key in keys}


def _is_scalar(value: Any) -> bool:
    return not isinstance(value, list | dict)


def _without_some_nulls(scope: Scope, record: Document) -> Document:
    return {key: v for key, v in record.items() if v is not None or scope.chance(0.5)}


def _odd_row_keys(scope: Scope, value: dict[str, Document]) -> dict[str, Document]:
    """Row keys with gaps, leading zeros and beyond 64 bits, columns that lack some rows."""
    rng = scope.rng
    spell: Callable[[int], str] = rng.choice(
        (str, str, lambda n: f"{n:03d}", lambda n: str(3 * n + 7), lambda n: str(10**20 + n))
    )
    lacking = rng.choice((0.0, 0.0, 0.1))
    odd: dict[str, Document] = {}
    for name, column in value.items():
        rows = [(spell(int(k)), v) for k, v in column.items() if not scope.chance(lacking)]
        if scope.chance(0.3):
            rng.shuffle(rows)
        odd[name] = dict(rows)
    if odd and scope.chance(0.2):
        odd[rng.choice(list(odd))]["0001"] = 2
    return odd


# ------------------------------------------------------------------------------------- histories


def _spelled(scope: Scope, barcode: str) -> Any:
    """The barcode as files write it: in mixed case, with blanks around it."""
    spellings: list[Any] = [barcode, barcode, barcode.lower(), barcode.title(), f" {barcode}  "]
    if barcode.isdigit():
        spellings += [int(barcode)] * 3
    return scope.rng.choice(spellings)


def _identity(scope: Scope, barcode: str | None) -> Document:
    """Top-level barcode, protocol, channel and metadata; a barcode of None states none."""
    rng = scope.rng
    nothing = {"barcode": rng.choice(NO_BARCODES)} if scope.chance(0.7) else {}
    metadata: Document = dict(nothing)
    for name, values in (("protocol", PROTOCOLS), ("channel_id", CHANNELS)):
        if scope.chance(0.7):
            metadata[name] = rng.choice(values)
    top: Document = {"@module": "beep.structure"} if scope.chance(0.5) else {}
    for name, values in (("protocol", PROTOCOLS), ("channel_id", CHANNELS)):
        if scope.chance(0.8):
            top[name] = rng.choice(values)
    if barcode is None:
        top |= {"barcode": rng.choice(NO_BARCODES)} if scope.chance(0.7) else {}
    elif scope.odd(0.3):
        metadata["barcode"] = _spelled(scope, barcode)
        top |= nothing
        return top | {"metadata": metadata}
    else:
        top["barcode"] = _spelled(scope, barcode)
        if scope.chance(0.2):
            metadata["barcode"] = "ANOTHER"
    if scope.chance(0.5):
        no_object: tuple[Any, ...] = (None, "x", [metadata], 1)
        top["metadata"] = metadata if scope.chance(0.8) else rng.choice(no_object)
    return top


def _names(scope: Scope, number: int) -> list[str]:
    """The names that the files of a history go by."""
    patterns = ("FastCharge_", "PreDiag_", "PredictionDiagnostics_", "cell_", "fastcharge_")
    return [
        f"{scope.rng.choice(patterns)}{number:06d}_{letter}_structure.json"
        for letter in scope.rng.choice(("AA", "AB", "ABC", "ABCDE", "ABCDE"))
    ]


def _window(scope: Scope, earlier: Sequence[datetime]) -> datetime:
    """When a file's test begins: mostly a test run of its own, sometimes one that was there."""
    if earlier and scope.chance(0.15):
        return scope.rng.choice(earlier)
    return datetime(2018, 4, 13, tzinfo=UTC) + timedelta(days=15) * scope.rng.randrange(-20, 40)


def _touching(document: Document, earlier: Sequence[Landed], scope: Scope) -> Document:
    """The document with its first time stamp the last of an earlier file: closed spans overlap."""
    times = _columnar_times(document)
    if not times or not scope.odd(0.2):
        return document
    for landed in earlier:
        if others := _columnar_times(landed.document):
            joined = {"date_time_iso": [others[-1], *times[1:]]}
            return document | {SUMMARY: document[SUMMARY] | joined}
    return document


def _columnar_times(document: Document) -> list[Any]:
    summary = document.get(SUMMARY)
    times = summary.get("date_time_iso") if isinstance(summary, dict) else None
    return times if isinstance(times, list) else []


def history(
    number: int,
    seed: int,
    *,
    files: int | None = None,
    tame: bool = False,
    max_rows: int = MAX_ROWS,
    max_points: int = MAX_POINTS,
) -> History:
    """The files of one battery, in the order landed.

    `number` sets it apart from other histories (barcode and file names); a tame history holds
    no odd value, only versions and runs. Some histories have no barcode, or not in every file.
    """
    rng = random.Random(f"{seed}/{number}")
    oddity = 0.0 if tame else rng.choice((0.0, 0.02, 0.1, 0.3))
    scope = Scope(rng, oddity, max_rows, max_points)
    names = _names(scope, number)
    barcode = rng.choice((f"EL{number:06d}", f"00{number:04d}F", f"{10**6 + number}"))
    unidentified = 0.0 if tame else rng.choice((0.0, 0.0, 0.0, 0.3, 1.0))
    landed: History = []
    starts: list[datetime] = []
    for order in range(rng.randrange(1, MAX_FILES + 1) if files is None else files):
        name = names[order % len(names)] + (".gz" if scope.chance(0.15) else "")
        if landed and scope.chance(0.15):
            document = perturb(rng.choice(landed).document, rng)
        else:
            starts.append(_window(scope, starts))
            document = _identity(scope, None if scope.chance(unidentified) else barcode)
            if not scope.odd(0.03):
                document |= section(scope, SUMMARY, starts[-1])
                document |= section(scope, POINTS, starts[-1])
            document = _touching(document, landed, scope)
        # Equal contents would land only once.
        document = document | {"@landed": f"{number}/{order}"}
        landed.append(Landed(name, document, order))
    return landed


def many_histories(count: int, seed: int, *, tame: bool = False) -> list[History]:
    """Histories with barcodes and file names of their own, to land in one database."""
    return [history(number, seed, tame=tame) for number in range(count)]


def landing_order(histories: Iterable[History], seed: int) -> list[Landed]:
    """The files of all histories interleaved, each history in its own order."""
    waiting = [list(files) for files in histories if files]
    rng = random.Random(seed)
    order: list[Landed] = []
    while waiting:
        index = rng.randrange(len(waiting))
        order.append(waiting[index].pop(0))
        if not waiting[index]:
            waiting[index] = waiting[-1]
            waiting.pop()
    return order


def write(landed: Sequence[Landed], folder: Path) -> list[Path]:
    """Write the files so that sorting by path gives the order landed; versions keep their name."""
    return [file.write(folder / f"{number:06d}") for number, file in enumerate(landed)]


def as_files(landed: Iterable[Landed], *, first_id: int = 1) -> list[reference.File]:
    """The files as the reference takes them, a minute between one landing and the next."""
    beginning = datetime(2024, 1, 1, tzinfo=UTC)
    return [
        file.as_file(file_id, beginning + timedelta(minutes=file_id))
        for file_id, file in enumerate(landed, start=first_id)
    ]


def choose_excluded(landed: Sequence[Landed], seed: int, share: float = 0.05) -> frozenset[str]:
    """Some of the files, by name or by sha256, to be listed as excluded."""
    rng = random.Random(seed)
    return frozenset(
        rng.choice((file.name, file.sha256)) for file in landed if rng.random() < share
    )


# ------------------------------------------------------------------------------------- hypothesis

seeds = st.integers(0, 2**32 - 1)


@st.composite
def histories(draw: st.DrawFn, *, tame: bool = False) -> History:
    """A history; shrinks to fewer files, rows and points."""
    return history(
        draw(st.integers(0, 999)),
        draw(seeds),
        files=draw(st.integers(1, MAX_FILES)),
        tame=tame,
        max_rows=draw(st.integers(0, MAX_ROWS)),
        max_points=draw(st.integers(0, MAX_POINTS)),
    )


@st.composite
def documents(draw: st.DrawFn, *, tame: bool = False) -> Document:
    """One document, sections in shapes chosen independently."""
    seed, number = draw(seeds), draw(st.integers(0, 999))
    rows, points = draw(st.integers(0, MAX_ROWS)), draw(st.integers(0, MAX_POINTS))
    files = history(number, seed, files=1, tame=tame, max_rows=rows, max_points=points)
    return files[0].document


@st.composite
def columnar_documents(draw: st.DrawFn) -> Document:
    """A document with both sections columnar and ascending cycles, so that every shape fits."""
    scope = Scope(
        random.Random(draw(seeds)),
        0.0,
        draw(st.integers(1, MAX_ROWS)),
        draw(st.integers(1, MAX_POINTS)),
    )
    start = datetime(2018, 4, 13, tzinfo=UTC)
    document: Document = {"barcode": "EL1", "protocol": "p", "channel_id": 25}
    for name in (SUMMARY, POINTS):
        columns = table(scope, name, start, plain_cycles=True)
        count = max(map(len, columns.values()), default=0)
        columns.setdefault("cycle_index", list(range(count)))
        columns.setdefault("voltage", [3.5] * count)
        columns["cycle_index"].sort(key=lambda cycle: (float(cycle), str(cycle)))
        document[name] = columns
    return document
