"""The diagnostic cycles of a run: a reset, a pulse test (HPPC) and three rate tests, set by set.

One curve of voltage over charge, less or plus current times resistance, gives every step: a cell of
higher resistance and less capacity shows both at every rate. As in BEEP, a step has its points at
equal steps of voltage, upwards, a rest at equal steps of time.
"""

import math
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import NamedTuple

from loader.demo.cells import (
    DISCHARGE_CURRENT,
    FRESH_RESISTANCE,
    NOMINAL_CAPACITY,
    REST,
    Cycle,
    Run,
    single,
)
from loader.demo.curves import NAN, Values, quantity, share_given

_CHARGE, _REST, _PULSE, _PAUSE, _BACK, _DISCHARGE, _EMPTY = range(2, 9)  # in the cycler's program
_RATES = {"reset": 0.05, "hppc": 0.5, "rpt_0.2C": 0.2, "rpt_1C": 1.0, "rpt_2C": 2.0}  # C
_WINDOWS = 9  # of an HPPC, a tenth of the capacity apart
_PULSE_SECONDS, _PULSE_RATE, _BACK_RATE, _PULSE_DELAY = 40.0, 1.0, 0.75, 15.0  # s, C, C, s
_WINDOW_REST = 3600.0  # s
_LOWEST, _HIGHEST = 2.0, 3.6  # V
_COLUMNS = (
    *("voltage", "test_time", "current", "internal_resistance", "charge_capacity"),
    *("discharge_capacity", "charge_energy", "discharge_energy", "temperature"),
    *("charge_dQdV", "discharge_dQdV"),
)


class _Step(NamedTuple):
    """What is done from one state of a cell to the next; `start`, `end`: share given."""

    program: int
    current: float  # A, positive charges
    seconds: float
    start: float
    end: float


class _Cell:
    """A cell in one cycle: how voltage, current and share given hang together."""

    def __init__(self, cycle: Cycle) -> None:
        self.resistance = cycle.resistance
        self.capacity = cycle.discharge_capacity  # Ah, at 4C

    def share(self, voltage: float, current: float) -> float:
        """Give the share given, of the capacity at 4C, where this voltage is read."""
        at_4c = voltage - current * self.resistance - DISCHARGE_CURRENT * FRESH_RESISTANCE
        return share_given(at_4c)

    def voltage(self, share: float, current: float) -> float:
        """Give the voltage at a share given, by bisection, within the limits of a test."""
        low, high = _LOWEST, _HIGHEST
        for _ in range(50):
            middle = (low + high) / 2
            low, high = (middle, high) if self.share(middle, current) > share else (low, middle)
        return low

    def seconds(self, given: float, current: float) -> float:
        """Give how long it takes to give a share, or to take it back."""
        return abs(given) * self.capacity / abs(current) * 3600


def summary(run: Run, cycles: list[Cycle]) -> dict[str, Values] | None:
    """Give the section `diagnostic_summary`, a row a cycle; None without diagnostics."""
    rows = [(cycles[number], *_totals(run, cycles[number])) for number in run.diagnostic_cycles]
    if not rows:
        return None
    columns: dict[str, Values] = {
        "cycle_index": [cycle.number for cycle, *_ in rows],
        "cycle_type": [str(run.diagnostic_type(cycle.number)) for cycle, *_ in rows],
        "discharge_capacity": [out for _, _, out, _, _ in rows],
        "charge_capacity": [into for _, into, _, _, _ in rows],
        "discharge_energy": [out for _, _, _, _, out in rows],
        "charge_energy": [into for _, _, _, into, _ in rows],
        "temperature_maximum": single([cycle.temperature + 1 for cycle, *_ in rows]),
        "temperature_average": single([cycle.temperature + 0.5 for cycle, *_ in rows]),
        "temperature_minimum": single([cycle.temperature for cycle, *_ in rows]),
        "date_time_iso": [
            (run.first_cycle_at + timedelta(seconds=int(cycle.start))).isoformat()
            for cycle, *_ in rows
        ],
        "coulombic_efficiency": [out / into for _, into, out, _, _ in rows],
        "paused": [0 for _ in rows],
    }
    return {
        name: [NAN] * len(rows) if quantity(name) in run.unmeasured else column
        for name, column in columns.items()
    }


def points(run: Run, cycles: list[Cycle]) -> dict[str, Values] | None:
    """Give the section `diagnostic_interpolated`, step after step; None without diagnostics."""
    if not run.diagnostic_cycles:
        return None
    numbers: dict[str, list[float]] = {name: [] for name in _COLUMNS}
    whole: dict[str, list[int]] = {
        name: [] for name in ("cycle_index", "step_index", "step_index_counter", "step_type")
    }
    types: list[str] = []
    for number in run.diagnostic_cycles:
        blocks = list(_blocks(run, cycles[number]))
        programs = sorted({step.program for step, _ in blocks})
        for place, (step, block) in enumerate(blocks, start=1):
            count = len(block["voltage"])
            for name in _COLUMNS:
                known = block[name] if name == "test_time" else single(block[name])
                numbers[name] += [NAN] * count if name in run.unmeasured else known
            whole["cycle_index"] += [number] * count
            whole["step_index"] += [step.program] * count
            whole["step_index_counter"] += [place] * count
            whole["step_type"] += [programs.index(step.program)] * count
            types += [str(run.diagnostic_type(number))] * count
    return {**numbers, **whole, "cycle_type": types}


