"""Synthetic battery-cycling files in the manner of BEEP: a demonstration set, and any size to test.

The cells imitate the fast-charge study of Severson et al. 2019 (doi:10.1038/s41560-019-0356-8):
1.1 Ah LFP/graphite cells, charged by a two-rate policy to 80 % and at 1C to 3.6 V, discharged at 4C
to 2.0 V, with lives from 150 to 2,300 cycles. The curves are drawn by simple formulas, not fitted;
they look like the real ones and say nothing about any real cell.
"""

import gzip
import json
import math
import random
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import orjson

NOMINAL_CAPACITY = 1.1  # Ah
END_OF_LIFE = 0.8 * NOMINAL_CAPACITY  # Ah

_DISCHARGE_CURRENT = 4 * NOMINAL_CAPACITY  # A
_FRESH_RESISTANCE = 0.0165  # ohm
_CHAMBER = 30.0  # degC
_REST = 300.0  # s, between charge and discharge, and after
_NOISE = 4096  # draws kept; every block of points starts somewhere else among them
_NAN = math.nan

Values = list[float] | list[int] | list[str]


class Layout(NamedTuple):
    """What one BEEP version writes."""

    module: str
    class_name: str
    version: str | None
    columns: tuple[str, ...]  # of cycles_interpolated, in the file's order
    voltage_range: tuple[float, float]  # V, of the points of a discharge


_DATAPATH_COLUMNS = (
    "voltage",
    "test_time",
    "current",
    "internal_resistance",
    "charge_capacity",
    "discharge_capacity",
    "charge_energy",
    "discharge_energy",
    "temperature",
    "cycle_index",
    "step_type",
)
_LEGACY_COLUMNS = (
    "voltage",
    "temperature",
    "charge_capacity",
    "discharge_capacity",
    "internal_resistance",
    "current",
    "cycle_index",
    "step_type",
)
_ARBIN = ("beep.structure.arbin", "ArbinDatapath", None)
LAYOUTS = {
    "2020.10": Layout(
        "beep.structure",
        "ProcessedCyclerRun",
        "2020.10.19.20-synthetic",
        _LEGACY_COLUMNS,
        (2.8, 3.5),
    ),
    "2022.10": Layout(*_ARBIN, _DATAPATH_COLUMNS, (2.0, 3.6)),
    "2026.2": Layout(*_ARBIN, (*_DATAPATH_COLUMNS, "step_index"), (2.0, 3.6)),
}


class Policy(NamedTuple):
    """A fast-charge policy: one rate up to a state of charge, a second one up to 80 %.

    Rates in C (1C = 1.1 A), `switch_percent` in % of capacity. 1C and constant voltage follow.
    """

    first_rate: float
    switch_percent: int
    second_rate: float

    def __str__(self) -> str:
        """Give the name as the study writes it, such as 5C_67per_4C."""
        return f"{self.first_rate:g}C_{self.switch_percent}per_{self.second_rate:g}C"

    def _phases(self) -> tuple[tuple[float, float], ...]:
        """Give (share of capacity at the end, mean rate in C) of each phase."""
        fast = (self.switch_percent / 100, self.first_rate), (0.80, self.second_rate)
        return *fast, (0.94, 1.0), (1.0, 0.25)

    def rate(self, share: float) -> float:
        """Give the rate in C at a share of capacity; it falls from 1C to C/20 at the end."""
        for end, rate in self._phases()[:-1]:
            if share < end:
                return rate
        return 1.0 - 0.95 * (share - 0.94) / 0.06

    def seconds(self, share: float) -> float:
        """Give the seconds from empty to a share of a capacity of 1.1 Ah."""
        start, total = 0.0, 0.0
        for end, rate in self._phases():
            total += max(0.0, min(share, end) - start) / rate * 3600
            start = end
        return total


_USUAL_POLICY = Policy(5, 67, 4)


