"""Sample files to measure with, made once and kept in the scratch folder."""

import os
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

    def link(self, folder: Path) -> Path:
        """Make a folder of links to these files alone, to push; gives it."""
        folder.mkdir(parents=True)
        for path in self.paths:
            os.link(path, folder / path.name)
        return folder


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