def _totals(run: Run, cycle: Cycle) -> tuple[float, float, float, float]:
    """Give a cycle's charge and discharge capacity in Ah and energy in Wh, at its end."""
    *_, (_, last) = _blocks(run, cycle)
    names = ("charge_capacity", "discharge_capacity", "charge_energy", "discharge_energy")
    into, out, energy_in, energy_out = (round(max(last[name]), 7) for name in names)
    return into, out, energy_in, energy_out


def _steps(run: Run, cycle: Cycle) -> list[_Step]:
    """Give a cycle's steps in order: a charge, then a discharge, or the windows of an HPPC."""
    cell, kind = _Cell(cycle), str(run.diagnostic_type(cycle.number))
    current = -_RATES[kind] * NOMINAL_CAPACITY
    charging = min(_RATES[kind], 0.2) * NOMINAL_CAPACITY
    empty = cell.share(_LOWEST, current)
    charge = _Step(_CHARGE, charging, cell.seconds(empty, charging), empty, 0.0)
    given, windows = 0.0, list[_Step]()
    for window in range(1, _WINDOWS + 1 if kind == "hppc" else 1):
        pulse, back = -_PULSE_RATE * NOMINAL_CAPACITY, _BACK_RATE * NOMINAL_CAPACITY
        low = given + _PULSE_SECONDS * -pulse / 3600 / cell.capacity
        high = low - _PULSE_SECONDS * back / 3600 / cell.capacity
        end = window / (_WINDOWS + 1) * empty
        windows += [
            _Step(_REST, 0.0, _WINDOW_REST, given, given),
            _Step(_PULSE, pulse, _PULSE_SECONDS, given, low),
            _Step(_PAUSE, 0.0, _PULSE_SECONDS, low, low),
            _Step(_BACK, back, _PULSE_SECONDS, low, high),
            _Step(_DISCHARGE, current, cell.seconds(end - high, current), high, end),
        ]
        given = end
    rest = [] if windows else [_Step(_REST, 0.0, REST, 0.0, 0.0)]
    left = cell.seconds(empty - given, current)
    return [charge, *rest, *windows, _Step(_EMPTY, current, left, given, empty)]


def _blocks(run: Run, cycle: Cycle) -> Iterator[tuple[_Step, dict[str, list[float]]]]:
    """Give each step with its points, capacities and energies counted on from step to step."""
    cell, count = _Cell(cycle), max(2, run.points_per_step // 20)
    clock = cycle.start
    totals = {"charge": (0.0, 0.0), "discharge": (0.0, 0.0)}
    for step in _steps(run, cycle):
        shape = sorted(_shape(cell, step, count), key=lambda point: point[0])  # in order of time
        moved = [abs(share - step.start) * cell.capacity for _, share, _ in shape]
        worked = [0.0]
        for (_, q, v), (_, p, u) in pairwise(
            (t, q, v) for (t, _, v), q in zip(shape, moved, strict=True)
        ):
            worked.append(worked[-1] + (p - q) * (u + v) / 2)
        kind = "charge" if step.current > 0 else "discharge"
        block = {
            "voltage": [v for _, _, v in shape],
            "test_time": [clock + t for t, _, _ in shape],
            "current": [step.current] * count,
            "internal_resistance": [cell.resistance] * count,
            "temperature": [cycle.temperature + abs(step.current) / 4.4 for _ in shape],
        }
        for name, (capacity, energy) in totals.items():
            here = name == kind and step.current != 0
            block[f"{name}_capacity"] = [capacity + q * here for q in moved]
            block[f"{name}_energy"] = [energy + e * here for e in worked]
        totals = {
            name: (block[f"{name}_capacity"][-1], block[f"{name}_energy"][-1]) for name in totals
        }
        if step.current < 0:  # upwards in voltage is back in time
            block = {name: column[::-1] for name, column in block.items()}
        for name in totals:
            block[f"{name}_dQdV"] = _slopes(block[f"{name}_capacity"], block["voltage"])
        yield step, block
        clock += step.seconds


def _shape(cell: _Cell, step: _Step, count: int) -> Iterator[tuple[float, float, float]]:
    """Give (s since the step's start, share given, V) of each point."""
    places = [place / (count - 1) for place in range(count)]
    for x in places:
        if step.current == 0:  # a rest, on time
            relaxing = 0.004 * math.exp(-x * step.seconds / 600)
            yield x * step.seconds, step.start, cell.voltage(step.start, 0.0) - relaxing
        elif step.program in (_PULSE, _BACK):  # on voltage, which follows the current with a delay
            top = 1 - math.exp(-_PULSE_SECONDS / _PULSE_DELAY)
            seconds = min(-_PULSE_DELAY * math.log(1 - x * top), step.seconds)
            share = step.start + (step.end - step.start) * seconds / step.seconds
            settled = cell.voltage(step.start, step.current)
            yield seconds, share, settled + 0.3 * step.current * cell.resistance * x * top
        else:
            first, last = (cell.voltage(end, step.current) for end in (step.start, step.end))
            voltage = first + (last - first) * x
            inside = 0 < x < 1  # the ends are exact
            share = cell.share(voltage, step.current) if inside else (step.start, step.end)[x > 0]
            yield cell.seconds(share - step.start, step.current), share, voltage


def _slopes(capacity: list[float], voltage: list[float]) -> list[float]:
    """Give dQ/dV in Ah/V; the first point has none, as in BEEP."""
    return [NAN] + [
        (q - p) / (v - u) if v != u else NAN
        for (p, q), (u, v) in zip(pairwise(capacity), pairwise(voltage), strict=True)
    ]
