"""Numbers made small for the page: rounded, kept as differences, compressed."""

from __future__ import annotations

import base64
import gzip
import math
import statistics
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import orjson

_DIGITS = 5


def packed(values: Iterable[float | None]) -> dict[str, Any]:
    """Give numbers in the order of a curve as whole steps, each the difference to the one before.

    `unit` is the power of ten of a step: five digits of the median, so that a single value far off
    costs the others no digit; 0 for whole numbers. None stays None, between its neighbours.
    """
    numbers = list(values)
    sizes = [abs(number) for number in numbers if number and isinstance(number, float)]
    unit = math.floor(math.log10(statistics.median(sizes))) + 1 - _DIGITS if sizes else 0
    steps = [None if number is None else _steps(number, unit) for number in numbers]
    known = [0, *(step for step in steps if step is not None)]
    differences = iter([after - before for before, after in pairwise(known)])
    return {"unit": unit, "steps": [None if step is None else next(differences) for step in steps]}


def _steps(number: float, unit: int) -> int:
    return round(number * 10.0**-unit if unit < 0 else number / 10.0**unit)


def compressed(value: Any) -> str:  # noqa: ANN401  whatever JSON can hold
    """Give a value as JSON, gzipped, in base64: the same text every time, and none of it markup."""
    text = orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)
    return base64.b64encode(gzip.compress(text, mtime=0)).decode()
