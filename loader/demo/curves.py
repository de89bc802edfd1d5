"""The curves of a run's cycles, column by column, a block of points at a time."""

import math
from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import accumulate
from typing import cast

from loader.demo.cells import (
    DISCHARGE_CURRENT,
    FRESH_RESISTANCE,
    NOMINAL_CAPACITY,
    REST,
    VOLTAGE_RANGE,
    Cycle,
    Run,
    draws,
    single,
)

NAN = math.nan
_OVERPOTENTIAL = 0.25  # V, of a fresh negative electrode at 4C
_MARGIN = 0.25  # V, by which a curve sinks at most
_NOISE = 4096  # draws kept; every block of points starts somewhere else among them

Values = list[float] | list[int] | list[str]


def quantity(column: str) -> str:
    """Give the quantity a column of either section depends on, as `Run.unmeasured` names it."""
    for quantity in ("temperature", "internal_resistance"):
        if quantity in column:
            return quantity
    return column


class Curves:
    """The curves of a run's cycles, a block of points at a time.

    As in BEEP, a discharge has its points at equal steps of voltage, upwards and so back in time,
    and a charge at equal steps of charge capacity, up to the most any cycle took in.
    """

    def __init__(self, run: Run, cycles: list[Cycle]) -> None:
        """Work out what all cycles share."""
        self.run = run
        self.cycles = cycles
        self.count = run.points_per_step
        draw = draws(run, "curves")
        self._noise = [draw.gauss(0, 1) for _ in range(_NOISE + self.count)]
        low, high = VOLTAGE_RANGE
        self._step = (high - low) / (self.count - 1)
        self.voltages = single([low + i * self._step for i in range(self.count)])
        # beyond the range: a higher resistance reads the curve further up
        margin = int(_MARGIN / self._step) + 2
        self._share = [share_given(low + i * self._step) for i in range(self.count + margin)]
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

    def noise(self, cycle: Cycle, stream: int) -> list[float]:
        """Give the block's draws from the normal distribution; `stream` tells columns apart."""
        start = (cycle.number * 1237 + stream * 541) % _NOISE
        return self._noise[start : start + self.count]

    def share(self, cycle: Cycle) -> list[float]:
        """Give the share of its capacity a cell has given at each voltage of a discharge.

        An aged cell's curve lies lower: resistance has grown, and the same current through less
        active material takes more overpotential. Severson et al. find the latter in the variance
        of the difference of two curves, long before it costs capacity.
        """
        drop = DISCHARGE_CURRENT * max(0.0, cycle.resistance - FRESH_RESISTANCE)
        drop += _OVERPOTENTIAL * (1 / cycle.active_material - 1)
        start, rest = divmod(min(drop, _MARGIN) / self._step, 1)
        begin, end = int(start), int(start) + self.count
        lower, upper = self._share[begin:end], self._share[begin + 1 : end + 1]
        return [a + rest * (b - a) for a, b in zip(lower, upper, strict=True)]

    def reached(self, cycle: Cycle) -> int:
        """Give how many points of the charge axis a cycle's charge comes to."""
        charged = cycle.charge_capacity
        if cycle.number == self.run.cycle_count:
            charged *= 0.55  # begun, not finished
        return 1 + int((self.count - 1) * charged / self.charges[-1])

    def stretched(self, curve: list[float], cycle: Cycle) -> list[float]:
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


def share_given(voltage: float) -> float:
    """Give the share of capacity given above a voltage: plateaus of graphite on flat LFP."""
    return _above(voltage) / _above(2.0)


def _above(voltage: float) -> float:
    return sum(part / (1 + math.exp((voltage - at) / width)) for part, at, width in _PLATEAUS)


Block = Callable[[Curves, Cycle], Values]

_DISCHARGE: dict[str, Block] = {
    "voltage": lambda c, y: c.voltages,
    "test_time": lambda c, y: [
        y.start + y.charging + REST + 3600 * y.discharge_capacity / DISCHARGE_CURRENT * x
        for x in c.share(y)
    ],
    "current": lambda c, y: single([-DISCHARGE_CURRENT + 4e-4 * e for e in c.noise(y, 1)]),
    "internal_resistance": lambda c, y: single([y.resistance]) * c.count,
    "charge_capacity": lambda c, y: [y.charge_capacity] * c.count,
    "discharge_capacity": lambda c, y: [y.discharge_capacity * x for x in c.share(y)],
    "charge_energy": lambda c, y: single([3.43 * y.charge_capacity]) * c.count,
    "discharge_energy": lambda c, y: single([3.05 * y.discharge_capacity * x for x in c.share(y)]),
    "temperature": lambda c, y: single(
        [y.temperature + 5 * x + 0.02 * e for x, e in zip(c.share(y), c.noise(y, 2), strict=True)]
    ),
    "cycle_index": lambda c, y: [y.number] * c.count,
    "step_type": lambda c, y: ["discharge"] * c.count,
    "step_index": lambda c, y: [8] * c.count,
}

_CHARGE: dict[str, Block] = {  # up to the last point reached; _column pads with NaN
    "voltage": lambda c, y: single(
        [
            x + 5e-4 * e
            for x, e in zip(c.stretched(c.charge_voltage, y), c.noise(y, 3), strict=False)
        ]
    ),
    "test_time": lambda c, y: [
        y.start + x * y.charge_capacity / NOMINAL_CAPACITY for x in c.stretched(c.charge_seconds, y)
    ],
    "current": lambda c, y: single(
        [
            x + 4e-4 * e
            for x, e in zip(c.stretched(c.charge_current, y), c.noise(y, 4), strict=False)
        ]
    ),
    "internal_resistance": lambda c, y: single([y.resistance]) * c.reached(y),
    "charge_capacity": lambda c, y: c.charges,
    "discharge_capacity": lambda c, y: [abs(1.1e-5 + 1e-9 * e) for e in c.noise(y, 5)],
    "charge_energy": lambda c, y: single([3.43 * q for q in c.charges]),
    "discharge_energy": lambda c, y: single([3.05 * 1.1e-5]) * c.count,
    "temperature": lambda c, y: single(
        [y.temperature + x + 0.02 * e for x, e in zip(c.warming, c.noise(y, 6), strict=True)]
    ),
    "cycle_index": lambda c, y: [y.number] * c.count,
    "step_type": lambda c, y: ["charge"] * c.count,
    "step_index": lambda c, y: [2] * c.count,
}

# the axis of a charge, and what is no measurement, are known at every point
_KNOWN_THROUGHOUT = {"charge_capacity", "cycle_index", "step_type", "step_index"}


def column_blocks(curves: Curves, column: str) -> Iterator[Values]:
    """Give a column block by block: every discharge, then every charge, as BEEP orders them."""
    missing = quantity(column) in curves.run.unmeasured
    for number in curves.numbers:
        if number < curves.run.cycle_count:
            cycle = curves.cycles[number]
            yield [NAN] * curves.count if missing else _DISCHARGE[column](curves, cycle)
    for number in curves.numbers:
        cycle = curves.cycles[number]
        if missing:
            yield [NAN] * curves.count
        elif column in _KNOWN_THROUGHOUT:
            yield _CHARGE[column](curves, cycle)
        else:
            # no record lies at zero charge, none beyond the cycle's own
            reached = curves.reached(cycle)
            known = cast(list[float], _CHARGE[column](curves, cycle))[1:reached]
            yield [NAN, *known, *[NAN] * (curves.count - reached)]
