"""Numbers packed for the report's page come out again, in little room."""

import base64
import gzip
import itertools
import json
from typing import Any

import pytest

from loader.tables.report.packing import compressed, packed


def unpacked(unit: int, steps: list[int | None]) -> list[float | None]:
    """As the page does."""
    sums = itertools.accumulate(step or 0 for step in steps)
    pairs = zip(steps, sums, strict=True)
    return [None if step is None else total * 10.0**unit for step, total in pairs]


@pytest.mark.parametrize(
    ("values", "unit"),
    [
        ([1.0712, 1.0709, 1.0713], -4),
        ([0, 1, 2, 2237], 0),
        ([100, 101], 0),
        ([2.1e-5, 2.0e-5, 1.9e-5], -9),
        ([123456.0, 123460.0], 1),
        ([None, 3.3, None, None, 3.2], -4),
        ([0.0, 0.0], 0),
        ([], 0),
    ],
)
def test_five_digits_of_the_median_come_back(values: list[float | None], unit: int) -> None:
    made = packed(values)
    assert made["unit"] == unit
    assert unpacked(**made) == [
        None if value is None else pytest.approx(value, abs=10.0**unit / 2) for value in values
    ]


def test_one_value_far_off_costs_the_others_no_digit() -> None:
    made = packed([1.0712, 55.0, 1.0709, 1.07, 1e300])
    assert unpacked(**made)[:3] == pytest.approx([1.0712, 55.0, 1.0709], abs=1e-6)


def test_what_is_compressed_is_json_again_and_holds_no_markup() -> None:
    value: dict[str, Any] = {"barcode": "</script><!--", "steps": [1, None]}
    text = compressed(value)
    assert "<" not in text
    assert json.loads(gzip.decompress(base64.b64decode(text))) == value
    assert text == compressed(value)
