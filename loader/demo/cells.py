"""The cells and what a cycle of theirs comes to: policy, capacity, resistance, times."""

import random
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

NOMINAL_CAPACITY = 1.1  # Ah
END_OF_LIFE = 0.8 * NOMINAL_CAPACITY  # Ah
DISCHARGE_CURRENT = 4 * NOMINAL_CAPACITY  # A
FRESH_RESISTANCE = 0.0165  # ohm
REST = 300.0  # s, between charge and discharge, and after
VOLTAGE_RANGE = (2.8, 3.5)  # V, of the points of a discharge, as BEEP's for these cells

_CHAMBER = 30.0  # degC


DIAGNOSTIC_TYPES = ("reset", "hppc", "rpt_0.2C", "rpt_1C", "rpt_2C")
_DIAGNOSTIC_HOURS = (42, 18, 12, 8, 7)  # from one cycle to the next, rests included


class Layout(NamedTuple):
    """What one BEEP version writes."""

    module: str
    class_name: str
    version: str | None
    columns: tuple[str, ...]  # of cycles_interpolated, in the file's order


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
    ),
    "2022.10": Layout(*_ARBIN, _DATAPATH_COLUMNS),
    "2026.2": Layout(*_ARBIN, (*_DATAPATH_COLUMNS, "step_index")),
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
    diagnostics: the first cycle of each set of five diagnostic cycles; these are in the sections of
        their own and not in `summary`, as from BEEP 2021 on.
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
    diagnostics: tuple[int, ...] = ()
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
        if self.diagnostics and self.layout == "2020.10":
            raise ValueError("diagnostics need a layout later than 2020.10")
        if set(self.diagnostic_cycles) & set(self.interpolated):
            raise ValueError("a cycle is regular, with interpolated points, or diagnostic")

    @property
    def diagnostic_cycles(self) -> list[int]:
        """Give the numbers of the diagnostic cycles, upwards."""
        return [first + place for first in sorted(self.diagnostics) for place in range(5)]

    def diagnostic_type(self, number: int) -> str | None:
        """Give the type of a diagnostic cycle; None of a regular one."""
        for first in self.diagnostics:
            if first <= number < first + 5:
                return DIAGNOSTIC_TYPES[number - first]
        return None


class Cycle(NamedTuple):
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
    active_material: float  # share of the negative electrode that still takes part


def draws(run: Run, purpose: str) -> random.Random:
    """Give a run's own random numbers, the same every time; `purpose` tells streams apart."""
    return random.Random(f"{run.seed}/{run.barcode}/{run.cycles_before}/{purpose}")


def _fresh_capacity(run: Run) -> float:
    """Give the capacity in Ah a cell starts from, the same in all its runs."""
    return 1.07 + random.Random(f"{run.seed}/{run.barcode.upper()}").uniform(-0.01, 0.01)


def _spare_material(run: Run) -> float:
    """Give the share of the negative electrode that a cell can lose before its capacity falls.

    A cell lives as long as this lasts, so what it loses a cycle is this by its life. No two cells
    are coated alike.
    """
    return 0.15 * (1 + random.Random(f"{run.seed}/{run.barcode.upper()}/spare").gauss(0, 0.08))


def cycles_of(run: Run) -> list[Cycle]:
    """Give the cycles of the summary and the one after, which a file may have begun."""
    draw = draws(run, "cycles")
    fresh = _fresh_capacity(run)
    spare = _spare_material(run)
    pauses = dict(run.pauses)
    cycles: list[Cycle] = []
    start = 0.0
    for number in range(run.cycle_count + 1):
        formation = number + run.cycles_before == 0
        age = (number + run.cycles_before) / (run.life - 0.5)
        paused = pauses.get(number, 0)
        capacity = _capacity(run, number, fresh, draw.gauss(0, 4e-4)) * (0.6 if paused else 1.0)
        charged = fresh - 0.015 if formation else capacity * (1.0006 + draw.gauss(0, 1e-4))
        charging = run.policy.seconds(1.0) * charged / NOMINAL_CAPACITY
        kind = run.diagnostic_type(number)
        duration = charging + capacity / DISCHARGE_CURRENT * 3600 + 2 * REST
        if kind is not None:
            duration = 3600.0 * _DIAGNOSTIC_HOURS[DIAGNOSTIC_TYPES.index(kind)]
        cycles.append(
            Cycle(
                number,
                discharge_capacity=capacity,
                charge_capacity=charged,
                resistance=FRESH_RESISTANCE * (1 + 0.1 * age + 0.25 * min(age**8, 2.0))
                + draw.gauss(0, 2e-5),
                temperature=_CHAMBER + draw.gauss(0, 0.3),
                start=start,
                charging=charging,
                duration=duration,
                paused=paused,
                active_material=1 - spare * min(age, 2.0),
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


def single(values: list[float]) -> list[float]:
    """Round to 32 bits, as a cycler's measurements are; printed as doubles of 17 digits."""
    return array("f", values).tolist()
