"""A run as a document, in memory or in a file, in the manner of a BEEP version."""

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import accumulate
from pathlib import Path
from typing import Any, BinaryIO, cast

import orjson

from loader.demo import diagnostics
from loader.demo.cells import (
    END_OF_LIFE,
    FRESH_RESISTANCE,
    LAYOUTS,
    NOMINAL_CAPACITY,
    VOLTAGE_RANGE,
    Cycle,
    Policy,
    Run,
    cycles_of,
    draws,
    single,
)
from loader.demo.curves import NAN, Curves, Values, column_blocks, quantity


def document(run: Run) -> dict[str, Any]:
    """Give a run's document: what `write` writes, as Python objects (NaN is a float).

    For documents that a test then changes; a large one takes much memory.
    """
    cycles = cycles_of(run)
    curves = Curves(run, cycles)
    points = {column: column_blocks(curves, column) for column in LAYOUTS[run.layout].columns}
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


def _frame(run: Run, cycles: list[Cycle]) -> dict[str, Any]:
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
        "summary": _summary(run, [c for c in cycles[:-1] if not run.diagnostic_type(c.number)]),
        "cycles_interpolated": {},
        "diagnostic_summary": diagnostics.summary(run, cycles),
        "diagnostic_interpolated": diagnostics.points(run, cycles),
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
                "v_range": list(VOLTAGE_RANGE),
                "resolution": run.points_per_step,
                "nominal_capacity": NOMINAL_CAPACITY,
                "full_fast_charge": 0.8,
                "charge_axis": "charge_capacity",
                "discharge_axis": "voltage",
            },
            "schema_path": "synthetic/schema-arbin-lfp.yaml",
        }
    )


def _summary(run: Run, cycles: list[Cycle]) -> dict[str, Values]:
    """Give the summary's columns; Ah, Wh, ohm, degC, s, and degC·min for the integral."""
    draw = draws(run, "summary")
    charged = [round(cycle.charge_capacity, 7) for cycle in cycles]
    energy_in = [round(3.43 * q, 7) for q in charged]
    energy_out = [
        round(cycle.discharge_capacity * (3.05 - 20 * (cycle.resistance - FRESH_RESISTANCE)), 7)
        for cycle in cycles
    ]
    mean = [cycle.temperature + 2.5 + draw.gauss(0, 0.1) for cycle in cycles]
    columns: dict[str, Values] = {
        "cycle_index": [cycle.number for cycle in cycles],
        "discharge_capacity": [round(cycle.discharge_capacity, 7) for cycle in cycles],
        "charge_capacity": charged,
        "discharge_energy": energy_out,
        "charge_energy": energy_in,
        "dc_internal_resistance": single([cycle.resistance for cycle in cycles]),
        "temperature_maximum": single([t + 3 + draw.gauss(0, 0.2) for t in mean]),
        "temperature_average": single(mean),
        "temperature_minimum": single([cycle.temperature - 0.2 for cycle in cycles]),
        "date_time_iso": [
            (run.first_cycle_at + timedelta(seconds=int(cycle.start))).isoformat()
            for cycle in cycles
        ],
        "energy_efficiency": [e / f for e, f in zip(energy_out, energy_in, strict=True)],
        "charge_throughput": single(list(accumulate(charged))),
        "energy_throughput": single(list(accumulate(energy_in))),
        "charge_duration": [_charge_duration(run.policy, q) for q in charged],
        "time_temperature_integrated": [
            t * cycle.duration / 60 for t, cycle in zip(mean, cycles, strict=True)
        ],
        "paused": [cycle.paused for cycle in cycles],
    }
    if LAYOUTS[run.layout].version is None:
        columns["CV_time"] = single([0.06 * q / NOMINAL_CAPACITY / 0.25 * 3600 for q in charged])
        columns["CV_current"] = single([0.055 + draw.gauss(0, 1e-4) for _ in cycles])
    for name in columns:
        if quantity(name) in run.unmeasured:
            columns[name] = [NAN] * len(cycles)
    return columns


def _charge_duration(policy: Policy, charged: float) -> float:
    """Give the seconds to 80 % of nominal; NaN, as BEEP has it, where a charge ends below."""
    if charged < END_OF_LIFE:
        return NAN
    return round(policy.seconds(END_OF_LIFE / charged) * charged / NOMINAL_CAPACITY, 1)


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
    cycles = cycles_of(run)
    curves = Curves(run, cycles)
    before = b"{"
    for key, value in _frame(run, cycles).items():
        yield before + json.dumps(key).encode() + b": "
        if key == "cycles_interpolated":
            yield from _points(curves)
        else:
            yield json.dumps(value).encode()
        before = b", "
    yield b"}"


def _points(curves: Curves) -> Iterator[bytes]:
    before = b"{"
    for column in LAYOUTS[curves.run.layout].columns:
        yield before + json.dumps(column).encode() + b": ["
        before = b""
        for block in column_blocks(curves, column):
            yield before + _text(block)
            before = b", "
        yield b"]"
        before = b", "
    yield b"}"


def _text(block: Values) -> bytes:
    # several times the speed of json.dumps, but it writes null for NaN, and no blanks
    return orjson.dumps(block)[1:-1].replace(b",", b", ").replace(b"null", b"NaN")
