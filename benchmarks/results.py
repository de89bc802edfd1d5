"""What was measured, and what it should have been."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from benchmarks.commands import Ran
from benchmarks.server import Sizes


@dataclass
class Measurement:
    """Runs of one thing. `size` is that of the files in bytes, `rows` what it takes or makes."""

    name: str
    runs: list[Ran] = field(default_factory=list)
    size: int = 0
    rows: int = 0

    @property
    def seconds(self) -> float:
        """The median."""
        return median(run.seconds for run in self.runs)

    @property
    def megabytes_per_second(self) -> float:
        """Of files, by the median of seconds."""
        return self.size / 1e6 / self.seconds

    @property
    def rows_per_second(self) -> float:
        """By the median of seconds."""
        return self.rows / self.seconds

    @property
    def processor(self) -> dict[str, float]:
        """Medians of the seconds of processor time, by process."""
        names = self.runs[0].processor
        return {name: median(run.processor[name] for run in self.runs) for name in names}

    @property
    def loader_peak(self) -> int:
        """Bytes of the command and its workers together, the highest of all runs."""
        return max(run.peaks.loader for run in self.runs)

    @property
    def process_peak(self) -> int:
        """Bytes of the largest of these processes, the highest of all runs."""
        return max(run.peaks.process for run in self.runs)

    @property
    def backend_peak(self) -> int | None:
        """Bytes of the largest backend, the highest of all runs; None of a server elsewhere."""
        known = [run.peaks.backend for run in self.runs if run.peaks.backend is not None]
        return max(known, default=None)


@dataclass
class Check:
    """A measured value beside its target: a highest value, or a lowest one where `at_least`."""

    name: str
    value: float | None
    target: float
    unit: str = ""
    at_least: bool = False

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None where the value could not be measured."""
        if self.value is None:
            return None
        return self.value >= self.target if self.at_least else self.value <= self.target


@dataclass
class Result:
    """All of one scenario.

    `leaves` says what each way of doing it leaves behind, `counted` what processor time is of what.
    """

    scenario: str
    measurements: list[Measurement] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    sizes: dict[str, Sizes] = field(default_factory=dict)
    leaves: dict[str, str] = field(default_factory=dict)
    counted: dict[str, str] = field(default_factory=dict)

    def measure(self, name: str, size: int = 0, rows: int = 0) -> Measurement:
        """Begin a measurement."""
        self.measurements.append(Measurement(name, size=size, rows=rows))
        return self.measurements[-1]

    def check_backends(self, measurements: Sequence[Measurement], limit: int) -> None:
        """Hold the largest backend of these against `limit` bytes."""
        peaks = [one.backend_peak for one in measurements]
        known = [peak for peak in peaks if peak is not None]
        value = max(known) / 1e6 if known else None
        self.checks.append(Check("peak memory of a backend", value, limit / 1e6, "MB"))


def as_json(result: Result) -> dict[str, Any]:
    """Everything of a scenario, medians and verdicts included, for json.dump."""
    return {
        "scenario": result.scenario,
        "measurements": [_with(one, _DERIVED) for one in result.measurements],
        "checks": [_with(one, ("met",)) for one in result.checks],
        "leaves": result.leaves,
        "counted": result.counted,
        "sizes": {name: asdict(sizes) for name, sizes in result.sizes.items()},
    }


_DERIVED = (
    "seconds",
    "megabytes_per_second",
    "rows_per_second",
    "processor",
    "loader_peak",
    "process_peak",
    "backend_peak",
)


def _with(one: Measurement | Check, derived: Sequence[str]) -> dict[str, Any]:
    return asdict(one) | {name: getattr(one, name) for name in derived}
