"""Sample files to measure with, made once and kept in the scratch folder."""

import json
import os
import random
from collections.abc import Iterable
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from loader import demo

POINTS_PER_CYCLE = 2 * 1000  # a discharge and a charge, as `sample.large` makes them


@dataclass(frozen=True)
class Files:
    """Files of as many cycles each; sizes in bytes."""

    paths: tuple[Path, ...]
    cycles: int

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(path.stat().st_size for path in self.paths)

    @property
    def points(self) -> int:
        """Points in all files together; one in ten is published."""
        return POINTS_PER_CYCLE * self.cycles * len(self.paths)


def make(folder: Path, count: int, cycles: int, first_seed: int = 1) -> Files:
    """Give `count` files of `cycles` cycles from `folder`, made where they are missing.

    They differ in barcode and measurements; those of the same seed and cycles are the same. They
    are read through, so that the first measurement finds them in memory as the others do.
    """
    home = folder / f"{cycles}-cycles"
    home.mkdir(parents=True, exist_ok=True)
    wanted = [(home / _name(seed), cycles, seed) for seed in _seeds(first_seed, count)]
    missing = [one for one in wanted if not one[0].exists()]
    if missing:
        with get_context("spawn").Pool(min(len(missing), os.cpu_count() or 1)) as pool:
            pool.starmap(_write, missing, chunksize=1)
    paths = tuple(path for path, _, _ in wanted)
    _read_through(paths)
    return Files(paths, cycles)


def small(folder: Path, count: int) -> list[Path]:
    """Give `count` files of 20 cycles and 400 points, 14 kB each, made where they are missing.

    Their points have `test_time`, so that a build asks each cycle for its start.
    """
    home = folder / "small"
    home.mkdir(parents=True, exist_ok=True)
    paths = [home / f"small_{number:05}.json" for number in range(count)]
    for number, path in enumerate(paths):
        if not path.exists():
            path.write_text(json.dumps(_small(number)))
    _read_through(paths)
    return paths


def _small(number: int) -> dict[str, object]:
    rng = random.Random(number)
    cycles, points = range(20), range(20)
    return {
        "barcode": f"S{number:05}",
        "summary": {
            "cycle_index": list(cycles),
            "discharge_capacity": [1.1 - 0.001 * cycle for cycle in cycles],
            "date_time_iso": [f"2020-01-{cycle + 1:02}T00:00:00Z" for cycle in cycles],
        },
        "cycles_interpolated": {
            "cycle_index": [cycle for cycle in cycles for _ in points],
            "voltage": [round(rng.uniform(3, 3.5), 4) for _ in cycles for _ in points],
            "test_time": [1000 * cycle + point for cycle in cycles for point in points],
        },
    }


def _seeds(first: int, count: int) -> range:
    return range(first, first + count)


def _name(seed: int) -> str:
    return f"FastCharge_{900_000 + seed}_CH{1 + seed % 48}_structure.json"


def _write(path: Path, cycles: int, seed: int) -> None:
    unfinished = path.with_suffix(f".{os.getpid()}")
    demo.write(unfinished, demo.large(cycles, seed=seed))
    unfinished.replace(path)


def _read_through(paths: Iterable[Path]) -> None:
    for path in paths:
        with path.open("rb") as file:
            while file.read(1 << 24):
                pass