@dataclass(frozen=True, kw_only=True)
class Run:
    """One test run of a cell: what one file holds.

    barcode, channel_id: as the file gives them.
    first_cycle_at: time stamp of cycle 0, with a time zone.
    life: the cell's cycle number from which discharge capacity stays below 80 % of 1.1 Ah, counted
        over all its runs. A run that ends before never gets there.
    cycle_count: cycles in `summary`, numbered 0 .. cycle_count - 1.
    interpolated: the cycles in `cycles_interpolated`. Number cycle_count, which the summary lacks,
        is a charge cut short.
    cycles_before: cycles of the cell's earlier runs; 0 makes cycle 0 a formation cycle.
    layout: a key of LAYOUTS.
    points_per_step: points in a discharge or a charge.
    unmeasured: of "temperature" and "internal_resistance", those that are NaN throughout.
    pauses: (cycle, seconds) pairs; such a cycle is cut short at 60 % of its capacity.
    seed: runs that differ in nothing else hold different measurements.
    """

    barcode: str
    channel_id: int
    first_cycle_at: datetime
    life: int
    cycle_count: int
    interpolated: Sequence[int]
    policy: Policy = _USUAL_POLICY
    cycles_before: int = 0
    layout: str = "2020.10"
    points_per_step: int = 1000
    unmeasured: frozenset[str] = field(default_factory=frozenset)
    pauses: tuple[tuple[int, int], ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what no file could hold; raises ValueError."""
        if self.layout not in LAYOUTS:
            raise ValueError(f"layout {self.layout!r} is none of {', '.join(LAYOUTS)}")
        if self.life < 2 or self.cycle_count < 1 or self.points_per_step < 2:
            raise ValueError("a run needs life >= 2, cycle_count >= 1, points_per_step >= 2")
        if any(not 0 <= cycle <= self.cycle_count for cycle in self.interpolated):
            raise ValueError(f"interpolated cycles lie within 0 .. {self.cycle_count}")
        if self.life - 1 - self.cycles_before in dict(self.pauses):
            raise ValueError("a pause in the last cycle above 80 % would move the cell's life")


class _Cycle(NamedTuple):
    """What the summary and the curves of one cycle have in common."""

    number: int
    discharge_capacity: float  # Ah
    charge_capacity: float  # Ah
    resistance: float  # ohm
    temperature: float  # degC, at the start of a step
    start: float  # s since cycle 0
    charging: float  # s
    duration: float  # s, without the pause
    paused: int  # s


def document(run: Run) -> dict[str, Any]:
    """Give a run's document: what `write` writes, as Python objects (NaN is a float).

    For documents that a test then changes; a large one takes much memory.
    """
    cycles = _cycles(run)
    curves = _Curves(run, cycles)
    points = {column: _column(curves, column) for column in LAYOUTS[run.layout].columns}
    return _frame(run, cycles) | {
        "cycles_interpolated": {
            column: [value for block in blocks for value in block]
            for column, blocks in points.items()
        }
    }


def write(path: Path, run: Run) -> None:
    """Write a run's document, with bare NaN as BEEP does, gzipped where the name ends in .gz.

    Memory stays within a few blocks of points, whatever the size. The same run gives the same
    bytes. An existing file is overwritten; an OSError is raised where that cannot be done.
    """
    with _open(path) as file:
        file.writelines(_pieces(run))


def large(cycles: int, *, seed: int = 0, layout: str = "2020.10") -> Run:
    """Give a run with points in every cycle, to measure speed: 275 kB a cycle in layout 2020.10.

    500 cycles make a million points in 8 columns and 137 MB. Another `seed` gives another cell:
    barcode, dates and measurements.
    """
    return Run(
        barcode=f"synlarge{seed:06d}",
        channel_id=1 + seed % 48,
        first_cycle_at=datetime(2017, 5, 12, 9, tzinfo=UTC) + timedelta(days=seed),
        life=max(2, cycles - cycles // 20),
        cycle_count=cycles,
        interpolated=range(cycles),
        layout=layout,
        seed=seed,
    )


def write_set(folder: Path) -> list[Path]:
    """Write the demonstration set and give its files' paths, in order of name.

    Six cells in seven files, about 15 MB: three BEEP layouts, one file gzipped, one cell that never
    falls to 80 %, one tested in two runs (the later file number holds the earlier one). Summaries
    hold every cycle, `cycles_interpolated` only cycle 0 and every hundredth, to keep the set small.
    The folder is made where it is missing; in an existing one only files of the same names are
    overwritten. The same bytes every time; raises OSError where they cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, run in sorted(sample_runs().items()):
        paths.append(folder / name)
        write(paths[-1], run)
    return paths


def sample_runs() -> dict[str, Run]:
    """Give the runs of the demonstration set by file name."""
    return {
        "FastCharge_900001_CH1_structure.json": Run(
            barcode="syn0001a",
            channel_id=1,
            first_cycle_at=datetime(2017, 5, 12, 14, 20, 11, tzinfo=UTC),
            life=520,
            cycle_count=545,
            interpolated=range(0, 545, 100),
        ),
        "FastCharge_900002_CH2_structure.json": Run(
            barcode="SYN0002b",
            channel_id=2,
            first_cycle_at=datetime(2017, 5, 12, 14, 21, 40, tzinfo=UTC),
            policy=Policy(3.6, 80, 3.6),
            life=1160,
            cycle_count=1190,
            interpolated=range(0, 1190, 100),
            pauses=((417, 5312), (902, 86720)),
        ),
        "FastCharge_900003_CH3_structure.json": Run(
            barcode="SYN0003C",
            channel_id=3,
            first_cycle_at=datetime(2017, 6, 30, 8, 2, 55, tzinfo=UTC),
            policy=Policy(4.8, 54, 4),
            life=870,
            cycles_before=400,
            cycle_count=495,
            interpolated=range(0, 495, 100),
        ),
        "FastCharge_900004_CH4_structure.json": Run(
            barcode="SYN0004",
            channel_id=4,
            first_cycle_at=datetime(2018, 4, 12, 16, 45, 3, tzinfo=UTC),
            policy=Policy(4.4, 60, 3.6),
            life=1600,
            cycle_count=1000,
            interpolated=range(0, 1000, 100),
            layout="2022.10",
            unmeasured=frozenset({"temperature"}),
        ),
        "FastCharge_900005_CH5_structure.json": Run(
            barcode="Syn0005e",
            channel_id=5,
            first_cycle_at=datetime(2018, 4, 12, 16, 47, 38, tzinfo=UTC),
            policy=Policy(6, 60, 3),
            life=340,
            cycle_count=356,
            interpolated=(*range(0, 356, 100), 356),
            layout="2026.2",
            unmeasured=frozenset({"internal_resistance"}),
        ),
        "FastCharge_900006_CH6_structure.json.gz": Run(
            barcode="SYN0006F",
            channel_id=6,
            first_cycle_at=datetime(2019, 1, 24, 10, 5, 27, tzinfo=UTC),
            policy=Policy(5.6, 36, 4.3),
            life=690,
            cycle_count=715,
            interpolated=range(0, 715, 100),
            layout="2026.2",
            pauses=((233, 1870),),
        ),
        "FastCharge_900007_CH3_structure.json": Run(
            barcode="syn0003c",
            channel_id=3,
            first_cycle_at=datetime(2017, 5, 12, 14, 23, 2, tzinfo=UTC),
            policy=Policy(4.8, 54, 4),
            life=870,
            cycle_count=400,
            interpolated=range(0, 400, 100),
        ),
    }


def _random(run: Run, purpose: str) -> random.Random:
    return random.Random(f"{run.seed}/{run.barcode}/{run.cycles_before}/{purpose}")


def _fresh_capacity(run: Run) -> float:
    """Give the capacity in Ah a cell starts from, the same in all its runs."""
    return 1.07 + random.Random(f"{run.seed}/{run.barcode.upper()}").uniform(-0.01, 0.01)


def _cycles(run: Run) -> list[_Cycle]:
    """Give the cycles of the summary and the one after, which a file may have begun."""
    draw = _random(run, "cycles")
    fresh = _fresh_capacity(run)
    pauses = dict(run.pauses)
    cycles: list[_Cycle] = []
    start = 0.0
    for number in range(run.cycle_count + 1):
        formation = number + run.cycles_before == 0
        age = (number + run.cycles_before) / (run.life - 0.5)
        paused = pauses.get(number, 0)
        capacity = _capacity(run, number, fresh, draw.gauss(0, 4e-4)) * (0.6 if paused else 1.0)
        charged = fresh - 0.015 if formation else capacity * (1.0006 + draw.gauss(0, 1e-4))
        charging = run.policy.seconds(1.0) * charged / NOMINAL_CAPACITY
        cycles.append(
            _Cycle(
                number,
                discharge_capacity=capacity,
                charge_capacity=charged,
                resistance=_FRESH_RESISTANCE * (1 + 0.1 * age + 0.25 * min(age**8, 2.0))
                + draw.gauss(0, 2e-5),
                temperature=_CHAMBER + draw.gauss(0, 0.3),
                start=start,
                charging=charging,
                duration=charging + capacity / _DISCHARGE_CURRENT * 3600 + 2 * _REST,
                paused=paused,
            )
        )
        start += cycles[-1].duration + paused
    return cycles


def _capacity(run: Run, number: int, fresh: float, noise: float) -> float:
    """Give a cycle's discharge capacity in Ah: a slow straight fade, then a knee.

    Crosses 80 % of nominal once, at the run's `life`, noise or not.
    """
    number += run.cycles_before
    if number == 0:
        return 1.44 * fresh  # discharged twice, before and after the first charge
    age = number / (run.life - 0.5)
    lost = 0.05 * age + (1 - END_OF_LIFE / fresh - 0.05) * age**8
    capacity = max(fresh * (1 - lost), 0.3) + noise
    if number < run.life:
        return max(capacity, END_OF_LIFE + 2e-4)
    return min(capacity, END_OF_LIFE - 2e-4)


def _single(values: list[float]) -> list[float]:
    """Round to 32 bits, as a cycler's measurements are; printed as doubles of 17 digits."""
    return array("f", values).tolist()


def _frame(run: Run, cycles: list[_Cycle]) -> dict[str, Any]:
    """Give the document with `cycles_interpolated` still empty, keys in the version's order."""
    layout = LAYOUTS[run.layout]
    identity = {
        "barcode": run.barcode,
        "protocol": f"synthetic\\{run.policy}",
        "channel_id": run.channel_id,
    }
    start: dict[str, Any] = {"@module": layout.module, "@class": layout.class_name}
    body = {
        **identity,
        "summary": _summary(run, cycles[:-1]),
        "cycles_interpolated": {},
        "diagnostic_summary": None,
        "diagnostic_interpolated": None,
    }
    if layout.version is not None:
        return start | body | {"@version": layout.version}
    raw = f"synthetic/{run.barcode}_CH{run.channel_id}.csv"
    started = run.first_cycle_at.strftime("%m/%d/%Y")
    return (
        start
        | {
            "metadata": {"start_datetime": started, "filename": raw, **identity},
            "paths": {"raw": raw, "metadata": None},
        }
        | body
        | ({"diagnostic": None} if "step_index" in layout.columns else {})
        | {
            "structuring_parameters": {
                "v_range": list(layout.voltage_range),
                "resolution": run.points_per_step,
                "nominal_capacity": NOMINAL_CAPACITY,
                "full_fast_charge": 0.8,
                "charge_axis": "charge_capacity",
                "discharge_axis": "voltage",
            },
            "schema_path": "synthetic/schema-arbin-lfp.yaml",
        }
    )


def _summary(run: Run, cycles: list[_Cycle]) -> dict[str, Values]:
    """Give the summary's columns; Ah, Wh, ohm, degC, s, and degC·min for the integral."""
    draw = _random(run, "summary")
    charged = [round(cycle.charge_capacity, 7) for cycle in cycles]
    energy_in = [round(3.43 * q, 7) for q in charged]
    energy_out = [
        round(cycle.discharge_capacity * (3.05 - 20 * (cycle.resistance - _FRESH_RESISTANCE)), 7)
        for cycle in cycles
    ]
    mean = [cycle.temperature + 2.5 + draw.gauss(0, 0.1) for cycle in cycles]
    columns: dict[str, Values] = {
        "cycle_index": [cycle.number for cycle in cycles],
        "discharge_capacity": [round(cycle.discharge_capacity, 7) for cycle in cycles],
        "charge_capacity": charged,
        "discharge_energy": energy_out,
        "charge_energy": energy_in,
        "dc_internal_resistance": _single([cycle.resistance for cycle in cycles]),
        "temperature_maximum": _single([t + 3 + draw.gauss(0, 0.2) for t in mean]),
        "temperature_average": _single(mean),
        "temperature_minimum": _single([cycle.temperature - 0.2 for cycle in cycles]),
        "date_time_iso": [
            (run.first_cycle_at + timedelta(seconds=int(cycle.start))).isoformat()
            for cycle in cycles
        ],
        "energy_efficiency": [e / f for e, f in zip(energy_out, energy_in, strict=True)],
        "charge_throughput": _single(list(accumulate(charged))),
        "energy_throughput": _single(list(accumulate(energy_in))),
        "charge_duration": [_charge_duration(run.policy, q) for q in charged],
        "time_temperature_integrated": [
            t * cycle.duration / 60 for t, cycle in zip(mean, cycles, strict=True)
        ],
        "paused": [cycle.paused for cycle in cycles],
    }
    if LAYOUTS[run.layout].version is None:
        columns["CV_time"] = _single([0.06 * q / NOMINAL_CAPACITY / 0.25 * 3600 for q in charged])
        columns["CV_current"] = _single([0.055 + draw.gauss(0, 1e-4) for _ in cycles])
    for name in columns:
        if _quantity(name) in run.unmeasured:
            columns[name] = [_NAN] * len(cycles)
    return columns


def _quantity(column: str) -> str:
    """Give the quantity a column of either section depends on, as `Run.unmeasured` names it."""
    for quantity in ("temperature", "internal_resistance"):
        if quantity in column:
            return quantity
    return column


def _charge_duration(policy: Policy, charged: float) -> float:
    """Give the seconds to 80 % of nominal; NaN, as BEEP has it, where a charge ends below."""
    if charged < END_OF_LIFE:
        return _NAN
    return round(policy.seconds(END_OF_LIFE / charged) * charged / NOMINAL_CAPACITY, 1)


class _Curves:
    """The curves of a run's cycles, a block of points at a time.

    As in BEEP, a discharge has its points at equal steps of voltage, upwards and so back in time,
    and a charge at equal steps of charge capacity, up to the most any cycle took in.
    """

    def __init__(self, run: Run, cycles: list[_Cycle]) -> None:
        self.run = run
        self.cycles = cycles
        self.count = run.points_per_step
        draw = _random(run, "curves")
        self._noise = [draw.gauss(0, 1) for _ in range(_NOISE + self.count)]
        low, high = LAYOUTS[run.layout].voltage_range
        self._step = (high - low) / (self.count - 1)
        self.voltages = _single([low + i * self._step for i in range(self.count)])
        # 0.15 V more than the range: a higher resistance reads the curve further up
        margin = int(0.15 / self._step) + 1
        self._share = [_share(low + i * self._step) for i in range(self.count + margin)]
        unit = [i / (self.count - 1) for i in range(self.count)]
        top = max(cycle.charge_capacity for cycle in cycles)
        self.charges = [top * x for x in unit]
        self.charge_current = [NOMINAL_CAPACITY * run.policy.rate(x) for x in unit]
        self.charge_seconds = [run.policy.seconds(x) for x in unit]
        self.charge_voltage = [
            _charge_voltage(x, amperes)
            for x, amperes in zip(unit, self.charge_current, strict=True)
        ]
        lag = min(1.0, 10 / self.count)
        warming = accumulate(
            self.charge_current, lambda w, amperes: w + lag * (0.8 * amperes - w), initial=0.0
        )
        self.warming = list(warming)[1:]

    def noise(self, cycle: _Cycle, stream: int) -> list[float]:
        """Give the block's draws from the normal distribution; `stream` tells columns apart."""
        start = (cycle.number * 1237 + stream * 541) % _NOISE
        return self._noise[start : start + self.count]

    def share(self, cycle: _Cycle) -> list[float]:
        """Give the share of its capacity a cell has given at each voltage of a discharge."""
        drop = _DISCHARGE_CURRENT * max(0.0, cycle.resistance - _FRESH_RESISTANCE)
        start = min(int(drop / self._step), len(self._share) - self.count)
        return self._share[start : start + self.count]

    def reached(self, cycle: _Cycle) -> int:
        """Give how many points of the charge axis a cycle's charge comes to."""
        charged = cycle.charge_capacity
        if cycle.number == self.run.cycle_count:
            charged *= 0.55  # begun, not finished
        return 1 + int((self.count - 1) * charged / self.charges[-1])

    def stretched(self, curve: list[float], cycle: _Cycle) -> list[float]:
        """Squeeze a whole charge's curve into the points that the cycle reaches."""
        reached = self.reached(cycle)
        if cycle.number == self.run.cycle_count:
            return curve[:reached]
        return [curve[i * self.count // reached] for i in range(reached)]

    @cached_property
    def numbers(self) -> list[int]:
        """Give the cycles with points, upwards."""
        return sorted(set(self.run.interpolated))


def _charge_voltage(share: float, current: float) -> float:
    """Give the voltage at a share of a charge: a plateau, then 3.6 V held from 94 % on."""
    if share >= 0.94:
        return 3.6
    open_circuit = 3.3 + 0.06 * share - 0.45 * math.exp(-share / 0.006)
    return min(3.6, open_circuit + 0.03 * current + 0.2 * math.exp((share - 0.94) / 0.008))


# part of the capacity, V, width in V; at 4C, in falling order of voltage
_PLATEAUS = ((0.42, 3.20, 0.018), (0.38, 3.12, 0.025), (0.14, 2.95, 0.05), (0.06, 2.55, 0.12))


def _share(voltage: float) -> float:
    """Give the share of capacity given above a voltage: plateaus of graphite on flat LFP."""
    return _above(voltage) / _above(2.0)


def _above(voltage: float) -> float:
    return sum(part / (1 + math.exp((voltage - at) / width)) for part, at, width in _PLATEAUS)


Block = Callable[[_Curves, _Cycle], Values]

_DISCHARGE: dict[str, Block] = {
    "voltage": lambda c, y: c.voltages,
    "test_time": lambda c, y: [
        y.start + y.charging + _REST + 3600 * y.discharge_capacity / _DISCHARGE_CURRENT * x
        for x in c.share(y)
    ],
    "current": lambda c, y: _single([-_DISCHARGE_CURRENT + 4e-4 * e for e in c.noise(y, 1)]),
    "internal_resistance": lambda c, y: _single([y.resistance]) * c.count,
    "charge_capacity": lambda c, y: [y.charge_capacity] * c.count,
    "discharge_capacity": lambda c, y: [y.discharge_capacity * x for x in c.share(y)],
    "charge_energy": lambda c, y: _single([3.43 * y.charge_capacity]) * c.count,
    "discharge_energy": lambda c, y: _single([3.05 * y.discharge_capacity * x for x in c.share(y)]),
    "temperature": lambda c, y: _single(
        [y.temperature + 5 * x + 0.02 * e for x, e in zip(c.share(y), c.noise(y, 2), strict=True)]
    ),
    "cycle_index": lambda c, y: [y.number] * c.count,
    "step_type": lambda c, y: ["discharge"] * c.count,
    "step_index": lambda c, y: [8] * c.count,
}

_CHARGE: dict[str, Block] = {  # up to the last point reached; _column pads with NaN
    "voltage": lambda c, y: _single(
        [
            x + 5e-4 * e
            for x, e in zip(c.stretched(c.charge_voltage, y), c.noise(y, 3), strict=False)
        ]
    ),
    "test_time": lambda c, y: [
        y.start + x * y.charge_capacity / NOMINAL_CAPACITY for x in c.stretched(c.charge_seconds, y)
    ],
    "current": lambda c, y: _single(
        [
            x + 4e-4 * e
            for x, e in zip(c.stretched(c.charge_current, y), c.noise(y, 4), strict=False)
        ]
    ),
    "internal_resistance": lambda c, y: _single([y.resistance]) * c.reached(y),
    "charge_capacity": lambda c, y: c.charges,
    "discharge_capacity": lambda c, y: [abs(1.1e-5 + 1e-9 * e) for e in c.noise(y, 5)],
    "charge_energy": lambda c, y: _single([3.43 * q for q in c.charges]),
    "discharge_energy": lambda c, y: _single([3.05 * 1.1e-5]) * c.count,
    "temperature": lambda c, y: _single(
        [y.temperature + x + 0.02 * e for x, e in zip(c.warming, c.noise(y, 6), strict=True)]
    ),
    "cycle_index": lambda c, y: [y.number] * c.count,
    "step_type": lambda c, y: ["charge"] * c.count,
    "step_index": lambda c, y: [2] * c.count,
}

# the axis of a charge, and what is no measurement, are known at every point
_KNOWN_THROUGHOUT = {"charge_capacity", "cycle_index", "step_type", "step_index"}


def _column(curves: _Curves, column: str) -> Iterator[Values]:
    """Give a column block by block: every discharge, then every charge, as BEEP orders them."""
    missing = _quantity(column) in curves.run.unmeasured
    for number in curves.numbers:
        if number < curves.run.cycle_count:
            cycle = curves.cycles[number]
            yield [_NAN] * curves.count if missing else _DISCHARGE[column](curves, cycle)
    for number in curves.numbers:
        cycle = curves.cycles[number]
        if missing:
            yield [_NAN] * curves.count
        elif column in _KNOWN_THROUGHOUT:
            yield _CHARGE[column](curves, cycle)
        else:
            # no record lies at zero charge, none beyond the cycle's own
            reached = curves.reached(cycle)
            known = cast(list[float], _CHARGE[column](curves, cycle))[1:reached]
            yield [_NAN, *known, *[_NAN] * (curves.count - reached)]


@contextmanager
def _open(path: Path) -> Iterator[BinaryIO]:
    with path.open("wb") as file:
        if path.suffix != ".gz":
            yield file
            return
        # neither name nor time in the header: the same bytes every time
        with gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0) as packed:
            yield cast(BinaryIO, packed)


def _pieces(run: Run) -> Iterator[bytes]:
    """Give the document's text, the points of one block at a time, spaced as BEEP's."""
    cycles = _cycles(run)
    curves = _Curves(run, cycles)
    before = b"{"
    for key, value in _frame(run, cycles).items():
        yield before + json.dumps(key).encode() + b": "
        if key == "cycles_interpolated":
            yield from _points(curves)
        else:
            yield json.dumps(value).encode()
        before = b", "
    yield b"}"


def _points(curves: _Curves) -> Iterator[bytes]:
    before = b"{"
    for column in LAYOUTS[curves.run.layout].columns:
        yield before + json.dumps(column).encode() + b": ["
        before = b""
        for block in _column(curves, column):
            yield before + _text(block)
            before = b", "
        yield b"]"
        before = b", "
    yield b"}"


def _text(block: Values) -> bytes:
    # several times the speed of json.dumps, but it writes null for NaN, and no blanks
    return orjson.dumps(block)[1:-1].replace(b",", b", ").replace(b"null", b"NaN")
